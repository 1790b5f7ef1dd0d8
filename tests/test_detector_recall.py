"""What the detector service remembers: a crash anywhere loses nothing, doubles nothing and changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detector_plant import NUMBERS, Plant, faulty_series, folder, model
from examples import normal_series, readings_of

from anomgan.detector import Detector
from anomgan.errors import DataError, Refused, ServerError
from anomgan.records import Event, Reading

__all__ = ["folder", "model"]  # fixtures


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
