"""How long the embedded store keeps what it has: verdicts and events by their age, devices until they are long unheard.

The age of verdicts and events is counted in event time, from the newest of each device. Of a device that never comes
back all goes, once it was not heard for the same time. That counts while batches are written, by their own times: a
longer step between two counts as LOOK_EVERY_S, so that nothing goes because the service was away or a clock was set.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from anomgan.adapters.sqlite_band import forget_bands
from anomgan.adapters.sqlite_expected import forget_expected
from anomgan.adapters.sqlite_health import forget_issues
from anomgan.adapters.sqlite_rows import Latest

LOOK_EVERY_S = 3600.0
"""for devices that are long unheard; also the longest step of time"""
RETENTION_SLACK = 0.01
"""Rows outlive the retention by up to this fraction: deleting many of one device at a time touches fewer pages."""

HEARD = "INSERT INTO heard VALUES (?, ?, ?) ON CONFLICT (device_id) DO UPDATE SET (heard_s, listened_s) = (?2, ?3)"
HEARD_LATER = f"{HEARD} WHERE excluded.heard_s > coalesce(heard.heard_s, -1e308)"
OLDEST = "SELECT time_s FROM verdict WHERE device_id = ? AND time_s < ? ORDER BY time_s LIMIT ?"
FORGOTTEN = ("issue", "health", "band", "expected", "channels", "heard")
"""what else there is of a device, by `device_id`"""


class Retention:
    """Asked within the store's transactions. What it deletes it counts: outlived.verdicts, .events, .devices."""

    def __init__(self, retention_s: float) -> None:
        self.retention_s = retention_s
        self._outlived: list[int] = []
        self._look_due_s = 0.0

    def age(self, connection: sqlite3.Connection, latest: Latest, most: int, counted: Counter[str]) -> Latest:
        """Delete at most so many of a device's verdicts that are too old, and its events; the device's row after it."""
        cutoff = latest.time_s - self.retention_s
        if most <= 0 or not latest.first_s < cutoff - RETENTION_SLACK * self.retention_s:
            return latest
        counted["outlived.verdicts"] += _delete_oldest(connection, latest.id, cutoff, most)
        self.age_events(connection, latest.id, cutoff, counted)
        forget_issues(connection, latest.id, cutoff)
        forget_bands(connection, latest.id, cutoff)
        forget_expected(connection, latest.id, cutoff)
        first = connection.execute("SELECT min(time_s) FROM verdict WHERE device_id = ?", (latest.id,)).fetchone()
        return replace(latest, first_s=first[0])

    def age_events(
        self, connection: sqlite3.Connection, device_id: int, cutoff_s: float, counted: Counter[str]
    ) -> None:
        """Delete the events of a device, or of many at once, that were over before a time."""
        old = "DELETE FROM event WHERE device_id = ? AND start_s < ? AND end_s < ? AND state <> 'open'"
        counted["outlived.events"] += connection.execute(old, (device_id, cutoff_s, cutoff_s)).rowcount

    def let_go(
        self, connection: sqlite3.Connection, listened_s: float, most: int, counted: Counter[str]
    ) -> frozenset[int]:
        """Delete a portion of what there is of devices that are long unheard; those of which nothing is left."""
        before_s = listened_s - self.retention_s
        if listened_s >= self._look_due_s:
            self._look_due_s = listened_s + LOOK_EVERY_S
            # of those that an older version has written, nothing says when they were heard: they are now
            connection.execute("INSERT OR IGNORE INTO heard SELECT id, NULL, ? FROM device", (listened_s,))
            found = connection.execute("SELECT device_id FROM heard WHERE listened_s < ?", (before_s,))
            self._outlived = [row[0] for row in found]
        gone = set()
        while self._outlived and most > 0:
            device_id = self._outlived[-1]
            still = "SELECT 1 FROM heard WHERE device_id = ? AND listened_s < ?"
            if connection.execute(still, (device_id, before_s)).fetchone() is not None:
                deleted = _delete_oldest(connection, device_id, float("inf"), most)
                counted["outlived.verdicts"] += deleted
                most -= deleted
                if most <= 0:
                    break
                _delete_rest(connection, device_id, counted)
                gone.add(device_id)
                most -= 1
            self._outlived.pop()
        return frozenset(gone)


def listened(connection: sqlite3.Connection, now_s: float) -> float:
    """For how long batches have been written in all, after one at a time."""
    keys = "SELECT key, value FROM meta WHERE key IN ('listened_s', 'written_s')"
    known = dict(connection.execute(keys).fetchall())
    step_s = min(max(now_s - known.get("written_s", now_s), 0.0), LOOK_EVERY_S)
    total_s = float(known.get("listened_s", 0.0) + step_s)
    rows = [("listened_s", total_s), ("written_s", now_s)]
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)
    return total_s


def hear(connection: sqlite3.Connection, devices: Iterable[int], now_s: float, listened_s: float) -> None:
    """Devices are heard now."""
    connection.executemany(HEARD, [(device_id, now_s, listened_s) for device_id in devices])


def hear_of(connection: sqlite3.Connection, heard: Iterable[tuple[int, float]], listened_s: float) -> None:
    """Devices were heard at a time, unless they were later."""
    connection.executemany(HEARD_LATER, [(device_id, heard_s, listened_s) for device_id, heard_s in heard])


def _delete_oldest(connection: sqlite3.Connection, device_id: int, before_s: float, most: int) -> int:
    last = connection.execute(f"SELECT max(time_s) FROM ({OLDEST})", (device_id, before_s, most)).fetchone()[0]  # noqa: S608 a constant
    deleted = connection.execute("DELETE FROM verdict WHERE device_id = ? AND time_s <= ?", (device_id, last))
    return deleted.rowcount


def _delete_rest(connection: sqlite3.Connection, device_id: int, counted: Counter[str]) -> None:
    """What there is of a device besides verdicts, and the device."""
    counted["outlived.events"] += connection.execute("DELETE FROM event WHERE device_id = ?", (device_id,)).rowcount
    for table in FORGOTTEN:
        connection.execute(f"DELETE FROM {table} WHERE device_id = ?", (device_id,))  # noqa: S608 a constant
    counted["outlived.devices"] += connection.execute("DELETE FROM device WHERE id = ?", (device_id,)).rowcount
