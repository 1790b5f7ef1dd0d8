"""Zigbee2MQTT: payloads of its own documentation and of devices in the field, and what must not be read as values."""

import json
import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import DOCUMENTS, EXAMPLES, NOW, decoder_of, read_or_refuse

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire import Decoded, encode

TOPIC = "zigbee2mqtt/cellar"
NESTED = "zigbee2mqtt/{device#}"


def decode(payload: str | dict[str, object], topic: str = TOPIC, template: str = "") -> Decoded:
    body = payload if isinstance(payload, str) else json.dumps(payload)
    return decoder_of("zigbee2mqtt", template).decode(topic, body.encode(), NOW)


def test_a_climate_sensor() -> None:
    decoded = decode(
        '{"battery":91,"humidity":44.72,"linkquality":120,"pressure":1008.4,"temperature":27.34,"voltage":2985}'
    )
    (reading,) = decoded.readings
    assert (reading.site, reading.device, reading.time_s) == ("", "cellar", NOW)
    assert dict(reading.values) == {
        "battery": 91.0,
        "humidity": 44.72,
        "pressure": 1008.4,
        "temperature": 27.34,
        "voltage": 2985.0,
    }
    assert decoded.dropped == {"not_a_measurement": 1}


def test_a_plug_and_its_firmware() -> None:
    decoded = decode(
        """{"child_lock":"UNLOCK","current":0.03,"energy":4.31,"linkquality":255,"power":6.2,"state":"ON","voltage":231,
        "power_outage_memory":"restore","update":{"installed_version":192,"latest_version":192,"state":"idle"},
        "update_available":false}"""
    )
    assert dict(decoded.readings[0].values) == {
        "current": 0.03,
        "energy": 4.31,
        "power": 6.2,
        "state": 1.0,
        "voltage": 231.0,
    }
    assert decoded.dropped == {"not_a_measurement": 5, "text_value": 2}


def test_a_lamp_and_a_contact() -> None:
    lamp = decode('{"state":"OFF","brightness":215,"color_temp":325,"color":{"x":0.4599,"y":0.4106},"color_mode":"xy"}')
    assert dict(lamp.readings[0].values) == {
        "state": 0.0,
        "brightness": 215.0,
        "color_temp": 325.0,
        "color.x": 0.4599,
        "color.y": 0.4106,
    }
    assert dict(decode('{"contact":false,"tamper":true,"battery_low":false}').readings[0].values) == {
        "contact": 0.0,
        "tamper": 1.0,
        "battery_low": 0.0,
    }


@pytest.mark.parametrize(
    ("last_seen", "time_s"),
    [
        ("1700000000250", 1.7e9 + 0.25),
        ('"2023-11-14T22:13:20.250Z"', 1.7e9 + 0.25),
        ('"2023-11-14T23:13:20+01:00"', 1.7e9),
        ("null", NOW),
    ],
)
def test_last_seen_is_the_time_in_each_of_its_formats(last_seen: str, time_s: float) -> None:
    decoded = decode(f'{{"temperature": 1.5, "last_seen": {last_seen}, "elapsed": 3000}}')
    assert decoded.readings[0].time_s == time_s
    assert dict(decoded.readings[0].values) == {"temperature": 1.5}
    assert decoded.dropped == {"not_a_measurement": 1}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("", "empty_payload"),
        ("online", "broken_json"),
        ("[]", "not_an_object"),
        ('{"action": "single", "linkquality": 92}', "no_values"),
        ('{"linkquality": 92}', "no_values"),
        ('{"temperature": 1.5, "last_seen": 1700000000}', "time_in_past"),
    ],
)
def test_what_holds_no_measurement_is_refused_with_its_reason(payload: str, reason: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(payload)
    assert raised.value.reason == reason


def test_names_of_several_levels_are_devices() -> None:
    (reading,) = decode('{"temperature": 20}', "zigbee2mqtt/kitchen/floor_light", NESTED).readings
    assert reading.device == "kitchen.floor_light"
    (reading,) = decode('{"temperature": 20}', "zigbee2mqtt/get", NESTED).readings
    assert reading.device == "get"


@pytest.mark.parametrize(
    "topic",
    [
        "zigbee2mqtt/bridge/state",
        "zigbee2mqtt/bridge/devices",
        "zigbee2mqtt/bridge/response/permit_join",
        "zigbee2mqtt/cellar/availability",
        "zigbee2mqtt/kitchen/lamp/availability",
        "zigbee2mqtt/cellar/set",
        "zigbee2mqtt/kitchen/lamp/set/state",
        "zigbee2mqtt/cellar/get",
    ],
)
def test_what_else_is_published_below_is_refused_unread(topic: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode("online", topic, NESTED)
    assert raised.value.reason == "not_telemetry"
    assert decoder_of("zigbee2mqtt", NESTED).matches(topic)  # so that it is counted


def test_a_topic_elsewhere_does_not_belong_here() -> None:
    for topic in ("zigbee2mqtt", "other/bridge/state", "other/x/set"):
        with pytest.raises(PayloadError) as raised:
            decode("{}", topic, NESTED)
        assert raised.value.reason == "wrong_topic"


def test_the_device_can_stand_in_the_payload() -> None:
    decoder = decoder_of("zigbee2mqtt", "zigbee2mqtt/#", device_key="device.friendlyName")
    payload = b'{"temperature": 20, "device": {"friendlyName": "cellar", "networkAddress": 5674}}'
    decoded = decoder.decode("zigbee2mqtt/x", payload, NOW)
    assert (decoded.readings[0].device, dict(decoded.readings[0].values)) == ("cellar", {"temperature": 20.0})
    assert decoded.dropped == {"not_a_measurement": 1}


def test_messages_look_as_documented() -> None:
    sent = Reading("cellar", 1.7e9 + 0.25, {"temperature": 20.6, "color.x": 0.5, "power": math.nan})
    ((topic, payload),) = encode("zigbee2mqtt", [sent], NESTED)
    assert topic == "zigbee2mqtt/cellar"
    assert orjson.loads(payload) == {
        "last_seen": 1700000000250,
        "temperature": 20.6,
        "color": {"x": 0.5},
        "power": None,
    }


@pytest.mark.parametrize("channel", ["linkquality", "update.state", "last_seen"])
def test_a_channel_with_a_name_of_something_else_cannot_be_written(channel: str) -> None:
    with pytest.raises(DataError, match=channel):
        encode("zigbee2mqtt", [Reading("cellar", 1.7e9, {channel: 1.0})], "zigbee2mqtt/{device}")


@given(document=DOCUMENTS, topic=st.lists(st.sampled_from(["bridge", "set", "availability", "a"]), max_size=3))
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_any_document_on_any_topic_is_read_or_refused(document: object, topic: list[str]) -> None:
    read_or_refuse(decoder_of("zigbee2mqtt", NESTED), "/".join(["zigbee2mqtt", *topic]), json.dumps(document).encode())
