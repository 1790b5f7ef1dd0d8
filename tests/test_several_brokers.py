"""The detector service with several brokers: every message to its fleet, every event to its broker, nobody confused."""

import json
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from detector_plant import folder, model
from examples import CHANNELS, normal_series, readings_of

from anomgan.adapters.memory import MemorySource, MemoryStore
from anomgan.adapters.merged import MergedSource
from anomgan.adapters.mqtt_carrier import addressee
from anomgan.adapters.ports import Letter, Turn
from anomgan.config import FleetConfig, ServiceConfig, parse_config
from anomgan.errors import ConfigError, DataError
from anomgan.records import Event, Reading, TimeSeries
from anomgan_detector.brokers import subscriptions, told
from anomgan_detector.compose import open_journal, require_distinct_models
from anomgan_detector.fleet import Fleet
from anomgan_detector.origins import Origins
from anomgan_detector.service import DetectorService

NOW, START = 1_800_000_000.0, 1_700_000_000.0
__all__ = ["folder", "model"]  # fixtures

BROKERS = [{"name": "north", "host": "n"}, {"name": "south", "host": "s"}]


def configured(model: Path, *fleets: dict[str, Any], **tables: Any) -> ServiceConfig:
    table = {"model": str(model), "topic": "plant/{device}/telemetry"}
    document = {
        "broker": {"host": "h"},
        "brokers": BROKERS,
        "fleets": [table | fleet for fleet in fleets],
        "store": {"sqlite": {"path": "unused"}},
        "decide": {"open_after": 1, "close_after": 2},
        **tables,
    }
    return parse_config(ServiceConfig, document, "service.toml")


class Plants:
    """A service over the twins of its brokers."""

    def __init__(self, config: ServiceConfig, store: MemoryStore | None = None) -> None:
        self.config = config
        arrived = threading.Event()
        names = config.sources()
        self.brokers = {name: MemorySource(broker=name, on_arrival=arrived.set) for name in names}
        self.store = store or MemoryStore()
        self.fleets = [Fleet(fleet, config.input, config.decide) for fleet in config.fleets]
        self.journal = open_journal(config.journal)
        self.heard: list[Event] = []
        source = MergedSource(self.brokers, arrived)
        self.service = DetectorService(
            config, self.fleets, source, [self.store], self.journal, [], lambda: NOW, self.heard.extend
        )

    def feed(self, broker: str, readings: list[Reading], topic: str = "plant/{device}/telemetry") -> None:
        """Let readings arrive as flat JSON."""
        for reading in readings:
            body = json.dumps({"ts": reading.time_s, **reading.values}).encode()
            self.brokers[broker].feed(topic.format(device=reading.device, site=reading.site), body)

    def drain(self) -> None:
        """Turns until nothing waits."""
        while any(source._waiting for source in self.brokers.values()):
            self.service.turn(threading.Event())

    def letters(self) -> list[Letter]:
        """What waits for brokers, in its order."""
        names = ["", *(broker.name for broker in self.config.brokers)]
        return [letter for name in names for letter in self.journal.letters(addressee(name), 10_000)]


def faulty(device: str, site: str = "") -> list[Reading]:
    series = normal_series(80, 1)
    values = series.values.copy()
    values[40:50] += 20.0
    return readings_of(TimeSeries(series.times + START, values, CHANNELS), device, site)


def test_the_same_topic_on_several_brokers_goes_to_the_fleet_of_each(model: Path) -> None:
    plants = Plants(configured(model, {"broker": "north"}, {"broker": "south"}, {}))
    for broker, count in (("north", 3), ("south", 4), ("", 5)):
        plants.feed(broker, [Reading("p1", START + i, dict.fromkeys(CHANNELS, 1.0)) for i in range(count)])
    plants.drain()
    assert [fleet.counters()["readings_admitted"] for fleet in plants.fleets] == [3, 4, 5]
    assert all(not source.unacknowledged for source in plants.brokers.values())
    assert [len(source.acknowledged) for source in plants.brokers.values()] == [3, 4, 5]


