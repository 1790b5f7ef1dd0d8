"""`anomgan detect` with two real brokers: one that is away stops no other, and nothing is taken for somebody else's."""

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from contract import normal_series, with_fault
from detector_program import counters, pump_model
from programs import PATIENCE_S, Program, detecting
from servers import Mosquitto, eventually

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.sqlite_read import open_reader
from anomgan.records import TimeSeries

__all__ = ["pump_model"]  # a fixture

Brokers = dict[str, Mosquitto]


@pytest.fixture
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """north speaks MQTT 3.1.1 with us, south MQTT 5."""
    servers = {
        "north": Mosquitto(tmp_path_factory.mktemp("north"), version=3),
        "south": Mosquitto(tmp_path_factory.mktemp("south"), version=5),
    }
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


def write_config(
    folder: Path, brokers: Brokers, pump_model: Path, more: str = "", topic: str = "plant/{device}/tele"
) -> None:
    """Both brokers, a fleet at each with the same topic and the same model."""
    tables = [
        f"""
[[brokers]]
name = "{name}"
host = "127.0.0.1"
port = {server.port}
version = {server.version}
client_id = "detector"
keepalive_s = 5

[[fleets]]
model = "{pump_model}"
topic = "{topic}"
broker = "{name}"
"""
        for name, server in brokers.items()
    ]
    (folder / "detector.toml").write_text(
        "".join(tables) + f'[store.sqlite]\npath = "anomgan.db"\n[journal]\npath = "journal.db"\nsnapshot_s = 1\n{more}'
    )


@pytest.fixture
def folder(tmp_path: Path, brokers: Brokers, pump_model: Path) -> Path:
    write_config(tmp_path, brokers, pump_model)
    return tmp_path


def send(server: Mosquitto, series: TimeSeries, topic: str = "plant/p1/tele") -> int:
    """Publish a series as flat messages; their number."""
    with closing(MqttPublisher(server.config)) as publisher:
        for time_s, row in zip(series.times.tolist(), series.values.tolist(), strict=True):
            publisher.publish(topic, orjson.dumps({"ts": time_s, **dict(zip(series.channels, row, strict=True))}))
        assert publisher.flush(PATIENCE_S)
    return len(series)


def await_count(folder: Path, count: int, name: str = "messages_received") -> None:
    eventually(lambda: counters(folder).get(name, 0) >= count, f"{name} is {count}", PATIENCE_S)
    assert counters(folder)[name] == count


def sites(folder: Path) -> dict[str, int]:
    """site -> how many verdicts it has."""
    with open_reader(folder / "anomgan.db") as reader:
        rows = reader._connection.execute(
            "SELECT site, count(*) FROM verdict JOIN device ON device.id = device_id GROUP BY site"
        )
        return {str(site): int(count) for site, count in rows}


def statuses(server: Mosquitto) -> bytes:
    """What is retained of the service's status."""
    with closing(MqttSource(server.config, [("anomgan/status", 1)])) as listener:
        messages = listener.receive(1, 5.0)
        return messages[0].payload if messages else b""


def test_while_one_broker_is_away_the_other_goes_on_and_its_devices_are_not_confused(
    folder: Path, brokers: Brokers
) -> None:
    north, south = brokers["north"], brokers["south"]
    series = normal_series(120, seed=1)
    with detecting(folder) as service:
        sent = send(north, series[:40]) + send(south, series[:40])
        await_count(folder, sent)
        north.kill()
        service.await_words(f"MQTT broker north (127.0.0.1:{north.port}): connection lost")
        sent += send(south, series[40:80])
        await_count(folder, sent)
        north.start()
        eventually(lambda: statuses(north) == b"online", "the service listens to it again", PATIENCE_S)
        sent += send(north, series[40:80]) + send(south, series[80:])
        await_count(folder, sent)
        assert statuses(north) == statuses(south) == b"online"
        assert service.end() == 0
    assert "MQTT broker south" not in service.said()
    assert sites(folder).keys() == {"north", "south"}
    totals = counters(folder)
    assert totals["readings_admitted"] == totals["readings_scored"] + totals["readings_warming_up"] == sent
    assert statuses(north) == statuses(south) == b"offline"


def test_killed_while_both_send_it_takes_up_where_it_was_with_each(folder: Path, brokers: Brokers) -> None:
    series = normal_series(150, seed=1)
    sent = 0
    for start in range(0, 150, 50):
        with detecting(folder) as service:
            for server in brokers.values():
                sent += send(server, series[start : start + 50])
            if start < 100:
                service.kill()  # wherever it is
                continue
            await_count(folder, sent, "readings_admitted")
            assert service.end() == 0
    scored = counters(folder)["readings_scored"]
    assert sites(folder) == {"north": sites(folder)["south"], "south": sites(folder)["south"]}
    assert scored == 2 * (150 - 15)  # one warm-up a device, in spite of two kills


