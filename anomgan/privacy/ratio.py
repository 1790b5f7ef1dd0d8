"""Nearest-neighbour distance ratio: how much closer the nearest window is than the nearest one of another time.

Near 0, a window has been copied from one place; near 1, several places are equally alike (Zhao et al., "CTAB-GAN", ACML
2021, section 4.3; after Lowe, IJCV 60(2), 2004). The ratio does not depend on how many windows there are to be near to,
so that of a synthetic window to training data is compared with that of the same window to held-out data.
"""

from dataclasses import dataclass

import numpy as np

from anomgan.privacy.chance import Control, Labels, Measured, exchanged, judged, mean_interval, p_value
from anomgan.privacy.distances import Distances, by_distance
from anomgan.privacy.sample import Indices
from anomgan.records import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """share: of synthetic windows whose ratio to training data is below that to held-out data (a tie counts half).

    synthetic (S,), held_out (R,): ratios to training data, of synthetic and of held-out windows.
    """

    share: Measured
    synthetic: Floats
    held_out: Floats


def distance_ratio(tables: Distances, apart: bool, rng: np.random.Generator) -> Ratio:
    """The share and the ratios; apart as `judged` has it."""
    labels = exchanged(tables.member, rng)
    near = by_distance(tables.synthetic_real, tables.real_blocks)
    wins = _wins(near, tables.member)
    null = np.array([_mean(_wins(near, one)) for one in labels])
    known = ~np.isnan(wins)
    ends = mean_interval(wins[known], tables.block_of_synthetic[known], rng) if known.any() else (0.0, 1.0)
    outside = tables.real_real[~tables.is_member]
    return Ratio(
        share=judged(_mean(wins), ends, null, apart),
        synthetic=_ratio(near, tables.member),
        held_out=_ratio(by_distance(outside, tables.real_blocks), tables.member),
    )


def _ratio(near: tuple[Floats, Indices], wanted: Labels) -> Floats:
    """(N,) nearest over second nearest among the blocks wanted; 1 where both are 0, NaN where there are no two."""
    distance, block = near
    fits = wanted[block] & (block >= 0)  # (N, J)
    first = fits.argmax(axis=1)
    lines = np.arange(len(fits))
    both = fits.sum(axis=1) >= 2
    fits[lines, first] = False
    second = fits.argmax(axis=1)
    a, b = distance[lines, first], distance[lines, second]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = np.where(b > 0.0, a / b, 1.0)
    return np.where(both, ratio, np.nan)


def _wins(near: tuple[Floats, Indices], member: Labels) -> Floats:
    """(N,) 1 where the ratio to training data is the smaller one, 0 where the other, 0.5 for a tie, NaN unknown."""
    inside, outside = _ratio(near, member), _ratio(near, ~member)
    wins: Floats = 0.5 + 0.5 * np.sign(outside - inside)
    return wins


def _mean(wins: Floats) -> float:
    known = wins[~np.isnan(wins)]
    return float(known.mean()) if len(known) else 0.5


def ratio_control(tables: Distances, rng: np.random.Generator) -> Control:
    """The same of training windows, asked of other times."""
    blocks = tables.block_of_real
    near = by_distance(tables.real_real, tables.real_blocks)

    def wins(member: Labels) -> Floats:
        asked = member[blocks]
        return _wins((near[0][asked], near[1][asked]), member)

    value = _mean(wins(tables.member))
    return Control(value, p_value(value, np.array([_mean(wins(one)) for one in exchanged(tables.member, rng)])))
