"""How many messages a second the detector service takes, beside a bare paho subscriber that only counts them.

Both drain the same number of messages that one mosquitto holds for them, in the same run, at QoS 1. CPU seconds tell
the work itself; wall seconds depend on the other core too, where the broker works.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np
import orjson
import paho.mqtt.client as paho
import pytest
import torch
from figures import CHANNELS, Spent, coupled_sines, normal_series, stopwatch, table
from paho.mqtt.enums import CallbackAPIVersion

from anomgan.adapters.local_broker import LocalBroker
from anomgan.adapters.memory import MemoryPublisher, MemoryStore
from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.ports import Batch, Message, Store
from anomgan.adapters.sqlite import SqliteStore
from anomgan.config import BrokerConfig, DetectorConfig, ServiceConfig
from anomgan.detector import Detector
from anomgan.records import Reading, Verdict
from anomgan.stream import StreamDetector
from anomgan_detector.compose import posts_of
from anomgan_detector.renewal import Renewal
from anomgan_detector.service import DetectorService

DEVICES = 1000
WINDOW, STRIDE = 64, 8
MESSAGES = 30_000
ROUNDS = 3
START_S = 1.7e9
AIM = 0.5
CLIENT = count(1)
pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerConfig]:
    with LocalBroker() as broker:
        assert broker.name == "mosquitto", "install mosquitto: the broker from PyPI is the bottleneck itself"
        yield broker.config


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("model") / "device.safetensors"
    config = DetectorConfig(window=WINDOW, stride=STRIDE, steps=200, alarms_per_week=0.01, seed=0, device="cpu")
    Detector.fit(normal_series(2000), config).save(path)
    return path


class Rows:
    """Readings of the fleet as messages, row after row, every device in its own phase so that they are due in turn."""

    def __init__(self) -> None:
        self._values = coupled_sines(4000, seed=1).round(3)
        self._row = 0

    def take(self, messages: int) -> Iterator[tuple[str, bytes]]:
        """The next so many messages, a multiple of the number of devices."""
        for row in range(self._row, self._row + messages // DEVICES):
            for device in range(DEVICES):
                values = self._values[(row + 7 * device) % len(self._values)].tolist()
                document = {"ts": START_S + row, **{f"c{c}": value for c, value in enumerate(values)}}
                yield f"plant/d{device}/telemetry", orjson.dumps(document)
        self._row += messages // DEVICES


def publish(broker: BrokerConfig, messages: Iterator[tuple[str, bytes]]) -> None:
    with closing(MqttPublisher(broker)) as publisher:
        for topic, payload in messages:
            publisher.publish(topic, payload)
        assert publisher.flush(60.0)


def bare(broker: BrokerConfig, rows: Rows) -> Spent:
    """paho with a callback that counts, in its own thread, acknowledging by itself."""
    received, everything = 0, threading.Event()

    def on_message(client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        nonlocal received
        received += 1
        if received == MESSAGES:
            everything.set()

    def on_connect(client: paho.Client, *_: object) -> None:
        client.subscribe("plant/+/telemetry", qos=1)

    def connect() -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        client.on_connect = on_connect
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = on_message
        client.connect(broker.host, broker.port)
        client.loop_start()
        return client

    def leave(client: paho.Client) -> None:
        client.disconnect()
        client.loop_stop()

    name, subscribed = f"bare-{next(CLIENT)}", threading.Event()
    client = connect()
    assert subscribed.wait(10.0)
    leave(client)
    publish(broker, rows.take(MESSAGES))

    def drain() -> paho.Client:
        client = connect()
        assert everything.wait(300.0)
        return client

    client, spent = stopwatch(drain)
    leave(client)
    return spent


def service(broker: BrokerConfig, rows: Rows, model: Path, store: Store) -> tuple[Spent, dict[str, int]]:
    """The detector service, its devices past their warm-up."""
    mine = broker.model_copy(update={"client_id": f"service-{next(CLIENT)}"})
    config = ServiceConfig.model_validate(
        {
            "broker": mine.model_dump(),
            "fleets": [{"model": str(model), "topic": "plant/{device}/telemetry"}],
            "store": {"sqlite": {"path": "unused"}},
        }
    )
    fleets = posts_of(Renewal(config, time.time))
    warm_up = [Message(topic, payload) for topic, payload in rows.take(WINDOW * DEVICES)]
    stagger = [message for row in range(STRIDE) for message in warm_up[row * DEVICES :][: DEVICES * row // STRIDE]]
    store.write(Batch(fleets[0].judge([*stagger, *warm_up[STRIDE * DEVICES :]], time.time).verdicts))
    subscriptions = [("plant/+/telemetry", 1)]
    MqttSource(mine, subscriptions).close()
    publish(broker, rows.take(MESSAGES))
    never = threading.Event()

    def drain() -> tuple[MqttSource, dict[str, int]]:
        source = MqttSource(mine, subscriptions)
        program = DetectorService(config, fleets, source, [store], MemoryPublisher(), time.time)
        done = 0
        while done < MESSAGES:
            done += program.turn(never)
        return source, program.counters()

    (source, counters), spent = stopwatch(drain)
    source.close()
    return spent, counters


def test_service(broker: BrokerConfig, model: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    rows, number = Rows(), count(1)

    def with_sqlite() -> Spent:
        with closing(SqliteStore(tmp_path / f"{next(number)}.db")) as store:
            return service(broker, rows, model, store)[0]

    def in_memory() -> Spent:
        spent, counters = service(broker, rows, model, MemoryStore())
        assert abs(counters["windows_scored"] - MESSAGES / STRIDE) < DEVICES
        return spent

    runs: dict[str, Callable[[], Spent]] = {
        "bare paho, counts only (baseline)": lambda: bare(broker, rows),
        "service, memory store": in_memory,
        "service, SQLite store": with_sqlite,
    }
    spent: dict[str, list[Spent]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            spent[name].append(run())
    wall = {name: min(one.wall_s for one in every) for name, every in spent.items()}
    cpu = {name: min(one.cpu_s for one in every) for name, every in spent.items()}
    base = next(iter(runs))
    table(
        f"{MESSAGES:,} messages of {CHANNELS} channels, {DEVICES:,} devices, every {STRIDE}th reading scored, "
        f"best of {ROUNDS}; aim: {AIM:g} of the baseline",
        ["who", "messages/s", "against baseline", "CPU µs/message", "against baseline"],
        [
            [
                name,
                f"{MESSAGES / wall[name]:,.0f}",
                f"{wall[base] / wall[name]:.2f}",
                f"{1e6 * cpu[name] / MESSAGES:.1f}",
                f"{cpu[name] / cpu[base]:.2f}",
            ]
            for name in runs
        ],
    )


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
