"""Events on MQTT: JSON that any reader takes, on a topic of the event's device."""

import json
from dataclasses import replace

import pytest

from anomgan.records import Event
from anomgan.wire.event_json import encode_event, event_topic

EVENT = Event(
    id="north/pump@1700000000500",
    device="pump",
    site="north",
    state="open",
    start_s=1_700_000_000.5,
    end_s=1_700_000_010.0,
    peak=7.25,
    peak_s=1_700_000_005.0,
    severity="major",
    channels=("flow", "pressure"),
    observed=(3.1, float("nan")),
    expected=(31.0, 0.9),
    contributions=(0.8, 0.2),
    reason="flow is 3.1 l/min where 31 was expected",
    threshold=5.0,
    model="pump",
    units=("l/min", ""),
)


def test_an_event_is_a_json_object_with_times_in_seconds_and_in_iso_8601() -> None:
    told = json.loads(encode_event(EVENT))
    assert told["id"] == EVENT.id
    assert (told["device"], told["site"], told["state"], told["severity"]) == ("pump", "north", "open", "major")
    assert (told["start"], told["start_s"]) == ("2023-11-14T22:13:20.500000Z", 1_700_000_000.5)
    assert told["end"] is None
    assert told["channels"] == [
        {"channel": "flow", "observed": 3.1, "expected": 31.0, "contribution": 0.8, "unit": "l/min"},
        {"channel": "pressure", "observed": None, "expected": 0.9, "contribution": 0.2, "unit": ""},
    ]


def test_only_a_closed_event_has_an_end() -> None:
    assert json.loads(encode_event(replace(EVENT, state="closed")))["end"] == "2023-11-14T22:13:30Z"


def test_units_may_be_unknown() -> None:
    told = json.loads(encode_event(replace(EVENT, units=())))
    assert [channel["unit"] for channel in told["channels"]] == ["", ""]


def test_names_of_any_script_and_infinite_numbers_are_still_json() -> None:
    odd = replace(EVENT, device='Kühlhaus "7" 冷', reason="±5 °C", observed=(float("inf"), 1.0))
    told = json.loads(encode_event(odd))
    assert told["device"] == odd.device
    assert told["channels"][0]["observed"] is None


@pytest.mark.parametrize(
    ("template", "site", "topic"),
    [
        ("anomgan/{site}/{device}/event", "north", "anomgan/north/pump/event"),
        ("anomgan/{site}/{device}/event", "", "anomgan/pump/event"),
        ("events", "north", "events"),
        ("{device}", "", "pump"),
        ("a/{site}", "", "a"),
        ("{site}", "", ""),
    ],
)
def test_a_device_without_a_site_leaves_that_level_out(template: str, site: str, topic: str) -> None:
    assert event_topic(template, replace(EVENT, site=site)) == topic


def test_a_name_that_looks_like_a_placeholder_is_only_a_name() -> None:
    assert event_topic("{site}/{device}", replace(EVENT, site="{device}", device="x")) == "{device}/x"