def test_an_event_is_told_at_the_broker_of_its_device(folder: Path, brokers: Brokers) -> None:
    topics: dict[str, list[str]] = {name: [] for name in brokers}
    listeners = {name: MqttSource(server.config, [("anomgan/#", 1)]) for name, server in brokers.items()}
    with detecting(folder) as service:
        send(brokers["north"], normal_series(200, seed=1))
        send(brokers["south"], with_fault(normal_series(200, seed=1), 100, 150))

        def told() -> bool:
            for name, listener in listeners.items():
                for message in listener.receive(10, 0.05):
                    if message.topic.endswith("/event"):
                        topics[name].append(message.topic)
                        assert json.loads(message.payload)["site"] == name
            return bool(topics["south"])

        eventually(told, "an event", PATIENCE_S)
        assert service.end() == 0
    told()
    for listener in listeners.values():
        listener.close()
    assert set(topics["south"]) == {"anomgan/south/p1/event"}
    assert topics["north"] == []


@pytest.mark.parametrize("told", ["", '[publish]\nbroker = "north"\n'], ids=["each is told its own", "north is told"])
def test_started_while_one_is_away_it_listens_to_the_other_and_finds_the_one_when_it_comes(
    folder: Path, brokers: Brokers, pump_model: Path, told: str
) -> None:
    write_config(folder, brokers, pump_model, told)
    north, south = brokers["north"], brokers["south"]
    north.kill()
    series = normal_series(60, seed=1)
    with detecting(folder) as service:
        assert f"MQTT broker north (127.0.0.1:{north.port}): connection refused" in service.said()
        sent = send(south, series)
        await_count(folder, sent)
        north.start()
        eventually(lambda: statuses(north) == b"online", "it is there", PATIENCE_S)
        await_count(folder, sent + send(north, series))
        assert service.end() == 0


def test_started_while_all_are_away_it_ends_and_names_them(folder: Path, brokers: Brokers) -> None:
    for server in brokers.values():
        server.kill()
    service = Program(folder, ["detect", "detector.toml"], folder / "detector.log")
    assert service.process.wait(PATIENCE_S) == 2
    last = service.said().splitlines()[-1]
    assert last.startswith("anomgan: error: MQTT broker north")
    assert all(str(server.port) in last for server in brokers.values())
    assert "Traceback" not in service.said()


def test_check_connects_to_each(folder: Path, brokers: Brokers) -> None:
    check = Program(folder, ["detect", "detector.toml", "--check"], folder / "check.log")
    assert check.process.wait(PATIENCE_S) == 0, check.said()
    for name, version in (("north", "MQTT 3.1.1"), ("south", "MQTT 5")):
        assert f"MQTT broker {name} (127.0.0.1:{brokers[name].port}): connected ({version})" in check.said()
    brokers["south"].kill()
    check = Program(folder, ["detect", "detector.toml", "--check"], folder / "check.log")
    assert check.process.wait(PATIENCE_S) == 2
    assert "MQTT broker south" in check.said().splitlines()[-1]


def test_a_topic_that_no_fleet_has_any_more_brings_nothing_after_the_next_start(
    folder: Path, brokers: Brokers, pump_model: Path
) -> None:
    series = normal_series(20, seed=1)
    with detecting(folder) as service:
        sent = sum(send(server, series) for server in brokers.values())
        await_count(folder, sent)
        assert service.end() == 0
    write_config(folder, brokers, pump_model, topic="new/{device}")
    with detecting(folder) as service:
        for name, server in brokers.items():
            unsubscribed = f"MQTT broker {name} (127.0.0.1:{server.port}): unsubscribed from plant/+/tele"
            assert unsubscribed in service.said()
        for server in brokers.values():
            send(server, series)  # to the old topic
            sent += send(server, series, "new/p2")
        await_count(folder, sent)
        assert service.end() == 0
    assert counters(folder).get("dropped.no_fleet", 0) == 0


def test_a_broker_that_is_connected_and_brings_nothing_is_called_silent(
    folder: Path, brokers: Brokers, pump_model: Path
) -> None:
    write_config(folder, brokers, pump_model, more="[monitor]\nsilent_min = 0.05")
    with detecting(folder) as service:
        service.await_words("something is wrong: no message from broker north for 3 s although connected")
        service.await_words("something is wrong: no message from broker south for 3 s although connected")
        send(brokers["south"], normal_series(3, seed=1))
        service.await_words("no longer wrong: no message from broker south")
        assert service.end() == 0
    assert "no longer wrong: no message from broker north" not in service.said()


def test_a_broker_that_stops_answering_holds_up_nobody(folder: Path, brokers: Brokers) -> None:
    name, other = "north", "south"
    frozen = brokers[name]
    series = normal_series(60, seed=1)
    with detecting(folder) as service:
        assert frozen.process is not None
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            await_count(folder, send(brokers[other], series))
            service.await_words(f"MQTT broker {name} (127.0.0.1:{frozen.port}): no answer within")
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        service.await_words("connected again")
        await_count(folder, len(series) + send(frozen, series))
        assert service.end() == 0
