"""Recognition: every dialect on one broker, what is ambiguous, and the law that what is written reads what was seen."""

import json
import tomllib
from collections.abc import Sequence
from typing import get_args

import orjson
import pytest
from broker_samples import ASIDE, NOW, Read, as_config, found_in, mixed_broker
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wire_cases import DOCUMENTS

from anomgan.config import BrokerConfig, DialectName
from anomgan.recognise import Findings, FleetFound, Sample, Watch, config_text, recognise
from anomgan.recognise.samples import MOST_OF_A_TOPIC
from anomgan.records import Reading
from anomgan.wire import encode
from anomgan.wire.conventions import CONVENTIONS


def watched(*messages: tuple[str, object], every_s: float = 1.0) -> Findings:
    """Findings from (topic, document) in order; bytes are sent as they are."""
    return found_in(
        Sample(topic, body if isinstance(body, bytes) else orjson.dumps(body), False, NOW + number * every_s)
        for number, (topic, body) in enumerate(messages)
    )


def only(findings: Findings) -> FleetFound:
    """The one fleet, with nothing left over."""
    assert findings.not_understood == ()
    (fleet,) = findings.fleets
    return fleet


def only_topic(findings: Findings) -> str:
    (fleet,) = findings.fleets
    return fleet.topic


def form(fleet: FleetFound) -> tuple[str, str, str, str, str]:
    return fleet.topic, fleet.dialect, fleet.time_key, fleet.time_unit, fleet.device_key


# ---------------------------------------------------------------- all of them on one broker


@pytest.fixture(scope="module")
def mixed() -> Findings:
    return found_in(mixed_broker())


EXPECTED = {
    ("zigbee2mqtt/{device}", "zigbee2mqtt", "", "", ""): ["cellar"],
    ("tele/{device}/SENSOR", "tasmota", "", "", ""): ["pow1"],
    ("application/{site}/device/{device}/event/up", "chirpstack", "", "", ""): [
        "17c82e96-be03-4f38-aef3-f83d48582d97/0101010101010101"
    ],
    ("v3/{site}/devices/{device}/up", "things_stack", "", "", ""): ["app1@ttn/dev1"],
    ("telegraf/{device}/+", "influx", "", "", ""): ["host1"],
    ("senml/{device}", "senml", "", "", ""): ["p1"],
    ("spBv1.0/{site}/+/{device#}", "sparkplug_b", "", "", ""): ["plant/edge.pump"],
    ("plant/{site}/{device}/telemetry", "flat", "", "", ""): ["north/pump-1", "north/pump-2", "south/pump-1"],
    ("works/{device}/data", "nested", "timestamp", "ms", ""): ["press-1"],
    ("house/{device}/{channel}", "metric", "", "", ""): ["bath", "hall"],
    ("batch/line", "array", "time", "", "id"): ["oven-1", "oven-2"],
    ("table/{device}/values", "columnar", "t", "ms", ""): ["rig-1"],
}


def test_every_dialect_is_recognised_beside_all_others(mixed: Findings) -> None:
    assert {fleet.dialect for fleet in mixed.fleets} == set(get_args(DialectName))
    names: dict[tuple[str, ...], list[str]] = {}
    for fleet in mixed.fleets:
        names.setdefault(form(fleet), []).extend(fleet.names)
    assert {key: sorted(some) for key, some in names.items()} == EXPECTED
    assert mixed.not_understood == ()


def test_what_is_no_telemetry_is_set_aside_and_counted(mixed: Findings) -> None:
    assert sum(mixed.set_aside.values()) == len(ASIDE)
    assert len(mixed.set_aside) >= 7


def test_channels_periods_and_counts_are_told(mixed: Findings) -> None:
    plant = next(fleet for fleet in mixed.fleets if fleet.dialect == "flat")
    assert (plant.period_s, plant.messages, plant.retained, plant.readings) == (1.0, 24, 0, 24)
    assert {(one.name, one.values, one.distinct) for one in plant.channels} == {("flow", 24, 24), ("pressure", 24, 3)}
    senml = next(fleet for fleet in mixed.fleets if fleet.dialect == "senml")
    assert {one.name: one.unit for one in senml.channels} == {"voltage": "V", "current": "A"}
    tasmota = next(fleet for fleet in mixed.fleets if fleet.dialect == "tasmota")
    assert any("no zone" in note for note in tasmota.notes)


