"""How far windows lie from each other: the nearest window in every block of time, found exactly.

A distance is the root mean square difference of two windows' cells. All measures of this package are read off four
tables of these: they say, for each window asked about, how near each block of the other data comes to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anomgan.privacy.sample import Blocks, Indices, Sample, blocks_of, conditions_of, spread_out
from anomgan.records import Floats

MOST = 2000
"""windows of one data set that are asked about; all windows are answers"""
CHUNK = 128
EXACT = 1e-4
"""a root mean square difference below this is rounding"""

Progress = Callable[[int, int], None]


def nearest_by_block(
    asked: Floats, points: Floats, blocks: Blocks, tell: Callable[[int], None] | None = None
) -> tuple[Floats, Indices]:
    """(N, D) asked, (M, D) points with their blocks -> the distance to the nearest point of each block (N, K), and
    which one it is (N, K). `tell` gets how many were done."""
    edges = np.searchsorted(blocks.of, np.arange(len(blocks) + 1))
    centre = points.mean(axis=0)  # rounding grows with the distance from zero
    asked, points = asked - centre, points - centre
    squares = (points**2).sum(axis=1)
    distance = np.empty((len(asked), len(blocks)))
    which = np.empty(distance.shape, dtype=np.int64)
    for at in range(0, len(asked), CHUNK):
        some = asked[at : at + CHUNK]
        order = squares - 2.0 * (some @ points.T)  # (n, M): squared distances but for what is the same along a line
        for k in range(len(blocks)):
            which[at : at + len(some), k] = edges[k] + order[:, edges[k] : edges[k + 1]].argmin(axis=1)
            off = some - points[which[at : at + len(some), k]]
            distance[at : at + len(some), k] = np.sqrt(np.einsum("nd,nd->n", off, off))
        if tell is not None:
            tell(len(some))
    return distance, which


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Train and held-out windows in one pool, real; member (K,) tells blocks of training from blocks held out.

    In a table's name the first word asks, the second answers: synthetic_real (S, K) with which_real (S, K) into the
    pool; real_real (R, K) with which_elsewhere (R, K), infinity for a window's own block and those beside it;
    real_synthetic (R, J); synthetic_synthetic (S, J), with infinity likewise. asked_real (R,) and asked_synthetic (S,)
    are the windows asked about; real_blocks and synthetic_blocks are of all windows.
    """

    real: Sample
    synthetic: Sample
    member: NDArray[np.bool_]
    real_blocks: Blocks
    synthetic_blocks: Blocks
    asked_real: Indices
    asked_synthetic: Indices
    synthetic_real: Floats
    which_real: Indices
    real_real: Floats
    which_elsewhere: Indices
    real_synthetic: Floats
    synthetic_synthetic: Floats

    @property
    def block_of_real(self) -> Indices:
        """(R,) the block of each real window asked about."""
        return self.real_blocks.of[self.asked_real]

    @property
    def block_of_synthetic(self) -> Indices:
        """(S,) the block of each synthetic window asked about."""
        return self.synthetic_blocks.of[self.asked_synthetic]

    @property
    def is_member(self) -> NDArray[np.bool_]:
        """(R,) whether a real window asked about is a training window."""
        return self.member[self.block_of_real]

    @property
    def elsewhere(self) -> Floats:
        """(R,) from each real window asked about to the nearest real one of another time."""
        nearest: Floats = self.real_real.min(axis=1)
        return nearest


def pool(train: Sample, held_out: Sample, block: int) -> tuple[Sample, Blocks, NDArray[np.bool_]]:
    """Both in one sample with held-out windows far behind, their blocks of so many rows, and which train (K,)."""
    begin = int((train.rows[-1] // block + 3) * block)
    rows = np.concatenate([train.rows, held_out.rows - held_out.rows[0] + begin])
    blocks = blocks_of(rows, block)
    member = blocks.place < begin // block
    windows = np.concatenate([train.windows, held_out.windows])
    return Sample(windows, rows, conditions_of((train, held_out))), blocks, member


def measure_distances(
    train: Sample, held_out: Sample, synthetic: Sample, block: int, progress: Progress | None = None
) -> Distances:
    """All four tables. `block` rows make a block; `progress` gets (windows done, windows in all)."""
    real, real_blocks, member = pool(train, held_out, block)
    synthetic_blocks = blocks_of(synthetic.rows, block)
    asked_real = np.concatenate([spread_out(train, MOST), len(train) + spread_out(held_out, MOST)])
    asked_synthetic = spread_out(synthetic, MOST)
    done, every = 0, 2 * (len(asked_real) + len(asked_synthetic))

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done, every)

    find = partial(nearest_by_block, tell=tell)
    r, s = real.flat, synthetic.flat
    synthetic_real, which_real = find(s[asked_synthetic], r, real_blocks)
    real_real, which_elsewhere = find(r[asked_real], r, real_blocks)
    real_synthetic, _ = find(r[asked_real], s, synthetic_blocks)
    synthetic_synthetic, _ = find(s[asked_synthetic], s, synthetic_blocks)
    real_real[real_blocks.near(real_blocks.of[asked_real])] = np.inf
    synthetic_synthetic[synthetic_blocks.near(synthetic_blocks.of[asked_synthetic])] = np.inf
    return Distances(
        real=real,
        synthetic=synthetic,
        member=member,
        real_blocks=real_blocks,
        synthetic_blocks=synthetic_blocks,
        asked_real=asked_real,
        asked_synthetic=asked_synthetic,
        synthetic_real=synthetic_real,
        which_real=which_real,
        real_real=real_real,
        which_elsewhere=which_elsewhere,
        real_synthetic=real_synthetic,
        synthetic_synthetic=synthetic_synthetic,
    )


def by_distance(distance: Floats, blocks: Blocks, most: int = 64) -> tuple[Floats, Indices]:
    """(N, K) -> each line's blocks from the nearest on, (N, J) distances and (N, J) blocks, J = min(K, most).

    A block beside one that is nearer is left out (infinity, -1): a window on the border of two would count twice.
    """
    count = min(distance.shape[1], most)
    order = np.argsort(distance, axis=1, kind="stable")[:, :count]
    sorted_distance = np.take_along_axis(distance, order, axis=1)
    place = blocks.place[order]  # (N, J)
    left = np.isfinite(sorted_distance)
    for j in range(count - 1):
        beside = np.abs(place[:, j + 1 :] - place[:, j : j + 1]) <= 1
        left[:, j + 1 :] &= ~(beside & left[:, j : j + 1])
    return np.where(left, sorted_distance, np.inf), np.where(left, order, -1)
