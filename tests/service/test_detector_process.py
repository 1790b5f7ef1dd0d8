"""The detector service as a process, with a real broker and SQLite: whatever comes in, it goes on and counts it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import orjson
import pytest
from contract import CHANNELS, normal_series, with_fault
from programs import PATIENCE_S, Program, detecting
from servers import Server, eventually, free_port, influxdb1_server, influxql

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.ports import Message
from anomgan.adapters.sqlite_read import Counts, open_reader
from anomgan.config import BrokerConfig, DetectorConfig, InfluxConfig
from anomgan.detector import Detector
from anomgan.records import TimeSeries
from anomgan_cli.main import main

START_S = 1.7e9
WINDOW, STRIDE = 16, 2
Refuse = Callable[[str], str]


@pytest.fixture(scope="session")
def pump_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small detector of the contract's pump, in a file."""
    config = DetectorConfig(window=WINDOW, stride=STRIDE, steps=100, latent=4, width=8, batch=16, device="cpu")
    path = tmp_path_factory.mktemp("model") / "pump.safetensors"
    Detector.fit(normal_series(600, seed=0), config).save(path)
    return path


def write_config(folder: Path, broker: BrokerConfig, model: Path, more: str = "", fleet: str = "") -> None:
    """detector.toml for devices on plant/{device}/telemetry, with the SQLite store."""
    login = f'username = "{broker.username}"\npassword_env = "{broker.password_env}"\n' if broker.username else ""
    fleet = fleet or 'topic = "plant/{device}/telemetry"'
    (folder / "detector.toml").write_text(f"""
[broker]
host = "{broker.host}"
port = {broker.port}
client_id = "detector"
connect_timeout_s = 5.0
{login}
[[fleets]]
model = "{model}"
{fleet}
[store.sqlite]
path = "anomgan.db"
{more}
""")


@pytest.fixture
def folder(tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path) -> Path:
    write_config(tmp_path, mosquitto, pump_model)
    return tmp_path


@pytest.fixture
def publisher(mosquitto: BrokerConfig) -> Iterator[MqttPublisher]:
    with closing(MqttPublisher(mosquitto)) as publisher:
        yield publisher


def rows_of(series: TimeSeries) -> list[dict[str, float]]:
    """What a device sends, row by row."""
    rows = zip(series.times.tolist(), series.values.tolist(), strict=True)
    return [{"ts": time_s, **dict(zip(series.channels, row, strict=True))} for time_s, row in rows]


def send(publisher: MqttPublisher, series: TimeSeries, device: str = "p1") -> int:
    """Publish a series as flat messages; their number."""
    for row in rows_of(series):
        publisher.publish(f"plant/{device}/telemetry", orjson.dumps(row))
    assert publisher.flush(PATIENCE_S)
    return len(series)


def counters(folder: Path) -> dict[str, int]:
    """The service's totals from the store; {} while there is none."""
    if not (folder / "anomgan.db").exists():
        return {}
    with open_reader(folder / "anomgan.db") as reader:
        return reader.counters()


def stored(folder: Path) -> Counts:
    with open_reader(folder / "anomgan.db") as reader:
        return reader.counts()


def newest_s(folder: Path) -> float | None:
    """Event time of the newest verdict."""
    with open_reader(folder / "anomgan.db") as reader:
        return reader.summary().newest_s


def await_messages(folder: Path, count: int) -> dict[str, int]:
    """The totals, once so many messages have been dealt with."""
    eventually(lambda: counters(folder).get("messages_received", 0) >= count, f"{count} messages stored", PATIENCE_S)
    return counters(folder)


def dropped(totals: dict[str, int]) -> dict[str, int]:
    """reason -> count, of what was dropped."""
    found = {name: count for name, count in totals.items() if name.startswith("dropped.") and count}
    return {name.removeprefix("dropped."): count for name, count in found.items()}


def adds_up(totals: dict[str, int], published: int) -> bool:
    """Every message was scored, fell in a warm-up or was dropped for a reason (one reading a message)."""
    scored, warming_up = totals.get("readings_scored", 0), totals.get("readings_warming_up", 0)
    return published == totals["messages_received"] == scored + warming_up + sum(dropped(totals).values())