def test_the_written_file_reads_every_sample_of_every_dialect(mixed: Findings) -> None:
    samples = [sample for sample in mixed_broker() if sample.topic not in ASIDE]
    read = Read(as_config(mixed).fleets, samples)
    assert read.count == {"read": len(samples)}
    devices = {f"{r.site}/{r.device}" if r.site else r.device for r in read.readings}
    assert devices == {name for names in EXPECTED.values() for name in names}


def test_the_order_of_other_systems_messages_changes_nothing(mixed: Findings) -> None:
    by_topic = sorted(mixed_broker(), key=lambda sample: (sample.arrival_s, sample.topic))
    again = found_in(by_topic)
    assert {(*form(fleet), fleet.devices) for fleet in again.fleets} == {
        (*form(fleet), fleet.devices) for fleet in mixed.fleets
    }


# ---------------------------------------------------------------- topics


def reading(**more: object) -> dict[str, object]:
    return {"ts": NOW, "flow": 1.5, **more}


@pytest.mark.parametrize(
    ("topics", "template", "names"),
    [
        (["plant/p1/telemetry"], "plant/{device}/telemetry", ["p1"]),
        (["plant/p1/telemetry", "plant/p2/telemetry"], "plant/{device}/telemetry", ["p1", "p2"]),
        (["plant/a/p1", "plant/a/p2", "plant/b/p1"], "plant/{site}/{device}", ["a/p1", "a/p2", "b/p1"]),
        (["p1/data", "p2/data"], "{device}/data", ["p1", "p2"]),
        (["p1", "p2"], "{device}", ["p1", "p2"]),
        (["f/x/l1/p1", "f/x/l2/p2"], "f/x/{site}/{device}", ["l1/p1", "l2/p2"]),
        (["f/x/l1/p1", "f/y/l1/p1"], "f/{device}/l1/p1", ["x", "y"]),
        (["f/a/l1/p1", "f/a/l2/p2", "f/b/l1/p1", "f/b/l3/p2"], "f/{site}/+/{device}", None),
        (["v1/devices/p1/up"], "v1/devices/{device}/up", ["p1"]),
    ],
)
def test_levels_that_differ_are_the_device_and_its_site(
    topics: Sequence[str], template: str, names: Sequence[str] | None
) -> None:
    fleet = only(watched(*((topic, reading()) for topic in topics)))
    assert fleet.topic == template
    assert names is None or list(fleet.names) == list(names)


def test_what_kind_of_message_it_is_has_a_template_of_its_own() -> None:
    found = watched(
        *((f"plant/{name}/telemetry", reading()) for name in ("p1", "p2")),
        *((f"plant/{name}/energy", {"ts": NOW, "watts": 5}) for name in ("p1", "p2")),
    )
    assert {fleet.topic for fleet in found.fleets} == {"plant/{device}/telemetry", "plant/{device}/energy"}


def test_devices_of_other_channels_are_another_fleet_by_their_names() -> None:
    found = watched(
        *((f"plant/pump-{number}/telemetry", reading()) for number in (1, 2)),
        *((f"plant/cold-{number}/telemetry", {"ts": NOW, "temp": 4, "door": False}) for number in (1, 2)),
    )
    assert {fleet.name: fleet.devices for fleet in found.fleets} == {"pump": ("pump-*",), "cold": ("cold-*",)}
    assert len({fleet.model for fleet in found.fleets}) == 2


