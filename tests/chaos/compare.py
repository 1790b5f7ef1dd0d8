"""What was stored against what an undisturbed run stores: lost, doubled, differing."""

import math
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from anomgan.adapters.sqlite_read import open_reader
from anomgan.records import Event
from chaos.databases import Database
from chaos.plant import Undisturbed

Key = tuple[str, float]
"""device, event time"""
SHOWN = 5
VERDICTS = "SELECT d.device, v.time_s, v.surprise, v.anomalous FROM verdict v JOIN device d ON d.id = v.device_id"
CLOSE = 1e-5
"""relative and absolute: a window's score depends on what it is scored with by rounding"""


@dataclass(slots=True)
class Tally:
    """The three counts, and the first few of what was counted, in words."""

    lost: int = 0
    doubled: int = 0
    differing: int = 0
    words: list[str] = field(default_factory=list)

    def count(self, what: str, where: str, found: Iterable[object]) -> None:
        """Count some things that are `lost`, `doubled` or `differing`."""
        all_of_them = list(found)
        if all_of_them:
            setattr(self, what, getattr(self, what) + len(all_of_them))
            self.words.append(f"{what} in {where}: {len(all_of_them)}, such as {all_of_them[:SHOWN]}")


def compare_store(tally: Tally, path: Path, meant: Undisturbed) -> None:
    """Verdicts, events and totals in SQLite."""
    expected = {(one.device, one.time_s): (one.surprise, one.anomalous) for one in meant.verdicts}
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(VERDICTS)
        found = {(device, time_s): [(nan_if_none(surprise), bool(flag))] for device, time_s, surprise, flag in rows}
    compare_scores(tally, "SQLite", found, expected)
    with open_reader(path) as reader:
        stored = {event.id: facts(event) for event in reader.events(limit=10**9)}
        admitted = reader.counters()["readings_admitted"]
    compare_events(tally, "SQLite", stored, meant.events)
    if admitted > len(expected):
        tally.count("doubled", "the service's state", ["reading taken again"] * (admitted - len(expected)))
    if admitted < len(expected):
        tally.count("lost", "the service's state", ["reading never taken"] * (len(expected) - admitted))


def compare_database(tally: Tally, database: Database, meant: Undisturbed) -> None:
    """Scores and, where it can hold them, events in a database."""
    known = (one for one in meant.verdicts if one.surprise == one.surprise)
    expected = {(one.device, one.time_s): (one.surprise, one.anomalous) for one in known}
    compare_scores(tally, database.name, database.scores(), expected)
    events = database.events()
    if events is not None:
        compare_events(tally, database.name, {id_: facts_of_fields(row) for id_, row in events.items()}, meant.events)


def compare_scores(
    tally: Tally, where: str, found: Mapping[Key, list[tuple[float, bool]]], expected: Mapping[Key, tuple[float, bool]]
) -> None:
    """Each expected one once, and nothing else."""
    tally.count("lost", where, (key for key in expected if key not in found))
    tally.count("doubled", where, (key for key in found if key not in expected))
    tally.count("doubled", where, (key for key, scores in found.items() for _ in scores[1:]))
    tally.count(
        "differing",
        where,
        (
            (*key, found[key][0], score)
            for key, score in expected.items()
            if key in found and not (near(found[key][0][0], score[0]) and found[key][0][1] == score[1])
        ),
    )


Facts = tuple[str, str, str, tuple[str, ...], float, float, float]


def compare_events(tally: Tally, where: str, found: Mapping[str, Facts], expected: Mapping[str, Event]) -> None:
    """Each expected one as it stood last, and nothing else."""
    tally.count("lost", f"{where}, events", (id_ for id_ in expected if id_ not in found))
    tally.count("doubled", f"{where}, events", (id_ for id_ in found if id_ not in expected))
    both = [(found[id_], facts(event)) for id_, event in expected.items() if id_ in found]
    tally.count("differing", f"{where}, events", (pair for pair in both if not alike(*pair)))


def compare_told(tally: Tally, payloads: Iterable[bytes], meant: Undisturbed) -> tuple[int, int]:
    """Events on MQTT: none that an undisturbed run does not tell; how many of how many were heard."""
    expected = {(event.id, event.state, event.severity) for event in meant.told}
    told = [orjson.loads(payload) for payload in payloads]
    heard = {(event["id"], event["state"], event["severity"]) for event in told}
    tally.count("differing", "events on MQTT", sorted(heard - expected))
    return len(heard & expected), len(expected)


def facts(event: Event) -> Facts:
    """What is compared of an event."""
    return event.id, event.state, event.severity, event.channels, event.start_s, event.end_s, event.peak


def facts_of_fields(row: Mapping[str, Any]) -> Facts:
    """The same from a row of `anomaly_event`."""
    channels = tuple(row["channels"].split(","))
    return row["id"], row["state"], row["severity"], channels, row["start"], row["end"], row["peak"]


def alike(one: Facts, other: Facts) -> bool:
    """Equal, but for the rounding of the peak."""
    return one[:-1] == other[:-1] and near(one[-1], other[-1])


def near(one: float, other: float) -> bool:
    """Equal but for rounding; what is unknown is equal to what is unknown."""
    return (one != one and other != other) or math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)


def nan_if_none(value: float | None) -> float:
    """SQLite keeps NaN as NULL."""
    return math.nan if value is None else value
