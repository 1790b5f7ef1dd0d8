"""Whether generated windows lie where real ones do, and everywhere they do: precision, recall, density, coverage.

Windows here are (N, D), flat and on one scale. They must not share rows with each other: else a window's nearest
neighbour is its own shadow one row later, and every ball shrinks to nothing.
"""

from dataclasses import dataclass

import numpy as np

from anomgan.errors import DataError
from anomgan.records import Floats

NEIGHBOURS = 5


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
    apart = np.sqrt(squared(real, generated))  # (N, M)
    inside = apart <= radius_real[:, None]
    return Manifold(
        precision=float(inside.any(axis=0).mean()),
        recall=float((apart <= radius_generated).any(axis=1).mean()),
        density=float(inside.sum() / (neighbours * len(generated))),
        coverage=float(inside.any(axis=1).mean()),
    )


def _kth(windows: Floats, neighbours: int) -> Floats:
    """Squared distance (N,) of each to its k-th nearest other."""
    apart = squared(windows, windows)
    np.fill_diagonal(apart, 0.0)  # rounding leaves a little
    return np.asarray(np.partition(apart, neighbours, axis=1)[:, neighbours])


def squared(one: Floats, other: Floats) -> Floats:
    """|a - b|² = |a|² - 2ab + |b|² (N, M), never negative."""
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    return np.asarray(np.maximum(lengths - 2.0 * (one @ other.T), 0.0))
