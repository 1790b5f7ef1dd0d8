"""SenML: the examples of RFC 8428, its rules of base fields and time, and a plain resolution as the naive twin."""

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import DOCUMENTS, EXAMPLES, NOW, decoder_of, read_or_refuse

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire import Decoded, encode

TOPIC = "senml/p1"


def decode(pack: object, **options: object) -> Decoded:
    payload = pack if isinstance(pack, str) else json.dumps(pack)
    return decoder_of("senml").decode(TOPIC, payload.encode(), NOW)


def by_base_name(pack: object) -> Decoded:
    decoder = decoder_of("senml", "senml/{site}", device_key="bn")
    return decoder.decode("senml/north", json.dumps(pack).encode(), NOW)


def rows(decoded: Decoded) -> list[tuple[float, dict[str, float]]]:
    return [(reading.time_s, dict(reading.values)) for reading in decoded.readings]


def test_a_single_datapoint() -> None:
    decoded = decode([{"n": "urn:dev:ow:10e2073a01080063", "u": "Cel", "v": 23.1}])
    assert decoded.readings == [Reading("p1", NOW, {"urn:dev:ow:10e2073a01080063": 23.1})]
    assert decoded.units == {"urn:dev:ow:10e2073a01080063": "Cel"}


def test_multiple_datapoints() -> None:
    decoded = decode(
        [
            {"bn": "urn:dev:ow:10e2073a01080063:", "n": "voltage", "u": "V", "v": 120.1},
            {"n": "current", "u": "A", "v": 1.2},
        ]
    )
    assert rows(decoded) == [(NOW, {"voltage": 120.1, "current": 1.2})]
    assert decoded.units == {"voltage": "V", "current": "A"}


