"""The embedded store, reading side: what a page or a report asks, from a second process, while the first one writes."""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anomgan.adapters.ports import AuditEntry, Sheet
from anomgan.adapters.sqlite_file import STORE, connect_reader
from anomgan.adapters.sqlite_health import read_health, read_issues
from anomgan.adapters.sqlite_history import History, read_history
from anomgan.adapters.sqlite_kind import plain_errors
from anomgan.adapters.sqlite_models import Judged, read_judged, read_sheets
from anomgan.adapters.sqlite_rows import nan_if_null, read_event
from anomgan.records import DeviceHealth, Event, EventState, HealthIssue, Source

UNHEARD_S = "CASE WHEN :now IS NULL OR h.heard_s IS NULL THEN :newest - d.time_s ELSE :now - h.heard_s END"
SILENT = f"""(
    coalesce({UNHEARD_S} > max(60.0, 10.0 * coalesce(d.step_s, 0.0)), 0)
    OR d.id IN (SELECT device_id FROM issue WHERE state = 'open' AND kind = 'silent' AND channel = '')
)"""  # noqa: S608 the part put in is a constant
"""A device is silent when the service says so, or when nothing came of it for more than ten of its own steps, and for a
minute: by the clock, or else by the fleet's newest verdict."""

SELECT_DEVICE = f"""
SELECT d.site, d.device, d.revision, d.first_s, d.time_s, d.surprise, d.threshold, d.anomalous, d.trail, c.model,
    h.heard_s, {SILENT}
FROM device d LEFT JOIN channels c ON c.id = d.channels_id LEFT JOIN heard h ON h.device_id = d.id
"""  # noqa: S608 the part put in is a constant

SELECT_EVENT = "SELECT d.site, d.device, e.* FROM event e JOIN device d ON d.id = e.device_id"

NO_DEVICE = "(d.time_s IS NULL AND d.device GLOB 'fleet:*')"
"""The name under which fleet-wide events are kept is no device."""

State = Literal["anomalous", "silent", "warming up", "normal"]


