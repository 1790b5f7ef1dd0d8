"""The files of a data set, in Parquet or CSV: each is whole, or not there; the same content gives the same bytes."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats

ROW_GROUP = 1 << 17
"""rows of one row group: stated, so that it depends on no machine"""
LEVEL = 1
"""of zstd: higher ones take several times as long for a few per cent"""


def check_empty(folder: Path) -> None:
    """DataError unless the folder can be made or is there and has nothing in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError(f"{folder}: it is not empty; a data set wants a folder of its own")
    except FileExistsError:
        raise DataError(f"{folder}: a file, not a folder") from None
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from None


def device_table(times_us: NDArray[np.int64], columns: Mapping[str, Floats], labels: NDArray[np.bool_] | None) -> Any:
    """Rows of one device as a table: `time` (UTC), its channels, and `label` (0 or 1) where there are labels."""
    series = [pl.Series("time", times_us).cast(pl.Datetime("us", "UTC"))]
    series += [pl.Series(name, values, nan_to_null=True) for name, values in columns.items()]
    if labels is not None:
        series.append(pl.Series("label", labels).cast(pl.UInt8))
    return pl.DataFrame(series)


def truth_table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Ground truth as a table: a row for each fault (domain "fault") or incident ("network"), in the order given."""
    moment = pl.Datetime("us", "UTC")
    schema = {
        "site": pl.String,
        "device": pl.String,
        "device_kind": pl.String,
        "kind": pl.String,
        "channels": pl.String,
        "severity": pl.Float64,
        "ramp_s": pl.Float64,
        "recovery_s": pl.Float64,
        "start": pl.Int64,
        "end": pl.Int64,
        "domain": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("start", "end").cast(moment))


def write_table(path: Path, table: Any) -> int:
    """Put a table in place, in the form that the name's ending tells; the file's size. DataError where it cannot be."""

    def parquet(file: BinaryIO) -> None:
        table.write_parquet(
            file, compression="zstd", compression_level=LEVEL, row_group_size=ROW_GROUP, statistics=True
        )

    def csv(file: BinaryIO) -> None:
        table.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")

    return _put(path, csv if path.suffix == ".csv" else parquet)


def write_text(path: Path, content: bytes) -> int:
    """Put a file in place; its size."""
    return _put(path, lambda file: file.write(content))


@contextmanager
def scratch(folder: Path, shape: tuple[int, ...]) -> Iterator[Floats]:
    """An array that lies in an unnamed file, for what is more than fits in memory; DataError where there is no room."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * 8)
            yield np.memmap(file, np.float64, "r+", shape=shape)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from None


def _put(path: Path, write: Callable[[BinaryIO], object]) -> int:
    """Write beside the place, then move there: what a killed program leaves has another name."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                write(file)
                size = file.tell()
            part.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                part.unlink()
            raise
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
    return size
