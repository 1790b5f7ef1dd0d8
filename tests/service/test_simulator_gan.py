"""A fleet that behaves like a recorded one, live over a real broker: its rows, its network, and faults on request."""

import json
import signal
import tomllib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from programs import PATIENCE_S, Program, anomgan
from recorded_bench import MODEL, learned, save
from servers import eventually

from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.ports import Message
from anomgan.config import BrokerConfig
from anomgan.errors import Refused, Unreachable
from anomgan.simulate import Scenario, parse_scenario, ticks
from anomgan.synthesis.simulated import open_model
from anomgan_cli.simulator_line import simulator_line

PLANT = """
[broker]
port = {port}
[clock]
period_s = 4.0
{duration}
speed = {speed}
seed = 7
[[devices]]
engine = "gan"
model = "bench-gan.safetensors"
given = {{ mode = 2 }}
name = "bench-"
count = 2
site = "north"
[[devices]]
kind = "pump"
name = "pump-"
site = "north"
"""
DRIFT = """
[[faults]]
device = "bench-1"
kind = "drift"
channels = ["temperature"]
start_s = 80
end_s = 160
"""
NETWORK = """
[network]
connection = "device"
[[incidents]]
kind = "outage"
device = "bench-2"
start_s = 100
end_s = 200
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model."""
    where = tmp_path_factory.mktemp("bench")
    save(where, learned())
    return where


def write(
    folder: Path, broker: BrokerConfig, more: str = "", duration_s: int | None = 400, speed: object = '"max"'
) -> Scenario:
    """plant.toml, and the scenario that it is."""
    duration = "" if duration_s is None else f"duration_s = {duration_s}"
    text = PLANT.format(port=broker.port, duration=duration, speed=speed) + more
    (folder / "plant.toml").write_text(text)
    return parse_scenario(tomllib.loads(text), "plant.toml", lambda model: open_model(str(folder / model)))


def receive(source: MqttSource, count: int, of: str = "") -> list[Message]:
    """All until there are so many whose topic begins so."""
    messages: list[Message] = []

    def enough() -> bool:
        some = source.receive(count, 0.1)
        source.acknowledge(some)
        messages.extend(some)
        return sum(message.topic.startswith(of) for message in messages) >= count

    eventually(enough, f"{count} messages")
    return messages


def told(messages: Sequence[Message], device: str) -> list[dict[str, Any]]:
    topic = f"plant/north/{device}/telemetry"
    return [json.loads(message.payload) for message in messages if message.topic == topic]


def expected(scenario: Scenario, device: str) -> list[dict[str, Any]]:
    return [
        {"ts": one.time_s} | dict(one.values)
        for tick in ticks(scenario)
        for one in tick.readings
        if one.device == device
    ]


def test_a_recorded_fleet_arrives_beside_a_simulated_one_and_its_fault_is_told(
    mosquitto: BrokerConfig, folder: Path
) -> None:
    scenario = write(folder, mosquitto, DRIFT)
    with closing(MqttSource(mosquitto, [("plant/#", 1), ("anomgan/truth/+", 1)])) as source:
        anomgan(folder, "anomgan simulate plant.toml --rows :30 --quiet")
        anomgan(folder, "anomgan simulate plant.toml --rows 30: --quiet")
        messages = receive(source, 302)
    for device in ("bench-1", "bench-2", "pump-1"):
        assert told(messages, device) == expected(scenario, device)
    truth = [json.loads(message.payload) for message in messages if message.topic == "anomgan/truth/bench-1"]
    assert [(one["state"], one["kind"], one["channels"]) for one in truth] == [
        ("begin", "drift", ["temperature"]),
        ("end", "drift", ["temperature"]),
    ]
    assert truth[1]["end_s"] - scenario.start_s == 160.0


def test_a_recorded_fleet_has_a_network_like_any_other(mosquitto: BrokerConfig, folder: Path) -> None:
    scenario = write(folder, mosquitto, NETWORK)
    with closing(MqttSource(mosquitto, [("plant/#", 1), ("anomgan/truth/+", 1), ("anomgan/status/+", 1)])) as source:
        anomgan(folder, "anomgan simulate plant.toml --truth truth.csv --quiet")
        messages = receive(source, 300, "plant/")
    for device in ("bench-1", "bench-2"):
        assert told(messages, device) == expected(scenario, device)
    _, incident = (folder / "truth.csv").read_text().splitlines()
    assert incident.startswith(f"north,bench-2,gan:{MODEL},outage,")
    said = [message.payload for message in messages if message.topic == "anomgan/status/bench-2"]
    assert b"offline" in said


def test_faults_on_request_begin_in_a_recorded_fleet_and_those_of_machines_are_refused(
    mosquitto: BrokerConfig, folder: Path
) -> None:
    assert write(folder, mosquitto, duration_s=None, speed=40).rows is None
    program = Program(folder, ["simulate", "plant.toml", "--control", "--quiet"], folder / "live.log")
    line = simulator_line(str(folder / "plant.toml"))
    assert line is not None

    def answers() -> bool:
        assert program.process.poll() is None, program.said()
        try:
            return bool(line.ask("status", {}, 1.0))
        except Unreachable:
            return False

    try:
        eventually(answers, "the simulator answers", PATIENCE_S)
        known = line.ask("plant", {})["kinds"][f"gan:{MODEL}"]
        assert (known["channels"][0]["name"], known["channels"][0]["unit"], known["faults"]) == ("flow", "m³/h", [])
        assert "unit_jump" in known["channels"][0]["faults"]
        with pytest.raises(Refused, match="'leak' acts on the physics of a machine, and 'bench-2'"):
            line.ask("inject", {"device": "bench-2", "kind": "leak", "lasts_s": 60})
        with closing(MqttSource(mosquitto, [("anomgan/truth/+", 1)])) as source:
            wish = {"device": "bench-2", "kind": "stuck", "channels": ["flow"], "lasts_s": 60}
            fault = line.ask("inject", wish)["fault"]
            begun, ended = (json.loads(one.payload) for one in receive(source, 2))
        assert (begun["state"], ended["state"], ended["plan"]) == ("begin", "end", fault["plan"])
        assert ended["end_s"] - ended["start_s"] == 60.0
        assert program.end(signal.SIGTERM) == 0
    finally:
        line.close()
        if program.process.poll() is None:
            program.kill()
