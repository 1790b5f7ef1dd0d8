"""Example series and readings: a device that does what it always does, and the same with things missing."""

import math
from collections.abc import Sequence

import numpy as np

from anomgan.records import Floats, Reading, TimeSeries, series_from_array

CHANNELS = ("flow", "pressure", "current")


def normal_values(rows: int, seed: int, channels: int = 3) -> Floats:
    """Coupled sines with noise (rows, channels): a device that does what it always does."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * (np.arange(rows) / 24 + rng.uniform())
    pure = np.stack([(c + 1) * np.sin(phase + c) + 10.0 * c for c in range(channels)], axis=1)
    return np.asarray(pure + 0.05 * rng.normal(size=pure.shape))


def normal_series(rows: int, seed: int) -> TimeSeries:
    """`normal_values` of one device, a row a second."""
    return series_from_array(normal_values(rows, seed), channels=CHANNELS)


def readings_of(series: TimeSeries, device: str = "pump", site: str = "") -> list[Reading]:
    """The readings whose series this is; a missing value is left out of its reading, unless all are missing."""
    readings = []
    for time_s, row in zip(series.times.tolist(), series.values.tolist(), strict=True):
        whole = dict(zip(series.channels, row, strict=True))
        there = {name: value for name, value in whole.items() if not math.isnan(value)}
        readings.append(Reading(device, time_s, there or whole, site))
    return readings


def spoiled(series: TimeSeries, rng: np.random.Generator, *, gaps: Sequence[int] = ()) -> TimeSeries:
    """The series with single values and long runs missing, and a gap of a thousand seconds before each of `gaps`."""
    values, times = series.values.copy(), series.times.copy()
    values[rng.random(values.shape) < 0.1] = np.nan
    for _ in range(2):
        start, channel = rng.integers(len(values)), rng.integers(values.shape[1])
        values[start : start + rng.integers(3, 30), channel] = np.nan
    for row in gaps:
        times[row:] += 1000.0
    return TimeSeries(times, values, series.channels, device=series.device)
