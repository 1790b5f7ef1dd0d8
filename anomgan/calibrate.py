"""From a witness's raw statistic to a tail probability, from several to one score, from an alarm budget to a threshold.

Everything here is learned from normal windows and nothing else; `fit` says from which. A `Tail` is the survival
function of one statistic. It is empirical below the 90 % quantile, or as far out as TAIL_INDEPENDENT independent values
are left above, and from there on a generalised Pareto tail (Pickands 1975). Its shape ξ comes from all beyond the 90 %
quantile, by probability-weighted moments (Hosking & Wallis 1987, eq. 2.4), which are stable for a few dozen excesses
where maximum likelihood is not; its scale from the mean excess where it begins. Neighbouring windows overlap, so that a
hundred excesses may be two events; so few cannot tell a shape, and ξ is drawn towards PRIOR_SHAPE, somewhat heavier
than exponential, as by a prior worth PRIOR independent excesses (as in Coles & Dixon 1999): where little is known, a
far value is no proof. ξ is kept within [-0.2, 0.5]. A tail with ξ < 0 ends somewhere, and would give all that lies
beyond the probability 0; so it is believed as far as the data reach and half a decade further, and goes on from there
as an exponential, which keeps the rank of far values.

Odd windows come in clusters, for neighbours share rows. An alarm is a cluster, not a window, and only one in which
several follow each other; how many alarms an exceedance stands for, in the manner of the extremal index (Leadbetter
1983), turns the rate of the ones into that of the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import ConfigError, DataError
from anomgan.records import Floats

Indices = NDArray[np.int64]
BODY_POINTS = 33
MIN_SPACING = 1e-3
FAR_POINTS = 17
TAIL_SHARE = 0.1
TAIL_INDEPENDENT = 50
MIN_EXCESSES = 10
MIN_SHAPE, MAX_SHAPE = -0.2, 0.5
BELIEVED_BEYOND = 3.0
"""a tail that ends is believed down to one in so many times its independent excesses"""
CLUSTERS_ABOVE = 0.975
USUAL_SHARE, USUAL_WEIGHT = 0.3, 20.0
PRIOR = 20.0
PRIOR_SHAPE = 0.25
SECONDS_PER_WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The survival function of one statistic on normal data.

    body (K,) ascending values and log_survival (K,) their log10 P(X > value); above body[-1] a generalised Pareto tail
    with `scale` σ > 0 and `shape` ξ that carries the probability 10**log_survival[-1], where ξ < 0 as far as `reach`
    above the body and beyond that an exponential one; σ + ξ reach > 0.
    """

    body: Floats
    log_survival: Floats
    scale: float
    shape: float
    reach: float


def fit_tail(values: Floats, overlap: int = 1, prior_shape: float = PRIOR_SHAPE) -> Tail:
    """The tail of normal values (N,), N >= 2 and finite or DataError; about `overlap` of them tell the same.

    `prior_shape` is what ξ is taken for where little is known: 0 for fused surprises, which are exponential.
    """
    if len(values) < 2 or not np.all(np.isfinite(values)):
        raise DataError(f"calibration needs at least two finite values, got {len(values)}")
    ordered = np.sort(values)
    count = len(ordered)
    upper = min(max(MIN_EXCESSES, round(TAIL_SHARE * count)), count - 1)
    excesses = max(min(upper, TAIL_INDEPENDENT * overlap), min(upper, MIN_EXCESSES))
    keep = count - excesses  # ordered[keep - 1] is where the tail begins
    near = np.linspace(0, count - upper - 1, min(BODY_POINTS, count - upper))
    far = count - np.geomspace(upper + 1, excesses + 1, FAR_POINTS)  # even steps of surprise; one place if keep is near
    at = np.unique(np.concatenate([near, far]).round().astype(int))
    # Knots that nearly touch would make the curve so steep there that rounding shows in the surprise.
    apart = max(MIN_SPACING * float(ordered[keep - 1] - ordered[0]), 1e-9)
    knots = [at[-1]]
    for k in at[-2::-1]:
        if ordered[knots[-1]] - ordered[k] >= apart:
            knots.append(k)
    body = ordered[knots[::-1]]
    survival = (count - np.array(knots[::-1])) / (count + 1.0)  # Weibull plotting position: never 0, never 1
    shape = _shape(ordered[-upper:] - ordered[-upper - 1], upper / overlap, prior_shape)
    excess = float(np.mean(ordered[keep:] - ordered[keep - 1]))
    independent = excesses / overlap
    # σ = mean (1 - ξ) keeps the mean excess whatever became of ξ
    scale = max(excess * (1.0 - shape), 1e-6 * max(float(abs(ordered[keep - 1])), 1e-3))
    # P(Y > y) = (1 + ξ y / σ)^(-1/ξ) falls to 1 / rarest at `reach`
    rarest = BELIEVED_BEYOND * max(independent, 1.0)
    reach = scale * math.expm1(shape * math.log(rarest)) / shape if shape else scale * math.log(rarest)
    return Tail(body, np.log10(survival), scale, shape, reach)


