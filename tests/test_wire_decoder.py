"""Bad input: every payload is either read or refused with a reason, and nothing else happens."""

import json
import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import DOCUMENTS, EXAMPLES, NOW, SCALARS, TOPICS, damage, decoder_of, is_sound, read_or_refuse

from anomgan.config import DialectName, TimeUnit
from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire import DIALECTS, Decoder, PayloadFormat, encode, parse_template
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.times import read_time

TOPIC = "plant/p1/telemetry"
GOOD = b'{"ts": 1700000000.5, "flow": 2.5, "level": 7}'


def decoder(dialect: DialectName = "flat", **options: object) -> Decoder:
    level = "{channel}" if dialect == "metric" else "telemetry"
    template = "plant/all" if "device_key" in options else f"plant/{{device}}/{level}"
    return Decoder(PayloadFormat(parse_template(template), dialect, **options))  # type: ignore[arg-type]  # names as in the record


def reason(payload: bytes | str, dialect: DialectName = "flat", topic: str = TOPIC, **options: object) -> str:
    body = payload if isinstance(payload, bytes) else payload.encode()
    with pytest.raises(PayloadError) as raised:
        decoder(dialect, **options).decode(topic, body, NOW)
    assert topic[:50] in str(raised.value)
    assert len(str(raised.value)) < 700
    return raised.value.reason


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("", "empty_payload"),
        ("  \n", "empty_payload"),
        ("{", "broken_json"),
        ('{"ts": 1700000000, "flow": 2.5', "broken_json"),
        ('{"flow": 2.5}}', "broken_json"),
        ("{'flow': 2.5}", "broken_json"),
        ('{"flow": 1.}', "broken_json"),
        ('{"flow": 01}', "broken_json"),
        ('{"flow": nan}', "broken_json"),
        ("hello", "broken_json"),
        ("[" * 100_000, "broken_json"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "broken_json"),
        (b'{"flow": 2.5}\x00', "broken_json"),
        (b"\xff\xfe{\x00}\x00", "wrong_encoding"),
        (b'{"fl\xe4che": 2.5}', "wrong_encoding"),
        (b'\xef\xbb\xbf{"flow": 2.5}', "wrong_encoding"),
        ("[]", "not_an_object"),
        ("5", "not_an_object"),
        ("null", "not_an_object"),
        ('"text"', "not_an_object"),
        ("{}", "no_values"),
        ('{"ts": 1700000000}', "no_values"),
        ('{"ts": 1700000000, "status": "ok", "inner": {"a": 1}}', "no_values"),
        ('{"ts": "yesterday", "flow": 1}', "bad_time"),
        ('{"ts": true, "flow": 1}', "bad_time"),
        ('{"ts": [1700000000], "flow": 1}', "bad_time"),
        ('{"ts": {}, "flow": 1}', "bad_time"),
        ('{"ts": "", "flow": 1}', "bad_time"),
        ('{"ts": Infinity, "flow": 1}', "bad_time"),
        ('{"ts": 1e999, "flow": 1}', "bad_time"),
        ('{"ts": 0, "flow": 1}', "time_in_past"),
        ('{"ts": -1, "flow": 1}', "time_in_past"),
        ('{"ts": 946684799, "flow": 1}', "time_in_past"),
        ('{"ts": "1970-01-01T00:00:00Z", "flow": 1}', "time_in_past"),
        ('{"ts": 4102444800, "flow": 1}', "time_in_future"),
        ('{"ts": "2100-01-01", "flow": 1}', "time_in_future"),
        ('{"ts": 1e300, "flow": 1}', "time_in_future"),
        ('{"ts": 1700000000000, "flow": 1}', "time_in_milliseconds"),
        ('{"ts": 1700000000000000, "flow": 1}', "time_in_milliseconds"),
        ('{"ts": 1700000000000000000, "flow": 1}', "time_in_milliseconds"),
    ],
)
def test_flat_payload_is_refused_with_its_reason(payload: bytes | str, expected: str) -> None:
    assert reason(payload) == expected


