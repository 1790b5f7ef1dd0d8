"""docker/ without Docker: the services' own command lines, and every query of Grafana's on what they write."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np
import pytest
from docker_plant import DockerPlant, WriteProtocol2, now_ms
from grafana_files import Asked, dashboards, queries, rules, substituted, variables
from listeners import serving
from servers import eventually, fetch, influxql, require

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.config import BrokerConfig, InfluxConfig
from anomgan.errors import AnomganError
from anomgan.records import Event, EventState, HealthIssue, IssueKind, Severity
from anomgan.wire.line_protocol import event_line, issue_line

DEVICES = {"pump-1", "pump-2", "pump-3", "cold-1", "cold-2"}
PAST_ROWS = 4800
"""of the simulated plant, as fast as they go; their faults are of the model's and of data quality's kind"""
SITE, ILL = "depot", "cold-1"
"""the device that is made to have everything that is open or not told; early it has a fault that no model misses"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that the broker's user may enter, which pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="anomgan-docker-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


class Stack:
    """The running services, and a way to ask the database as Grafana does."""

    def __init__(self, plant: DockerPlant, influx: str) -> None:
        self.plant = plant
        self.influx = InfluxConfig(url=influx, version=1, database="anomgan")

    def broker(self, user: str, password: str | None = None) -> BrokerConfig:
        """How a user of the broker gets in."""
        os.environ["DOCKER_TEST_PASSWORD"] = (
            self.plant.secret(f"mqtt_{user}_password") if password is None else password
        )
        port = self.plant.ports["mosquitto"]
        return BrokerConfig(host="127.0.0.1", port=port, username=user, password_env="DOCKER_TEST_PASSWORD")  # noqa: S106

    def received(self) -> int:
        """Messages that the detector has dealt with."""
        rows = influxql(self.influx, "SELECT last(messages_received) AS count FROM anomgan_service")
        return int(rows[0]["count"]) if rows else 0

    def ask(self, query: str, **values: str) -> list[dict[str, Any]]:
        """The series that answer a query of Grafana's."""
        text = substituted(query, values, now_ms() - 7_200_000, now_ms() + 1000, interval="5s")
        form = {"db": "anomgan", "q": text, "epoch": "ms"}
        (result,) = json.loads(fetch(f"{self.influx.url}/query", form))["results"]
        assert "error" not in result, (text, result)
        return list(result.get("series", ()))


@pytest.fixture(scope="module")
def stack(folder: Path, influxdb1_url: str) -> Iterator[Stack]:
    require("mosquitto_passwd")
    fetch(f"{influxdb1_url}/query", {"q": "CREATE DATABASE anomgan"})
    with ExitStack() as open_ones:
        gate = open_ones.enter_context(serving(WriteProtocol2(influxdb1_url, "")))
        plant = DockerPlant(folder, f"http://127.0.0.1:{gate.server_port}")
        (folder / "secrets" / "influxdb_detector_token").write_text("one that InfluxDB has chosen\n")
        gate.token = plant.secret("influxdb_detector_token")
        found = Stack(plant, influxdb1_url)
        open_ones.enter_context(plant.broker())
        plant.run("train", TRAIN_STEPS="60")
        open_ones.enter_context(plant.running("detector", "listening to"))
        open_ones.enter_context(plant.running("truth", "following"))
        open_ones.enter_context(plant.running("page", "dashboard of"))
        start = datetime.now(UTC) - timedelta(seconds=PAST_ROWS)
        past = ["--start", start.isoformat(), "--rows", f":{PAST_ROWS}", "--speed", "max"]
        plant.run("simulator", past)
        with closing(MqttPublisher(found.broker("devices"))) as publisher:
            publisher.publish("plant/waterworks/pump-2/telemetry", b"no JSON")
        open_ones.enter_context(plant.running("simulator"))  # the command as it stands, in its own pace
        messages = PAST_ROWS * len(DEVICES)
        eventually(lambda: found.received() > messages + 5, "the detector has all of it", 120.0)
        plant_what_is_rare(found)
        beats = "SELECT max(dropped) AS dropped FROM anomgan_heartbeat"
        eventually(lambda: influxql(found.influx, beats)[0]["dropped"] >= 1, "a heartbeat that knows of it", 60.0)
        yield found
    assert "Traceback" not in "".join(plant.said(name) for name in plant.compose["services"])


