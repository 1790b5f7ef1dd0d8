"""Windows of several scales, so that what is slow fits into a window as well as what is fast.

A window of L rows shows nothing of what takes longer. So the networks also learn windows of every FACTOR-th row, every
FACTOR²-th and so on, as long as the recordings hold ENOUGH of them that share no rows. Which scale a window has is told
them as a condition, one of so many (`told_scale`). A coarse window tells of the conditions at its newest row only where
they were the same, but for STEADY, all along: others are no windows.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.gan.hide import FACTOR
from anomgan.gan.train import Normal
from anomgan.pool import Pool
from anomgan.records import Floats

ENOUGH = 8
SMALLEST_STEP = 1e-3
STEADY = 0.5
"""a change of a condition's numbers, of which 1 is from one category to another"""
AHEAD = 1024
"""rows that are looked at at once"""
MAX_MISSING = 0.2
"""of a window's cells; what is missing in the others is drawn along a line between its neighbours"""
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One series as scores without NaN (T, C), the conditions of its rows (T, K), the share of each row that was
    missing (T,), the row that each one's segment starts with (T,), and the first row that is held out."""

    scores: Scores
    conditions: Scores
    missing: Floats
    starts: NDArray[np.int64]
    cut: int

    def segments(self) -> list[slice]:
        """The rows between gaps in time."""
        return segments(self.starts)

    def runs(self) -> list[slice]:
        """The rows between gaps in time and changes of the conditions."""
        return [run for rows in self.segments() for run in _runs(self.conditions, rows)]


def segments(starts: NDArray[np.int64]) -> list[slice]:
    """The rows of each segment, where each row (T,) says which one its segment starts with."""
    edges = [*np.flatnonzero(starts == np.arange(len(starts))).tolist(), len(starts)]
    return [slice(begin, end) for begin, end in itertools.pairwise(edges)]


def _runs(conditions: Scores, rows: slice) -> list[slice]:
    """The rows of a segment, parted where the conditions (T, K) have changed."""
    found, begin, at = [], rows.start, rows.start
    while at < rows.stop and conditions.shape[1]:
        ahead = conditions[at : min(at + AHEAD, rows.stop)]
        changed = (np.abs(ahead - conditions[begin]) > STEADY).any(axis=1)
        at += int(changed.argmax()) if changed.any() else len(ahead)
        if changed.any():
            found.append(slice(begin, at))
            begin = at
    return [*found, slice(begin, rows.stop)]


def told_scale(conditions: Scores, scale: int, scales: int) -> Scores:
    """Conditions (..., K), and behind them which of several scales it is."""
    if scales == 1:
        return np.ascontiguousarray(conditions)
    told = np.broadcast_to(np.eye(scales, dtype=np.float32)[scale], (*conditions.shape[:-1], scales))
    return np.concatenate([conditions, told], axis=-1)


class Scales:
    """Training and held-out windows of each scale.

    early, late: a pool of each, the finest scale first. steps (scales, C): how far rows that follow each other usually
    are apart.
    """

    def __init__(self, recordings: Sequence[Recording], window: int) -> None:
        lengths = [rows.stop - rows.start for one in recordings for rows in one.runs()]
        count = 1
        while sum(length // (window * FACTOR**count) for length in lengths) >= ENOUGH:
            count += 1
        pools = [_pools(recordings, window, FACTOR**scale) for scale in range(count)]
        self.early, self.late = [early for early, _ in pools], [late for _, late in pools]
        self.steps = np.stack([_steps(recordings, FACTOR**scale) for scale in range(count)])
        self._channels = recordings[0].scores.shape[1]

    def __len__(self) -> int:
        return len(self.early)

    def sample(self, rng: np.random.Generator, count: int) -> Normal:
        """So many training windows, half of them of the finest scale, the others alike often."""
        others = count // 2 // (len(self) - 1) if len(self) > 1 else 0
        counts = [count - others * (len(self) - 1), *[others] * (len(self) - 1)]
        drawn = zip(self.early, counts, strict=True)
        return self._together([pool.sample(rng, some) for pool, some in drawn])

    def held(self, most: int) -> Normal:
        """At most so many held-out windows, evenly spaced, as many of each scale that has some."""
        return self._together([pool.spaced(most // len(self)) if len(pool) else None for pool in self.late])

    def finest(self, most: int) -> Normal:
        """At most so many held-out windows of the finest scale, evenly spaced."""
        return self._together([self.late[0].spaced(most)])

    def _together(self, several: Sequence[Scores | None]) -> Normal:
        """Windows (N, C + K, L) of each scale -> all of them and their conditions."""
        width = self._channels
        parts = [(scale, windows) for scale, windows in enumerate(several) if windows is not None]
        conditions = [told_scale(windows[:, width:, -1], scale, len(self)) for scale, windows in parts]
        return Normal(np.concatenate([windows[:, :width] for _, windows in parts]), np.concatenate(conditions))


def _pools(recordings: Sequence[Recording], window: int, stride: int) -> tuple[Pool, Pool]:
    """Training windows, and held-out ones, of every `stride`-th row, whichever it begins with."""
    rows, early, late = [], [], []
    for one in recordings:
        whole = np.concatenate([one.scores, one.conditions], axis=1)
        for segment in one.segments() if stride == 1 else one.runs():
            for begin in range(segment.start, min(segment.start + stride, segment.stop)):
                at = np.arange(begin, segment.stop, stride)
                ends = np.arange(window - 1, len(at))
                missing = np.concatenate([[0.0], np.cumsum(one.missing[at])])
                ends = ends[(missing[ends + 1] - missing[ends + 1 - window]) / window <= MAX_MISSING]
                rows.append(whole[at])
                early.append(ends[at[ends] < one.cut])
                late.append(ends[at[ends - window + 1] >= one.cut])
    return Pool(rows, early, window), Pool(rows, late, window)


def _steps(recordings: Sequence[Recording], stride: int) -> Scores:
    """(C,) the mean distance of rows that lie `stride` apart."""
    found = [
        np.abs(one.scores[rows][stride:] - one.scores[rows][:-stride]) for one in recordings for rows in one.segments()
    ]
    together = np.concatenate(found)
    steps = together.mean(0) if len(together) else np.zeros(together.shape[1])
    return np.maximum(steps, SMALLEST_STEP).astype(np.float32)
