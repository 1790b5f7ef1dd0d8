"""Channels as normal scores and back: whatever values a channel takes, the networks see a bell.

A value becomes the standard normal number that is as rare: z = Φ⁻¹(F(v)), F being the channel's distribution in the
training data (van der Waerden 1952's normal scores), so that skew, heavy tails and a valve that is either open or shut
need not be learned by a generator, and what it makes has the channel's own values:

- a value that is held by more than SHARE of the rows is an atom: it reads as the middle of its probability, and every
  number that falls on that probability gives it back, so that zeros stay zeros;
- between atoms, F is piecewise linear through KNOTS quantiles;
- a value beyond the training data's extremes is read as that, one spread of the channel being one unit; none is made;
- what comes back is rounded to the decimals that the channel has.
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
SHARE = 0.01
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
    """The distribution of a channel's values (T,), NaN left out; DataError where there is none."""
    values = np.sort(usable(column)[np.isfinite(usable(column))])
    if len(values) == 0:
        raise DataError("there is not a single value")
    distinct, counts = np.unique(values, return_counts=True)
    upper = np.cumsum(counts) / len(values)  # F(v)
    lower = np.concatenate([[0.0], upper[:-1]])  # F(v-)
    atoms = counts > max(1.0, SHARE * len(values)) if len(distinct) > 1 else np.ones(1, bool)
    picked = np.unique(np.searchsorted(upper, np.linspace(0.0, 1.0, KNOTS)).clip(0, len(distinct) - 1))
    inner = np.setdiff1d(picked, np.flatnonzero(atoms))
    # an atom takes up its whole probability, any other knot the middle of its own
    shares = np.concatenate([lower[atoms], upper[atoms], (lower[inner] + upper[inner]) / 2.0])
    knots = np.concatenate([distinct[atoms], distinct[atoms], distinct[inner]])
    order = np.lexsort((knots, shares))
    edge = 0.5 / len(values)
    scores = np.array([_NORMAL.inv_cdf(float(np.clip(share, edge, 1.0 - edge))) for share in shares[order]])
    low, high = np.quantile(values, [0.05, 0.95])
    spread = float(high - low) / 3.29 or float(np.std(values)) or 1.0
    return Marginal(scores, knots[order], spread, _decimals(distinct))


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
    values: Floats = np.where(np.isnan(scores), np.nan, np.interp(scores, one.scores, one.values)).astype(np.float64)
    return values if one.decimals < 0 else np.round(values, one.decimals)


def _decimals(distinct: Floats) -> int:
    """The fewest decimals that say every value exactly; -1 where more than MOST_DECIMALS are needed."""
    size = np.maximum(np.abs(distinct), 1e-300)
    for decimals in range(MOST_DECIMALS + 1):
        if np.all(np.abs(np.round(distinct, decimals) - distinct) <= 8.0 * np.finfo(np.float64).eps * size):
            return decimals
    return -1