def plant_what_is_rare(stack: Stack) -> None:
    """What takes a person, a long silence or bad luck, written as the detector writes it, for one device."""
    now_s = time.time()

    def event(number: int, state: EventState, severity: Severity) -> Event:
        start_s = now_s - 120 - 60 * number
        place = {"device": ILL, "site": SITE, "model": "cold_store"}
        course = {"start_s": start_s, "end_s": start_s + 50, "peak": 12.0, "peak_s": start_s + 20, "threshold": 4.0}
        shown = {"channels": ("flow",), "observed": (1.0,), "expected": (30.0,), "contributions": (0.9,)}
        return Event(id=str(number), state=state, severity=severity, reason="flow fell", **place, **course, **shown)

    def issue(kind: IssueKind, channel: str, site: str = SITE, device: str = ILL) -> HealthIssue:
        place = {"device": device, "site": site, "model": "any", "channel": channel}
        span = {"start_s": now_s - 90, "end_s": now_s}
        return HealthIssue(id=kind, kind=kind, state="open", reason=f"{kind} for 90 s", **place, **span)

    events = [
        event(0, "open", "critical"),
        event(1, "muted", "minor"),
        event(2, "false_alarm", "minor"),
        event(3, "closed", "major"),
        event(4, "closed", "minor"),
    ]
    issues = [issue("silent", ""), issue("stuck", "flow"), issue("stuck", "flow", "waterworks", "pump-1")]
    lines = [*map(event_line, events), *map(issue_line, issues)]
    body = "\n".join(lines).encode()
    written = Request(f"{stack.influx.url}/write?db=anomgan&precision=u", data=body)  # noqa: S310 the test's own server
    with urlopen(written, timeout=10.0):  # noqa: S310 the same
        pass


# ---------------------------------------------------------------- the services


def test_the_broker_lets_nobody_in_without_the_right_password(stack: Stack) -> None:
    anonymous = BrokerConfig(host="127.0.0.1", port=stack.plant.ports["mosquitto"])
    for wrong in (anonymous, stack.broker("devices", "guess")):
        with pytest.raises(AnomganError):
            MqttPublisher(wrong).close()


def test_devices_can_tell_what_they_measure_and_ask_for_nothing(stack: Stack) -> None:
    received: list[str] = []
    with closing(MqttSource(stack.broker("detector"), [("plant/test/#", 1), ("anomgan/request/#", 1)])) as source:
        with closing(MqttPublisher(stack.broker("devices"))) as publisher:
            publisher.publish("anomgan/request/mute", b"{}")
            publisher.publish("plant/test/p/other", b"1")
            publisher.flush(10.0)

        def heard() -> bool:
            messages = source.receive(10, 0.2)
            source.acknowledge(messages)
            received.extend(message.topic for message in messages)
            return bool(received)

        eventually(heard, "a message comes")
    assert received == ["plant/test/p/other"]


def test_health_checks_say_what_is_so(stack: Stack) -> None:
    require("mosquitto_sub")
    port = stack.plant.ports["mosquitto"]
    stack.plant.texts["mosquitto_sub "] = f"mosquitto_sub -p {port} "
    for name in ("mosquitto", "detector", "page"):
        assert stack.plant.healthy(name), name
    stack.plant.texts["mosquitto_sub "] = f"mosquitto_sub -p {port + 1} "
    assert not stack.plant.healthy("mosquitto")
    monitor = stack.plant.texts["9469"]
    stack.plant.texts["9469"] = "1"
    assert not stack.plant.healthy("detector")
    stack.plant.texts["9469"] = monitor


def test_the_page_asks_for_its_token_and_shows_the_devices(stack: Stack) -> None:
    url = f"http://127.0.0.1:{stack.plant.ports['page']}/api/fleet"
    with pytest.raises(HTTPError, match="401"):
        urlopen(url, timeout=10.0)
    shown = Request(url, headers={"Authorization": f"Bearer {stack.plant.secret('page_token')}"})
    with urlopen(shown, timeout=10.0) as answer:  # noqa: S310 the same
        text = answer.read().decode()
    assert all(device in text for device in DEVICES)