@pytest.mark.parametrize(
    ("dialect", "payload", "expected"),
    [
        ("metric", '"20.6"', "bad_value"),
        ("metric", "[20.6]", "bad_value"),
        ("metric", "Infinity", "bad_value"),
        ("metric", "1e400", "bad_value"),
        ("metric", "ON", "broken_json"),
        ("metric", "{}", "wrong_shape"),
        ("metric", '{"value": {}}', "bad_value"),
        ("metric", '{"value": 1, "ts": 7}', "time_in_past"),
        ("array", "{}", "wrong_shape"),
        ("array", "[]", "no_values"),
        ("array", "[1, 2]", "not_an_object"),
        ("array", '[{"ts": 1, "flow": 1}, {"flow": "x"}]', "time_in_past"),
        ("nested", "[]", "not_an_object"),
        ("nested", '{"a": {"b": {}}}', "no_values"),
        ("columnar", "[]", "not_an_object"),
        ("columnar", '{"flow": [1]}', "wrong_shape"),
        ("columnar", '{"ts": 1700000000, "flow": [1]}', "wrong_shape"),
        ("columnar", '{"ts": [1700000000], "flow": [1, 2]}', "wrong_shape"),
        ("columnar", '{"ts": [], "flow": []}', "no_values"),
        ("columnar", '{"ts": [1700000000]}', "no_values"),
        ("columnar", '{"ts": [1700000000], "flow": 1}', "no_values"),
        ("columnar", '{"ts": [1, "x"], "flow": [1, 2]}', "time_in_past"),
    ],
)
def test_other_dialects_refuse_with_their_reason(dialect: DialectName, payload: str, expected: str) -> None:
    assert reason(payload, dialect) == expected


def test_too_large_a_payload_is_refused_unread() -> None:
    assert reason(b"x" * 10_000_000) == "payload_too_large"
    assert reason(GOOD, max_payload_bytes=len(GOOD) - 1) == "payload_too_large"
    assert decoder(max_payload_bytes=len(GOOD)).decode(TOPIC, GOOD, NOW).readings


@pytest.mark.parametrize("topic", ["plant//telemetry", "plant/ p1/telemetry", "plant/p\x01/telemetry"])
def test_an_unusable_device_name_in_the_topic_is_refused(topic: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decoder().decode(topic, GOOD, NOW)
    assert raised.value.reason == "bad_device_name"


def test_a_topic_of_another_fleet_is_refused() -> None:
    assert reason(GOOD, topic="plant/p1/status") == "wrong_topic"
    assert not decoder().matches("plant/p1/status")
    assert decoder().matches("plant//telemetry")  # ours, though its name is unusable: to be counted, not passed over


@pytest.mark.parametrize(
    "device",
    ["", "a/b", "+", "#", " a", "a ", "a\x00", "x" * 129, None, [], {}, 1.5, True],
)
def test_an_unusable_device_name_in_the_payload_is_refused(device: object) -> None:
    assert reason(json.dumps({"id": device, "flow": 2.5}), topic="plant/all", device_key="id") == "bad_device_name"


def test_a_whole_number_is_a_device_name() -> None:
    (reading,) = decoder(device_key="id").decode("plant/all", b'{"id": 17, "flow": 2.5}', NOW).readings
    assert reading.device == "17"
    assert reason(b'{"flow": 2.5}', topic="plant/all", device_key="id") == "bad_device_name"


def test_one_bad_channel_does_not_lose_the_others() -> None:
    payload = b"""{"ts": 1700000000, "flow": 2.5, "status": "ok", "inner": {"a": 1}, "list": [1], "nan": NaN,
                   "inf": Infinity, "minus": -Infinity, "huge": 1e400, "long": %s, "tiny": 1e-400, "none": null}"""
    decoded = decoder().decode(TOPIC, payload % (b"9" * 400), NOW)
    assert {name: repr(value) for name, value in decoded.readings[0].values.items()} == {
        "flow": "2.5",
        "nan": "nan",
        "tiny": "0.0",
        "none": "nan",
    }
    assert decoded.dropped == {"text_value": 1, "nested_value": 2, "non_finite_value": 4}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-11-14T22:13:20Z", 1.7e9),
        ("2023-11-14T22:13:20", 1.7e9),
        ("2023-11-14 22:13:20", 1.7e9),
        ("2023-11-14T22:13:20.250+00:00", 1.7e9 + 0.25),
        ("2023-11-15T00:13:20+02:00", 1.7e9),
        ("20231114T221320Z", 1.7e9),
    ],
)
def test_iso_8601_text_is_a_time_and_without_a_zone_it_is_utc(text: str, expected: float) -> None:
    assert read_time(text, "s", NOW, 0.0) == expected


