"""From a witness's raw statistic to a tail probability, from several to one score, from an alarm budget to a threshold.

Everything here is learned from held-out normal windows and nothing else. A `Tail` is the survival function of one
statistic: empirical below its 90 % quantile, above it a generalised Pareto tail (Pickands 1975), fitted by
probability-weighted moments (Hosking & Wallis 1987, eq. 2.4), which are stable for a few dozen excesses where maximum
likelihood is not. The shape ξ is kept within [0, 0.5]: a tail that ended (ξ < 0) would give every far value the same
probability 0 and lose their rank; ξ = 0 is the exponential. Neighbouring windows overlap, so that a hundred excesses
may be two events; so few cannot tell a shape, and ξ is drawn towards the exponential as n / (n + PRIOR) with n
independent excesses, which is what a prior worth PRIOR excesses does (as in Coles & Dixon 1999).
"""

import math
from dataclasses import dataclass

import numpy as np

from anomgan.errors import ConfigError, DataError
from anomgan.records import Floats

BODY_POINTS = 33
MIN_SPACING = 1e-3
TAIL_SHARE = 0.1
MIN_EXCESSES = 10
MAX_SHAPE = 0.5
PRIOR = 20.0
SECONDS_PER_WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The survival function of one statistic on normal data.

    body (K,) ascending values and log_survival (K,) their log10 P(X > value); above body[-1] a generalised Pareto tail
    with `scale` σ > 0 and `shape` ξ >= 0 that carries the probability 10**log_survival[-1].
    """

    body: Floats
    log_survival: Floats
    scale: float
    shape: float


def fit_tail(values: Floats, overlap: int = 1) -> Tail:
    """The tail of normal values (N,), N >= 2 and finite or DataError; about `overlap` of them tell the same."""
    if len(values) < 2 or not np.all(np.isfinite(values)):
        raise DataError(f"calibration needs at least two finite values, got {len(values)}")
    ordered = np.sort(values)
    count = len(ordered)
    excesses = min(max(MIN_EXCESSES, round(TAIL_SHARE * count)), count - 1)
    keep = count - excesses  # ordered[keep - 1] is where the tail begins
    at = np.unique(np.linspace(0, keep - 1, min(BODY_POINTS, keep)).round().astype(int))
    # Knots that nearly touch would make the curve so steep there that rounding shows in the surprise.
    apart = max(MIN_SPACING * float(ordered[keep - 1] - ordered[0]), 1e-9)
    knots = [at[-1]]
    for k in at[-2::-1]:
        if ordered[knots[-1]] - ordered[k] >= apart:
            knots.append(k)
    body = ordered[knots[::-1]]
    survival = (count - np.array(knots[::-1])) / (count + 1.0)  # Weibull plotting position: never 0, never 1
    excess = ordered[keep:] - ordered[keep - 1]
    scale, shape = _pareto(excess, len(excess) / overlap, floor=1e-6 * max(float(abs(ordered[keep - 1])), 1e-3))
    return Tail(body, np.log10(survival), scale, shape)


def _pareto(excess: Floats, independent: float, floor: float) -> tuple[float, float]:
    """(σ, ξ) by probability-weighted moments, ξ = 2 - b0/(b0 - 2 b1), then bounded and drawn towards 0."""
    count = len(excess)
    mean = float(np.mean(excess))
    if mean <= floor:
        return floor, 0.0
    weight = 1.0 - (np.arange(1, count + 1) - 0.35) / count
    moment = float(np.mean(weight * excess))
    gap = mean - 2.0 * moment
    shape = 2.0 - mean / gap if gap > 0 else MAX_SHAPE
    shape = min(max(shape, 0.0), MAX_SHAPE) * independent / (independent + PRIOR)
    return mean * (1.0 - shape), shape  # σ = mean (1 - ξ) keeps the mean excess whatever became of ξ


def surprise(tail: Tail, values: Floats) -> Floats:
    """-log10 P(X > value) for values of any shape; NaN stays NaN; strictly rising above the body."""
    inside = -np.interp(values, tail.body, tail.log_survival)
    beyond = np.maximum(values - tail.body[-1], 0.0) / tail.scale
    decades = (
        beyond / math.log(10.0) if tail.shape == 0.0 else np.log1p(tail.shape * beyond) / tail.shape / math.log(10.0)
    )
    result: Floats = inside + decades
    return result


def separation(normal: Floats, disturbed: Floats) -> float:
    """How well a statistic tells disturbed windows (M,) from normal ones (N,): 2 AUC - 1, at least 0.

    AUC = P(disturbed > normal) + P(equal) / 2 (Mann & Whitney 1947).
    """
    ordered = np.sort(normal)
    below, up_to = np.searchsorted(ordered, disturbed, "left"), np.searchsorted(ordered, disturbed, "right")
    return max(0.0, float(np.mean(below + up_to)) / len(normal) - 1.0)


def fuse(surprises: Floats, weights: Floats) -> Floats:
    """Witness surprises (W, N) >= 0 and weights (W,) -> one statistic (N,): the root of their weighted squares' sum.

    This stands between Fisher's sum of log p-values (1932), in which witnesses that see nothing outvote one that sees
    much, and Tippett's smallest p-value (1931), in which agreement counts for nothing. Witnesses are not independent,
    so neither law gives the result a meaning; its tail is fitted again on normal data, which makes the fused surprise
    a -log10 probability. A weight is the witness's `separation` of held-out normal windows from disturbed ones: one
    that cannot tell them apart on this data has no say.
    """
    result: Floats = np.sqrt(weights @ np.square(surprises))
    return result


def budget_threshold(alarms_per_week: float, seconds_per_window: float) -> float:
    """The surprise that a normal device exceeds `alarms_per_week` times a week when scored every so many seconds.

    Neighbouring windows overlap and exceed together, so this promises at most that many alarms. ConfigError for a
    budget that is not above 0.
    """
    if not alarms_per_week > 0:
        raise ConfigError(f"an alarm budget of {alarms_per_week} a week; it must be above 0")
    windows_per_week = math.log10(SECONDS_PER_WEEK) - math.log10(seconds_per_window)
    return max(windows_per_week - math.log10(alarms_per_week), 0.5)
