"""`anomgan judge` on a real broker: simulator's truth and a detector's events become one exact report."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho
import pytest
from contract import normal_series, with_fault
from detector_program import pump_model, send, write_config  # noqa: F401 a fixture
from paho.mqtt.enums import CallbackAPIVersion
from programs import PATIENCE_S, Program, anomgan, detecting
from servers import Mosquitto, eventually

from anomgan.adapters.mqtt import MqttPublisher
from anomgan.config import BrokerConfig

START_S = 1_704_067_200.0
PLANT = """
[clock]
period_s = 2.0
duration_s = 3600
speed = "max"
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
start_s = 600
end_s = 700
[[faults]]
device = "pump-1"
kind = "stuck"
channels = ["flow"]
start_s = 1000
end_s = 1200
[[faults]]
device = "pump-2"
kind = "stuck"
channels = ["flow"]
start_s = 1000
end_s = 1200
"""


@contextmanager
def judging(folder: Path, broker: BrokerConfig, *options: str) -> Iterator[Program]:
    """`anomgan judge`, listening; what it writes goes to `judged`."""
    arguments = ["judge", f"{broker.host}:{broker.port}", "--out", "judged", "--every", "0.2s", *options]
    program = Program(folder, arguments, folder / "judge.log")
    try:
        program.await_words("listening to")
        eventually(lambda: (folder / "judged" / "events.jsonl").exists(), "it keeps what it hears")
        yield program
    finally:
        if program.process.poll() is None:
            program.kill()


def event(device: str, start: float, end: float, state: str = "closed", **more: Any) -> tuple[str, bytes]:
    """Topic and payload as our detector tells them."""
    site = "south" if device == "cold-1" else "north"
    told = {
        "id": f"{device}@{start}",
        "device": device,
        "site": site,
        "state": state,
        "start_s": START_S + start,
        "end_s": START_S + end,
        "channels": [{"channel": "flow"}],
        "reason": "flow fell",
    }
    return f"anomgan/{site}/{device}/event", orjson.dumps(told | more)


def tell(broker: BrokerConfig, *messages: tuple[str, bytes]) -> None:
    with closing(MqttPublisher(broker)) as publisher:
        for topic, payload in messages:
            publisher.publish(topic, payload)
        assert publisher.flush(PATIENCE_S)


def figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "judged" / "report.json").read_text())
    return found


def heard(folder: Path, what: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "judged" / f"{what}.jsonl").read_text().splitlines()]


def await_heard(folder: Path, what: str, count: int) -> None:
    eventually(lambda: len(heard(folder, what)) >= count, f"{count} records of {what}", PATIENCE_S)


def session_kept(server: Mosquitto) -> bool:
    """Whether the broker still has the session of the judge, whose name its log tells."""
    (name,) = set(re.findall(r"as (anomgan-judge-\w+)", server.log.read_text()))
    told: list[bool] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
    client.on_connect = lambda client, userdata, flags, code, properties: told.append(flags.session_present)
    client.connect("127.0.0.1", server.port)
    client.loop_start()
    eventually(lambda: told, "the broker answers")
    client.loop_stop()
    client.disconnect()
    return told[0]


def test_a_simulated_run_and_what_a_detector_tells_of_it_become_one_exact_report(
    tmp_path: Path, mosquitto: BrokerConfig
) -> None:
    (tmp_path / "plant.toml").write_text(PLANT)
    told = [
        event("pump-1", 1030, 1038, "open"), event("pump-1", 1030, 1210), event("pump-1", 1030, 1210),
        event("pump-1", 1150, 1160), event("cold-1", 690, 800, channels=[{"channel": "air_temperature"}]),
        event("pump-2", 3000, 3005), ("anomgan/north/pump-2/event", b"flow fell"),
    ]  # fmt: skip
    with judging(tmp_path, mosquitto, "--for", "run") as program:
        anomgan(tmp_path, f"anomgan simulate plant.toml --broker {mosquitto.host}:{mosquitto.port} --quiet")
        tell(mosquitto, *told)
        assert program.process.wait(PATIENCE_S) == 0, program.said()
    found = figures(tmp_path)
    total = found["total"]
    assert (total["found"], total["faults"], total["median_delay_s"], total["p90_delay_s"]) == (2, 3, 60.0, 84.0)
    assert (total["median_told_s"], total["named"], total["nameable"]) == (38.0, 1, 2)
    assert {row["kind"]: (row["found"], row["faults"]) for row in found["kinds"]} == {"drift": (1, 1), "stuck": (1, 2)}
    assert {row["kind"]: (row["found"], row["faults"]) for row in found["device_kinds"]} == {
        "pump": (1, 2), "cold_store": (1, 1),
    }  # fmt: skip
    assert (found["hits"], found["repeats"], found["false_alarms"], found["precision"]) == (3, 1, 1, 0.75)
    assert found["device_weeks"] == pytest.approx(3 * 3600 / 604_800)
    assert found["alarms_per_week"] == pytest.approx(1 / found["device_weeks"])
    assert found["not_counted"] == {"events.broken_json": 1}
    assert "recall 0.67 (2 of 3), precision 0.75 (3 of 4 events)" in program.said()
    pictures = [(tmp_path / "judged" / f"{name}.png").read_bytes() for name in ("timeline", "recall", "delay")]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    again = anomgan(
        tmp_path, "anomgan judge --truth-file judged/truth.jsonl --events-file judged/events.jsonl --out again"
    )
    assert "recall 0.67 (2 of 3)" in again.stdout
    offline = json.loads((tmp_path / "again" / "report.json").read_text())
    assert offline | {"not_counted": {}} == found | {"not_counted": {}}


def test_a_lost_connection_loses_nothing_is_told_and_leaves_no_session_behind(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mosquitto")
    server = Mosquitto(folder, ["allow_anonymous true", "persistence true", f"persistence_location {folder}/"])
    server.start()
    try:
        truth = {"device": "p1", "site": "", "kind": "leak", "channels": [], "start_s": START_S, "end_s": START_S + 60}
        with judging(tmp_path, server.config) as program:
            tell(server.config, ("anomgan/truth/p1", orjson.dumps(truth | {"state": "begin"})))
            await_heard(tmp_path, "truth", 1)
            server.stop()
            program.await_words("no connection")
            server.start()
            tell(
                server.config,
                event("p1", 20, 30, site=""),
                ("anomgan/truth/p1", orjson.dumps(truth | {"state": "end"})),
            )
            await_heard(tmp_path, "truth", 2)
            await_heard(tmp_path, "events", 1)
            assert program.end(signal.SIGINT) == 0
        assert "recall 1.00 (1 of 1)" in program.said()
        assert "the connection was lost and made again, 1 times" in program.said()
        assert "connected again" in program.said()
        assert not session_kept(server)
    finally:
        server.stop()


def test_it_judges_the_real_detector(
    tmp_path: Path,
    mosquitto: BrokerConfig,
    pump_model: Path,  # noqa: F811 the fixture
) -> None:
    write_config(tmp_path, mosquitto, pump_model)
    series = with_fault(normal_series(200, seed=2), 100, 130)
    span = {"start_s": float(series.times[100]), "end_s": float(series.times[130])}
    truth = {"device": "p1", "site": "", "kind": "injected", "channels": list(series.channels), **span}
    with judging(tmp_path, mosquitto, "--devices", "1", "--grace", "30s") as program, detecting(tmp_path) as service:
        tell(mosquitto, ("anomgan/truth/p1", orjson.dumps(truth | {"state": "begin"})))
        with closing(MqttPublisher(mosquitto)) as publisher:
            send(publisher, series)
        tell(mosquitto, ("anomgan/truth/p1", orjson.dumps(truth | {"state": "end"})))
        await_heard(tmp_path, "truth", 2)
        eventually(lambda: any(one["state"] == "closed" for one in heard(tmp_path, "events")), "it opens and closes")
        assert service.end() == 0
        assert program.end(signal.SIGINT) == 0
    found = figures(tmp_path)
    assert (found["total"]["found"], found["total"]["faults"], found["devices"]) == (1, 1, 1)
    assert (found["total"]["named"], found["total"]["nameable"]) == (1, 1)
    assert 0 <= found["total"]["median_delay_s"] <= found["total"]["median_told_s"] <= 30


def test_no_broker_is_one_line_and_status_2(tmp_path: Path) -> None:
    program = Program(tmp_path, ["judge", "127.0.0.1:1", "--quiet"], tmp_path / "judge.log")
    assert program.process.wait(PATIENCE_S) == 2
    assert "MQTT broker 127.0.0.1:1: connection refused" in program.said()
    assert "Traceback" not in program.said()
