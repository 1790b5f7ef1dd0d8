"""Models in the embedded store: a sheet of each and of each fleet, and how much each has judged.

A page that reads the store needs no model file: the service writes what it knows of a model when it loads it. How much
a model has judged is counted as verdicts are written, by day of event time, so that alarms can be held against the time
in which they could have come without a look at every verdict. A verdict that is written again counts once: only what is
newer than all that a device has counts.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.adapters.ports import Sheet
from anomgan.records import Verdict

MODEL_TABLES = """
CREATE TABLE sheet (                -- what is known of models and fleets, for people to look at
    kind TEXT NOT NULL,             -- model or fleet
    name TEXT NOT NULL,
    digest TEXT NOT NULL,           -- of a model's file
    told_s REAL NOT NULL,           -- by the service's clock
    in_use INTEGER NOT NULL,
    content TEXT NOT NULL,          -- JSON
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE judged (               -- windows with a known surprise, by model and day of event time
    model TEXT NOT NULL,
    day INTEGER NOT NULL,           -- days since 1970 UTC
    first_s REAL NOT NULL,
    last_s REAL NOT NULL,
    windows INTEGER NOT NULL,
    bins BLOB NOT NULL,             -- int64 little endian: how many had a surprise from i * BIN on, the last all above
    PRIMARY KEY (model, day)
) WITHOUT ROWID;
"""
DAY_S = 86_400.0
BIN, BINS = 0.25, 49
OUT_OF_USE = 20
"""models that no fleet uses any more, of which the sheet and what they have judged are kept"""
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a model has judged since `first_s` of event time: windows, and by BIN how surprising; events whose start is
    in that time: those that were told, by how many devices, the most of one, those muted and those called false."""

    windows: int = 0
    first_s: float | None = None
    last_s: float | None = None
    bins: Counts | None = None
    told: int = 0
    devices: int = 0
    most: int = 0
    most_device: str = ""
    muted: int = 0
    false_alarms: int = 0


def write_sheets(connection: sqlite3.Connection, sheets: Sequence[Sheet], told_s: float) -> None:
    """Keep the sheets of all that is in use, within the caller's transaction; a model that is another one by the same
    name begins to count anew."""
    for sheet in sheets:
        if sheet.kind == "model":
            known = "SELECT digest FROM sheet WHERE kind = 'model' AND name = ?"
            before = connection.execute(known, (sheet.name,)).fetchone()
            if before is not None and before[0] != sheet.digest:
                connection.execute("DELETE FROM judged WHERE model = ?", (sheet.name,))
    connection.execute("DELETE FROM sheet WHERE kind = 'fleet'")
    connection.execute("UPDATE sheet SET in_use = 0")
    connection.executemany(
        "INSERT OR REPLACE INTO sheet VALUES (?, ?, ?, ?, 1, ?)",
        [(sheet.kind, sheet.name, sheet.digest, told_s, json.dumps(sheet.content)) for sheet in sheets],
    )
    old = "SELECT name FROM sheet WHERE kind = 'model' AND in_use = 0 ORDER BY told_s DESC, name LIMIT -1 OFFSET ?"
    forgotten = connection.execute(old, (OUT_OF_USE,)).fetchall()
    connection.executemany("DELETE FROM sheet WHERE kind = 'model' AND name = ?", forgotten)
    connection.executemany("DELETE FROM judged WHERE model = ?", forgotten)


def count_judged(connection: sqlite3.Connection, fresh: Iterable[Verdict], retention_s: float) -> None:
    """Count known verdicts that are newer than all of their device, and forget days that begin before what is
    retained."""
    by_day: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for verdict in fresh:
        key = (verdict.model, int(verdict.time_s // DAY_S))
        by_day.setdefault(key, []).append((verdict.time_s, verdict.surprise))
    for (model, day), pairs in by_day.items():
        times, surprises = np.array(pairs, np.float64).T
        bins = np.bincount(np.clip(surprises / BIN, 0, BINS - 1).astype(np.int64), minlength=BINS)
        first_s, last_s, windows = float(times.min()), float(times.max()), len(times)
        known = "SELECT first_s, last_s, windows, bins FROM judged WHERE model = ? AND day = ?"
        before = connection.execute(known, (model, day)).fetchone()
        if before is not None:
            first_s, last_s, windows = min(first_s, before[0]), max(last_s, before[1]), windows + before[2]
            bins = bins + np.frombuffer(before[3], "<i8")
        row = (model, day, first_s, last_s, windows, bins.astype("<i8").tobytes())
        connection.execute("INSERT OR REPLACE INTO judged VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.execute("DELETE FROM judged WHERE model = ? AND first_s < ?", (model, last_s - retention_s))


def read_sheets(connection: sqlite3.Connection, kind: str, name: str | None = None) -> list[tuple[Sheet, float, bool]]:
    """(sheet, when it was told, whether it is in use), those in use first, then the newest."""
    where, parameters = ("", (kind,)) if name is None else ("AND name = ?", (kind, name))
    statement = f"""
        SELECT kind, name, digest, content, told_s, in_use FROM sheet WHERE kind = ? {where}
        ORDER BY in_use DESC, told_s DESC, name
    """  # noqa: S608 the part put in is a constant
    return [
        (Sheet(kind, name, digest, json.loads(content)), told_s, bool(in_use))
        for kind, name, digest, content, told_s, in_use in connection.execute(statement, parameters)
    ]


def read_judged(connection: sqlite3.Connection, model: str) -> Judged:
    """How much a model has judged, and the events of that time."""
    days = connection.execute("SELECT first_s, last_s, windows, bins FROM judged WHERE model = ?", (model,)).fetchall()
    if not days:
        return Judged()
    first_s, last_s = min(day[0] for day in days), max(day[1] for day in days)
    counted: list[Any] = connection.execute(
        """SELECT d.id, d.device, e.state, count(*) FROM event e JOIN device d ON d.id = e.device_id
           WHERE e.model = ? AND e.start_s >= ? GROUP BY d.id, e.state""",
        (model, first_s),
    ).fetchall()
    told: Counter[tuple[int, str]] = Counter()
    for device_id, device, state, count in counted:
        if state != "muted":
            told[device_id, device] += count
    ((_, most_device), most), *_ = told.most_common(1) or [((0, ""), 0)]
    return Judged(
        windows=sum(day[2] for day in days),
        first_s=first_s,
        last_s=last_s,
        bins=np.sum([np.frombuffer(day[3], "<i8") for day in days], axis=0),
        told=told.total(),
        devices=len(told),
        most=most,
        most_device=most_device,
        muted=sum(count for *_, state, count in counted if state == "muted"),
        false_alarms=sum(count for *_, state, count in counted if state == "false_alarm"),
    )
