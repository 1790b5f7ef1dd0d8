"""The detector service while models change, over the in-memory twins: a change is whole or not at all."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from examples import CHANNELS, normal_series, readings_of

from anomgan.adapters.memory import MemoryPublisher, MemorySource, MemoryStore
from anomgan.adapters.mqtt_carrier import MQTT, MqttCarrier
from anomgan.config import ServiceConfig, parse_config
from anomgan.decide import FleetDecisions
from anomgan.detector import Detector
from anomgan.errors import ConfigError, ModelFileError, ServerError
from anomgan.model_file import pack
from anomgan.records import Reading, TimeSeries
from anomgan.stream import StreamDetector
from anomgan_detector.compose import open_journal
from anomgan_detector.courier import Courier
from anomgan_detector.renewal import LOOK_S, Renewal
from anomgan_detector.service import POSTS, DetectorService
from anomgan_detector.shadow import Shadowed

START = 1_700_000_000.0
FOLDER = "models/pumps/"


class Crashed(Exception):
    """What ends a service as a power cut does."""


class Clock:
    """A wall clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


class Plant:
    """A service with a renewal over its twins. A second one of the same source and store is its next start."""

    def __init__(self, before: "Plant | None" = None, **tables: Any) -> None:
        document = {
            "fleets": [{"model": FOLDER, "topic": "plant/{device}/telemetry"}],
            "store": {"sqlite": {"path": "unused"}},
            "decide": {"open_after": 1, "close_after": 2},
            "journal": {"path": "journal.db", "snapshot_s": 1e9},
            "input": {"batch": 10},
            **tables,
        }
        self.document, self.tables = document, tables
        self.clock = Clock() if before is None else before.clock
        self.source = MemorySource() if before is None else before.source
        self.store = MemoryStore() if before is None else before.store
        self.publisher = MemoryPublisher() if before is None else before.publisher
        self.config = self.read()
        self.journal = open_journal(self.config.journal)
        record = self.journal.snapshot().get(POSTS)
        self.renewal = Renewal(self.config, self.clock, Path("detector.toml"), self.read, record)
        self.courier = Courier(
            MQTT, open_journal(self.config.journal), MqttCarrier(self.publisher, 1), self.clock
        )  # never started
        stores = [self.store, *self.renewal.histories.values()]
        self.service = DetectorService(
            self.config,
            self.renewal.posts(),
            self.source,
            stores,
            self.journal,
            [self.courier],
            self.clock,
            renewal=self.renewal,
        )
        self.stop = _Never()
        self.recalled = self.service.recall()

    def read(self) -> ServiceConfig:
        """The configuration, as if from its file."""
        return parse_config(ServiceConfig, self.document, "detector.toml")

    def feed(self, readings: Iterable[Reading]) -> None:
        """Let readings arrive as flat JSON."""
        for one in readings:
            self.source.feed(f"plant/{one.device}/telemetry", json.dumps({"ts": one.time_s, **one.values}).encode())

    def turns(self, count: int) -> None:
        """So many turns, a look at models before each."""
        for _ in range(count):
            self.clock.now_s += LOOK_S
            self.service.turn(self.stop)
        self.carry()

    def carry(self) -> None:
        """Bring all letters."""
        while self.courier.carry_some():
            pass

    def again(self) -> "Plant":
        """The next start after a crash: the broker delivers what was not acknowledged."""
        self.journal.close()
        for history in self.renewal.histories.values():
            history.close()
        self.source.reconnect()
        return Plant(self, **self.tables)


class _Never:
    """A stop that nobody sets; waiting for it takes no time."""

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        raise Crashed  # a store failed: in these tests that is the end


