"""The simulator's network against a real broker: a connection for each device, wills, bursts, retained values."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Mosquitto, eventually

from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_fleet import MqttFleet
from anomgan.adapters.ports import Message
from anomgan.config import BrokerConfig
from anomgan.errors import DataError, Refused, Unreachable

START_S = 1704067200.0
PLANT = """
[broker]
port = {port}
[clock]
duration_s = 120
speed = {speed}
seed = 7
[[devices]]
kind = "air_quality"
name = "air-"
count = {count}
site = "north"
[network]
{network}
"""
Start = Callable[..., "subprocess.Popen[str]"]


@contextmanager
def listening(broker: BrokerConfig, *filters: str) -> Iterator[MqttSource]:
    with closing(MqttSource(broker, [(one, 1) for one in filters])) as source:
        yield source


def receive(source: MqttSource, enough: Callable[[list[Message]], bool], what: str) -> list[Message]:
    messages: list[Message] = []

    def come() -> bool:
        some = source.receive(1000, 0.1)
        source.acknowledge(some)
        messages.extend(some)
        return enough(messages)

    eventually(come, what, 40.0)
    return messages


def write(
    tmp_path: Path, broker: BrokerConfig, network: str, speed: str = '"max"', count: int = 3, more: str = ""
) -> Path:
    file = tmp_path / "plant.toml"
    file.write_text(PLANT.format(port=broker.port, speed=speed, count=count, network=network) + more)
    return file


def simulate(file: Path, *arguments: str | Path) -> tuple[dict[str, Any], str]:
    """Run to the end: the summary and what was printed."""
    summary = file.parent / "summary.json"
    own = [sys.executable, "-m", "anomgan_cli", "simulate", str(file), "--quiet", "--summary", str(summary)]
    done = subprocess.run([*own, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(summary.read_text()), done.stdout


@contextmanager
def simulating(file: Path) -> Iterator["subprocess.Popen[str]"]:
    arguments = [sys.executable, "-m", "anomgan_cli", "simulate", str(file), "--quiet"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def times(messages: list[Message], device: str) -> list[float]:
    """Seconds after the start of the run in a device's telemetry."""
    topic = f"plant/north/{device}/telemetry"
    return [json.loads(message.payload)["ts"] - START_S for message in messages if message.topic == topic]


OUTAGE = """
[[incidents]]
kind = "outage"
device = "air-2"
start_s = 40
end_s = 70
"""


def test_an_outage_of_one_device_fires_its_last_will_and_ends_in_a_burst_of_old_times(
    mosquitto: BrokerConfig, tmp_path: Path
) -> None:
    file = write(tmp_path, mosquitto, 'connection = "device"', speed="40", more=OUTAGE)
    with listening(mosquitto, "plant/#", "anomgan/#") as source:
        totals, printed = simulate(file, "--truth", tmp_path / "truth.jsonl")
        messages = receive(source, lambda got: len(got) >= 360 + 2 + 8, "all messages, truth and status")
    assert len([m for m in messages if m.topic.startswith("plant/")]) == totals["messages_published"] == 360
    for number in (1, 2, 3):
        assert times(messages, f"air-{number}") == [float(second) for second in range(120)]
    status = [m.payload.decode() for m in messages if m.topic == "anomgan/status/air-2"]
    assert status == ["online", "offline", "online", "offline"]
    assert [m.payload for m in messages if m.topic == "anomgan/status/air-1"] == [b"online", b"offline"]
    order = [(m.topic, m.payload) for m in messages]
    down, up = (order.index(("anomgan/status/air-2", b"offline")), len(order))
    up = order.index(("anomgan/status/air-2", b"online"), down)
    between = times(messages[down:up], "air-1")
    assert times(messages[down:up], "air-2") == []
    assert len(between) >= 25  # the others went on
    first, *truth, last = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert first["state"] == last["state"] == "run"
    assert [(one["state"], one["kind"], one["device"], one["domain"]) for one in truth] == [
        ("begin", "outage", "air-2", "network"),
        ("end", "outage", "air-2", "network"),
    ]
    assert (truth[0]["start_s"], truth[0]["end_s"]) == (START_S + 40, START_S + 70)
    assert totals["network"]["buffered"] == 30
    assert totals["incidents"] == 1
    assert "30 buffered" in printed


