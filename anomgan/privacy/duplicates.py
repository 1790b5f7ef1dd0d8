"""Training windows that appear again in synthetic data, and where, so that a person can look.

A synthetic window is a copy where it lies much closer to a real window than any real window of another time does (a
local ratio, after Carlini et al., "Extracting Training Data from Diffusion Models", USENIX Security 2023). What real
data repeat by themselves, such as a machine at rest, is no copy. Where copies come from says whether they leak: chance
"copies" held-out windows as well, which the generator never saw.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.privacy.chance import LEVEL, Measured, exchanged, judged, mean_interval
from anomgan.privacy.distances import EXACT, Distances, nearest_by_block
from anomgan.privacy.sample import Indices
from anomgan.records import Floats

CLOSE = 0.5
"""of the distance between real windows: from here on down it is close to a copy"""
TAIL = 0.1
"""of real windows, the ones that come closest to others: what is expected of chance is extrapolated from them"""
CAUTION = 0.5
"""of the tail's exponent, for few windows that overlap tell it roughly"""
LISTED = 20


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows from synthetic_row on look like those from train_row on, for `rows` rows.

    distance is the smallest between their windows; usual is how close real windows come to the training window.
    """

    synthetic_row: int
    train_row: int
    rows: int
    distance: float
    usual: float

    @property
    def exact(self) -> bool:
        """Whether it is the same but for rounding."""
        return self.distance <= EXACT


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """exact, close: synthetic windows that are, or nearly are, a training window which real data do not repeat;
    certain: those so close that chance makes not one of them in LEVEL such data sets, exact ones among them.

    windows were asked about. copied: share of close ones that copy training data rather than held-out data, None where
    there is no close one. real: the share of real windows that come as close to training windows of another time.
    places: where, the closest first.
    """

    windows: int
    exact: int
    close: int
    certain: int
    real: float
    copied: Measured | None
    places: tuple[Copy, ...]

    @property
    def leak(self) -> bool:
        """Whether training windows were found again."""
        return self.certain > 0 or (self.copied is not None and self.copied.verdict == "leak")


def find_duplicates(tables: Distances, apart: bool, rng: np.random.Generator) -> Duplicates:
    """Compare every synthetic window asked about with the real window nearest to it; apart as `judged` has it."""
    block, source, distance = _nearest(tables.synthetic_real, tables.which_real, np.ones_like(tables.member))
    usual = neighbourhood(tables, source).min(axis=1)
    member = tables.member[block]
    close = (distance <= CLOSE * usual) & (usual > EXACT)
    real = _real_ratios(tables)
    copied = None
    if close.any():
        counts = np.bincount(block[close], minlength=len(tables.member))
        null = exchanged(tables.member, rng) @ counts / counts.sum()
        from_train = member[close].astype(np.float64)
        ends = mean_interval(from_train, tables.block_of_synthetic[close], rng)
        copied = judged(float(from_train.mean()), ends, null, apart)
    chosen = np.flatnonzero(close & member)
    expected = len(distance) * chance_of(distance[chosen] / usual[chosen], real)
    return Duplicates(
        windows=len(distance),
        exact=int((distance[chosen] <= EXACT).sum()),
        close=len(chosen),
        certain=int((expected < LEVEL).sum()),
        real=float((real <= CLOSE).mean()),
        copied=copied,
        places=_places(tables, chosen, source[chosen], distance[chosen], usual[chosen]),
    )


def chance_of(ratios: Floats, real: Floats) -> Floats:
    """(N,) how probable it is that a window which copies nothing comes relatively as close to another, from what real
    windows do (R,).

    Close by, the number of neighbours grows as a power of the distance, the data's dimension (Levina & Bickel, NIPS
    2004, eq. 8): F(r) = TAIL (r / q)^k below the TAIL quantile q, with half of the k found. Where data repeat, k = 0.
    """
    q = float(np.quantile(real, TAIL))
    tail = real[real <= q]
    with np.errstate(divide="ignore"):
        depth = float(np.log(q / tail).mean()) if q > 0.0 else np.inf
        exponent = CAUTION / depth if depth > 0.0 else 1.0
        chance: Floats = np.where(ratios < q, TAIL * (ratios / max(q, EXACT)) ** exponent, 1.0)
    return chance


def _real_ratios(tables: Distances) -> Floats:
    """(R,) of each real window asked about, how far the nearest training window of another time is, relative to how far
    the next training window is from that one."""
    _, near, distance = _nearest(tables.real_real, tables.which_elsewhere, tables.member)
    around = neighbourhood(tables, near)
    around[tables.real_blocks.near(tables.block_of_real)] = np.inf  # but for the window itself
    usual = np.where(tables.member, around, np.inf).min(axis=1)
    return np.where(usual > EXACT, distance / np.maximum(usual, EXACT), 0.0)


def _nearest(distance: Floats, which: Indices, wanted: NDArray[np.bool_]) -> tuple[Indices, Indices, Floats]:
    """(N, K) tables -> of the blocks wanted the nearest, the window in it and how far that is, (N,) each."""
    lines = np.arange(len(distance))
    block = np.where(wanted, distance, np.inf).argmin(axis=1)
    return block, which[lines, block], distance[lines, block]


def neighbourhood(tables: Distances, source: Indices) -> Floats:
    """(N,) windows of the pool -> how near each block of another time comes to each (N, K)."""
    which, back = np.unique(source, return_inverse=True)
    flat = tables.real.flat
    distance, _ = nearest_by_block(flat[which], flat, tables.real_blocks)
    distance[tables.real_blocks.near(tables.real_blocks.of[which])] = np.inf
    around: Floats = distance[back]
    return around


def _places(tables: Distances, lines: Indices, source: Indices, distance: Floats, usual: Floats) -> tuple[Copy, ...]:
    """Windows that overlap and copy the same stretch are one place; the closest first, at most LISTED of them."""
    length = tables.synthetic.length
    made, trained = tables.synthetic.rows[tables.asked_synthetic[lines]], tables.real.rows[source]
    fresh = np.ones(len(lines), dtype=bool)
    fresh[1:] = (np.diff(made) > length) | (np.diff(made) != np.diff(trained))
    places = []
    for run in np.split(np.arange(len(lines)), np.flatnonzero(fresh)[1:]):
        if len(run):
            best = run[np.argmin(distance[run] / usual[run])]
            places.append(
                Copy(
                    synthetic_row=int(made[run[0]]),
                    train_row=int(trained[run[0]]),
                    rows=int(made[run[-1]] - made[run[0]]) + length,
                    distance=float(distance[best]),
                    usual=float(usual[best]),
                )
            )
    return tuple(sorted(places, key=lambda one: (one.distance / one.usual, -one.rows))[:LISTED])
