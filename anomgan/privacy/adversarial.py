"""Nearest-neighbour adversarial accuracy, on training data against on held-out data.

The accuracy of telling real from synthetic windows by whether their nearest neighbour is one of their own: 0.5 = they
cannot be told apart, below = synthetic windows sit on the real ones (Yale et al., "Assessing privacy and quality of
synthetic health data", AIDR 2019, eq. 1; Yale et al., Neurocomputing 416, 2020, section 3.1). The privacy loss is the
accuracy on held-out data less that on training data: 0 where the generator fits both alike.
All three sets are of the same number of blocks, for the nearest of many is nearer than the nearest of few.
"""

from dataclasses import dataclass

import numpy as np

from anomgan.privacy.chance import Control, Labels, Measured, exchanged, interval, judged, redrawn
from anomgan.privacy.distances import Distances
from anomgan.records import Floats

DRAWS = 40
"""choices of blocks that the figures are means of"""


@dataclass(frozen=True, slots=True)
class Adversarial:
    """accuracy on training and on held-out data, and loss, the second less the first; blocks in each of the sets."""

    train: float
    held_out: float
    loss: Measured
    blocks: int


def adversarial_accuracy(tables: Distances, control: Control, rng: np.random.Generator) -> Adversarial:
    """Means over random choices of blocks. A loss has no control of its own: where real data differ by themselves,
    which the control of another measure tells, nothing is said of it."""
    member = tables.member
    size = int(min(member.sum(), (~member).sum(), len(tables.synthetic_blocks)))
    train, held_out = _accuracy(tables, member, size, rng, DRAWS), _accuracy(tables, ~member, size, rng, DRAWS)
    null = np.array(
        [
            _accuracy(tables, ~one, size, rng, 1).mean() - _accuracy(tables, one, size, rng, 1).mean()
            for one in exchanged(member, rng)
        ]
    )
    loss = held_out.mean() - train.mean()
    ends = interval(held_out.redrawn(rng) - train.redrawn(rng))
    unknown = Control(value=control.value, high=np.inf, p=control.p)
    return Adversarial(train.mean(), held_out.mean(), judged(loss, ends, null, unknown), size)


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """(M,) blocks of real windows and (J,) of synthetic ones: how many of their windows have a neighbour of their own
    kind, and how many were asked."""

    real: Floats
    real_asked: Floats
    made: Floats
    made_asked: Floats

    def mean(self) -> float:
        """AA = (P(d(r, S) > d(r, R)) + P(d(s, R) > d(s, S))) / 2."""
        return float(0.5 * (self.real.sum() / self.real_asked.sum() + self.made.sum() / self.made_asked.sum()))

    def redrawn(self, rng: np.random.Generator) -> Floats:
        """The same with blocks drawn anew (RESAMPLES,)."""
        a, b = redrawn(len(self.real), rng), redrawn(len(self.made), rng)
        drawn: Floats = 0.5 * ((a @ self.real) / (a @ self.real_asked) + (b @ self.made) / (b @ self.made_asked))
        return drawn


def _accuracy(tables: Distances, wanted: Labels, size: int, rng: np.random.Generator, draws: int) -> _Votes:
    """Votes on `size` of the real blocks wanted (K,) and as many synthetic ones; sums over the draws."""
    real, made = np.zeros((2, len(wanted))), np.zeros((2, len(tables.synthetic_blocks)))
    candidates = np.flatnonzero(wanted)
    for _ in range(draws):
        own = rng.permutation(candidates)[:size]
        other = rng.permutation(made.shape[1])[:size]
        a, b = np.isin(tables.block_of_real, own), np.isin(tables.block_of_synthetic, other)
        votes = _above(tables.real_synthetic[a][:, other], tables.real_real[a][:, own])
        back = _above(tables.synthetic_real[b][:, own], tables.synthetic_synthetic[b][:, other])
        for told, vote, blocks in ((real, votes, tables.block_of_real[a]), (made, back, tables.block_of_synthetic[b])):
            np.add.at(told[0], blocks, vote)
            np.add.at(told[1], blocks, 1.0)
    some, there = real[1] > 0, made[1] > 0
    return _Votes(real[0][some], real[1][some], made[0][there], made[1][there])


def _above(other: Floats, own: Floats) -> Floats:
    """(N, K) tables -> (N,) 1 where the nearest of the others is farther than the nearest of its own; a tie is 0.5."""
    a, b = other.min(axis=1), own.min(axis=1)
    votes: Floats = (a > b) + 0.5 * (a == b)
    return votes
