"""Files in and out: series from CSV or Parquet, configurations from TOML, scores to CSV.

Whatever is wrong with a file is a DataError (ConfigError for TOML) that names the file, the line and the column.
"""

import contextlib
import io
import json
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomgan.adapters.bounded import read_at_most
from anomgan.adapters.columns import find, find_time, spell
from anomgan.config import Model, parse_config
from anomgan.errors import ConfigError, DataError, ModelFileError
from anomgan.records import TimeSeries

if TYPE_CHECKING:
    from anomgan.adapters.tables import Table

ALL_ROWS = slice(None)
MOST_CONFIG_BYTES, MOST_MODEL_BYTES = 10_000_000, 2_000_000_000
_YEAR_S = 365 * 86_400.0


def read_series(
    path: str | Path,
    *,
    time: str | None = None,
    label: str | None = None,
    ignore: Sequence[str] = (),
    channels: Sequence[str] | None = None,
    rows: slice = ALL_ROWS,
    device: str | None = None,
    may_be_dead: bool = False,
) -> TimeSeries:
    """The series in a CSV or Parquet file; DataError names the file, the line and the column.

    CSV is UTF-8 with a header line; the separator is found among comma, semicolon, tab and bar, and in a file
    separated by another than the comma 1,5 is read as 1.5. An empty cell, NaN, NA, null or an infinity is missing.

    time: the column of the times (ISO 8601, common date forms, or epoch numbers, see `cells.times`). Left out, it
    is the one column called time, timestamp, datetime or the like; else the one that holds dates; else a first
    column of consecutive whole numbers, in seconds, where others follow; else rows are 1 s apart from 0.
    label: a column of 0 and 1. ignore: columns that are no channels. channels: take these, in this order; left
    out, all others. Columns may be named as in the header or without their unit: `pressure [bar]` is the channel
    `pressure` in bar. rows: a slice of the data rows, within the file. device: the device's name, by default the
    file's. may_be_dead: whether a channel without a single value is one all the same.
    """
    from anomgan.adapters import cells  # polars costs 0.1 s and 40 MB, which a service that reads a config saves
    from anomgan.adapters.tables import read_table

    table = read_table(path)
    columns = spell(table.frame.columns)
    left_out = {find(table.path, columns, name).column for name in ignore}
    label_column = find(table.path, columns, label) if label is not None else None
    if label_column is not None:
        left_out.add(label_column.column)
    chosen = [find(table.path, columns, name) for name in channels or ()]
    free = [c for c in columns if c.column not in left_out and c not in chosen]
    time_column = find(table.path, columns, time) if time is not None else find_time(table, free)
    if channels is None:
        chosen = [c for c in free if c != time_column]
    if not chosen:
        raise DataError(f"{table.path}: no column is left for a channel (columns: {', '.join(table.frame.columns)})")

    seconds = np.arange(len(table), dtype=np.float64)
    if time_column is not None:
        seconds = cells.times(
            table, time_column.column, time_column.unit if time_column.unit in cells.TIME_UNITS else ""
        )
    cut = _within(table, rows)
    table, seconds = table.rows(cut), seconds[cut]
    if time_column is not None:
        cells.check_order(table, time_column.column, seconds)
    labels = cells.labels(table, label_column.column) if label_column is not None else None
    values = np.stack([cells.numbers(table, c.column) for c in chosen], axis=1)  # (T, C)
    for c, column in enumerate(chosen):
        if not may_be_dead and np.isnan(values[:, c]).all():
            where = f"{table.place(0)} to {table.lines[-1]}"
            raise DataError(f"{where}, column {column.column!r}: not a single value; leave this column out")
    return TimeSeries(
        times=seconds,
        values=values,
        channels=tuple(c.channel for c in chosen),
        labels=labels,
        units=tuple(c.unit for c in chosen),
        device=Path(path).stem if device is None else device,
    )


read_csv = read_series
"""The name people look for; it reads Parquet as well."""


def read_channels(path: str | Path) -> tuple[str, ...]:
    """What the columns of a CSV or Parquet file are called as channels: its header without units."""
    from anomgan.adapters.tables import column_names

    return tuple(c.channel for c in spell(column_names(path)))


