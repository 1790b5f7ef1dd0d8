"""What a device's model expects of normal rows, in the embedded store: a step whenever another model watches it.

A band belongs to the model and costs nothing per verdict: it is looked at only where a verdict carries another one
than the device's last.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anomgan.band import PLACES
from anomgan.records import Floats, Verdict

BAND_TABLE = """
CREATE TABLE band (                 -- where each channel lies in normal windows around what is expected, and since when
    device_id INTEGER NOT NULL REFERENCES device (id),
    since_s REAL NOT NULL,
    channels_id INTEGER NOT NULL REFERENCES channels (id),
    places BLOB NOT NULL,           -- float64 little endian, four per channel
    PRIMARY KEY (device_id, since_s)
) WITHOUT ROWID;
"""
FLOAT64 = np.dtype("<f8")
IN_FORCE = "SELECT channels_id, places FROM band WHERE device_id = ? AND since_s <= ? ORDER BY since_s DESC LIMIT 1"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The band (C, 4) of some channels since a time, until the next step."""

    since_s: float
    band: Floats


def write_band(
    connection: sqlite3.Connection, known: dict[int, Floats], device_id: int, channels_id: int, verdict: Verdict
) -> None:
    """Store the band that a verdict carries, unless the device's is this one; `known`: those seen last, by device."""
    if verdict.band is None or known.get(device_id) is verdict.band:
        return
    known[device_id] = verdict.band
    row = (channels_id, np.asarray(verdict.band, FLOAT64).tobytes())
    if connection.execute(IN_FORCE, (device_id, verdict.time_s)).fetchone() != row:
        connection.execute("INSERT OR REPLACE INTO band VALUES (?, ?, ?, ?)", (device_id, verdict.time_s, *row))


def forget_bands(connection: sqlite3.Connection, device_id: int, before_s: float) -> None:
    """Delete the steps that were over before a time."""
    connection.execute(
        "DELETE FROM band WHERE device_id = ?1 AND since_s <"
        " (SELECT max(since_s) FROM band WHERE device_id = ?1 AND since_s <= ?2)",
        (device_id, before_s),
    )


def read_bands(
    connection: sqlite3.Connection,
    device_id: int,
    layouts: Mapping[int, Sequence[str]],
    channels: Sequence[str],
    end_s: float,
) -> list[Step]:
    """A device's steps up to a time, in order, each for all `channels`: NaN for one that its model does not know.

    `layouts`: channels_id -> names.
    """
    place = {name: i for i, name in enumerate(channels)}
    steps = []
    statement = "SELECT since_s, channels_id, places FROM band WHERE device_id = ? AND since_s <= ? ORDER BY since_s"
    for since_s, channels_id, places in connection.execute(statement, (device_id, end_s)):
        whole = np.full((len(channels), PLACES), np.nan)
        whole[[place[name] for name in layouts[channels_id]]] = np.frombuffer(places, FLOAT64).reshape(-1, PLACES)
        steps.append(Step(since_s, whole))
    return steps
