"""Rows of any length with hidden cells, completed window by window.

Windows overlap by half, and of each only the middle half is taken, so that every hidden cell is completed with at least
a quarter of a window known or hidden on either side, and belongs to one window. Beyond the ends nothing is known.
"""

from collections.abc import Callable, Sequence

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


def draw_hidden(
    networks: Networks,
    carry: Carry,
    rows: Scores,
    conditions: Scores,
    stretches: Sequence[slice],
    draws: int,
    dice: torch.Generator,
    on_rows: Callable[[int, int], None] | None = None,
) -> Scores:
    """Rows (T, C) of normal scores, NaN = hidden, under conditions (T, K) -> draws (S, T, C); known cells stay.

    No window spans two `stretches`. `on_rows` hears how many rows of how many are done.
    """
    told = np.empty((draws, *rows.shape), np.float32)
    for some in stretches:
        told[:, some] = _draw_hidden(networks, carry, rows[some], conditions[some], draws, dice)
        if on_rows is not None:
            on_rows(some.stop, len(rows))
    return told


def _draw_hidden(
    networks: Networks, carry: Carry, rows: Scores, conditions: Scores, draws: int, dice: torch.Generator
) -> Scores:
    """The draws (S, T, C) of one stretch."""
    length = networks.shape.window
    quarter, half = length // 4, length // 2
    count = -(-len(rows) // half)
    after = count * half + quarter - len(rows)
    padded = np.pad(rows, ((quarter, after), (0, 0)), constant_values=np.nan)
    under = np.pad(conditions, ((quarter, after), (0, 0)), mode="edge")
    told = np.broadcast_to(rows, (draws, *rows.shape)).copy()
    begins = [k * half for k in range(count) if np.isnan(rows[k * half : (k + 1) * half]).any()]
    for at in range(0, len(begins), BATCH):
        some = begins[at : at + BATCH]
        x = torch.from_numpy(np.stack([padded[begin : begin + length].T for begin in some]))  # (N, C, L)
        y = torch.from_numpy(np.stack([under[begin + length - 1] for begin in some]))
        known = ~x.isnan()
        x = torch.where(known, x, 0.0)
        made = with_carry(carry, raw_draws(networks, x, known, y, draws, dice), x, known)  # (S, N, C, L)
        inner = made[:, :, :, quarter : quarter + half].numpy()
        for n, begin in enumerate(some):
            rest = told[:, begin : begin + half]
            rest[:] = np.moveaxis(inner[:, n], 2, 1)[:, : rest.shape[1]]
    return told


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
