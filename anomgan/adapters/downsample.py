"""Many rows to few points for a chart, without losing a spike.

Time is cut into equal buckets on a grid that does not move with the range, so that a live chart does not shimmer.
Of each bucket and column two points remain: its lowest and its highest value, the one that the column comes from
first (M4 without the two inner points: Jugel et al., VLDB 2014).
"""

import math

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats

Matrix = NDArray[np.float32]


class Extremes:
    """The running reduction of (T, S) rows between two times to at most `points` rows; fed in time order, in pieces."""

    def __init__(self, start_s: float, end_s: float, points: int, series: int) -> None:
        buckets = max(2, points // 2)
        # One bucket fewer across the range than there is room for: the grid seldom starts where the range does.
        self.width_s = max((end_s - start_s) / (buckets - 1), 1e-6)
        self._base = math.floor(start_s / self.width_s)
        shape = (buckets, series)
        self._count = np.zeros(buckets, dtype=np.int64)
        self._first_s = np.full(buckets, np.nan)
        self._last_s = np.full(buckets, np.nan)
        self._first = np.full(shape, np.nan, dtype=np.float32)
        self._last = np.full(shape, np.nan, dtype=np.float32)
        self._low = np.full(shape, np.nan, dtype=np.float32)
        self._high = np.full(shape, np.nan, dtype=np.float32)

    def add(self, times: Floats, rows: Matrix) -> None:
        """Take times (n,) and rows (n, S), later than all before."""
        if len(times) == 0:
            return
        index = np.floor(times / self.width_s).astype(np.int64) - self._base
        index = np.clip(index, 0, len(self._count) - 1)  # only rounding at the very edges
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        ends = np.append(starts[1:], len(times)) - 1
        at = index[starts]
        fresh = self._count[at] == 0
        self._first_s[at[fresh]] = times[starts[fresh]]
        self._first[at[fresh]] = rows[starts[fresh]]
        self._last_s[at] = times[ends]
        self._last[at] = rows[ends]
        self._low[at] = np.fmin(self._low[at], np.fmin.reduceat(rows, starts, axis=0))
        self._high[at] = np.fmax(self._high[at], np.fmax.reduceat(rows, starts, axis=0))
        self._count[at] += ends - starts + 1

    def result(self) -> tuple[Floats, Matrix]:
        """times (P,), rows (P, S): one point of a bucket that held one row, two of every other that held any."""
        filled = np.flatnonzero(self._count)
        falling = self._first[filled] > self._last[filled]  # (K, S)
        low, high = self._low[filled], self._high[filled]
        times = np.stack([self._first_s[filled], self._last_s[filled]], axis=1)  # (K, 2)
        rows = np.stack([np.where(falling, high, low), np.where(falling, low, high)], axis=1)  # (K, 2, S)
        kept = np.stack([np.ones(len(filled), dtype=bool), self._count[filled] > 1], axis=1)  # (K, 2)
        return times[kept], rows[kept]