def test_training_again_leaves_the_models_alone(stack: Stack) -> None:
    models = sorted((stack.plant.folder / "state" / "models").iterdir())
    assert [path.name for path in models] == ["cold_store.safetensors", "pump.safetensors"]
    before = [path.stat().st_mtime_ns for path in models]
    stack.plant.run("train")
    assert [path.stat().st_mtime_ns for path in models] == before
    assert "is there" in stack.plant.said("train")


def test_the_simulator_tells_what_is_true_and_it_reaches_the_database(stack: Stack) -> None:
    rows = influxql(stack.influx, "SELECT title, timeEnd FROM truth")
    assert len(rows) >= 5
    assert all(row["timeEnd"] > row["time"] // 10**6 for row in rows)


def test_no_tag_has_the_name_of_a_field_which_influxdb_3_would_refuse(stack: Stack) -> None:
    keys: dict[str, dict[str, set[str]]] = {}
    for kind in ("tag", "field"):
        form = {"db": "anomgan", "q": f"SHOW {kind} KEYS"}
        (result,) = json.loads(fetch(f"{stack.influx.url}/query", form))["results"]
        keys[kind] = {one["name"]: {row[0] for row in one["values"]} for one in result["series"]}
    assert keys["field"].keys() >= {"anomaly_score", "anomaly_channel", "anomaly_event", "device_issue", "truth"}
    for measurement, fields in keys["field"].items():
        assert not fields & keys["tag"].get(measurement, set()), measurement


# ---------------------------------------------------------------- the queries


def cells(series: list[dict[str, Any]]) -> list[Any]:
    """Every value that is not the time and not null."""
    return [
        cell
        for one in series
        for row in one["values"]
        for name, cell in zip(one["columns"], row, strict=True)
        if name != "time" and cell is not None
    ]


def devices_in(series: list[dict[str, Any]]) -> set[str]:
    """The devices that tags or columns of an answer name."""
    found = {one["tags"]["device"] for one in series if "device" in one.get("tags", {})}
    for one in series:
        if "device" in one["columns"]:
            at = one["columns"].index("device")
            found |= {row[at] for row in one["values"]}
    return found


@pytest.mark.parametrize("asked", queries(), ids=lambda asked: asked.where)
def test_every_query_is_answered_with_the_device_that_was_chosen(asked: Asked, stack: Stack) -> None:
    answer = stack.ask(asked.query)
    assert cells(answer), asked.query
    if "device" not in variables(asked.query):
        return
    chosen = stack.ask(asked.query, site=SITE, device=ILL)
    assert cells(chosen), f"nothing of {ILL}: {asked.query}"
    assert devices_in(chosen) <= {ILL}
    for nowhere in ({"device": "pump-9"}, {"site": "elsewhere"}, {"device": "cold.1"}):
        counted = cells(stack.ask(asked.query, **nowhere))
        assert not np.any([cell != 0 for cell in counted]), (nowhere, counted)


@pytest.mark.parametrize("asked", queries(), ids=lambda asked: asked.where)
def test_a_tables_columns_are_those_that_its_panel_dresses(asked: Asked, stack: Stack) -> None:
    if asked.form != "table":
        return
    series = stack.ask(asked.query)
    columns = {"Time"} | {name for one in series for name in (*one["columns"], *one.get("tags", {}))} - {"time"}
    dressed = {one["matcher"]["options"] for one in asked.panel["fieldConfig"]["overrides"]}
    assert dressed <= columns
    assert columns - dressed <= {"Time", "last"}


def answer_of(uid: str, title: str, stack: Stack, **values: str) -> list[dict[str, Any]]:
    (panel,) = [one for one in dashboards()[uid]["panels"] if one["title"] == title]
    return stack.ask(panel["targets"][0]["query"], **values)


def test_the_fleet_shows_every_device_and_counts_what_is_open(stack: Stack) -> None:
    assert devices_in(answer_of("anomgan-fleet", "Devices, the most surprising first", stack)) == DEVICES
    assert cells(answer_of("anomgan-fleet", "Devices scored", stack)) == [len(DEVICES)]
    assert cells(answer_of("anomgan-fleet", "Critical events open", stack, device=ILL)) == [1]
    assert cells(answer_of("anomgan-fleet", "Devices silent", stack, device=ILL)) == [1]
    assert cells(answer_of("anomgan-fleet", "Sick sensors", stack, device=ILL)) == [1]


def test_an_event_leads_to_the_page_that_has_it(stack: Stack) -> None:
    answer = answer_of("anomgan-events", "Events", stack, device=ILL, state="closed")
    at = answer[0]["columns"].index("id")
    ids = [row[at] for row in answer[0]["values"] if "@" in row[at]]  # those planted here are in no store of the page's
    assert ids
    page = f"http://127.0.0.1:{stack.plant.ports['page']}"
    headers = {"Authorization": f"Bearer {stack.plant.secret('page_token')}"}
    for place in ("event", "api/event"):
        link = f"{page}/{place}?{urlencode({'id': ids[0]})}"
        with urlopen(Request(link, headers=headers), timeout=10.0) as shown:  # noqa: S310 the test's own server
            assert shown.status == 200


def fires(rule: dict[str, Any], stack: Stack) -> set[str]:
    """For which devices a rule fires, "" for the detector itself: as Grafana works it out."""
    (evaluator,) = [one["evaluator"] for one in rule["data"][2]["model"]["conditions"]]
    compare = {"gt": np.greater, "lt": np.less}[evaluator["type"]]
    series = stack.ask(rule["data"][0]["model"]["query"])
    if not series:
        return {""} if rule["noDataState"] == "Alerting" else set()
    for one in series:
        assert len(one["columns"]) == 2, "one value for each set of labels, or Grafana cannot tell them apart"
    return {
        one.get("tags", {}).get("device", "") for one in series if compare(one["values"][-1][1], evaluator["params"][0])
    }


def test_rules_fire_for_what_is_wrong_and_for_nothing_else(stack: Stack) -> None:
    found = {rule["title"]: fires(rule, stack) for rule in rules()}
    assert ILL in found.pop("Critical event open")
    assert found == {
        "Device silent": {ILL},
        "Detector down": set(),
        "Detector hears nothing": set(),
        "Detector lags behind": set(),
        "Readings dropped": {""},
        "Detector complains": set(),
    }


def test_a_detector_without_heartbeats_is_down(stack: Stack) -> None:
    (rule,) = [one for one in rules() if one["uid"] == "anomgan-detector-down"]
    fetch(f"{stack.influx.url}/query", {"q": "CREATE DATABASE nobody"})
    gone = Stack(stack.plant, stack.influx.url)
    text = substituted(rule["data"][0]["model"]["query"], {}, now_ms() - 120_000, now_ms())
    (result,) = json.loads(fetch(f"{gone.influx.url}/query", {"db": "nobody", "q": text}))["results"]
    assert "series" not in result
    assert rule["noDataState"] == rule["execErrState"] == "Alerting"


def test_what_the_broker_has_acknowledged_survives_its_sudden_death(folder: Path) -> None:
    require("mosquitto_passwd")
    place = folder / "broker"
    place.mkdir(mode=0o755)
    plant = DockerPlant(place, "http://127.0.0.1:1")
    stack = Stack(plant, "http://127.0.0.1:1")
    kept = place / "mosquitto-data" / "mosquitto.db"
    with plant.broker() as process:
        with closing(MqttPublisher(stack.broker("devices"))) as publisher:
            publisher.publish("plant/a/b/setting", b"7", qos=1, retain=True)
            assert publisher.flush(10.0)
        eventually(lambda: kept.exists() and b"plant/a/b/setting" in kept.read_bytes(), "it is saved within a second")
        process.kill()
    with plant.broker(), closing(MqttSource(stack.broker("detector"), [("plant/#", 1)])) as source:
        messages = eventually(lambda: source.receive(1, 0.5), "it is still there")
    assert messages[0].payload == b"7"


def test_the_start_script_leaves_no_password_in_sight(stack: Stack) -> None:
    hashed = (stack.plant.folder / "mosquitto-work" / "passwords").read_text()
    assert [line.split(":")[0] for line in hashed.splitlines()] == ["devices", "detector", "health"]
    assert all(line.split(":")[1].startswith("$7$") for line in hashed.splitlines())
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    for name in ("mqtt_devices_password", "mqtt_detector_password", "page_token", "influxdb_detector_token"):
        assert stack.plant.secret(name) not in shown
        assert stack.plant.secret(name) not in hashed
