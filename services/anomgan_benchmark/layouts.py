"""Series and tables as the owners of data sets write them down: npz, npy, text matrices, CSV, labelled segments.

Nothing here loads a pickle: that would execute what the file holds.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries, series_from_array


@dataclass(frozen=True, slots=True)
class Segment:
    """A labelled stretch of the test part: rows `start` to `end`, both included, and the channels at fault, from 0."""

    start: int
    end: int
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSeries:
    """A training part without anomalies and a labelled test part; segments where channels are labelled too."""

    train: TimeSeries
    test: TimeSeries
    segments: tuple[Segment, ...] = ()

    @property
    def labels(self) -> NDArray[np.bool_]:
        """(T,) True where the test part is anomalous."""
        if self.test.labels is None:
            raise RuntimeError("a labelled series has labels")
        return self.test.labels

    @property
    def has_both_kinds(self) -> bool:
        """Whether some rows are labelled and some are not: ranking figures need both."""
        return 0 < int(self.labels.sum()) < len(self.labels)


def labelled_series(
    path: Path,
    train: Floats,
    test: Floats,
    labels: NDArray[Any],
    period_s: float,
    segments: Sequence[Segment] = (),
) -> LabelledSeries:
    """Arrays (T0, C), (T1, C) and labels (T1,), a row every `period_s`; DataError naming `path` where they do not fit.

    Rows count as evenly spaced, as every detector that is published with these sets takes them.
    """
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1] or labels.shape != (len(test),):
        raise DataError(
            f"{path}: training part {train.shape}, test part {test.shape}, labels {labels.shape} do not fit"
        )
    if not np.isin(labels, (0, 1)).all():
        raise DataError(f"{path}: a label is 0 or 1")
    for one in segments:
        if not 0 <= one.start <= one.end < len(test) or not all(0 <= c < test.shape[1] for c in one.channels):
            raise DataError(f"{path}: segment {one.start}-{one.end} lies outside the {test.shape} test part")
    known = series_from_array(test, period_s)
    return LabelledSeries(
        train=series_from_array(train, period_s),
        test=TimeSeries(known.times, known.values, known.channels, labels.astype(np.bool_)),
        segments=tuple(segments),
    )


def read_npz(path: Path, period_s: float, segments: Sequence[Segment] = ()) -> LabelledSeries:
    """An npz of `train` (T0, C), `test` (T1, C) and `label` (T1,)."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            train, test, labels = (arrays[name] for name in ("train", "test", "label"))
    except KeyError as error:
        raise DataError(f"{path}: {error.args[0]}") from None
    except (OSError, ValueError, TypeError, BadZipFile) as error:  # TypeError: one bare array
        raise DataError(f"{path}: not an npz of plain arrays: {error}") from None
    return labelled_series(path, train.astype(np.float64), test.astype(np.float64), labels, period_s, segments)


def read_npy(path: Path) -> Floats:
    """An array (T, C) of numbers."""
    try:
        with path.open("rb") as file:
            return np.asarray(np.load(file, allow_pickle=False), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not an npy of numbers: {error}") from None


def read_matrix(path: Path, delimiter: str | None = None) -> Floats:
    """Numbers (T, C) as text, a row per line; without a delimiter, split at blanks."""
    try:
        return np.loadtxt(path, dtype=np.float64, delimiter=delimiter, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None


def read_table(path: Path, delimiter: str = ",") -> dict[str, list[str]]:
    """A CSV with a header as text, column by column, without blanks around."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, delimiter=delimiter))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    rows = [row for row in rows if row]
    if len(rows) < 2:
        raise DataError(f"{path}: there is no row under a header")
    header = [name.strip() for name in rows[0]]
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise DataError(f"{path}:{line}: {len(row)} cells under {len(header)} columns")
    return {name: [row[c].strip() for row in rows[1:]] for c, name in enumerate(header)}


def column(path: Path, table: dict[str, list[str]], name: str) -> list[str]:
    """One column of a table; DataError names those there are."""
    if name not in table:
        raise DataError(f"{path}: there is no column {name!r} among {', '.join(table)}")
    return table[name]


def numbers(path: Path, table: dict[str, list[str]], names: Sequence[str]) -> Floats:
    """Columns of a table as numbers (T, C), an empty cell as NaN; DataError names line and column."""
    result = np.empty((len(next(iter(table.values()))), len(names)))
    for c, name in enumerate(names):
        for row, cell in enumerate(column(path, table, name)):
            try:
                result[row, c] = float(cell) if cell else np.nan
            except ValueError:
                raise DataError(f"{path}:{row + 2}: {cell!r} in column {name!r} is not a number") from None
    return result


def read_segments(path: Path, end_included: bool) -> tuple[Segment, ...]:
    """Lines `start-end:channels`, rows from 0, channels from 1: `760-765:4,5` are rows 760 to 765, the 4th and 5th.

    SMD ends a segment before its last number (its labels agree with that for all segments), ASD with it.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    segments = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            span, _, channels = line.partition(":")
            start, end = (int(part) for part in span.split("-"))
            named = tuple(sorted({int(part) - 1 for part in channels.split(",")}))
        except ValueError:
            raise DataError(f"{path}:{number}: {line!r} is not start-end:channels, such as 760-765:4,5") from None
        segments.append(Segment(start, end if end_included else end - 1, named))
    return tuple(segments)
