"""Rows of any length with hidden cells, completed window by window.

Windows overlap by half, and of each only the middle half is taken, so that every hidden cell is completed with at least
a quarter of a window known or hidden on either side, and belongs to one window. Beyond the ends nothing is known.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.gan.networks import Networks
from anomgan.synthesis.carry import Carry, raw_draws, with_carry

BATCH = 256
WARM_UP = 2
"""windows"""
Scores = NDArray[np.float32]


def draw_hidden(
    networks: Networks,
    carry: Carry,
    rows: Scores,
    conditions: Scores,
    draws: int,
    dice: torch.Generator,
    on_windows: Callable[[int, int], None] | None = None,
) -> Scores:
    """Rows (T, C) of normal scores, NaN = hidden, under conditions (T, K) -> draws (S, T, C); known cells stay.

    `on_windows` hears how many windows of how many are done.
    """
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
        if on_windows is not None:
            on_windows(at + len(some), len(begins))
    return told


def continue_rows(
    networks: Networks,
    carry: Carry,
    conditions: Scores,
    dice: torch.Generator,
    on_windows: Callable[[int, int], None] | None = None,
) -> Scores:
    """Rows (D, T, C) of normal scores for D devices under conditions (D, T, K), made from nothing.

    The first window is made with all of it hidden; each next one goes with the newer half of the one before. The first
    WARM_UP windows are thrown away: what goes on from something is more like life than what begins.
    """
    shape = networks.shape
    half = shape.window // 2
    early = WARM_UP * shape.window
    conditions = np.pad(conditions, ((0, 0), (early, 0), (0, 0)), mode="edge")
    devices, total = conditions.shape[:2]
    count = max(1, -(-(total - half) // half))
    under = np.pad(conditions, ((0, 0), (0, (count + 1) * half - total), (0, 0)), mode="edge")
    x = torch.zeros(devices, shape.channels, shape.window)
    known = torch.zeros_like(x, dtype=torch.bool)
    parts = []
    for k in range(count):
        y = torch.from_numpy(under[:, (k + 2) * half - 1])
        made = with_carry(carry, raw_draws(networks, x, known, y, 1, dice), x, known)[0]  # (D, C, L)
        parts.append(made if k == 0 else made[:, :, half:])
        x = torch.cat([made[:, :, half:], torch.zeros_like(made[:, :, half:])], 2)
        known = torch.zeros_like(x, dtype=torch.bool)
        known[:, :, :half] = True
        if on_windows is not None:
            on_windows(k + 1, count)
    return np.moveaxis(torch.cat(parts, 2)[:, :, early:total].numpy(), 1, 2)