@pytest.mark.parametrize(
    ("topics", "template"),
    [
        (["house/bath/temperature"], "house/{device}/{channel}"),
        (["bath/temperature", "hall/humidity"], "{device}/{channel}"),
        (["bath/sensor/temperature/state", "hall/sensor/humidity/state"], "{device}/sensor/{channel}/state"),
        (["sensors/temperature/t1", "sensors/temperature/t2", "sensors/humidity/t1"], "sensors/{channel}/{device}"),
        (["a/l1/p1/flow", "a/l2/p1/flow", "a/l2/p2/level"], "a/{site}/{device}/{channel}"),
        (["x/m1/ai0", "x/m1/ai1", "x/m2/ai0"], "x/{device}/{channel}"),
        (["x/m1/value"], "{device}/{channel}/value"),
    ],
)
def test_a_number_on_its_own_takes_device_and_channel_from_the_topic(topics: Sequence[str], template: str) -> None:
    found = watched(*((topic, 20.5) for topic in topics))
    assert {(fleet.topic, fleet.dialect) for fleet in found.fleets} == {(template, "metric")}
    assert found.not_understood == ()


def test_a_bare_number_on_one_level_names_nobody() -> None:
    found = watched(("temperature", 20.5))
    assert found.fleets == ()
    assert "one level" in found.not_understood[0].why


@pytest.mark.parametrize(
    ("topic", "document", "dialect"),
    [
        ("a/b/temperature", {"value": 20.5, "ts": NOW, "unit": "C"}, "metric"),
        ("rig/temperature", {"value": 20.5}, "metric"),
        ("rig/p1", {"value": 20.5, "ts": NOW}, "flat"),
        ("a/b/p1", {"value": 20.5, "other": 3, "ts": NOW}, "flat"),
        ("a/b/p1", {"ts": NOW, "flow": 2, "place": {"name": "x"}}, "flat"),
        ("a/b/p1", {"ts": NOW, "flow": 2, "motor": {"temp": 3}}, "nested"),
        ("a/b/p1", {"flow": 2, "meta": {"ts": NOW}}, "nested"),
        ("a/b/p1", {"flow": [1, 2], "level": [3, 4]}, None),
        ("a/b/p1", {"ts": [NOW, NOW + 1], "flow": [1, 2]}, "columnar"),
        ("a/b/p1", [{"n": "flow", "v": 2}], "senml"),
        ("a/b/p1", [{"flow": 2, "v": 3}], "array"),
        ("my/zigbee/cellar", {"temperature": 20, "linkquality": 7}, "zigbee2mqtt"),
        ("cellar/tele/SENSOR", {"Time": "2024-01-01T00:00:00", "SI7021": {"Temperature": 20}}, "tasmota"),
        ("a/b/p1", {"name": "x", "state": "idle"}, None),
        ("a/b/p1", "some words", None),
        ("a/b/p1", b"ON", None),
        ("a/b/p1", None, None),
        ("a/b/p1", [1, 2, 3], None),
        ("a/b/p1", b"\xff\xfe\x00", None),
    ],
)
def test_shapes_that_are_near_to_each_other_are_told_apart(topic: str, document: object, dialect: str | None) -> None:
    found = watched((topic, document))
    if dialect is None:
        assert found.fleets == ()
        (odd,) = found.not_understood
        assert (odd.topic, odd.messages) == (topic, 1)
        assert odd.why
    else:
        assert only(found).dialect == dialect


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("fields", "key", "unit"),
    [
        ({"ts": NOW}, "", ""),
        ({"ts": int(NOW * 1e3)}, "", "ms"),
        ({"timestamp": int(NOW * 1e6)}, "timestamp", "us"),
        ({"time": int(NOW * 1e9)}, "time", "ns"),
        ({"time": "2025-06-15T15:06:40Z"}, "time", ""),
        ({"sampleMoment": int(NOW * 1e3)}, "sampleMoment", "ms"),
        ({"serial": 1_700_000_000}, "", ""),
        ({"installed": "2019-01-01T00:00:00Z"}, "", ""),
        ({"Timestamp": NOW, "received_at": NOW}, "Timestamp", ""),
        ({"ts": 23.5}, "(none)", ""),
        ({"ts": 23.5, "time": NOW}, "time", ""),
        ({}, "", ""),
    ],
)
def test_the_time_is_found_by_name_and_by_the_clock(fields: dict[str, object], key: str, unit: str) -> None:
    fleet = only(watched(("plant/p1/telemetry", {"flow": 2.5, **fields})))
    assert (fleet.time_key, fleet.time_unit) == (key, unit)


