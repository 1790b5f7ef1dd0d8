"""The detector service over the in-memory twins: nothing is acknowledged before it is stored, lost, or doubled."""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import CHANNELS, normal_series, readings_of

from anomgan.adapters.memory import MemoryPublisher, MemorySource, MemoryStore
from anomgan.adapters.mqtt_carrier import MQTT, MqttCarrier
from anomgan.adapters.ports import Batch, Letter, Turn
from anomgan.config import ServiceConfig, parse_config
from anomgan.detector import Detector
from anomgan.errors import ConfigError, DataError, ModelFileError, Refused, ServerError, Unreachable
from anomgan.records import Event, Reading, TimeSeries, Verdict
from anomgan.stream import StreamDetector
from anomgan_detector.compose import open_journal
from anomgan_detector.courier import Courier
from anomgan_detector.fleet import Fleet
from anomgan_detector.service import FIRST_PAUSE_S, LONGEST_PAUSE_S, DetectorService
from anomgan_detector.telling import Telling

NOW = 1_800_000_000.0
START = 1_700_000_000.0


class Impatient(threading.Event):
    """A stop event on which nobody waits: it remembers how long they would have, and may be set by the n-th wait."""

    def __init__(self, stop_at: int = 10**9) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._stop_at = stop_at

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        self.waits.append(timeout or 0.0)
        if len(self.waits) >= self._stop_at:
            self.set()
        return self.is_set()