def test_times_and_a_base_unit() -> None:
    pack = [
        {"bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e9, "bu": "A", "bver": 5, "n": "voltage", "u": "V"},
        *(
            {"n": "current", "t": t, "v": v}
            for t, v in [(-5, 1.2), (-4, 1.3), (-3, 1.4), (-1, 1.6), (-2, 1.5), (0, 1.7)]
        ),
    ]
    pack[0]["v"] = 120.1
    decoded = decode(pack)
    assert rows(decoded) == [
        *((1.276020076001e9 + t, {"current": v}) for t, v in [(-5, 1.2), (-4, 1.3), (-3, 1.4), (-2, 1.5), (-1, 1.6)]),
        (1.276020076001e9, {"voltage": 120.1, "current": 1.7}),
    ]
    assert decoded.units == {"voltage": "V", "current": "A"}


def test_nameless_values_are_called_value() -> None:
    pack = [{"bn": "urn:dev:ow:10e2073a01080063", "bt": 1320067464, "bu": "%RH", "v": 21.2}, {"v": 21.3, "t": 10}]
    decoded = decode(pack)
    assert rows(decoded) == [(1320067464.0, {"value": 21.2}), (1320067474.0, {"value": 21.3})]
    assert decoded.units == {"value": "%RH"}


COLLECTION = [
    {"bn": "2001:db8::2/", "bt": 1320078429, "n": "temperature", "u": "Cel", "v": 25.2},
    {"n": "humidity", "u": "%RH", "v": 30},
    {"bn": "2001:db8::1/", "n": "temperature", "u": "Cel", "v": 12.3},
    {"n": "humidity", "u": "%RH", "v": 67},
]


def test_a_collection_of_devices_by_their_base_names() -> None:
    time_s = 1320078429.0
    assert by_base_name(COLLECTION).readings == [
        Reading("2001:db8::2", time_s, {"temperature": 25.2, "humidity": 30.0}, "north"),
        Reading("2001:db8::1", time_s, {"temperature": 12.3, "humidity": 67.0}, "north"),
    ]


def test_a_collection_of_devices_on_the_topic_of_one_is_counted_not_mixed() -> None:
    decoded = decode(COLLECTION)
    assert rows(decoded) == [(1320078429.0, {"temperature": 25.2, "humidity": 30.0})]
    assert decoded.dropped == {"duplicate_channel": 2}


def test_base_names_of_several_levels_become_one() -> None:
    (reading,) = by_base_name([{"bn": "urn:dev:mac:0b92/4/", "n": "t", "v": 1}]).readings
    assert reading.device == "urn:dev:mac:0b92.4"
    with pytest.raises(PayloadError) as raised:
        by_base_name([{"n": "t", "v": 1}])
    assert raised.value.reason == "bad_device_name"


def test_values_of_other_types() -> None:
    decoded = decode(
        [
            {"bn": "urn:dev:ow:10e2073a01080063:", "n": "temp", "u": "Cel", "v": 23.1},
            {"n": "label", "vs": "Machine Room"},
            {"n": "open", "vb": False},
            {"n": "nfv-reader", "vd": "aGkgCg"},
            {"n": "lost", "v": None},
        ]
    )
    assert {name: repr(value) for name, value in decoded.readings[0].values.items()} == {
        "temp": "23.1",
        "open": "0.0",
        "lost": "nan",
    }
    assert decoded.dropped == {"text_value": 2}


def test_a_first_record_may_hold_base_fields_only() -> None:
    pack = [{"bn": "urn:dev:ow:10e2073a01080063:", "bv": 100}, {"n": "temp", "v": 23}, {"n": "heat"}]
    assert rows(decode(pack)) == [(NOW, {"temp": 123.0, "heat": 100.0})]


def test_a_sum_is_a_channel_of_its_own() -> None:
    pack = [{"bs": 1000, "n": "power", "u": "W", "v": 5, "s": 7}, {"n": "only", "s": 1}, {"n": "flow", "v": 2}]
    decoded = decode(pack)
    expected = {"power": 5.0, "power.sum": 1007.0, "only.sum": 1001.0, "flow": 2.0, "flow.sum": 1000.0}
    assert rows(decoded) == [(NOW, expected)]
    assert decoded.units == {"power": "W"}


@pytest.mark.parametrize(
    ("bt", "t", "time_s"),
    [
        (0, 0, NOW),
        (0, -30.5, NOW - 30.5),
        (-60, 10, NOW - 50),
        (0, 3600, NOW + 3600),
        (1.7e9, -2, 1.7e9 - 2),
        (1e9, 7e8, 1.7e9),
        (-60, 1.7e9, 1.7e9 - 60),
    ],
)
def test_a_time_below_two_to_the_28_counts_from_now(bt: float, t: float, time_s: float) -> None:
    assert rows(decode([{"bt": bt, "t": t, "v": 1}])) == [(time_s, {"value": 1.0})]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ("{}", "wrong_shape"),
        ("7", "wrong_shape"),
        ("[]", "no_values"),
        ("[{}]", "no_values"),
        ("[7]", "not_an_object"),
        ('[{"n": "a"}]', "no_values"),
        ('[{"n": "a", "vs": "x"}]', "text_value"),
        ('[{"n": 7, "v": 1}]', "wrong_shape"),
        ('[{"n": "a", "v": true}]', "bad_value"),
        ('[{"n": "a", "v": "1"}]', "text_value"),
        ('[{"n": "a", "v": 1e999}]', "non_finite_value"),
        ('[{"n": "a", "bv": 1e308, "v": 1.7e308}]', "non_finite_value"),
        ('[{"n": "a", "vb": 1}]', "bad_value"),
        ('[{"n": "a", "v": 1, "t": "now"}]', "bad_time"),
        ('[{"n": "a", "v": 1, "t": true}]', "bad_time"),
        ('[{"n": "a", "v": 1, "t": 268435456}]', "time_in_past"),
        ('[{"n": "a", "v": 1, "t": 268435455}]', "time_in_future"),
        ('[{"n": "a", "v": 1, "bt": 1700000000000}]', "time_in_milliseconds"),
        ('[{"n": "a", "v": 1, "t": -1e300}]', "time_in_past"),
        ('[{"bt": "x", "v": 1}]', "wrong_shape"),
        ('[{"bn": null, "v": 1}]', "wrong_shape"),
        ('[{"bv": 1e999, "v": 1}]', "wrong_shape"),
        ('[{"bver": 11, "v": 1}]', "not_understood"),
        ('[{"bver": 10.5, "v": 1}]', "not_understood"),
        ('[{"v": 1}, {"v": 2, "range_": 3}]', "not_understood"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(pack: str, reason: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(pack)
    assert raised.value.reason == reason


def test_one_bad_record_does_not_lose_the_others() -> None:
    decoded = decode(
        [{"n": "a", "v": 1}, None, {"n": "b", "v": "x"}, {"n": "c", "v": 1, "t": 1e9}, {"n": "d", "v": 2, "ut": 9}]
    )
    assert rows(decoded) == [(1e9, {"c": 1.0}), (NOW, {"a": 1.0, "d": 2.0})]
    assert decoded.dropped == {"text_value": 1, "not_an_object": 1}


def test_messages_look_as_documented() -> None:
    two = [Reading("p1", 1.7e9, {"flow": 2.5, "lost": math.nan, "level": 3.0}), Reading("p1", 1.7e9 + 1, {"flow": 2.0})]
    ((topic, payload),) = encode("senml", two, "senml/{device}")
    assert topic == TOPIC
    assert orjson.loads(payload) == [
        {"bt": 1.7e9, "n": "flow", "v": 2.5},
        {"n": "level", "v": 3.0},
        {"bt": 1.7e9 + 1, "n": "flow", "v": 2.0},
    ]
    ((_, payload),) = encode("senml", two[1:], "senml/all", device_key="bn")
    assert orjson.loads(payload) == [{"bn": "p1:", "bt": 1.7e9 + 1, "n": "flow", "v": 2.0}]
    assert encode("senml", [Reading("p1", 1.7e9, {"lost": math.nan})], "senml/{device}") == []


@pytest.mark.parametrize("channel", ["motor temp", "Förderstrom", "", "-flow"])
def test_a_name_that_the_rfc_does_not_allow_cannot_be_written(channel: str) -> None:
    with pytest.raises(DataError, match="SenML names"):
        encode("senml", [Reading("p1", 1.7e9, {channel: 1.0})], "senml/{device}")


senml_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,10}", fullmatch=True)
devices = senml_names.filter(lambda name: not name.endswith(":"))


@given(
    sent=st.lists(
        st.builds(
            Reading,
            device=devices,
            time_s=st.floats(946_684_800.0, NOW),
            values=st.dictionaries(
                senml_names, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4
            ),
            site=st.just("north"),
        ),
        max_size=5,
        unique_by=lambda reading: (reading.device, reading.time_s),
    )
)
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_what_is_written_with_base_names_is_read_back_to_the_last_digit(sent: list[Reading]) -> None:
    reader = decoder_of("senml", "senml/{site}", device_key="bn")
    messages = encode("senml", sent, "senml/{site}", device_key="bn")
    got = [reading for topic, payload in messages for reading in reader.decode(topic, payload, NOW).readings]
    assert sorted(map(repr, got)) == sorted(map(repr, sent))


NUMBERS = st.integers(-50, 50) | st.sampled_from([1.5e9, 1.7e9])


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "bt": NUMBERS,
                "bv": st.integers(-5, 5),
                "bs": st.integers(-5, 5),
                "bu": st.sampled_from(["Cel", ""]),
                "n": st.sampled_from(["a", "b"]),
                "t": NUMBERS,
                "v": st.integers(-5, 5),
                "s": st.integers(-5, 5),
                "vb": st.booleans(),
            },
        ),
        max_size=6,
    )
)
@settings(deadline=None, max_examples=4 * EXAMPLES)
def test_base_fields_agree_with_a_plain_resolution(pack: list[dict[str, Any]]) -> None:
    expected = naive(pack)
    try:
        decoded = decode(pack)
    except PayloadError:
        assert not any(946_684_800 <= time_s <= NOW + 86_400 for time_s, _ in expected)
        return
    found = {
        (reading.time_s, channel): value for reading in decoded.readings for channel, value in reading.values.items()
    }
    assert found == {key: value for key, value in expected.items() if 946_684_800 <= key[0] <= NOW + 86_400}


