"""Sparkplug B: births, aliases, nulls, history, quality and rebirths; bytes made by hand, not by what reads them."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import EXAMPLES, NOW, damage, decoder_of, is_sound, read_or_refuse

from anomgan.errors import ConfigError, DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire import Decoded, Decoder, Encoder, PayloadFormat, encode, parse_template
from anomgan.wire.sparkplug_births import Births, Known

TEMPLATE = "spBv1.0/{site}/+/{device#}"
NBIRTH, NDATA = "spBv1.0/plant/NBIRTH/edge", "spBv1.0/plant/NDATA/edge"
DBIRTH, DDATA = "spBv1.0/plant/DBIRTH/edge/pump", "spBv1.0/plant/DDATA/edge/pump"
T = 1_700_000_000_000
INT8, INT16, INT32, INT64, UINT8, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATE_TIME = (
    1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13,
)  # fmt: skip


# ---------------------------------------------------------------- protobuf by hand


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, value: object, *, single: bool = False) -> bytes:
    """One field: bool and int as varint, float as double (or single), text and bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    if isinstance(value, float):
        return varint(number << 3 | (5 if single else 1)) + struct.pack("<f" if single else "<d", value)
    body = value.encode() if isinstance(value, str) else value
    assert isinstance(body, bytes)
    return varint(number << 3 | 2) + varint(len(body)) + body


NUMBER_OF = {"name": 1, "alias": 2, "timestamp": 3, "datatype": 4, "is_historical": 5, "is_transient": 6, "is_null": 7}
VALUE_OF = {"int": 10, "long": 11, "float": 12, "double": 13, "boolean": 14, "string": 15, "bytes": 16, "dataset": 17}


def metric(**given: Any) -> bytes:
    """One metric; `int=`, `double=` and so on give its value, `properties=` keys with an int or a text."""
    body = b""
    for key, value in given.items():
        if key == "properties":
            keys = b"".join(field(1, name) for name in value)
            values = (field(8, one) if isinstance(one, str) else field(1, 3) + field(3, one) for one in value.values())
            body += field(9, keys + b"".join(field(2, one) for one in values))
        elif key in VALUE_OF:
            body += field(VALUE_OF[key], value, single=key == "float")
        else:
            body += field(NUMBER_OF[key], value)
    return body


def payload(*metrics: bytes, timestamp: int = T, seq: int = 0) -> bytes:
    return field(1, timestamp) + b"".join(field(2, one) for one in metrics) + field(3, seq)


BIRTH = payload(
    metric(name="Motor/Temperature", alias=1, timestamp=T, datatype=DOUBLE, double=60.5, properties={"engUnit": "°C"}),
    metric(name="Motor/On", alias=2, timestamp=T, datatype=BOOLEAN, boolean=True),
    metric(name="Level", alias=0, timestamp=T, datatype=INT16, int=2**16 - 7),
    metric(name="Maker", alias=4, timestamp=T, datatype=STRING, string="ACME"),
    metric(name="Flow", alias=5, timestamp=T, datatype=FLOAT, is_null=True),
)


@pytest.fixture
def decoder() -> Decoder:
    """Has heard the birth of `edge` and of its device `pump`."""
    reader = decoder_of("sparkplug_b")
    reader.decode(NBIRTH, payload(metric(name="bdSeq", timestamp=T, datatype=INT64, long=0)), NOW)
    reader.decode(DBIRTH, BIRTH, NOW)
    return reader


def values(decoded: Decoded) -> dict[str, str]:
    (reading,) = decoded.readings
    return {name: repr(value) for name, value in reading.values.items()}


# ---------------------------------------------------------------- births and data


def test_a_birth_is_a_reading_and_tells_units() -> None:
    decoded = decoder_of("sparkplug_b").decode(DBIRTH, BIRTH, NOW)
    (reading,) = decoded.readings
    assert (reading.site, reading.device, reading.time_s) == ("plant", "edge.pump", 1.7e9)
    assert values(decoded) == {"Motor/Temperature": "60.5", "Motor/On": "1.0", "Level": "-7.0"}
    assert decoded.units == {"Motor/Temperature": "°C"}
    assert decoded.dropped == {"text_value": 1}