@pytest.mark.parametrize("payload", [b'{"flow": 1.5}', b'{"ts": null, "flow": 1.5}'])
def test_without_a_time_the_reading_is_stamped_on_arrival(payload: bytes) -> None:
    assert decoder().decode(TOPIC, payload, NOW).readings[0].time_s == NOW


def test_the_future_begins_after_the_tolerance() -> None:
    assert read_time(NOW + 60, "s", NOW, 60.0) == NOW + 60
    with pytest.raises(PayloadError) as raised:
        read_time(NOW + 61, "s", NOW, 60.0)
    assert raised.value.reason == "time_in_future"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("meant", ["s", "ms", "us", "ns"])
def test_a_time_in_another_unit_names_the_unit_to_set(unit: TimeUnit, meant: TimeUnit) -> None:
    number = round(1.7e9 * {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[meant])
    if unit == meant:
        assert read_time(number, unit, NOW, 0.0) == 1.7e9
        return
    with pytest.raises(PayloadError, match=f"set time_unit = '{meant}'"):
        read_time(number, unit, NOW, 0.0)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(payload=st.binary(max_size=200))
@settings(deadline=None, max_examples=EXAMPLES)
def test_any_bytes_are_read_or_refused(dialect: DialectName, payload: bytes) -> None:
    read_or_refuse(decoder_of(dialect), TOPICS[dialect], payload)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(document=DOCUMENTS)
@settings(deadline=None, max_examples=EXAMPLES)
def test_any_document_is_read_or_refused(dialect: DialectName, document: object) -> None:
    read_or_refuse(decoder_of(dialect), TOPICS[dialect], json.dumps(document).encode())


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(deadline=None, max_examples=EXAMPLES)
def test_any_damage_to_a_good_payload_is_read_or_refused(dialect: DialectName, data: st.DataObject) -> None:
    two = [Reading("e1.p1", 1.7e9 + i, {"flow": 2.5 * i, "motor.temp": 60.0, "lost": math.nan}, "n") for i in range(2)]
    template = CONVENTIONS[dialect].topic.replace("telegraf/{device}/+", "telegraf/{device}")
    reader = decoder_of(dialect, template)
    for topic, payload in encode(dialect, two, template):
        read_or_refuse(reader, topic, damage(data, payload))


@given(st.text(max_size=40))
def test_any_topic_is_read_or_refused(topic: str) -> None:
    try:
        assert is_sound(decoder().decode(topic, GOOD, NOW))
    except PayloadError as error:
        assert error.reason in ("wrong_topic", "bad_device_name")  # noqa: PT017 one of the two allowed outcomes


@given(st.dictionaries(st.text(max_size=6).filter(lambda key: key != "ts"), SCALARS, max_size=6))
@settings(deadline=None, max_examples=EXAMPLES)
def test_flat_agrees_with_a_plain_reading_of_the_fields(fields: dict[str, object]) -> None:
    expected = {}
    for key, value in fields.items():
        if value is None or (isinstance(value, float) and math.isnan(value)):
            expected[key] = "nan"
        elif isinstance(value, int | float) and not math.isinf(value):
            expected[key] = repr(float(value))
    payload = json.dumps({"ts": 1.7e9, **fields}).encode()
    try:
        decoded = decoder().decode(TOPIC, payload, NOW)
    except PayloadError as error:
        assert not expected
        assert error.reason == "no_values"  # noqa: PT017 one of the two allowed outcomes
    else:
        assert {name: repr(value) for name, value in decoded.readings[0].values.items()} == expected
        assert sum(decoded.dropped.values()) == len(fields) - len(expected)


def test_decoding_does_not_remember_what_it_was_given() -> None:
    read = decoder().decode
    first = read(TOPIC, GOOD, NOW)
    second = read("plant/p2/telemetry", orjson.dumps({"ts": 1.7e9, "flow": 9.0}), NOW)
    assert dict(first.readings[0].values) == {"flow": 2.5, "level": 7.0}
    assert dict(second.readings[0].values) == {"flow": 9.0}
    assert read(TOPIC, GOOD, NOW) == first