def test_topics_of_two_units_are_two_fleets() -> None:
    found = watched(
        ("plant/p1/telemetry", {"ts": NOW, "flow": 1}), ("plant/p2/telemetry", {"ts": int(NOW * 1e3), "flow": 1})
    )
    assert {(fleet.time_unit, fleet.devices) for fleet in found.fleets} >= {("", ("p1",))}
    assert {fleet.time_unit for fleet in found.fleets} == {"", "ms"}
    assert found.not_understood == ()


def test_a_clock_that_is_wrong_and_a_zone_that_is_not_said_are_pointed_out() -> None:
    skewed = only(watched(("plant/p1/telemetry", {"ts": NOW - 7200, "flow": 1})))
    assert any("2 h behind" in note for note in skewed.notes)
    local = only(watched(("plant/p1/telemetry", {"ts": "2025-06-15T15:06:40", "flow": 1})))
    assert any("do not say their zone" in note for note in local.notes)


def test_several_readings_without_a_time_are_pointed_out() -> None:
    fleet = only(watched(("plant/p1/telemetry", [{"flow": 1}, {"flow": 2}])))
    assert any("have no time of their own" in note for note in fleet.notes)


@pytest.mark.parametrize(
    ("messages", "key"),
    [
        ([("all", {"device": "a", "flow": 1}), ("all", {"device": "b", "flow": 2})], "device"),
        ([("gw/g1/data", {"id": "a", "flow": 1}), ("gw/g1/data", {"id": "b", "flow": 2})] * 4, "id"),
        ([("plant/p1/data", {"id": number, "flow": 1}) for number in range(8)], ""),
        ([("plant/p1/data", {"device": "p1", "flow": 1})], ""),
        ([("plant/all", {"dev": {"id": 5, "ok": 1}, "serial": "s7", "flow": 1})], "serial"),
        ([("plant/p1/data", {"name": "north wall", "flow": 1})], ""),
        ([("telemetry", {"name": "north wall", "flow": 1})], "name"),
    ],
)
def test_the_device_is_in_the_payload_where_the_topic_cannot_name_it(
    messages: list[tuple[str, object]], key: str
) -> None:
    assert only(watched(*messages)).device_key == key


def test_a_level_that_the_payload_calls_the_device_is_the_device() -> None:
    found = watched(
        ("x/p1/fast", {"device": "p1", "flow": 1}),
        ("x/p1/slow", {"device": "p1", "flow": 1}),
        ("x/p2/slow", {"device": "p2", "flow": 1}),
    )
    assert only(found).topic == "x/{device}/+"


def test_names_that_cannot_stand_in_a_pattern_or_a_file_do_no_harm() -> None:
    names = ["a[1]", "a*", 'b"c', "d\\e", "f'g", "h\u007f", "tab\tbed"]
    found = watched(
        *((f"x/{name}/data", {"flow": 1, "ts": NOW}) for name in names), ("x/other/data", {"ts": NOW, "level": 1})
    )
    read = Read(as_config(found).fleets, [Sample(f"x/{name}/data", b'{"flow": 1}', False, NOW) for name in names])
    assert read.count == {"read": len(names) - 2, "refused": 2}
    assert sum(one.messages for one in found.not_understood) == 2


# ---------------------------------------------------------------- births, retained, bounds


def test_data_whose_birth_was_missed_are_a_fleet_without_names() -> None:
    found = found_in(
        sample for sample in mixed_broker() if sample.topic.startswith("spBv1.0/") and "BIRTH" not in sample.topic
    )
    (fleet,) = found.fleets
    assert fleet.channels == ()
    assert any("next birth" in note for note in fleet.notes)
    assert as_config(found).fleets[0].dialect == "sparkplug_b"


