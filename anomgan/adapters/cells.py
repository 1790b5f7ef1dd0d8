"""Cells of a table as numbers, labels and event times; every refusal names the line, the column and the value."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomgan.adapters.tables import Table
from anomgan.errors import DataError
from anomgan.records import Floats

_MISSING = ("nan", "na", "n/a", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity")
_TRUTH = {"true": "1", "false": "0"}
_COMMA = r"^[+-]?\d*,\d*([eE][+-]?\d+)?$"

_ISO = (
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y%m%dT%H%M%S%.f%#z",
    "%Y%m%dT%H%M%S%.f",
)
_DAY_FORMS = (
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%m-%Y",
    "%m-%d-%Y",
)
_HOUR_FORMS = ("T%H:%M:%S%.f", "T%H:%M", "T%I:%M:%S %p", "T%I:%M %p", "")
TIME_FORMATS = (*_ISO, *(day + hour for day in _DAY_FORMS for hour in _HOUR_FORMS))

TIME_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9, "min": 1 / 60, "h": 1 / 3600}
_MAGNITUDES = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (np.inf, "ns"))


def numbers(table: Table, column: str) -> Floats:
    """A column (T,) as float64: empty cells, NaN, NA, null and infinities are NaN; true is 1 and false is 0.

    In a file whose separator is not the comma, 1,5 is 1.5, unless the column holds points as well.
    """
    cells = table.frame[column]
    if cells.dtype != pl.String:
        if not (cells.dtype.is_numeric() or cells.dtype in (pl.Boolean, pl.Null)):
            raise DataError(f"{table.path}, column {column!r}: {cells.dtype} where numbers are expected")
        values = cells.cast(pl.Float64)
    else:
        values = _from_text(table, column, cells)
    array = values.fill_null(np.nan).to_numpy().astype(np.float64)
    array[np.isinf(array)] = np.nan
    return array


def _from_text(table: Table, column: str, cells: pl.Series) -> pl.Series:
    values = cells.cast(pl.Float64, strict=False)
    if values.null_count() == cells.null_count():
        return values
    lower = cells.str.to_lowercase()
    plain = lower.replace(_TRUTH)
    odd = (values.is_null() & plain.is_not_null() & ~plain.is_in(_MISSING)).fill_null(False)
    if table.separator != "," and bool((odd & plain.str.contains(_COMMA)).any()):
        points = plain.str.contains(r"^[+-]?\d*\.\d")
        if bool(points.any()):
            comma, point = (odd & plain.str.contains(_COMMA)).arg_max() or 0, points.arg_max() or 0
            raise DataError(
                f"{table.place(comma)}, column {column!r}: {cells[comma]!r} has a decimal comma, "
                f"but {cells[point]!r} ({table.place(point)}) a decimal point"
            )
        plain = plain.str.replace(",", ".", literal=True)
    values = plain.cast(pl.Float64, strict=False)
    bad = (values.is_null() & plain.is_not_null() & ~plain.is_in(_MISSING)).fill_null(False)
    if bool(bad.any()):
        row = bad.arg_max() or 0
        hint = "; leave the column out if it is not a channel" if bool((bad | cells.is_null()).all()) else ""
        raise DataError(f"{table.place(row)}, column {column!r}: {cells[row]!r} is not a number{hint}")
    return values


def labels(table: Table, column: str) -> NDArray[np.bool_]:
    """A column (T,) of 0 and 1 (or false and true) as bool, True = anomalous."""
    values = numbers(table, column)
    wrong = ~((values == 0) | (values == 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        cell = table.frame[column][row]
        given = "an empty cell" if cell is None else repr(cell)
        raise DataError(f"{table.place(row)}, column {column!r}: a label is 0 or 1, not {given}")
    return np.asarray(values == 1)


def times(table: Table, column: str, unit: str = "") -> Floats:
    """A column (T,) as seconds since 1970 UTC, in the order of the file.

    Text is ISO 8601 or one of TIME_FORMATS, the same in the whole file; without a zone it is UTC. Numbers are in
    `unit` (s, ms, us, ns, min, h) or, where that is empty, in the unit that the magnitude of their median tells:
    below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
    """
    cells = table.frame[column]
    if cells.null_count():
        raise DataError(f"{table.place(cells.is_null().arg_max() or 0)}, column {column!r}: the time is missing")
    if cells.dtype == pl.Date or isinstance(cells.dtype, pl.Datetime):
        return _epoch(cells.cast(pl.Datetime("us")))
    if cells.dtype == pl.String and not _is_numeric_text(cells):
        return _from_dates(table, column, cells)
    counts = numbers(table, column)
    if np.isnan(counts).any():
        raise DataError(f"{table.place(int(np.argmax(np.isnan(counts))))}, column {column!r}: the time is missing")
    median = float(np.median(np.abs(counts)))
    return counts / TIME_UNITS[unit or next(name for limit, name in _MAGNITUDES if median < limit)]


def check_order(table: Table, column: str, seconds: Floats) -> None:
    """DataError at the first row whose time is not after the one before."""
    steps = np.diff(seconds)
    if np.any(steps <= 0):
        row = int(np.argmax(steps <= 0)) + 1
        kind = "duplicate timestamp" if steps[row - 1] == 0 else "timestamps are not in order"
        cells = table.frame[column]
        raise DataError(f"{table.place(row)}, column {column!r}: {kind} ({cells[row - 1]} then {cells[row]})")


def looks_like_dates(cells: pl.Series) -> bool:
    """Whether a column holds dates, judged by its type or its first cell."""
    if cells.dtype == pl.Date or isinstance(cells.dtype, pl.Datetime):
        return True
    if cells.dtype != pl.String or cells.len() == 0 or cells[0] is None or _is_numeric_text(cells):
        return False
    return bool(_formats_of(_tidy(cells.head(1))))


def _is_numeric_text(cells: pl.Series) -> bool:
    """Whether the first cell is a number, with a point or a comma."""
    return cells.head(1).str.replace(",", ".", literal=True).cast(pl.Float64, strict=False).null_count() == 0


def _tidy(cells: pl.Series) -> pl.Series:
    """One form for what people vary: T between day and hour, minutes always there, no blank before the zone."""
    return (
        cells.str.replace(r"^([\d./-]+)[ T_]+", "${1}T")
        .str.replace(r"T(\d{1,2})$", "T${1}:00")
        .str.replace(r"(\d) ?(Z|z|UTC)$", "${1}+00:00")
        .str.replace(r"(\d) ([+-]\d\d:?\d\d)$", "${1}${2}")
        .str.replace(r"(\d),(\d+)", "${1}.${2}")
    )


def _read(tidy: pl.Series, form: str) -> pl.Series:
    """Datetimes (null where the format does not fit); 16 is never the year 16."""
    moments = tidy.str.to_datetime(form, time_unit="us", strict=False)
    return moments if "%Y" not in form else moments.set(moments.dt.year() < 1000, None)


def _formats_of(first: pl.Series) -> list[str]:
    """Every known format that reads the one cell given."""
    return [form for form in TIME_FORMATS if _read(first, form).null_count() == 0]


def _from_dates(table: Table, column: str, cells: pl.Series) -> Floats:
    tidy = _tidy(cells)
    reads = [_read(tidy, form) for form in _formats_of(tidy.head(1))]
    if not reads:
        raise DataError(f"{table.place(0)}, column {column!r}: {cells[0]!r} is not a time; use ISO 8601 or seconds")
    fitting = [_epoch(moments) for moments in reads if moments.null_count() == 0]
    if not fitting:
        row = max(moments.is_null().arg_max() or 0 for moments in reads)
        raise DataError(f"{table.place(row)}, column {column!r}: {cells[row]!r} is not a time like {cells[0]!r}")
    choices = [seconds for seconds in fitting if np.all(np.diff(seconds) > 0)] or fitting
    if any(not np.array_equal(choices[0], other) for other in choices[1:]):
        raise DataError(
            f"{table.place(0)}, column {column!r}: {cells[0]!r} may be day/month or month/day; use ISO 8601, 2024-12-31"
        )
    return choices[0]


def _epoch(moments: pl.Series) -> Floats:
    """Datetimes in microseconds as seconds since 1970 UTC."""
    return moments.dt.epoch("us").to_numpy() / 1e6


def is_row_number(cells: pl.Series) -> bool:
    """Whether a column counts rows, at least two: whole numbers, each one more than the one before."""
    counts = cells.cast(pl.Int64, strict=False) if cells.dtype == pl.String or cells.dtype.is_integer() else None
    return (
        counts is not None
        and len(counts) > 1
        and counts.null_count() == 0
        and bool((counts.diff().drop_nulls() == 1).all())
    )
