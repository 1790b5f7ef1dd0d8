"""One device's past from the embedded store, thinned to what a chart can show."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anomgan import band
from anomgan.adapters.downsample import Extremes, Matrix
from anomgan.adapters.sqlite_band import Step, read_bands
from anomgan.adapters.sqlite_expected import ExpectedRows
from anomgan.adapters.sqlite_rows import nan_if_null, unpack_names
from anomgan.records import Floats, Source

CHUNK_ROWS = 8192
"""Rows decoded at a time, so that a month of one device does not have to fit into memory."""
GAP_STEPS = 5.0
SCALARS = ("surprise", "threshold", "discriminator", "reconstruction", "pattern")

Layouts = Mapping[int, tuple[str, ...]]
"""channels_id -> channel names"""


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """One device between two times: columns (T,) and (T, C), NaN = unknown; `rows` = verdicts before thinning.

    Two points further apart than `gap_s` have nothing between them (NaN = the device has no two verdicts yet).
    """

    times: Floats
    surprise: Matrix
    threshold: Matrix
    discriminator: Matrix
    reconstruction: Matrix
    pattern: Matrix
    channels: tuple[str, ...]
    units: tuple[str, ...]
    observed: Matrix
    expected: Matrix
    contribution: Matrix
    rows: int
    gap_s: float
    outside: Matrix
    """what was observed where it lay outside its band, NaN elsewhere; after thinning a bucket's lowest and highest"""
    bands: Sequence[Step]
    low: Matrix | None = None
    """the lower edge of what is likely where `expected` was imputed, NaN where it is the detector's own and the band
    holds; None where nothing was imputed"""
    high: Matrix | None = None
    """likewise the upper edge"""


def read_history(
    connection: sqlite3.Connection, source: Source, start_s: float, end_s: float, points: int
) -> History | None:
    """One device's verdicts in [start_s, end_s], thinned to at most `points` that keep every extreme.

    Channels are those of its newest model first, then those it had before. None where the device is unknown.
    """
    statement = "SELECT id, step_s, channels_id FROM device WHERE (site, device) = (?, ?)"
    known = connection.execute(statement, source).fetchone()
    if known is None:
        return None
    device_id, step_s, newest = known
    statement = "SELECT id, names, units FROM channels WHERE device_id = ? ORDER BY id = ? DESC, id DESC"
    layouts: dict[int, tuple[str, ...]] = {}
    units: dict[str, str] = {}
    for channels_id, names, known_units in connection.execute(statement, (device_id, newest)):
        layouts[channels_id] = unpack_names(names)
        for name, unit in zip(layouts[channels_id], unpack_names(known_units), strict=False):  # units may be unknown
            units.setdefault(name, unit)
    channels = tuple(dict.fromkeys(name for names in layouts.values() for name in names))

    span = "FROM verdict WHERE device_id = ? AND time_s BETWEEN ? AND ?"
    bounds = (device_id, start_s, end_s)
    first, last = connection.execute(f"SELECT min(time_s), max(time_s) {span}", bounds).fetchone()
    few = f"SELECT count(*) FROM (SELECT 1 {span} LIMIT ?)"  # noqa: S608 a constant
    thinned = connection.execute(few, (*bounds, points + 1)).fetchone()[0] > points
    C = len(channels)
    bands = read_bands(connection, device_id, layouts, channels, end_s)
    imputed = ExpectedRows(connection, device_id, channels, start_s, end_s)
    parts = 6 if len(imputed) else 4
    width = len(SCALARS) + parts * C
    # The surprise comes first and the contributions last: a bucket's shares are those of its oddest row.
    extremes = Extremes(first, last, points, width - C, carried=C) if thinned else None
    pieces_t: list[Floats] = [np.empty(0)]
    pieces: list[Matrix] = [np.empty((0, width), dtype=np.float32)]
    count = 0
    fields = f"time_s, channels_id, {', '.join(SCALARS)}, observed, expected, contribution"
    cursor = connection.execute(f"SELECT {fields} {span} ORDER BY time_s", bounds)
    while rows := cursor.fetchmany(CHUNK_ROWS):
        count += len(rows)
        times, table = decode(rows, layouts, channels)
        mark_outside(times, table, bands)
        if len(imputed):
            table = put_imputed(times, table, imputed)
        if extremes is None:
            pieces_t.append(times)
            pieces.append(table)
        else:
            extremes.add(times, table)
    times, table = (np.concatenate(pieces_t), np.concatenate(pieces)) if extremes is None else extremes.result()

    gap_s = GAP_STEPS * nan_if_null(step_s)
    scalars = {name: table[:, i] for i, name in enumerate(SCALARS)}
    observed, expected, outside, *edges, contribution = np.split(table[:, len(SCALARS) :], parts, axis=1)  # (T, C)
    return History(
        times=times,
        **scalars,
        channels=channels,
        units=tuple(units.get(name, "") for name in channels),
        observed=observed,
        expected=expected,
        contribution=contribution,
        rows=count,
        gap_s=gap_s if extremes is None else max(gap_s, 2.0 * extremes.width_s),
        outside=outside,
        bands=bands,
        low=edges[0] if edges else None,
        high=edges[1] if edges else None,
    )


