"""What can be wrong with a device's data, and how it is told.

Of the whole device:

    silent          nothing was heard for longer than it ever takes
    duplicate       many readings come twice
    out_of_order    many readings come after later ones, though promptly
    late            many readings come after later ones, long after their own time
    clock_skew      its clock is ahead or behind: readings come steadily before or long after their own time
    buffered_burst  readings kept back during an outage come at once, with past times

Of one channel:

    silent          it is missing while the device speaks
    stuck           it repeats one ordinary value for longer than it ever does
    out_of_range    beyond what the sensor can measure, or an error code
    unit_jump       the same quantity in another unit
    counter_reset   a counter that began anew: told once, already closed

An issue is told when it opens and when it closes, never with every reading.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from anomgan.config import Table
from anomgan.records import EventState

IssueKind = Literal[
    "silent",
    "stuck",
    "out_of_range",
    "unit_jump",
    "counter_reset",
    "duplicate",
    "out_of_order",
    "late",
    "clock_skew",
    "buffered_burst",
]
WHOLE_DEVICE = -1


class QualityConfig(Table):
    """`[quality]`: what counts as sick, where data cannot tell. None = chosen as the keys say."""

    late_s: float = Field(60.0, gt=0)
    """readings that come more than this after their own time, beyond what is usual for the device, are late"""
    skew_s: float = Field(30.0, gt=0)
    """a clock that is further off than this is told; a reading that far ahead of its device's clock is not used"""
    silent_after_s: float | None = Field(None, gt=0)
    """None = ten sampling periods or three of the longest usual gaps, at least 60 s"""
    judge_clocks: bool = True
    """false where event times are not the wall clock's, as in a replay: nothing is ahead, late or in a burst"""
    ranges: dict[str, Annotated[tuple[float, float], Field(strict=False)]] = Field(default_factory=dict)
    """what a channel's sensor can measure, from its data sheet: `flow = [0, 80]`"""
    may_stand_still: tuple[str, ...] = Field((), strict=False)
    """channels that are never called stuck"""


@dataclass(frozen=True, slots=True)
class HealthIssue:
    """One thing that is wrong with a device's data, as it stands.

    `id` is the same whenever the same issue is told again, so that stores can overwrite. channel "" = the whole device.
    start_s: since when; end_s: the last time it showed so far. Both are event time, but for silent, clock_skew,
    duplicate, out_of_order and late of a whole device, which are about arrivals, they are the clock of the arrivals.
    """

    id: str
    device: str
    site: str
    channel: str
    kind: IssueKind
    state: EventState
    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """How one device's data are: a point of `device_health`.

    silent_s since anything was heard (NaN = nothing live yet); skew_s how far its clock is behind (negative = ahead);
    stuck, out_of_range, unit_jump, missing: channels now; duplicate, out_of_order, late, ahead: readings refused so
    far; counter_resets so far.
    """

    device: str
    site: str
    silent_s: float
    skew_s: float
    stuck: int
    out_of_range: int
    unit_jump: int
    missing: int
    duplicate: int
    out_of_order: int
    late: int
    ahead: int
    counter_resets: int


class Change(NamedTuple):
    """An issue of device number `number` that opens or closes; channel by index or WHOLE_DEVICE."""

    noticed_s: float
    number: int
    channel: int
    kind: IssueKind
    state: EventState
    start_s: float
    end_s: float
    reason: str


def shown(value: float) -> str:
    """Six significant digits, written out: 101300, not 1.013e+05."""
    return f"{float(f'{value:.6g}'):.15g}"


def span(seconds: float) -> str:
    """A length of time in words of the right size."""
    if seconds < 600:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 36_000 else f"{seconds / 3600:.0f} h"
