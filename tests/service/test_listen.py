"""`anomgan listen` against a real broker: from what is there to a file, from the file to models, to verdicts."""

import tomllib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from examples import CHANNELS, normal_series
from programs import PATIENCE_S, Program, anomgan, detecting
from servers import eventually

from anomgan.adapters.files import read_config
from anomgan.adapters.mqtt import MqttPublisher
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig, ServiceConfig

START_S = 1_780_000_000.0
ROWS = 300
SERIES = {name: normal_series(ROWS, seed) for seed, name in enumerate(("pump-1", "pump-2", "plug", "bath"))}


def messages(name: str, row: int) -> list[tuple[str, object]]:
    """What one device sends at one time, each in the dialect of its maker."""
    time_s = START_S + row
    values = dict(zip(CHANNELS, SERIES[name].values[row].tolist(), strict=True))
    if name.startswith("pump"):
        return [(f"plant/north/{name}/telemetry", {"time": round(time_s * 1000), **values})]
    if name == "plug":
        energy = {"Power": values["flow"], "Voltage": values["pressure"]}
        return [("tele/plug/SENSOR", {"Time": "2026-05-28T20:26:40", "Epoch": time_s, "ENERGY": energy})]
    return [
        ("house/bath/temperature", {"value": values["flow"], "ts": time_s}),
        ("house/bath/humidity", {"value": values["pressure"], "ts": time_s}),
    ]


def say(publisher: MqttPublisher, first: int, last: int) -> None:
    """All devices' messages of some rows, in order."""
    for row in range(first, last):
        for name in SERIES:
            for topic, document in messages(name, row):
                publisher.publish(topic, orjson.dumps(document))
    assert publisher.flush(PATIENCE_S)


def record(folder: Path, name: str, channels: Mapping[str, str]) -> None:
    """A device's normal rows as a CSV with other names for its channels."""
    series = SERIES[name]
    at = [series.channels.index(channel) for channel in channels]
    lines = [",".join(["time", *channels.values()])]
    lines += [f"{START_S - ROWS + row},{','.join(map(str, series.values[row, at].tolist()))}" for row in range(ROWS)]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("user", ["anybody", "plant"])
def test_from_a_broker_that_nobody_described_to_verdicts_of_every_device(
    user: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    broker: BrokerConfig = request.getfixturevalue("mosquitto" if user == "anybody" else "mosquitto_with_password")
    access = ["--username", "plant", "--password-env", "PLANT_PASSWORD"] if broker.username else []
    with closing(MqttPublisher(broker)) as publisher:
        publisher.publish("homeassistant/sensor/plug/config", b'{"name": "plug"}', retain=True)
        publisher.publish("tele/plug/LWT", b"Online", retain=True)
        where = f"{broker.host}:{broker.port}"
        listening = Program(tmp_path, ["listen", where, "--seconds", "4", *access], tmp_path / "listen.log")
        listening.await_words("s of 4")
        publisher.publish("odd/thing", b"\xff\xfe no text \x1b[2J")
        say(publisher, 0, 40)
        assert listening.process.wait(PATIENCE_S) == 0, listening.said()
        said = listening.said()
        for words in (
            "plant/north/{device}/telemetry",
            "tele/{device}/SENSOR",
            "house/{device}/{channel}",
            "odd/thing",
        ):
            assert words in said
        assert "Home Assistant discovery" in said
        assert "\x1b" not in said
        assert "olive tree" not in said + (tmp_path / "detector.toml").read_text()

        # every model that the file names, trained as the printed commands say, from recorded files
        config = read_config(tmp_path / "detector.toml", ServiceConfig)
        assert {(fleet.dialect, fleet.model) for fleet in config.fleets} == {
            ("flat", "pump.safetensors"),
            ("tasmota", "plug.safetensors"),
            ("metric", "bath.safetensors"),
        }
        learn = [f"--fleet {number} --out {fleet.model}" for number, fleet in enumerate(config.fleets)]
        text = (tmp_path / "detector.toml").read_text()
        assert all(f"anomgan train --from-mqtt 30m --config detector.toml {one}\n" in said for one in learn)
        assert all(f"#   anomgan train --from-mqtt 30m --config detector.toml {one}\n" in text for one in learn)
        record(tmp_path, "pump-1", {channel: channel for channel in CHANNELS})
        record(tmp_path, "plug", {"flow": "ENERGY.Power", "pressure": "ENERGY.Voltage"})
        record(tmp_path, "bath", {"flow": "temperature", "pressure": "humidity"})
        for name, model in (("pump-1", "pump"), ("plug", "plug"), ("bath", "bath")):
            anomgan(tmp_path, f"anomgan train {name}.csv --window 16 --steps 30 --out {model}.safetensors")
        assert "everything answers" in anomgan(tmp_path, "anomgan detect detector.toml --check").stdout

        with detecting(tmp_path) as detector:
            say(publisher, ROWS - 100, ROWS)
            eventually(lambda: devices_with_verdicts(tmp_path) == set(SERIES), "verdicts of all devices", PATIENCE_S)
            assert detector.end() == 0


def devices_with_verdicts(folder: Path) -> set[str]:
    """Whom the service has judged."""
    if not (folder / "anomgan.db").exists():
        return set()
    with open_reader(folder / "anomgan.db") as reader:
        return {state.device for state in reader.fleet() if state.surprise == state.surprise}


def test_a_file_that_is_there_is_kept_unless_told_and_an_empty_broker_is_an_error(
    tmp_path: Path, mosquitto: BrokerConfig
) -> None:
    where, log = f"{mosquitto.host}:{mosquitto.port}", tmp_path / "log"
    (tmp_path / "detector.toml").write_text("mine")
    for arguments, words in (
        ([where, "--seconds", "0.3"], "detector.toml: it is there already"),
        ([where, "--seconds", "0.3", "--force"], "not one message on #"),
        ([where, "--seconds", "0.3", "--out", "no/where.toml"], "there is no directory no"),
        (["127.0.0.1:1", "--out", "x.toml"], "connection refused"),
        ([where, "--out", "x.toml", "--password-env", "NOT_SET_ANYWHERE", "--username", "u"], "NOT_SET_ANYWHERE"),
    ):
        program = Program(tmp_path, ["listen", *arguments], log)
        assert program.process.wait(PATIENCE_S) == 2, program.said()
        assert words in program.said()
        assert "Traceback" not in program.said()
    assert (tmp_path / "detector.toml").read_text() == "mine"
    assert not (tmp_path / "x.toml").exists()

    with closing(MqttPublisher(mosquitto)) as publisher:
        publisher.publish("plant/p1/data", b'{"flow": 1.5}', retain=True)
        publisher.publish("text/only", b"words", retain=True)
    program = Program(tmp_path, ["listen", where, "--seconds", "0.5", "--force"], log)
    assert program.process.wait(PATIENCE_S) == 0, program.said()
    assert "only retained messages" in program.said()
    assert tomllib.loads((tmp_path / "detector.toml").read_text())["fleets"][0]["topic"] == "plant/{device}/data"
    program = Program(tmp_path, ["listen", where, "--seconds", "0.5", "--topic", "text/#", "--out", "y.toml"], log)
    assert program.process.wait(PATIENCE_S) == 2
    assert "no telemetry that anomgan can read" in program.said()
    assert not (tmp_path / "y.toml").exists()