def test_the_birth_of_the_specification_has_one_measurement() -> None:
    controls = [metric(name=f"Node Control/{name}", timestamp=T, datatype=BOOLEAN, boolean=False)
                for name in ("Reboot", "Rebirth", "Next Server")]  # fmt: skip
    birth = payload(
        metric(name="bdSeq", timestamp=T, datatype=INT64, long=0),
        *controls,
        metric(name="Properties/OS", timestamp=T, datatype=STRING, string="Raspbian"),
        metric(name="Supply Voltage", timestamp=T, datatype=FLOAT, float=12.5),
    )
    reader = decoder_of("sparkplug_b")
    decoded = reader.decode("spBv1.0/Sparkplug B Devices/NBIRTH/Raspberry Pi", birth, NOW)
    assert decoded.readings == [Reading("Raspberry Pi", 1.7e9, {"Supply Voltage": 12.5}, "Sparkplug B Devices")]
    data = payload(metric(name="Supply Voltage", timestamp=T + 500, datatype=FLOAT, float=12.25))
    decoded = reader.decode("spBv1.0/Sparkplug B Devices/NDATA/Raspberry Pi", data, NOW)
    assert decoded.readings == [Reading("Raspberry Pi", 1.7e9 + 0.5, {"Supply Voltage": 12.25}, "Sparkplug B Devices")]


def test_data_are_read_by_alias_with_the_types_of_the_birth(decoder: Decoder) -> None:
    decoded = decoder.decode(
        DDATA,
        payload(
            metric(alias=1, timestamp=T, double=61.0),
            metric(alias=2, timestamp=T, boolean=False),
            metric(alias=0, timestamp=T, int=2**32 - 9),
            metric(alias=5, timestamp=T, is_null=True),
        ),
        NOW,
    )
    assert values(decoded) == {"Motor/Temperature": "61.0", "Motor/On": "0.0", "Level": "-9.0", "Flow": "nan"}
    assert decoded.dropped == {}


def test_each_time_is_a_reading_in_order_and_history_keeps_its_own(decoder: Decoder) -> None:
    decoded = decoder.decode(
        DDATA,
        payload(
            metric(alias=1, timestamp=T + 2000, double=3.0),
            metric(alias=1, timestamp=T - 5000, is_historical=True, double=1.0),
            metric(alias=5, float=2.5),
            metric(alias=5, is_historical=True, float=9.5),
            metric(alias=1, timestamp=T + 2000, double=4.0),
            timestamp=T + 1000,
        ),
        NOW,
    )
    assert [(reading.time_s, dict(reading.values)) for reading in decoded.readings] == [
        (1.7e9 - 5, {"Motor/Temperature": 1.0}),
        (1.7e9 + 1, {"Flow": 2.5}),
        (1.7e9 + 2, {"Motor/Temperature": 4.0}),
    ]
    assert decoded.dropped == {"historical_without_time": 1, "duplicate_channel": 1}


def test_without_any_time_data_are_stamped_on_arrival(decoder: Decoder) -> None:
    assert decoder.decode(DDATA, payload(metric(alias=5, float=2.5), timestamp=0), NOW).readings[0].time_s == NOW


@pytest.mark.parametrize(("quality", "expected", "counted"), [(0, "nan", 1), (500, "nan", 1), (192, "7.0", 0)])
def test_bad_and_stale_values_are_missing(decoder: Decoder, quality: int, expected: str, counted: int) -> None:
    decoded = decoder.decode(DDATA, payload(metric(alias=1, double=7.0, properties={"Quality": quality})), NOW)
    assert values(decoded) == {"Motor/Temperature": expected}
    assert decoded.dropped.get("bad_quality", 0) == counted


