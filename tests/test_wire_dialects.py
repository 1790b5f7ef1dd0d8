"""Every dialect reads what it writes, and what the formats in the field look like."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import TOPICS as ON_TOPIC
from wire_cases import decoder_of

from anomgan.config import DialectName, TimeUnit
from anomgan.errors import ConfigError, DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire import DIALECTS, Decoded, Decoder, PayloadFormat, encode, parse_template
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.times import PER_SECOND

NOW = 1_900_000_000.0
OWN: tuple[DialectName, ...] = ("flat", "nested", "metric", "array", "columnar")
TOPICS: dict[DialectName, str] = dict.fromkeys(OWN, "plant/{site}/{device}/telemetry") | {
    "metric": "plant/{site}/{device}/{channel}"
}

names = st.text(st.characters(blacklist_categories=["C", "Z"], blacklist_characters="+#/"), min_size=1, max_size=12)
channel_names = names.filter(lambda name: name not in ("ts", "id") and "." not in name)
values = st.floats(allow_nan=True, allow_infinity=False)
times = st.floats(946_684_800.0, NOW)
readings = st.builds(
    Reading,
    device=names,
    time_s=times,
    values=st.dictionaries(channel_names, values, min_size=1, max_size=6),
    site=names,
)


def decoder(dialect: DialectName, topic: str = "", **options: object) -> Decoder:
    form = PayloadFormat(parse_template(topic or TOPICS[dialect]), dialect, **options)  # type: ignore[arg-type]  # names as in the record
    return Decoder(form)


def read_back(dialect: DialectName, messages: Sequence[tuple[str, bytes]], **options: object) -> list[Reading]:
    decode = decoder(dialect, **options).decode
    decoded = [decode(topic, payload, NOW) for topic, payload in messages]
    assert not any(one.dropped for one in decoded)
    return [reading for one in decoded for reading in one.readings]


def cells(found: Sequence[Reading]) -> list[tuple[str, str, float, str, str]]:
    """Every value with its site, device, time and channel; repr, so that NaN equals NaN and -0.0 differs from 0.0."""
    return sorted((r.site, r.device, r.time_s, channel, repr(v)) for r in found for channel, v in r.values.items())


def known(found: Sequence[Reading]) -> list[tuple[str, str, float, str, str]]:
    """The same without missing values."""
    return [cell for cell in cells(found) if cell[-1] != "nan"]


def test_every_dialect_has_its_conventions_and_fits_them() -> None:
    assert set(DIALECTS) == set(CONVENTIONS) == set(get_args(DialectName)) == set(ON_TOPIC)
    for dialect, topic in ON_TOPIC.items():
        assert decoder_of(dialect).matches(topic)
        assert decoder_of(dialect).form.time_unit in PER_SECOND


@pytest.mark.parametrize("dialect", OWN)
@given(sent=st.lists(readings, max_size=6))
@settings(deadline=None, max_examples=60)
def test_every_dialect_reads_what_it_writes(dialect: DialectName, sent: list[Reading]) -> None:
    got = read_back(dialect, encode(dialect, sent, TOPICS[dialect]))
    if dialect == "columnar":  # its table also has cells that nobody sent, as missing values
        assert known(got) == known(sent)
    else:
        assert cells(got) == cells(sent)


simple_names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
simple_readings = st.builds(
    Reading,
    device=simple_names,
    time_s=st.integers(946_684_800_000, 1_900_000_000_000).map(lambda ms: ms / 1000),
    values=st.dictionaries(st.from_regex(r"[a-r]{1,4}(\.[a-r]{1,4})?", fullmatch=True), values, min_size=1, max_size=5),
    site=simple_names,
).filter(
    lambda reading: not any("." not in a and b.startswith(a + ".") for a in reading.values for b in reading.values)
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(sent=st.lists(simple_readings, max_size=5, unique_by=lambda reading: (reading.source, reading.time_s)))
@settings(deadline=None, max_examples=40)
def test_every_dialect_of_all_reads_what_it_writes(dialect: DialectName, sent: list[Reading]) -> None:
    """With names and times that every format can carry; missing values may be lost, and a site that has no level."""
    template = CONVENTIONS[dialect].topic.replace("telegraf/{device}/+", "telegraf/{device}")
    if "{site}" not in template:
        sent = list({(r.device, r.time_s): replace(r, site="") for r in sent}.values())
    decode = decoder(dialect, template).decode
    decoded = [decode(topic, payload, NOW) for topic, payload in encode(dialect, sent, template)]
    assert not any(one.dropped for one in decoded)
    assert known([reading for one in decoded for reading in one.readings]) == known(sent)


@pytest.mark.parametrize("dialect", [name for name in OWN if name != "metric"])
@given(reading=readings)
@settings(deadline=None, max_examples=30)
def test_one_reading_stays_one_reading(dialect: DialectName, reading: Reading) -> None:
    (topic, payload), *more = encode(dialect, [reading], TOPICS[dialect])
    assert not more
    (found,) = read_back(dialect, [(topic, payload)])
    assert (found.device, found.site, found.time_s) == (reading.device, reading.site, reading.time_s)
    assert {k: repr(v) for k, v in found.values.items()} == {k: repr(v) for k, v in reading.values.items()}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("dialect", OWN)
@given(time_s=times)
@settings(deadline=None, max_examples=20)
def test_times_keep_the_precision_of_their_unit(dialect: DialectName, unit: TimeUnit, time_s: float) -> None:
    sent = Reading("p1", time_s, {"flow": 1.5}, "north")
    messages = encode(dialect, [sent], TOPICS[dialect], "when", unit)
    (found,) = read_back(dialect, messages, time_key="when", time_unit=unit)
    assert found.time_s == pytest.approx(time_s, rel=0, abs={"s": 0.0, "ms": 5e-4, "us": 1e-6, "ns": 5e-7}[unit])


@pytest.mark.parametrize("dialect", [name for name in OWN if name != "metric"])
@given(sent=st.lists(readings, min_size=1, max_size=5))
@settings(deadline=None, max_examples=20)
def test_the_device_can_stand_in_the_payload(dialect: DialectName, sent: list[Reading]) -> None:
    messages = encode(dialect, sent, "plant/{site}/all", device_key="id")
    got = read_back(dialect, messages, topic="plant/{site}/all", device_key="id")
    assert {reading.source for reading in got} == {reading.source for reading in sent}


def decode_one(dialect: DialectName, payload: bytes | str, topic: str = "plant/north/p1/telemetry") -> Decoded:
    given_topic = "plant/north/p1/flow" if dialect == "metric" else topic
    return decoder(dialect).decode(given_topic, payload.encode() if isinstance(payload, str) else payload, NOW)


def test_flat() -> None:
    decoded = decode_one("flat", '{"ts": 1700000000.5, "flow": 2, "level": -0.0, "on": true, "lost": null}')
    (reading,) = decoded.readings
    assert (reading.site, reading.device, reading.time_s) == ("north", "p1", 1_700_000_000.5)
    assert {name: repr(value) for name, value in reading.values.items()} == {
        "flow": "2.0",
        "level": "-0.0",
        "on": "1.0",
        "lost": "nan",
    }
    assert decoded.dropped == {}


def test_nested() -> None:
    decoded = decode_one(
        "nested", '{"ts": 1700000000, "motor": {"temp": 60.5, "axis": {"x": 1}}, "flow": 2, "tags": [1]}'
    )
    assert dict(decoded.readings[0].values) == {"motor.temp": 60.5, "motor.axis.x": 1.0, "flow": 2.0}
    assert decoded.dropped == {"nested_value": 1}


def test_nested_finds_time_and_device_inside() -> None:
    reader = decoder("nested", "plant/all", time_key="meta.ts", device_key="meta.id")
    (reading,) = reader.decode("plant/all", b'{"meta": {"ts": 1700000000, "id": "p9"}, "flow": 2}', NOW).readings
    assert (reading.device, reading.time_s, dict(reading.values)) == ("p9", 1.7e9, {"flow": 2.0})


def test_nested_counts_names_that_collide_and_what_lies_too_deep() -> None:
    assert decode_one("nested", '{"a.b": 1, "a": {"b": 2}}').dropped == {"duplicate_channel": 1}
    deep = '{"a":' * 15 + '{"b": 1}' + "}" * 15
    assert decode_one("nested", deep).dropped == {}
    assert decode_one("nested", '{"flow": 1, "a":' + deep + "}").dropped == {"nested_value": 1}


@pytest.mark.parametrize(
    ("payload", "time_s", "value"),
    [
        ("20.6", NOW, 20.6),
        (" 7 ", NOW, 7.0),
        ("true", NOW, 1.0),
        ("-1e-3", NOW, -0.001),
        ('{"value": 20.6, "ts": 1700000000}', 1.7e9, 20.6),
        ('{"value": 3, "unit": "bar"}', NOW, 3.0),
    ],
)
def test_metric(payload: str, time_s: float, value: float) -> None:
    (reading,) = decode_one("metric", payload).readings
    assert (reading.device, reading.time_s, dict(reading.values)) == ("p1", time_s, {"flow": value})


@pytest.mark.parametrize("payload", ["null", "NaN", '{"value": null}', '{"value": NaN}'])
def test_metric_that_is_missing_is_nan(payload: str) -> None:
    (reading,) = decode_one("metric", payload).readings
    assert math.isnan(reading.values["flow"])


def test_array_keeps_good_elements_and_counts_bad_ones() -> None:
    payload = '[{"ts": 1700000000, "flow": 1}, {"ts": 5, "flow": 2}, 7, {"ts": 1700000002, "flow": 3, "note": "x"}]'
    decoded = decode_one("array", payload)
    assert [(r.time_s, dict(r.values)) for r in decoded.readings] == [
        (1.7e9, {"flow": 1.0}),
        (1.7e9 + 2, {"flow": 3.0}),
    ]
    assert decoded.dropped == {"time_in_past": 1, "not_an_object": 1, "text_value": 1}


def test_columnar_keeps_good_rows_and_counts_bad_cells() -> None:
    payload = '{"ts": [1700000000, null, 1700000002], "flow": [1, 2, "x"], "level": [null, 5.5, 6.5], "unit": "bar"}'
    decoded = decode_one("columnar", payload)
    assert [reading.time_s for reading in decoded.readings] == [1.7e9, 1.7e9 + 2]
    assert [repr(reading.values["flow"]) for reading in decoded.readings] == ["1.0", "nan"]
    assert [repr(reading.values["level"]) for reading in decoded.readings] == ["nan", "6.5"]
    assert decoded.dropped == {"bad_time": 1, "text_value": 1, "not_a_column": 1}


def test_messages_look_as_documented() -> None:
    two = [
        Reading("p1", 1.7e9, {"motor.temp": 60.5, "flow": math.nan}, "n"),
        Reading("p1", 1.7e9 + 1, {"flow": 2.0}, "n"),
    ]
    written = {name: [(t, orjson.loads(p)) for t, p in encode(name, two, TOPICS[name])] for name in OWN}
    first = {"ts": 1.7e9, "motor.temp": 60.5, "flow": None}
    second = {"ts": 1.7e9 + 1, "flow": 2.0}
    topic = "plant/n/p1/telemetry"
    assert written["flat"] == [(topic, first), (topic, second)]
    assert written["nested"][0] == (topic, {"ts": 1.7e9, "motor": {"temp": 60.5}, "flow": None})
    assert written["array"] == [(topic, [first, second])]
    assert written["columnar"] == [(topic, {"ts": [1.7e9, 1.7e9 + 1], "motor.temp": [60.5, None], "flow": [None, 2.0]})]
    assert written["metric"][0] == ("plant/n/p1/motor.temp", {"value": 60.5, "ts": 1.7e9})


@pytest.mark.parametrize(
    ("dialect", "topic", "options", "complaint"),
    [
        ("flat", "plant/all", {}, "device_key must name"),
        ("flat", "plant/{device}", {"device_key": "id"}, "one too many"),
        ("metric", "plant/{device}", {}, "needs {channel}"),
        ("metric", "plant/{channel}", {"device_key": "id"}, "takes the device from the topic"),
        ("flat", "plant/{device}/{channel}", {}, "only dialect 'metric'"),
        ("senml", "senml/{device}", {"time_key": "t"}, "dialect 'senml' has its own; time_key does not go with it"),
        ("senml", "senml/{device}", {"time_unit": "ms"}, "time_unit does not go with it"),
        ("senml", "senml/all", {"device_key": "id"}, "device_key can only be 'bn'"),
        ("sparkplug_b", "spBv1.0/{site}/+/+", {"device_key": "id"}, "takes the device from the topic"),
        ("sparkplug_b", "spBv1.0/{site}/DDATA/{device#}", {}, "needs spBv1.0/GROUP/"),
        ("sparkplug_b", "plant/{site}/+/{device#}", {}, "needs spBv1.0/GROUP/"),
        ("sparkplug_b", "{device#}", {}, "needs spBv1.0/GROUP/"),
        ("influx", "telegraf/{device}", {"time_key": "ts"}, "time_key does not go with it"),
        ("flat", "plant/all", {"time_key": "x", "device_key": "x"}, "time_key"),
    ],
)
def test_a_format_that_does_not_fit_together_is_a_config_error(
    dialect: DialectName, topic: str, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        decoder(dialect, topic, **options)


def test_what_cannot_be_written_is_an_error() -> None:
    with pytest.raises(DataError, match="'ts'"):
        encode("flat", [Reading("p1", 1.7e9, {"ts": 1.0})], "plant/{device}")
    with pytest.raises(DataError, match="lie inside"):
        encode("nested", [Reading("p1", 1.7e9, {"a": 1.0, "a.b": 2.0})], "plant/{device}")
    with pytest.raises(DataError, match="parent of another"):
        encode("nested", [Reading("p1", 1.7e9, {"a.b": 1.0, "a": 2.0})], "plant/{device}")
    with pytest.raises(PayloadError, match="device name"):
        encode("flat", [Reading("p/1", 1.7e9, {"a": 1.0})], "plant/{device}")
    with pytest.raises(ConfigError, match="cannot have"):
        encode("flat", [Reading("p1", 1.7e9, {"a": 1.0})], "plant/+/{device}")
