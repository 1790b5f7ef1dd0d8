"""Data quality in the embedded store: how each device's data are, and what is or was wrong with them."""

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from anomgan.adapters.sqlite_rows import nan_if_null
from anomgan.records import HEALTH_COUNTS, DeviceHealth, HealthIssue, Source

UPSERT_HEALTH = """
INSERT INTO health VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (device_id, model) DO UPDATE SET
    time_s = excluded.time_s, silent_s = excluded.silent_s, skew_s = excluded.skew_s, counts = excluded.counts
"""
UPSERT_ISSUE = """
INSERT INTO issue VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, end_s = excluded.end_s, reason = excluded.reason
"""
CLOSE_OTHERS = """
UPDATE issue SET state = 'closed' WHERE device_id = ? AND model = ? AND state = 'open'
    AND id NOT IN (SELECT value FROM json_each(?))
"""  # what is not told as open any more, because a service began anew, is not open


def write_health(
    connection: sqlite3.Connection,
    device_id: Callable[[Source], int],
    issues: Iterable[HealthIssue],
    health: Iterable[DeviceHealth],
) -> set[Source]:
    """Store what changed and how devices are, within the caller's transaction; which devices that concerns."""
    told: list[Sequence[object]] = []
    rows: list[Sequence[object]] = []
    open_now: list[Sequence[object]] = []
    concerned: set[Source] = set()
    for issue in issues:
        source = (issue.site, issue.device)
        concerned.add(source)
        told.append(_issue_row(device_id(source), issue))
    for one in health:
        concerned.add(one.source)
        number = device_id(one.source)
        counts = json.dumps({name: getattr(one, name) for name in HEALTH_COUNTS})
        rows.append((number, one.model, one.time_s, one.silent_s, one.skew_s, counts))
        told += [_issue_row(number, issue) for issue in one.issues]
        open_now.append((number, one.model, json.dumps([issue.id for issue in one.issues])))
    connection.executemany(UPSERT_ISSUE, told)
    connection.executemany(UPSERT_HEALTH, rows)
    connection.executemany(CLOSE_OTHERS, open_now)
    return concerned


def forget_issues(connection: sqlite3.Connection, device_id: int, before_s: float) -> None:
    """Delete what was over before a time."""
    connection.execute(
        "DELETE FROM issue WHERE device_id = ? AND end_s < ? AND state = 'closed'", (device_id, before_s)
    )


def read_issues(
    connection: sqlite3.Connection,
    source: Source | None = None,
    *,
    only_open: bool = True,
    start_s: float = -math.inf,
    end_s: float = math.inf,
    limit: int = 10_000,
) -> list[HealthIssue]:
    """What is wrong, or also what was, and touches [start_s, end_s]; the latest start first.

    What is open goes on, whatever end it has been told with so far.
    """
    where, parameters = ["1"], list[Any]()
    if source is not None:
        where.append("i.device_id = (SELECT id FROM device WHERE site = ? AND device = ?)")
        parameters += source
    if only_open:
        where.append("i.state = 'open'")
    where.append("i.start_s <= ? AND (i.end_s >= ? OR i.state = 'open')")
    parameters += end_s, start_s
    statement = f"""
        SELECT d.site, d.device, i.id, i.channel, i.kind, i.state, i.start_s, i.end_s, i.reason, i.model
        FROM issue i JOIN device d ON d.id = i.device_id
        WHERE {" AND ".join(where)} ORDER BY i.start_s DESC, i.id DESC LIMIT ?
    """  # noqa: S608 the parts put in are constants
    return [
        HealthIssue(id_, device, site, channel, kind, state, start_s, end_s, reason, model)
        for site, device, id_, channel, kind, state, start_s, end_s, reason, model in connection.execute(
            statement, (*parameters, limit)
        )
    ]


def read_health(connection: sqlite3.Connection, source: Source) -> list[DeviceHealth]:
    """How a device's data are, by each model that watches them, the newest first."""
    statement = """
        SELECT model, time_s, silent_s, skew_s, counts FROM health
        WHERE device_id = (SELECT id FROM device WHERE site = ? AND device = ?) ORDER BY time_s DESC
    """
    issues = read_issues(connection, source)
    return [
        DeviceHealth(
            site=source[0],
            device=source[1],
            time_s=time_s,
            silent_s=nan_if_null(silent_s),
            skew_s=nan_if_null(skew_s),
            **json.loads(counts),
            issues=tuple(issue for issue in reversed(issues) if issue.model == model),
            model=model,
        )
        for model, time_s, silent_s, skew_s, counts in connection.execute(statement, source)
    ]


def _issue_row(device_id: int, issue: HealthIssue) -> Sequence[object]:
    times = (issue.start_s, issue.end_s)
    return (issue.id, device_id, issue.channel, issue.kind, issue.state, *times, issue.reason, issue.model)
