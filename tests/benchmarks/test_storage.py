"""What a device costs in memory, and what storing a verdict costs beside the least that a store could do."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from figures import CHANNELS, normal_series, stopwatch, table

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import Reading, Verdict
from anomgan.stream import StreamDetector

DEVICES = 1000
WINDOW, STRIDE = 64, 8
START_S = 1.7e9
pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("model") / "device.safetensors"
    config = DetectorConfig(window=WINDOW, stride=STRIDE, steps=200, alarms_per_week=0.01, seed=0, device="cpu")
    Detector.fit(normal_series(2000), config).save(path)
    return path


def test_streaming_state(model: Path) -> None:
    stream = StreamDetector(Detector.load(model))
    values = dict.fromkeys(stream.detector.channels, 1.0)
    stream.push(Reading(f"d{device}", START_S, values) for device in range(DEVICES))
    plain = 4 * CHANNELS * WINDOW
    table(
        f"Streaming state of one device, window {WINDOW}, {CHANNELS} channels",
        ["what", "bytes", "against baseline"],
        [
            ["the window itself, float32 (baseline)", f"{plain}", "1.00"],
            ["arrays of the fleet", f"{stream.bytes_per_device()}", f"{stream.bytes_per_device() / plain:.2f}"],
            [
                "snapshot",
                f"{len(stream.snapshot()) / DEVICES:.0f}",
                f"{len(stream.snapshot()) / DEVICES / plain:.2f}",
            ],
        ],
    )


def test_sqlite(tmp_path: Path) -> None:
    batch, writes = 500, 40
    blank = np.zeros(CHANNELS, np.float32)
    channels = tuple(f"c{c}" for c in range(CHANNELS))

    def verdict(number: int) -> Verdict:
        device, time_s = f"d{number % DEVICES}", START_S + number // DEVICES
        return Verdict(
            device, "", time_s, 1.0, 4.0, False, 1.0, 1.0, 1.0, channels, blank, blank, blank, "model", ("",) * CHANNELS
        )

    batches = [Batch([verdict(n) for n in range(at, at + batch)]) for at in range(0, batch * writes, batch)]
    plain_row = [(verdict.device, verdict.time_s, verdict.surprise) for one in batches for verdict in one.verdicts]

    def store() -> None:
        with closing(SqliteStore(tmp_path / "anomgan.db")) as store:
            for one in batches:
                store.write(one)

    _, spent = stopwatch(store)
    _, plain = stopwatch(lambda: bare_inserts(tmp_path / "plain.db", plain_row, batch))
    table(
        f"SQLite, {batch} verdicts a transaction, {DEVICES:,} devices, on disk when it returns",
        ["what", "verdicts/s", "against baseline", "CPU µs/verdict"],
        [
            [
                name,
                f"{batch * writes / one.wall_s:,.0f}",
                f"{plain.wall_s / one.wall_s:.2f}",
                f"{1e6 * one.cpu_s / batch / writes:.1f}",
            ]
            for name, one in (("(device, time, surprise) into a table (baseline)", plain), ("SqliteStore.write", spent))
        ],
    )


def bare_inserts(path: Path, rows: list[tuple[str, float, float]], batch: int) -> None:
    """The least that a store could do: three columns, the same transactions, the same durability."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE verdict (device TEXT, time_s REAL, surprise REAL)")
        for at in range(0, len(rows), batch):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO verdict VALUES (?, ?, ?)", rows[at : at + batch])
            connection.execute("COMMIT")
