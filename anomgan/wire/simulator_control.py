"""Requests to a running simulator, in the manner of `control`: what there is, what is wrong now, inject, stop."""

from pydantic import Field

from anomgan.config import Table
from anomgan.wire.control import Commands, Name


class Plant(Table):
    """`plant`: the devices, and which faults each kind of them knows."""


class Status(Table):
    """`status`: how far the run is, and which faults have begun."""


class Inject(Table):
    """`inject`: let a fault begin with the next row; the keys are those of `[[faults]]`, with a length for an end."""

    device: Name
    site: str | None = Field(None, max_length=300)
    kind: Name
    channels: tuple[Name, ...] = Field((), strict=False, max_length=100)
    lasts_s: float = Field(gt=0, le=31 * 86_400.0, allow_inf_nan=False)
    """not for ever: what comes by chance meanwhile is drawn ahead, to see whether it contradicts"""
    severity: float | None = Field(None, allow_inf_nan=False)
    ramp_s: float = Field(0.0, ge=0, allow_inf_nan=False)
    recovery_s: float = Field(0.0, ge=0, allow_inf_nan=False)


class Stop(Table):
    """`stop`: take an injected fault away; the next row is its last."""

    fault: int = Field(ge=1)


COMMANDS: Commands = {"plant": Plant, "status": Status, "inject": Inject, "stop": Stop}
