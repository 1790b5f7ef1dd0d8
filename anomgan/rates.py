"""Exact intervals of counts and shares, as they are told beside every small figure; NaN-free, without any library.

Poisson: Garwood 1936. Shares: Clopper & Pearson 1934. Both invert the tail sums themselves.
"""

import math
from collections.abc import Callable

import numpy as np

from anomgan.records import Floats

HALVINGS = 60


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count: each end leaves half of 1 - level outside."""
    outside = (1.0 - level) / 2.0
    log_factorials = _log_factorials(count)
    terms = np.arange(count + 1)

    def at_most(mean: float, n: int) -> float:
        """P(X <= n)."""
        return float(np.exp(terms[: n + 1] * math.log(mean) - mean - log_factorials[: n + 1]).sum())

    beyond = count + 10.0 * math.sqrt(count + 1.0) + 20.0
    low = _crossing(lambda mean: 1.0 - at_most(mean, count - 1) < outside, beyond) if count else 0.0
    return low, _crossing(lambda mean: at_most(mean, count) > outside, beyond)


def share_interval(hits: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a probability of which `hits` of `total` were seen; (0, 1) where nothing was."""
    if total == 0:
        return 0.0, 1.0
    outside = (1.0 - level) / 2.0
    factorials = _log_factorials(total)
    k = np.arange(total + 1)
    ways = factorials[total] - factorials[k] - factorials[total - k]

    def at_most(share: float, n: int) -> float:
        """P(X <= n)."""
        logs = ways + k * math.log(share) + (total - k) * math.log1p(-share)
        return float(np.exp(logs[: n + 1]).sum())

    low = _crossing(lambda share: 1.0 - at_most(share, hits - 1) < outside, 1.0) if hits else 0.0
    high = _crossing(lambda share: at_most(share, hits) > outside, 1.0) if hits < total else 1.0
    return low, high


def _log_factorials(n: int) -> Floats:
    """(n + 1,) the logarithms of 0!, 1!, ..., n!."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1, dtype=np.float64)))])


def _crossing(holds: Callable[[float], bool], beyond: float) -> float:
    """Where, from 0 up to `beyond`, something that holds first stops holding."""
    low, high = 0.0, beyond
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return (low + high) / 2.0
