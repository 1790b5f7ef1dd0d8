"""Private recordings cut into blocks of time, the records that differential privacy is about.

A block is so many sampling periods long and begins at a multiple of that since the epoch, so that what one block holds
moves no other. No window and nothing else that is looked at reaches from one block into another: a gap is closed from
within its block, and each row counts in one block alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats, TimeSeries
from anomgan.windows import WindowRule, gather_windows, segment_starts

GRAIN = 2.0**-20
"""of the noise, that sums are rounded to"""
Rows = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """block, starts (T,): of each row its block, 0 ... count - 1, and the first row of its stretch without a gap;
    count: of all blocks from each series' first to its last, those without a row too."""

    block: Indices
    starts: Indices
    count: int


def cut_blocks(several: Sequence[TimeSeries], block_s: float, rule: WindowRule) -> Blocks:
    """The blocks of several series, one after another."""
    blocks, starts, count, rows = [], [], 0, 0
    for one in several:
        place = np.floor(one.times / block_s).astype(np.int64)
        first = np.searchsorted(place, place)  # the row that the block begins with
        blocks.append(place - place[0] + count)
        starts.append(np.maximum(segment_starts(one.times, rule), first) + rows)
        count += int(place[-1] - place[0]) + 1
        rows += len(one)
    return Blocks(np.concatenate(blocks), np.concatenate(starts), count)


class Records:
    """Blocks to draw windows from: of each block drawn one, at random, of those that it has."""

    def __init__(self, rows: Rows, ends: Indices, blocks: Blocks, window: int) -> None:
        self._rows, self._ends, self._window = rows, ends, window
        edges = np.searchsorted(blocks.block[ends], np.arange(blocks.count + 1))
        self._first, self._windows = edges[:-1], np.diff(edges)

    def __len__(self) -> int:
        return len(self._windows)

    def draw(self, rate: float, rng: np.random.Generator) -> Rows:
        """Windows (b, C, L) of a Poisson sample of the blocks; a block without a window adds none."""
        drawn = np.flatnonzero(rng.random(len(self)) < rate)
        place = np.floor(rng.random(len(drawn)) * self._windows[drawn]).astype(np.int64)
        ends = self._ends[(self._first[drawn] + place)[self._windows[drawn] > 0]]
        return gather_windows(self._rows, ends, self._window)


def noised(values: Floats, noise_multiplier: float, most: float, rng: np.random.Generator) -> Floats:
    """A sum over blocks with a Gaussian mechanism's noise, `most` being the longest that a single block's part can be
    (Dwork & Roth 2014, "The algorithmic foundations of differential privacy", appendix A).

    Rounded to a small part of the noise: the last bits of a sum of floating-point numbers tell which they were (Mironov
    2012, "On significance of the least significant bits for differential privacy").
    """
    spread = noise_multiplier * most
    if spread == 0.0:
        return values
    told: Floats = np.round((values + spread * rng.standard_normal(values.shape)) / (GRAIN * spread)) * GRAIN * spread
    return told
