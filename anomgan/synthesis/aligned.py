"""A series as a model takes it: its channels in its order, what it is conditioned on, and where there are gaps."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomgan.config import SynthesizerConfig
from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.synthesis.conditions import DEVICE, Condition, Given, columns_of
from anomgan.synthesis.fit import Learned
from anomgan.synthesis.imputed import held
from anomgan.windows import WindowRule, segment_starts


def aligned(learned: Learned, series: TimeSeries | Floats, given: Given | None, period_s: float = 0.0) -> TimeSeries:
    """A series with this model's channels in its order, those it lacks read NaN, and the columns it is conditioned
    on behind them; DataError where it has none of them, or an array's width differs."""
    columns = columns_of(learned.conditions)
    wanted = (*learned.channels, *(name for name in columns if name not in (given or {})))
    if not isinstance(series, TimeSeries):
        one = series_from_array(series, period_s or learned.period_s)
        if len(one.channels) != len(learned.channels):
            raise DataError(f"an array of {len(one.channels)} channels for a model of {len(learned.channels)}")
        series = replace(one, channels=learned.channels)
    at = {name: i for i, name in enumerate(series.channels)}
    if not any(name in at for name in learned.channels):
        raise DataError(
            f"none of the model's channels {', '.join(learned.channels)} is among {', '.join(series.channels)}"
        )
    missing = np.full(len(series), np.nan)
    values: list[NDArray[np.float64]] = [series.values[:, at[n]] if n in at else missing for n in wanted]
    present = tuple(name for name in wanted if name in at or name in learned.channels)
    kept = [column for name, column in zip(wanted, values, strict=True) if name in present]
    return TimeSeries(series.times, np.stack(kept, axis=1), present, series.labels, (), series.device)


def conditions_of(
    conditions: Sequence[Condition], one: TimeSeries, given: Given | None
) -> Mapping[str, float | str | Floats]:
    """By name what the series or the caller says of each condition that the times do not."""
    told: dict[str, float | str | Floats] = dict(given or {})
    for condition in conditions:
        if condition.name in one.channels:
            told.setdefault(condition.name, held(one.values[:, one.channels.index(condition.name)]))
        elif condition.name == DEVICE and one.device in condition.levels:
            told.setdefault(DEVICE, one.device)
    return told


def stretches(config: SynthesizerConfig, one: TimeSeries) -> list[slice]:
    """The rows between the gaps in time."""
    starts = segment_starts(one.times, WindowRule(config.window or 0, 1, config.max_gap_s or 0.0, 0))
    edges = [*np.unique(starts).tolist(), len(one)]
    return [slice(begin, end) for begin, end in itertools.pairwise(edges)]