@pytest.fixture(scope="session")
def models(detector: Detector) -> list[bytes]:
    """Two detectors of other scale and seed, as files."""
    other = Detector.fit(normal_series(600, 7), detector.config.model_copy(update={"seed": 3}))
    return [pack(detector.parts), pack(other.parts)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faulty_series(rows: int = 120) -> TimeSeries:
    """Faults before, across and after row 60."""
    series = normal_series(rows, 1)
    values = series.values.copy()
    for first, last in ((30, 36), (57, 64), (90, 97)):
        values[first:last] += 20.0
    return TimeSeries(series.times + START, values, CHANNELS)


def outcome(plant: Plant) -> tuple[Any, ...]:
    verdicts = {
        key: (one.model, one.anomalous, round(one.surprise, 4) if np.isfinite(one.surprise) else None)
        for key, one in plant.store.verdicts.items()
    }
    return verdicts, plant.store.events, plant.publisher.published


@contextmanager
def folder_of(models: list[bytes], count: int) -> Iterator[Any]:
    from anomgan.adapters.model_folder import ModelFolder

    one = ModelFolder(FOLDER)
    for content in models[:count]:
        one.add(content, 1.0, "")
    yield one


def run_through(models: list[bytes], crash: Callable[[Plant, int], Plant] = lambda plant, turn: plant) -> Plant:
    """Thirty turns of four rows with a promotion in the middle; `crash` may end the service in any of them.

    The state is written every second turn, so that what is made again is less than a window.
    """
    with folder_of(models, 2) as here:
        plant = Plant(journal={"path": "journal.db", "snapshot_s": 1.5 * LOOK_S}, input={"batch": 4})
        plant.feed(readings_of(faulty_series(), "a"))
        for turn in range(30):
            if turn == 15:
                here.promote(2, models[1], 2.0, "")
            plant = crash(plant, turn)
            plant.turns(1)
        plant.source.close()
        while plant.service.turn(plant.stop):  # type: ignore[arg-type]  # it is asked for the same things
            plant.carry()
        plant.carry()
    return plant


def test_a_model_that_is_promoted_judges_from_the_next_turn_on_with_the_windows_and_events_of_the_one_before(
    models: list[bytes],
) -> None:
    plant = run_through(models)
    by_time = {key[2] - START: one for key, one in plant.store.verdicts.items()}
    assert {one.model for second, one in by_time.items() if second < 60} == {"pumps-0001"}
    assert {one.model for second, one in by_time.items() if second >= 60} == {"pumps-0002"}
    assert all(np.isfinite(one.surprise) for second, one in by_time.items() if second >= 16)
    events = sorted(plant.store.events.values(), key=lambda event: event.start_s)
    across = [event for event in events if event.start_s < START + 60 <= event.end_s]
    assert len(across) == 1, "the event that was open goes on under its name"
    assert all(event.state == "closed" for event in events)
    states = [json.loads(body)["state"] for _, body in plant.publisher.published if across[0].id in body.decode()]
    assert states[0] == "open"
    assert states.count("closed") == 1


@pytest.fixture(scope="session")
def steady(models: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """What comes out without a crash."""
    with chdir(tmp_path_factory.mktemp("steady")):
        return outcome(run_through(models))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("owner", "method"),
    [("journal", "checkpoint"), ("journal", "append"), ("source", "acknowledge"), ("store", "write")],
)
@pytest.mark.parametrize("when", [15, 16])
def test_a_crash_around_a_promotion_changes_nothing(
    models: list[bytes],
    steady: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
    owner: str,
    method: str,
    late: bool,
    when: int,
) -> None:
    """Turns are made again by the model that made them, whichever judges at the next start."""

    def crash(plant: Plant, turn: int) -> Plant:
        if turn != when:
            return plant
        target = getattr(plant, owner)
        call = getattr(target, method)

        def fail(*arguments: object) -> None:
            if late:
                call(*arguments)
            raise Crashed

        monkeypatch.setattr(target, method, fail)
        with suppress(Crashed):
            plant.turns(1)
        monkeypatch.setattr(target, method, call)
        return plant.again()

    crashed = run_through(models, crash)
    given, expected = outcome(crashed), steady
    by_both = given[0].keys() & expected[0].keys()
    assert given[0].keys() == expected[0].keys()
    # a start in the middle looks at the folder at once: which turn is the first of the new model may differ by one
    same = [key for key in by_both if given[0][key][0] == expected[0][key][0]]
    assert len(same) >= len(by_both) - 2
    assert all(given[0][key] == expected[0][key] for key in same)
    assert [event.id for event in given[1].values()] == [event.id for event in expected[1].values()]
    assert [body for _, body in given[2] if b"closed" in body] != []


def test_a_change_that_the_journal_cannot_take_is_no_change_and_is_tried_again(
    models: list[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with folder_of(models, 2) as here:
        plant = Plant()
        plant.feed(readings_of(faulty_series()[:90], "a"))
        plant.turns(3)
        here.promote(2, models[1], 2.0, "")

        def full(parts: object) -> None:
            raise ServerError("journal: the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(plant.journal, "checkpoint", full)
            plant.turns(3)
        assert {one.model for one in plant.store.verdicts.values()} == {"pumps-0001"}
        assert "the disk is full; nothing is changed, what judged goes on" in caplog.text
        plant.turns(3)
        newest = max(plant.store.verdicts.values(), key=lambda one: one.time_s)
        assert newest.model == "pumps-0002"


def test_turns_are_made_again_by_a_model_whose_file_is_gone(models: list[bytes]) -> None:
    with folder_of(models, 2) as here:
        plant = Plant()
        plant.feed(readings_of(faulty_series(), "a"))
        plant.turns(6)
        here.promote(2, models[1], 2.0, "")
        here.model_path(1).unlink()
        plant = plant.again()
        assert "state of 1 of 1 fleets, 60 messages since, 1 devices known" in plant.recalled
        plant.turns(6)
    assert all(np.isfinite(one.surprise) for one in plant.store.verdicts.values() if one.time_s >= START + 16)
    assert {one.model for one in plant.store.verdicts.values()} == {"pumps-0001", "pumps-0002"}


def test_a_fleet_without_a_model_gathers_and_a_turn_made_again_gathers_nothing_twice(
    models: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant()
    plant.feed(readings_of(faulty_series()[:40], "a"))
    plant.turns(1)
    with monkeypatch.context() as patched:
        patched.setattr(plant.journal, "append", _crash)
        with pytest.raises(Crashed):
            plant.turns(1)
    plant = plant.again()
    plant.turns(4)
    assert plant.store.verdicts == {}
    history = plant.renewal.histories[FOLDER]
    assert [one.time_s - START for one in history.readings()] == list(range(40))
    counters = plant.service.counters()
    assert counters["readings_gathered"] == 40
    with folder_of(models, 1):
        plant.feed(readings_of(faulty_series()[40:60], "a"))
        plant.turns(2)
    verdicts = sorted(plant.store.verdicts.values(), key=lambda one: one.time_s)
    assert verdicts[0].time_s < START + 44, "no warm-up: the history fills the windows"
    alone = StreamDetector(plant.renewal.appointments[0].champion.detector)  # type: ignore[union-attr]  # it has one
    expected = [v for v in alone.push(readings_of(faulty_series()[:60], "a")) if v.time_s >= START + 40]
    assert [one.time_s for one in verdicts] == [one.time_s for one in expected]
    np.testing.assert_allclose([v.surprise for v in verdicts], [v.surprise for v in expected], rtol=1e-4)


def _crash(*_: object) -> None:
    raise Crashed


# ---------------------------------------------------------------- the shadow


def test_a_challenger_tells_nothing_and_is_counted_as_if_it_judged_alone(
    models: list[bytes], detector: Detector
) -> None:
    with folder_of(models, 1) as here:
        plant = Plant()
        here.add(models[1], 2.0, "")
        plant.feed(readings_of(faulty_series(), "a"))
        plant.turns(12)
    assert {one.model for one in plant.store.verdicts.values()} == {"pumps-0001"}
    (post,) = plant.service._maker.fleets
    assert isinstance(post, Shadowed)
    counted = post.shadow.comparison
    alone = StreamDetector(post.shadow.model.detector)
    verdicts = alone.push(readings_of(faulty_series(), "a"))
    events = FleetDecisions(alone.detector.decide_rule(plant.config.decide)).update(verdicts)
    known = [one for one in verdicts if np.isfinite(one.surprise)]
    champions = [one for one in plant.store.verdicts.values() if np.isfinite(one.surprise)]
    assert counted.windows == len(known) == len(champions)
    assert counted.challenger.anomalous == sum(one.anomalous for one in known)
    assert counted.champion.anomalous == sum(one.anomalous for one in champions)
    assert counted.challenger.events == len({event.id for event in events})
    assert counted.champion.events == len(plant.store.events)
    assert sum(counted.challenger.bins) == counted.windows
    assert counted.severe >= 2
    assert counted.severe_missed == 0
    told = [json.loads(body)["id"] for topic, body in plant.publisher.published if topic.endswith("/event")]
    assert set(told) == set(plant.store.events)


def test_a_challenger_in_place_of_another_has_its_windows_filled_from_the_history(models: list[bytes]) -> None:
    with folder_of(models, 2) as here:
        plant = Plant()
        plant.feed(readings_of(faulty_series(), "a"))
        plant.turns(6)
        here.add(models[0], 2.0, "")
        plant.turns(6)
    (post,) = plant.service._maker.fleets
    assert isinstance(post, Shadowed)
    assert post.shadow.model.name == "pumps-0003"
    later = [one for one in plant.store.verdicts.values() if one.time_s >= START + 60]
    assert post.shadow.comparison.windows == len(later) > 0


def test_what_a_shadow_has_counted_survives_a_crash(models: list[bytes]) -> None:
    with folder_of(models, 2):
        plant = Plant()
        plant.feed(readings_of(faulty_series(), "a"))
        plant.turns(5)
        plant = plant.again()
        plant.turns(7)
        (post,) = plant.service._maker.fleets
        crashed = post.shadow.comparison.document()  # type: ignore[attr-defined]  # it has one
    assert crashed["windows"] == len([v for v in plant.store.verdicts.values() if np.isfinite(v.surprise)])
    document = orjson.loads(Path(f"{FOLDER}shadow.json").read_bytes())
    assert document["challenger_name"] == "pumps-0002"


def test_the_rule_promotes_where_the_configuration_says_so(models: list[bytes]) -> None:
    with folder_of(models, 2) as here:
        learn = {"promote": "auto", "shadow_h": 0.6, "say_every_s": 1.0}
        fleets = [{"model": FOLDER, "topic": "plant/{device}/telemetry", "learn": learn}]
        plant = Plant(fleets=fleets, input={"batch": 200})
        series = normal_series(2400, 1)
        plant.feed(readings_of(TimeSeries(series.times + START, series.values, CHANNELS), "a"))
        plant.turns(10)
        assert here.read().champion == 1
        plant.turns(4)
        assert here.read().champion == 2
        last = here.read().changes[-1]
        assert last.reason.startswith("by the rule: it would have told ")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("what", ["model", "manifest"])
def test_a_start_with_a_file_that_was_damaged_meanwhile_goes_on_with_the_model_that_judged_last(
    models: list[bytes], caplog: pytest.LogCaptureFixture, what: str
) -> None:
    with folder_of(models, 1) as here:
        plant = Plant()
        plant.feed(readings_of(faulty_series(), "a"))
        plant.turns(6)
        damaged = here.model_path(1) if what == "model" else here.manifest_path
        content = damaged.read_bytes()
        damaged.write_bytes(content[:100])
        plant = plant.again()
        assert "nothing is changed, what judged goes on" in caplog.text
        plant.turns(6)
        assert {one.model for one in plant.store.verdicts.values()} == {"pumps-0001"}
        assert all(np.isfinite(one.surprise) for one in plant.store.verdicts.values() if one.time_s >= START + 16)
        plant.journal.checkpoint({})
        with pytest.raises(ModelFileError):  # where nobody has judged before, there is nobody to go on
            plant.again()


def test_a_manifest_that_cannot_be_read_is_told_once_and_changes_nothing(
    models: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with folder_of(models, 2) as here, caplog.at_level(logging.ERROR):
        plant = Plant()
        here.manifest_path.write_text("{ half a manif")
        plant.feed(readings_of(faulty_series(), "a"))
        plant.turns(12)
    assert caplog.text.count("not a manifest of models") == 1
    assert {one.model for one in plant.store.verdicts.values()} == {"pumps-0001"}


def test_settings_that_may_change_do_and_others_are_refused_with_all_that_stands_beside_them(
    models: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with folder_of(models, 1):
        plant = Plant()
        plant.feed(readings_of(faulty_series(), "a"))
        plant.turns(3)
        before = max(plant.store.verdicts.values(), key=lambda one: one.time_s).threshold
        plant.document["fleets"][0]["alarms_per_week"] = 1e-3
        plant.document["broker"] = {"port": 1884}
        plant.renewal.ask()
        plant.turns(3)
        assert "broker.port cannot change while the service runs; restart it for that" in caplog.text
        assert {one.threshold for one in plant.store.verdicts.values()} == {before}
        del plant.document["broker"]
        plant.renewal.ask()
        plant.turns(3)
        assert max(plant.store.verdicts.values(), key=lambda one: one.time_s).threshold > before + 2.9
        plant.document["decide"] = {"open_after": -1}
        plant.renewal.ask()
        plant.turns(3)
        assert "decide.open_after" in caplog.text
    assert all(np.isfinite(one.surprise) for one in plant.store.verdicts.values() if one.time_s >= START + 16)


def test_two_fleets_cannot_learn_in_one_folder() -> None:
    from anomgan_detector.compose import require_distinct_models

    table = {"model": FOLDER, "topic": "plant/{device}/telemetry"}
    document = {"fleets": [table, {**table, "devices": ["a"]}], "store": {"sqlite": {"path": "unused"}}}
    with pytest.raises(ConfigError, match="several of them learn in models/pumps/"):
        require_distinct_models(parse_config(ServiceConfig, document, "detector.toml"))
