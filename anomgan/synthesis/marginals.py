"""Channels as scores and back: numbers of mean 0 and variance 1 that a network makes more easily than the values.

What is easy depends on how a channel moves, so its score is a mixture of two, by how large its steps from row to row
are against its spread (`slow`, 0 for white noise):

- as rare: the standard normal number that is as rare as the value, z = Φ⁻¹(F(v)) (van der Waerden 1952's normal
  scores). What is mostly noise has its own distribution then, skew and tails, whatever its network makes of a bell.
- along the values: linear but for what lies far out (an inverse hyperbolic sine). What is slow keeps its shape:
  normal scores would stretch every level at which it stood for long, and squeeze those in between, so that the same
  noise would be small here and large there.

A value that stands out, and every value of a channel that has FEW, is an atom: it takes up a stretch of numbers, reads
as its middle, and all of it gives it back, so that zeros stay zeros. A value beyond the training data's extremes is
read as that, `spread` being one unit; none is made: what would lie beyond is reflected. What comes back is rounded to
the decimals that the channel has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats
from anomgan.scaling import usable

KNOTS = 200
FEW = 16
SHARE, STANDS_OUT, NEIGHBOURS = 0.01, 5.0, 3
"""an atom's share of the rows is above this, and so many times that of its neighbours, so many on either side"""
LINEAR = 3.0
"""spreads beyond which values are squeezed"""
WIDE = 3.0
"""numbers that an atom of all rows takes up"""
GAP = 0.5
"""between an atom and its neighbours there are no values that would need more numbers"""
MOST_DECIMALS = 9
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """One channel's distribution: scores (J,) rise, values (J,) do not fall and stand twice where they are atoms;
    spread, in the channel's unit, is what one unit beyond the extremes stands for; decimals, -1 = as they come."""

    scores: Floats
    values: Floats
    spread: float
    decimals: int


def fit_marginal(column: Floats) -> Marginal:
    """The scale of a channel's values (T,) in time order, NaN left out; DataError where there is none."""
    course = usable(column)[np.isfinite(usable(column))]
    if len(course) == 0:
        raise DataError("there is not a single value")
    distinct, counts = np.unique(course, return_counts=True)
    shares = counts / len(course)
    few = len(distinct) <= FEW
    atoms = np.ones(len(distinct), bool) if few else (shares > SHARE) & (shares > STANDS_OUT * _around(shares))
    upper = np.cumsum(shares)
    picked = np.unique(np.searchsorted(upper, np.linspace(0.0, 1.0, KNOTS)).clip(0, len(distinct) - 1))
    picked = np.union1d(picked, np.flatnonzero(atoms))
    atom, share = atoms[picked], shares[picked]
    low, high = np.quantile(course, [0.05, 0.95])
    spread = float(high - low) / 3.29 or float(np.std(course)) or 1.0
    steps = float(np.sqrt(np.mean(np.diff(course) ** 2))) if len(course) > 1 else 0.0
    slow = 1.0 - min(1.0, steps / (np.sqrt(2.0) * (float(np.std(course)) or 1.0)))

    # along the values: linear but for what lies far out, atoms taking up WIDE of their share
    apart = np.diff(LINEAR * np.arcsinh((distinct[picked] - np.median(course)) / (LINEAR * spread)))
    apart = np.where(atom[1:] | atom[:-1], 0.0 if few else np.minimum(apart, GAP), apart)
    wide = np.where(atom, WIDE * share, 0.0)
    begins = np.concatenate([[0.0], np.cumsum(apart + wide[:-1])])
    edges = np.stack([begins, begins + wide])  # (2, J)
    # as rare: a knot that is no atom takes up the middle of its share
    rare = np.stack([upper[picked] - np.where(atom, share, share / 2), upper[picked] - np.where(atom, 0.0, share / 2)])
    edge = 0.5 / len(course)
    normal = np.vectorize(_NORMAL.inv_cdf, otypes=[float])(rare.clip(edge, 1.0 - edge))
    scores = slow * _standardised(edges, distinct[picked], distinct, shares) + (1.0 - slow) * normal  # (2, J)
    both = np.stack([scores, np.broadcast_to(distinct[picked], scores.shape)]).transpose(0, 2, 1).reshape(2, -1)
    kept = np.repeat(atom, 2) | (np.arange(both.shape[1]) % 2 == 0)
    return Marginal(np.maximum.accumulate(both[0][kept]), both[1][kept], spread, _decimals(distinct))


