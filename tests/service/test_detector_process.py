"""The detector service as a process, with a real broker and SQLite: whatever comes in, it goes on and counts it."""

import json
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import orjson
from contract import CHANNELS, normal_series, with_fault
from detector_program import (
    WINDOW,
    adds_up,
    await_messages,
    dropped,
    folder,
    publisher,
    pump_model,
    rows_of,
    send,
    write_config,
)
from programs import PATIENCE_S, detecting
from servers import eventually

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.ports import Message
from anomgan.adapters.sqlite_read import open_reader
from anomgan.config import BrokerConfig
from anomgan.detector import Detector

__all__ = ["folder", "publisher", "pump_model"]  # fixtures


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
