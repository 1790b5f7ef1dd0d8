"""The embedded store, writing side: verdicts, events, health and counters in one SQLite file, no server needed.

One transaction per batch, on disk when `write` returns. Repeating a batch changes nothing: a verdict is known by
(site, device, time), an event by its id. Other processes read it meanwhile through `sqlite_read`.
"""

import math
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite_band import write_band
from anomgan.adapters.sqlite_expected import write_expected
from anomgan.adapters.sqlite_file import STORE, connect_writer
from anomgan.adapters.sqlite_health import write_health
from anomgan.adapters.sqlite_kind import plain_errors
from anomgan.adapters.sqlite_models import count_judged, write_sheets
from anomgan.adapters.sqlite_retention import Retention, hear, hear_of, listened
from anomgan.adapters.sqlite_rows import Latest, advance, device_row, event_row, pack_names, read_latest, verdict_row
from anomgan.records import Floats, Source, Verdict

DELETED_PER_WRITE = 2000
"""Rows that one write deletes at most, so that retention never stalls the stream."""
MOST_REMEMBERED = 100_000
"""Devices, and lists of channels, of which the newest row is kept in memory."""

INSERT_VERDICT = """
INSERT INTO verdict VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (device_id, time_s) DO UPDATE SET
    channels_id = excluded.channels_id, surprise = excluded.surprise, threshold = excluded.threshold,
    anomalous = excluded.anomalous, discriminator = excluded.discriminator, reconstruction = excluded.reconstruction,
    pattern = excluded.pattern, observed = excluded.observed, expected = excluded.expected,
    contribution = excluded.contribution
WHERE excluded.surprise IS NOT NULL OR verdict.surprise IS NULL
"""  # a replay after a restart tells warm-up again: an unknown never overwrites a score

UPDATE_DEVICE = """
UPDATE device SET revision = ?, first_s = ?, time_s = ?, step_s = ?, channels_id = ?, surprise = ?, threshold = ?,
    anomalous = ?, trail = ?
WHERE id = ?
"""

UPSERT_EVENT = """
INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, start_s = excluded.start_s, end_s = excluded.end_s, peak = excluded.peak,
    peak_s = excluded.peak_s, severity = excluded.severity, threshold = excluded.threshold, model = excluded.model,
    reason = excluded.reason, channels = excluded.channels, note = excluded.note, part_of = excluded.part_of,
    members = excluded.members, onsets = excluded.onsets
WHERE excluded.end_s > event.end_s
    OR (excluded.end_s = event.end_s AND NOT (event.state = 'closed' AND excluded.state = 'open'))
"""  # the version that ends later wins; of two with the same end the newer one, but what is closed stays closed


