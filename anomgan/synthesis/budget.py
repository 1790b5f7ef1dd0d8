"""What of an epsilon each look at private data may cost, and what has been spent: Opacus' Rényi accountant.

A look is a Gaussian mechanism on a Poisson sample of the records (Mironov, Talwar & Zhang 2019, "Rényi differential
privacy of the sampled Gaussian mechanism"), of all of them where the rate is 1. Looks add up as Rényi divergences do
(Mironov 2017, "Rényi differential privacy", proposition 1); two neighbouring data sets differ by one record, which the
one has and the other lacks.
"""

from collections.abc import Sequence
from typing import NamedTuple

from anomgan.errors import ConfigError

MOST = 1e5
CLOSE = 1e-4
"""relative, between noise that is enough and noise that is not"""
ORDERS = (
    1.001,
    1.003,
    1.01,
    1.03,
    *(1.0 + tenth / 10.0 for tenth in range(1, 110)),
    *range(12, 64),
    64,
    80,
    96,
    128,
    192,
    256,
    512,
    1024,
    4096,
)


class Look(NamedTuple):
    """So many times a sum over records of which each is drawn with this rate, and noise that is so many times the
    most that a single record adds to it."""

    noise_multiplier: float
    rate: float
    times: int


def spent(looks: Sequence[Look], delta: float) -> float:
    """The epsilon of all looks together."""
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    accountant.history = [tuple(look) for look in looks if look.times]
    return float(accountant.get_epsilon(delta, alphas=list(ORDERS)))


def noise_for(epsilon: float, delta: float, rate: float, times: int, before: Sequence[Look] = ()) -> float:
    """The least noise multiplier with which one more look stays within epsilon, after those before it.

    ConfigError where no noise is enough.
    """

    def enough(noise: float) -> bool:
        return spent([*before, Look(noise, rate, times)], delta) <= epsilon

    low = high = 1.0
    while enough(low):
        low, high = low / 2.0, low
    while not enough(high):
        low, high = high, 2.0 * high
        if high > MOST:
            raise ConfigError(f"epsilon = {epsilon:g} with delta = {delta:g}: no amount of noise is enough; raise them")
    while high - low > CLOSE * high:
        middle = (low + high) / 2.0
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
