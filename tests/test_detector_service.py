"""The detector service over the in-memory twins: nothing is acknowledged before it is stored, lost, or doubled."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detector_plant import START, Impatient, Plant, faulty_series, folder, model
from examples import readings_of

from anomgan.adapters.ports import Batch
from anomgan.detector import Detector
from anomgan.errors import Refused, Unreachable
from anomgan.records import Verdict
from anomgan.stream import StreamDetector
from anomgan_detector.service import FIRST_PAUSE_S, LONGEST_PAUSE_S

__all__ = ["folder", "model"]  # fixtures


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


def test_a_full_journal_stops_acknowledging_and_loses_nothing(model: Path) -> None:
    plant = Plant(model, journal={"path": "small.db", "limit_mb": 0.0005}, input={"batch": 5})
    plant.stop = Impatient(stop_at=3)
    plant.feed(readings_of(faulty_series(), "p1"))
    plant.service.run(plant.stop)
    assert 0 < len(plant.source.acknowledged) < 80
    assert len(plant.source.acknowledged) + len(plant.source.unacknowledged) + len(plant.source._waiting) == 80
    assert plant.service.counters()["store_failures"] == 3


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
