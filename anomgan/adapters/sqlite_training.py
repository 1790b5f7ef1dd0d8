"""The history that a fleet learns from: its newest readings in one SQLite file, bounded, durable before acknowledged.

A Store: what a turn gathered is there when `write` returns, and writing it again changes nothing. Readings of a device
while it had an event are marked, so that what was told as a fault is not learned as normal. Every device keeps its
newest readings, all devices the same number of them.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
import orjson

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite_kind import Kind, connect_writer, plain_errors
from anomgan.records import Event, Reading, Source, TimeSeries

SCHEMA = """
CREATE TABLE device (id INTEGER PRIMARY KEY, site TEXT NOT NULL, device TEXT NOT NULL, UNIQUE (site, device));
CREATE TABLE channels (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);  -- JSON array
CREATE TABLE reading (
    device_id INTEGER NOT NULL REFERENCES device (id),
    time_s REAL NOT NULL,
    channels_id INTEGER NOT NULL REFERENCES channels (id),
    observed BLOB NOT NULL,             -- float64 little endian, one per channel
    odd INTEGER NOT NULL DEFAULT 0,     -- an event was open
    PRIMARY KEY (device_id, time_s, channels_id)
) WITHOUT ROWID;
CREATE TABLE kind (partial INTEGER NOT NULL);  -- 1: a reading may be a part of a row, by the fleet's dialect
INSERT INTO kind VALUES (0);
"""
HISTORY = Kind("history", 0x61676874, 1, SCHEMA)  # `aght` in ASCII
FILE_NAME = "history.db"
BUSY_TIMEOUT_S = 10.0
MAX_DEVICES = 64
"""a history is kept of the first so many that were heard: they are enough to know a kind of device by"""
SLACK = 1.05
"""a device's readings outgrow their number by so much before they are cut, for cutting one by one is slow"""
KEEP_ROWS = 500_000
IN_RANGE = (
    "SELECT time_s, channels_id, observed FROM reading WHERE device_id = ? AND time_s BETWEEN ? AND ?"
    " AND odd <= ? ORDER BY time_s"
)


