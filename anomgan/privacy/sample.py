"""Windows of one data set with the place each was cut from, and blocks of time to draw chance from.

Overlapping windows are not independent of each other, nor are neighbouring ones; blocks of time nearly are (Künsch,
Ann. Stat. 17(3), 1989). Whatever is said of chance in this package comes from exchanging or redrawing whole blocks.
Letters: N windows, C channels, L window length, K blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries
from anomgan.scaling import Scaler, scale
from anomgan.windows import WindowRule, due_ends, gather_windows, hold_missing, segment_starts

GAP_PERIODS = 10.0
HOLD = 0.25
"""of a window: so long a missing value is held"""

Indices = NDArray[np.int64]
Windows = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """windows (N, C, L), finite; rows (N,) increasing, the row of its data set that each begins with; conditions
    (N, K), under which each was recorded, where a discriminator wants to know.

    Windows whose rows differ by less than L overlap. Windows that were never cut from a series lie L apart.
    Raises DataError where shapes disagree, rows do not increase or a value is not finite.
    """

    windows: Windows
    rows: Indices
    conditions: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.windows.ndim != 3 or self.rows.shape != self.windows.shape[:1]:
            raise DataError(f"windows of shape {self.windows.shape}, not (N, C, L), with rows {self.rows.shape}")
        if self.conditions is not None and (self.conditions.ndim != 2 or len(self.conditions) != len(self.windows)):
            raise DataError(f"conditions of shape {self.conditions.shape} for {len(self.windows)} windows")
        if not np.all(np.diff(self.rows) > 0):
            raise DataError("the rows that windows begin with do not increase")
        if not np.all(np.isfinite(self.windows)):
            raise DataError("a window has a missing or infinite value")

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def length(self) -> int:
        """L."""
        return int(self.windows.shape[2])

    @property
    def flat(self) -> Floats:
        """(N, C L), such that the Euclidean distance of two is the root mean square difference of their cells."""
        flat = self.windows.reshape(len(self), -1).astype(np.float64)
        scaled: Floats = flat / np.sqrt(max(flat.shape[1], 1))
        return scaled

    def take(self, chosen: Indices) -> "Sample":
        """Some of the windows, in order."""
        under = None if self.conditions is None else self.conditions[chosen]
        return Sample(self.windows[chosen], self.rows[chosen], under)


def loose_windows(windows: Windows) -> Sample:
    """Windows (N, C, L) that do not overlap, such as a generator makes one by one."""
    return Sample(windows, np.arange(len(windows), dtype=np.int64) * windows.shape[2])


def sliding_windows(series: TimeSeries, scaler: Scaler, length: int) -> Sample:
    """Every window of so many rows without a gap, scaled; a value missing for long leaves its windows out."""
    rule = WindowRule(length, 1, GAP_PERIODS * series.period_s, int(HOLD * length))
    starts = segment_starts(series.times, rule)
    rows = hold_missing(scale(scaler, series.values), starts, rule)
    ends = due_ends(starts, rule)
    if len(ends) == 0:
        return Sample(np.zeros((0, rows.shape[1], length), np.float32), ends)
    absent = np.concatenate([[0], np.cumsum(np.isnan(rows).any(axis=1))])
    ends = ends[absent[ends + 1] == absent[ends + 1 - length]]
    return Sample(gather_windows(rows, ends, length), ends - length + 1)


def joined(samples: Sequence[Sample]) -> Sample:
    """Several data sets as one: the rows of each begin a window after the last of the one before."""
    begins = offsets(samples)
    rows = [one.rows + begin for one, begin in zip(samples, begins, strict=True)]
    return Sample(np.concatenate([one.windows for one in samples]), np.concatenate(rows), conditions_of(samples))


def conditions_of(samples: Sequence[Sample]) -> NDArray[np.float32] | None:
    """Those of several data sets, one after another; none where one of them has none."""
    told = [one.conditions for one in samples if one.conditions is not None]
    return np.concatenate(told) if len(told) == len(samples) else None


def offsets(samples: Sequence[Sample]) -> list[int]:
    """The row of the whole that row 0 of each has in `joined`."""
    begins = [0]
    for one in samples[:-1]:
        begins.append(begins[-1] + (int(one.rows[-1]) if len(one) else 0) + 2 * one.length)
    return begins


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """of (N,) the block of each window, 0 ... K-1, not decreasing; place (K,): neighbours in time differ by 1."""

    of: Indices
    place: Indices

    def __len__(self) -> int:
        return len(self.place)

    def near(self, block: Indices) -> NDArray[np.bool_]:
        """(M,) blocks -> (M, K) whether it is that block or one beside it."""
        beside: NDArray[np.bool_] = np.abs(self.place[block][:, None] - self.place) <= 1
        return beside


def blocks_of(rows: Indices, length: int) -> Blocks:
    """Blocks of so many rows."""
    place, of = np.unique(rows // length, return_inverse=True)
    return Blocks(of.astype(np.int64), place.astype(np.int64))


def spread_out(sample: Sample, most: int) -> Indices:
    """Windows to ask about: at least a quarter of a window apart, at most so many, as evenly as it goes."""
    step = max(1, sample.length // 4, -(-int(np.ptp(sample.rows) + 1) // most)) if len(sample) else 1
    _, first = np.unique(sample.rows // step, return_index=True)
    return first.astype(np.int64)