# ---------------------------------------------------------------- bad input


def test_every_bad_message_is_a_counted_logged_drop_and_the_service_goes_on(
    folder: Path, publisher: MqttPublisher
) -> None:
    now_s = time.time()
    good = rows_of(normal_series(60, seed=1))
    values = {name: good[0][name] for name in CHANNELS}
    newest_s = good[29]["ts"]
    bad: dict[str, list[bytes]] = {
        "broken_json": [b'{"ts": 1700000000, "pressure": 3.0', b"hello", b"{]"],
        "empty_payload": [b""],
        "wrong_encoding": ['{"pressure": "3 µbar"}'.encode("latin-1"), '{"pressure": 3}'.encode("utf-16")],
        "payload_too_large": [orjson.dumps({"ts": newest_s + 0.25, "pressure": 3.0, "note": "x" * 10_000_000})],
        "not_an_object": [b"3.0", b"[1, 2, 3]", b'"text"', b"null"],
        "no_values": [b"{}", orjson.dumps({"ts": newest_s + 0.25, "pressure": "three bar"})],
        "no_known_channel": [orjson.dumps({"ts": newest_s + 0.25, "humidity": 40.0})],
        "time_in_past": [orjson.dumps({"ts": 0, **values}), orjson.dumps({"ts": "1970-01-01T00:00:10Z", **values})],
        "time_in_future": [orjson.dumps({"ts": 4_102_444_800, **values}), orjson.dumps({"ts": now_s + 1e5, **values})],
        "time_in_milliseconds": [orjson.dumps({"ts": newest_s * 1000, **values})],
        "bad_time": [orjson.dumps({"ts": "yesterday", **values}), orjson.dumps({"ts": True, **values})],
        "duplicate": [orjson.dumps(good[29]), orjson.dumps(good[20]), orjson.dumps(good[0])],
        "out_of_order": [orjson.dumps(good[20] | {"ts": good[20]["ts"] + 0.25})],
    }
    with detecting(folder) as service:
        for row in good[:30]:
            publisher.publish("plant/p1/telemetry", orjson.dumps(row))
        for payload in (payload for payloads in bad.values() for payload in payloads):
            publisher.publish("plant/p1/telemetry", payload)
        for topic in ("plant//telemetry", "plant/ p1/telemetry", f"plant/{'x' * 129}/telemetry"):
            publisher.publish(topic, orjson.dumps({"ts": newest_s, **values}))
        for row in good[30:]:
            publisher.publish("plant/p1/telemetry", orjson.dumps(row))
        published = len(good) + sum(map(len, bad.values())) + 3
        totals = await_messages(folder, published)
        assert service.end() == 0

    assert dropped(totals) == {reason: len(payloads) for reason, payloads in bad.items()} | {"bad_device_name": 3}
    for reason in dropped(totals):
        assert f"dropped.{reason}: " in service.said()
    assert totals["readings_scored"] == len(good) - WINDOW + 1
    assert adds_up(totals, published)
    assert len(max(service.said().splitlines(), key=len)) < 1000


def test_a_missing_or_an_unknown_channel_is_counted_and_logged_and_the_rest_is_scored(
    folder: Path, publisher: MqttPublisher
) -> None:
    rows = rows_of(normal_series(60, seed=1))
    for row in rows[30:33]:
        row["humidity"] = 40.0
    del rows[40]["flow"]
    for row in (rows[45], rows[46]):
        row["flow"] = "broken wire"  # type: ignore[assignment]  # as a device might
    with detecting(folder) as service:
        for row in rows:
            publisher.publish("plant/p1/telemetry", orjson.dumps(row))
        totals = await_messages(folder, len(rows))
        assert service.end() == 0
    assert totals["unknown_channel_values"] == 3
    assert totals["missing_values"] == 3
    assert totals["ignored_values.text_value"] == 2
    assert dropped(totals) == {}
    assert adds_up(totals, len(rows))
    assert "windows_unknown" not in totals  # a value is held over such short holes
    for words in ("unknown channels ['humidity']", "without ['flow']", "ignored_values.text_value"):
        assert words in service.said()


