"""The Things Stack 3: the uplink message of its own documentation, and what else may come on that topic."""

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from wire_cases import DOCUMENTS, EXAMPLES, NOW, decoder_of, read_or_refuse

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire import Decoded, encode

TOPIC = "v3/app1@ttn/devices/dev1/up"
UPLINK: dict[str, Any] = {
    "session_key_id": "AXA50tHUGUucuzS/bCGMNw==",
    "f_cnt": 1,
    "f_port": 1,
    "frm_payload": "gkHe",
    "decoded_payload": {"temperature": 1.0, "luminosity": 0.64},
    "rx_metadata": [
        {
            "gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"},
            "time": "2020-02-12T15:15:45.787Z",
            "timestamp": 2463457000,
            "rssi": -35,
            "snr": 5,
        }
    ],
    "settings": {"data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 7}}, "frequency": "868300000"},
    "consumed_airtime": "0.056576s",
    "received_at": "2020-02-12T15:15:45.789585559Z",
}
MESSAGE: dict[str, Any] = {
    "end_device_ids": {
        "device_id": "dev1",
        "application_ids": {"application_id": "app1"},
        "dev_eui": "0004A30B001C0530",
        "dev_addr": "00BCB929",
    },
    "correlation_ids": ["as:up:01E0WZGT6Y7657CPFPE5WEYDSQ"],
    "received_at": "2020-02-12T15:15:46.014773143Z",
    "uplink_message": UPLINK,
}
AT_NETWORK_S, AT_APPLICATION_S = 1581520545.789585, 1581520546.014773


def decode(message: object, topic: str = TOPIC, template: str = "", **options: object) -> Decoded:
    return decoder_of("things_stack", template, **options).decode(topic, json.dumps(message).encode(), NOW)


def test_an_uplink_with_decoded_values() -> None:
    decoded = decode(MESSAGE)
    (reading,) = decoded.readings
    assert (reading.site, reading.device) == ("app1@ttn", "dev1")
    assert dict(reading.values) == {"temperature": 1.0, "luminosity": 0.64}
    assert reading.time_s == pytest.approx(AT_NETWORK_S, abs=1e-6)
    assert decoded.dropped == {}


def test_the_time_is_that_of_the_server_nearest_to_the_device() -> None:
    without = {key: value for key, value in UPLINK.items() if key != "received_at"}
    (reading,) = decode(MESSAGE | {"uplink_message": without}).readings
    assert reading.time_s == pytest.approx(AT_APPLICATION_S, abs=1e-6)
    neither = {"uplink_message": without}
    assert decode(neither).readings[0].time_s == NOW
    (reading,) = decode(MESSAGE, time_key="received_at").readings
    assert reading.time_s == pytest.approx(AT_APPLICATION_S, abs=1e-6)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ([], "not_an_object"),
        ({}, "not_decoded"),
        ({"join_accept": {"session_key_id": "x"}}, "not_decoded"),
        ({"uplink_message": []}, "not_decoded"),
        ({"uplink_message": {"frm_payload": "gkHe"}}, "not_decoded"),
        ({"uplink_message": {"decoded_payload": {}}}, "no_values"),
        ({"uplink_message": {"decoded_payload": [1]}}, "not_an_object"),
        ({"uplink_message": {"decoded_payload": {"a": 1}, "received_at": 1}}, "time_in_past"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(message: object, reason: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(message)
    assert raised.value.reason == reason


def test_the_device_can_be_called_by_its_eui() -> None:
    decoded = decode(MESSAGE, template="v3/{site}/devices/+/up", device_key="end_device_ids.dev_eui")
    assert decoded.readings[0].device == "0004A30B001C0530"


def test_messages_look_as_documented() -> None:
    sent = Reading("dev1", AT_NETWORK_S, {"temperature": 1.0, "air.humidity": 40.0, "lost": math.nan}, "app1@ttn")
    ((topic, payload),) = encode("things_stack", [sent], "v3/{site}/devices/{device}/up")
    assert topic == TOPIC
    document = orjson.loads(payload)
    assert document["end_device_ids"] == {"device_id": "dev1", "application_ids": {"application_id": "app1"}}
    assert document["uplink_message"]["decoded_payload"] == {
        "temperature": 1.0,
        "air": {"humidity": 40.0},
        "lost": None,
    }
    assert document["received_at"] == document["uplink_message"]["received_at"] == "2020-02-12T15:15:45.789585+00:00"


@given(document=DOCUMENTS)
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_any_values_are_read_or_refused(document: object) -> None:
    for changed in ({"decoded_payload": document}, {"received_at": document}):
        message = MESSAGE | {"uplink_message": UPLINK | changed}
        read_or_refuse(decoder_of("things_stack"), TOPIC, json.dumps(message).encode())
