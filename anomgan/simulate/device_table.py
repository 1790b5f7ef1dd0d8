"""`[[devices]]`: the table of devices of one kind, and the kind that it asks for."""

import math
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from anomgan.config import Table, parse_config
from anomgan.errors import ConfigError
from anomgan.simulate.kinds import KINDS
from anomgan.simulate.learned_kind import AnyKind, OpenModel, open_kind
from anomgan.simulate.names import unknown
from anomgan.simulate.network.tables import LinkConfig

EngineName = Literal["physics", "gan"]
OTHER: dict[str, EngineName] = {"kind": "gan", "settings": "gan", "model": "physics", "given": "physics"}
"""the engine that a key does not go with"""


class DevicesConfig(Table):
    """`[[devices]]`: `count` devices of one kind, called `name` followed by 1, 2, ...

    engine: what makes their readings, the physics of `kind` or the trained generator in `model`.
    """

    engine: EngineName = "physics"
    kind: str
    """"" = none, where the engine takes none; so of `model`"""
    model: str
    """a file of `anomgan train --synthesizer`, relative to the scenario's"""
    given: dict[str, Any] = Field(default_factory=dict)
    """under which conditions, where the model was trained with some"""
    count: int = Field(1, ge=1, le=100_000)
    name: str = Field(min_length=1, max_length=100)
    site: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    network: LinkConfig | None = None
    """what differs from `[network]`"""

    @model_validator(mode="before")
    @classmethod
    def _required(cls, document: object) -> object:
        """Of kind and model one is required: the other is nothing."""
        if not isinstance(document, dict):
            return document
        return {"model" if document.get("engine", "physics") == "physics" else "kind": "", **document}

    @field_validator(*OTHER)
    @classmethod
    def _of_the_engine(cls, value: object, info: ValidationInfo) -> object:
        engine = info.data.get("engine")
        if value and engine is not None and engine == OTHER[str(info.field_name)]:
            own = "physics" if engine == "gan" else "gan"
            raise ValueError(f'goes with engine = "{own}"; these devices have engine = "{engine}"')
        return value

    @field_validator("given")
    @classmethod
    def _numbers_and_texts(cls, given: dict[str, Any]) -> dict[str, Any]:
        for name, value in given.items():
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number and not isinstance(value, str):
                raise ValueError(f"{name!r} is neither a number nor a text")
        return given


def kind_of(
    table: DevicesConfig, start_s: float, period_s: float, open_model: OpenModel | None, place: str
) -> tuple[AnyKind, Table]:
    """The kind of a table's devices in a run from `start_s` on, and its settings; ConfigError names `place` and key."""
    if table.engine == "gan":
        return open_kind(table.model, table.given, start_s, period_s, open_model, place), Table()
    kind = KINDS.get(table.kind)
    if kind is None:
        raise ConfigError(f"{place}.kind: {unknown('device kind', table.kind, KINDS)}")
    return kind, parse_config(kind.settings, table.settings, f"{place}.settings")