def test_names_from_a_payload_may_be_anything_and_those_that_no_topic_could_hold_are_dropped(
    tmp_path: Path, mosquitto: BrokerConfig, publisher: MqttPublisher, pump_model: Path
) -> None:
    write_config(tmp_path, mosquitto, pump_model, fleet='topic = "gateway/up"\ndevice_key = "id"')
    row = rows_of(normal_series(1, seed=1))[0]
    bad = ["p+1", "#", "plant/p1", "p\x001", "p\n1", "\x1b[31m", " p1", "", "x" * 129, None, 1.5, ["p1"]]
    good = ["p1", 7, "Förderpumpe 3", "泵", "🚰", "'; DROP TABLE verdict; --", "$SYS", "a=b,c d"]
    with detecting(tmp_path) as service:
        for name in (*bad, *good):
            publisher.publish("gateway/up", json.dumps({"id": name, **row}).encode())
        publisher.publish("gateway/up", orjson.dumps(row))
        totals = await_messages(tmp_path, len(bad) + len(good) + 1)
        assert service.end() == 0
    assert dropped(totals) == {"bad_device_name": len(bad) + 1}
    assert totals["readings_warming_up"] == len(good)
    assert "\x1b" not in service.said()


def test_a_broker_that_replays_what_it_retained_tells_nothing_new(folder: Path, publisher: MqttPublisher) -> None:
    rows = rows_of(normal_series(3, seed=1))
    publisher.publish("plant/p1/telemetry", orjson.dumps(rows[2]), retain=True)
    assert publisher.flush(PATIENCE_S)
    with detecting(folder) as service:
        for row in rows[:2]:
            publisher.publish("plant/p1/telemetry", orjson.dumps(row))
        totals = await_messages(folder, 3)
        assert service.end() == 0
    assert dropped(totals) == {"retained": 1}
    assert totals["readings_warming_up"] == 2


# ---------------------------------------------------------------- what it is for


def test_a_fault_is_told_on_mqtt_when_its_event_opens_and_closes_and_scores_are_those_of_the_library(
    folder: Path, mosquitto: BrokerConfig, publisher: MqttPublisher, pump_model: Path
) -> None:
    series = with_fault(normal_series(200, seed=2), 100, 130)
    told: list[Message] = []

    def closed() -> bool:
        told.extend(listener.receive(100, 0.1))
        return any(orjson.loads(message.payload)["state"] == "closed" for message in told)

    with closing(MqttSource(mosquitto, [("anomgan/+/event", 1)])) as listener, detecting(folder) as service:
        published = send(publisher, series)
        eventually(closed, "the event closes", PATIENCE_S)
        assert adds_up(await_messages(folder, published), published)
        assert service.end() == 0

    assert {message.topic for message in told} == {"anomgan/p1/event"}
    first, *_, last = [orjson.loads(message.payload) for message in told]
    assert (first["state"], first["end"], last["state"]) == ("open", None, "closed")
    assert first["id"] == last["id"]
    assert series.times[100] <= first["start_s"] <= last["end_s"] <= series.times[130 + WINDOW]
    assert "flow is 2 where" in last["reason"]
    assert last["channels"][0]["channel"] == "flow"

    detector = Detector.load(pump_model)
    due, seen = detector.examine(series)
    with open_reader(folder / "anomgan.db") as reader:
        history = reader.history("", "p1", points=1000)
        events = reader.events()
    assert history is not None
    known = ~np.isnan(history.surprise)
    np.testing.assert_array_equal(history.times[known], series.times[due])
    np.testing.assert_allclose(history.surprise[known], seen.surprise, rtol=1e-5, atol=1e-5)
    assert [event.id for event in events if event.start_s < series.times[140]] == [first["id"]]
    for words in ("open ", "closed ", "flow is 2 where"):
        assert words in service.said()


