"""Tasmota: the SENSOR messages of its own documentation, the trap of its local time, and its units."""

import json
import math

import orjson
import pytest
from hypothesis import given, settings
from wire_cases import DOCUMENTS, EXAMPLES, NOW, decoder_of, read_or_refuse

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire import Decoded, encode

TOPIC = "tele/pow1/SENSOR"


def decode(payload: str, **options: object) -> Decoded:
    return decoder_of("tasmota", **options).decode(TOPIC, payload.encode(), NOW)


def test_several_thermometers() -> None:
    decoded = decode(
        """{"Time":"2021-01-02T09:09:44","DS18B20-1":{"Id":"00000566CC39","Temperature":13.3},
        "DS18B20-2":{"Id":"0000059352D4","Temperature":1.2},"TempUnit":"C"}"""
    )
    (reading,) = decoded.readings
    assert (reading.device, dict(reading.values)) == (
        "pow1",
        {"DS18B20-1.Temperature": 13.3, "DS18B20-2.Temperature": 1.2},
    )
    assert decoded.units == {"DS18B20-1.Temperature": "°C", "DS18B20-2.Temperature": "°C"}
    assert decoded.dropped == {"not_a_measurement": 2, "time_without_zone": 1}


def test_a_power_meter() -> None:
    decoded = decode(
        """{"Time":"2018-02-15T17:37:10","ENERGY":{"TotalStartTime":"2018-11-14T18:39:40","Total":6.294,"Yesterday":5.340,
        "Today":0.954,"Period":217,"Power":2635,"ApparentPower":2650,"ReactivePower":282,"Factor":0.99,"Voltage":227,
        "Current":11.661}}"""
    )
    values = decoded.readings[0].values
    assert len(values) == 10
    assert (values["ENERGY.Power"], values["ENERGY.Voltage"], values["ENERGY.Current"]) == (2635.0, 227.0, 11.661)
    assert decoded.units == {}


def test_three_phases_are_three_channels() -> None:
    decoded = decode('{"Epoch":1700000000,"ENERGY":{"Current":[1.32,2.1,null],"Power":[310,480,"x"],"Empty":[]}}')
    assert {name: repr(value) for name, value in decoded.readings[0].values.items()} == {
        "ENERGY.Current.1": "1.32",
        "ENERGY.Current.2": "2.1",
        "ENERGY.Current.3": "nan",
        "ENERGY.Power.1": "310.0",
        "ENERGY.Power.2": "480.0",
    }
    assert decoded.dropped == {"text_value": 1}
    assert decode(json.dumps({"a": 1, "b": [1] * 65})).dropped == {"nested_value": 1}


def test_weather_with_all_its_units() -> None:
    decoded = decode(
        """{"Time":"2019-11-03T19:34:28","BME280":{"Temperature":72.5,"Humidity":51.8,"DewPoint":53.6,"Pressure":29.7},
        "TX23":{"Speed":{"Act":14.8,"Avg":8.5},"Dir":{"Card":"WSW","Deg":247.5}},
        "PressureUnit":"inHg","TempUnit":"F","SpeedUnit":"km/h"}"""
    )
    assert decoded.units == {
        "BME280.Temperature": "°F",
        "BME280.DewPoint": "°F",
        "BME280.Pressure": "inHg",
        "TX23.Speed.Act": "km/h",
        "TX23.Speed.Avg": "km/h",
    }
    assert decoded.dropped == {"time_without_zone": 1, "text_value": 1}


def test_a_unit_inside_an_object_is_about_that_object() -> None:
    decoded = decode('{"A":{"Pressure":1004.04,"PressureUnit":"hPa","LinkQuality":88},"B":{"Pressure":29}}')
    assert decoded.units == {"A.Pressure": "hPa"}
    assert decoded.dropped == {"not_a_measurement": 1}


def test_switches_are_one_and_zero() -> None:
    decoded = decode('{"Time":"2021-06-27T15:03:44+02:00","Switch1":"OFF","Switch2":"ON","Switch3":"HOLD"}')
    assert dict(decoded.readings[0].values) == {"Switch1": 0.0, "Switch2": 1.0}
    assert decoded.dropped == {"text_value": 1}