def _standardised(edges: Floats, knots: Floats, distinct: Floats, shares: Floats) -> Floats:
    """Scores (2, J) of the knots' lower and upper ends, such that the channel's have mean 0 and variance 1."""
    told = np.interp(distinct, knots, edges.mean(0))
    mean = float(np.sum(shares * told))
    size = float(np.sqrt(np.sum(shares * (told - mean) ** 2))) or 1.0
    return (edges - mean) / size


def _around(shares: Floats) -> Floats:
    """(J,) the median share of each value's neighbours."""
    padded = np.pad(shares, NEIGHBOURS, mode="reflect")
    beside = np.stack([padded[k : k + len(shares)] for k in range(2 * NEIGHBOURS + 1) if k != NEIGHBOURS])
    return np.asarray(np.median(beside, axis=0))


def fit_marginals(values: Floats, channels: Sequence[str]) -> tuple[Marginal, ...]:
    """One for each channel of values (T, C); DataError names a channel without a single value."""
    found = []
    for name, column in zip(channels, values.T, strict=True):
        try:
            found.append(fit_marginal(column))
        except DataError as error:
            raise DataError(f"channel {name!r}: {error}") from None
    return tuple(found)


def to_scores(marginals: Sequence[Marginal], values: Floats) -> NDArray[np.float32]:
    """Values (..., C) in units -> normal scores (..., C); NaN stays NaN."""
    columns = [_to_score(one, usable(values[..., c])) for c, one in enumerate(marginals)]
    return np.stack(columns, -1).astype(np.float32)


def to_values(marginals: Sequence[Marginal], scores: NDArray[np.floating[Any]]) -> Floats:
    """The inverse: normal scores (..., C) -> values (..., C) in units, as the channels have them."""
    columns = [_to_value(one, np.asarray(scores[..., c], np.float64)) for c, one in enumerate(marginals)]
    return np.stack(columns, -1)


def _to_score(one: Marginal, values: Floats) -> Floats:
    # np.interp takes the last of several knots at one value; a value on an atom reads as the middle of its knots
    first, last = np.searchsorted(one.values, values, "left"), np.searchsorted(one.values, values, "right")
    top = len(one.values) - 1
    middle = (one.scores[np.minimum(first, top)] + one.scores[np.clip(last - 1, 0, top)]) / 2.0
    scores = np.where(last > first, middle, np.interp(values, one.values, one.scores))
    beyond = values - np.clip(values, one.values[0], one.values[-1])
    scores = np.where(np.isnan(values), np.nan, scores + beyond / one.spread)
    return np.asarray(scores, np.float64)


def _to_value(one: Marginal, scores: Floats) -> Floats:
    low, high = one.scores[0], one.scores[-1]
    if high > low:  # what is beyond the extremes is reflected, so that it does not lie flat on them
        scores = np.where(scores > high, 2.0 * high - scores, np.where(scores < low, 2.0 * low - scores, scores))
    values: Floats = np.where(np.isnan(scores), np.nan, np.interp(scores, one.scores, one.values)).astype(np.float64)
    return values if one.decimals < 0 else np.round(values, one.decimals)


def _decimals(distinct: Floats) -> int:
    """The fewest decimals that say every value exactly; -1 where more than MOST_DECIMALS are needed."""
    size = np.maximum(np.abs(distinct), 1e-300)
    for decimals in range(MOST_DECIMALS + 1):
        if np.all(np.abs(np.round(distinct, decimals) - distinct) <= 8.0 * np.finfo(np.float64).eps * size):
            return decimals
    return -1
