"""Line protocol as a payload: the documentation's own lines, what Telegraf sends, and every way to break a line."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import EXAMPLES, NOW, decoder_of, read_or_refuse

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire import Decoded, encode

TOPIC = "telegraf/p1/pump"
NS = "1700000000000000000"


def decode(text: str, template: str = "", **options: object) -> Decoded:
    return decoder_of("influx", template, **options).decode(TOPIC, text.encode(), NOW)


def values_of(text: str) -> dict[str, float]:
    (reading,) = decode(text).readings
    return dict(reading.values)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"weather,location=us-midwest temperature=82 {NS}", {"weather.temperature": 82.0}),
        (f"weather,location=us-midwest,season=summer temperature=82 {NS}", {"weather.temperature": 82.0}),
        (f"weather temperature=82,humidity=71i {NS}", {"weather.temperature": 82.0, "weather.humidity": 71.0}),
        (f"pump value=2.5 {NS}", {"pump": 2.5}),
        (f'myMeasurement,tag1=v1 fieldKey="string value",ok=T {NS}', {"myMeasurement.ok": 1.0}),
        (f'weather note="too warm, too dry",temp=1 {NS}', {"weather.temp": 1.0}),
        (f'weather note="a \\"quoted\\" = word \\\\",temp=1 {NS}', {"weather.temp": 1.0}),
        (f'weather note="two\nlines",temp=1 {NS}', {"weather.temp": 1.0}),
        (f"my\\ Measurement fieldKey=1 {NS}", {"my Measurement.fieldKey": 1.0}),
        (f"wea\\,ther,loc\\ ation\\,x=us\\=midwest temp\\=rature=82 {NS}", {"wea,ther.temp=rature": 82.0}),
        (f"wea\\ther a\\b=82 {NS}", {"wea\\ther.a\\b": 82.0}),
        (f"Förderpumpe,ort=Köln Fluß=82 {NS}", {"Förderpumpe.Fluß": 82.0}),
        (f"m a=1i,b=2u,c=-3i,d=+4,e=1e3,f=-1.5E-3,g=.5,h=6. {NS}", dict(zip(
            (f"m.{c}" for c in "abcdefgh"), (1.0, 2.0, -3.0, 4.0, 1000.0, -0.0015, 0.5, 6.0), strict=True))),
        (f"m a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE {NS}", dict(zip(
            (f"m.{c}" for c in "abcdefghij"), (1.0,) * 5 + (0.0,) * 5, strict=True))),
    ],
)  # fmt: skip
def test_a_line_is_read(line: str, expected: dict[str, float]) -> None:
    decoded = decode(line)
    assert decoded.readings == [Reading("p1", 1.7e9, expected)]
    assert set(decoded.dropped) <= {"text_value"}
    assert decode(line + "\n") == decode("\n# a comment\n  \n" + line + " \r\n") == decoded


def test_lines_of_one_time_are_one_reading() -> None:
    decoded = decode("mem used=1 1700000001000000000\ncpu idle=2 1700000000000000000\ndisk free=3 1700000001000000000")
    assert decoded.readings == [
        Reading("p1", 1.7e9, {"cpu.idle": 2.0}),
        Reading("p1", 1.7e9 + 1, {"mem.used": 1.0, "disk.free": 3.0}),
    ]


def test_a_line_without_a_time_is_stamped_on_arrival() -> None:
    assert decode("pump flow=1\npump level=2").readings == [Reading("p1", NOW, {"pump.flow": 1.0, "pump.level": 2.0})]


@pytest.mark.parametrize(("unit", "stamp"), [("s", "1700000000"), ("ms", "1700000000000"), ("ns", NS)])
def test_times_are_nanoseconds_unless_told(unit: str, stamp: str) -> None:
    assert decode(f"pump flow=1 {stamp}", time_unit=unit).readings[0].time_s == 1.7e9
    if unit != "ns":
        with pytest.raises(PayloadError, match=f"set time_unit = '{unit}'"):
            decode(f"pump flow=1 {stamp}")


TELEGRAF = f"""cpu,cpu=cpu0,host=p1 usage_idle=91.5,usage_user=3 {NS}
cpu,cpu=cpu1,host=p1 usage_idle=88,usage_user=4 {NS}
mem,host=p1 used_percent=41.2 {NS}
"""


def test_tags_can_make_each_part_a_device() -> None:
    decoded = decode(TELEGRAF, "telegraf/#", device_key="host,cpu")
    assert [(reading.device, dict(reading.values)) for reading in decoded.readings] == [
        ("p1.cpu0", {"cpu.usage_idle": 91.5, "cpu.usage_user": 3.0}),
        ("p1.cpu1", {"cpu.usage_idle": 88.0, "cpu.usage_user": 4.0}),
    ]
    assert decoded.dropped == {"bad_device_name": 1}


def test_parts_of_one_device_are_counted_not_mixed() -> None:
    decoded = decode(TELEGRAF, "telegraf/#", device_key="host")
    assert decoded.readings == [
        Reading("p1", 1.7e9, {"cpu.usage_idle": 91.5, "cpu.usage_user": 3.0, "mem.used_percent": 41.2})
    ]
    assert decoded.dropped == {"duplicate_channel": 2}


def test_a_tag_with_slashes_names_a_device_of_one_level() -> None:
    assert decode("disk,path=var/log free=1", "telegraf/#", device_key="path").readings[0].device == "var.log"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_payload"),
        (" \n", "empty_payload"),
        ("# only a comment", "no_values"),
        ("hello", "broken_line"),
        ("pump", "broken_line"),
        ("pump,", "broken_line"),
        ("pump flow", "broken_line"),
        ("pump flow=", "broken_line"),
        ("pump =1", "broken_line"),
        (",a=b flow=1", "broken_line"),
        ("pump,a flow=1", "broken_line"),
        ("pump,a= flow=1", "broken_line"),
        ("pump flow=1,", "broken_line"),
        ("pump flow=1, 1700000000000000000", "broken_line"),
        ("pump flow=1 level=2", "broken_line"),
        ("pump flow=1 1700000000000000000 x", "broken_line"),
        ("pump flow=1 1700000000000000000.5", "broken_line"),
        ("pump flow=1 99999999999999999999", "broken_line"),
        ('pump flow="open', "broken_line"),
        ('pump flow="a"b', "broken_line"),
        ("pump flow\\=1", "broken_line"),
        ("pump\\ flow=1", "broken_line"),
        ('{"flow": 1}', "broken_line"),
        ('pump flow="1"', "no_values"),
        ("pump flow=nan", "no_values"),
        ("pump flow=inf", "no_values"),
        ("pump flow=1_000", "no_values"),
        ("pump flow=0x10", "no_values"),
        ("pump flow=1.5i", "no_values"),
        ("pump flow=i", "no_values"),
        ("pump flow=1e999", "no_values"),
        ("pump flow=" + "9" * 400, "no_values"),
        ("pump flow=1 0", "time_in_past"),
        ("pump flow=1 -1", "time_in_past"),
        ("pump flow=1 9223372036854775807", "time_in_future"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(text)
    assert raised.value.reason == reason


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(PayloadError) as raised:
        decoder_of("influx").decode(TOPIC, b"pump fl\xe4che=1", NOW)
    assert raised.value.reason == "wrong_encoding"


def test_one_bad_line_or_field_does_not_lose_the_others() -> None:
    decoded = decode(f'broken\npump a=1,b="x",c=nan,d=1e999 {NS}\npump e=5 1\n\npump,bad\npump f=6 {NS}')
    assert decoded.readings == [Reading("p1", 1.7e9, {"pump.a": 1.0, "pump.f": 6.0})]
    assert decoded.dropped == {
        "broken_line": 2,
        "text_value": 1,
        "bad_value": 1,
        "non_finite_value": 1,
        "time_in_past": 1,
    }


def test_messages_look_as_documented() -> None:
    two = [
        Reading("p1", 1.7e9, {"motor.temp": 60.5, "flow": 2.0, "motor.lost": math.nan, "motor.rpm": 3.0}),
        Reading("p1", 1.7e9 + 0.25, {"my pump.a,b": 1.0, "lost": math.nan}),
    ]
    ((topic, payload),) = encode("influx", two, "telegraf/{device}")
    assert topic == "telegraf/p1"
    assert payload.decode().splitlines() == [
        "motor temp=60.5,rpm=3.0 1700000000000000000",
        "flow value=2.0 1700000000000000000",
        "my\\ pump a\\,b=1.0 1700000000250000000",
    ]
    ((_, payload),) = encode("influx", two[:1], "telegraf/all", "", "s", "host")
    assert payload.decode().splitlines()[1] == "flow,host=p1 value=2.0 1700000000"
    assert encode("influx", [Reading("p1", 1.7e9, {"lost": math.nan})], "telegraf/{device}") == []


@pytest.mark.parametrize("channel", ["", "#flow", "a\\b", "a\nb", "a.\\"])
def test_a_name_that_the_protocol_cannot_carry_is_not_written(channel: str) -> None:
    with pytest.raises(DataError, match="line protocol cannot carry"):
        encode("influx", [Reading("p1", 1.7e9, {channel: 1.0})], "telegraf/{device}")


def test_one_tag_is_written_not_several() -> None:
    with pytest.raises(DataError, match="one tag is needed"):
        encode("influx", [Reading("p1", 1.7e9, {"a": 1.0})], "telegraf/all", device_key="host,cpu")


numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(blacklist_categories=["C", "Z"], blacklist_characters="\\#/+"), min_size=1, max_size=8)


@given(
    sent=st.lists(
        st.builds(
            Reading,
            device=names,
            time_s=st.integers(946_684_800_000, 1_750_000_000_000).map(lambda ms: ms / 1000),
            values=st.dictionaries(names | names.map(lambda name: name + " x"), numbers, min_size=1),
        ),
        max_size=5,
        unique_by=lambda reading: (reading.device, reading.time_s),
    )
)
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_what_is_written_is_read_back_to_the_last_digit(sent: list[Reading]) -> None:
    reader = decoder_of("influx", "telegraf/all", device_key="host")
    messages = encode("influx", sent, "telegraf/all", device_key="host")
    got = [reading for topic, payload in messages for reading in reader.decode(topic, payload, NOW).readings]
    assert sorted((r.device, r.time_s, sorted(r.values.items())) for r in got) == sorted(
        (r.device, r.time_s, sorted(r.values.items())) for r in sent
    )


PIECES = st.sampled_from(
    ["pump", "a", ",", "=", " ", "\\", '"', "\n", "1", "1i", "t", "#", NS, "host", '"x y"', "\r", "\t", "-", ".", "é"]
)


@given(pieces=st.lists(PIECES, max_size=25))
@settings(deadline=None, max_examples=10 * EXAMPLES)
def test_any_text_of_its_pieces_is_read_or_refused(pieces: list[str]) -> None:
    text = "".join(pieces)
    read_or_refuse(decoder_of("influx"), TOPIC, text.encode())
    read_or_refuse(decoder_of("influx", "telegraf/#", device_key="host"), TOPIC, text.encode())


SIMPLE = r"[a-z]{1,2}"


@given(
    lines=st.lists(
        st.from_regex(rf"{SIMPLE}(,{SIMPLE}={SIMPLE})* {SIMPLE}=-?[0-9](,{SIMPLE}=-?[0-9])*", fullmatch=True)
    )
)
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_lines_without_escapes_agree_with_a_plain_split(lines: list[str]) -> None:
    expected: dict[str, float] = {}
    for line in lines:
        series, fields = line.split(" ")
        for field in fields.split(","):
            key, value = field.split("=")
            name = series.split(",")[0]
            expected.setdefault(name if key == "value" else f"{name}.{key}", float(value))
    if lines:
        assert values_of("\n".join(lines)) == expected


@pytest.mark.parametrize(
    "piece", ["a,", "a=", "a b=", 'a b="', 'a b="\\"', "\\", "a\\,", "# ", " ", "\n", "a b=1,", ",a=b", '"', "a b=1\n"]
)
def test_a_large_payload_of_one_piece_takes_no_longer_per_byte(piece: str) -> None:
    """A matching that goes back over what it has read would not come to an end here."""
    text = (piece * 200_000)[:400_000]
    read_or_refuse(decoder_of("influx"), TOPIC, text.encode())


@pytest.mark.parametrize("number", ["9" * 400_000 + "x", "9." * 200_000, "1e" * 200_000, "+" * 400_000, "." * 400_000])
def test_what_is_long_and_no_number_is_found_out_in_one_pass(number: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decode(f"pump flow={number} {NS}")
    assert raised.value.reason == "no_values"