def _shape(excess: Floats, independent: float, prior_shape: float) -> float:
    """ξ = 2 - b0/(b0 - 2 b1) by probability-weighted moments, then bounded and drawn towards the prior."""
    mean = float(np.mean(excess))
    if mean == 0.0:
        return MAX_SHAPE  # nothing is known of how far it goes
    count = len(excess)
    weight = 1.0 - (np.arange(1, count + 1) - 0.35) / count
    gap = mean - 2.0 * float(np.mean(weight * excess))
    shape = 2.0 - mean / gap if gap > 0 else MAX_SHAPE
    return (min(max(shape, MIN_SHAPE), MAX_SHAPE) * independent + prior_shape * PRIOR) / (independent + PRIOR)


def surprise(tail: Tail, values: Floats) -> Floats:
    """-log10 P(X > value) for values of any shape; NaN stays NaN; strictly rising outside the body.

    Below the body it fades out: values lower than any that calibrated have no probability to tell, but keep their rank.
    """
    inside = -np.interp(values, tail.body, tail.log_survival)
    inside = inside * np.exp(np.minimum(values - tail.body[0], 0.0) / (tail.body[-1] - tail.body[0] + tail.scale))
    beyond = np.maximum(values - tail.body[-1], 0.0)
    near = np.minimum(beyond, tail.reach) if tail.shape < 0.0 else beyond
    pareto = np.log1p(tail.shape * near / tail.scale) / tail.shape if tail.shape else near / tail.scale
    straight = (beyond - near) / (tail.scale + tail.shape * tail.reach)
    result: Floats = inside + (pareto + straight) / math.log(10.0)
    return result


def separation(normal: Floats, faulty: Floats) -> float:
    """How well a statistic tells faulty windows (M,) from normal ones (N,): 2 AUC - 1, at least 0.

    AUC = P(faulty > normal) + P(equal) / 2 (Mann & Whitney 1947).
    """
    ordered = np.sort(normal)
    below, up_to = np.searchsorted(ordered, faulty, "left"), np.searchsorted(ordered, faulty, "right")
    return max(0.0, float(np.mean(below + up_to)) / len(normal) - 1.0)


def fuse(surprises: Floats, weights: Floats) -> Floats:
    """Witness surprises (W, N) >= 0 and weights (W,) -> one statistic (N,): the root of the weighted sum of squares.

    It stands between the sum (Fisher 1932, Good 1955), by which several slightly odd witnesses count like one that is
    very odd, and the largest. Witnesses are not independent, so its law gives the result no meaning; its tail is fitted
    again on normal data, which makes the fused surprise a -log10 probability. A weight is the witness's `separation` of
    held-out normal windows from faulty ones: one that cannot tell them apart on this data has no say.
    """
    result: Floats = np.sqrt(weights @ np.square(surprises))
    return result


def alarms_per_exceedance(surprises: Sequence[Floats], apart: int, in_a_row: int) -> float:
    """How many alarms an exceedance stands for, where an alarm is a cluster that holds `in_a_row` of them in a row.

    From stretches of neighbouring normal windows (N,) each, and of the 97.5 % quantile of all; the share hardly changes
    further out. Exceedances belong together unless more than `apart` windows lie between them (the runs estimator of
    the extremal index: Smith & Weissman 1994, eq. 1.3, where one in a row is enough). Drawn towards USUAL_SHARE as by a
    prior worth USUAL_WEIGHT exceedances, for a short series has a few.
    """
    high = float(np.quantile(np.concatenate(surprises), CLUSTERS_ABOVE))
    exceedances = [np.flatnonzero(stretch > high) for stretch in surprises]
    alarms = sum(_longest_run(cluster) >= in_a_row for at in exceedances for cluster in _clusters(at, apart))
    return (alarms + USUAL_SHARE * USUAL_WEIGHT) / (sum(map(len, exceedances)) + USUAL_WEIGHT)


def _clusters(at: Indices, apart: int) -> list[Indices]:
    """Ascending indices, cut wherever more than `apart` lie between two."""
    return np.split(at, np.flatnonzero(np.diff(at) > apart) + 1) if len(at) else []


def _longest_run(cluster: Indices) -> int:
    """The most neighbours in a row."""
    return max(map(len, _clusters(cluster, 1)))


def budget_threshold(alarms_per_week: float, seconds_per_window: float, alarm_share: float = 1.0) -> float:
    """The surprise that a normal device rises above `alarms_per_week` times a week when scored every so many seconds.

    `alarm_share` is how many alarms a window above it stands for (`alarms_per_exceedance`): 1 counts each as an alarm
    of its own. ConfigError for a budget that is not above 0.
    """
    if not alarms_per_week > 0:
        raise ConfigError(f"an alarm budget of {alarms_per_week} a week; it must be above 0")
    windows_per_week = math.log10(SECONDS_PER_WEEK) - math.log10(seconds_per_window)
    return max(windows_per_week + math.log10(alarm_share) - math.log10(alarms_per_week), 0.5)
