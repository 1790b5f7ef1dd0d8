"""Sensors, clocks and networks gone wrong, over a real broker: each told as what it is, of the device that has it.

The simulator's readings are published to mosquitto and read by the detector service under a clock that the test moves,
so that hours pass in seconds and nothing depends on the machine's load.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from programs import PATIENCE_S
from quality_cases import Delivery, clock, held_up, in_order, lost, outage, prompt, twice
from servers import eventually

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.mqtt_carrier import MQTT, MqttCarrier
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig, DetectorConfig, ServiceConfig, parse_config
from anomgan.detector import Detector
from anomgan.records import TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan_dashboard.answers import answer
from anomgan_detector.brokers import subscriptions
from anomgan_detector.compose import open_journal, posts_of
from anomgan_detector.courier import Courier
from anomgan_detector.renewal import Renewal
from anomgan_detector.service import DetectorService

PERIOD_S, HOUR_S = 10.0, 3600.0


def pumps(names: Sequence[str], hours: float, seed: int, faults: Sequence[dict[str, object]] = ()) -> list[TimeSeries]:
    document = {
        "clock": {"period_s": PERIOD_S, "duration_s": HOUR_S * hours, "seed": seed, "day_s": HOUR_S},
        "output": {"topic": "{device}"},
        "devices": [{"kind": "pump", "name": name, "count": 1} for name in names],
        "faults": list(faults),
    }
    return [replace(one, device=name) for one, name in zip(simulate(parse_scenario(document, "x")), names, strict=True)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "pump.safetensors"
    config = DetectorConfig(window=32, steps=300, latent=8, width=8, device="cpu")
    Detector.fit(pumps(["a", "b", "c", "d"], 8.0, 1), config).save(path)
    return path


class Plant:
    """A detector service that listens to a real broker, and the clock it goes by."""

    def __init__(self, broker: BrokerConfig, model: Path, folder: Path) -> None:
        self.now_s = 0.0
        self.store_path = folder / "anomgan.db"
        document = {
            "broker": {"host": broker.host, "port": broker.port, "client_id": "detector"},
            "fleets": [{"model": str(model), "topic": "plant/{device}/telemetry"}],
            "quality": {"ranges": {"discharge_pressure": [0, 16]}},
            "store": {"sqlite": {"path": str(self.store_path)}},
            "journal": {"path": str(folder / "journal.db"), "snapshot_s": 1e9},
        }
        self.config = parse_config(ServiceConfig, document, "service.toml")
        self.publisher = MqttPublisher(broker)
        self.store = SqliteStore(self.store_path)
        self.start()

    def start(self) -> None:
        """Begin, or begin again where the journal left it."""
        config = self.config
        fleets = posts_of(Renewal(config, time.time))
        self.source = MqttSource(config.broker, subscriptions(fleets), config.input.queue, "anomgan/status")
        self.journal = open_journal(config.journal)
        carrier = MqttCarrier(MqttPublisher(config.broker, "events"), 1)
        self.courier = Courier(MQTT, open_journal(config.journal), carrier, lambda: self.now_s)
        self.service = DetectorService(
            config, fleets, self.source, [self.store], self.journal, [self.courier], lambda: self.now_s
        )
        self.service.recall()

    def kill(self) -> None:
        """End the service as a crash does: nothing is written."""
        self.source.close()
        self.courier.close()
        self.journal.close()

    def live(self, delivery: Delivery, until_s: float) -> None:
        """Let the readings arrive, and time pass."""
        stop, sent = threading.Event(), self.service.counters().get("messages_received", 0)
        waiting = {tick: list(came) for tick, came in groupby(delivery, key=lambda one: int(one.at_s // PERIOD_S))}
        for tick in range(int(delivery[0].at_s // PERIOD_S), int(until_s // PERIOD_S) + 1):
            self.now_s = (tick + 1) * PERIOD_S
            for one in waiting.get(tick, ()):
                values = {name: value for name, value in one.reading.values.items() if value == value}
                body = json.dumps({"ts": one.reading.time_s, **values}).encode()
                self.publisher.publish(f"plant/{one.reading.device}/telemetry", body)
            assert self.publisher.flush(PATIENCE_S)
            sent += len(waiting.get(tick, ()))

            def heard(sent: int = sent) -> bool:
                self.service.turn(stop)
                return self.service.counters().get("messages_received", 0) >= sent

            eventually(heard, f"{sent} messages dealt with", PATIENCE_S)

    def close(self) -> None:
        """Let go of everything."""
        self.kill()
        self.publisher.close()
        self.store.close()


@pytest.fixture
def plant(mosquitto: BrokerConfig, model: Path, tmp_path: Path) -> Iterator[Plant]:
    with closing(Plant(mosquitto, model, tmp_path)) as made:
        yield made


def told(plant: Plant) -> dict[str, set[tuple[str, str]]]:
    """(kind, channel) of all issues that were ever told of each device."""
    found: dict[str, set[tuple[str, str]]] = {}
    with open_reader(plant.store_path) as reader:
        for issue in reader.issues(only_open=False):
            found.setdefault(issue.device, set()).add((issue.kind, issue.channel))
    return found


def altered(series: TimeSeries, channel: str, rows: slice, change: Mapping[str, float]) -> TimeSeries:
    """A channel times `by` plus `add` in some rows."""
    values = series.values.copy()
    at = series.channels.index(channel)
    values[rows, at] = values[rows, at] * change.get("by", 1.0) + change.get("add", 0.0)
    return replace(series, values=values)


def test_each_trouble_is_told_as_what_it_is_and_process_faults_are_events(plant: Plant) -> None:
    names = ["well", "sticks", "code", "range", "unit", "lost", "twice", "ahead", "behind", "kept", "dies", "mixed"]
    faults: list[dict[str, object]] = [
        {"device": "sticks1", "kind": "stuck", "channels": ["flow"], "start_s": 3600.0, "end_s": 5400.0},
        {"device": "wears1", "kind": "bearing_wear", "severity": 1.5, "start_s": 3600.0, "end_s": 5400.0},
    ]
    series = {one.device: one for one in pumps([*names, "wears"], 2.5, 2, faults)}
    start_s = series["well"].times[0]
    hour, rng = slice(360, 540), np.random.default_rng(0)
    nothing = {"by": 0.0}
    series["code"] = altered(series["code"], "motor_temperature", hour, nothing | {"add": -127.0})
    series["range"] = altered(series["range"], "discharge_pressure", hour, nothing | {"add": 16.5})
    series["unit"] = altered(series["unit"], "discharge_pressure", hour, {"by": 100.0})
    series["lost"] = altered(series["lost"], "vibration", hour, {"add": np.nan})
    came = {name: prompt(one, rng, name) for name, one in series.items()}
    middle_s = start_s + HOUR_S
    came["twice"] = twice(came["twice"], 1.0, rng)
    came["ahead"] = clock(came["ahead"], lambda t: 300.0 * (t > middle_s))
    came["behind"] = clock(came["behind"], lambda t: -300.0)
    came["kept"] = outage(came["kept"], middle_s, middle_s + 900.0)
    came["dies"] = lost(came["dies"], middle_s, np.inf)
    came["mixed"] = held_up(came["mixed"], 0.5, 25.0, rng)
    plant.live(in_order([one for each in came.values() for one in each]), start_s + 2.5 * HOUR_S)

    assert told(plant) == {
        "sticks": {("stuck", "flow")},
        "code": {("out_of_range", "motor_temperature")},
        "range": {("out_of_range", "discharge_pressure")},
        "unit": {("unit_jump", "discharge_pressure")},
        "lost": {("silent", "vibration")},
        "twice": {("duplicate", "")},
        "ahead": {("clock_skew", "")},
        "behind": {("clock_skew", "")},
        "kept": {("silent", ""), ("buffered_burst", "")},
        "dies": {("silent", "")},
        "mixed": {("out_of_order", "")},
    }
    with open_reader(plant.store_path) as reader:
        events = {event.device for event in reader.events(start_s=middle_s, end_s=middle_s + 1800.0)}
        (twice_now,) = reader.health("", "twice")
        still = {(issue.device, issue.kind) for issue in reader.issues()}
    assert "wears" in events
    assert twice_now.duplicate > 500
    assert still == {("twice", "duplicate"), ("ahead", "clock_skew"), ("behind", "clock_skew"), ("dies", "silent")} | {
        ("mixed", "out_of_order")
    }
    devices = answer("fleet", {}, plant.store_path, plant.now_s)["devices"]
    assert {(one["device"], issue["kind"]) for one in devices for issue in one["health"]} == still


def test_nobody_is_told_sick_in_hours_of_normal_traffic(plant: Plant) -> None:
    rng = np.random.default_rng(1)
    fleet = pumps([f"p{number}" for number in range(6)], 4.0, 3)
    delivery = in_order([one for series in fleet for one in prompt(series, rng, series.device)])
    plant.live(delivery, fleet[0].times[-1])
    assert told(plant) == {}
    counters = plant.service.counters()
    assert counters["readings_admitted"] == len(delivery)
    assert not [name for name in counters if name.startswith(("masked_values", "dropped", "issues"))]


def test_after_a_crash_health_is_what_it_would_have_been(plant: Plant) -> None:
    rng = np.random.default_rng(2)
    faults: list[dict[str, object]] = [
        {"device": "sticks1", "kind": "stuck", "channels": ["flow"], "start_s": 1200.0, "end_s": 2000.0}
    ]
    well, sticks, dies = pumps(["well", "sticks", "dies"], 1.0, 4, faults)
    start_s = float(well.times[0])
    came = [*prompt(well, rng, "well"), *prompt(sticks, rng, "sticks"), *prompt(dies, rng, "dies")[:150]]
    delivery = in_order(came)
    cut_s = start_s + 1500.0
    plant.live([one for one in delivery if one.at_s < cut_s], cut_s - PERIOD_S)
    before = plant.service._snapshot(None)
    plant.kill()
    plant.start()
    after = plant.service._snapshot(None)
    assert {name: part for name, part in after.items() if "quality" in name} == {
        name: part for name, part in before.items() if "quality" in name
    }
    plant.live([one for one in delivery if one.at_s >= cut_s], start_s + HOUR_S)
    assert told(plant) == {"sticks": {("stuck", "flow")}, "dies": {("silent", "")}}
    while plant.courier.carry_some():
        pass
    retained: dict[str, dict[str, object]] = {}
    with closing(
        MqttSource(plant.config.broker.model_copy(update={"client_id": "reader"}), [("anomgan/+/health", 1)], 100, "")
    ) as reader:

        def received() -> bool:
            for message in reader.receive(100, 0.2):
                retained[message.topic.split("/")[1]] = json.loads(message.payload)
            return len(retained) == 3

        eventually(received, "health of three devices")
    assert {name: one["ok"] for name, one in retained.items()} == {"well": True, "sticks": True, "dies": False}
    (issue,) = retained["dies"]["issues"]  # type: ignore[misc]
    assert issue["kind"] == "silent"
