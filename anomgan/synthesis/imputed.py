"""A series with what was missing filled in, and the rows that a series lacks."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries

LATE = 1.5
"""a step of so many periods lacks a row"""


@dataclass(frozen=True, slots=True, eq=False)
class Imputed:
    """series: the middle of what is likely; low, high (T, C): 90 % of what is likely lies between them, and known
    values are their own band; hidden (T, C) what was filled in; one (T, C): a single likely course, as rough as real
    data are, where the middle is smooth."""

    series: TimeSeries
    low: Floats
    high: Floats
    hidden: NDArray[np.bool_]
    one: Floats


def with_missing_rows(series: TimeSeries, period_s: float, most: int) -> TimeSeries:
    """The series with rows of NaN where a step lacks up to `most` of them at this period; labels of those are False.

    DataError where readings come faster than that.
    """
    if series.period_s < period_s / LATE:
        raise DataError(
            f"readings come every {series.period_s:g} s; this model was trained on readings every {period_s:g} s"
        )
    steps = np.diff(series.times)
    lacking = np.where(steps > LATE * period_s, np.round(steps / period_s).astype(np.int64) - 1, 0)
    return _spread(series, np.where(lacking > most, 0, lacking))


def between(series: TimeSeries, factor: int) -> TimeSeries:
    """The series with `factor` - 1 rows of NaN in every step that is not a gap."""
    steps = np.diff(series.times)
    return _spread(series, np.where(steps > LATE * series.period_s, 0, factor - 1))


def held(column: Floats) -> Floats:
    """(T,) with what is missing held at the value before it, or, at the start, at the first one."""
    known = np.flatnonzero(~np.isnan(column))
    if len(known) == 0:
        return column
    before = np.searchsorted(known, np.arange(len(column)), "right") - 1
    told: Floats = column[known[before.clip(0)]]
    return told


def _spread(series: TimeSeries, lacking: NDArray[np.int64]) -> TimeSeries:
    """The series with so many rows of NaN (T - 1,) after each row, evenly spaced in time."""
    if not lacking.any():
        return series
    at = np.arange(len(series)) + np.concatenate([[0], np.cumsum(lacking)])
    times = np.interp(np.arange(at[-1] + 1), at, series.times)
    values = np.full((len(times), len(series.channels)), np.nan)
    values[at] = series.values
    labels = None
    if series.labels is not None:
        labels = np.zeros(len(times), dtype=bool)
        labels[at] = series.labels
    return replace(series, times=times, values=values, labels=labels)
