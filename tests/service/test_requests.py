"""Requests through a real broker: the commands against a running service, signed, and by whoever the broker lets in."""

import re
import time
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from contract import normal_series, with_fault
from detector_program import pump_model, send, write_config
from programs import PATIENCE_S, detecting
from servers import Mosquitto, eventually, mosquitto_password_file

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.mqtt_request import ask
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig, ControlConfig
from anomgan.errors import Refused, Unreachable
from anomgan_cli.main import main

__all__ = ["pump_model"]  # a fixture
SECRET = "a secret of sixteen letters"  # noqa: S105 it guards nothing
SIGNED = '[control]\nsecret_env = "PLANT_SECRET"'


def run(line: list[str]) -> int:
    """The exit status of a command."""
    with pytest.raises(SystemExit) as ended:
        main(line)
    return int(ended.value.code or 0)


def test_feedback_and_mute_by_command_signed_and_refused_to_who_has_not_the_secret(
    tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANT_SECRET", SECRET)
    write_config(tmp_path, mosquitto, pump_model, SIGNED)
    control = ControlConfig(secret_env="PLANT_SECRET")  # noqa: S106 a name
    with detecting(tmp_path) as service, closing(MqttPublisher(mosquitto)) as publisher:
        send(publisher, with_fault(normal_series(200, seed=2), 100, 130))

        def event_id() -> str:
            if not (tmp_path / "anomgan.db").exists():
                return ""
            with open_reader(tmp_path / "anomgan.db") as reader:
                closed = reader.events(state="closed")
            return closed[0].id if closed else ""

        known = eventually(event_id, "an event closes", PATIENCE_S)
        assert run(["feedback", known, "false-alarm", "--client", "ada"]) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[0] == f"{known}: false-alarm noted"
        assert re.fullmatch(rf"  {known}: of (\d+) such windows 0 would alarm now, threshold \d+\.\d\d", told[1])
        with open_reader(tmp_path / "anomgan.db") as reader:
            event = reader.event(known)
            assert event is not None
            assert (event.state, event.note) == ("false_alarm", "false alarm, says ada")
            (entry,) = reader.audit()
            assert (entry.client, entry.command, entry.subject) == ("ada", "feedback", known)
            assert abs(entry.time_s - time.time()) < 600
        assert run(["feedback", known, "undo"]) == 0
        assert capsys.readouterr().out == f"{known}: no longer false-alarm\n  {known}: taken back\n"
        assert run(["feedback", known, "undo"]) == 2
        assert "there is no feedback on event" in capsys.readouterr().err
        publisher.publish("anomgan/response/mute", b"no JSON", retain=True)  # somebody else's answer
        assert run(["mute", "p1", "--for", "2h", "--channel", "flow"]) == 0
        publisher.publish("anomgan/response/mute", b"", retain=True)
        until = r"p1 \(flow\): muted until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; no event is open\n"
        assert re.fullmatch(until, capsys.readouterr().out)
        assert run(["mute", "p1", "--for", "tomorrow"]) == 2
        assert run(["unmute", "p1"]) == 0
        assert capsys.readouterr().out == "p1: muted no longer; no event is open\n"

        monkeypatch.setenv("PLANT_SECRET", "quite another secret")
        with pytest.raises(Refused, match="the signature does not fit"):
            ask(mosquitto, control, "mute", {"device": "p1"})
        with closing(MqttSource(mosquitto, [("anomgan/response/mute", 1)])) as answers:
            publisher.publish("anomgan/request/mute", b'{"device": "p1"}')
            (answer,) = answers.receive(1, PATIENCE_S)
        assert orjson.loads(answer.payload)["status"] == "error"
        assert service.end() == 0
        assert SECRET not in service.said()
    assert "requests_refused.bad_signature 1" in service.said()
    assert "requests_refused.unsigned 1" in service.said()


def test_where_control_is_off_nobody_answers(
    tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, mosquitto, pump_model)
    assert run(["mute", "p1"]) == 2
    assert "control is off: set secret_env or secret_file in [control]" in capsys.readouterr().err
    with detecting(tmp_path) as service:
        with pytest.raises(Unreachable, match="is the detector service running"):
            ask(mosquitto, ControlConfig(authentication="broker"), "status", {}, timeout_s=2.0)
        assert service.end() == 0


def test_where_the_broker_authenticates_its_access_list_decides(
    tmp_path: Path, pump_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody may send telemetry and read answers, the operator alone may ask."""
    monkeypatch.setenv("PLANT_PASSWORD", "olive tree")
    monkeypatch.setenv("GUEST_PASSWORD", "guest")
    passwords = mosquitto_password_file(tmp_path, {"plant": "olive tree", "guest": "guest"})
    access = tmp_path / "access"
    access.write_text("user plant\ntopic readwrite #\nuser guest\ntopic read #\ntopic write plant/#\n")
    access.chmod(0o600)
    server = Mosquitto(tmp_path, ["allow_anonymous false", f"password_file {passwords}", f"acl_file {access}"])
    server.start()
    try:
        plant = server.config.model_copy(update={"username": "plant", "password_env": "PLANT_PASSWORD"})
        guest = server.config.model_copy(update={"username": "guest", "password_env": "GUEST_PASSWORD"})
        write_config(tmp_path, plant, pump_model, '[control]\nauthentication = "broker"')
        control = ControlConfig(authentication="broker")
        with detecting(tmp_path) as service:
            assert ask(plant, control, "status", {})["open_events"] == 0
            with pytest.raises(Refused, match="nothing of"):
                ask(plant, control, "unmute", {"device": "p1"})
            with pytest.raises(Unreachable, match="no answer"):
                ask(guest, control, "status", {}, timeout_s=2.0)
            assert service.end() == 0
        assert "requests_received 2" in service.said()
    finally:
        server.stop()
