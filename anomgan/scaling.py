"""Robust per-channel scale, learned from normal data only.

A value becomes arcsinh((x - centre) / spread): linear near normal, logarithmic far out, so that one wild channel
cannot drown the rest and larger deviations still rank higher. Rules:

- centre = median; spread = standard deviation of the values clipped to their 0.5 % and 99.5 % quantiles, so that a
  small contamination of the training data does not widen it;
- the spread is never below half the channel's resolution (the smallest step between two of its values) nor below
  a thousandth of the range between those quantiles nor below what rounding to 64 bits makes, so that a nearly
  constant channel does not turn rounding into alarms;
- a constant channel gets a spread of 5 % of its value (0.1 where that value is 0): when it moves at last, it counts;
  so does, at most, one that is constant but for less than 0.5 % of its values on either side, be they rare or wrong;
- a channel without a single value is unused: it reads as missing for ever;
- an infinity, or a number beyond what 32 bits hold, is a device's way to say missing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats

CONSTANT_SPREAD = 0.05
CONSTANT_ZERO_SPREAD = 0.1
LARGEST = 1e38
ROUNDING = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Scaler:
    """centre (C,) and spread (C,) in the channels' units; constant (C,) marks channels that never moved."""

    centre: Floats
    spread: Floats
    constant: NDArray[np.bool_]


def usable(values: Floats) -> Floats:
    """Values of any shape with infinities and numbers beyond ±1e38 as NaN."""
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def fit_scaler(values: Floats) -> Scaler:
    """The scaler of normal values (T, C); NaN is left out, a channel of NaN only is marked by a NaN centre."""
    channels = values.shape[1]
    centre, spread = np.full(channels, np.nan), np.ones(channels)
    constant = np.ones(channels, dtype=bool)
    for c in range(channels):
        column = usable(values[:, c])
        column = column[~np.isnan(column)]
        if len(column) == 0:
            continue
        centre[c] = np.median(column)
        distinct = np.unique(column)
        constant[c] = len(distinct) == 1
        still = max(CONSTANT_SPREAD * abs(centre[c]), np.finfo(np.float32).tiny) if centre[c] else CONSTANT_ZERO_SPREAD
        if constant[c]:
            spread[c] = still
            continue
        floor = max(0.5 * float(np.min(np.diff(distinct))), ROUNDING * abs(centre[c]))
        low, high = np.quantile(column, [0.005, 0.995])
        if low < high:
            spread[c] = max(float(np.std(np.clip(column, low, high))), floor, 1e-3 * float(high - low))
        else:
            spread[c] = min(max(floor, 1e-3 * float(distinct[-1] - distinct[0])), still)
    return Scaler(centre, spread, constant)


def scale(scaler: Scaler, values: Floats) -> NDArray[np.float32]:
    """(..., C) in units -> (..., C) scaled, always finite or NaN."""
    return np.arcsinh((usable(values) - scaler.centre) / scaler.spread).astype(np.float32)


def unscale(scaler: Scaler, scaled: NDArray[np.float32]) -> Floats:
    """The inverse of `scale`, in float64."""
    return np.sinh(scaled.astype(np.float64)) * scaler.spread + scaler.centre
