"""How a channel came to where it is: since when it is beyond its own normal error, from which level, and how it moves.

A channel is beyond its error while its residual, the window less what the generator makes of it, is more than LIMIT
standard deviations of its own newest residual in normal windows from what is usual. It is so since the earliest such
row from which on at least half of the rows are; one of the newest rows has to be among them.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomgan import band
from anomgan.gaussian import Gaussian, own_variance
from anomgan.motion import BEFORE, HIGH, LOW, MOVES, SINCE, STUCK, SWINGS
from anomgan.scaling import Scaler, unscale

LIMIT = 4.0
"""standard deviations"""
CHANCE = 1e-3
"""a channel is stuck when one that changes as often as it did before would stand still so long with less than this"""


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """The residual of the newest row on normal windows, by channel: mean (C,) and standard deviation (C,)."""

    mean: Tensor
    spread: Tensor


def usual(residuals: Gaussian, channels: int) -> Usual:
    """What is usual, from where the pyramids (F = channels x P) of normal residuals lie; its second is the newest."""
    newest = slice(1, None, len(residuals.mean) // channels)
    return Usual(residuals.mean[newest], own_variance(residuals)[newest].sqrt())


def band_of(normal: Usual, scaler: Scaler, measured: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What is usual of the measured channels as a band (C, 4) of all of them; see `band`."""
    bands = np.full((len(measured), band.PLACES), np.nan)
    mean, spread = normal.mean.double().numpy(), normal.spread.double().numpy()
    bands[measured, band.CENTRE], bands[measured, band.SPREAD] = scaler.centre[measured], scaler.spread[measured]
    bands[measured, band.LOW], bands[measured, band.HIGH] = mean - LIMIT * spread, mean + LIMIT * spread
    return bands


def courses(normal: Usual, x: Tensor, residual: Tensor, newest: int) -> Tensor:
    """Windows (N, C, L) and their residuals -> (N, C, 5) as in `motion`, NaN for a channel within its error.

    SINCE is in rows, levels are scaled. A channel is off now where one of its `newest` rows is; as many rows before the
    onset give the level before it, NaN where the onset is the first row.
    """
    found = torch.full((*x.shape[:2], 5), math.nan)
    length = x.shape[2]
    limit = LIMIT * normal.spread[:, None]
    near = (residual[:, :, -newest:] - normal.mean[:, None]).abs() > limit  # cheap: most windows end here
    some = near.any(2).nonzero(as_tuple=True)  # the (window, channel) pairs that are off now
    if len(some[0]) == 0:
        return found
    off = residual[some] - normal.mean[some[1], None]  # (M, L)
    high, low = off > limit[some[1]], off < -limit[some[1]]
    beyond = high | low
    from_end = beyond.flip(1).cumsum(1).flip(1)  # rows beyond from each row to the end
    begins = beyond & (2 * from_end >= length - torch.arange(length))
    of = begins.any(1)
    at = (some[0][of], some[1][of])
    line, rows = x[at], torch.arange(length)
    onset = begins[of].int().argmax(1)[:, None]  # (M', 1)
    since = rows >= onset
    level = (rows < onset) & (rows >= onset - newest)
    mean = torch.where(level, line, 0.0).sum(1) / level.sum(1)  # 0 / 0 = NaN: the onset is the first row
    motion = torch.full((len(line),), MOVES)
    motion[_stuck(line)] = STUCK
    motion[_swings(high[of] & since, low[of] & since)] = SWINGS
    lowest = torch.where(since, line, math.inf).amin(1)
    highest = torch.where(since, line, -math.inf).amax(1)
    found[at] = torch.stack([length - 1.0 - onset[:, 0], mean, lowest, highest, motion], 1)
    return found


def _stuck(line: Tensor) -> Tensor:
    """(M, L) -> (M,): the newest value stands still for longer than this channel did before in the window."""
    length = line.shape[1]
    same = (line == line[:, -1:]).flip(1).int().cumprod(1).sum(1)  # rows that the newest value has stood
    changed = (line[:, 1:] != line[:, :-1]).sum(1) - (same < length).int()  # before that, without the last change
    steps = (length - 1 - same).clamp_min(0)
    share = torch.where(steps > 0, changed / steps.clamp_min(1), 0.0)
    return (same - 1) * torch.log1p(-share.clamp_max(0.999)) < math.log(CHANCE)


def _swings(high: Tensor, low: Tensor) -> Tensor:
    """(M, L) twice -> (M,): beyond the error upwards and downwards by turns, not once each."""
    length = high.shape[1]

    def first(mask: Tensor) -> Tensor:
        return mask.int().argmax(1)

    def last(mask: Tensor) -> Tensor:
        return length - 1 - mask.flip(1).int().argmax(1)

    both = (high.sum(1) >= 2) & (low.sum(1) >= 2)
    return both & (first(high) < last(low)) & (first(low) < last(high))


def in_channel_units(course: NDArray[np.float32], scaler: Scaler, period_s: float) -> NDArray[np.float32]:
    """(N, C, 5) with seconds instead of rows and the channels' units instead of scaled values; changed in place."""
    odd = np.flatnonzero(np.isfinite(course[:, :, SINCE]).any(1))  # few: the rest costs nothing
    told = course[odd]
    told[:, :, SINCE] *= period_s
    for level in (BEFORE, LOW, HIGH):
        told[:, :, level] = unscale(scaler, told[:, :, level])
    course[odd] = told
    return course