@pytest.mark.parametrize(
    ("time", "time_s", "counted"),
    [
        ('"Time":"2023-11-14T23:13:20"', NOW, 1),
        ('"Time":"2023-11-14T23:13:20.123"', NOW, 1),
        ('"Time":"2023-11-14T23:13:20","Epoch":1700000000', 1.7e9, 0),
        ('"Time":1700000000', 1.7e9, 0),
        ('"Time":"2023-11-14T23:13:20+01:00"', 1.7e9, 0),
        ('"Time":"2023-11-14T22:13:20Z"', 1.7e9, 0),
        ('"Time":null', NOW, 0),
        ('"Other":1', NOW, 0),
    ],
)
def test_a_local_time_counts_only_with_its_zone(time: str, time_s: float, counted: int) -> None:
    decoded = decode(f'{{{time},"ANALOG":{{"A0":8}}}}')
    assert decoded.readings[0].time_s == time_s
    assert decoded.dropped.get("time_without_zone", 0) == counted
    assert decoded.readings[0].values["ANALOG.A0"] == 8.0


def test_a_device_in_utc_can_be_believed() -> None:
    decoded = decode('{"Time":"2023-11-14T22:13:20","ANALOG":{"A0":8}}', time_key="Time")
    assert (decoded.readings[0].time_s, dict(decoded.dropped)) == (1.7e9, {})


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("Online", "broken_json"),
        ('{"Time":"soon","ANALOG":{"A0":8}}', "bad_time"),
        ('{"Time":"2023-11-14T22:13:20","Epoch":1700000000000,"ANALOG":{"A0":8}}', "time_in_milliseconds"),
        ('{"Time":"2023-11-14T22:13:20"}', "no_values"),
        ('{"Time":"2023-11-14T22:13:20","RC522":{"UID":"BA839D07","Data":""}}', "no_values"),
        ('{"StatusSNS": 1}', "not_an_object"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(payload: str, reason: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(payload)
    assert raised.value.reason == reason


def test_the_answer_to_a_status_command_is_the_same() -> None:
    inner = '{"Time":"2018-11-15T08:54:18","ENERGY":{"Power":2629},"TempUnit":"C"}'
    assert decode(f'{{"StatusSNS":{inner}}}') == decode(inner)


def test_messages_look_as_documented() -> None:
    two = [Reading("pow1", time_s, {"ENERGY.Power": 5.5, "flow": math.nan}) for time_s in (1.7e9, 1.7e9 + 0.5)]
    first, second = ((topic, orjson.loads(body)) for topic, body in encode("tasmota", two, "stat/{device}/STATUS8"))
    assert first == (
        "stat/pow1/STATUS8",
        {"Time": "2023-11-14T22:13:20", "Epoch": 1700000000, "ENERGY": {"Power": 5.5}, "flow": None},
    )
    assert second[1]["Epoch"] == 1700000000.5


@pytest.mark.parametrize("channel", ["Time", "Epoch", "DS18B20.Id", "TempUnit"])
def test_a_channel_with_a_name_of_something_else_cannot_be_written(channel: str) -> None:
    with pytest.raises(DataError, match=channel):
        encode("tasmota", [Reading("pow1", 1.7e9, {channel: 1.0})], "tele/{device}/SENSOR")


def test_many_units_in_one_payload_are_found_without_looking_through_all() -> None:
    """Twenty thousand sensors that each name their own unit: a search per channel would not come to an end here."""
    sensors = {str(number): {"Temperature": number, "TempUnit": "F"} for number in range(20_000)}
    decoded = decode(json.dumps(sensors))
    assert decoded.units == {f"{number}.Temperature": "°F" for number in range(20_000)}


@given(document=DOCUMENTS)
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_any_document_is_read_or_refused(document: object) -> None:
    read_or_refuse(decoder_of("tasmota"), TOPIC, json.dumps(document).encode())
    read_or_refuse(
        decoder_of("tasmota"), TOPIC, json.dumps({"Time": document, "A": document, "TempUnit": "C"}).encode()
    )