def naive(pack: list[dict[str, Any]]) -> dict[tuple[float, str], float]:
    """(time, channel) -> value, the first of each, by the words of the RFC, one record after another."""
    found: dict[tuple[float, str], float] = {}
    base: dict[str, Any] = {}
    for record in pack:
        base |= {label: value for label, value in record.items() if label in ("bt", "bv", "bs")}
        time = base.get("bt", 0) + record.get("t", 0)
        time = time if time >= 2**28 else NOW + time
        name = record.get("n", "value")
        has_value = "v" in record or ("bv" in base and "n" in record and "s" not in record and "vb" not in record)
        values = {}
        if has_value:
            values[name] = record.get("v", 0) + base.get("bv", 0)
        elif "vb" in record:
            values[name] = int(record["vb"])
        if "s" in record or ("bs" in base and values):
            values[name + ".sum"] = record.get("s", 0) + base.get("bs", 0)
        for channel, value in values.items():
            found.setdefault((time, channel), value)
    return found


@given(document=DOCUMENTS, device_key=st.booleans())
@settings(deadline=None, max_examples=4 * EXAMPLES)
def test_any_document_is_read_or_refused(document: object, device_key: bool) -> None:
    decoder = decoder_of("senml", "senml/{site}", device_key="bn") if device_key else decoder_of("senml")
    for pack in (document, [document], [{"bn": "a", "bv": 1}, document, {"v": 1}]):
        read_or_refuse(decoder, TOPIC, json.dumps(pack).encode())
