"""`anomgan simulate` against a real broker: all of it arrives, in order, with its truth, and it ends cleanly."""

import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from servers import Mosquitto, eventually

from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.ports import Message
from anomgan.config import BrokerConfig
from anomgan.records import Reading
from anomgan.simulate import parse_scenario, ticks
from anomgan.wire import Decoder, PayloadFormat, parse_template

TOPIC = "plant/{site}/{device}/telemetry"
ARRIVAL_S = 1.8e9
"""later than all that is sent"""
PLANT = """
[clock]
period_s = 1.0
{duration}
day_s = 900
speed = "max"
seed = 7
[[devices]]
kind = "pump"
name = "pump-"
count = 2
site = "north"
[[devices]]
kind = "cold_store"
name = "cold-"
site = "south"
[[faults]]
device = "cold-1"
kind = "drift"
channels = ["humidity"]
start_s = 300
end_s = 350
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    file = tmp_path / "plant.toml"
    file.write_text(PLANT.format(duration="duration_s = 500"))
    return file


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    file = tmp_path / "endless.toml"
    file.write_text(PLANT.format(duration=""))
    return file


@contextmanager
def listening(broker: BrokerConfig) -> Iterator[MqttSource]:
    with closing(MqttSource(broker, [("plant/#", 1), ("anomgan/truth/+", 1)])) as source:
        yield source


def command(broker: BrokerConfig, *arguments: str | Path) -> list[str]:
    own = [sys.executable, "-m", "anomgan_cli", "simulate", "--broker", f"{broker.host}:{broker.port}"]
    return [*own, *map(str, arguments)]


def run(broker: BrokerConfig, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(broker, *arguments), capture_output=True, text=True, check=False, timeout=60)


def receive(source: MqttSource, count: int) -> list[Message]:
    messages: list[Message] = []

    def enough() -> bool:
        some = source.receive(count, 0.1)
        source.acknowledge(some)
        messages.extend(some)
        return len(messages) >= count

    eventually(enough, f"{count} messages")
    return messages


def readings_of(messages: list[Message]) -> list[Reading]:
    decoder = Decoder(PayloadFormat(parse_template(TOPIC)))
    telemetry = [message for message in messages if decoder.matches(message.topic)]
    return [
        reading
        for message in telemetry
        for reading in decoder.decode(message.topic, message.payload, ARRIVAL_S).readings
    ]


def test_two_stretches_in_two_processes_arrive_as_the_one_run_they_are(
    mosquitto: BrokerConfig, plant: Path, tmp_path: Path
) -> None:
    with listening(mosquitto) as source:
        quiet = run(mosquitto, plant, "--rows", ":280", "--summary", tmp_path / "first.json", "--quiet")
        files = ("--truth", tmp_path / "truth.jsonl", "--summary", tmp_path / "second.json")
        failing = run(mosquitto, plant, "--rows", "280:", "--speed", "200", *files)
        assert (quiet.returncode, failing.returncode) == (0, 0), quiet.stderr + failing.stderr
        messages = receive(source, 1502)
    scenario = parse_scenario(tomllib.loads(plant.read_text()), "plant.toml")
    assert readings_of(messages) == [reading for tick in ticks(scenario) for reading in tick.readings]
    truth = [json.loads(message.payload) for message in messages if message.topic == "anomgan/truth/cold-1"]
    assert [record["state"] for record in truth] == ["begin", "end"]
    begun, *told, ended = map(json.loads, (tmp_path / "truth.jsonl").read_text().splitlines())
    assert told == truth
    assert [record["state"] for record in (begun, ended)] == ["run", "run"]
    assert (begun["until_s"] - begun["start_s"], ended["until_s"] - ended["start_s"]) == (0.0, 220.0)
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second"))
    assert (first["messages_published"], first["readings"], first["faults"], first["rows"]) == (840, 840, 0, 280)
    assert (second["messages_published"], second["truth_published"], second["faults"]) == (660, 2, 1)
    assert second["seconds"] >= 219 / 200
    assert not second["stopped"]
    assert "660 messages with 660 readings" in failing.stdout


def test_told_to_stop_in_a_fault_the_table_of_the_truth_has_it(
    mosquitto: BrokerConfig, endless: Path, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.csv"
    with listening(mosquitto) as source:
        arguments = command(mosquitto, endless, "--rows", "295:", "--speed", "10", "--truth", truth, "--quiet")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            receive(source, 25)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=40)
        assert process.returncode == 0, err
    _, fault = truth.read_text().splitlines()
    assert fault.startswith("south,cold-1,cold_store,drift,humidity,5.0,0.0,0.0,2024-01-01T00:05:00Z,")
    assert fault.endswith(",2024-01-01T00:05:50Z,fault")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_delivers_what_it_counted_and_exits_0(
    mosquitto: BrokerConfig, endless: Path, tmp_path: Path, number: signal.Signals
) -> None:
    summary = tmp_path / "summary.json"
    with listening(mosquitto) as source:
        arguments = command(mosquitto, endless, "--speed", "50", "--summary", summary)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            before = receive(source, 30)
            process.send_signal(number)
            out, err = process.communicate(timeout=40)
        assert process.returncode == 0, err
        totals = json.loads(summary.read_text())
        assert totals["stopped"]
        after = receive(source, totals["messages_published"] - len(before))
    assert len(before) + len(after) == totals["messages_published"]
    assert out.startswith("stopped: ")
    assert "Traceback" not in err


def test_a_broker_that_goes_and_comes_back_does_not_end_the_run(
    mosquitto_server: Mosquitto, endless: Path, tmp_path: Path
) -> None:
    broker, summary = mosquitto_server.config, tmp_path / "summary.json"
    arguments = command(broker, endless, "--speed", "50", "--summary", summary, "--quiet")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with listening(broker) as source:
            before = readings_of(receive(source, 60))
        mosquitto_server.stop()
        mosquitto_server.start()
        with listening(broker) as source:
            after = readings_of(receive(source, 60))
        process.terminate()
        _, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
    assert max(reading.time_s for reading in after) > max(reading.time_s for reading in before)
    totals = json.loads(summary.read_text())
    assert totals["messages_published"] == totals["readings"] == 3 * totals["rows"]
    assert totals["lost"] == 0


def test_a_recorded_csv_arrives_with_its_own_times(mosquitto: BrokerConfig, tmp_path: Path) -> None:
    lines = ["datetime;flow;pressure;anomaly"]
    lines += [
        f"2024-01-01 00:{s // 60:02}:{s % 60:02};{s * 0.5};{'' if s == 50 else s % 3};{int(s > 70)}" for s in range(80)
    ]
    (tmp_path / "bench.csv").write_text("\n".join(lines))
    with listening(mosquitto) as source:
        done = run(
            mosquitto, "--replay", tmp_path / "bench.csv", "--time", "datetime", "--label", "anomaly",
            "--rows", "40:", "--speed", "100", "--topic", "plant/{device}/telemetry",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        messages = receive(source, 42)
    sent = [json.loads(m.payload) for m in messages if m.topic == "plant/bench/telemetry"]
    assert [message["ts"] for message in sent] == [1704067200.0 + second for second in range(40, 80)]
    assert [message["flow"] for message in sent] == [second * 0.5 for second in range(40, 80)]
    assert sent[10]["pressure"] is None
    truth = [json.loads(m.payload) for m in messages if m.topic == "anomgan/truth/bench"]
    assert [(record["state"], record["kind"]) for record in truth] == [("begin", "labelled"), ("end", "labelled")]
    assert truth[0]["start_s"] == 1704067200.0 + 71
    assert truth[0]["end_s"] == 1704067200.0 + 80


def test_wrong_credentials_are_one_line_and_status_2(mosquitto_with_password: BrokerConfig, plant: Path) -> None:
    done = run(mosquitto_with_password, plant)  # as nobody
    assert done.returncode == 2
    assert "MQTT broker 127.0.0.1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_with_its_password_it_may_publish(mosquitto_with_password: BrokerConfig, plant: Path) -> None:
    broker = mosquitto_with_password
    text = f'[broker]\nusername = "{broker.username}"\npassword_env = "{broker.password_env}"\n'
    plant.write_text(text + plant.read_text())
    with listening(broker) as source:
        done = run(broker, plant, "--rows", ":10")
        assert done.returncode == 0, done.stderr
        assert len(receive(source, 30)) == 30
