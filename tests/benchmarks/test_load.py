"""What the detector service bears, beside a bare paho subscriber on the same broker with the same messages.

One mosquitto holds every message for both, at QoS 1 in persistent sessions; each drains them alone. They are published
while neither is there, after the service has seen every device through its warm-up and was stopped. The service is
`anomgan detect` with the SQLite store and its journal, as people run it: everything is stored before it is
acknowledged. The latency is that from sending to being readable in the store, at half of the rate that was just
measured.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from figures import CHANNELS, normal_series, table

from anomgan.adapters.local_broker import LocalBroker
from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig, DetectorConfig
from anomgan.detector import Detector
from anomgan.errors import Unreachable

WINDOW = 64
CLIENT = Path(__file__).with_name("load_client.py")
FLEETS = (10, 100, 1_000, 10_000)
MESSAGES, BATCHED_MESSAGES = 30_000, 3_000
EACH = 8
"""readings of each device at least"""
ROWS = 100
STEADY_S = 20.0
PATIENCE_S = 900.0
pytestmark = [pytest.mark.bench, pytest.mark.service]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stretch of messages took."""

    wall_s: float
    cpu_s: float
    memory: float = float("nan")
    """bytes in use at its end"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("model") / "device.safetensors"
    # no gap is one, so that devices that warmed up in 2023 are still warm when they say what time it is
    config = DetectorConfig(window=WINDOW, steps=200, alarms_per_week=0.01, seed=0, device="cpu", max_gap_s=1e12)
    Detector.fit(normal_series(2000), config).save(path)
    return path


def client(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, str(CLIENT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def hold_for(broker: BrokerConfig, *names: str) -> None:
    """Sessions for which the broker keeps what is published from now on."""
    for name in names:
        MqttSource(broker.model_copy(update={"client_id": name}), [("plant/+/telemetry", 1)]).close()


@contextmanager
def service(folder: Path, broker: BrokerConfig, model: Path) -> Iterator[psutil.Process]:
    """`anomgan detect` on what waits for it; in the same folder it goes on where it was."""
    folder.mkdir(exist_ok=True)
    (folder / "detector.toml").write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nclient_id = "service"\n'
        f'[[fleets]]\nmodel = "{model}"\ntopic = "plant/{{device}}/telemetry"\ndialect = "array"\n'
        "[quality]\njudge_clocks = false\n"
        '[store.sqlite]\npath = "anomgan.db"\nretention_days = 100000.0\n'
        '[publish]\nevents = ""\nhealth = ""\n'
    )
    with (folder / "detect.log").open("wb") as log:
        program = psutil.Popen(
            [sys.executable, "-m", "anomgan_cli", "detect", "detector.toml", "--quiet"],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield program
        program.terminate()
        assert program.wait(60.0) == 0, (folder / "detect.log").read_text()
    finally:
        if program.is_running():
            program.kill()


def received(folder: Path) -> int:
    """How many messages the service has stored the outcome of."""
    try:
        with open_reader(folder / "anomgan.db") as reader:
            return reader.counters().get("messages_received", 0)
    except Unreachable:
        return 0


def await_messages(folder: Path, program: psutil.Process, count: int) -> tuple[int, float, float]:
    """As soon as so many are stored: how many there are, and the wall and CPU seconds then."""
    deadline = time.monotonic() + PATIENCE_S
    while (done := received(folder)) < count:
        assert program.is_running(), (folder / "detect.log").read_text()
        assert time.monotonic() < deadline, f"{done:,} of {count:,} messages after {PATIENCE_S:.0f} s"
        time.sleep(0.01)
    spent = program.cpu_times()
    return done, time.monotonic(), spent.user + spent.system


def drain(folder: Path, broker: BrokerConfig, model: Path, first: int, last: int) -> tuple[int, Spent]:
    """How many messages were counted, and what they took the service."""
    with service(folder, broker, model) as program:
        begun, wall_0, cpu_0 = await_messages(folder, program, first)
        ended, wall_1, cpu_1 = await_messages(folder, program, last)
        return ended - begun, Spent(wall_1 - wall_0, cpu_1 - cpu_0, program.memory_full_info().uss)


def warm_up(folder: Path, broker: BrokerConfig, model: Path, devices: int) -> None:
    """The service hears of every device a whole window, and leaves."""
    hold_for(broker, "service")
    client("warm-up", broker.port, devices, WINDOW)
    with service(folder, broker, model) as program:
        await_messages(folder, program, devices)


def one_case(folder: Path, model: Path, devices: int, messages: int, rows: int) -> tuple[Spent, int, Spent]:
    """The bare subscriber's figures, how many messages the service's are about, and those."""
    with LocalBroker() as local:
        assert local.name == "mosquitto", "install mosquitto: the broker from PyPI is the bottleneck itself"
        warm_up(folder, local.config, model, devices)
        hold_for(local.config, "bare")
        client("queue", local.port, devices, messages, rows)
        wall_s, cpu_s = map(float, client("bare", local.port, "bare", messages).split())
        counted, spent = drain(folder, local.config, model, devices + 1, devices + messages)
    return Spent(wall_s, cpu_s), counted, spent


@pytest.mark.parametrize(("messages", "rows"), [(MESSAGES, 1), (BATCHED_MESSAGES, ROWS)], ids=["single", "batched"])
def test_messages_a_second(model: Path, tmp_path: Path, messages: int, rows: int) -> None:
    shown: list[Sequence[str]] = []
    memory: list[float] = []
    for devices in FLEETS:
        sent = max(messages, EACH * devices // rows)  # else the first message of each would be all there is
        bare, counted, spent = one_case(tmp_path / f"{devices}", model, devices, sent, rows)
        memory.append(spent.memory)
        rate, base = counted / spent.wall_s, sent / bare.wall_s
        shown.append(
            [
                f"{devices:,}",
                f"{base:,.0f}",
                f"{rate:,.0f}",
                f"{rate / base:.2f}",
                f"{rate * rows:,.0f}",
                f"{counted * rows * CHANNELS / spent.cpu_s:,.0f}",
                f"{1e6 * bare.cpu_s / sent / rows:.1f}",
                f"{1e6 * spent.cpu_s / counted / rows:.1f}",
                f"{spent.memory / 1e6:.0f}",
            ]
        )
    idle = (memory[-1] - memory[0]) / (FLEETS[-1] - FLEETS[0])
    table(
        f"{messages:,} messages or more of {rows} readings, {CHANNELS} channels, window {WINDOW}, QoS 1, stored before "
        f"they are acknowledged; aims: 0.6 of the bare rate, 300,000 values/CPU-s in batches, 16 KB a device: "
        f"here {idle:,.0f} bytes",
        ["devices", "bare msg/s", "msg/s", "ratio", "readings/s", "values/CPU-s", "bare µs", "CPU µs/reading", "MB"],
        shown,
    )


def test_latency_at_half_load(model: Path, tmp_path: Path) -> None:
    shown: list[Sequence[str]] = []
    for devices in FLEETS:
        sent = max(MESSAGES, EACH * devices)
        _, counted, spent = one_case(tmp_path / f"full-{devices}", model, devices, sent, 1)
        rate = counted / spent.wall_s / 2.0
        with LocalBroker() as local:
            folder = tmp_path / f"half-{devices}"
            warm_up(folder, local.config, model, devices)
            with service(folder, local.config, model) as program:
                client("queue", local.port, 1, 1, 1)
                await_messages(folder, program, devices + 1)  # it is up, and has scored something
                sender = subprocess.Popen(
                    [sys.executable, str(CLIENT), "steady", str(local.port), str(devices), str(rate), str(STEADY_S)]
                )
                delays = until_ended(sender, folder)
        assert len(delays) > 100
        half, most = np.percentile(delays, [50, 99])
        numbers = [f"{1e3 * delay:.0f}" for delay in (half, most, max(delays))]
        shown.append([f"{devices:,}", f"{rate:,.0f}", f"{len(delays):,}", *numbers])
    table(
        "From sending to the stored flag at half load; aim: 250 ms for 99 of 100",
        ["devices", "messages/s", "flags seen", "p50 ms", "p99 ms", "largest ms"],
        shown,
    )


def until_ended(sender: "subprocess.Popen[bytes]", folder: Path) -> list[float]:
    """The age of each device's newest flag when it was first seen in the store, until the sender has ended."""
    delays: list[float] = []
    revision = -1
    begun = time.time()
    while sender.poll() is None:
        with open_reader(folder / "anomgan.db") as reader:
            changed = reader.fleet(revision)
            now = time.time()
        delays += [now - state.time_s for state in changed if state.revision > revision and state.time_s > begun]
        revision = max([revision, *(state.revision for state in changed)])
        time.sleep(0.01)  # what looks must not be what is measured: it shares the cores with the service
    assert sender.returncode == 0
    return delays