class SqliteStore:
    """A Store in one SQLite file, for one writing process; opened at the first use.

    retention_days is counted in event time, from the newest verdict of each device, and of devices that do not come
    back as `sqlite_retention` says. `outlived` counts what has gone since it was opened.
    """

    def __init__(
        self,
        path: str | Path,
        retention_days: float = 30.0,
        busy_timeout_s: float = 10.0,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        self.path = Path(path)
        self.outlived: Counter[str] = Counter()
        self._retention = Retention(retention_days * 86_400.0)
        self.busy_timeout_s = busy_timeout_s
        self._most_remembered = most_remembered
        self._connection: sqlite3.Connection | None = None
        self._revision = -1
        # the one that was used last comes last
        self._devices: OrderedDict[Source, Latest] = OrderedDict()
        self._channels: OrderedDict[tuple[int, str, tuple[str, ...], tuple[str, ...]], int] = OrderedDict()
        self._bands: OrderedDict[int, Floats] = OrderedDict()
        self._counted = False

    def check(self) -> str:
        """Open the file and say in one line what is there; raises Unreachable or Refused."""
        connection = self._open()
        with plain_errors(self.path, STORE.name):
            devices, newest = connection.execute("SELECT count(*), max(time_s) FROM device").fetchone()
            events = connection.execute("SELECT count(*) FROM event").fetchone()[0]
        return f"store {self.path}: {devices} devices, {events} events" + (
            "" if newest is not None else ", no verdicts yet"
        )

    def write(self, batch: Batch) -> None:
        """Store all of a batch or, raising ServerError, nothing; durable on return, idempotent when repeated."""
        connection = self._open()
        counted: Counter[str] = Counter()
        committed = False
        try:
            with plain_errors(self.path, STORE.name):
                connection.execute("BEGIN IMMEDIATE")
                self._write(connection, batch, counted)
                connection.execute("COMMIT")
            committed = True
        finally:
            if not committed:
                self._forget(connection)
        self._counted = self._counted or batch.counters is not None
        self.outlived += counted
        for remembered in (self._devices, self._channels, self._bands):
            while len(remembered) > self._most_remembered:
                remembered.popitem(last=False)

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with plain_errors(self.path, STORE.name):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect_writer(self.path, self.busy_timeout_s)
        return self._connection

    def _forget(self, connection: sqlite3.Connection) -> None:
        """Roll back, and drop all that was remembered of a file that no longer holds it."""
        self._revision = -1
        self._clear()
        if connection.in_transaction:  # SQLite itself has rolled back after some errors
            with plain_errors(self.path, STORE.name):
                connection.execute("ROLLBACK")

    def _clear(self) -> None:
        self._devices.clear()
        self._channels.clear()
        self._bands.clear()

    def _write(self, connection: sqlite3.Connection, batch: Batch, counted: Counter[str]) -> None:
        statement = "UPDATE meta SET value = value + 1 WHERE key = 'revision' RETURNING value"
        revision = int(connection.execute(statement).fetchall()[0][0])
        if revision != self._revision + 1:  # the first write, or another process wrote in between
            self._clear()
        self._revision = revision
        if batch.sheets:  # before the verdicts, which may be those of another model by the same name
            write_sheets(connection, batch.sheets, batch.now_s or 0.0)

        by_source: dict[Source, list[Verdict]] = {}
        for verdict in batch.verdicts:
            by_source.setdefault((verdict.site, verdict.device), []).append(verdict)
        rows, fresh = [], list[Verdict]()
        for source, verdicts in by_source.items():
            latest = self._latest(connection, source)
            fresh += [v for v in verdicts if v.time_s > latest.time_s and v.surprise == v.surprise]
            keyed = [(self._channels_id(connection, latest.id, verdict), verdict) for verdict in verdicts]
            rows += [verdict_row(latest.id, channels_id, verdict) for channels_id, verdict in keyed]
            for channels_id, verdict in keyed:
                write_band(connection, self._bands, latest.id, channels_id, verdict)
            self._devices[source] = advance(latest, keyed)
            self._devices.move_to_end(source)
        connection.executemany(INSERT_VERDICT, rows)
        for one in batch.expected:
            write_expected(connection, self._latest(connection, (one.site, one.device)).id, one)
        count_judged(connection, fresh, self._retention.retention_s)
        self._age(connection, by_source, counted)
        connection.executemany(UPDATE_DEVICE, [device_row(revision, self._devices[source]) for source in by_source])

        for event in batch.events:
            latest = self._latest(connection, (event.site, event.device))
            connection.execute(UPSERT_EVENT, event_row(latest.id, event))
            connection.execute("UPDATE device SET revision = ? WHERE id = ?", (revision, latest.id))
            if latest.time_s == -math.inf:  # no verdict says how old it is, as of what many devices have at once
                self._retention.age_events(connection, latest.id, event.end_s - self._retention.retention_s, counted)
        batch = self._without_gone(connection, batch)
        told = write_health(connection, lambda s: self._latest(connection, s).id, batch.issues, batch.health)
        connection.executemany(
            "UPDATE device SET revision = ? WHERE id = ?",
            [(revision, self._latest(connection, source).id) for source in told - by_source.keys()],
        )
        if batch.now_s is not None:
            self._hear(connection, batch, by_source, batch.now_s, counted)
        if batch.counters is not None:
            if not self._counted:  # totals of an earlier run are not this run's
                connection.execute("DELETE FROM counter")
            connection.executemany("INSERT OR REPLACE INTO counter VALUES (?, ?)", batch.counters.items())
        connection.executemany(
            "INSERT OR IGNORE INTO audit VALUES (:time_s, :number, :client, :command, :subject, :effect)",
            [asdict(entry) for entry in batch.audit],
        )

    def _without_gone(self, connection: sqlite3.Connection, batch: Batch) -> Batch:
        """A device that was let go of does not come back because the service, which may know it for longer, says for
        how long it has been silent, or closes what was wrong with it."""

        def known(source: Source) -> bool:
            statement = "SELECT 1 FROM device WHERE (site, device) = (?, ?)"
            return source in self._devices or connection.execute(statement, source).fetchone() is not None

        longest_s = self._retention.retention_s
        health = [one for one in batch.health if not one.silent_s > longest_s or known(one.source)]
        told = {one.source for one in health} | {(one.site, one.device) for one in batch.issues if one.state == "open"}
        issues = [one for one in batch.issues if (source := (one.site, one.device)) in told or known(source)]
        return replace(batch, health=health, issues=issues)

    def _latest(self, connection: sqlite3.Connection, source: Source) -> Latest:
        """What is known of a device, made at its first sight."""
        if source not in self._devices:
            connection.execute("INSERT OR IGNORE INTO device (site, device, revision) VALUES (?, ?, 0)", source)
            self._devices[source] = read_latest(connection, source)
        return self._devices[source]

    def _channels_id(self, connection: sqlite3.Connection, device_id: int, verdict: Verdict) -> int:
        """The id of a device's channel list, which is stored once and not with every verdict."""
        key = (device_id, verdict.model, verdict.channels, verdict.units)
        if key not in self._channels:
            row = (device_id, verdict.model, pack_names(verdict.channels), pack_names(verdict.units))
            connection.execute(
                "INSERT OR IGNORE INTO channels (device_id, model, names, units) VALUES (?, ?, ?, ?)", row
            )
            statement = "SELECT id FROM channels WHERE (device_id, model, names, units) = (?, ?, ?, ?)"
            self._channels[key] = int(connection.execute(statement, row).fetchone()[0])
        self._channels.move_to_end(key)
        return self._channels[key]

    def _age(self, connection: sqlite3.Connection, sources: Iterable[Source], counted: Counter[str]) -> None:
        """Delete a portion of what has outlived the retention among the devices of this batch."""
        for source in sources:
            left = DELETED_PER_WRITE - counted["outlived.verdicts"]
            self._devices[source] = self._retention.age(connection, self._devices[source], left, counted)

    def _hear(
        self,
        connection: sqlite3.Connection,
        batch: Batch,
        sources: Iterable[Source],
        now_s: float,
        counted: Counter[str],
    ) -> None:
        """Remember who is heard, and delete a portion of what there is of those that are long unheard."""
        listened_s = listened(connection, now_s)
        speaking = {source: self._devices[source].id for source in sources}
        for event in batch.events:
            if event.members:  # many at once speak by what is told of them
                speaking[event.site, event.device] = self._latest(connection, (event.site, event.device)).id
        hear(connection, speaking.values(), now_s, listened_s)
        told = [(self._latest(connection, one.source).id, one.time_s - one.silent_s) for one in batch.health]
        hear_of(connection, [(at, heard_s) for at, heard_s in told if not math.isnan(heard_s)], listened_s)
        left = DELETED_PER_WRITE - counted["outlived.verdicts"]
        gone = self._retention.let_go(connection, listened_s, left, counted)
        if gone:
            for source in [source for source, latest in self._devices.items() if latest.id in gone]:
                del self._devices[source]
            for key in [key for key in self._channels if key[0] in gone]:
                del self._channels[key]
            for device_id in gone:  # which a new device may be given
                self._bands.pop(device_id, None)
