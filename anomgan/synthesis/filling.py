"""Rows of any length with hidden cells, completed window by window.

Windows overlap by half, and of each only the middle half is taken, so that every hidden cell is completed with at least
a quarter of a window known or hidden on either side, and belongs to one window. Beyond the ends nothing is known.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.gan.attempts import draw
from anomgan.gan.hide import shown
from anomgan.gan.networks import Networks
from anomgan.synthesis.carry import Carry, raw_draws, with_carry

BATCH = 256
EDGE = 8
"""the share of a window that is its edge, as a divisor"""
Scores = NDArray[np.float32]


class Drawn(NamedTuple):
    """What is kept of the draws: quantiles (Q, T, C), and one of them (T, C); known cells are as they are in both."""

    quantiles: Scores
    one: Scores


def draw_hidden(
    networks: Networks,
    carry: Carry,
    rows: Scores,
    conditions: Scores,
    stretches: Sequence[slice],
    draws: int,
    shares: Sequence[float],
    dice: torch.Generator,
    on_rows: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Rows (T, C) of normal scores, NaN = hidden, under conditions (T, K) -> quantiles, at `shares`, of so many draws.

    No window spans two `stretches`. `on_rows` hears how many rows of how many are done. A cell's draws are let go of
    when its quantiles are known, so that memory does not grow with them times the rows.
    """
    kept = np.repeat(rows[None], len(shares) + 1, axis=0)  # (Q + 1, T, C), the last is one draw
    for some in stretches:
        _draw_hidden(networks, carry, rows[some], conditions[some], draws, shares, dice, kept[:, some])
        if on_rows is not None:
            on_rows(some.stop, len(rows))
    return Drawn(kept[:-1], kept[-1])


def _draw_hidden(
    networks: Networks,
    carry: Carry,
    rows: Scores,
    conditions: Scores,
    draws: int,
    shares: Sequence[float],
    dice: torch.Generator,
    kept: Scores,
) -> None:
    """One stretch, put into `kept` (Q + 1, T, C)."""
    length = networks.shape.window
    quarter, half = length // 4, length // 2
    count = -(-len(rows) // half)
    after = count * half + quarter - len(rows)
    padded = np.pad(rows, ((quarter, after), (0, 0)), constant_values=np.nan)
    under = np.pad(conditions, ((quarter, after), (0, 0)), mode="edge")
    begins = [k * half for k in range(count) if np.isnan(rows[k * half : (k + 1) * half]).any()]
    for at in range(0, len(begins), BATCH):
        some = begins[at : at + BATCH]
        x = torch.from_numpy(np.stack([padded[begin : begin + length].T for begin in some]))  # (N, C, L)
        y = torch.from_numpy(np.stack([under[begin + length - 1] for begin in some]))
        known = ~x.isnan()
        x = torch.where(known, x, 0.0)
        made = with_carry(carry, raw_draws(networks, x, known, y, draws, dice), x, known)  # (S, N, C, L)
        inner = made[:, :, :, quarter : quarter + half].numpy()
        told = np.stack([*(np.quantile(inner, share, axis=0) for share in shares), inner[0]])  # (Q + 1, N, C, L / 2)
        for n, begin in enumerate(some):
            rest = kept[:, begin : begin + half]
            rest[:] = np.moveaxis(told[:, n], 1, 2)[:, : rest.shape[1]]


@torch.inference_mode()
def completed(
    networks: Networks, x: torch.Tensor, known: torch.Tensor, y: torch.Tensor, dice: torch.Generator
) -> torch.Tensor:
    """Windows (D, C, L) as they may be where they are not known, under conditions (D, K)."""
    return torch.where(known, x, draw(networks.generator, networks.encoder, shown(x, known), y, dice))


def continue_rows(networks: Networks, begin: torch.Tensor, conditions: Scores, dice: torch.Generator) -> Scores:
    """Rows (D, T, C) under conditions (D, T, K) that begin with windows (D, C, L), but for their last EDGE.

    Each next window goes with the newest half of what there is. Its last EDGE is thrown away, where convolutions see
    the window end.
    """
    length = networks.shape.window
    half, edge = length // 2, length // EDGE
    total = conditions.shape[1]
    made = begin[:, :, : length - edge]
    known = torch.zeros_like(begin, dtype=torch.bool)
    known[:, :, :half] = True
    while made.shape[2] < total:
        x = torch.cat([made[:, :, -half:], torch.zeros_like(made[:, :, -half:])], 2)
        y = torch.from_numpy(np.ascontiguousarray(conditions[:, min(made.shape[2] + half, total) - 1]))
        made = torch.cat([made, completed(networks, x, known, y, dice)[:, :, half : length - edge]], 2)
    return np.moveaxis(made[:, :, :total].numpy(), 1, 2)
