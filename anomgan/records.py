"""The things that flow through anomgan: Reading, TimeSeries, Verdict, Event, and how a device's data are.

Frozen and slotted. Time is event time: float seconds since 1970-01-01 UTC. A missing value is NaN.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError

Floats = NDArray[np.float64]
Source = tuple[str, str]
"""What identifies a device everywhere: (site, device). The site may be empty."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one device measured at one time: channel name -> value (NaN where missing)."""

    device: str
    time_s: float
    values: Mapping[str, float]
    site: str = ""

    @property
    def source(self) -> Source:
        """(site, device)."""
        return (self.site, self.device)


def picker(channels: Sequence[str]) -> Callable[[Mapping[str, float]], tuple[float, ...]]:
    """A reading's values in the order of these channels; KeyError where one is missing."""
    if len(channels) > 1:
        return itemgetter(*channels)
    return lambda values: (values[channels[0]],)


@dataclass(frozen=True, slots=True, eq=False)
class TimeSeries:
    """The readings of one device in time order.

    times (T,) float64, strictly increasing; values (T, C) float64, NaN where missing;
    labels (T,) bool or None (True = anomalous); units has one entry per channel ("" = unknown).
    Raises DataError where shapes disagree, times do not increase or two channels share a name.
    """

    times: Floats
    values: Floats
    channels: tuple[str, ...]
    labels: NDArray[np.bool_] | None = None
    units: tuple[str, ...] = ()
    device: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", _floats(self.times, "the times"))
        object.__setattr__(self, "values", _floats(self.values, "the values"))
        if self.labels is not None:
            object.__setattr__(self, "labels", _flags(self.labels))
        if not self.units:
            object.__setattr__(self, "units", ("",) * len(self.channels))
        if self.times.ndim != 1 or self.values.shape != (len(self.times), len(self.channels)):
            raise DataError(
                f"values of shape {self.values.shape} for times of shape {self.times.shape} "
                f"and {len(self.channels)} channels"
            )
        if len(set(self.channels)) < len(self.channels):
            twice = next(name for name in self.channels if self.channels.count(name) > 1)
            raise DataError(f"two channels are called {twice!r}")
        if len(self.units) != len(self.channels):
            raise DataError(f"{len(self.units)} units for {len(self.channels)} channels")
        if self.labels is not None and self.labels.shape != self.times.shape:
            raise DataError(f"labels of shape {self.labels.shape} for {len(self.times)} rows")
        if not np.all(np.isfinite(self.times)):
            raise DataError(f"row {int(np.argmin(np.isfinite(self.times)))}: the time is not finite")
        steps = np.diff(self.times)
        if np.any(steps <= 0):
            row = int(np.argmax(steps <= 0)) + 1
            kind = "duplicate timestamp" if steps[row - 1] == 0 else "timestamps are not in order"
            raise DataError(f"row {row}: {kind} ({self.times[row - 1]:.3f} then {self.times[row]:.3f})")

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice) -> "TimeSeries":
        """The same series cut to a slice of rows."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, times=self.times[rows], values=self.values[rows], labels=labels)

    @property
    def period_s(self) -> float:
        """The sampling period: the median step in seconds (1.0 where there are fewer than two rows)."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0

    def split(self, fraction: float) -> "tuple[TimeSeries, TimeSeries]":
        """Cut by time, never shuffled: the first `fraction` of the rows and the rest."""
        if not 0.0 < fraction < 1.0:
            raise DataError(f"split takes a fraction between 0 and 1, not {fraction}")
        cut = round(len(self) * fraction)
        return self[:cut], self[cut:]


def series_from_array(values: Floats, period_s: float = 1.0, channels: Sequence[str] = ()) -> TimeSeries:
    """A TimeSeries from a bare (T, C) or (T,) array: regular times from 0, channels named c0, c1, ..."""
    array = _floats(values, "the values")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"expected an array of shape (T, C), got {np.shape(values)}")
    names = tuple(channels) or tuple(f"c{i}" for i in range(array.shape[1]))
    return TimeSeries(np.arange(len(array), dtype=np.float64) * period_s, array, names)


def _floats(given: object, what: str) -> Floats:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} are not numbers: {error}") from None


