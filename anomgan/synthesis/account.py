"""What a synthesizer's training leaves behind for people to look at, in its file's header: JSON types only."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from anomgan.game import course_of
from anomgan.gan.hide import hide
from anomgan.gan.networks import Networks
from anomgan.gan.train import Normal, TrainingResult
from anomgan.records import TimeSeries
from anomgan.synthesis.carry import NOMINAL, fit_carry, raw_draws, with_carry
from anomgan.synthesis.marginals import Marginal, to_values

MOST_DEVICES = 100
"""that are named; of more the count says the rest"""
QUARTERS = 4
ROUNDS = 2
DRAWS = 32
LEAST_CELLS = 50
"""hidden cells of a channel, for a share of them to say anything"""


def account(
    series: Sequence[TimeSeries], result: TrainingResult, held: Normal, marginals: Sequence[Marginal], seed: int
) -> dict[str, Any]:
    """Devices, the course of the game, and how often the band holds what it should of each channel (None = unknown)."""
    return {
        "devices": [[one.device, len(one), float(one.times[0]), float(one.times[-1])] for one in series[:MOST_DEVICES]],
        "course": course_of(result.health),
        "band": band_shares(result.networks, held, marginals, seed),
    }


def band_shares(networks: Networks, held: Normal, marginals: Sequence[Marginal], seed: int) -> list[float | None]:
    """For each channel the share of hidden cells that lie in the band that should hold NOMINAL of them.

    The band is fitted anew on every other quarter of the held-out windows (N, C, L) and looked at in the others, under
    the masks of training, for on the windows it was fitted on it holds what it should.
    """
    quarter = np.arange(len(held.windows)) * QUARTERS // len(held.windows)
    fitted, others = (
        Normal(held.windows[quarter % 2 == part], held.conditions[quarter % 2 == part]) for part in (0, 1)
    )
    carry = fit_carry(networks, fitted, seed, ROUNDS)
    dice = torch.Generator().manual_seed(seed)
    x, y = (torch.from_numpy(part) for part in others[:2])
    known = hide(x, dice)
    draws = with_carry(carry, raw_draws(networks, x, known, y, DRAWS, dice), x, known)  # (S, N, C, L)
    edges = np.quantile(draws.numpy(), ((1.0 - NOMINAL) / 2.0, (1.0 + NOMINAL) / 2.0), axis=0)
    low, high, real = (to_values(marginals, np.moveaxis(one, 1, 2)) for one in (*edges, x.numpy()))  # (N, L, C)
    hidden = np.moveaxis(~known.numpy(), 1, 2)
    inside = ((low <= real) & (real <= high) & hidden).sum((0, 1))
    cells = hidden.sum((0, 1))
    return [
        float(f"{part / whole:.4g}") if whole >= LEAST_CELLS else None
        for part, whole in zip(inside.tolist(), cells.tolist(), strict=True)
    ]