def test_a_topic_that_only_another_broker_s_fleet_has_is_counted_as_nobody_s(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plants = Plants(configured(model, {"broker": "north"}, {"broker": "south", "topic": "other/{device}"}))
    plants.feed("south", [Reading("p1", START, {"flow": 1.0})])
    plants.drain()
    assert plants.service.counters()["dropped.no_fleet"] == 1
    assert "no fleet takes topic 'plant/p1/telemetry' of broker 'south'" in caplog.text


def test_devices_of_one_name_on_two_brokers_are_two_devices_with_two_histories(model: Path) -> None:
    plants = Plants(configured(model, {"broker": "north"}, {"broker": "south"}, {}))
    plants.feed("north", faulty("p1"))
    calm = readings_of(TimeSeries(normal_series(80, 1).times + START, normal_series(80, 1).values, CHANNELS), "p1")
    plants.feed("south", calm)
    plants.feed("", calm)
    plants.drain()
    assert {site for site, _, _ in plants.store.verdicts} == {"", "north", "south"}
    assert {(event.site, event.device) for event in plants.store.events.values()} == {("north", "p1")}


def test_a_site_is_what_the_topic_says_else_what_the_fleet_says_else_the_broker_s_name(model: Path) -> None:
    fleets = [
        {"broker": "north"},
        {"broker": "south", "site": "hall"},
        {"broker": "south", "topic": "sites/{site}/{device}"},
        {"site": "yard"},
    ]
    plants = Plants(configured(model, *fleets))
    row = [Reading("p1", START + i, dict.fromkeys(CHANNELS, 1.0), "mill") for i in range(40)]
    for broker, topic in (
        ("north", "plant/{device}/telemetry"),
        ("south", "plant/{device}/telemetry"),
        ("south", "sites/{site}/{device}"),
        ("", "plant/{device}/telemetry"),
    ):
        plants.feed(broker, row, topic)
    plants.drain()
    assert {site for site, _, _ in plants.store.verdicts} == {"north", "hall", "mill", "yard"}


def test_a_site_that_the_topic_has_cannot_be_given_too(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"it has \{site\}, so site = 'x' is in vain"):
        Plants(configured(model, {"topic": "sites/{site}/{device}", "site": "x"}))
    with pytest.raises(ConfigError, match="site name 'a/b'"):
        Plants(configured(model, {"site": "a/b"}))


def test_a_device_whose_site_two_brokers_name_alike_belongs_to_the_one_that_brought_it_first(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fleets = [{"broker": name, "topic": "sites/{site}/{device}"} for name in ("north", "south")]
    config = configured(model, *fleets, journal={"path": "j.db"})
    plants = Plants(config)
    plants.feed("south", faulty("p1", "mill")[:30], "sites/{site}/{device}")
    plants.drain()
    plants.feed("north", faulty("p1", "mill"), "sites/{site}/{device}")
    plants.feed("north", faulty("p2", "mill"), "sites/{site}/{device}")
    plants.drain()
    totals = plants.service.counters()
    assert (totals["readings_received"], totals["dropped.other_broker"]) == (190, 80)
    assert totals["readings_admitted"] == 110
    assert "device 'mill/p1' is that of another broker" in caplog.text
    assert [fleet.devices for fleet in plants.fleets] == [1, 1]

    for stop in (False, True):  # after a crash, and after an end in order
        if stop:
            plants.service._checkpoint()
        plants.journal.close()
        after = Plants(config, plants.store)
        after.service.recall()
        after.feed("north", faulty("p1", "mill")[:7], "sites/{site}/{device}")
        after.drain()
        assert after.service.counters()["dropped.other_broker"] == 87 + 7 * stop
        plants = after


def test_an_event_goes_to_the_broker_of_its_device_unless_one_is_named_for_all(model: Path) -> None:
    fleets = [{"broker": "north"}, {"broker": "south"}, {}]
    plants = Plants(configured(model, *fleets, journal={"path": "own.db"}))
    together = Plants(configured(model, *fleets, journal={"path": "one.db"}, publish={"broker": "south"}))
    for one in (plants, together):
        for broker in one.brokers:
            one.feed(broker, faulty("p1"))
        one.drain()
    own = [(letter.addressee, letter.topic) for letter in plants.letters()]
    assert set(own) == {
        (to, f"anomgan/{names}/{what}")
        for to, names in (("mqtt", "p1"), ("mqtt:north", "north/p1"), ("mqtt:south", "south/p1"))
        for what in ("event", "health")
    }
    assert {letter.addressee for letter in together.letters()} == {"mqtt:south"}
    assert sorted(topic for _, topic in own) == sorted(letter.topic for letter in together.letters())
    assert sum(topic.endswith("/event") for _, topic in own) == len(plants.heard)


def test_who_is_told_what_follows_from_the_configuration(model: Path) -> None:
    births = {"broker": "south", "dialect": "sparkplug_b", "topic": "spBv1.0/{site}/+/{device#}"}
    assert list(told(configured(model, {"broker": "north"}, {}))) == ["north", ""]
    assert list(told(configured(model, {"broker": "north"}, {}, publish={"broker": "south"}))) == ["south"]
    assert list(told(configured(model, {"broker": "north"}, publish={"events": "", "health": ""}))) == []
    switched_on = {"enabled": True}
    silent = {"events": "", "health": ""}
    assert list(told(configured(model, {"broker": "north"}, publish=silent, homeassistant=switched_on))) == ["north"]
    assert list(told(configured(model, births, {}, publish={"events": "", "health": ""}))) == ["south"]


def test_each_broker_is_asked_for_its_own_topics(model: Path) -> None:
    fleets = [{"broker": "north", "qos": 0, "devices": ["a"]}, {"broker": "north", "qos": 2, "devices": ["b"]}, {}]
    config = configured(model, *fleets, {"broker": "south", "topic": "x/{device}"})
    made = [Fleet(fleet, config.input, config.decide) for fleet in config.fleets]
    assert subscriptions(made, "north") == [("plant/+/telemetry", 2)]
    assert subscriptions(made, "south") == [("x/+", 1)]
    assert subscriptions(made) == [("plant/+/telemetry", 1)]


def test_the_same_topic_on_two_brokers_is_no_mistake_and_twice_on_one_is(model: Path) -> None:
    require_distinct_models(configured(model, {"broker": "north"}, {"broker": "south"}, {}))
    with pytest.raises(ConfigError, match=r"fleets\.1: same topic and devices as fleets\.0"):
        require_distinct_models(configured(model, {"broker": "north"}, {"broker": "north"}))


class Crashed(Exception):
    """What ends a service as a power cut does."""


@pytest.mark.parametrize("snapshot_s", [1e-9, 1e9])
@pytest.mark.parametrize("late", [False, True])
def test_a_crash_loses_and_doubles_nothing_of_any_broker(model: Path, snapshot_s: float, late: bool) -> None:
    fleets = [{"broker": "north"}, {"broker": "south"}]
    steady = Plants(configured(model, *fleets, input={"batch": 23}))
    config = configured(model, *fleets, input={"batch": 23}, journal={"path": "j.db", "snapshot_s": snapshot_s})
    plants = Plants(config)
    for one in (steady, plants):
        for broker in one.brokers:
            one.feed(broker, faulty("p1") + faulty(f"only-{broker}"))
    steady.drain()
    crashes = 0
    while any(source._waiting for source in plants.brokers.values()):
        plants.service.turn(threading.Event())
        append = plants.journal.append

        def fail(turn: Turn, letters: Any, append: Callable[..., None] = append) -> None:
            if late:
                append(turn, letters)
            raise Crashed

        plants.journal.append = fail  # type: ignore[method-assign]  # the power goes at this moment
        try:
            plants.service.turn(threading.Event())
        except Crashed:
            crashes += 1
        plants.journal.close()
        after = Plants(config, plants.store)
        for name, source in plants.brokers.items():
            source.reconnect()
            after.brokers[name]._waiting.extend(source._waiting)
            after.brokers[name]._count = source._count
        after.service.recall()
        plants = after
    assert crashes >= 3
    assert plants.store.verdicts.keys() == steady.store.verdicts.keys()
    assert plants.store.events == steady.store.events
    told_once = [(letter.addressee, letter.topic, letter.body) for letter in steady.letters()]
    assert sorted((letter.addressee, letter.topic, letter.body) for letter in plants.letters()) == sorted(told_once)
    counters, expected = plants.service.counters(), steady.service.counters()
    for name in ("readings_admitted", "readings_scored", "readings_warming_up"):
        assert counters[name] == expected[name]


def test_what_a_fleet_without_a_broker_remembers_is_known_by_the_same_key_as_before_there_were_several(
    model: Path,
) -> None:
    """Its snapshot in a journal of an earlier version is found again."""
    config = FleetConfig(model=str(model), topic="plant/{device}/telemetry")
    plain = configured(model, {})
    (fleet,) = [Fleet(one, plain.input, plain.decide) for one in plain.fleets]
    fields = {"model", "synthesizer", "devices", "qos", "alarms_per_week", "broker", "site", "quality", "learn"}
    as_before = config.model_dump_json(exclude=fields).encode()
    assert as_before == (
        b'{"topic":"plant/{device}/telemetry","dialect":"flat","time_key":"","time_unit":"","device_key":""}'
    )
    assert fleet.key == sha256(sha256(model.read_bytes()).digest() + as_before).hexdigest()[:16]
    several = configured(model, {}, {"broker": "north"}, {"broker": "south"}, {"site": "x"})
    assert len({Fleet(one, several.input, several.decide).key for one in several.fleets}) == 4


def test_fleets_that_share_a_topic_and_a_model_remember_apart(model: Path) -> None:
    shared = configured(model, {"devices": ["p1"]}, {"devices": ["p*"]}, {})
    fleets = [Fleet(one, shared.input, shared.decide) for one in shared.fleets]
    assert len({fleet.key for fleet in fleets}) == len({fleet.group.key for fleet in fleets}) == 3


@pytest.mark.parametrize("bad", [b"", b"{", b"[1]", b'[["a", "b"]]', b"null"])
def test_origins_that_cannot_be_read_are_refused(bad: bytes) -> None:
    with pytest.raises(DataError, match="brokers of devices"):
        Origins().restore(bad)


def test_origins_come_back_as_they_were() -> None:
    origins, again = Origins(), Origins()
    readings = [Reading("d", 0.0, {}, "s"), Reading("e", 0.0, {})]
    assert origins.own("north", readings) == readings
    again.restore(origins.snapshot())
    assert again.own("south", [*readings, Reading("f", 0.0, {})]) == [Reading("f", 0.0, {})]
    assert again.own("north", readings) == readings


def test_devices_of_another_broker_take_no_room_and_those_without_room_belong_to_nobody(model: Path) -> None:
    at = "sites/{site}/{device}"
    fleets = [{"broker": name, "topic": at} for name in ("north", "south")]
    plants = Plants(configured(model, *fleets, input={"most_devices": 2}))
    rows = dict.fromkeys(CHANNELS, 1.0)
    plants.feed("north", [Reading("a", START, rows, "mill"), Reading("b", START, rows, "mill")], at)
    plants.drain()
    # in one turn: two that are north's, and two of its own
    plants.feed("south", [Reading(name, START, rows, "mill") for name in ("a", "b", "c", "d", "e")], at)
    plants.drain()
    totals = plants.service.counters()
    assert (totals["dropped.other_broker"], totals["dropped.too_many_devices"]) == (2, 1)
    assert [fleet.devices for fleet in plants.fleets] == [2, 2]
    assert [plants.fleets[1].knows(("mill", name)) for name in "abcde"] == [False, False, True, True, False]
    plants.feed("north", [Reading("e", START, rows, "mill"), Reading("c", START, rows, "mill")], at)
    plants.drain()
    totals = plants.service.counters()
    assert (totals["dropped.other_broker"], totals["dropped.too_many_devices"]) == (3, 2)


def test_of_topics_that_nobody_takes_the_first_few_are_logged_however_many_messages_each_has(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plants = Plants(configured(model, {"broker": "north"}, {"broker": "south", "topic": "other/{device}"}))
    for number in range(9):
        plants.feed("south", [Reading(f"p{number}", START, {"flow": 1.0})] * 10)
    plants.drain()
    assert plants.service.counters()["dropped.no_fleet"] == 90
    assert [f"plant/p{number}/" in caplog.text for number in range(9)] == [True] * 5 + [False] * 4
    assert caplog.text.count("no fleet takes topic") == 5
    assert "dropped.no_fleet: from now on only counted" in caplog.text