@pytest.mark.parametrize(
    ("datatype", "value", "expected"),
    [
        (INT8, {"int": 0xFF}, -1.0),
        (INT8, {"int": 0xFFFFFFFF}, -1.0),
        (INT8, {"int": 127}, 127.0),
        (INT16, {"int": 0x8000}, -32768.0),
        (INT32, {"int": 0xFFFFFFFE}, -2.0),
        (INT64, {"long": 2**64 - 3}, -3.0),
        (INT64, {"long": 2**62}, 2.0**62),
        (UINT8, {"int": 0xFF}, 255.0),
        (UINT32, {"int": 0xFFFFFFFF}, 4294967295.0),
        (UINT32, {"long": 0xFFFFFFFF}, 4294967295.0),
        (UINT64, {"long": 2**64 - 1}, 2.0**64),
        (FLOAT, {"float": 0.5}, 0.5),
        (DOUBLE, {"double": -0.1}, -0.1),
        (DOUBLE, {"int": 3}, 3.0),
        (BOOLEAN, {"boolean": True}, 1.0),
        (0, {"int": 5}, 5.0),
        (0, {"double": 5.5}, 5.5),
    ],
)
def test_every_type_of_number(datatype: int, value: dict[str, Any], expected: float) -> None:
    kind = {"datatype": datatype} if datatype else {}
    decoded = decoder_of("sparkplug_b").decode(DDATA, payload(metric(name="x", **kind, **value)), NOW)
    assert dict(decoded.readings[0].values) == {"x": expected}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"name": "x", "string": "ON"}, "text_value"),
        ({"name": "x", "bytes": b"\x01"}, "nested_value"),
        ({"name": "x", "dataset": field(1, 3)}, "nested_value"),
        ({"name": "x", "datatype": DATE_TIME, "long": T}, "not_a_measurement"),
        ({"name": "x", "double": math.inf}, "non_finite_value"),
        ({"name": "x", "float": -math.inf}, "non_finite_value"),
        ({"name": "x"}, "missing_value"),
        ({"name": "x", "int": 2**31}, "unknown_datatype"),
        ({"name": "x", "long": 2**63}, "unknown_datatype"),
        ({"double": 1.0}, "bad_channel_name"),
        ({"name": "x" * 513, "double": 1.0}, "bad_channel_name"),
        ({"name": b"\xff\xfe", "double": 1.0}, "bad_channel_name"),
        ({"alias": 9, "double": 1.0}, "unknown_alias"),
        ({"name": "x", "timestamp": 1, "double": 1.0}, "time_in_past"),
        ({"name": "x", "timestamp": 2**63, "double": 1.0}, "time_in_future"),
    ],
)
def test_a_metric_that_cannot_be_used_is_counted_or_refused(given: dict[str, Any], reason: str) -> None:
    reader = decoder_of("sparkplug_b")
    with pytest.raises(PayloadError) as raised:
        reader.decode(DDATA, payload(metric(**given)), NOW)
    assert raised.value.reason == reason
    decoded = reader.decode(DDATA, payload(metric(**given), metric(name="good", double=1.0)), NOW)
    assert values(decoded) == {"good": "1.0"}
    assert decoded.dropped == {reason: 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_payload"),
        (b"\xff", "broken_protobuf"),
        (b"{}", "broken_protobuf"),
        (BIRTH[:-9], "broken_protobuf"),
        (payload(), "no_values"),
        (payload() + field(4, "SPBV1.0_COMPRESSED") + field(5, b"x"), "compressed"),
        (field(2, b"\x0b" * 200), "broken_protobuf"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decoder_of("sparkplug_b").decode(DDATA, body, NOW)
    assert raised.value.reason == reason


def test_a_birth_without_measurements_is_read_all_the_same() -> None:
    assert decoder_of("sparkplug_b").decode(NBIRTH, payload(), NOW) == Decoded([], {}, {})


# ---------------------------------------------------------------- topics


@pytest.mark.parametrize(
    "topic",
    [
        "spBv1.0/plant/NDEATH/edge",
        "spBv1.0/plant/DDEATH/edge/pump",
        "spBv1.0/plant/NCMD/edge",
        "spBv1.0/plant/DCMD/edge/pump",
        "spBv1.0/STATE/host/x",
        "spBv1.0/plant/NDATA/edge/pump",
        "spBv1.0/plant/DDATA/edge",
        "spBv1.0/plant/DDATA/edge/pump/x",
    ],
)
def test_deaths_commands_and_states_are_refused_unread(topic: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decoder_of("sparkplug_b").decode(topic, b"{}", NOW)
    assert raised.value.reason == "not_telemetry"


@pytest.mark.parametrize("topic", ["spBv1.0/STATE/host", "spAv1.0/plant/NDATA/edge", "plant/p1", "spBv1.0"])
def test_a_topic_elsewhere_does_not_belong_here(topic: str) -> None:
    with pytest.raises(PayloadError) as raised:
        decoder_of("sparkplug_b").decode(topic, b"{}", NOW)
    assert raised.value.reason == "wrong_topic"


def test_devices_of_two_edge_nodes_are_two() -> None:
    reader = decoder_of("sparkplug_b")
    body = payload(metric(name="x", double=1.0))
    found = [reader.decode(f"spBv1.0/plant/DDATA/{edge}/pump", body, NOW).readings[0].source for edge in ("e1", "e2")]
    assert found == [("plant", "e1.pump"), ("plant", "e2.pump")]


# ---------------------------------------------------------------- memory


def unknown(reader: Decoder, arrival_s: float = NOW, topic: str = DDATA) -> int:
    """How many of the two metrics of a message by alias and by name are unknown."""
    body = payload(metric(alias=1, timestamp=T, double=1.0), metric(name="z", timestamp=T, double=2.0))
    return reader.decode(topic, body, arrival_s).dropped.get("unknown_alias", 0)


def test_a_rebirth_is_asked_for_once_a_minute_until_it_comes() -> None:
    reader = decoder_of("sparkplug_b")
    assert unknown(reader) == 1
    ((topic, body),) = reader.requests()
    assert topic == "spBv1.0/plant/NCMD/edge"
    now = round(NOW * 1000)
    expected = metric(name="Node Control/Rebirth", timestamp=now, datatype=BOOLEAN, boolean=True)
    assert body == field(1, now) + field(2, expected)
    assert [unknown(reader, NOW + s) for s in (1, 59)] == [1, 1]
    assert reader.requests() == []
    assert unknown(reader, NOW + 61) == 1
    assert len(reader.requests()) == 1
    reader.decode(NBIRTH, payload(), NOW)
    reader.decode(DBIRTH, BIRTH, NOW)
    assert unknown(reader, NOW + 300) == 0
    assert reader.requests() == []


def test_a_node_that_is_born_again_ends_what_its_devices_said(decoder: Decoder) -> None:
    assert unknown(decoder) == 0
    decoder.decode("spBv1.0/plant/NBIRTH/other", payload(), NOW)
    assert unknown(decoder) == 0
    decoder.decode(NBIRTH, payload(), NOW)
    assert unknown(decoder) == 1


def test_an_alias_belongs_to_its_device(decoder: Decoder) -> None:
    assert unknown(decoder, topic="spBv1.0/plant/DDATA/edge/fan") == 1
    assert unknown(decoder, topic=NDATA) == 1
    assert unknown(decoder, topic="spBv1.0/north/DDATA/edge/pump") == 1


def test_a_device_that_is_born_again_may_give_an_alias_another_meaning(decoder: Decoder) -> None:
    decoder.decode(DBIRTH, payload(metric(name="Current", alias=1, datatype=DOUBLE, double=1.0)), NOW)
    decoded = decoder.decode(DDATA, payload(metric(alias=1, double=8.1)), NOW)
    assert values(decoded) == {"Current": "8.1"}


def test_what_births_said_survives_a_restart_and_is_asked_to_be_said_again(decoder: Decoder) -> None:
    after = decoder_of("sparkplug_b")
    after.restore(decoder.snapshot())
    assert after.snapshot() == decoder.snapshot()
    body = payload(metric(alias=0, timestamp=T, int=2**16 - 3))
    assert after.requests() == []
    assert after.decode(DDATA, body, NOW) == decoder.decode(DDATA, body, NOW)
    assert [topic for topic, _ in after.requests()] == ["spBv1.0/plant/NCMD/edge"]
    assert decoder.requests() == []
    after.decode(DDATA, body, NOW + 120)
    assert after.requests() == []


TOO_LARGE = b'{"format":"sparkplug births 1","nodes":[["g","e",{"":[[18446744073709551616,"m",10]]}]]}'


@pytest.mark.parametrize("change", [b"", b"{}", b"agSD\x01", b'{"format":"x","nodes":[]}', b"[1]", TOO_LARGE])
def test_a_foreign_snapshot_is_refused_and_changes_nothing(decoder: Decoder, change: bytes) -> None:
    before = decoder.snapshot()
    with pytest.raises(DataError, match="snapshot"):
        decoder.restore(change)
    assert decoder.snapshot() == before


@given(data=st.data())
@settings(deadline=None, max_examples=EXAMPLES)
def test_a_damaged_snapshot_is_refused_or_taken_whole(data: st.DataObject) -> None:
    reader = decoder_of("sparkplug_b")
    reader.decode(DBIRTH, BIRTH, NOW)
    damaged = damage(data, reader.snapshot())
    try:
        reader.restore(damaged)
    except DataError as error:
        assert "snapshot" in str(error)  # noqa: PT017 one of the two allowed outcomes
    else:
        unknown(reader)


def test_other_dialects_have_nothing_to_restore() -> None:
    flat = decoder_of("flat")
    assert (flat.snapshot(), flat.requests()) == (b"", [])
    flat.restore(b"")
    with pytest.raises(DataError, match="no state"):
        flat.restore(b"x")


def test_memory_is_bounded_and_the_oldest_birth_goes_first() -> None:
    births = Births(most=100)
    for number in range(1000):
        births.bear(("g", f"e{number}"), "", {})
        births.bear(("g", f"e{number}"), "d", {alias: Known(f"m{alias}", DOUBLE) for alias in range(8)})
        assert len(births) <= 100
    assert births.table(("g", "e999"), "d", NOW)[3].name == "m3"
    assert not births.table(("g", "e900"), "d", NOW)
    for number in range(1000):
        births.bear(("g", "e"), f"d{number}", {})
        assert len(births) <= 100
    births.bear(("g", "huge"), "", {alias: Known("m", DOUBLE) for alias in range(200)})
    assert len(births) == 0


def test_the_nodes_asked_are_bounded() -> None:
    births = Births()
    for number in range(20_000):
        births.ask(("g", f"e{number}"), NOW)
    assert len(births.take_asked()) == 10_000


@given(
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "x", "y"]), st.integers(0, 6)), max_size=30)
)
@settings(deadline=None, max_examples=EXAMPLES)
def test_births_agree_with_a_plain_dictionary_while_there_is_room(steps: list[tuple[str, str, int]]) -> None:
    births, naive = Births(), dict[tuple[str, str], int]()
    for edge, device, count in steps:
        births.bear(("g", edge), device, {alias: Known(f"m{alias}", DOUBLE) for alias in range(count)})
        if not device:
            naive = {key: held for key, held in naive.items() if key[0] != edge}
        naive[edge, device] = count
    assert {key: len(births.table(("g", key[0]), key[1], NOW)) for key in naive} == naive
    assert len(births) == sum(naive.values()) + len(naive)
    restored = Births()
    restored.restore(births.snapshot())
    assert len(restored) >= len(births)  # a device whose node was never born gives the node an empty place