def read_config(path: str | Path, model: type[Model]) -> Model:
    """A TOML file checked against a model of `anomgan.config`; ConfigError names the file, the line or the key."""
    try:
        document = tomllib.loads(read_at_most(path, MOST_CONFIG_BYTES, ConfigError).decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid TOML: nested too deeply") from None
    except ValueError:  # what tomllib leaves to Python: a whole number of thousands of digits
        raise ConfigError(f"{path}: not valid TOML: a number has too many digits") from None
    return parse_config(model, document, str(path))


def read_model_bytes(path: str | PathLike[str]) -> bytes:
    """The content of a model file; ModelFileError where there is none to be had."""
    try:
        return read_at_most(path, MOST_MODEL_BYTES, ModelFileError)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}") from None


def write_scores(
    path: str | Path, series: TimeSeries, columns: Mapping[str, NDArray[Any] | Sequence[int | None]]
) -> None:
    """Write a CSV of `time` and the columns given, each with the T rows of the series; NaN and None leave cells empty.

    Times are ISO 8601 UTC, or plain seconds where they are no dates.
    """
    import polars as pl

    times = pl.Series("time", series.times)
    if len(series) and is_date(series.times[0]):
        whole = bool(np.all(series.times == np.round(series.times)))
        moments = (times * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us"))
        times = moments.dt.strftime("%Y-%m-%dT%H:%M:%SZ" if whole else "%Y-%m-%dT%H:%M:%S%.6fZ")
    others = [pl.Series(name, values) for name, values in columns.items()]
    others = [column.fill_nan(None) if column.dtype.is_float() else column for column in others]
    buffer = io.BytesIO()
    pl.DataFrame([times, *others]).write_csv(buffer)
    write_bytes(path, buffer.getvalue())


def is_date(time_s: float) -> bool:
    """Whether an event time is a date, or else seconds since the start of something: those fall into 1970."""
    return time_s >= _YEAR_S


def write_bytes(path: str | PathLike[str], content: bytes | Iterable[bytes]) -> None:
    """Put a file in place whole or not at all; DataError where that cannot be done."""
    target = Path(path)
    with _writing(path):
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            Path(part).chmod(0o666 & ~mask)  # mkstemp makes files private
            Path(part).replace(target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(part).unlink()
            raise


def check_writable(path: str | Path) -> None:
    """DataError where a file could not be put: better before the work than after it."""
    target = Path(path)
    with _writing(path):
        if not target.parent.is_dir():
            raise DataError(f"{path}: cannot be written: there is no directory {target.parent}")
        if target.is_dir():
            raise DataError(f"{path}: cannot be written: a directory")
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # as `write_bytes` begins
        os.close(handle)
        Path(part).unlink()


@contextlib.contextmanager
def json_lines(path: str | Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A fresh file and a function that adds one JSON object to it as a line, there to be read at once.

    DataError where the file cannot be made or, later, written.
    """
    with _writing(path):
        file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 closed below, where a full disk shows again

    def add(record: Mapping[str, Any]) -> None:
        with _writing(path):
            file.write(json.dumps(record) + "\n")
            file.flush()

    try:
        yield add
    finally:
        with _writing(path):
            file.close()


@contextlib.contextmanager
def _writing(path: str | PathLike[str]) -> Iterator[None]:
    """What the system says against it is a DataError that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None


def _within(table: "Table", rows: slice) -> slice:
    """The slice with both ends filled in; DataError where it reaches outside the table or holds no row."""
    total = len(table)
    ends = [e for e in (rows.start, rows.stop) if e is not None]
    start, stop, step = rows.indices(total)
    if step != 1:
        raise DataError("rows are taken one by one; a slice with a step is not supported")
    if any(not -total <= end <= total for end in ends) or start >= stop:
        asked = f"{'' if rows.start is None else rows.start}:{'' if rows.stop is None else rows.stop}"
        raise DataError(f"{table.path}: rows {asked} of a file with {total} rows")
    return slice(start, stop)
