"""A detector service as a process: its model, its configuration, what devices send it, and what it has counted."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from contract import normal_series
from programs import PATIENCE_S
from servers import eventually

from anomgan.adapters.mqtt import MqttPublisher
from anomgan.adapters.sqlite_read import Counts, open_reader
from anomgan.config import BrokerConfig, DetectorConfig
from anomgan.detector import Detector
from anomgan.records import TimeSeries

START_S = 1.7e9
WINDOW, STRIDE = 16, 2


@pytest.fixture(scope="session")
def pump_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small detector of the contract's pump, in a file."""
    config = DetectorConfig(window=WINDOW, stride=STRIDE, steps=100, latent=4, width=8, batch=16, device="cpu")
    path = tmp_path_factory.mktemp("model") / "pump.safetensors"
    Detector.fit(normal_series(600, seed=0), config).save(path)
    return path


def write_config(folder: Path, broker: BrokerConfig, model: Path, more: str = "", fleet: str = "") -> None:
    """detector.toml for devices on plant/{device}/telemetry, with the SQLite store."""
    login = f'username = "{broker.username}"\npassword_env = "{broker.password_env}"\n' if broker.username else ""
    fleet = fleet or 'topic = "plant/{device}/telemetry"'
    (folder / "detector.toml").write_text(f"""
[broker]
host = "{broker.host}"
port = {broker.port}
client_id = "detector"
connect_timeout_s = 5.0
{login}
[[fleets]]
model = "{model}"
{fleet}
[store.sqlite]
path = "anomgan.db"
{more}
""")


@pytest.fixture
def folder(tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path) -> Path:
    write_config(tmp_path, mosquitto, pump_model)
    return tmp_path


@pytest.fixture
def publisher(mosquitto: BrokerConfig) -> Iterator[MqttPublisher]:
    with closing(MqttPublisher(mosquitto)) as publisher:
        yield publisher


def rows_of(series: TimeSeries) -> list[dict[str, float]]:
    """What a device sends, row by row."""
    rows = zip(series.times.tolist(), series.values.tolist(), strict=True)
    return [{"ts": time_s, **dict(zip(series.channels, row, strict=True))} for time_s, row in rows]


def send(publisher: MqttPublisher, series: TimeSeries, device: str = "p1") -> int:
    """Publish a series as flat messages; their number."""
    for row in rows_of(series):
        publisher.publish(f"plant/{device}/telemetry", orjson.dumps(row))
    assert publisher.flush(PATIENCE_S)
    return len(series)


def counters(folder: Path) -> dict[str, int]:
    """The service's totals from the store; {} while there is none."""
    if not (folder / "anomgan.db").exists():
        return {}
    with open_reader(folder / "anomgan.db") as reader:
        return reader.counters()


def stored(folder: Path) -> Counts:
    with open_reader(folder / "anomgan.db") as reader:
        return reader.counts()


def newest_s(folder: Path) -> float | None:
    """Event time of the newest verdict."""
    with open_reader(folder / "anomgan.db") as reader:
        return reader.summary().newest_s


def await_messages(folder: Path, count: int) -> dict[str, int]:
    """The totals, once so many messages have been dealt with."""
    eventually(lambda: counters(folder).get("messages_received", 0) >= count, f"{count} messages stored", PATIENCE_S)
    return counters(folder)


def dropped(totals: dict[str, int]) -> dict[str, int]:
    """reason -> count, of what was dropped."""
    found = {name: count for name, count in totals.items() if name.startswith("dropped.") and count}
    return {name.removeprefix("dropped."): count for name, count in found.items()}


def adds_up(totals: dict[str, int], published: int) -> bool:
    """Every message was scored, fell in a warm-up or was dropped for a reason (one reading a message)."""
    scored, warming_up = totals.get("readings_scored", 0), totals.get("readings_warming_up", 0)
    return published == totals["messages_received"] == scored + warming_up + sum(dropped(totals).values())