# ---------------------------------------------------------------- writing


def test_messages_look_as_documented() -> None:
    two = [Reading("edge.pump", 1.7e9 + i, {"flow": 2.5 + i, "lost": math.nan}, "plant") for i in range(2)]
    encoder = Encoder(PayloadFormat(parse_template(TEMPLATE), "sparkplug_b"))
    first = encoder.encode(two[:1])
    assert first == [
        (
            NBIRTH,
            payload(
                metric(name="bdSeq", timestamp=T, datatype=INT64, long=0),
                metric(name="Node Control/Rebirth", timestamp=T, datatype=BOOLEAN, boolean=False),
            ),
        ),
        (
            DBIRTH,
            payload(
                metric(name="flow", alias=0, timestamp=T, datatype=DOUBLE, is_null=True),
                metric(name="lost", alias=1, timestamp=T, datatype=DOUBLE, is_null=True),
                seq=1,
            ),
        ),
        (
            DDATA,
            payload(metric(alias=0, timestamp=T, double=2.5), metric(alias=1, timestamp=T, is_null=True), seq=2),
        ),
    ]
    ((topic, body),) = encoder.encode(two[1:])
    assert topic == DDATA
    assert body == payload(
        metric(alias=0, timestamp=T + 1000, double=3.5),
        metric(alias=1, timestamp=T + 1000, is_null=True),
        timestamp=T + 1000,
        seq=3,
    )


