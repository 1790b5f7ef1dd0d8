"""Normal windows of several series: which of them train and which calibrate, cut out of the rows when asked for.

Windows share most of their rows; kept one by one, a day of one device would take as much room as two months.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries
from anomgan.scaling import Scaler, scale
from anomgan.windows import WindowRule, due_ends, gather_windows, hold_missing, segment_starts

MIN_CALIBRATION = 64
MAX_MISSING = 0.5
CHUNK = 4096
REACH = (0.001, 0.999)
"""quantiles of a channel's training values that the generator has to reach"""
MAX_CHANNELS = 100
Windows = NDArray[np.float32]


def agree(series: Sequence[TimeSeries]) -> TimeSeries:
    """The first of several series, once all have its channels and there is something to learn; else a DataError."""
    if not series:
        raise DataError("there is no series to learn from")
    first = series[0]
    for one in series[1:]:
        if one.channels != first.channels:
            raise DataError(f"series disagree on their channels: {first.channels} and {one.channels}")
    if not 1 <= len(first.channels) <= MAX_CHANNELS:
        raise DataError(f"{len(first.channels)} channels; a model takes 1 to {MAX_CHANNELS}")
    if all(not np.isfinite(one.values).any() for one in series):
        raise DataError("there is not a single value to learn from")
    return first


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The measured channels of one series scaled and held (T, C), and the ends of its training windows (N,) and of its
    held-out ones (M,)."""

    rows: Windows
    train_ends: NDArray[np.int64]
    held_ends: NDArray[np.int64]


def cut_series(one: TimeSeries, scaler: Scaler, measured: NDArray[np.bool_], rule: WindowRule, holdout: float) -> Cut:
    """Training windows end before the cut and held-out ones begin after it, or, in a short series, end after it."""
    starts = segment_starts(one.times, rule)
    rows = hold_missing(scale(scaler, one.values)[:, measured], starts, rule)
    every = WindowRule(rule.window, 1, rule.max_gap_s, rule.max_hold)
    ends = due_ends(starts, every)
    ends = ends[_missing_share(rows, ends, rule.window) <= MAX_MISSING]
    cut = round(len(one) * (1.0 - holdout))
    clean = ends[ends - rule.window + 1 >= cut]
    return Cut(rows, ends[ends < cut], clean if len(clean) >= MIN_CALIBRATION else ends[ends >= cut])


def _missing_share(rows: Windows, ends: NDArray[np.int64], window: int) -> Floats:
    """(N,) the share of missing cells in each window."""
    absent = np.concatenate([[0.0], np.cumsum(np.isnan(rows).mean(axis=1))])
    share: Floats = (absent[ends + 1] - absent[ends + 1 - window]) / window
    return share


def spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` indices below `count`, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


class Pool:
    """Windows of several series, cut out when asked for."""

    def __init__(self, rows: Sequence[Windows], ends: Sequence[NDArray[np.int64]], window: int) -> None:
        offsets = np.cumsum([0, *(len(part) for part in rows)])[:-1]
        self._rows = np.concatenate(rows)
        self._ends = np.concatenate([part + offset for part, offset in zip(ends, offsets, strict=True)])
        self._window = window

    def __len__(self) -> int:
        return len(self._ends)

    def sample(self, rng: np.random.Generator, count: int) -> Windows:
        """Windows (count, C, L) drawn with replacement."""
        return gather_windows(self._rows, rng.choice(self._ends, count), self._window)

    def stretches(self, stride: int, length: int, most: int) -> Iterator[Windows]:
        """Evenly spaced stretches of up to `length` neighbouring windows, a stride apart; about `most` in all."""
        runs = np.split(self._ends, np.flatnonzero(np.diff(self._ends) != 1) + 1)
        pieces = [run[at : at + length * stride : stride] for run in runs for at in range(0, len(run), length * stride)]
        for i in spaced(len(pieces), max(1, most // length)):
            yield gather_windows(self._rows, pieces[i], self._window)

    def reach(self) -> Windows:
        """(2, C) the lowest and the highest value of each channel but for a few in a thousand."""
        return np.quantile(self._rows, REACH, axis=0).astype(np.float32)

    def chunks(self, most: int) -> Iterator[Windows]:
        """At most `most` windows, evenly spaced, some at a time."""
        ends = self._ends[spaced(len(self), most)]
        for at in range(0, len(ends), CHUNK):
            yield gather_windows(self._rows, ends[at : at + CHUNK], self._window)

    def spaced(self, most: int) -> Windows:
        """At most `most` windows, evenly spaced."""
        return gather_windows(self._rows, self._ends[spaced(len(self), most)], self._window)
