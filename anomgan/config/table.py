"""What every table has in common."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class Table(BaseModel):
    """A strict, frozen table: no unknown keys, no silent conversions from text, numbers or booleans."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @field_validator("*")
    @classmethod
    def _can_be_a_name(cls, value: Any) -> Any:
        """No path, host or topic can have a null character; where one is opened it is too late to say which."""
        if isinstance(value, str) and "\0" in value:
            raise ValueError("a null character has no place here")
        return value


def check_publishable(topic: str, placeholders: Sequence[str] = ()) -> None:
    """ValueError for a topic that nothing can be published to; a placeholder may fill a level."""
    for level in topic.split("/"):
        if level not in placeholders and any(letter in "+#{}\0" for letter in level):
            allowed = f"; placeholders that fill a level: {', '.join(placeholders)}" if placeholders else ""
            raise ValueError(f"{level!r} cannot stand in a topic to publish to{allowed}")