def topics(messages: list[tuple[str, bytes]]) -> list[str]:
    return [topic.split("/", 2)[2] for topic, _ in messages]


def test_a_new_channel_is_born_before_its_data() -> None:
    encoder = Encoder(PayloadFormat(parse_template(TEMPLATE), "sparkplug_b"))

    def sent(device: str, *channels: str) -> list[str]:
        return topics(encoder.encode([Reading(device, 1.7e9, dict.fromkeys(channels, 1.0), "plant")]))

    assert sent("e.a", "x") == ["NBIRTH/e", "DBIRTH/e/a", "DDATA/e/a"]
    assert sent("e.a", "x") == ["DDATA/e/a"]
    assert sent("e.a", "y") == ["DBIRTH/e/a", "DDATA/e/a"]
    assert sent("e.b", "x") == ["DBIRTH/e/b", "DDATA/e/b"]
    assert sent("e", "z") == ["NBIRTH/e", "DBIRTH/e/a", "DBIRTH/e/b", "NDATA/e"]
    assert sent("e.a", "x", "y") == ["DDATA/e/a"]
    assert sent("f", "z") == ["NBIRTH/f", "NDATA/f"]


def test_sequence_numbers_go_round() -> None:
    encoder = Encoder(PayloadFormat(parse_template(TEMPLATE), "sparkplug_b"))
    readings = [Reading("e.a", 1.7e9 + i, {"x": 1.0}, "plant") for i in range(600)]
    messages = encoder.encode(readings)
    assert len(messages) == 602
    assert all(body.endswith(field(3, i % 256)) for i, (_, body) in enumerate(messages))


