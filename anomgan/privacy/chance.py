"""What chance alone would show: labels exchanged between blocks of time, and blocks drawn anew.

Were the generator ignorant of which real windows it was trained on, the labels "training" and "held out" could be
exchanged between blocks of time, and no measure would care: a permutation test (Good, "Permutation, Parametric and
Bootstrap Tests of Hypotheses", 2005). That fails where training and held-out data differ by themselves, as data that
were recorded at different times may; so measures are also taken with real data in the place of synthetic data, as
controls.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomgan.privacy.sample import Indices
from anomgan.records import Floats

PERMUTATIONS = 999
RESAMPLES = 400
LEVEL = 0.002
"""so rarely chance alone may look like a leak in one measure; in some of all, in about one report of a hundred"""
CONFIDENCE = 0.95
APART = 0.01
"""the same for controls: an error there only makes a report more careful"""
LEAST_BLOCKS = 10
"""of each kind; fewer can be exchanged in too few ways"""

Verdict = Literal["leak", "not found", "cannot tell"]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Control:
    """A measure with real data in the place of synthetic data: its value, and how often chance reaches it."""

    value: float
    p: float

    @property
    def differs(self) -> bool:
        """Whether training and held-out data can be told apart by themselves."""
        return self.p < APART


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure: low to high is its 95 % interval, expected what it is without a leak, p how often chance reaches it.

    visible_from is the smallest value that would have been told from chance.
    """

    value: float
    low: float
    high: float
    expected: float
    p: float
    visible_from: float
    verdict: Verdict


def judged(value: float, interval: tuple[float, float], null: Floats, apart: bool) -> Measured:
    """A measure of which larger means leak, by what exchanged labels made of it, null (M,).

    apart: training and held-out data can be told apart by themselves. How much that alone would show of an honest
    generator no control bounds (it may lie nearer in time than any real window that was held out), so nothing is said.
    """
    p = p_value(value, null)
    verdict: Verdict = "not found"
    if p < LEVEL:
        verdict = "cannot tell" if apart else "leak"
    return Measured(
        value=value,
        low=interval[0],
        high=interval[1],
        expected=float(null.mean()),
        p=p,
        visible_from=float(np.quantile(null, 1.0 - LEVEL)),
        verdict=verdict,
    )


def p_value(value: float, null: Floats) -> float:
    """How often chance is at least as large; never 0 (Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9(1), 2010)."""
    return float((1 + np.sum(null >= value - 1e-12)) / (1 + len(null)))


def exchanged(member: Labels, rng: np.random.Generator, times: int = PERMUTATIONS) -> Labels:
    """Labels (K,) -> (times, K), each line the same labels on other blocks."""
    return rng.permuted(np.tile(member, (times, 1)), axis=1)


def redrawn(blocks: int, rng: np.random.Generator, times: int = RESAMPLES) -> Floats:
    """How often each of K blocks is drawn when K are drawn with replacement: (times, K). Efron & Tibshirani 1993."""
    return rng.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=times).astype(np.float64)


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of what resampling gave."""
    low, high = np.quantile(values, [(1.0 - CONFIDENCE) / 2, (1.0 + CONFIDENCE) / 2])
    return float(low), float(high)


def mean_interval(values: Floats, blocks: Indices, rng: np.random.Generator) -> tuple[float, float]:
    """Of the mean of values (N,), by drawing whole blocks of them anew."""
    of = np.unique(blocks, return_inverse=True)[1]
    total, count = np.bincount(of, values), np.bincount(of)
    drawn = redrawn(len(count), rng)
    return interval((drawn @ total) / (drawn @ count))
