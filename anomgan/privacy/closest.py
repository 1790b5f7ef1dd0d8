"""Distance to the closest record: whether synthetic windows lie closer to training windows than to held-out ones.

Without a leak the nearest real window of a synthetic one is a training window as often as training windows are among
the real ones; copies raise that share (Platzer & Reutterer, "Holdout-Based Empirical Assessment of Mixed-Type Synthetic
Data", Front. Big Data 4, 2021). The distances themselves and their lower end are what Zhao et al., "CTAB-GAN", ACML
2021, call DCR; beside them stand those of held-out windows, which nobody can have copied.
"""

from dataclasses import dataclass

import numpy as np

from anomgan.privacy.chance import (
    Control,
    Labels,
    Measured,
    exchanged,
    judged,
    mean_interval,
    p_value,
)
from anomgan.privacy.distances import Distances
from anomgan.records import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Closest:
    """share: of synthetic windows whose nearest real window is a training window; excess: of it over what chance gives,
    as a share of what there is room for (0 = none, 1 = every one), about the share of copies.

    synthetic (S,), held_out (R,): distances to the nearest training window, of synthetic and of held-out windows.
    """

    share: Measured
    excess: float
    synthetic: Floats
    held_out: Floats


def closest_record(tables: Distances, apart: bool, rng: np.random.Generator) -> Closest:
    """The share and the distances; apart as `judged` has it."""
    member, labels = tables.member, exchanged(tables.member, rng)
    nearest = tables.synthetic_real.argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(member))
    null = labels @ counts / len(nearest)
    from_train = member[nearest].astype(np.float64)
    ends = mean_interval(from_train, tables.block_of_synthetic, rng)
    share = judged(float(from_train.mean()), ends, null, apart)
    room = 1.0 - share.expected
    return Closest(
        share=share,
        excess=(share.value - share.expected) / room if room > 0 else 0.0,
        synthetic=tables.synthetic_real[:, member].min(axis=1),
        held_out=tables.real_real[~tables.is_member][:, member].min(axis=1),
    )


def closest_control(tables: Distances, rng: np.random.Generator) -> Control:
    """Of training windows, the share whose nearest window of another time is a training window."""
    count = len(tables.member)
    pairs = np.zeros((count, count))
    np.add.at(pairs, (tables.block_of_real, tables.real_real.argmin(axis=1)), 1.0)
    asked = pairs.sum(axis=1)

    def shares(member: Labels) -> Floats:
        """(M, K) -> (M,)."""
        own = member.astype(np.float64)
        shares: Floats = ((own @ pairs) * own).sum(axis=1) / np.maximum(own @ asked, 1.0)
        return shares

    value = float(shares(tables.member[None])[0])
    return Control(value, p_value(value, shares(exchanged(tables.member, rng))))
