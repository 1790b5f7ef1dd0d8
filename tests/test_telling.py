"""Who is told of a turn: on change, not too often, and the same again when turns are made again."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_event_json import EVENT

from anomgan.adapters.ports import Letter, Message
from anomgan.config import HomeAssistantConfig, NotifyConfig, ServiceConfig, parse_config
from anomgan.errors import DataError
from anomgan.records import Event, Verdict
from anomgan.wire.notice import Notice, decode_notice, encode_notice
from anomgan_detector.brokers import listened
from anomgan_detector.entities import AT_ONCE, Entities
from anomgan_detector.notices import Notices
from anomgan_detector.telling import Telling, listened_to, never

NOW = 1_800_000_000.0
NAN = float("nan")
BIRTH = Message("homeassistant/status", b"online")


def verdict(surprise: float, device: str = "pump", site: str = "") -> Verdict:
    blank = np.zeros(1, np.float32)
    return Verdict(device, site, NOW, surprise, 4.0, False, 1.0, 1.0, 1.0, ("a",), blank, blank, blank, "pumps")


def states(letters: Sequence[Letter]) -> list[tuple[str, str]]:
    """(topic, payload) of what is no discovery."""
    assert all(letter.retain and letter.addressee == "mqtt" for letter in letters)
    return [(one.topic, one.body.decode()) for one in letters if not one.topic.startswith("homeassistant/")]


def configs(letters: Sequence[Letter]) -> list[str]:
    return [one.topic for one in letters if one.topic.startswith("homeassistant/")]


def entities(**keys: Any) -> Entities:
    return Entities(HomeAssistantConfig(enabled=True, **keys), "anomgan/status", "anomgan/request")


# ---------------------------------------------------------------- Home Assistant


def test_a_device_is_announced_when_it_is_first_heard_and_its_states_follow() -> None:
    home = entities()
    letters = home.update(NOW, (), [verdict(NAN), verdict(1.5)], (), never)
    assert len(configs(letters)) == 4
    assert states(letters) == [
        ("anomgan/pump/problem", '{"state":"OFF"}'),
        ("anomgan/pump/muted", "OFF"),
        ("anomgan/pump/score", "1.50"),
    ]
    assert home.update(NOW + 1, (), [verdict(1.6)], (), never) == []


def test_the_score_is_told_at_most_so_often_and_only_when_it_changed() -> None:
    home = entities(score_every_s=60.0)
    told = []
    for second, surprise in enumerate([1.0] * 70 + [2.0] * 60 + [NAN] * 70):
        told += [
            (second, payload)
            for topic, payload in states(home.update(NOW + second, (), [verdict(surprise)], (), never))
            if topic.endswith("score")
        ]
    assert told == [(0, "1.00"), (70, "2.00"), (130, "None")]


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    home = entities()
    home.update(NOW, (), [verdict(1.0)], (), never)
    assert states(home.update(NOW - 1e6, (), [verdict(2.0)], (), never)) == [("anomgan/pump/score", "2.00")]


def test_the_problem_is_told_with_the_event_and_a_mute_when_it_changes() -> None:
    home = entities()
    home.update(NOW, (), [verdict(1.0)], (), never)
    event = replace(EVENT, device="pump", site="")
    (on,) = states(home.update(NOW + 1, (), [verdict(1.0)], [event], never))
    (off,) = states(home.update(NOW + 2, (), [verdict(1.0)], [replace(event, state="closed")], never))
    assert [json.loads(payload)["state"] for _, payload in (on, off)] == ["ON", "OFF"]
    assert states(home.update(NOW + 3, (), [verdict(1.0)], (), lambda source: True)) == [("anomgan/pump/muted", "ON")]
    assert home.update(NOW + 4, (), [verdict(1.0)], (), lambda source: True) == []


def test_after_home_assistants_birth_everything_is_told_again_in_bits() -> None:
    home, count = entities(), AT_ONCE + 7
    everybody = [verdict(1.0, f"p{i}") for i in range(count)]
    home.update(NOW, (), everybody, (), never)
    home.update(NOW, (), [verdict(9.0, "p1")], [replace(EVENT, device="p1", site="")], never)
    again = [home.update(NOW + 1 + i, [BIRTH] if i == 0 else (), (), (), never) for i in range(4)]
    assert [len(configs(letters)) for letters in again] == [4 * AT_ONCE, 4 * 7, 0, 0]
    told = dict(states([*again[0], *again[1]]))
    assert json.loads(told["anomgan/p1/problem"])["state"] == "ON"
    for other in (replace(BIRTH, retained=True), replace(BIRTH, payload=b"offline")):
        assert home.update(NOW + 9, [other], (), (), never) == []


def test_a_device_that_is_silent_for_long_is_taken_away() -> None:
    home = entities(forget_days=2.0)
    home.update(NOW, (), [verdict(1.0, "a"), verdict(1.0, "b")], (), never)
    home.update(NOW + 86_400, (), [verdict(1.0, "b")], (), never)
    letters = home.update(NOW + 2.5 * 86_400, (), [verdict(1.0, "b")], (), never)
    assert {one.body for one in letters} == {b""}
    assert "anomgan/a/problem" in dict(states(letters))
    assert not any("/b/" in topic for topic, _ in states(letters))
    assert len(configs(home.update(NOW + 3 * 86_400, (), [verdict(1.0, "a")], (), never))) == 4


def test_a_device_is_announced_again_under_the_model_that_judges_it_now() -> None:
    home, restarted = entities(), entities()
    every = [verdict(NAN, f"p{number}") for number in range(AT_ONCE + 10)]
    home.update(NOW, (), every, (), never)
    renamed = [replace(one, model="pumps-0002") for one in every]
    home.update(NOW + 30, (), every[:1], (), never)
    assert not configs(home.update(NOW + 60, (), renamed, (), never))  # the one before may still be in use
    restarted.restore(home.snapshot())
    letters = home.update(NOW + 91, (), renamed, (), never)
    assert restarted.update(NOW + 91, (), renamed, (), never) == letters
    assert len(configs(letters)) == 4 * AT_ONCE
    assert all(b"pumps-0002" in letter.body for letter in letters if letter.topic.startswith("homeassistant/"))
    assert len(configs(home.update(NOW + 92, (), renamed, (), never))) == 4 * 10
    assert not configs(home.update(NOW + 93, (), renamed, (), never))


def test_a_device_that_two_models_judge_is_announced_once() -> None:
    home = entities()
    for second in range(300):
        one = replace(verdict(1.0), model=f"model {second % 2}")
        assert bool(configs(home.update(NOW + second, (), [one], (), never))) == (second == 0)


def test_the_end_of_an_event_does_not_bring_a_device_back_that_was_taken_away() -> None:
    home = entities()
    assert home.update(NOW, (), (), [replace(EVENT, state="closed")], never) == []
    assert configs(home.update(NOW, (), (), [replace(EVENT, state="open")], never))


def test_restored_the_entities_go_on_as_if_nothing_had_happened() -> None:
    steady, first, second = entities(), entities(), entities()
    for home in (steady, first):
        everybody = [verdict(float(i), f"p{i}") for i in range(AT_ONCE + 3)]
        home.update(NOW, (), everybody, [replace(EVENT, device="p1")], lambda source: source[1] == "p2")
        home.update(NOW + 1, [BIRTH], (), (), never)
    second.restore(first.snapshot())
    for now_s in (NOW + 2, NOW + 100, NOW + 1e7):
        turn = (now_s, (), [verdict(7.0, "p1"), verdict(8.0, "new")], (), never)
        assert second.update(*turn) == steady.update(*turn)


# ---------------------------------------------------------------- people

WHO = ("notify.json-a", "notify.mailto-b")


def notices(letters: Sequence[Letter]) -> list[Notice]:
    """What the first addressee hears."""
    assert [one.addressee for one in letters] == list(WHO) * (len(letters) // 2)
    return [decode_notice(one.body) for one in letters[::2]]


def event(number: int = 0, **keys: Any) -> Event:
    return replace(EVENT, id=f"e{number}", device=f"p{number}", **keys)


def test_people_hear_that_an_event_opens_worsens_and_closes() -> None:
    told, counters = Notices(NotifyConfig(), WHO), Counter[str]()
    history = [event(), event(severity="critical"), event(severity="critical", state="closed")]
    heard = [notices(told.update(NOW + i, [one], counters)) for i, one in enumerate(history)]
    assert [(one.title, one.mood) for (one,) in heard] == [
        ("north/p0: major", "warning"),
        ("north/p0: critical (worse)", "failure"),
        ("north/p0: over", "success"),
    ]
    assert "flow is 3.1 l/min where 31 was expected" in heard[0][0].body
    assert "Since 2023-11-14 22:13:20 UTC" in heard[0][0].body
    assert counters == {}


def test_what_is_too_slight_or_unwanted_is_not_told() -> None:
    told = Notices(NotifyConfig(min_severity="major", on=("open", "closed")), WHO)
    heard = [
        notices(told.update(NOW, [one], Counter()))
        for one in (
            event(severity="minor"),
            event(severity="minor", state="closed"),
            event(1, severity="minor"),
            event(1, severity="major"),  # worse, and the first that is bad enough
            event(1, severity="critical"),
            event(1, severity="critical", state="closed"),
            event(2, state="closed"),  # nobody heard of it
        )
    ]
    assert [[one.title for one in several] for several in heard] == [
        [],
        [],
        [],
        ["north/p1: major"],
        [],
        ["north/p1: over"],
        [],
    ]


def test_beyond_so_many_an_hour_events_are_counted_and_summed_up_at_its_end() -> None:
    told, counters = Notices(NotifyConfig(per_hour=3, on=("open",)), WHO), Counter[str]()
    first = notices(told.update(NOW, [event(i) for i in range(15)], counters))
    assert len(first) == 3
    assert counters["notices_summed_up"] == 12
    assert told.due_s == NOW + 3600
    assert told.update(NOW + 3599, (), counters) == []
    (summary,) = notices(told.update(NOW + 3600, (), counters))
    assert summary.title == "and 12 more events"
    assert summary.body.count("north/p") == 10
    assert "and 2 more devices" in summary.body
    assert told.due_s == float("inf")
    assert len(notices(told.update(NOW + 3601, [event(20), event(21), event(22)], counters))) == 2  # it counts as one


def test_without_anybody_to_tell_nothing_is_made_or_kept() -> None:
    told = Notices(NotifyConfig(), ())
    assert told.update(NOW, [event(i) for i in range(99)], Counter()) == []
    assert told.due_s == float("inf")


def test_what_waited_when_nobody_is_to_be_told_any_more_makes_no_turn_due() -> None:
    told, nobody = Notices(NotifyConfig(per_hour=1), WHO), Notices(NotifyConfig(per_hour=1), ())
    told.update(NOW, [event(i) for i in range(5)], Counter())
    nobody.restore(told.snapshot())
    assert (told.due_s, nobody.due_s) == (NOW + 3600, float("inf"))


def test_restored_the_notices_go_on_as_if_nothing_had_happened() -> None:
    steady, first, second = (Notices(NotifyConfig(per_hour=2), WHO) for _ in range(3))
    for told in (steady, first):
        told.update(NOW, [event(i) for i in range(5)], Counter())
    second.restore(first.snapshot())
    assert second.due_s == steady.due_s
    for now_s, several in ((NOW + 1, [event(0, severity="critical")]), (NOW + 3600, [event(0, state="closed")])):
        assert second.update(now_s, several, Counter()) == steady.update(now_s, several, Counter())


@pytest.mark.parametrize("damaged", [b"", b"[]", b"{}", b'{"version": 9}', b'{"version": 1, "known": 3, "told": 1}'])
def test_what_is_no_snapshot_is_refused(damaged: bytes) -> None:
    for part in (entities(), Notices(NotifyConfig(), WHO)):
        before = part.snapshot()
        with pytest.raises(DataError, match="snapshot"):
            part.restore(damaged)
        assert part.snapshot() == before


@pytest.mark.parametrize("damaged", [b"", b"{}", b"[1,2]", b'["a","b","c"]', b'[1,"b","info"]', b"null"])
def test_what_is_no_notice_is_refused(damaged: bytes) -> None:
    notice = Notice("a", "b", "success")
    assert decode_notice(encode_notice(notice)) == notice
    with pytest.raises(DataError, match="no notice"):
        decode_notice(damaged)


# ---------------------------------------------------------------- together


def test_switched_off_nothing_is_listened_to_made_or_remembered() -> None:
    document = {"fleets": [{"model": "m", "topic": "{device}"}], "store": {"sqlite": {"path": "x"}}}
    config = parse_config(ServiceConfig, document, "x")
    telling = Telling(config, ())
    messages = [BIRTH, Message("p1", b"{}")]
    assert telling.sort(messages) == ([], messages)
    assert listened_to(config, "") == []
    assert telling.letters(NOW, (), {"": ([verdict(1.0)], [EVENT])}) == []
    telling.restore({})


BROKERS = {"brokers": [{"name": "north"}, {"name": "south"}, {"name": "office"}], "homeassistant": {"enabled": True}}


def two_brokers(**tables: Any) -> ServiceConfig:
    fleets = [{"model": "m", "topic": f"{name}/{{device}}", "broker": name} for name in ("north", "south")]
    document = {"fleets": fleets, "store": {"sqlite": {"path": "x"}}, **BROKERS, **tables}
    return parse_config(ServiceConfig, document, "x")


def test_home_assistant_hears_of_a_device_at_the_broker_that_its_events_go_to() -> None:
    config = two_brokers()
    telling = Telling(config, ())
    by_broker = {"north": ([verdict(1.0, "n1")], []), "south": ([verdict(1.0, "s1")], [])}
    letters = telling.letters(NOW, (), by_broker)
    assert {(one.addressee, "n1" in one.topic) for one in letters} == {("mqtt:north", True), ("mqtt:south", False)}
    restored = Telling(config, ())
    restored.restore(telling.snapshot())
    born = Message("homeassistant/status", b"online", broker="south")
    again = restored.letters(NOW + 1, [born], {})
    assert {one.addressee for one in again} == {"mqtt:south"}
    assert all("s1" in one.topic for one in again)
    assert again == telling.letters(NOW + 1, [born], {})


def test_where_one_broker_is_told_everything_its_home_assistant_is_listened_to() -> None:
    config = two_brokers(publish={"broker": "office"})
    assert [listened_to(config, name) for name in ("north", "office")] == [[], [("homeassistant/status", 1)]]
    assert list(listened(config)) == ["north", "south", "office"]
    assert list(listened(two_brokers(homeassistant={}, publish={"broker": "office"}))) == ["north", "south"]
