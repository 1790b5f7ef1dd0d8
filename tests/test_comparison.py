"""Champion and challenger compared: what is counted, and the rule that promotes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from anomgan.config import ServiceConfig, parse_config
from anomgan.errors import ConfigError
from anomgan.records import Event
from anomgan_detector.comparison import BINS, LEAST_WINDOWS, WEEK_S, Comparison, Side, comparison_from, judged, told
from anomgan_detector.reload import differing, require_changeable
from anomgan_detector.shadow import hear


def compared(**more: object) -> Comparison:
    """A week of ten devices at one alarm a week; both told ten events."""
    one = Comparison("pumps-0001", "pumps-0002", 1.0, 100_000, 90, 10 * WEEK_S, 0.0, WEEK_S, 3, 0)
    one.champion, one.challenger = Side(100, 10), Side(100, 10)
    for name, value in more.items():
        setattr(one, name, value)
    return one


def test_a_challenger_as_good_as_the_champion_is_promoted() -> None:
    promotes, why = judged(compared(), 24.0)
    assert promotes
    assert why.startswith("it would have told 10 events, the champion told 10, the alarm budget allows 16.3")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"last_s": 3600.0}, "so far 1 of 24 hours"),
        ({"first_s": None}, "so far 0 of 24 hours"),
        ({"windows": LEAST_WINDOWS - 1}, "999 of 1,000 windows"),
        ({"challenger": Side(100, 17)}, "it would have told 17 events, the champion told 10, and the alarm budget"),
        ({"challenger": Side(1001, 1)}, "calls 1,001 windows anomalous, the champion 100"),
        ({"severe_missed": 1}, "it missed 1 of 3 that were worse than minor"),
    ],
)
def test_one_that_is_worse_or_new_is_not(change: dict[str, object], why: str) -> None:
    promotes, said = judged(compared(**change), 24.0)
    assert not promotes
    assert why in said


def test_where_the_champion_itself_alarms_more_than_its_budget_a_calmer_one_is_welcome() -> None:
    assert judged(compared(champion=Side(5000, 400), challenger=Side(3000, 300)), 24.0)[0]


def test_it_is_the_same_after_a_way_through_json() -> None:
    one = compared()
    one.challenger.newest.append("p1@1 major: flow")
    assert comparison_from(json.loads(json.dumps(one.document()))) == one
    with pytest.raises((TypeError, KeyError)):
        comparison_from({"champion": {}, "challenger": {"nonsense": 1}})


def test_quantiles_are_those_of_the_bins() -> None:
    bins = [0] * BINS
    bins[0], bins[3], bins[-1] = 90, 9, 1
    side = Side(bins=bins)
    assert [side.quantile(share) for share in (0.5, 0.9, 0.95, 0.995)] == [0.25, 0.25, 1.0, BINS * 0.25]


def test_an_event_that_gets_worse_or_never_ends_is_one_event() -> None:
    side = Side()
    one = Event("p@1", "p", "", "open", 1.0, 2.0, 5.0, 1.0, "minor", (), (), (), (), "flow is odd")
    hear(side, [one])
    hear(side, [replace(one, severity="major")])
    assert (side.events, side.newest) == (1, [])
    hear(side, [replace(one, severity="major", state="closed"), replace(one, id="p@9")])
    assert (side.events, side.newest, side.open) == (2, ["p@1 major: flow is odd"], ["p@9"])


def test_the_report_says_it_all() -> None:
    one = compared()
    one.challenger.newest.append("p1@1000 major: flow is 2 where 12 was expected")
    one.champion.cpu_s = one.challenger.cpu_s = 10.0
    said = "\n".join(told(one, 24.0))
    for words in (
        "pumps-0002 beside pumps-0001 over 168 h, 100,000 windows, 10 device-weeks; budget 1 a week",
        "10 events (1 a device-week)",
        "100 µs a window",
        "flow is 2 where 12 was expected",
        "the same verdict on 99.98% of windows; of 110 anomalous to either, 90 to both",
        "the rule promotes it: ",
    ):
        assert words in said
    assert "cost unknown" in "\n".join(told(Comparison("a", "b", 1.0), 24.0))


# ---------------------------------------------------------------- which settings may change


def config(**tables: object) -> ServiceConfig:
    fleet = {"model": "a.safetensors", "topic": "plant/{device}"}
    return parse_config(ServiceConfig, {"fleets": [fleet], "store": {"sqlite": {"path": "x"}}, **tables}, "f.toml")


def test_every_difference_is_named_by_its_path() -> None:
    assert sorted(differing({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 2}, "d": [2]})) == ["a.b", "a.c", "d"]
    assert list(differing([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 3}], "fleets")) == ["fleets.1.a"]
    assert list(differing([{"a": 1}], [], "fleets")) == ["fleets"]


@pytest.mark.parametrize(
    "tables",
    [
        {"decide": {"open_after": 3}},
        {"input": {"batch": 7, "max_future_s": 5.0}},
        {"publish": {"events": "elsewhere/{device}"}},
        {"dashboard": {}},
        {"fleets": [{"model": "a.safetensors", "topic": "plant/{device}", "alarms_per_week": 3.0, "devices": ["a"]}]},
        {"fleets": [{"model": "a.safetensors", "topic": "plant/{device}", "learn": {"retrain_h": 30.0}}]},
    ],
)
def test_what_may_change(tables: dict[str, object]) -> None:
    require_changeable(config(), config(**tables), "f.toml")


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        ({"broker": {"host": "elsewhere"}}, "broker.host"),
        ({"input": {"queue": 500, "batch": 7}}, "input.queue"),
        ({"publish": {"events": ""}}, r"publish.events \(from or to nothing\)"),
        ({"journal": {"limit_mb": 5.0}}, "journal.limit_mb"),
        ({"store": {"sqlite": {"path": "y"}}}, "store.sqlite.path"),
        ({"fleets": [{"model": "b.safetensors", "topic": "plant/{device}"}]}, "fleets.0.model"),
        ({"fleets": [{"model": "a.safetensors", "topic": "plant/{device}"}] * 2}, "fleets"),
    ],
)
def test_what_may_not(tables: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=f"f.toml: {named} cannot change while the service runs"):
        require_changeable(config(), config(**tables), str(Path("f.toml")))