def test_one_metric_per_topic_is_put_together_and_scored(
    tmp_path: Path, mosquitto: BrokerConfig, publisher: MqttPublisher, pump_model: Path
) -> None:
    fleet = 'topic = "plant/{site}/{device}/{channel}"\ndialect = "metric"'
    write_config(tmp_path, mosquitto, pump_model, fleet=fleet)
    rows = rows_of(normal_series(60, seed=1))
    with detecting(tmp_path) as service:
        for row in rows:
            for device in ("p1", "p2"):
                for channel in CHANNELS:
                    payload = orjson.dumps({"value": row[channel], "ts": row["ts"]})
                    publisher.publish(f"plant/north/{device}/{channel}", payload)
        totals = await_messages(tmp_path, 2 * 3 * len(rows))
        assert service.end() == 0
    assert totals["readings_scored"] == 2 * (len(rows) - WINDOW + 1)
    assert "missing_values" not in totals
    assert dropped(totals) == {}
    with open_reader(tmp_path / "anomgan.db") as reader:
        assert {(state.site, state.device) for state in reader.fleet()} == {("north", "p1"), ("north", "p2")}


def test_two_fleets_share_a_topic_and_a_device_that_none_takes_is_counted(
    tmp_path: Path, mosquitto: BrokerConfig, publisher: MqttPublisher, pump_model: Path
) -> None:
    topic = 'topic = "plant/{device}/telemetry"'
    second = f'[[fleets]]\nmodel = "{pump_model}"\n{topic}\ndevices = ["b-*"]\n'
    write_config(tmp_path, mosquitto, pump_model, fleet=f'{topic}\ndevices = ["a-*"]', more=second)
    series = normal_series(20, seed=1)
    with detecting(tmp_path) as service:
        published = sum(send(publisher, series, device) for device in ("a-1", "b-1", "c-1", "b-2"))
        totals = await_messages(tmp_path, published)
        assert service.end() == 0
    assert dropped(totals) == {"no_fleet": 20}
    assert "no fleet takes topic 'plant/c-1/telemetry'" in service.said()
    assert totals["readings_scored"] == 3 * 5
    assert adds_up(totals, published)


# ---------------------------------------------------------------- ending and coming back


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_with_status_0_and_says_its_totals(
    folder: Path, mosquitto: BrokerConfig, publisher: MqttPublisher, how: signal.Signals
) -> None:
    with closing(MqttSource(mosquitto, [("anomgan/status", 1)])) as listener, detecting(folder) as service:
        statuses: list[bytes] = []

        def told(status: bytes) -> bool:
            statuses.extend(message.payload for message in listener.receive(10, 0.1))
            return status in statuses

        eventually(lambda: told(b"online"), "it is online")
        published = send(publisher, normal_series(20, seed=1))
        await_messages(folder, published)
        assert service.end(how) == 0
        eventually(lambda: told(b"offline"), "it is offline")
    assert f"messages_received {published};" in service.said()
    assert stored(folder).verdicts > 0


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, InfluxConfig]]:
    """An InfluxDB of one's own, to be killed and started again."""
    port = free_port()
    server = influxdb1_server(tmp_path_factory.mktemp("influxdb1"), port)
    server.start()
    yield server, InfluxConfig(url=f"http://127.0.0.1:{port}", version=1)
    server.stop()


@pytest.fixture
def two_stores(
    tmp_path: Path, mosquitto: BrokerConfig, pump_model: Path, database: tuple[Server, InfluxConfig]
) -> Path:
    """A folder whose detector.toml has the SQLite store and that database."""
    more = f'[store.influx]\nurl = "{database[1].url}"\nversion = 1'
    write_config(tmp_path, mosquitto, pump_model, more=more)
    return tmp_path


def scores_in(config: InfluxConfig) -> int:
    if config.database not in (row["name"] for row in influxql(config, "SHOW DATABASES")):
        return 0  # the first write makes it
    found = influxql(config, "SELECT count(surprise) AS scores FROM anomaly_score")
    return int(found[0]["scores"]) if found else 0


