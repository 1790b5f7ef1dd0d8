"""Membership inference: whether an attacker who has a real window can tell that the generator was trained on it.

An attack gives each real window a score, higher for "was trained on"; what it can do is the area under its ROC curve,
and the share of training windows it finds while it wrongly accuses hardly any other (Carlini et al., "Membership
Inference Attacks From First Principles", S&P 2022): leaks that concern few windows show there alone.

Black box, with the synthetic data alone:
- nearest: minus the distance to the nearest synthetic window (Chen et al., "GAN-Leaks", CCS 2020, full black box);
- calibrated: the same, relative to how near other real windows come, for common windows are near to everything (ibid.,
  attack calibration, with real windows of other times in the place of a reference generator);
- density: a kernel's estimate of the synthetic density at the window over that of real data (van Breugel et al.,
  DOMIAS, "Membership Inference Attacks against Synthetic Data through Overfitting Detection", AISTATS 2023).
White box: the discriminator's own output (Hayes et al., "LOGAN", PoPETs 2019(1)), or any scores given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.privacy.chance import (
    LEAST_BLOCKS,
    Control,
    Labels,
    Measured,
    exchanged,
    interval,
    judged,
    p_value,
    redrawn,
)
from anomgan.privacy.distances import EXACT, Distances
from anomgan.privacy.sample import Indices, Sample
from anomgan.records import Floats

FALSE_ALARMS = (0.01, 0.1)
"""of windows that were not trained on; the first that so few windows can show"""

NARROW = 1 / 3
"""of the usual distance: a wide kernel sees the process, a narrow one single windows"""

Judge = Callable[[Sample], Floats]
"""Windows (N, C, L), with their conditions where there are some -> (N,), higher = more real, such as a discriminator's
output"""


@dataclass(frozen=True, slots=True, eq=False)
class Attack:
    """auc: area under the ROC curve, 0.5 = guessing. found: the share of training windows that it finds while it
    accuses the share false_alarms of others. members (M,), others (R,): its scores."""

    name: str
    auc: Measured
    found: Measured
    false_alarms: float
    members: Floats
    others: Floats


def attack(name: str, scores: Floats, blocks: Indices, member: Labels, apart: bool, rng: np.random.Generator) -> Attack:
    """What the scores (N,) of windows in blocks (N,) of 0 ... K-1 say of membership (K,); both kinds have to occur."""
    labels, inside = exchanged(member, rng), member[blocks]
    ranks = _ranks(scores)
    sums = np.bincount(blocks, ranks, len(member)).astype(np.float64)
    counts = np.bincount(blocks, minlength=len(member))
    weights = _redrawn_within(member, rng)
    value = float(_areas(sums, counts, member[None])[0])
    ends = interval(_weighted_areas(scores, weights[:, blocks], inside))
    rate = next((rate for rate in FALSE_ALARMS if rate * np.sum(~inside) >= 1.0), FALSE_ALARMS[-1])
    order = np.argsort(-scores, kind="stable")
    one = np.ones((1, len(scores)))
    return Attack(
        name=name,
        auc=judged(value, ends, _areas(sums, counts, labels), apart),
        found=judged(
            float(_rates(scores, order, one, inside[None], rate)[0]),
            interval(_rates(scores, order, weights[:, blocks], inside[None], rate)),
            _rates(scores, order, one, labels[:, blocks], rate),
            apart,
        ),
        false_alarms=rate,
        members=scores[inside],
        others=scores[~inside],
    )


# ---------------------------------------------------------------- attacks


def black_box(tables: Distances, apart: bool, rng: np.random.Generator) -> tuple[Attack, ...]:
    """The three attacks that need the synthetic data alone; apart as `judged` has it."""
    nearest = tables.real_synthetic.min(axis=1)
    scores = {
        "nearest": -nearest,
        "calibrated": _over(tables.elsewhere, nearest),
        "density": density_ratio(tables),
    }
    blocks, member = tables.block_of_real, tables.member
    return tuple(attack(name, some, blocks, member, apart, rng) for name, some in scores.items())


def attack_control(tables: Distances, rng: np.random.Generator) -> Control:
    """The calibrated attack with the nearest training window of another time in the place of a synthetic one."""
    order = np.argsort(tables.real_real, axis=1, kind="stable")
    ordered = np.take_along_axis(tables.real_real, order, axis=1)
    lines, blocks = np.arange(len(order)), tables.block_of_real

    def area(wanted: Labels) -> float:
        nearest = ordered[lines, wanted[order].argmax(axis=1)]
        return _area(_over(tables.elsewhere, nearest), wanted[blocks])

    value = area(tables.member)
    return Control(value, p_value(value, np.array([area(one) for one in exchanged(tables.member, rng)])))


def density_ratio(tables: Distances) -> Floats:
    """(R,) log of the synthetic over the real density at each real window, by a Gaussian kernel a third as wide as real
    windows of different times usually lie apart. Each block of time has one say: its windows repeat each other."""
    width = max(NARROW * float(np.median(tables.elsewhere)), EXACT)
    ratio: Floats = _log_density(tables.real_synthetic, width) - _log_density(tables.real_real, width)
    return ratio


def white_box(tables: Distances, judge: Judge, apart: bool, rng: np.random.Generator) -> Attack:
    """The attack of somebody who has the discriminator as well."""
    scores = np.asarray(judge(tables.real.take(tables.asked_real)), dtype=np.float64)
    if scores.shape != tables.asked_real.shape:
        raise DataError(f"a discriminator gave scores of shape {scores.shape} for {len(tables.asked_real)} windows")
    return attack("discriminator", _numbers(scores), tables.block_of_real, tables.member, apart, rng)


def score_attack(members: Floats, others: Floats, per_block: int, rng: np.random.Generator) -> Attack:
    """The attack that scores at hand make, of training windows (M,) and of others (R,), each in order of time; so many
    neighbouring ones are taken as one block. DataError where either is too short to tell chance."""
    parts = [np.arange(len(scores)) // per_block for scores in (members, others)]
    counts = [int(part[-1]) + 1 if len(part) else 0 for part in parts]
    if min(counts) < LEAST_BLOCKS:
        raise DataError(f"{counts[0]} and {counts[1]} blocks of scores; chance takes {LEAST_BLOCKS} of each")
    member = np.arange(sum(counts)) < counts[0]
    scores = _numbers(np.concatenate([members, others]))
    return attack("scores", scores, np.concatenate([parts[0], counts[0] + parts[1]]), member, False, rng)


def _numbers(scores: Floats) -> Floats:
    if np.isnan(scores).any():
        raise DataError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are not a number")
    return scores


def _log_density(distance: Floats, width: float) -> Floats:
    """(N, K) -> (N,) log of the mean of exp(-d² / 2w²) over the finite ones."""
    exponent = -0.5 * (distance / width) ** 2
    top = exponent.max(axis=1, keepdims=True)
    count = np.isfinite(distance).sum(axis=1)
    density: Floats = top[:, 0] + np.log(np.exp(exponent - top).sum(axis=1) / count)
    return density


def _over(usual: Floats, distance: Floats) -> Floats:
    """How many times closer than usual; 1 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        over: Floats = np.where((usual == 0.0) & (distance == 0.0), 1.0, usual / distance)
    return over


