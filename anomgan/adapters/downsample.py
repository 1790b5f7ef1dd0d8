"""Many rows to few points for a chart, without losing a spike.

Time is cut into equal buckets on a grid that does not move with the range, so that a live chart does not shimmer.
Of each bucket and column two points remain: its lowest and its highest value, the one that the column comes from
first (M4 without the two inner points: Jugel et al., VLDB 2014). Columns that only make sense together, such as
shares of a whole, are carried over from one row instead: the one in which the first column is highest.
"""

import math

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats

Matrix = NDArray[np.float32]


class Extremes:
    """The running reduction of rows between two times to at most `points` rows; fed in time order, in pieces.

    A row has `series` columns to keep the extremes of, then `carried` columns to take from its bucket's oddest row.
    """

    def __init__(self, start_s: float, end_s: float, points: int, series: int, carried: int = 0) -> None:
        buckets = max(2, points // 2)
        # One bucket fewer across the range than there is room for: the grid seldom starts where the range does.
        self.width_s = max((end_s - start_s) / (buckets - 1), 1e-6)
        self._base = math.floor(start_s / self.width_s)
        self._series = series
        self._count = np.zeros(buckets, dtype=np.int64)
        self._first_s = np.full(buckets, np.nan)
        self._last_s = np.full(buckets, np.nan)
        self._first = np.full((buckets, series), np.nan, dtype=np.float32)
        self._last = np.full((buckets, series), np.nan, dtype=np.float32)
        self._low = np.full((buckets, series), np.nan, dtype=np.float32)
        self._high = np.full((buckets, series), np.nan, dtype=np.float32)
        self._carried = np.full((buckets, carried), np.nan, dtype=np.float32)

    def add(self, times: Floats, rows: Matrix) -> None:
        """Take times (n,) and rows (n, series + carried), later than all before."""
        if len(times) == 0:
            return
        index = np.floor(times / self.width_s).astype(np.int64) - self._base
        index = np.clip(index, 0, len(self._count) - 1)  # only rounding at the very edges
        starts = np.flatnonzero(np.diff(index, prepend=-1))
        ends = np.append(starts[1:], len(times)) - 1
        at = index[starts]
        series = rows[:, : self._series]
        fresh = self._count[at] == 0
        self._first_s[at[fresh]] = times[starts[fresh]]
        self._first[at[fresh]] = series[starts[fresh]]
        self._last_s[at] = times[ends]
        self._last[at] = series[ends]

        lead = np.where(np.isnan(rows[:, 0]), -np.inf, rows[:, 0])
        oddest = np.lexsort((lead, index))[ends]  # the last of each bucket, sorted by the first column
        beats = fresh | ~(lead[oddest] <= self._high[at, 0])
        self._carried[at[beats]] = rows[oddest[beats], self._series :]

        self._low[at] = np.fmin(self._low[at], np.fmin.reduceat(series, starts, axis=0))
        self._high[at] = np.fmax(self._high[at], np.fmax.reduceat(series, starts, axis=0))
        self._count[at] += ends - starts + 1

    def result(self) -> tuple[Floats, Matrix]:
        """times (P,), rows (P, series + carried): one point of a bucket of one row, two of every other not empty."""
        filled = np.flatnonzero(self._count)
        falling = self._first[filled] > self._last[filled]  # (K, S)
        low, high = self._low[filled], self._high[filled]
        times = np.stack([self._first_s[filled], self._last_s[filled]], axis=1)  # (K, 2)
        rows = np.stack([np.where(falling, high, low), np.where(falling, low, high)], axis=1)  # (K, 2, S)
        rows = np.concatenate([rows, np.repeat(self._carried[filled, None], 2, axis=1)], axis=2)
        kept = np.stack([np.ones(len(filled), dtype=bool), self._count[filled] > 1], axis=1)  # (K, 2)
        return times[kept], rows[kept]
