"""A series as a file that `read_series` reads back: CSV or Parquet, by the name's ending."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from anomgan.adapters.dataset_files import write_table
from anomgan.adapters.files import is_date
from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries

ENDINGS = (".csv", ".parquet")
TIMES = ("time", "timestamp", "datetime", "time of the row")


def check_ending(path: Path) -> None:
    """DataError for a name that tells no form that a series can be written in."""
    if path.suffix not in ENDINGS:
        raise DataError(f"{path}: a series is written as {' or '.join(ENDINGS)}")


def write_series(path: Path, series: TimeSeries, others: Mapping[str, Floats] | None = None) -> int:
    """Write the times, the channels with their units, and other columns (T,); NaN leaves cells empty. The file's size.

    Times are ISO 8601 UTC, or plain seconds where they are no dates, in a column `time`, or the first other of TIMES
    that is no channel. DataError where another column is called as a channel is.
    """
    names = [f"{name} [{unit}]" if unit else name for name, unit in zip(series.channels, series.units, strict=True)]
    taken = {*series.channels, *names}
    for name in others or ():
        if name in taken:
            raise DataError(f"{path}: a channel is called {name!r}, as a column that is to stand beside the channels")
    times = pl.Series(next(name for name in TIMES if name not in taken), series.times)
    if len(series) and is_date(series.times[0]):
        times = (times * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    columns = dict(zip(names, series.values.T, strict=True)) | dict(others or {})
    table = pl.DataFrame([times, *(pl.Series(name, values, nan_to_null=True) for name, values in columns.items())])
    return write_table(path, table)
