"""What truth and events say in JSON: ours as they are told, foreign ones by other names, and nonsense by its reason."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.errors import PayloadError
from anomgan.judging import Part, Run, ToldEvent, TrueFault, decode_event, decode_truth
from anomgan.judging.told import put_together
from anomgan.records import Event
from anomgan.simulate import Fault
from anomgan.wire.event_json import encode_event
from anomgan.wire.topics import Address
from anomgan_simulator.truth import run_record, truth_record

START_S = 1_704_067_200.0
ADDRESS = Address("north", "pump-7", "")


def ours(**changes: Any) -> Event:
    plain = Event(
        id="pump-1@1704067211000", device="pump-1", site="north", state="open", start_s=START_S + 11,
        end_s=START_S + 15.5, peak=6.0, peak_s=START_S + 12, severity="major", channels=("flow", "speed"),
        observed=(1.0, 2.0), expected=(3.0, 4.0), contributions=(0.7, 0.3), reason="flow fell",
    )  # fmt: skip
    return replace(plain, **changes)


def heard(document: Any, **keys: str) -> ToldEvent:
    return decode_event(json.dumps(document).encode(), keys)


def test_a_simulated_faults_record_reads_back() -> None:
    fault = Fault("north", "pump-1", "stuck", ("flow", "speed"), 100.0, 200.0, 1.5)
    for state in ("begin", "end"):
        told = decode_truth(orjson.dumps(truth_record(fault, state, START_S)))
        expected = TrueFault(
            "north", "pump-1", "stuck", ("flow", "speed"), START_S + 100, START_S + 200, 1.5, state == "end"
        )
        assert told == expected


def test_what_befalls_a_network_has_its_domain_and_may_have_no_end() -> None:
    told = decode_truth(
        json.dumps(TRUTH | {"domain": "network", "kind": "absent", "end_s": None, "end": None}).encode()
    )
    assert isinstance(told, TrueFault)
    assert (told.domain, told.kind, told.start_s, told.end_s) == ("network", "absent", 1e9, float("inf"))


def test_a_runs_record_reads_back_with_every_device() -> None:
    devices = [{"site": "north", "kind": "pump", "name": "pump-", "count": 2}, {"site": "", "name": "bench"}]
    told = decode_truth(orjson.dumps(run_record(devices, START_S, START_S + 60, ended=True)))
    assert told == Run(START_S, START_S + 60, (Part("north", "pump", "pump-", 2), Part("", "", "bench")), ended=True)
    sources = [source for part in told.parts for source in part.sources()]
    assert sources == [("north", "pump-1"), ("north", "pump-2"), ("", "bench")]


def test_our_own_events_read_back_and_their_tellings_are_one_event() -> None:
    opened, closed = (
        decode_event(encode_event(one)) for one in (ours(), ours(state="closed", end_s=START_S + 90, reason="both"))
    )
    assert (opened.state, opened.told_s, opened.end_s) == ("open", START_S + 15.5, START_S + 15.5)
    both = put_together(opened, closed)
    assert both == put_together(closed, opened)
    assert (both.state, both.start_s, both.end_s, both.told_s) == ("closed", START_S + 11, START_S + 90, START_S + 15.5)
    assert (both.channels, both.severity, both.reason, both.site) == (("flow", "speed"), "major", "both", "north")
    assert decode_event(encode_event(ours(device="fleet:pumps", members=7))).members == 7
    assert not decode_event(encode_event(ours(state="muted"))).alarm


def test_a_foreign_event_needs_a_device_and_a_start() -> None:
    told = heard({"device": "p1", "start": START_S})
    assert told == ToldEvent(f"p1@{START_S}", None, "p1", "closed", START_S, START_S)
    assert heard({"device": "p1", "time": "2024-01-01T00:00:00"}).start_s == START_S
    assert decode_event(json.dumps({"ts": START_S}).encode(), {}, ADDRESS).device == "pump-7"
    assert decode_event(json.dumps({"ts": START_S}).encode(), {}, ADDRESS).site == "north"


@pytest.mark.parametrize(
    "told", [START_S, int(START_S), START_S * 1e3, START_S * 1e6, START_S * 1e9, "2024-01-01T01:00:00+01:00"]
)
def test_times_are_seconds_or_finer_or_text(told: object) -> None:
    assert heard({"device": "p1", "start": told}).start_s == START_S


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, "closed"),
        ({"end": START_S + 5}, "closed"),
        ({"end": None}, "open"),
        ({"state": "FIRING"}, "open"),
        ({"state": "resolved", "end": START_S + 5}, "closed"),
        ({"state": True}, "open"),
        ({"state": False}, "closed"),
        ({"state": "muted"}, "muted"),
    ],
)
def test_the_state_is_told_or_follows_from_the_end(said: dict[str, Any], state: str) -> None:
    assert heard({"device": "p1", "start": START_S, **said}).state == state


@pytest.mark.parametrize(
    "never", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", 253402300799, 253402300799999, 253402300799999999]
)
def test_an_end_that_stands_for_none_is_none(never: object) -> None:
    told = heard({"device": "p1", "start": START_S, "end": never})
    assert (told.state, told.end_s, told.told_s) == ("open", START_S, None)
    assert heard({"device": "p1", "start": START_S, "end": never, "state": "off"}).state == "closed"
    with pytest.raises(PayloadError, match="neither a time"):
        heard({"device": "p1", "start": never})


def test_the_end_of_a_foreign_event_that_is_still_open_is_a_plan() -> None:
    opened = heard({"device": "p1", "start": START_S, "state": "firing", "end": START_S + 9e9})
    assert (opened.end_s, opened.told_s) == (START_S, None)
    closed = heard({"device": "p1", "start": START_S, "state": "resolved", "end": START_S + 60})
    assert put_together(opened, closed) == put_together(closed, opened) == closed
    assert heard({"device": "p1", "start": START_S, "state": "firing", "to": START_S + 5}, end="to").end_s == START_S


def test_of_very_long_text_the_beginning_is_kept_and_a_long_identifier_is_refused() -> None:
    told = heard({"device": "p1", "start": START_S, "reason": "r" * 10**5, "severity": [0] * 10**5, "id": "i" * 200})
    assert (len(told.reason), len(told.severity), len(told.id)) == (500, 100, 200)
    many = heard({"device": "p1", "start": START_S, "channels": [f"channel-{n:04}" for n in range(10**4)]})
    assert sum(map(len, many.channels)) < 1000
    assert many.channels[:2] == ("channel-0000", "channel-0001")


@pytest.mark.parametrize("channels", [["flow", "speed"], "flow, speed", [{"channel": "flow"}, {"name": "speed"}]])
def test_channels_are_names_objects_or_text(channels: object) -> None:
    assert heard({"device": "p1", "start": START_S, "channels": channels}).channels == ("flow", "speed")


def test_other_names_are_taken_where_they_are_given() -> None:
    foreign = {"host": "p1", "plant": "north", "from": "2024-01-01T00:00:00Z", "to": START_S + 60, "sensors": ["flow"]}
    told = heard(
        foreign | {"start": 5, "end_s": 7}, device="host", site="plant", start="from", end="to", channels="sensors"
    )
    assert told == ToldEvent(f"p1@{START_S}", "north", "p1", "closed", START_S, START_S + 60, channels=("flow",))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "not_an_object"),
        ({"start": START_S}, "bad_device_name"),
        ({"device": "a/b", "start": START_S}, "bad_device_name"),
        ({"device": 7, "start": START_S}, "bad_device_name"),
        ({"device": "p1"}, "no_start"),
        ({"device": "p1", "start": "soon"}, "bad_time"),
        ({"device": "p1", "start": True}, "bad_time"),
        ({"device": "p1", "start": -5}, "bad_time"),
        ({"device": "p1", "start": 1e300}, "bad_time"),
        ({"device": "p1", "start": [1]}, "bad_time"),
        ({"device": "p1", "start": START_S, "end": START_S - 1}, "end_before_start"),
        ({"device": "p1", "start": START_S, "state": "perhaps"}, "bad_state"),
        ({"device": "p1", "start": START_S, "state": 3}, "bad_state"),
        ({"device": "p1", "start": START_S, "site": 3}, "bad_site_name"),
        ({"device": "p1", "start": START_S, "site": "s" * 129}, "bad_site_name"),
        ({"device": "p1", "start": START_S, "id": "i" * 201}, "bad_id"),
        ({"device": "p1", "start": START_S, "end": -5}, "bad_time"),
        ({"device": "p1", "start": START_S, "end": 1e300}, "bad_time"),
    ],
)
def test_an_event_that_says_too_little_is_refused_by_its_reason(document: object, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        heard(document)
    assert refused.value.reason == reason


TRUTH = {"state": "begin", "device": "p1", "site": "", "kind": "leak", "channels": [], "start_s": 1e9, "end_s": 1e9 + 5}
RUN = {"state": "run", "start_s": 1e9, "until_s": 1e9, "devices": [{"name": "p", "count": 2}]}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (TRUTH | {"state": "started"}, "bad_state"),
        (TRUTH | {"device": None}, "bad_device_name"),
        (TRUTH | {"kind": ""}, "bad_kind_name"),
        (TRUTH | {"end_s": 1.0}, "end_before_start"),
        (TRUTH | {"start_s": None}, "no_start"),
        (TRUTH | {"end_s": None}, "no_end"),
        (TRUTH | {"domain": 5}, "bad_domain_name"),
        (TRUTH | {"site": 5}, "bad_site_name"),
        (TRUTH | {"site": "s" * 129}, "bad_site_name"),
        (RUN | {"devices": []}, "bad_run"),
        (RUN | {"devices": [5]}, "bad_devices"),
        (RUN | {"devices": [{"name": "p", "count": -1}]}, "bad_devices"),
        (RUN | {"devices": [{"name": "p", "count": 10**9}]}, "bad_devices"),
        (RUN | {"devices": [{"name": "p", "count": 600_000}] * 2}, "bad_devices"),
        (RUN | {"devices": [{"count": 1}]}, "bad_device_name"),
        (RUN | {"until_s": 1.0}, "bad_run"),
    ],
)
def test_truth_that_says_too_little_is_refused_by_its_reason(document: object, reason: str) -> None:
    with pytest.raises(PayloadError) as refused:
        decode_truth(json.dumps(document).encode())
    assert refused.value.reason == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = (
    "id",
    "device",
    "site",
    "state",
    "start",
    "end",
    "start_s",
    "end_s",
    "channels",
    "members",
    "until_s",
    "devices",
)


@given(document=st.dictionaries(st.sampled_from(NAMES), JSON), raw=st.binary(max_size=30))
def test_whatever_comes_is_read_or_refused_and_never_more(document: dict[str, Any], raw: bytes) -> None:
    documents = (document, {"device": "p", "start": 1e9} | document, TRUTH | document, RUN | document)
    for payload in (raw, *(json.dumps(one).encode() for one in documents)):
        for decode in (decode_event, decode_truth):
            with suppress(PayloadError):
                decode(payload)
