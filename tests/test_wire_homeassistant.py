"""Home Assistant's discovery: identifiers it takes, states that fit, and requests that mean this device alone."""

import json
import re
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_event_json import EVENT

from anomgan.records import Source
from anomgan.wire.homeassistant import (
    Topics,
    announce,
    muted_state,
    object_id,
    problem_state,
    retract,
    score_state,
    states_beside,
)

TOPICS = Topics("homeassistant", "anomgan/{site}/{device}", "anomgan/status", "anomgan/request", 86_400.0)
PUMP = ("north", "pump-1")


def entities(source: Source = PUMP, topics: Topics = TOPICS) -> dict[str, dict[str, Any]]:
    """component -> discovery document."""
    return {topic.split("/")[1]: json.loads(payload) for topic, payload in announce(topics, source, "pump")}


def test_a_device_gets_a_problem_sensor_a_score_a_button_and_a_switch() -> None:
    told = entities()
    assert set(told) == {"binary_sensor", "sensor", "button", "switch"}
    assert told["binary_sensor"]["device_class"] == "problem"
    assert told["binary_sensor"]["state_topic"] == "anomgan/north/pump-1/problem"
    assert told["sensor"]["state_topic"] == "anomgan/north/pump-1/score"
    assert json.loads(told["button"]["payload_press"]) == {"device": "pump-1", "site": "north", "says": "false-alarm"}
    assert told["button"]["command_topic"] == "anomgan/request/feedback"
    assert told["switch"]["command_topic"] == "anomgan/request/mute"
    assert json.loads(told["switch"]["payload_on"]) == {"device": "pump-1", "site": "north", "for_s": 86_400.0}
    assert json.loads(told["switch"]["payload_off"])["for_s"] == 0
    assert (told["switch"]["state_topic"], told["switch"]["state_on"]) == ("anomgan/north/pump-1/muted", "ON")
    for entity in told.values():
        assert entity["availability_topic"] == "anomgan/status"
        assert entity["device"]["name"] == "north pump-1"
    assert len({entity["unique_id"] for entity in told.values()}) == 4
    assert len({json.dumps(entity["device"]) for entity in told.values()}) == 1


def test_without_requests_there_is_no_button_and_no_switch_and_without_a_status_no_availability() -> None:
    told = entities(topics=Topics("ha", "a/{device}", "", "", 1.0))
    assert set(told) == {"binary_sensor", "sensor"}
    assert not any("availability_topic" in entity for entity in told.values())


names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="+#/"), min_size=1, max_size=200)


@given(names, names, names)
def test_identifiers_are_such_as_home_assistant_takes_and_no_two_devices_share_one(a: str, b: str, c: str) -> None:
    for source in ((a, b), ("", b)):
        for topic, payload in announce(TOPICS, source, ""):
            prefix, component, node, name, last = topic.split("/")
            assert (prefix, node, last) == ("homeassistant", "anomgan", "config")
            assert re.fullmatch(r"[A-Za-z0-9_-]+", name), name
            assert name in json.loads(payload)["unique_id"]
            assert component in ("binary_sensor", "sensor", "button", "switch")
    several = {(a, b), (b, a), (a + b, c), (a, b + c), ("", a), (a, c)}
    assert len({object_id(source) for source in several}) == len(several)


@given(names, names)
def test_the_switch_means_its_device_and_no_other_be_its_name_a_pattern(name: str, other: str) -> None:
    pattern = json.loads(entities(("", name))["switch"]["payload_on"])["device"]
    assert fnmatchcase(name, pattern)
    assert other == name or not fnmatchcase(other, pattern)


def test_the_states_are_found_from_the_topic_of_one_also_where_no_switch_shows_them() -> None:
    told = entities(topics=Topics("ha", "a/{device}", "", "", 1.0))
    every = ["a/pump-1/problem", "a/pump-1/score", "a/pump-1/muted"]
    assert [states_beside(entity["state_topic"]) for entity in told.values()] == [every, every]
    assert states_beside("a/pump-1/temperature") == states_beside("") == []


def test_what_is_retracted_is_all_that_was_announced_with_its_states() -> None:
    gone = dict(retract(TOPICS, PUMP))
    assert {topic for topic, _ in announce(TOPICS, PUMP, "")} < set(gone)
    assert {f"anomgan/north/pump-1/{state}" for state in ("problem", "score", "muted")} < set(gone)
    assert set(gone.values()) == {b""}


@pytest.mark.parametrize(("state", "shown"), [("open", "ON"), ("closed", "OFF")])
def test_the_problem_is_on_while_an_event_is_open_and_carries_the_sentence(state: Any, shown: str) -> None:
    told = json.loads(problem_state(replace(EVENT, state=state)))
    assert (told["state"], told["reason"], told["severity"]) == (shown, EVENT.reason, "major")
    assert json.loads(problem_state(None)) == {"state": "OFF"}


def test_scores_and_switches_are_plain() -> None:
    assert score_state(3.14159) == b"3.14"
    assert score_state(float("nan")) == b"None"
    assert (muted_state(True), muted_state(False)) == (b"ON", b"OFF")