class TrainingHistory:
    """The history in a folder of models; opened at the first use. `folder` is its name in batches.

    `partial` says whether a reading may be a part of a row; None leaves what the file says.
    """

    def __init__(self, folder: str, keep_rows: int = KEEP_ROWS, partial: bool | None = None) -> None:
        self.folder = folder
        self._partial = partial
        self.path = Path(folder) / FILE_NAME
        self.keep_rows = keep_rows
        self._connection: sqlite3.Connection | None = None
        self._devices: dict[Source, int] = {}
        self._channels: dict[tuple[str, ...], int] = {}
        self._counts: dict[int, Counter[int]] = {}
        self.outlived: Counter[str] = Counter()

    def check(self) -> str:
        """Open the file and say in one line what is there; raises Unreachable or Refused."""
        rows = self.rows()
        return f"history {self.path}: {sum(rows.values())} rows of {len(rows)} devices"

    def write(self, batch: Batch) -> None:
        """Keep what the batch gathered for this folder; durable on return, idempotent when repeated."""
        connection = self._open()
        readings = batch.gathered.get(self.folder, ())
        if not readings and not batch.events:
            return
        written = False
        try:
            with self._plain_errors():
                connection.execute("BEGIN IMMEDIATE")
                self._add(connection, readings)
                self._mark(connection, batch.events)
                cut = self._trim(connection)
                connection.execute("COMMIT")
            written = True
            self.outlived["outlived.history_readings"] += cut
        finally:
            if not written:
                self.close()  # what was remembered of the file may not be in it

    def rows(self) -> dict[Source, int]:
        """How many rows there are of each device; of parts of rows, those of the part that came most often."""
        self._open()
        return {source: max(self._counts.get(at, {0: 0}).values()) for source, at in self._devices.items()}

    def partial(self) -> bool:
        """Whether a reading may be a part of a row."""
        with self._plain_errors():
            return bool(self._open().execute("SELECT partial FROM kind").fetchone()[0])

    def span_s(self) -> float:
        """The seconds between the oldest and the newest reading of the device with the longest history."""
        statement = (
            "SELECT (SELECT max(time_s) FROM reading WHERE device_id = ?1)"
            " - (SELECT min(time_s) FROM reading WHERE device_id = ?1)"  # each for itself is a seek, together a scan
        )
        with self._plain_errors():
            spans = [self._open().execute(statement, (at,)).fetchone()[0] for at in self._devices.values()]
        return max((span for span in spans if span is not None), default=0.0)

    def readings(
        self, first_s: float = float("-inf"), last_s: float = float("inf"), *, with_events: bool = False
    ) -> Iterator[Reading]:
        """What was read in a range of event time, device by device, in order of time; without what events marked."""
        names = self._names()
        for (site, device), at in self._devices.items():
            with self._plain_errors():
                rows = self._open().execute(IN_RANGE, (at, first_s, last_s, int(with_events)))
                for time_s, channels, observed in rows:
                    values = np.frombuffer(observed, "<f8").tolist()
                    yield Reading(device, time_s, dict(zip(names[channels], values, strict=True)), site)

    def series(
        self, first_s: float = float("-inf"), last_s: float = float("inf"), *, with_events: bool = False
    ) -> list[TimeSeries]:
        """The same as one series per device, in a tenth of the memory; not for parts of rows."""
        names = self._names()
        found: list[TimeSeries] = []
        for (_, device), at in self._devices.items():
            with self._plain_errors():
                rows = self._open().execute(IN_RANGE, (at, first_s, last_s, int(with_events))).fetchall()
            of = np.array([row[1] for row in rows], np.int64)
            times, place = np.unique(np.array([row[0] for row in rows], np.float64), return_inverse=True)
            columns = {name: np.full(len(times), np.nan) for known in np.unique(of).tolist() for name in names[known]}
            for known in np.unique(of).tolist():
                alike = np.flatnonzero(of == known)
                content = b"".join(rows[row][2] for row in alike.tolist())
                values = np.frombuffer(content, "<f8").reshape(len(alike), -1)
                for name, column in zip(names[known], values.T, strict=True):
                    columns[name][place[alike]] = column
            if len(times):
                values = np.stack([*columns.values()], axis=1)
                found.append(TimeSeries(times, values, tuple(columns), device=device))
        return found

    def newest(self, source: Source, count: int) -> list[Reading]:
        """The newest readings of a device, in order of time."""
        names = self._names()
        statement = "SELECT time_s, channels_id, observed FROM reading WHERE device_id = ? ORDER BY time_s DESC LIMIT ?"
        with self._plain_errors():
            rows = self._open().execute(statement, (self._devices[source], count)).fetchall()
        found = [(time_s, names[of], np.frombuffer(observed, "<f8").tolist()) for time_s, of, observed in rows[::-1]]
        return [Reading(source[1], at, dict(zip(of, values, strict=True)), source[0]) for at, of, values in found]

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        self._devices, self._channels, self._counts = {}, {}, {}
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with self._plain_errors():
                connection.close()  # which rolls back what is not committed

    # ---------------------------------------------------------------- within a transaction

    def _add(self, connection: sqlite3.Connection, readings: Iterable[Reading]) -> None:
        for source, theirs in groupby(readings, lambda reading: reading.source):
            device = self._device(connection, source)
            if device is None:
                continue
            for channels, alike in groupby(theirs, lambda reading: tuple(reading.values)):
                of = self._channels_id(connection, channels)
                rows = [(device, one.time_s, of, np.array([*one.values.values()], "<f8").tobytes()) for one in alike]
                before = connection.total_changes
                connection.executemany(
                    "INSERT OR IGNORE INTO reading (device_id, time_s, channels_id, observed) VALUES (?, ?, ?, ?)", rows
                )
                self._counts.setdefault(device, Counter())[of] += connection.total_changes - before

    def _mark(self, connection: sqlite3.Connection, events: Sequence[Event]) -> None:
        """What was told as an event is odd, unless somebody has said that it was a false alarm."""
        spans = [
            (event.state != "false_alarm", self._devices[event.site, event.device], event.start_s, event.end_s)
            for event in events
            if (event.site, event.device) in self._devices
        ]
        connection.executemany(
            "UPDATE reading SET odd = ?1 WHERE device_id = ?2 AND time_s BETWEEN ?3 AND ?4 AND odd <> ?1", spans
        )

    def _trim(self, connection: sqlite3.Connection) -> int:
        """Cut what is too much; how many readings."""
        before = connection.total_changes
        each = self.keep_rows // max(1, len(self._counts))
        for device, counts in self._counts.items():
            if sum(counts.values()) > each * SLACK:
                connection.execute(
                    "DELETE FROM reading WHERE device_id = ?1 AND time_s <= (SELECT time_s FROM reading"
                    " WHERE device_id = ?1 ORDER BY time_s DESC LIMIT 1 OFFSET ?2)",
                    (device, each),
                )
                self._counts[device] = self._count(connection, device)
        return connection.total_changes - before

    def _device(self, connection: sqlite3.Connection, source: Source) -> int | None:
        known = self._devices.get(source)
        if known is None and len(self._devices) < MAX_DEVICES:
            known = connection.execute("INSERT INTO device (site, device) VALUES (?, ?)", source).lastrowid
            self._devices[source] = known or 0
        return known

    def _channels_id(self, connection: sqlite3.Connection, channels: tuple[str, ...]) -> int:
        if channels not in self._channels:
            row = connection.execute("INSERT INTO channels (names) VALUES (?)", (orjson.dumps(channels).decode(),))
            self._channels[channels] = row.lastrowid or 0
        return self._channels[channels]

    def _count(self, connection: sqlite3.Connection, device: int) -> Counter[int]:
        statement = "SELECT channels_id, count(*) FROM reading WHERE device_id = ? GROUP BY channels_id"
        return Counter(dict(connection.execute(statement, (device,)).fetchall()))

    # ---------------------------------------------------------------- the file

    def _names(self) -> dict[int, tuple[str, ...]]:
        """The channels by their number in the file."""
        self._open()
        return {at: channels for channels, at in self._channels.items()}

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = connect_writer(self.path, HISTORY, BUSY_TIMEOUT_S)
            self._connection = connection
            with self._plain_errors():
                if self._partial is not None:
                    connection.execute("UPDATE kind SET partial = ?1 WHERE partial <> ?1", (int(self._partial),))
                for at, site, device in connection.execute("SELECT id, site, device FROM device ORDER BY id"):
                    self._devices[site, device] = at
                for at, names in connection.execute("SELECT id, names FROM channels"):
                    self._channels[tuple(orjson.loads(names))] = at
                self._counts = {at: self._count(connection, at) for at in self._devices.values()}
        return self._connection

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        with plain_errors(self.path, HISTORY.name):
            yield
