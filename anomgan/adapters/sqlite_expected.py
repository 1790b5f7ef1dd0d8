"""What events should have looked like, in the embedded store: the rows in which channels were imputed.

They stand beside the verdicts, which keep the detector's own word, and take its place where the past is read.
"""

import sqlite3
from collections.abc import Sequence

import numpy as np

from anomgan.adapters.downsample import Matrix
from anomgan.expected import Expected
from anomgan.records import Floats

EXPECTED_TABLE = """
CREATE TABLE expected (             -- what a channel should have shown in an event, imputed from the others
    device_id INTEGER NOT NULL REFERENCES device (id),
    time_s REAL NOT NULL,
    channel TEXT NOT NULL,
    low REAL NOT NULL,              -- 90 % of what is likely lies between low and high
    middle REAL NOT NULL,
    high REAL NOT NULL,
    PRIMARY KEY (device_id, time_s, channel)
) WITHOUT ROWID;
"""


def write_expected(connection: sqlite3.Connection, device_id: int, expected: Expected) -> None:
    """Store rows of a device; a row that is there already is replaced."""
    tables = (expected.low.tolist(), expected.middle.tolist(), expected.high.tolist())
    connection.executemany(
        "INSERT OR REPLACE INTO expected VALUES (?, ?, ?, ?, ?, ?)",
        [
            (device_id, time_s, channel, *told)
            for time_s, *rows in zip(expected.times.tolist(), *tables, strict=True)
            for channel, *told in zip(expected.channels, *rows, strict=True)
        ],
    )


def forget_expected(connection: sqlite3.Connection, device_id: int, before_s: float) -> None:
    """Delete what is older than a time."""
    connection.execute("DELETE FROM expected WHERE device_id = ? AND time_s < ?", (device_id, before_s))


class ExpectedRows:
    """What was imputed of a device between two times."""

    def __init__(
        self, connection: sqlite3.Connection, device_id: int, channels: Sequence[str], start_s: float, end_s: float
    ) -> None:
        columns, span = "time_s, channel, low, middle, high", "device_id = ? AND time_s BETWEEN ? AND ?"
        statement = f"SELECT {columns} FROM expected WHERE {span}"  # noqa: S608 constants
        place = {name: i for i, name in enumerate(channels)}
        found = [row for row in connection.execute(statement, (device_id, start_s, end_s)) if row[1] in place]
        self._channels = len(channels)
        self._times: Floats = np.array([row[0] for row in found], np.float64)
        self._at = np.array([place[row[1]] for row in found], np.int64)
        self._told = np.array([row[2:] for row in found], np.float32).reshape(-1, 3)

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._times)

    def of(self, times: Floats) -> tuple[Matrix, Matrix, Matrix]:
        """Low, middle and high (T, C) at these times, which rise; NaN where nothing was imputed."""
        low, middle, high = (np.full((len(times), self._channels), np.nan, np.float32) for _ in range(3))
        rows = np.searchsorted(times, self._times)
        known = rows < len(times)
        known[known] = times[rows[known]] == self._times[known]
        to = (rows[known], self._at[known])
        for table, column in zip((low, middle, high), self._told[known].T, strict=True):
            table[to] = column
        return low, middle, high
