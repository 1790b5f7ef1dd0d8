"""Nearest-neighbour adversarial accuracy, on training data against on held-out data.

The accuracy of telling real from synthetic windows by whether their nearest neighbour is one of their own: 0.5 = they
cannot be told apart, below = synthetic windows sit on the real ones (Yale et al., "Assessing privacy and quality of
synthetic health data", AIDR 2019, eq. 1; Yale et al., Neurocomputing 416, 2020, section 3.1). The privacy loss is the
accuracy on held-out data less that on training data: 0 where the generator fits both alike.
All three sets are of the same number of blocks, for the nearest of many is nearer than the nearest of few.
"""

from dataclasses import dataclass

import numpy as np

from anomgan.privacy.chance import Labels, Measured, exchanged, interval, judged, redrawn
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


def adversarial_accuracy(tables: Distances, apart: bool, rng: np.random.Generator) -> Adversarial:
    """Means over random choices of blocks; apart as `judged` has it."""
    member = tables.member
    size = int(min(member.sum(), (~member).sum(), len(tables.synthetic_blocks)))
    train, held_out = _votes(tables, member, size, rng, DRAWS)
    null = []
    for one in exchanged(member, rng):
        a, b = _votes(tables, one, size, rng, 1)
        null.append(b.mean() - a.mean())
    loss = held_out.mean() - train.mean()
    ends = interval(held_out.redrawn(rng) - train.redrawn(rng))
    return Adversarial(train.mean(), held_out.mean(), judged(loss, ends, np.array(null), apart), size)


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


def _votes(tables: Distances, member: Labels, size: int, rng: np.random.Generator, draws: int) -> tuple[_Votes, _Votes]:
    """Of training and of held-out data: votes on `size` of their blocks and as many synthetic ones, the same for both;
    sums over the draws."""
    real, made = np.zeros((2, 2, len(member))), np.zeros((2, 2, len(tables.synthetic_blocks)))
    candidates = (np.flatnonzero(member), np.flatnonzero(~member))
    asked, answering = tables.block_of_real, tables.block_of_synthetic
    for _ in range(draws):
        other = np.sort(rng.permutation(made.shape[2])[:size])
        b = np.isin(answering, other)
        back = tables.synthetic_synthetic[b][:, other].min(axis=1)
        for i, blocks in enumerate(candidates):
            own = np.sort(rng.permutation(blocks)[:size])
            a = np.isin(asked, own)
            votes = _above(tables.real_synthetic[a][:, other].min(axis=1), tables.real_real[a][:, own].min(axis=1))
            told = _above(tables.synthetic_real[b][:, own].min(axis=1), back)
            for sums, blocks_asked, some in ((real[i], asked[a], votes), (made[i], answering[b], told)):
                sums[0] += np.bincount(blocks_asked, some, sums.shape[1])
                sums[1] += np.bincount(blocks_asked, minlength=sums.shape[1])
    first, second = (_Votes(*real[i][:, real[i, 1] > 0], *made[i][:, made[i, 1] > 0]) for i in (0, 1))
    return first, second


def _above(other: Floats, own: Floats) -> Floats:
    """(N,) 1 where the nearest of the others is farther than the nearest of its own; a tie is 0.5."""
    votes: Floats = (other > own) + 0.5 * (other == own)
    return votes