# ---------------------------------------------------------------- areas and rates


def _ranks(scores: Floats) -> Floats:
    """(N,) 1 ... N, tied ones share the mean of theirs."""
    _, which, count = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks: Floats = (ends - 0.5 * (count - 1.0))[which]
    return ranks


def _areas(sums: Floats, counts: NDArray[np.signedinteger[Any]], labels: Labels) -> Floats:
    """(M, K) labels -> (M,) areas from the blocks' sums of ranks (Hanley & McNeil, Radiology 143, 1982)."""
    inside = labels @ counts
    areas: Floats = (labels @ sums - inside * (inside + 1) / 2) / np.maximum(inside * (counts.sum() - inside), 1)
    return areas


def _area(scores: Floats, inside: Labels) -> float:
    ranks, count = _ranks(scores), int(inside.sum())
    return float((ranks[inside].sum() - count * (count + 1) / 2) / max(count * (len(scores) - count), 1))


def _redrawn_within(member: Labels, rng: np.random.Generator) -> Floats:
    """(M, K) how often each block is drawn, training and held-out blocks among themselves."""
    drawn = [redrawn(int(which.sum()), rng) for which in (member, ~member)]
    weights: Floats = np.empty((len(drawn[0]), len(member)))
    weights[:, member], weights[:, ~member] = drawn
    return weights


def _weighted_areas(scores: Floats, weights: Floats, inside: Labels) -> Floats:
    """(M, N) weights -> (M,) areas; a tie counts half."""
    order = np.argsort(scores, kind="stable")
    rising = scores[order]
    starts = np.concatenate([[0], 1 + np.flatnonzero(rising[1:] != rising[:-1])])
    inner = np.add.reduceat((weights * inside)[:, order], starts, axis=1)  # (M, G)
    outer = np.add.reduceat((weights * ~inside)[:, order], starts, axis=1)
    below = np.cumsum(outer, axis=1) - 0.5 * outer
    areas: Floats = (inner * below).sum(axis=1) / (inner.sum(axis=1) * outer.sum(axis=1))
    return areas


def _rates(scores: Floats, order: Indices, weights: Floats, labels: Labels, rate: float) -> Floats:
    """(M,) shares of members above the score that at most the share `rate` of others exceeds.

    weights (M, N) and labels (M, N), either of which may have one line for all; order sorts scores downwards.
    """
    inner, outer = (weights * labels)[:, order], (weights * ~labels)[:, order]  # (M, N)
    falling = scores[order]
    last = np.searchsorted(-falling, -falling, side="right") - 1  # ties are accused together
    few = np.cumsum(outer, axis=1)[:, last] <= rate * outer.sum(axis=1, keepdims=True)
    rates: Floats = (inner * few).sum(axis=1) / inner.sum(axis=1)
    return rates