def test_retained_messages_teach_the_form_but_no_clock() -> None:
    old = orjson.dumps({"ts": NOW - 1e6, "flow": 1})
    fleet = only(found_in([Sample("plant/p1/telemetry", old, True, NOW)]))
    assert (fleet.messages, fleet.retained) == (1, 1)
    assert any("only retained" in note for note in fleet.notes)
    assert not any("behind" in note for note in fleet.notes)


def test_a_watch_keeps_no_more_than_it_may_and_every_topic_has_a_share() -> None:
    watch = Watch(most_topics=5, most_samples=40, most_bytes=10_000)
    for number in range(1000):
        watch.add(Sample("chatty", b"x" * 100, False, NOW + number))
    for topic in range(10):
        for number in range(3):
            watch.add(Sample(f"quiet/{topic}", b"1.5", False, NOW + number))
    kept = {topic: len(heard.samples) for topic, heard in watch.topics.items()}
    assert kept == {"chatty": 20, "quiet/0": 3, "quiet/1": 3, "quiet/2": 3, "quiet/3": 3}
    assert (watch.messages, watch.topics["chatty"].messages, watch.beyond) == (1030, 1000, 18)
    assert recognise(watch).beyond == 18
    roomy = Watch()
    for number in range(2 * MOST_OF_A_TOPIC):
        roomy.add(Sample("a", b"1", False, NOW + number))
    assert len(roomy.topics["a"].samples) == MOST_OF_A_TOPIC


def test_topics_of_thousands_of_levels_come_to_an_end() -> None:
    topics = ["/" * 60_000, "a/" * 30_000, "tele/" * 10_000 + "SENSOR", "zigbee2mqtt/" * 5000 + "x", "a/b/p1"]
    found = watched(*((topic, {"flow": 1.5, "linkquality": 3}) for topic in topics), ("x/bridge/" * 5000, b"1"))
    assert only_topic(found) == "a/{device#}"
    assert sum(one.messages for one in found.not_understood) == 5


@pytest.mark.parametrize("topic", ["plant/p{}/telemetry", "r{}/x{}/y{}"])
def test_a_file_has_a_hundred_fleets_at_most_and_the_rest_is_told_of(topic: str) -> None:
    found = watched(*((topic.replace("{}", str(number)), {f"c{number}": 1.5}) for number in range(130)))
    assert len(found.fleets) == 100
    assert sum(one.messages for one in found.not_understood) == 30
    assert all("too many kinds" in one.why or "more kinds" in one.why for one in found.not_understood)
    assert len(as_config(found).fleets) == 100


# ---------------------------------------------------------------- the file


def test_what_devices_say_cannot_write_into_the_file() -> None:
    evil = '"\n[broker]\nhost = "evil'
    found = watched(
        (f"x/{evil}/data", {"flow": 1}),
        ("plant/p1/data", {evil: 1, "\u2028[store]": 2, "ts": NOW}),
        ("text/x", evil.encode()),
        ("plant/all", {"device": 'a"]\n', "flow": 1}),
    )
    text = config_text(found, BrokerConfig(host="good"), "detector.toml")
    assert tomllib.loads(text)["broker"] == {"host": "good", "port": 1883, "client_id": "anomgan"}
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert not any("evil" in line for line in text.splitlines() if line not in comments)


def test_the_way_into_the_broker_is_written_without_a_secret() -> None:
    found = watched(("plant/p1/data", reading()))
    broker = as_config(
        found,
        host="b",
        port=8883,
        username="u",
        password_env="NAME",  # noqa: S106 a name, not a password
        tls=True,
        ca_file='c"a.pem',
    ).broker
    assert (broker.host, broker.port, broker.username, broker.password_env, broker.tls, broker.ca_file) == (
        "b", 8883, "u", "NAME", True, 'c"a.pem',
    )  # fmt: skip


# ---------------------------------------------------------------- laws