def test_killed_while_the_database_is_away_it_goes_on_where_it_was_and_delivers_what_waited(
    two_stores: Path, publisher: MqttPublisher, pump_model: Path, database: tuple[Server, InfluxConfig]
) -> None:
    server, config = database
    series = normal_series(60, seed=1)
    due, _ = Detector.load(pump_model).examine(series)
    with detecting(two_stores) as service:
        send(publisher, series[:20])
        await_messages(two_stores, 20)
        server.kill()
        send(publisher, series[20:40])
        await_messages(two_stores, 40)
        service.await_words("waits in the journal")
        assert f"InfluxDB {config.url}" in service.said()
        service.kill()
    send(publisher, series[40:])
    server.start()
    with detecting(two_stores) as service:
        eventually(lambda: newest_s(two_stores) == series.times[-1], "all is stored", PATIENCE_S)
        eventually(lambda: scores_in(config) == len(due), "every score is in the database", PATIENCE_S)
        assert "1 devices known" in service.said()
        assert service.end() == 0
    totals = counters(two_stores)
    # what was stored but not yet acknowledged when it was killed comes again, and is an old message to its state
    assert 60 <= totals["messages_received"] <= 80
    assert sum(dropped(totals).values()) == totals["messages_received"] - 60
    assert adds_up(totals, totals["messages_received"])
    assert totals["readings_scored"] == len(series) - WINDOW + 1  # one warm-up, before the first kill
    with open_reader(two_stores / "anomgan.db") as reader:
        history = reader.history("", "p1", points=1000)
    assert history is not None
    assert len(np.unique(history.times)) == len(history.times) == len(series) // STRIDE
    np.testing.assert_array_equal(history.times[~np.isnan(history.surprise)], series.times[due])


def test_a_database_that_goes_and_comes_back_loses_nothing(
    two_stores: Path, publisher: MqttPublisher, pump_model: Path, database: tuple[Server, InfluxConfig]
) -> None:
    server, config = database
    series = normal_series(40, seed=1)
    due, _ = Detector.load(pump_model).examine(series)
    with detecting(two_stores) as service:
        send(publisher, series[:20])
        await_messages(two_stores, 20)
        server.kill()
        send(publisher, series[20:])
        await_messages(two_stores, 40)  # which were acknowledged: a database that is away holds up nobody
        service.await_words("waits in the journal")
        assert f"InfluxDB {config.url}" in service.said()
        server.start()
        eventually(lambda: scores_in(config) == len(due), "every score is in the database", PATIENCE_S)
        assert service.end() == 0
    assert adds_up(counters(two_stores), 40)


# ---------------------------------------------------------------- --check, and what is wrong before the first message