@pytest.mark.parametrize(
    "template", ["spBv1.0/+/+/{device#}", "spBv1.0/{site}/+/{device}", "spBv1.0/{site}/+/+/{device}"]
)
def test_a_topic_that_says_too_little_cannot_be_written_to(template: str) -> None:
    with pytest.raises(ConfigError, match="Sparkplug B is written to"):
        encode("sparkplug_b", [Reading("e.a", 1.7e9, {"x": 1.0}, "plant")], template)


@pytest.mark.parametrize("device", ["", ".a", "a.", "a/b"])
def test_a_device_that_is_no_node_or_part_of_one_cannot_be_written(device: str) -> None:
    with pytest.raises(PayloadError, match="device name"):
        encode("sparkplug_b", [Reading(device, 1.7e9, {"x": 1.0}, "plant")], TEMPLATE)


@pytest.mark.parametrize("channel", ["", "bdSeq", "Node Control/Rebirth", "x" * 513])
def test_a_channel_with_a_name_of_something_else_cannot_be_written(channel: str) -> None:
    with pytest.raises(DataError, match="Sparkplug B has this name"):
        encode("sparkplug_b", [Reading("e.a", 1.7e9, {channel: 1.0}, "plant")], TEMPLATE)


names = st.text(st.characters(blacklist_categories=["C", "Z"], blacklist_characters="+#/."), min_size=1, max_size=6)
channels = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name != "bdSeq" and not name.startswith(("Node Control/", "Device Control/"))
)