simple = st.from_regex(r"[a-z][a-z0-9-]{1,6}", fullmatch=True).filter(lambda name: name not in ("set", "get"))
some_readings = st.lists(
    st.builds(
        Reading,
        device=simple,
        time_s=st.integers(-3000, 0).map(lambda ms: NOW + ms / 1000),
        values=st.dictionaries(
            st.from_regex(r"[a-h]{3,4}(\.[a-h]{3,4})?", fullmatch=True),
            st.floats(-1e6, 1e6, allow_nan=False),
            min_size=1,
            max_size=4,
        ).filter(lambda values: not any(b.startswith(a + ".") for a in values for b in values)),
        site=simple,
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda reading: (reading.device, reading.time_s),
)


@pytest.mark.parametrize("dialect", get_args(DialectName))
@given(sent=some_readings)
@settings(max_examples=40)
def test_what_a_dialect_writes_is_read_again_by_the_file_that_is_written_from_it(
    dialect: DialectName, sent: list[Reading]
) -> None:
    template = CONVENTIONS[dialect].topic.replace("telegraf/{device}/+", "telegraf/{device}")
    samples = [
        Sample(topic, payload, False, NOW + number / 100)
        for number, (topic, payload) in enumerate(encode(dialect, sent, template))
    ]
    found = found_in(samples)
    assert found.not_understood == ()
    read = Read(as_config(found).fleets, samples)
    assert read.count == {"read": len(samples)}
    got = {(name, value) for _, _, name, value in read.cells() if value == value}
    if {fleet.dialect for fleet in found.fleets} == {dialect}:
        assert got == {(name, value) for one in sent for name, value in one.values.items()}
        assert {r.time_s for r in read.readings} == {one.time_s for one in sent}


levels = st.lists(
    st.sampled_from(["plant", "p1", "p2", "a/b", "telemetry", "temperature", "set", "spBv1.0", "G", "NDATA", "DDATA"])
    | st.sampled_from(
        ["zigbee2mqtt", "bridge", "tele", "SENSOR", "application", "device", "event", "up", "v3", "devices"]
    )
    | st.text(max_size=4),
    min_size=1,
    max_size=5,
)
payloads = st.one_of(
    st.binary(max_size=20),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()),
    st.sampled_from(
        [b"20.5", b'{"ts":1750000000,"flow":1}', b"cpu,host=h usage=1 1750000000000000000", b"online", b""]
    ),
    st.sampled_from([b'[{"n":"a","v":1}]', b'{"ts":[1750000000],"flow":[1]}', b'{"device":"p1","flow":1}', b"[{}]"]),
)


LINE = b"cpu,host=h usage=1 1750000000000000000"


@given(
    st.lists(
        st.builds(
            Sample,
            topic=levels.map("/".join),
            payload=payloads,
            retained=st.booleans(),
            arrival_s=st.floats(NOW, NOW + 60),
        ),
        max_size=25,
    )
)
@example([Sample("a/b/c", LINE, False, NOW), Sample("a/b/c", b"0", False, NOW)])  # two dialects on one topic
@example([Sample("a/b/c/d", b"0", False, NOW), Sample("a/b/c/p1", LINE, False, NOW)])  # one template takes all
@example([Sample("a/b/c", json.dumps({"\0": {"ts": NOW, "device": "p", "flow": 1}}).encode(), False, NOW)])  # no key
@settings(max_examples=400)
def test_whatever_comes_every_message_is_told_of_once_and_the_file_reads_what_it_says(samples: list[Sample]) -> None:
    found = found_in(samples)
    told = sum(fleet.messages for fleet in found.fleets) + sum(one.messages for one in found.not_understood)
    assert told + sum(found.set_aside.values()) + found.beyond == found.messages == len(samples)
    assert all(fleet.messages > 0 or fleet.dialect == "sparkplug_b" for fleet in found.fleets)
    if found.fleets:
        config = as_config(found)
        assert [fleet.topic for fleet in config.fleets] == [fleet.topic for fleet in found.fleets]
        assert len({fleet.model for fleet in config.fleets}) == len(config.fleets)
    assert found == found_in(samples)