def test_a_device_that_takes_its_leave_needs_no_last_will(mosquitto_server: Mosquitto, tmp_path: Path) -> None:
    broker = mosquitto_server.config
    file = write(tmp_path, broker, 'connection = "device"', more=OUTAGE + "goodbye = true\n")
    with listening(broker, "anomgan/status/#") as source:
        simulate(file)
        status = receive(source, lambda got: len(got) >= 8, "status of all")
    assert [m.payload for m in status if m.topic.endswith("air-2")] == [b"online", b"offline", b"online", b"offline"]
    log = mosquitto_server.log.read_text()
    assert log.count("Client north-air-2 disconnected.") == 2  # mosquitto's words for a DISCONNECT
    assert "Client north-air-2 closed its connection" not in log


@pytest.mark.parametrize("kind", ["absent", "outage"])
def test_who_is_away_at_the_end_stays_away_and_the_end_of_the_run_is_told_last(
    kind: str, mosquitto: BrokerConfig, tmp_path: Path
) -> None:
    away = f"[[incidents]]\nkind = '{kind}'\ndevice = 'air-2'\nstart_s = 100\n"
    file = write(tmp_path, mosquitto, 'connection = "device"\ndelay_s = 5', more=away)
    with listening(mosquitto, "plant/#", "anomgan/#") as source:
        totals, printed = simulate(file)
        expected = totals["messages_published"] + totals["truth_published"] + 2 + 6
        messages = receive(source, lambda got: len(got) >= expected, "all messages, truth and status")
    assert [m.payload for m in messages if m.topic == "anomgan/status/air-2"] == [b"online", b"offline"]
    assert max(times(messages, "air-2")) < 100 < max(times(messages, "air-1"))
    told = [json.loads(m.payload) for m in messages if m.topic.startswith("anomgan/truth")]
    assert [one["state"] for one in told] == ["run", "begin", "end", "run"]
    assert told[-1]["ended"]
    assert ("pending" in printed) == (kind == "outage")


def test_without_a_goodbye_the_connection_just_ends(mosquitto_server: Mosquitto, tmp_path: Path) -> None:
    simulate(write(tmp_path, mosquitto_server.config, 'connection = "device"', more=OUTAGE))
    log = mosquitto_server.log.read_text()
    assert log.count("Client north-air-2 closed its connection") == 1
    assert log.count("Client north-air-2 disconnected.") == 1


def test_every_device_has_a_connection_of_its_own(mosquitto_server: Mosquitto, tmp_path: Path) -> None:
    broker, count = mosquitto_server.config, 300
    file = write(tmp_path, broker, 'connection = "device"\nclient_id = "dev/{site}/{device}"', "1", count)
    with simulating(file) as process:
        with listening(broker, "anomgan/status/#") as source:
            receive(source, lambda got: len({m.topic for m in got}) >= count, "300 devices online")
        log = mosquitto_server.log.read_text()
        assert all(f" as dev/north/air-{number} (" in log for number in range(1, count + 1))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=40)
        assert (process.returncode, err) == (0, "")
    with listening(broker, "anomgan/status/#") as source:
        last = receive(source, lambda got: len(got) >= count, "300 retained words")
    assert {m.payload for m in last} == {b"offline"}
    assert len({m.topic for m in last}) == count


def test_a_killed_simulator_leaves_its_devices_offline(mosquitto: BrokerConfig, tmp_path: Path) -> None:
    file = write(tmp_path, mosquitto, 'connection = "device"', "1")
    with listening(mosquitto, "anomgan/status/#") as source, simulating(file) as process:
        receive(source, lambda got: [m.payload for m in got].count(b"online") == 3, "three online")
        process.kill()
        receive(source, lambda got: [m.payload for m in got].count(b"offline") == 3, "three wills")


def test_who_subscribes_later_gets_a_stale_retained_value(mosquitto: BrokerConfig, tmp_path: Path) -> None:
    stale = """
[[incidents]]
kind = "absent"
device = "air-2"
start_s = 40
"""
    simulate(write(tmp_path, mosquitto, "retain = true", more=stale))
    with listening(mosquitto, "plant/#") as source:
        found = receive(source, lambda got: len(got) >= 3, "three retained values")
    assert all(message.retained for message in found)
    assert [times(found, f"air-{number}") for number in (1, 2, 3)] == [[119.0], [39.0], [119.0]]


def test_two_pieces_of_a_bad_network_arrive_as_the_one_run_they_are(mosquitto: BrokerConfig, tmp_path: Path) -> None:
    bad = "jitter_s = 0.8\nloss = 0.1\nduplicate = 0.1\nreorder = 0.1"
    file = write(tmp_path, mosquitto, bad, more=OUTAGE)

    def run(*cuts: str) -> tuple[list[tuple[str, bytes]], int]:
        with listening(mosquitto, "plant/#") as source:
            count = sum(simulate(file, "--rows", rows)[0]["messages_published"] for rows in cuts)
            return [(m.topic, m.payload) for m in receive(source, lambda got: len(got) >= count, "all")], count

    whole, pieces = run(":"), run(":50", "50:")
    assert pieces == whole