@pytest.fixture(scope="session")
def model(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "pump.safetensors"
    detector.save(path)
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journals are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


NUMBERS = count()


class Plant:
    """A service with its twins, and the means to feed and run it."""

    def __init__(self, model: Path, fleets: Sequence[dict[str, Any]] = ({},), stores: int = 1, **tables: Any) -> None:
        table = {"model": str(model), "topic": "plant/{device}/telemetry"}
        document = {
            "fleets": [{**table, **fleet} for fleet in fleets],
            "store": {"sqlite": {"path": "unused"}},
            "decide": {"open_after": 1, "close_after": 2},
            "journal": {"path": f"journal-{next(NUMBERS)}.db"},
            **tables,
        }
        self.config = parse_config(ServiceConfig, document, "service.toml")
        self.source, self.publisher = MemorySource(), MemoryPublisher()
        self.stores = [MemoryStore() for _ in range(stores)]
        self.heard: list[Event] = []
        self.fleets = [Fleet(fleet, self.config.input, self.config.decide) for fleet in self.config.fleets]
        self.journal = open_journal(self.config.journal)
        carrier = MqttCarrier(self.publisher, self.config.publish.qos)
        self.courier = Courier(MQTT, open_journal(self.config.journal), carrier, lambda: NOW)  # never started
        self.service = DetectorService(
            self.config,
            self.fleets,
            self.source,
            self.stores,
            self.journal,
            [self.courier],
            lambda: NOW,
            self.heard.extend,
        )
        self.stop = Impatient()

    @property
    def store(self) -> MemoryStore:
        """The first store."""
        return self.stores[0]

    def feed(self, readings: Iterable[Reading]) -> None:
        """Let readings arrive as flat JSON."""
        for reading in readings:
            topic = f"plant/{reading.device}/telemetry"
            self.source.feed(topic, json.dumps({"ts": reading.time_s, **reading.values}).encode())

    def drain(self) -> None:
        """Turns until one acknowledges nothing."""
        self.source.close()  # the twin then no longer waits for messages
        while self.service.turn(self.stop):
            pass
        while self.courier.carry_some():
            pass


def faulty_series(rows: int = 80) -> TimeSeries:
    """Normal, then three channels far off, then normal again; times that a wire accepts."""
    series = normal_series(rows, 1)
    values = series.values.copy()
    values[40:50] += 20.0
    return TimeSeries(series.times + START, values, CHANNELS)


def test_what_goes_in_comes_out_scored_stored_published_and_acknowledged(model: Path, detector: Detector) -> None:
    plant = Plant(model)
    readings = readings_of(faulty_series(), "p1")
    plant.feed(readings)
    plant.drain()
    alone = StreamDetector(detector).push(readings)
    assert sorted(plant.store.verdicts) == sorted(("", "p1", v.time_s) for v in alone)
    for verdict in alone:
        stored = plant.store.verdicts["", "p1", verdict.time_s]
        np.testing.assert_allclose(stored.surprise, verdict.surprise, rtol=1e-5, atol=1e-5)
        assert stored.model == "pump"
    (event,) = plant.store.events.values()
    assert (event.state, event.device, event.model) == ("closed", "p1", "pump")
    assert START + 39 <= event.start_s <= START + 42
    published = [(topic, json.loads(payload)) for topic, payload in plant.publisher.published]
    (health,) = [told for topic, told in published if topic == "anomgan/p1/health"]
    assert health["ok"]
    published = [(topic, told) for topic, told in published if topic != "anomgan/p1/health"]
    assert {topic for topic, _ in published} == {"anomgan/p1/event"}
    assert [told["state"] for _, told in published][-1] == "closed"
    assert published[0][1]["state"] == "open"
    assert [told["id"] for _, told in published] == [e.id for e in plant.heard]
    assert [m.topic for m in plant.source.acknowledged] == ["plant/p1/telemetry"] * 80
    assert plant.source.unacknowledged == []
    counters = plant.service.counters()
    assert counters["messages_received"] == counters["readings_received"] == counters["readings_admitted"] == 80
    assert counters["readings_admitted"] == counters["readings_warming_up"] + counters["readings_scored"]


def test_how_messages_fall_into_turns_does_not_matter(model: Path) -> None:
    stored = []
    for batch in (1, 7, 500):
        plant = Plant(model, input={"batch": batch})
        plant.feed(readings_of(faulty_series(), "p1"))
        plant.drain()
        verdicts = {key: verdict.anomalous for key, verdict in plant.store.verdicts.items()}
        events = [(event.id, event.state, event.end_s, event.channels) for event in plant.store.events.values()]
        stored.append((verdicts, events))
    assert stored[0] == stored[1] == stored[2]


def watched(order: list[str], name: str, call: Callable[..., None]) -> Callable[..., None]:
    """The same call, which says when it returned."""

    def watch(*args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)
        order.append(name)

    return watch


def test_nothing_is_acknowledged_before_every_store_and_the_journal_have_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, order = Plant(model, stores=2), list[str]()
    for name, owner, method in [
        ("store", plant.stores[0], "write"),
        ("other store", plant.stores[1], "write"),
        ("journal", plant.journal, "append"),
        ("acknowledge", plant.source, "acknowledge"),
        ("publish", plant.publisher, "publish"),
    ]:
        monkeypatch.setattr(owner, method, watched(order, name, getattr(owner, method)))
    plant.feed(readings_of(faulty_series(60), "p1"))
    plant.drain()
    assert order[:4] == ["store", "other store", "journal", "acknowledge"]
    assert set(order[4:]) == {"publish"}


def test_while_a_store_fails_the_batch_is_tried_again_with_growing_pauses_and_nothing_is_lost(model: Path) -> None:
    plant, steady = Plant(model, stores=2), Plant(model)
    plant.stores[1].fail_next(9)
    for one in (plant, steady):
        one.feed(readings_of(faulty_series(), "p1"))
        one.drain()
    assert plant.stores[0].verdicts.keys() == plant.stores[1].verdicts.keys() == steady.store.verdicts.keys()
    assert plant.stores[0].writes == plant.stores[1].writes == 1  # the store that had it is not written again
    assert plant.stop.waits == [min(FIRST_PAUSE_S * 2**n, LONGEST_PAUSE_S) for n in range(9)]
    assert plant.service.counters()["store_failures"] == 9
    assert len(plant.source.acknowledged) == 80
    assert [e.id for e in plant.heard] == [e.id for e in steady.heard]


@pytest.mark.parametrize("error", [Unreachable("gone"), Refused("no such database")])
def test_stopped_while_a_store_fails_leaves_everything_unacknowledged_and_unpublished(
    model: Path, error: Unreachable | Refused, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Plant(model)
    plant.store.fail_next(10**9, error)
    plant.stop = Impatient(stop_at=3)
    plant.feed(readings_of(faulty_series(), "p1"))
    plant.service.run(plant.stop)
    assert plant.source.acknowledged == []
    assert len(plant.source.unacknowledged) == 80
    assert plant.publisher.published == []
    assert plant.heard == []
    assert str(error) in caplog.text


def test_what_a_stopped_service_left_is_delivered_again_to_the_next_and_stored_once(model: Path) -> None:
    """The crash between store and acknowledgement: the same rows are written twice and are there once."""
    first, second = Plant(model), Plant(model)
    first.source.acknowledge = lambda messages: None  # type: ignore[method-assign]  # it crashed before that
    readings = readings_of(faulty_series(), "p1")
    first.feed(readings)
    first.drain()
    verdicts, events = dict(first.store.verdicts), dict(first.store.events)
    second.stores[0] = first.store
    for message in first.source.unacknowledged:
        second.source.feed(message.topic, message.payload)
    second.drain()
    assert second.store.verdicts.keys() == verdicts.keys()
    assert second.store.events == events
    assert len(second.source.acknowledged) == 80


def test_a_message_delivered_again_while_running_changes_nothing_and_is_counted(model: Path) -> None:
    plant = Plant(model)
    readings = readings_of(faulty_series(60), "p1")
    plant.feed([*readings, *readings[20:], *readings])
    plant.drain()
    dropped = {name: count for name, count in plant.service.counters().items() if name.startswith("dropped.")}
    assert sum(dropped.values()) == 100
    assert dropped["dropped.duplicate"] > 0
    steady = Plant(model)
    steady.feed(readings)
    steady.drain()
    assert plant.store.verdicts.keys() == steady.store.verdicts.keys()
    assert plant.store.events == steady.store.events
    assert len(plant.source.acknowledged) == 160


# ---------------------------------------------------------------- what cannot be read

TOPIC = "plant/p1/telemetry"
GOOD = json.dumps({"ts": START, "flow": 1.0}).encode()


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TOPIC, b""),
        (TOPIC, b"{"),
        (TOPIC, b"\xff\xfe\x00"),
        (TOPIC, b"[1, 2]"),
        (TOPIC, b"3.5"),
        (TOPIC, b'{"ts": "yesterday", "flow": 1}'),
        (TOPIC, b'{"ts": 0, "flow": 1}'),
        (TOPIC, b'{"ts": 4102444800, "flow": 1}'),
        (TOPIC, b'{"ts": 1700000000000, "flow": 1}'),
        (TOPIC, b'{"ts": 1700000000, "flow": "' + b"x" * 10_000_000 + b'"}'),
        (TOPIC, b'{"ts": 1700000000, "stranger": 1}'),
        (TOPIC, b'{"ts": 1700000000}'),
        (TOPIC, b'{"ts": null, "flow": null}'),
        ("plant/p\x001/telemetry", GOOD),
        ("plant//telemetry", GOOD),
        ("elsewhere/p1", GOOD),
        (TOPIC + "/more", GOOD),
    ],
    ids=lambda part: str(part[:24]),
)
def test_a_bad_message_is_counted_acknowledged_and_does_not_stop_the_good_ones(
    model: Path, topic: str, payload: bytes
) -> None:
    plant = Plant(model)
    plant.source.feed(TOPIC, GOOD)
    plant.source.feed(topic, payload)
    plant.feed([Reading("p2", START + i, dict.fromkeys(CHANNELS, 1.0)) for i in range(20)])
    plant.drain()
    counters = plant.service.counters()
    assert len(plant.source.acknowledged) == 22
    assert plant.source.unacknowledged == []
    dropped = sum(n for name, n in counters.items() if name.startswith(("dropped.", "ignored_values.")))
    assert dropped + counters.get("missing_values", 0) - 2 >= 1
    assert any(device == "p2" for _, device, _ in plant.store.verdicts)
    received = counters["messages_received"]
    unread = sum(n for name, n in counters.items() if name.startswith("dropped."))
    assert received == counters["readings_admitted"] + unread