@pytest.fixture
def refuse(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Run `anomgan detect detector.toml [--check]`: its one line on stderr, with exit status 2."""
    monkeypatch.chdir(folder)

    def refuse(*options: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(["detect", "detector.toml", *options])
        told = capsys.readouterr().err
        errors = [line for line in told.splitlines() if line.startswith("anomgan: error: ")]
        assert left.value.code == 2
        assert len(errors) == 1
        assert told.endswith(f"{errors[0]}\n")
        return errors[0]

    return refuse


def test_check_says_what_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        main(["detect", "detector.toml", "--check"])
    out, err = capsys.readouterr()
    assert (left.value.code, err) == (0, "")
    for words in (
        "detector.toml: valid",
        "3 channels, window 16, every 2",
        "connected",
        "store anomgan.db: 0 devices",
        "journal anomgan-journal.db: 0 letters waiting",
    ):
        assert words in out
    assert out.endswith("everything answers\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pump.safetensors", "gone.safetensors", "gone.safetensors: no such file"),
        ("client_id", "cleint_id", "detector.toml: broker.cleint_id: unknown key; did you mean 'client_id'?"),
        ('path = "anomgan.db"', "path = 7", "store.sqlite.path: Input should be a valid string (got 7)"),
        ("connect_timeout_s = 5.0", 'connect_timeout_s = "5"', "broker.connect_timeout_s: Input should be a valid"),
        ("connect_timeout_s = 5.0", 'password = "olive tree"', "broker.password: secrets do not belong"),
        ("connect_timeout_s = 5.0", 'username = "plant"\npassword_env = "UNSET"', "environment variable UNSET"),
        ("[store.sqlite]", "[store.sqlight]", "store.sqlight: unknown key; did you mean 'sqlite'?"),
        ("[[fleets]]", "[[fleets", "detector.toml: not valid TOML: Expected"),
        ("plant/{device}/telemetry", "plant/{devise}/telemetry", "unknown placeholder {devise}"),
        ("plant/{device}/telemetry", "plant/telemetry", "it has no {device}, so device_key must name"),
        ("127.0.0.1", "no-such-host.invalid", "MQTT broker no-such-host.invalid"),
        ('path = "anomgan.db"', 'path = "detector.toml"', "store detector.toml: not an SQLite file"),
    ],
)  # fmt: skip
def test_check_names_what_is_wrong_in_one_line(folder: Path, refuse: Refuse, old: str, new: str, message: str) -> None:
    text = (folder / "detector.toml").read_text()
    assert old in text
    (folder / "detector.toml").write_text(text.replace(old, new))
    assert message in refuse("--check")


def test_check_names_a_broker_that_is_not_there(folder: Path, refuse: Refuse, pump_model: Path) -> None:
    port = free_port()
    write_config(folder, BrokerConfig(host="127.0.0.1", port=port), pump_model)
    assert f"MQTT broker 127.0.0.1:{port}: connection refused; is it running?" in refuse("--check")


def test_check_tells_a_refused_user_from_a_wrong_password_of_the_broker(
    folder: Path,
    refuse: Refuse,
    mosquitto_with_password: BrokerConfig,
    pump_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_config(folder, mosquitto_with_password.model_copy(update={"username": ""}), pump_model)
    assert "MQTT broker 127.0.0.1:" in refuse("--check")
    write_config(folder, mosquitto_with_password, pump_model)
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    told = refuse("--check")
    assert "not authori" in told or "bad user name or password" in told
    assert "'plant'" in told
    assert "wrong" not in told


@pytest.mark.parametrize("version", [1, 2])
def test_check_names_a_database_that_is_not_there(
    folder: Path, refuse: Refuse, mosquitto: BrokerConfig, pump_model: Path, version: int
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    write_config(folder, mosquitto, pump_model, more=f'[store.influx]\nurl = "{url}"\nversion = {version}')
    told = refuse("--check")
    assert f"InfluxDB {url}" in told
    assert "connection refused; is it running?" in told


def test_check_names_wrong_credentials_of_a_database(
    folder: Path,
    refuse: Refuse,
    mosquitto: BrokerConfig,
    pump_model: Path,
    influxdb1_with_password: InfluxConfig,
    victoria_with_token: InfluxConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    monkeypatch.setenv("PLANT_TOKEN", "wrong")
    login = 'version = 1\nusername = "plant"\npassword_env = "PLANT_PASSWORD"'
    for url, how in ((influxdb1_with_password.url, login), (victoria_with_token.url, 'token_env = "PLANT_TOKEN"')):
        write_config(folder, mosquitto, pump_model, more=f'[store.influx]\nurl = "{url}"\n{how}')
        told = refuse("--check")
        assert f"InfluxDB {url}" in told
        assert "HTTP 40" in told


def test_started_without_a_broker_it_ends_as_check_does(folder: Path, pump_model: Path) -> None:
    port = free_port()
    write_config(folder, BrokerConfig(host="127.0.0.1", port=port), pump_model)
    service = Program(folder, ["detect", "detector.toml"], folder / "detector.log")
    assert service.process.wait(PATIENCE_S) == 2
    last = service.said().splitlines()[-1]
    assert last == f"anomgan: error: MQTT broker 127.0.0.1:{port}: connection refused; is it running?"
    assert "Traceback" not in service.said()
