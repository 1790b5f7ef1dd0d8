"""What windows are conditioned on, as numbers that the networks take.

- `hour`: the time of day (UTC) as a point on a circle, so that 23:59 lies beside 0:00;
- `weekday`: the day of the week, one of seven;
- `device`: one of the devices learned from;
- a column: one of its values where it has at most MOST_CATEGORIES different ones, else a number in spreads.

A window's condition is that of its newest row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries

HOUR, WEEKDAY, DEVICE = "hour", "weekday", "device"
MOST_CATEGORIES = 16
FARTHEST = 1e4
"""spreads from the middle; beyond, networks make nothing of a number"""
DAY_S = 86_400.0
THURSDAY = 3  # 1970-01-01 was one; Monday is 0

Given = Mapping[str, float | str | Floats]
"""Condition by name: one value for all rows, or one for each (T,)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: levels are its values where it has few (devices' names for `device`), else centre and spread."""

    name: str
    levels: tuple[float, ...] | tuple[str, ...] = ()
    centre: float = 0.0
    spread: float = 1.0

    @property
    def size(self) -> int:
        """How many numbers it takes."""
        return 2 if self.name == HOUR else 7 if self.name == WEEKDAY else len(self.levels) or 1


def columns_of(conditions: Sequence[Condition]) -> tuple[str, ...]:
    """The columns among the conditions: what neither the times nor the device's name tell."""
    return tuple(one.name for one in conditions if one.name not in (HOUR, WEEKDAY, DEVICE))


def fit_conditions(names: Sequence[str], series: Sequence[TimeSeries]) -> tuple[Condition, ...]:
    """What is known of each named condition; DataError names one that no column has, or that lacks a value."""
    return tuple(_fit(name, series) for name in names)


def _fit(name: str, series: Sequence[TimeSeries]) -> Condition:
    if name in (HOUR, WEEKDAY):
        return Condition(name)
    if name == DEVICE:
        return Condition(name, tuple(sorted({one.device for one in series})))
    column = np.concatenate([_column(name, one) for one in series])
    levels = np.unique(column)
    if len(levels) <= MOST_CATEGORIES:
        return Condition(name, tuple(levels.tolist()))
    return Condition(name, (), float(np.median(column)), float(np.std(column)) or 1.0)


def _column(name: str, one: TimeSeries) -> Floats:
    if name not in one.channels:
        known = ", ".join((HOUR, WEEKDAY, DEVICE, *one.channels))
        raise DataError(f"there is no condition {name!r}; there are {known}")
    column = one.values[:, one.channels.index(name)]
    if np.isnan(column).any():
        raise DataError(f"condition {name!r}: row {int(np.isnan(column).argmax())} of {one.device!r} has no value")
    return column


def place(conditions: Sequence[Condition], name: str) -> slice:
    """Where among the columns (K) of the conditions this one stands; nowhere, where it is none of them."""
    begin = 0
    for condition in conditions:
        if condition.name == name:
            return slice(begin, begin + condition.size)
        begin += condition.size
    return slice(0, 0)


def of_series(conditions: Sequence[Condition], one: TimeSeries) -> NDArray[np.float32]:
    """(T, K) the conditions of each row of a series; DataError names a column that it lacks."""
    for name in columns_of(conditions):
        if name not in one.channels:
            raise DataError(f"{one.device!r} has no column {name!r}, which this model is conditioned on")
    given: dict[str, float | str | Floats] = {name: _column(name, one) for name in columns_of(conditions)}
    if any(condition.name == DEVICE for condition in conditions):
        given[DEVICE] = one.device
    return encode(conditions, one.times, given)


def encode(conditions: Sequence[Condition], times: Floats, given: Given) -> NDArray[np.float32]:
    """(T, K) the conditions at each of these times; DataError names one that is missing, unknown or out of range."""
    names = [condition.name for condition in conditions]
    strays = set(given) - set(names)
    if strays:
        known = f"this model's are {', '.join(names)}" if names else "this model was trained without any"
        raise DataError(f"unknown condition {min(strays)!r}; {known}")
    told = {HOUR, WEEKDAY} & set(given)
    if told:
        raise DataError(f"condition {min(told)!r} follows from the times; it cannot be given")
    parts = [_encode(condition, times, given) for condition in conditions]
    return np.concatenate([np.empty((len(times), 0)), *parts], axis=1).astype(np.float32)


def _encode(condition: Condition, times: Floats, given: Given) -> Floats:
    """(T, size)."""
    name = condition.name
    if name == HOUR:
        angle = 2.0 * np.pi * (times % DAY_S) / DAY_S
        return np.stack([np.sin(angle), np.cos(angle)], axis=1)
    if name == WEEKDAY:
        return np.eye(7)[((times // DAY_S).astype(np.int64) + THURSDAY) % 7]
    levels = ", ".join(map(_shown, condition.levels))
    if name not in given:
        raise DataError(f"condition {name!r} is needed: {f'one of {levels}' if levels else 'a number'}")
    rows = _each(name, given[name], len(times))
    if rows.dtype.kind not in "fiub":
        if not condition.levels:
            raise DataError(f"condition {name!r}: {rows[0]!s} is no number")
    elif not np.isfinite(rows := rows.astype(np.float64)).all():
        raise DataError(f"condition {name!r} has no value in row {int(np.isfinite(rows).argmin())}")
    if not condition.levels:
        with np.errstate(over="ignore"):
            number = (rows - condition.centre) / condition.spread
        far = np.abs(number) > FARTHEST
        if far.any():
            raise DataError(
                f"condition {name!r}: {_shown(float(rows[far.argmax()]))} is nothing like what was learned from, "
                f"{_shown(condition.centre)} give or take {_shown(condition.spread)}"
            )
        return number[:, None]
    told = np.stack([rows == level for level in condition.levels], axis=1)
    if not told.any(1).all():
        stray = rows[int(told.any(1).argmin())]
        raise DataError(f"condition {name!r}: {_shown(stray)} is none of {levels}")
    return told.astype(np.float64)


def _shown(value: object) -> str:
    """2.0 as people write it: 2."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _each(name: str, value: float | str | Floats, rows: int) -> NDArray[Any]:
    """(T,) what is given for all rows or for each."""
    try:
        return np.broadcast_to(np.asarray(value), (rows,))
    except ValueError:
        raise DataError(f"condition {name!r}: {np.size(value)} values for {rows} rows") from None