def test_the_first_few_bad_messages_of_a_kind_are_shown_and_the_rest_counted(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant = Plant(model)
    for _ in range(50):
        plant.source.feed(TOPIC, b"{")
    with caplog.at_level(logging.WARNING):
        plant.drain()
    assert plant.service.counters()["dropped.broken_json"] == 50
    assert 2 <= caplog.text.count("broken_json") <= 10
    assert TOPIC in caplog.text
    assert "only counted" in caplog.text


def test_retained_messages_are_old_news_unless_wanted(model: Path) -> None:
    for ignore in (True, False):
        plant = Plant(model, input={"ignore_retained": ignore})
        plant.source.feed(TOPIC, GOOD, retained=True)
        plant.drain()
        counters = plant.service.counters()
        assert (counters.get("dropped.retained", 0), counters.get("readings_admitted", 0)) == (int(ignore), 1 - ignore)
        assert len(plant.source.acknowledged) == 1


def test_a_message_without_a_time_is_stamped_on_arrival(model: Path) -> None:
    plant = Plant(model)
    for _ in range(2):
        plant.source.feed(TOPIC, b'{"flow": 1.0}')
    plant.drain()
    assert plant.service.counters()["readings_admitted"] == 2  # one after the other, though in one turn


# ---------------------------------------------------------------- fleets


def test_messages_go_to_the_first_fleet_whose_topic_and_devices_fit(model: Path) -> None:
    fleets: list[dict[str, Any]] = [
        {"devices": ["pump-*"]},
        {"devices": ["fan-?", "pump-1"]},
        {"topic": "other/{site}/{device}", "devices": ["*"]},
    ]
    plant = Plant(model, fleets=fleets)
    for device in ("pump-1", "pump-2", "fan-1", "fan-12"):
        plant.source.feed(f"plant/{device}/telemetry", GOOD)
    plant.source.feed("other/north/pump-1", GOOD)
    plant.drain()
    assert [fleet.devices for fleet in plant.fleets] == [2, 1, 1]
    assert plant.service.counters()["dropped.no_fleet"] == 1
    assert len(plant.source.acknowledged) == 5


def test_every_fleet_has_its_own_budget(model: Path, detector: Detector) -> None:
    plant = Plant(model, fleets=[{"devices": ["a"], "alarms_per_week": 100.0}, {"devices": ["b"]}])
    for device in ("a", "b"):
        plant.feed([Reading(device, START + i, dict.fromkeys(CHANNELS, 1.0)) for i in range(4)])
    plant.drain()
    thresholds = {device: verdict.threshold for (_, device, _), verdict in plant.store.verdicts.items()}
    assert thresholds == {"a": pytest.approx(detector.threshold - 2.0), "b": pytest.approx(detector.threshold)}


def test_single_metrics_become_rows_and_messages_delivered_twice_are_counted(model: Path) -> None:
    plant = Plant(model, fleets=[{"topic": "plant/{device}/{channel}", "dialect": "metric"}])
    for i in range(40):
        for channel in CHANNELS:
            for _ in range(2 if i == 20 else 1):
                plant.source.feed(f"plant/p1/{channel}", json.dumps({"ts": START + i, "value": i % 7}).encode())
    plant.drain()
    counters = plant.service.counters()
    assert counters["readings_admitted"] == 40
    assert counters.get("missing_values", 0) == 0
    assert counters["dropped.duplicate"] == 3
    assert len(plant.source.acknowledged) == 123


def test_the_device_may_stand_in_the_payload(model: Path) -> None:
    plant = Plant(model, fleets=[{"topic": "plant/all", "device_key": "id"}])
    plant.source.feed("plant/all", json.dumps({"ts": START, "id": "p9", "flow": 1.0}).encode())
    plant.drain()
    assert plant.fleets[0].devices == 1


def test_a_fleet_without_its_model_or_with_a_wrong_topic_is_refused_at_once(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        Plant(tmp_path / "nowhere.safetensors")
    with pytest.raises(ConfigError, match="planet"):
        Plant(model, fleets=[{"topic": "plant/{planet}"}])


# ---------------------------------------------------------------- telling


def test_an_event_that_cannot_be_published_waits_and_is_told_when_the_broker_is_back(model: Path) -> None:
    plant, steady = Plant(model), Plant(model)
    plant.publisher.connected = False
    for one in (plant, steady):
        one.feed(readings_of(faulty_series(), "p1"))
        if one is plant:
            with pytest.raises(Unreachable):
                one.drain()
        else:
            one.drain()
    assert len(plant.store.events) == 1
    assert len(plant.source.acknowledged) == 80
    assert plant.heard
    assert plant.journal.standing().letters == len(steady.publisher.published) >= 2
    plant.publisher.connected = True
    plant.drain()
    assert plant.publisher.published == steady.publisher.published
    assert plant.journal.standing().letters == 0


def test_what_a_broker_will_never_have_is_kept_in_quarantine_and_holds_up_nothing(model: Path) -> None:
    plant = Plant(model)
    plant.journal.append(Turn(NOW, []), [Letter(MQTT, b"?", "no/+/topic"), Letter(MQTT, b"!", "a/topic")])
    assert plant.courier.carry_some() == 2
    assert plant.publisher.published == [("a/topic", b"!")]
    standing = plant.journal.standing()
    assert (standing.letters, standing.quarantined) == (0, 1)
    assert plant.service.counters() == {"quarantined.mqtt": 1}


# ---------------------------------------------------------------- remembering


class Crashed(Exception):
    """What ends a service as a power cut does."""


def outcome(plant: Plant) -> tuple[dict[object, tuple[object, ...]], dict[str, Event]]:
    """Every stored verdict as numbers, and every stored event."""
    verdicts = {
        key: (one.anomalous, one.threshold, round(one.surprise, 4) if np.isfinite(one.surprise) else None)
        for key, one in plant.store.verdicts.items()
    }
    return verdicts, plant.store.events  # type: ignore[return-value]  # keys are tuples


@pytest.mark.parametrize("dialect", ["flat", "metric"])
@pytest.mark.parametrize("snapshot_s", [1e-9, 1e9])
@pytest.mark.parametrize(("owner", "method"), [("store", "write"), ("journal", "append"), ("source", "acknowledge")])
@pytest.mark.parametrize("late", [False, True])
def test_a_crash_anywhere_in_any_turn_neither_loses_nor_doubles_nor_changes_anything(
    model: Path, dialect: str, snapshot_s: float, owner: str, method: str, late: bool
) -> None:
    """Killed before or after each step of each turn in turn, and started again, it stores what a steady one stores."""
    readings = [
        one
        for pair in zip(readings_of(faulty_series(), "a"), readings_of(faulty_series(), "b"), strict=True)
        for one in pair
    ]
    tables: dict[str, Any] = {"input": {"batch": 23 if dialect == "flat" else 60}}
    fleets = [{} if dialect == "flat" else {"dialect": "metric", "topic": "plant/{device}/{channel}"}]
    messages = [
        message
        for one in readings
        for message in (
            [(f"plant/{one.device}/telemetry", json.dumps({"ts": one.time_s, **one.values}).encode())]
            if dialect == "flat"
            else [
                (f"plant/{one.device}/{channel}", json.dumps({"ts": one.time_s, "value": value}).encode())
                for channel, value in one.values.items()
            ]
        )
    ]
    steady = Plant(model, fleets, **tables)
    for topic, payload in messages:
        steady.source.feed(topic, payload)
    steady.drain()

    path = f"journal-{next(NUMBERS)}.db"
    tables["journal"] = {"path": path, "snapshot_s": snapshot_s}
    plant = Plant(model, fleets, **tables)
    for topic, payload in messages:
        plant.source.feed(topic, payload)
    plant.source.close()
    crashes = 0
    published: list[tuple[str, bytes]] = []
    while True:
        target = getattr(plant, owner)
        call = getattr(target, method)

        def fail(*arguments: object, call: Callable[..., None] = call) -> None:
            if late:
                call(*arguments)
            raise Crashed

        plant.service.turn(plant.stop)  # one turn that goes well, then one that does not
        setattr(target, method, fail)
        try:
            if not plant.service.turn(plant.stop):
                break
        except Crashed:
            crashes += 1
        setattr(target, method, call)
        plant.courier.carry_some()
        published += plant.publisher.published
        after = Plant(model, fleets, **tables)
        after.source, after.stores[:] = plant.source, plant.stores
        after.service._source, after.service._stores = plant.source, after.stores
        after.source.reconnect()  # the broker delivers what was not acknowledged
        plant.journal.close()
        after.service.recall()
        plant = after
    plant.drain()
    published += plant.publisher.published
    assert crashes >= 3
    assert outcome(plant) == outcome(steady)
    assert published == steady.publisher.published
    counters, expected = plant.service.counters(), steady.service.counters()
    for name in ("readings_admitted", "windows_scored", "readings_scored", "readings_warming_up"):
        assert counters[name] == expected[name]


def test_a_fleet_whose_model_has_changed_begins_anew_and_the_others_go_on(
    model: Path, detector: Detector, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    Detector.fit(normal_series(300, 5), detector.config.model_copy(update={"seed": 9})).save(other)
    fleets = [{"devices": ["a"]}, {"devices": ["b"]}]
    tables = {"journal": {"path": "one-journal.db"}}
    first = Plant(model, fleets, **tables)
    for device in ("a", "b"):
        first.feed(readings_of(faulty_series(30), device))
    first.stop.set()
    first.drain()
    first.service.run(first.stop)
    first.journal.close()
    second = Plant(model, [fleets[0], fleets[1] | {"model": str(other)}], **tables)
    said = second.service.recall()
    assert "state of 1 of 2 fleets, 0 messages since, 1 devices known" in said
    assert [fleet.devices for fleet in second.fleets] == [1, 0]


def test_a_damaged_snapshot_is_refused_by_the_journal_s_name(model: Path) -> None:
    plant = Plant(model)
    plant.journal.checkpoint({f"{plant.fleets[0].key}/stream": b"nothing of ours"})
    with pytest.raises(ServerError, match=r"journal journal-\d+\.db: .*snapshot"):
        plant.service.recall()


@pytest.mark.parametrize(
    "counters", [b"", b"5", b"[1, 2]", b'["ab", {}]', b'[{"a": "1"}, {}]', b"[{}]", b"[{}, {}, {}]"]
)
def test_counters_that_are_none_are_refused(model: Path, counters: bytes) -> None:
    fleet = Plant(model).fleets[0]
    with pytest.raises(DataError, match="snapshot is incomplete"):
        fleet.restore({**fleet.snapshot(), "counters": counters})


def test_two_services_cannot_share_a_journal(model: Path) -> None:
    first, second = Plant(model, journal={"path": "shared.db"}), Plant(model, journal={"path": "shared.db"})
    first.journal.claim()
    with pytest.raises(Refused, match=r"shared\.db: another detector service uses it"):
        second.journal.claim()
    first.journal.close()
    second.journal.claim()
    second.journal.close()


def test_a_full_journal_stops_acknowledging_and_loses_nothing(model: Path) -> None:
    plant = Plant(model, journal={"path": "small.db", "limit_mb": 0.0005}, input={"batch": 5})
    plant.stop = Impatient(stop_at=3)
    plant.feed(readings_of(faulty_series(), "p1"))
    plant.service.run(plant.stop)
    assert 0 < len(plant.source.acknowledged) < 80
    assert len(plant.source.acknowledged) + len(plant.source.unacknowledged) + len(plant.source._waiting) == 80
    assert plant.service.counters()["store_failures"] == 3


def test_an_empty_topic_publishes_nothing(model: Path) -> None:
    plant = Plant(model, publish={"events": "", "health": ""})
    plant.feed(readings_of(faulty_series(), "p1"))
    plant.drain()
    assert plant.publisher.published == []
    assert plant.heard


def test_a_turn_without_messages_does_nothing(model: Path) -> None:
    plant = Plant(model)
    plant.drain()
    assert plant.store.writes == 0
    assert plant.service.counters() == {}


def test_a_set_stop_ends_the_service_after_the_turn_under_way(model: Path) -> None:
    plant = Plant(model, input={"batch": 30})
    store = plant.store
    write = store.write

    def write_and_stop(batch: Batch) -> None:
        write(batch)
        plant.stop.set()

    store.write = write_and_stop  # type: ignore[method-assign]  # watched, not replaced
    plant.feed(readings_of(faulty_series(), "p1"))
    plant.service.run(plant.stop)
    assert len(plant.source.acknowledged) == 30
    assert plant.source.unacknowledged == []


def test_the_stored_counters_are_the_totals(model: Path) -> None:
    plant = Plant(model, input={"batch": 30})
    plant.feed(readings_of(faulty_series(), "p1"))
    plant.drain()
    assert plant.store.counters["messages_received"] == 80
    scored = [v for v in plant.store.verdicts.values() if np.isfinite(v.surprise)]
    assert plant.store.counters["windows_scored"] == len(scored)
    assert all(isinstance(v, Verdict) for v in scored)


def test_an_open_event_is_stored_as_it_stands_and_told_only_when_it_changes(model: Path) -> None:
    plant = Plant(model, input={"batch": 1})
    rows = readings_of(faulty_series(), "p1")[:48]  # it ends in the middle of the fault
    plant.feed(rows)
    plant.drain()
    (event,) = plant.store.events.values()
    flagged = [verdict for verdict in plant.store.verdicts.values() if verdict.anomalous]
    assert event.state == "open"
    assert event.end_s == max(verdict.time_s for verdict in flagged)
    assert event.peak == max(verdict.surprise for verdict in flagged)
    assert len(plant.publisher.published) < len(flagged)


def test_the_unit_in_a_payload_reaches_the_event_and_outlives_a_restart(model: Path) -> None:
    def pack(reading: Reading) -> bytes:
        first = {"bn": "", "bt": reading.time_s, "n": "flow", "u": "m3/h", "v": reading.values["flow"]}
        return json.dumps([first, *({"n": n, "v": reading.values[n]} for n in ("pressure", "current"))]).encode()

    plant = Plant(model, fleets=[{"dialect": "senml"}])
    for reading in readings_of(faulty_series(), "p1"):
        plant.source.feed("plant/p1/telemetry", pack(reading))
    plant.drain()
    (event,) = plant.store.events.values()
    assert dict(zip(event.channels, event.units, strict=True))["flow"] == "m3/h"
    again = Plant(model, fleets=[{"dialect": "senml"}])
    again.fleets[0].restore(plant.fleets[0].snapshot())
    assert again.fleets[0].snapshot()["units"] == plant.fleets[0].snapshot()["units"] != b"[]"


# ---------------------------------------------------------------- telling others


def told_by(model: Path, *, crash_at: int | None, restart: bool) -> list[tuple[str, str, bytes, bool]]:
    """Every letter of a run over several devices, each once; the process may die after a turn and start again."""
    tables: dict[str, Any] = {
        "homeassistant": {"enabled": True, "score_every_s": 7.0},
        "control": {"authentication": "broker"},
        "notify": {"per_hour": 2, "min_severity": "minor"},
        "input": {"batch": 16},
        "journal": {"path": f"journal-{next(NUMBERS)}.db"},
    }
    rows = [
        reading
        for rows in zip(*(readings_of(faulty_series(), f"p{i}") for i in range(4)), strict=True)
        for reading in rows
    ]
    plant = Plant(model, **tables)
    letters: list[Letter] = []
    turns = 0
    plant.feed(rows[:200])
    plant.source.feed("homeassistant/status", b"online")
    plant.feed(rows[200:])
    source = plant.source
    source.close()
    while True:
        telling = Telling(plant.config, ["notify.a"])
        now = lambda: NOW + turns  # noqa: B023, E731 the clock of this run
        service = DetectorService(
            plant.config, plant.fleets, source, plant.stores, plant.journal, [], now, None, telling
        )
        service.recall()
        while service.turn(plant.stop):
            turns += 1
            if turns == 3 and restart:
                service._checkpoint()
            if turns == crash_at:
                break
        else:
            break
        plant.journal.close()
        fresh = Plant(model, **tables)  # nothing but the journal is left
        plant.fleets, plant.journal = fresh.fleets, fresh.journal
    for addressee in ("mqtt", "notify.a"):
        letters += plant.journal.letters(addressee, 10_000)
    return [(one.addressee, one.topic, one.body, one.retain) for one in letters]


def test_after_a_crash_others_are_told_what_an_undisturbed_run_tells_them(model: Path) -> None:
    steady = told_by(model, crash_at=None, restart=False)
    assert {letter[0] for letter in steady} == {"mqtt", "notify.a"}
    assert sum(topic.endswith("/config") for _, topic, _, _ in steady) > 4 * 4  # again after the birth
    for crash_at in (1, 3, 5, 12):
        assert told_by(model, crash_at=crash_at, restart=True) == steady


def test_the_summary_of_an_hour_is_told_without_any_further_message(model: Path) -> None:
    plant = Plant(model, notify={"per_hour": 1, "min_severity": "minor", "on": ["open"]})
    now = [NOW]
    service = DetectorService(
        plant.config,
        plant.fleets,
        plant.source,
        plant.stores,
        plant.journal,
        [],
        lambda: now[0],
        None,
        Telling(plant.config, ["notify.a"]),
    )
    for device in ("p1", "p2", "p3"):
        plant.feed(readings_of(faulty_series(), device))
    plant.source.close()
    assert service.turn(plant.stop) == 240
    assert service.turn(plant.stop) == 0
    assert len(plant.journal.letters("notify.a", 9)) == 1
    now[0] += 3600.0
    service.turn(plant.stop)
    service.turn(plant.stop)
    assert [json.loads(one.body)[0] for one in plant.journal.letters("notify.a", 9)][1:] == ["and 2 more events"]
    assert service.counters()["notices_summed_up"] == 2