def _flags(given: object) -> NDArray[np.bool_]:
    array = np.asarray(given)
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise DataError("labels are True and False, or 1 and 0")
    return array.astype(np.bool_, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the detector says of one device at one time.

    surprise = -log10 p, where p is the probability that a normal window looks this odd; each witness
    has its own surprise. NaN = unknown (warm-up, gap, too much missing): unknown is never shown as normal.
    values, expected, contribution: (C,) float arrays in the order of `channels`; `expected` is what the
    generator says the newest reading should have been, `contribution` sums to 1 over the channels. `odd` and
    `odd_expected` (C,) are the oddest of each channel's newest rows and what was expected there.
    """

    device: str
    site: str
    time_s: float
    surprise: float
    threshold: float
    anomalous: bool
    discriminator: float
    reconstruction: float
    pattern: float
    channels: tuple[str, ...]
    values: NDArray[np.float32]
    expected: NDArray[np.float32]
    contribution: NDArray[np.float32]
    model: str = ""
    units: tuple[str, ...] = ()
    """in the order of `channels`; () = unknown"""
    odd: NDArray[np.float32] | None = None
    odd_expected: NDArray[np.float32] | None = None
    course: NDArray[np.float32] | None = None
    """(C, 5): since when and how each channel is beyond its own normal error (see `motion`); None where none is"""
    step_s: float = 0.0
    """the time from one row of a window to the next"""
    band: NDArray[np.float64] | None = None
    """(C, 4): where each channel lies in normal windows around what is expected (see `band`); the model's, shared"""


EventState = Literal["open", "closed", "muted", "false_alarm"]
"""muted: not told to anybody, for the reason in `note`; false_alarm: a person has said so"""
Severity = Literal["minor", "major", "critical"]


@dataclass(frozen=True, slots=True)
class Event:
    """A run of anomalous verdicts of one device.

    `id` is the same whenever the same event is told again, so that stores can overwrite. `end_s` is the
    time of the last anomalous verdict so far. `channels` are those that contributed most, first the most;
    `observed`, `expected` and `contributions` go with them and are taken at the peak. A fleet-wide event is no
    device's: its `device` is `fleet:MODEL`.
    """

    id: str
    device: str
    site: str
    state: EventState
    start_s: float
    end_s: float
    peak: float
    peak_s: float
    severity: Severity
    channels: tuple[str, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    contributions: tuple[float, ...]
    reason: str
    threshold: float = 0.0
    model: str = ""
    units: tuple[str, ...] = field(default=())
    note: str = ""
    """why it is muted, or what a person has said of it"""
    part_of: str = ""
    """id of the fleet-wide event that it belongs to, which is told in its place"""
    members: int = 0
    """of a fleet-wide event: how many devices; 0 for an event of one device"""
    onsets: tuple[tuple[str, float], ...] = ()
    """channels that went beyond their own normal error, and when: first the first"""


# ---------------------------------------------------------------- data quality

IssueKind = Literal[
    "silent",
    "stuck",
    "out_of_range",
    "unit_jump",
    "new_state",
    "counter_reset",
    "duplicate",
    "out_of_order",
    "late",
    "clock_skew",
    "buffered_burst",
]
"""see `anomgan.quality.issues`"""
IssueState = Literal["open", "closed"]


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
    state: IssueState
    start_s: float
    end_s: float
    reason: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """How one device's data are at a time, by the clock of the arrivals: a point of `device_health`.

    silent_s since anything was heard (NaN = nothing live yet); skew_s how far its clock is behind (negative = ahead);
    stuck, out_of_range, unit_jump, new_state, missing: channels now; duplicate, out_of_order, late, ahead: readings
    refused so far; counter_resets so far; issues: all that are open.
    """

    device: str
    site: str
    time_s: float
    silent_s: float
    skew_s: float
    stuck: int
    out_of_range: int
    unit_jump: int
    new_state: int
    missing: int
    duplicate: int
    out_of_order: int
    late: int
    ahead: int
    counter_resets: int
    issues: tuple[HealthIssue, ...] = ()
    model: str = ""

    @property
    def source(self) -> Source:
        """(site, device)."""
        return (self.site, self.device)


HEALTH_COUNTS = (
    *("stuck", "out_of_range", "unit_jump", "new_state", "missing"),
    *("duplicate", "out_of_order", "late", "ahead", "counter_resets"),
)
"""the whole numbers of a DeviceHealth"""
