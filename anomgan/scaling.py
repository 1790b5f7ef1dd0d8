"""Robust per-channel scale, learned from normal data only.

A value becomes arcsinh((x - centre) / spread): linear near normal, logarithmic far out, so that one wild channel
cannot drown the rest and larger deviations still rank higher. Rules:

- centre = median; spread = standard deviation of the values clipped to their 0.5 % and 99.5 % quantiles, so that a
  small contamination of the training data does not widen it;
- the spread is never below half the channel's resolution (the smallest step between two of its values) nor below
  a thousandth of its range, so that a nearly constant channel does not turn rounding into alarms;
- a constant channel gets a spread of 5 % of its value (0.1 where that value is 0): when it moves at last, it counts;
- a channel without a single value is unused: it reads as missing for ever.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats

CONSTANT_SPREAD = 0.05
CONSTANT_ZERO_SPREAD = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """centre (C,) and spread (C,) in the channels' units; constant (C,) marks channels that never moved."""

    centre: Floats
    spread: Floats
    constant: NDArray[np.bool_]


def fit_scaler(values: Floats) -> Scaler:
    """The scaler of normal values (T, C); NaN is left out, a channel of NaN only is marked by a NaN centre."""
    channels = values.shape[1]
    centre, spread = np.full(channels, np.nan), np.ones(channels)
    constant = np.ones(channels, dtype=bool)
    for c in range(channels):
        column = values[:, c]
        column = column[np.isfinite(column)]
        if len(column) == 0:
            continue
        centre[c] = np.median(column)
        distinct = np.unique(column)
        if len(distinct) == 1:
            spread[c] = CONSTANT_SPREAD * abs(centre[c]) or CONSTANT_ZERO_SPREAD
            continue
        constant[c] = False
        low, high = np.quantile(column, [0.005, 0.995])
        floor = max(0.5 * float(np.min(np.diff(distinct))), 1e-3 * float(distinct[-1] - distinct[0]))
        spread[c] = max(float(np.std(np.clip(column, low, high))), floor)
    return Scaler(centre, spread, constant)


def scale(scaler: Scaler, values: Floats) -> NDArray[np.float32]:
    """(..., C) in units -> (..., C) scaled; NaN stays NaN, infinities become NaN (a device's way to say missing)."""
    finite = np.where(np.isfinite(values), values, np.nan)
    return np.arcsinh((finite - scaler.centre) / scaler.spread).astype(np.float32)


def unscale(scaler: Scaler, scaled: NDArray[np.float32]) -> Floats:
    """The inverse of `scale`, in float64."""
    return np.sinh(scaled.astype(np.float64)) * scaler.spread + scaler.centre
