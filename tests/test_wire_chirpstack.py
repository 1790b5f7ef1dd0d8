"""ChirpStack 4: the uplink event of its own documentation, with and without the values that a codec adds."""

import json
import math
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from wire_cases import DOCUMENTS, EXAMPLES, NOW, decoder_of, read_or_refuse

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire import Decoded, encode

APPLICATION = "17c82e96-be03-4f38-aef3-f83d48582d97"
TOPIC = f"application/{APPLICATION}/device/0101010101010101/event/up"
EVENT: dict[str, Any] = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2022-07-18T09:34:15.775023242+00:00",
    "deviceInfo": {
        "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
        "tenantName": "ChirpStack",
        "applicationId": APPLICATION,
        "applicationName": "Test application",
        "deviceProfileName": "Test device-profile",
        "deviceName": "Test device",
        "devEui": "0101010101010101",
        "tags": {"key": "value"},
    },
    "devAddr": "00189440",
    "dr": 1,
    "fCnt": 7,
    "fPort": 1,
    "data": "qg==",
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36, "snr": 10.5}],
    "txInfo": {"frequency": 867100000, "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 11}}},
}
VALUES = {"temperatureSensor": {"1": 25.5}, "humidity": 40, "open": False, "battery": 3.6, "label": "A1", "lost": None}
RECEIVED_S = 1658136855.775023


def decode(event: object, topic: str = TOPIC, template: str = "", **options: object) -> Decoded:
    return decoder_of("chirpstack", template, **options).decode(topic, json.dumps(event).encode(), NOW)


def test_an_uplink_with_decoded_values() -> None:
    decoded = decode(EVENT | {"object": VALUES})
    (reading,) = decoded.readings
    assert (reading.site, reading.device) == (APPLICATION, "0101010101010101")
    assert reading.time_s == pytest.approx(RECEIVED_S, abs=1e-6)
    assert {name: repr(value) for name, value in reading.values.items()} == {
        "temperatureSensor.1": "25.5",
        "humidity": "40.0",
        "open": "0.0",
        "battery": "3.6",
        "lost": "nan",
    }
    assert decoded.dropped == {"text_value": 1}


def test_an_uplink_without_a_codec_is_refused_and_told_what_to_do() -> None:
    with pytest.raises(PayloadError, match="no payload decoder") as raised:
        decode(EVENT)
    assert raised.value.reason == "not_decoded"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"object": None}, "not_decoded"),
        ({"object": {}}, "no_values"),
        ({"object": 7}, "not_an_object"),
        ({"object": {"a": "x"}}, "no_values"),
        ({"object": {"a": 1}, "time": "yesterday"}, "bad_time"),
        ({"object": {"a": 1}, "time": {}}, "bad_time"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(change: dict[str, object], reason: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(EVENT | change)
    assert raised.value.reason == reason


@pytest.mark.parametrize("event", [[], 7, None, "up"])
def test_an_event_is_an_object(event: object) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(event)
    assert raised.value.reason == "not_an_object"


def test_the_device_can_be_called_by_its_name() -> None:
    template = "application/{site}/device/+/event/up"
    (reading,) = decode(EVENT | {"object": {"a": 1}}, template=template, device_key="deviceInfo.deviceName").readings
    assert reading.device == "Test device"
    nameless = deepcopy(EVENT) | {"object": {"a": 1}}
    del nameless["deviceInfo"]["deviceName"]
    with pytest.raises(PayloadError) as raised:
        decode(nameless, template=template, device_key="deviceInfo.deviceName")
    assert raised.value.reason == "bad_device_name"


def test_a_copy_of_a_frame_has_the_same_time() -> None:
    event = EVENT | {"object": {"a": 1}}
    assert decode(event) == decode(event | {"deduplicationId": "another", "rxInfo": []})


def test_messages_look_as_documented() -> None:
    sent = Reading("0101010101010101", RECEIVED_S, {"temperatureSensor.1": 25.5, "lost": math.nan}, APPLICATION)
    ((topic, payload),) = encode("chirpstack", [sent], "application/{site}/device/{device}/event/up")
    assert topic == TOPIC
    document = orjson.loads(payload)
    assert document["object"] == {"temperatureSensor": {"1": 25.5}, "lost": None}
    assert document["time"] == "2022-07-18T09:34:15.775023+00:00"
    assert document["deviceInfo"]["devEui"] == "0101010101010101"


def test_the_name_of_the_device_is_written_where_it_is_read() -> None:
    options = {"template": "application/{site}/up", "device_key": "deviceInfo.deviceName"}
    ((topic, payload),) = encode("chirpstack", [Reading("d1", 1.7e9, {"a": 1.0}, "s")], **options)  # type: ignore[arg-type]  # names as in the signature
    (reading,) = (
        decoder_of("chirpstack", options["template"], device_key=options["device_key"])
        .decode(topic, payload, NOW)
        .readings
    )
    assert reading == Reading("d1", 1.7e9, {"a": 1.0}, "s")


@given(document=DOCUMENTS)
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_any_values_are_read_or_refused(document: object) -> None:
    read_or_refuse(decoder_of("chirpstack"), TOPIC, json.dumps(EVENT | {"object": document}).encode())
    read_or_refuse(decoder_of("chirpstack"), TOPIC, json.dumps({"object": {"a": 1}, "time": document}).encode())
