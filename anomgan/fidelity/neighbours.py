"""Whether generated windows lie where real ones do, everywhere they do, and are not simply the training windows.

Windows here are (N, C L), flat and on one scale. They must not share rows with each other: else a window's nearest
neighbour is its own shadow one row later, and every ball shrinks to nothing.
"""

from dataclasses import dataclass

import numpy as np

from anomgan.errors import DataError
from anomgan.records import Floats

NEIGHBOURS = 5
NEAR = 0.05
"""of held-out windows are this near to a training window, or nearer"""
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Manifold:
    """Shares between 0 and 1, but for density, which is about 1 where all is well.

    precision: generated windows that lie where real ones do; recall: real windows that lie where generated ones do;
    density: as precision, but not fooled by one wild real window; coverage: real windows that have a generated one
    near: what falls when a generator has collapsed to few modes.
    """

    precision: float
    recall: float
    density: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near generated windows are to training windows, against how near held-out real ones are.

    ratio: of the median distances; 1 = as near as real data are, near 0 = copies. copies: the share of generated
    windows that is nearer than all but 5 % of the held-out ones; about 0.05 where nothing is copied.
    """

    ratio: float
    copies: float


def manifold(real: Floats, generated: Floats, neighbours: int = NEIGHBOURS) -> Manifold:
    """Precision and recall (Kynkäänniemi et al., NeurIPS 2019, eq. 1-2), density and coverage (Naeem et al., ICML
    2020).

    real (N, D), generated (M, D). B(x) is the ball around x to its k-th nearest neighbour among its own kind:

        precision = share of generated in the union of B(real)       recall = the other way round
        density   = sum over generated of how many B(real) hold it / (k M)
        coverage  = share of real whose B(real) holds a generated one

    Raises DataError where either has no more than k windows.
    """
    if min(len(real), len(generated)) <= neighbours:
        raise DataError(
            f"{len(real)} real and {len(generated)} generated windows that share no row are too few: "
            f"more than {neighbours} of each are needed"
        )
    radius_real, radius_generated = (np.sqrt(_kth(one, neighbours)) for one in (real, generated))
    apart = np.sqrt(_squared(real, generated))  # (N, M)
    inside = apart <= radius_real[:, None]
    return Manifold(
        precision=float(inside.any(axis=0).mean()),
        recall=float((apart <= radius_generated).any(axis=1).mean()),
        density=float(inside.sum() / (neighbours * len(generated))),
        coverage=float(inside.any(axis=1).mean()),
    )


def nearness(train: Floats, held_out: Floats, generated: Floats) -> Nearness:
    """Distances to the nearest of the training windows (N, D); these may share rows, to show copies at any offset.

    The ratio is that of Meehan, Chaudhuri & Dasgupta, AISTATS 2020, in its plainest form. A generator that repeats its
    training data excels in every other figure; here it does not.
    """
    theirs, ours = nearest(held_out, train), nearest(generated, train)
    middle = float(np.median(theirs))
    ratio = float(np.median(ours)) / middle if middle > 0.0 else float("nan")
    return Nearness(ratio, float((ours < np.quantile(theirs, NEAR)).mean()))


def nearest(windows: Floats, among: Floats) -> Floats:
    """Euclidean distance (N,) of each window (N, D) to the nearest `among` (M, D), per value: divided by sqrt(D)."""
    least = [_squared(windows[i : i + _CHUNK], among).min(axis=1) for i in range(0, len(windows), _CHUNK)]
    return np.asarray(np.sqrt(np.concatenate(least) / windows.shape[1]))


def _kth(windows: Floats, neighbours: int) -> Floats:
    """Squared distance (N,) of each to its k-th nearest other."""
    apart = _squared(windows, windows)
    np.fill_diagonal(apart, 0.0)  # rounding leaves a little
    return np.asarray(np.partition(apart, neighbours, axis=1)[:, neighbours])


def _squared(one: Floats, other: Floats) -> Floats:
    """|a - b|² = |a|² - 2ab + |b|² (N, M), never negative."""
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    return np.asarray(np.maximum(lengths - 2.0 * (one @ other.T), 0.0))
