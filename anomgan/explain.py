"""Which channels made a window odd, and what was expected instead."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def contributions(error: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each channel's share (N, C) of the squared error (N, C) that stands over its usual size; rows sum to 1."""
    total = error.sum(axis=1, keepdims=True)
    share = np.full_like(error, 1.0 / error.shape[1])
    np.divide(error, total, out=share, where=total > 0)
    return share


def leading_channels(contribution: NDArray[np.float32], most: int) -> list[int]:
    """Contributions (C,) -> the indices of the channels that carry 80 % of them, first the most, at most `most`."""
    order = np.argsort(-contribution, kind="stable")[:most]
    before = np.concatenate([[0.0], np.cumsum(contribution[order])[:-1]])
    return [int(i) for i, so_far in zip(order, before, strict=True) if so_far < 0.8]


def reason(
    channels: Sequence[str],
    observed: Sequence[float],
    expected: Sequence[float],
    units: Sequence[str],
    surprise: float,
) -> str:
    """One plain sentence: "pressure is 0.21 bar where 0.93 was expected; flow is 3.1 l/min where 31 was expected"."""
    parts = []
    for channel, seen, meant, unit in zip(channels, observed, expected, units, strict=True):
        suffix = f" {unit}" if unit else ""
        digits = _digits(seen, meant)
        parts.append(
            f"{channel} is missing where {_number(meant, digits)}{suffix} was expected"
            if math.isnan(seen)
            else f"{channel} is {_number(seen, digits)}{suffix} where {_number(meant, digits)} was expected"
        )
    odds = (
        f"about one normal window in {10**surprise:,.0f} looks this odd"
        if surprise < 9
        else "no normal window looks like this"
    )
    return f"{'; '.join(parts)} ({odds})"


def _digits(seen: float, meant: float) -> int:
    """Four significant digits, or as many more as show two digits of the difference."""
    difference = abs(seen - meant)
    if not 0.0 < difference < math.inf:
        return 4
    alike = math.log10(max(abs(seen), abs(meant))) - math.log10(difference)
    return min(max(4, math.ceil(alike) + 2), 9)


def _number(value: float, digits: int) -> str:
    """So many significant digits, written out: 101300, not 1.013e+05."""
    return f"{float(f'{value:.{digits}g}'):.15g}"
