"""Verdicts and events for the store's tests, and a look into its file."""

import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np

from anomgan.records import DeviceHealth, Event, HealthIssue, Verdict

NAN = math.nan


def verdict(time_s: float, surprise: float = 1.0, device: str = "p1", **changes: object) -> Verdict:
    made = Verdict(
        device=device,
        site="north",
        time_s=time_s,
        surprise=surprise,
        threshold=3.0,
        anomalous=surprise >= 3.0,
        discriminator=surprise,
        reconstruction=surprise + 1,
        pattern=surprise + 2,
        channels=("flow", "pressure"),
        values=np.array([time_s % 1000, NAN], dtype=np.float32),
        expected=np.array([1.0, 2.0], dtype=np.float32),
        contribution=np.array([0.25, 0.75], dtype=np.float32),
        model="pump",
        units=("m³/h", "bar"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def event(id_: str = "e1", start_s: float = 10.0, end_s: float = 20.0, **changes: object) -> Event:
    made = Event(
        id=id_,
        device="p1",
        site="north",
        state="open",
        start_s=start_s,
        end_s=end_s,
        peak=5.0,
        peak_s=15.0,
        severity="major",
        channels=("flow", "pressure"),
        observed=(3.0, NAN),
        expected=(1.0, 2.0),
        contributions=(0.75, 0.25),
        reason="flow is too high; \"quoted\" <b>bold</b> 'and' ünïcödé 🚰",
        threshold=3.0,
        model="pump",
        units=("m³/h", ""),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def issue(start_s: float = 100.5, **changes: object) -> HealthIssue:
    made = HealthIssue(
        id=f"north/p1:flow:stuck@{start_s:.0f}",
        device="p1",
        site="north",
        channel="flow",
        kind="stuck",
        state="open",
        start_s=start_s,
        end_s=start_s + 10.0,
        reason='flow has read 3 "again" and again',
        model="pump",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def health(time_s: float = 120.0, *issues: HealthIssue, **changes: object) -> DeviceHealth:
    made = DeviceHealth(
        device="p1",
        site="north",
        time_s=time_s,
        silent_s=1.5,
        skew_s=-0.25,
        stuck=len(issues),
        out_of_range=0,
        unit_jump=0,
        new_state=0,
        missing=0,
        duplicate=7,
        out_of_order=0,
        late=2,
        ahead=0,
        counter_resets=1,
        issues=issues,
        model="pump",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the file, but for the revisions."""
    connection = sqlite3.connect(path)
    tables = {
        table: connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 a constant
        for table in (
            "verdict",
            "event",
            "channels",
            "counter",
            "health",
            "issue",
            "band",
            "heard",
            "sheet",
            "judged",
            "expected",
        )
    }
    columns = "site, device, first_s, time_s, step_s, surprise, threshold, anomalous, trail"
    tables["device"] = connection.execute(f"SELECT {columns} FROM device").fetchall()  # noqa: S608 a constant
    connection.close()
    return tables


OF_SCHEMA_2 = {"meta", "channels", "device", "verdict", "event", "counter"}
OF_SCHEMA_3 = OF_SCHEMA_2 | {"health", "issue", "audit"}
EVENT_COLUMNS_OF_SCHEMA_3 = 15


def drop_all_but(connection: sqlite3.Connection, kept: set[str]) -> None:
    """Take from a store the tables that an older schema did not have."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for name in tables - kept:
        connection.execute(f"DROP TABLE {name}")


def make_older(path: Path) -> None:
    """Take from a store what the third schema did not have."""
    connection = sqlite3.connect(path)
    drop_all_but(connection, OF_SCHEMA_3)
    for _, column, *_ in connection.execute("PRAGMA table_info(event)").fetchall()[EVENT_COLUMNS_OF_SCHEMA_3:]:
        connection.execute(f"ALTER TABLE event DROP COLUMN {column}")
    connection.execute("PRAGMA user_version = 3")
    connection.commit()
    connection.close()