@dataclass(frozen=True, slots=True)
class Summary:
    """The store as a whole. `revision` rises with every write; `store_id` differs in another file at the same path."""

    store_id: str
    revision: int
    newest_s: float | None
    devices: int
    open_events: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored: verdicts, those among them with a known surprise, and events."""

    verdicts: int
    scores: int
    events: int


@dataclass(frozen=True, slots=True, eq=False)
class DeviceState:
    """One device as the fleet view shows it; times and numbers are NaN before the first verdict.

    time_s is that of its newest verdict, by its own clock; heard_s is when something came of it last, by the service's,
    NaN where nothing has said so.
    """

    site: str
    device: str
    state: State
    revision: int
    first_s: float
    time_s: float
    heard_s: float
    surprise: float
    threshold: float
    model: str
    trail: NDArray[np.float32]
    open_event: Event | None


@contextmanager
def open_reader(path: str | Path, busy_timeout_s: float = 2.0) -> "Iterator[SqliteReader]":
    """A reader for a few questions, all answered from one moment of the store.

    Open one per request: it costs a fraction of a millisecond, and a store that was made anew is noticed.
    Raises Unreachable where nothing has been stored yet, Refused for a foreign, damaged or newer file.
    """
    path = Path(path)
    connection = connect_reader(path, busy_timeout_s)
    try:
        with plain_errors(path, STORE.name):
            connection.execute("BEGIN")
            yield SqliteReader(connection)
    finally:
        connection.close()


class SqliteReader:
    """The questions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def summary(self) -> Summary:
        """The store as a whole, cheap enough to ask every second."""
        meta = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
        devices, newest = self._connection.execute(
            f"SELECT count(*), max(time_s) FROM device d WHERE NOT {NO_DEVICE}"  # noqa: S608 a constant
        ).fetchone()
        open_events = self._connection.execute("SELECT count(*) FROM event WHERE state = 'open'").fetchone()[0]
        return Summary(meta["store_id"], meta["revision"], newest, devices, open_events)

    def counts(self) -> Counts:
        """How much is stored; reads every verdict, so not for every second."""
        verdicts, scores = self._connection.execute("SELECT count(*), count(surprise) FROM verdict").fetchone()
        return Counts(verdicts, scores, self._connection.execute("SELECT count(*) FROM event").fetchone()[0])

    def counters(self) -> dict[str, int]:
        """The service's totals, by name."""
        return dict(self._connection.execute("SELECT name, value FROM counter ORDER BY name").fetchall())

    def audit(self, limit: int = 100, commands: Sequence[str] = (), subject: str | None = None) -> list[AuditEntry]:
        """What people have told the service to do, latest first; only these commands, and only on this subject."""
        statement = f"""
            SELECT time_s, number, client, command, subject, effect FROM audit
            WHERE (? IS NULL OR subject = ?) AND (? OR command IN ({", ".join("?" * len(commands))}))
            ORDER BY time_s DESC, number DESC LIMIT ?
        """  # noqa: S608 the part put in is question marks
        parameters = (subject, subject, not commands, *commands, limit)
        return [AuditEntry(*row) for row in self._connection.execute(statement, parameters)]

    def fleet(self, since: int = -1, now_s: float | None = None) -> list[DeviceState]:
        """Every device that changed after revision `since`, and every silent one: that changes without a write."""
        return self._devices(f"WHERE (d.revision > :since OR {SILENT}) AND NOT {NO_DEVICE}", now_s, {"since": since})

    def device(self, site: str, device: str, now_s: float | None = None) -> DeviceState | None:
        """One device, None where it is unknown."""
        found = self._devices("WHERE d.site = :site AND d.device = :device", now_s, {"site": site, "device": device})
        return found[0] if found else None

    def _devices(self, where: str, now_s: float | None, parameters: dict[str, object]) -> list[DeviceState]:
        newest = self._connection.execute("SELECT max(time_s) FROM device").fetchone()[0]
        known = parameters | {"newest": newest, "now": now_s}
        rows = self._connection.execute(f"{SELECT_DEVICE} {where}", known).fetchall()
        open_events = self._events("WHERE e.state = 'open' ORDER BY e.start_s", [])
        by_source = {(event.site, event.device): event for event in open_events}  # the latest one stays
        return [read_device(row, by_source.get((row[0], row[1]))) for row in rows]

    def event(self, event_id: str) -> Event | None:
        """One event, None where it is unknown."""
        found = self._events("WHERE e.id = ?", [event_id])
        return found[0] if found else None

    def events(
        self,
        *,
        source: Source | None = None,
        state: EventState | None = None,
        start_s: float = -math.inf,
        end_s: float = math.inf,
        before: str | None = None,
        akin: Event | None = None,
        part_of: str | None = None,
        limit: int = 100,
    ) -> list[Event]:
        """Events that touch [start_s, end_s], latest start first; `before` = id of the last one of the page above.

        An open event goes on, whatever end it has been told with so far. `akin`: those of its device or of its model;
        `part_of`: those that a fleet-wide event stands for.
        """
        where = ["e.start_s <= ?", "(e.end_s >= ? OR e.state = 'open')"]
        parameters: list[object] = [end_s, start_s]
        if source is not None:
            where.append("e.device_id = (SELECT id FROM device WHERE site = ? AND device = ?)")
            parameters += source
        if state is not None:
            where.append("e.state = ?")
            parameters.append(state)
        if before is not None:
            where.append("(e.start_s, e.id) < (SELECT start_s, id FROM event WHERE id = ?)")
            parameters.append(before)
        if akin is not None:
            where.append("(e.device_id = (SELECT id FROM device WHERE site = ? AND device = ?) OR e.model = ?)")
            parameters += akin.site, akin.device, akin.model
        if part_of is not None:
            where.append("e.part_of = ?")
            parameters.append(part_of)
        order = f"WHERE {' AND '.join(where)} ORDER BY e.start_s DESC, e.id DESC LIMIT ?"
        return self._events(order, [*parameters, limit])

    def _events(self, where: str, parameters: Sequence[object]) -> list[Event]:
        rows = self._connection.execute(f"{SELECT_EVENT} {where}", parameters)
        return [read_event(site, device, row) for site, device, *row in rows]

    def issues(
        self,
        source: Source | None = None,
        *,
        only_open: bool = True,
        start_s: float = -math.inf,
        end_s: float = math.inf,
        limit: int = 10_000,
    ) -> list[HealthIssue]:
        """What is wrong with the data of a device or of all, or also what was within a time; the latest start first."""
        return read_issues(self._connection, source, only_open=only_open, start_s=start_s, end_s=end_s, limit=limit)

    def health(self, site: str, device: str) -> list[DeviceHealth]:
        """How a device's data are, by each model that watches them, the newest first."""
        return read_health(self._connection, (site, device))

    def history(
        self, site: str, device: str, start_s: float = -math.inf, end_s: float = math.inf, points: int = 800
    ) -> History | None:
        """One device's verdicts in [start_s, end_s], thinned to at most `points`; None where it is unknown."""
        return read_history(self._connection, (site, device), start_s, end_s, points)

    def sheets(self, kind: str, name: str | None = None) -> list[tuple[Sheet, float, bool]]:
        """What is known of models or fleets: (sheet, when it was told, whether it is in use), those in use first."""
        return read_sheets(self._connection, kind, name)

    def judged(self, model: str) -> Judged:
        """How much a model has judged, and the events of that time."""
        return read_judged(self._connection, model)


def read_device(row: Sequence[Any], open_event: Event | None) -> DeviceState:
    """A row of SELECT_DEVICE."""
    site, device, revision, first_s, time_s, surprise, threshold, anomalous, trail, model, heard_s, silent = row
    state: State
    if silent:
        state = "silent"
    elif open_event is not None or anomalous:
        state = "anomalous"
    elif surprise is None:
        state = "warming up"
    else:
        state = "normal"
    return DeviceState(
        site=site,
        device=device,
        state=state,
        revision=revision,
        first_s=nan_if_null(first_s),
        time_s=nan_if_null(time_s),
        heard_s=nan_if_null(heard_s),
        surprise=nan_if_null(surprise),
        threshold=nan_if_null(threshold),
        model=model or "",
        trail=np.frombuffer(trail, "<f4"),
        open_event=open_event,
    )
