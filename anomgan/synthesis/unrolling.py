"""Rows without an end, made from nothing: the slowest first, and between them, scale by scale, those that are faster.

- A skeleton: a few rows of each of many windows of the coarsest scale, made from nothing. One follows on another where
  it goes on best, among WAITING that wait. As a window leaves only when it is used, each is used as often as it is
  made: what is slow is as frequent as in the windows, however long the rows become, where a chain of windows that are
  each made to follow the last would drift to where its errors cancel out.
- Between them, at each scale, a quarter of a window at a time: it goes with the newest half window of its own scale,
  and with the rows of the coarser scale in the half that is to come. So no independent pieces meet anywhere.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomgan.gan.attempts import from_nothing
from anomgan.gan.hide import FACTOR
from anomgan.gan.networks import Networks
from anomgan.synthesis.filling import completed
from anomgan.synthesis.scales import STEADY, told_scale

WAITING = 32
WARM_UP = 1
"""windows that are thrown away: what goes on from something is more like life than what begins"""
BATCH = 1024
Scores = NDArray[np.float32]
Under = Callable[[int], Scores]
"""a row, counted from the first -> the conditions (D, K) of that row; also of rows that nobody asks for in the end"""
_Told = Callable[[int, int], Tensor]
"""row, scale -> conditions (D, K + scales)"""


def some_rows(
    networks: Networks,
    under: Under,
    count: int,
    dice: torch.Generator,
    on_rows: Callable[[int, int], None] | None = None,
) -> Scores:
    """(D, count, C): the first of `endless_rows`. `on_rows` hears how many of how many are made."""
    parts: list[Scores] = []
    there = 0
    for rows in endless_rows(networks, under, dice):
        parts.append(rows)
        there += rows.shape[1]
        if on_rows is not None:
            on_rows(min(there, count), count)
        if there >= count:
            break
    return np.concatenate(parts, axis=1)[:, :count]


def endless_rows(networks: Networks, under: Under, dice: torch.Generator) -> Iterator[Scores]:
    """Rows (D, R, C) as scores for D devices, piece after piece without end; `under` row 0 is all that is before."""
    scales, window = networks.shape.scales, networks.shape.window
    left = early = WARM_UP * window

    def told(row: int, scale: int) -> Tensor:
        return torch.from_numpy(told_scale(under(max(row - early, 0)), scale, scales))

    rows, apart = _skeleton(networks, told, dice), window // 4
    for scale in reversed(range(scales)):
        rows, apart = _between(networks, told, scale, rows, apart, dice), FACTOR
    for made in rows:
        kept = made[:, :, left:]
        left = max(0, left - made.shape[2])
        if kept.shape[2]:
            yield np.moveaxis(kept.numpy(), 1, 2)


def _skeleton(networks: Networks, told: _Told, dice: torch.Generator) -> Iterator[Tensor]:
    """Every quarter window's row (D, C, some) of the coarsest scale."""
    shape, scale = networks.shape, networks.shape.scales - 1
    stride, apart = FACTOR**scale, shape.window // 4

    def fresh(y: Tensor) -> Tensor:
        """(N, C, 4) of windows under conditions (N, K)."""
        parts = (from_nothing(networks.generator, networks.encoder, some, dice) for some in torch.split(y, BATCH))
        return torch.cat([made[:, :, apart // 2 :: apart] for made in parts])

    def enough(y: Tensor) -> Tensor:
        """(D, WAITING, C, 4)."""
        return fresh(y.repeat_interleave(WAITING, 0)).view(len(y), WAITING, shape.channels, -1)

    known_under = y = told(0, scale)
    waiting = enough(y)
    usual = waiting.diff(dim=3).abs().mean((0, 1, 3)).clamp_min(1e-6)[:, None]  # (C, 1)
    devices, last, done = torch.arange(len(y)), waiting[:, 0, :, :1], 0
    while True:
        off = ((waiting[:, :, :, :1] - last[:, None]) / usual).abs().sum((2, 3))  # (D, WAITING)
        best = off.argmin(1)
        chosen = waiting[devices, best][:, :, 1:]  # the first is the last of the one before
        last = chosen[:, :, -1:]
        done += chosen.shape[2] * apart
        yield chosen
        y = told(done * stride, scale)
        if y.shape[1] and float((y - known_under).abs().max()) > STEADY:
            known_under, waiting = y, enough(y)
        else:
            waiting[devices, best] = fresh(y)


def _between(
    networks: Networks, told: _Told, scale: int, coarser: Iterator[Tensor], apart: int, dice: torch.Generator
) -> Iterator[Tensor]:
    """Rows (D, C, some) of this scale; every `apart`-th is the next of `coarser`."""
    length, stride = networks.shape.window, FACTOR**scale
    half, quarter = length // 2, length // 4
    coarse, first = next(coarser), 0  # (D, C, M) and the row that it begins with
    newest = coarse[:, :, :0]  # (D, C, up to half)
    done = 0
    while True:
        at = done - newest.shape[2]
        while first + coarse.shape[2] * apart < at + length:
            coarse = torch.cat([coarse, next(coarser)], 2)
        gone = (at - first) // apart
        coarse, first = coarse[:, :, gone:], first + gone * apart
        rows = torch.arange(at, at + length)
        known = (rows % apart == 0).expand(len(coarse), coarse.shape[1], -1)
        x = torch.where(known, coarse[:, :, (rows - first) // apart], 0.0)
        x = torch.cat([newest, x[:, :, newest.shape[2] :]], 2)
        known = torch.cat([torch.ones_like(newest, dtype=torch.bool), known[:, :, newest.shape[2] :]], 2)
        y = told((at + length - 1) * stride, scale)
        whole = completed(networks, x, known, y, dice)
        made = whole[:, :, newest.shape[2] : half + quarter]
        newest = whole[:, :, quarter : half + quarter]
        done += made.shape[2]
        yield made