@given(
    sent=st.lists(
        st.builds(
            Reading,
            device=names | st.tuples(names, names).map(".".join),
            time_s=st.integers(946_684_800_000, 1_750_000_000_000).map(lambda ms: ms / 1000),
            values=st.dictionaries(channels, st.floats(allow_infinity=False), min_size=1, max_size=4),
            site=names,
        ),
        max_size=8,
    )
)
@settings(deadline=None, max_examples=2 * EXAMPLES)
def test_a_session_is_read_back_to_the_last_digit(sent: list[Reading]) -> None:
    encoder = Encoder(PayloadFormat(parse_template(TEMPLATE), "sparkplug_b"))
    reader = decoder_of("sparkplug_b")
    got: list[Reading] = []
    for reading in sent:
        for topic, body in encoder.encode([reading]):
            decoded = reader.decode(topic, body, NOW)
            assert decoded.dropped == {}
            got += decoded.readings
    assert list(map(repr, got)) == list(map(repr, sent))


# ---------------------------------------------------------------- bad input

SOME_METRIC = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", "y", "bdSeq", "Node Control/Rebirth", ""]) | st.binary(max_size=4),
        "alias": st.integers(0, 3) | st.just(2**64 - 1),
        "timestamp": st.sampled_from([0, T, T + 1, 2**64 - 1]),
        "datatype": st.integers(0, 40),
        "is_historical": st.booleans(),
        "is_null": st.booleans(),
        "properties": st.dictionaries(
            st.sampled_from(["Quality", "engUnit"]), st.sampled_from([0, 192, "bar", ""]), max_size=2
        ),
        "int": st.integers(0, 2**32 - 1),
        "long": st.integers(0, 2**64 - 1),
        "float": st.floats(width=32),
        "double": st.floats(),
        "boolean": st.booleans(),
        "string": st.text(max_size=3),
        "bytes": st.binary(max_size=3),
    },
)
TOPICS = st.sampled_from([NBIRTH, NDATA, DBIRTH, DDATA])


@given(messages=st.lists(st.tuples(TOPICS, st.lists(SOME_METRIC, max_size=5), st.sampled_from([0, T])), max_size=6))
@settings(deadline=None, max_examples=6 * EXAMPLES)
def test_any_conversation_is_read_or_refused(messages: list[tuple[str, list[dict[str, Any]], int]]) -> None:
    reader = decoder_of("sparkplug_b")
    for topic, metrics, timestamp in messages:
        read_or_refuse(reader, topic, payload(*(metric(**one) for one in metrics), timestamp=timestamp))
    reader.requests()
    decoder_of("sparkplug_b").restore(reader.snapshot())


@given(data=st.data(), topic=TOPICS)
@settings(deadline=None, max_examples=4 * EXAMPLES)
def test_any_damage_to_a_birth_is_read_or_refused(data: st.DataObject, topic: str) -> None:
    reader = decoder_of("sparkplug_b")
    read_or_refuse(reader, topic, damage(data, BIRTH))
    assert is_sound(reader.decode(DBIRTH, BIRTH, NOW))


@given(body=st.binary(max_size=60), topic=TOPICS)
@settings(deadline=None, max_examples=4 * EXAMPLES)
def test_any_bytes_are_read_or_refused(body: bytes, topic: str) -> None:
    read_or_refuse(decoder_of("sparkplug_b"), topic, body)