def test_devices_with_connections_come_back_with_their_broker_and_the_run_goes_on(
    mosquitto_server: Mosquitto, tmp_path: Path
) -> None:
    broker = mosquitto_server.config
    file = write(tmp_path, broker, 'connection = "device"', "40")
    with listening(broker, "plant/#") as source, simulating(file) as process:
        before = receive(source, lambda got: len(got) >= 60, "some messages")
        mosquitto_server.stop()
        mosquitto_server.start()
        devices = ("air-1", "air-2", "air-3")
        after = receive(source, lambda got: all(119.0 in times(got, one) for one in devices), "the last messages")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "connection lost" in err
    missing = {float(second) for second in range(120)} - set(times(before + after, "air-2"))
    assert len(missing) < 60  # while the listener itself was not there
    assert sorted(missing) == [min(missing, default=0.0) + n for n in range(len(missing))]


def test_more_devices_than_the_broker_allows_are_one_clear_line(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, ["allow_anonymous true", "max_connections 5"])
    server.start()
    try:
        config = server.config.model_copy(update={"connect_timeout_s": 1.0})
        wishes = [Wish(f"d{number}") for number in range(9)]
        with pytest.raises(Unreachable, match=r"127.0.0.1:\d+.* \(\d clients got a connection; how many does"):
            MqttFleet(config, wishes)
    finally:
        server.stop()


def test_a_broker_of_mqtt_5_gets_no_more_at_a_time_than_it_takes(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, ["allow_anonymous true", "max_inflight_messages 5", "max_packet_size 1000"], version=5)
    server.start()
    try:
        wishes = [Wish("a", status_topic="s/a"), Wish("b", persistent=True)]
        with closing(MqttFleet(server.config, wishes)) as fleet, listening(server.config, "t/#") as source:
            for number in range(300):
                fleet.publish(f"t/{number}", b"1", by=1)
                assert fleet.unacknowledged <= 5 + 1  # and the other client's status
            assert fleet.flush(20.0)
            found = receive(source, lambda got: len(got) >= 300, "300 messages")
            with pytest.raises(DataError, match=r"2000 bytes, more than MQTT broker 127.0.0.1:\d+ takes"):
                fleet.publish("t/large", b"x" * 2000, by=1)
            assert fleet.connected
        assert [message.topic for message in found] == [f"t/{number}" for number in range(300)]
    finally:
        server.stop()


def test_what_was_on_its_way_at_qos_0_when_the_broker_died_is_counted_or_has_arrived(
    mosquitto_server: Mosquitto,
) -> None:
    with closing(MqttFleet(mosquitto_server.config, [Wish("a")], patience_s=1.0)) as fleet:
        fleet.publish("t/0", b"1", qos=0)
        assert fleet.flush(5.0)
        mosquitto_server.kill()
        fleet.publish("t/1", b"1", qos=0)  # nobody has noticed yet
        assert fleet.wait(10.0, lambda: not fleet.connected)
        with pytest.raises(Unreachable, match=r"127.0.0.1:\d+: connection (lost|refused)"):
            fleet.publish("t/1", b"1", qos=0)
        lost = fleet.lost
        mosquitto_server.start()
        assert fleet.wait(20.0, lambda: fleet.connected)
        fleet.publish("t/2", b"1", qos=1)
        assert fleet.flush(10.0)
        assert fleet.connected
        assert fleet.lost == lost <= 1


def test_wrong_credentials_are_refused_at_once(mosquitto_with_password: BrokerConfig) -> None:
    nobody = mosquitto_with_password.model_copy(update={"username": "", "password_env": ""})
    with pytest.raises(Refused, match="not authorised"):
        MqttFleet(nobody, [Wish("a"), Wish("b")])


def test_a_topic_that_mqtt_does_not_allow_is_an_error_and_the_fleet_goes_on(mosquitto: BrokerConfig) -> None:
    with closing(MqttFleet(mosquitto, [Wish("a"), Wish("b")])) as fleet, listening(mosquitto, "t/#") as source:
        for topic in ("", "t/+"):
            with pytest.raises(DataError, match="topic"):
                fleet.publish(topic, b"1", by=1)
        for qos in (0, 1, 2):
            fleet.publish(f"t/{qos}", b"1", qos=qos, by=1)
        assert fleet.flush(10.0)
        assert fleet.unacknowledged == 0
        found = receive(source, lambda got: len(got) >= 3, "three messages")
    assert [message.topic for message in found] == ["t/0", "t/1", "t/2"]