def decode(rows: Sequence[Sequence[Any]], layouts: Layouts, channels: Sequence[str]) -> tuple[Floats, Matrix]:
    """Rows of the `verdict` table -> times (n,), table (n, scalars + 4C): a channel that a row lacks is NaN there.

    Of the four the third is left open, for `mark_outside`.
    """
    n, C = len(rows), len(channels)
    columns = list(zip(*rows, strict=True))
    times = np.array(columns[0], dtype=np.float64)
    table = np.full((n, len(SCALARS) + 4 * C), np.nan, dtype=np.float32)
    for i in range(len(SCALARS)):
        table[:, i] = np.array(columns[2 + i], dtype=np.float32)  # None becomes NaN
    ids = np.array(columns[1])
    place = {name: i for i, name in enumerate(channels)}
    for channels_id in dict.fromkeys(columns[1]):
        at = np.flatnonzero(ids == channels_id)
        names = layouts[channels_id]
        to = np.array([place[name] for name in names], dtype=np.int64)
        for part, column in zip((0, 1, 3), columns[len(SCALARS) + 2 :], strict=True):
            blobs = b"".join(blob for blob, row_id in zip(column, columns[1], strict=True) if row_id == channels_id)
            values = np.frombuffer(blobs, "<f4").reshape(len(at), len(names))
            table[np.ix_(at, len(SCALARS) + part * C + to)] = values
    return times, table


def mark_outside(times: Floats, table: Matrix, bands: Sequence[Step]) -> None:
    """Put what was observed outside its band into a table of `decode`, row by row, before any thinning."""
    C = (table.shape[1] - len(SCALARS)) // 4
    observed, expected, outside = (table[:, len(SCALARS) + part * C :][:, :C] for part in range(3))
    for i, step in enumerate(bands):
        end_s = bands[i + 1].since_s if i + 1 < len(bands) else np.inf
        rows = slice(*np.searchsorted(times, (step.since_s, end_s)))
        beyond = band.outside(step.band, expected[rows], observed[rows])
        outside[rows][beyond] = observed[rows][beyond]


def put_imputed(times: Floats, table: Matrix, imputed: ExpectedRows) -> Matrix:
    """A table of `decode` with what was imputed in the place of what the detector expected, and its edges, low and
    high, before the contributions; there the edges say what lay outside."""
    low, middle, high = imputed.of(times)
    known = ~np.isnan(middle)
    C = middle.shape[1]
    observed, expected, outside = (table[:, len(SCALARS) + part * C :][:, :C] for part in range(3))
    expected[known] = middle[known]
    outside[known] = np.where((observed < low) | (observed > high), observed, np.nan)[known]
    return np.concatenate([table[:, :-C], low, high, table[:, -C:]], axis=1)
