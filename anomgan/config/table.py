"""What every table has in common."""

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
