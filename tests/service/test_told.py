"""The detector process and those it tells: Home Assistant, a webhook, Prometheus, and who listens to its heart."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from contract import normal_series, with_fault
from detector_program import await_messages, counters, pump_model, send, write_config  # noqa: F401 a fixture
from listeners import Webhook, serving
from programs import PATIENCE_S, Program, anomgan, detecting
from prometheus_client.parser import text_string_to_metric_families
from servers import Mosquitto, eventually, free_port, influxql

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.config import BrokerConfig, InfluxConfig

HOME = """[homeassistant]
enabled = true
score_every_s = 0.1
[control]
authentication = "broker"
"""


class Listener:
    """Everything on some topics, the newest of each too."""

    def __init__(self, broker: BrokerConfig, *filters: str) -> None:
        self.source = MqttSource(broker, [(one, 1) for one in filters])
        self.all: list[tuple[str, bytes]] = []

    @property
    def newest(self) -> dict[str, bytes]:
        """topic -> payload."""
        while messages := self.source.receive(1000, 0.05):
            self.all += [(message.topic, message.payload) for message in messages]
            self.source.acknowledge(messages)
        return dict(self.all)

    def await_topic(self, topic: str, fits: Callable[[bytes], bool] = bool) -> bytes:
        """The newest payload there, once it fits."""
        eventually(lambda: fits(self.newest.get(topic, b"")), f"{topic} says so", PATIENCE_S)
        return self.newest[topic]

    def close(self) -> None:
        """Leave."""
        self.source.close()


@pytest.fixture
def publisher(mosquitto: BrokerConfig) -> Iterator[MqttPublisher]:
    with closing(MqttPublisher(mosquitto)) as one:
        yield one


def shows(state: str) -> Callable[[bytes], bool]:
    return lambda payload: bool(payload) and orjson.loads(payload)["state"] == state


def test_home_assistant_is_told_of_devices_events_and_again_after_its_birth(
    tmp_path: Path,
    mosquitto: BrokerConfig,
    publisher: MqttPublisher,
    pump_model: Path,  # noqa: F811 the fixture
) -> None:
    write_config(tmp_path, mosquitto, pump_model, more=HOME)
    with detecting(tmp_path) as service:
        series = with_fault(normal_series(200, seed=2), 100, 130)
        with closing(Listener(mosquitto, "anomgan/p1/#")) as states:
            sent = send(publisher, series[:125])
            on = json.loads(states.await_topic("anomgan/p1/problem", shows("ON")))
            assert "flow" in on["reason"]
            sent += send(publisher, series[125:])
            states.await_topic("anomgan/p1/problem", shows("OFF"))
            float(states.await_topic("anomgan/p1/score", lambda payload: payload not in (b"", b"None")))
            assert states.newest["anomgan/p1/muted"] == b"OFF"
        with closing(Listener(mosquitto, "homeassistant/+/+/+/config", "anomgan/status")) as retained:
            eventually(lambda: len(retained.newest) == 5, "four retained configurations and a status")
            sensor = next(json.loads(one) for topic, one in retained.newest.items() if "/binary_sensor/" in topic)
            assert sensor["state_topic"] == "anomgan/p1/problem"
            assert retained.newest[sensor["availability_topic"]] == b"online"
            retained.all.clear()
            publisher.publish("homeassistant/status", b"online")
            eventually(lambda: len(retained.newest) == 4, "all four again")
        await_messages(tmp_path, sent + 1)
        assert service.end() == 0
    assert "p1\n1 devices" in anomgan(tmp_path, "anomgan homeassistant detector.toml").stdout
    assert "0 devices" in anomgan(tmp_path, "anomgan homeassistant detector.toml --remove other-*").stdout
    assert "1 devices taken away" in anomgan(tmp_path, "anomgan homeassistant detector.toml --remove p*").stdout
    with closing(Listener(mosquitto, "homeassistant/#", "anomgan/p1/#", "anomgan/status")) as left:
        left.await_topic("anomgan/status")
        assert set(left.newest) == {"anomgan/status", "anomgan/p1/health"}
    assert not any(name.startswith("dropped.no_fleet") for name in counters(tmp_path))


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10.0) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def samples(port: int) -> dict[str, float]:
    status, text = get(port, "/metrics")
    assert status == 200
    return {sample.name: sample.value for one in text_string_to_metric_families(text) for sample in one.samples}


def test_whoever_watches_the_service_sees_its_heart_its_figures_and_what_is_wrong(
    tmp_path: Path,
    mosquitto_server: Mosquitto,
    influxdb1: InfluxConfig,
    pump_model: Path,  # noqa: F811 the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, broker = free_port(), mosquitto_server.config
    more = (
        f'[store.influx]\nurl = "{influxdb1.url}"\nversion = 1\ndatabase = "{influxdb1.database}"\n'
        f'[monitor]\nport = {port}\nheartbeat_s = 1.0\nsilent_min = 0.05\nping_url_env = "PLANT_PING"\n'
        '[notify]\nurls_env = "PLANT_URLS"\nmin_severity = "minor"\n'
    )
    write_config(tmp_path, broker, pump_model, more=more)
    with serving(Webhook()) as hook:
        monkeypatch.setenv("PLANT_URLS", f"json://127.0.0.1:{hook.server_port}/s3cret")
        monkeypatch.setenv("PLANT_PING", f"http://127.0.0.1:{hook.server_port}/ping/s3cret")

        def titles() -> list[str]:
            return [json.loads(body)["title"] for path, body in list(hook.heard) if path == "/s3cret"]

        with detecting(tmp_path) as service:
            with closing(Listener(broker, "anomgan/heartbeat", "anomgan/status/wrong")) as listener:
                eventually(lambda: get(port, "/readyz")[0] == 200, "it is ready")
                assert get(port, "/healthz") == (200, '{"status":"alive","reasons":[]}')
                beat = json.loads(listener.await_topic("anomgan/heartbeat"))
                assert beat["connected"] is True
                eventually(lambda: any(path == "/ping/s3cret" for path, _ in list(hook.heard)), "the switch is held")
                listener.await_topic("anomgan/status/wrong", lambda payload: b'"silent"' in payload)
                eventually(lambda: "anomgan: something is wrong" in titles(), "people hear that it is silent")
            with closing(MqttPublisher(broker)) as publisher:
                sent = send(publisher, with_fault(normal_series(200, seed=2), 100, 130))
            await_messages(tmp_path, sent)
            eventually(lambda: any(title.startswith("p1: ") for title in titles()), "people hear of the event")
            eventually(lambda: samples(port).get("anomgan_messages_received_total") == sent, "metrics follow")
            figures = samples(port)
            assert figures["anomgan_devices"] == 1
            assert figures["anomgan_turn_seconds_count"] >= 1
            mosquitto_server.kill()
            eventually(lambda: "not connected" in get(port, "/readyz")[1], "it is not ready", PATIENCE_S)
            assert get(port, "/healthz")[0] == 200
            mosquitto_server.start()
            eventually(lambda: get(port, "/readyz")[0] == 200, "it is ready again", PATIENCE_S)
            with closing(Listener(broker, "anomgan/heartbeat")) as listener:
                listener.await_topic("anomgan/heartbeat")
            eventually(lambda: _beats(influxdb1) >= 2, "heartbeats in InfluxDB", PATIENCE_S)
            assert service.end() == 0
        assert "s3cret" not in service.said()


def _beats(config: InfluxConfig) -> int:
    rows: list[dict[str, Any]] = influxql(config, "SELECT count(wrong) AS beats FROM anomgan_heartbeat")
    return int(rows[0]["beats"]) if rows else 0


def test_the_check_names_an_address_that_cannot_be_notified_by_its_place(
    tmp_path: Path,
    mosquitto: BrokerConfig,
    pump_model: Path,  # noqa: F811 the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_config(tmp_path, mosquitto, pump_model, more='[notify]\nurls_env = "PLANT_URLS"\n')
    monkeypatch.setenv("PLANT_URLS", "s3cret")
    program = Program(tmp_path, ["detect", "detector.toml", "--check"], tmp_path / "check.log")
    assert program.process.wait(PATIENCE_S) == 2
    assert "notify.urls: address 1 does not begin" in program.said()
    assert "s3cret" not in program.said()
