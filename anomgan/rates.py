"""Exact intervals of counts and shares, as they are told beside every small figure; NaN-free, without any library.

Poisson: Garwood 1936. Shares: Clopper & Pearson 1934. Both invert the tail beyond the count. Its terms are summed from
the count outwards, each from the one before, so that nothing is the small difference of large numbers; of a large count
those within WIDE standard deviations are enough.
"""

import math
from collections.abc import Callable

import numpy as np

from anomgan.records import Floats

HALVINGS = 60
WIDE = 12


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count: each end leaves half of 1 - level outside."""
    outside = (1.0 - level) / 2.0
    far = np.arange(_terms(count), dtype=np.float64)
    down: Floats = np.maximum(count - far, 0.0)
    up: Floats = count + 1.0 + far
    log_factorial = math.lgamma(count + 1.0)

    def tail(mean: float, ratios: Floats) -> float:
        return math.exp(count * math.log(mean) - mean - log_factorial) * _summed(ratios)

    beyond = count + 10.0 * math.sqrt(count + 1.0) + 20.0
    low = _crossing(lambda mean: tail(mean, mean / up) < outside, 0.0, float(count)) if count else 0.0
    return low, _crossing(lambda mean: tail(mean, down / mean) > outside, float(count), beyond)


def share_interval(hits: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a probability of which `hits` of `total` were seen; (0, 1) where nothing was."""
    if total == 0:
        return 0.0, 1.0
    outside = (1.0 - level) / 2.0
    misses = total - hits
    far = np.arange(_terms(min(hits, misses)), dtype=np.float64)
    down = np.maximum(hits - far, 0.0) / (misses + 1.0 + far)
    up = np.maximum(misses - far, 0.0) / (hits + 1.0 + far)
    log_ways = math.lgamma(total + 1.0) - math.lgamma(hits + 1.0) - math.lgamma(misses + 1.0)

    def tail(share: float, ratios: Floats) -> float:
        return math.exp(log_ways + hits * math.log(share) + misses * math.log1p(-share)) * _summed(ratios)

    seen = hits / total
    low = _crossing(lambda p: tail(p, up * (p / (1.0 - p))) < outside, 0.0, seen) if hits else 0.0
    high = _crossing(lambda p: tail(p, down * ((1.0 - p) / p)) > outside, seen, 1.0) if misses else 1.0
    return low, high


def _terms(count: int) -> int:
    """How many terms of a tail are not nothing."""
    return math.ceil(WIDE * math.sqrt(count + 1.0)) + 50


def _summed(ratios: Floats) -> float:
    """1 + r0 + r0 r1 + r0 r1 r2 + ..."""
    return 1.0 + float(np.cumprod(ratios).sum())


def _crossing(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where, from `low` up to `high`, something that holds first stops holding."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2.0
