"""What the detector service tells others, over the in-memory twins: what waits, what is told again, what never is."""

import json
from pathlib import Path
from typing import Any

import pytest
from detector_plant import NOW, NUMBERS, Plant, faulty_series, folder, model
from examples import readings_of

from anomgan.adapters.mqtt_carrier import MQTT
from anomgan.adapters.ports import Letter, Turn
from anomgan.errors import Unreachable
from anomgan_detector.service import DetectorService
from anomgan_detector.telling import Telling

__all__ = ["folder", "model"]  # fixtures


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


def test_an_empty_topic_publishes_nothing(model: Path) -> None:
    plant = Plant(model, publish={"events": "", "health": ""})
    plant.feed(readings_of(faulty_series(), "p1"))
    plant.drain()
    assert plant.publisher.published == []
    assert plant.heard


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
