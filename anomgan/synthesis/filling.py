"""Rows of any length with hidden cells, completed window by window.

Windows overlap by half, and of each only the middle half is taken, so that every hidden cell is completed with at least
a quarter of a window known or hidden on either side, and belongs to one window. Beyond the ends nothing is known.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.gan.networks import Networks
from anomgan.synthesis.carry import Carry, raw_draws, with_carry

BATCH = 256
WARM_UP = 2
"""windows"""
EDGE = 8
"""the share of a window that is its edge, as a divisor"""
Scores = NDArray[np.float32]
Under = Callable[[int], Scores]
"""a row, counted from the first -> the conditions (D, K) of that row; also of rows that nobody asks for in the end"""


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


def rows_from_nothing(
    networks: Networks,
    carry: Carry,
    conditions: Scores,
    dice: torch.Generator,
    on_windows: Callable[[int, int], None] | None = None,
) -> Scores:
    """Rows (D, T, C) of normal scores for D devices under conditions (D, T, K).

    The first window is made with all of it hidden. The first WARM_UP windows are thrown away: what goes on from
    something is more like life than what begins.
    """
    early = WARM_UP * networks.shape.window
    under = np.pad(conditions, ((0, 0), (early, 0), (0, 0)), mode="edge")
    begin = begin_from_nothing(networks, carry, under[:, 0], dice)
    return continue_rows(networks, carry, begin, under, dice, on_windows)[:, early:]


def endless_rows(networks: Networks, carry: Carry, under: Under, dice: torch.Generator) -> Iterator[Scores]:
    """The rows of `rows_from_nothing`, piece after piece (D, R, C) without end; `under` row 0 is all that is before."""
    left = early = WARM_UP * networks.shape.window
    begin = begin_from_nothing(networks, carry, under(0), dice)
    for made in continued(networks, carry, begin, lambda row: under(max(row - early, 0)), dice):
        rows = made[:, :, left:]
        left = max(0, left - made.shape[2])
        yield np.moveaxis(rows.numpy(), 1, 2)


def begin_from_nothing(networks: Networks, carry: Carry, conditions: Scores, dice: torch.Generator) -> torch.Tensor:
    """Windows (D, C, L) under conditions (D, K) of which nothing is known."""
    shape = networks.shape
    x = torch.zeros(len(conditions), shape.channels, shape.window)
    nothing = torch.zeros_like(x, dtype=torch.bool)
    y = torch.from_numpy(np.ascontiguousarray(conditions))
    return with_carry(carry, raw_draws(networks, x, nothing, y, 1, dice), x, nothing)[0]


def continue_rows(
    networks: Networks,
    carry: Carry,
    begin: torch.Tensor,
    conditions: Scores,
    dice: torch.Generator,
    on_windows: Callable[[int, int], None] | None = None,
) -> Scores:
    """Rows (D, T, C) under conditions (D, T, K) that begin with windows (D, C, L), but for their last EDGE."""
    total = conditions.shape[1]
    pieces = continued(networks, carry, begin, lambda row: conditions[:, min(row, total - 1)], dice)
    parts = [next(pieces)]
    there = parts[0].shape[2]
    while there < total:
        parts.append(next(pieces))
        there += parts[-1].shape[2]
        if on_windows is not None:
            left = max(0, -(-(total - there) // parts[-1].shape[2]))
            on_windows(len(parts) - 1, len(parts) - 1 + left)
    return np.moveaxis(torch.cat(parts, 2)[:, :, :total].numpy(), 1, 2)


def continued(
    networks: Networks, carry: Carry, begin: torch.Tensor, under: Under, dice: torch.Generator
) -> Iterator[torch.Tensor]:
    """Rows that begin with windows (D, C, L), but for their last EDGE, piece after piece (D, C, R) without end.

    Each next window goes with the newest half of what there is. Its last EDGE is thrown away, where convolutions see
    the window end.
    """
    length = networks.shape.window
    half, edge = length // 2, length // EDGE
    made = begin[:, :, : length - edge]
    yield made
    known = torch.zeros_like(begin, dtype=torch.bool)
    known[:, :, :half] = True
    newest = made[:, :, -half:]
    there = made.shape[2]
    while True:
        y = torch.from_numpy(np.ascontiguousarray(under(there + half - 1)))
        x = torch.cat([newest, torch.zeros_like(newest)], 2)
        drawn = with_carry(carry, raw_draws(networks, x, known, y, 1, dice), x, known)[0]  # (D, C, L)
        yield drawn[:, :, half : length - edge]
        newest = drawn[:, :, half - edge : length - edge]
        there += half - edge
