"""The tables of a scenario file that say how bad its network is. See configs/simulate.toml."""

from typing import Literal, Self

from pydantic import Field, model_validator

from anomgan.config import Table

IncidentKind = Literal["outage", "reboot", "absent", "clock_skew", "bad_link"]
TEN_YEARS_S = 3.2e8


class LinkConfig(Table):
    """What becomes of a device's messages: `[network]`, and `network` of `[[devices]]` for some of them."""

    delay_s: float = Field(0.0, ge=0, le=86_400)
    """how long every message takes"""
    jitter_s: float = Field(0.0, ge=0, le=86_400)
    """and on average so much longer, exponentially distributed; the order is kept"""
    loss: float = Field(0.0, ge=0, le=1)
    """share that never arrives"""
    duplicate: float = Field(0.0, ge=0, le=1)
    """share that arrives twice"""
    duplicate_s: float = Field(5.0, gt=0, le=86_400)
    """the second one within so long after the first"""
    reorder: float = Field(0.0, ge=0, le=1)
    """share that is held back, so that later ones come first"""
    reorder_s: float | None = Field(None, gt=0, le=86_400)
    """for how long; None = two and a half periods"""
    buffer: int = Field(1000, ge=0)
    """readings that a device keeps while it is offline; the oldest go"""
    retain: bool = False
    """whether the broker keeps the last value for those who subscribe later"""
    qos: Literal[0, 1, 2] | None = None
    """None = that of [output]"""
    clock_spread_s: float = Field(0.0, ge=0, le=TEN_YEARS_S)
    """standard deviation, from device to device, of how far its clock is off"""
    clock_spread_ppm: float = Field(0.0, ge=0, le=100_000)
    """and of how much too fast it goes, in millionths"""


class NetworkConfig(LinkConfig):
    """`[network]`: how devices are connected, and what becomes of their messages."""

    connection: Literal["shared", "device"] = "shared"
    """one for all, or one each"""
    client_id: str = Field("{site}-{device}", min_length=1)
    status: str = "anomgan/status/{device}"
    """topic of a device's retained `online` and `offline`, its last will; "" = none"""
    persistent: bool = False
    """whether the broker keeps the sessions of devices that are away"""

    @model_validator(mode="after")
    def _nothing_is_meant_in_vain(self) -> Self:
        for key in ("client_id", "status", "persistent"):
            if key in self.model_fields_set and self.connection == "shared":
                raise ValueError(f'{key} is given, yet without connection = "device" devices have no connections')
        return self


class IncidentConfig(Table):
    """`[[incidents]]`: something that happens to the network or the clock of one device, a site or all."""

    kind: IncidentKind
    device: str = ""
    """"" = every one of the site"""
    site: str | None = None
    """None = wherever they are"""
    start_s: float = Field(0.0, ge=0)
    end_s: float | None = Field(None, gt=0)
    """None = the end of the run"""
    goodbye: bool | None = None
    """outage, absent: whether devices take their leave, so that it is no last will that says so"""
    unset_s: float | None = Field(None, gt=0)
    """reboot: how long the clock counts from 1970 before it is set; None = 60"""
    offset_s: float | None = Field(None, ge=-TEN_YEARS_S, le=TEN_YEARS_S)
    """clock_skew: how far ahead"""
    drift_ppm: float | None = Field(None, ge=-100_000, le=100_000)
    """clock_skew: and from then on so much too fast"""
    delay_s: float | None = Field(None, ge=0, le=86_400)
    """bad_link: what stands for the key of that name in `[network]` meanwhile; so the next four"""
    jitter_s: float | None = Field(None, ge=0, le=86_400)
    loss: float | None = Field(None, ge=0, le=1)
    duplicate: float | None = Field(None, ge=0, le=1)
    reorder: float | None = Field(None, ge=0, le=1)
