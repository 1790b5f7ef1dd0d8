"""The state of alarms: a snapshot anywhere changes nothing, one that cannot be is refused, and memory is bounded."""

from dataclasses import replace

import orjson
import pytest
from alarm_desk import START, Desk, closed, event, mute, plant
from hypothesis import given
from hypothesis import strategies as st

from anomgan.alarms import Alarms
from anomgan.alarms.tracked import Tracked
from anomgan.config import AlarmsConfig
from anomgan.errors import DataError
from anomgan.records import Event


@given(st.data())
def test_a_snapshot_anywhere_changes_nothing(data: st.DataObject) -> None:
    """Random openings, worsenings, closings and mutes: with and without being packed in between, the same comes out."""
    steady, packed = plant(8, cool_down_s=20.0, fleet_min=3), plant(8, cool_down_s=20.0, fleet_min=3)
    live: dict[int, Event] = {}
    for step in range(data.draw(st.integers(1, 25))):
        at_s = START + 7.0 * step
        device = data.draw(st.integers(0, 7))
        if device in live and data.draw(st.booleans()):
            turn = [closed(live.pop(device), at_s)]
        elif device in live:
            live[device] = replace(live[device], severity=data.draw(st.sampled_from(["major", "critical"])), end_s=at_s)
            turn = [live[device]]
        else:
            live[device] = event(f"pump-{device}", at_s)
            turn = [live[device]]
        if data.draw(st.integers(0, 5)) == 0:
            for desk in (steady, packed):
                mute(desk, 30.0, f"pump-{device}")
        if data.draw(st.booleans()):
            snapshot = packed.alarms.snapshot()
            packed.alarms = Alarms(packed.alarms.rule)
            packed.alarms.restore(snapshot)
            assert packed.alarms.snapshot() == snapshot
        told = [desk.update(*turn, standing=list(live.values()), later_s=7.0) for desk in (steady, packed)]
        assert told[0] == told[1]
        assert steady.stored == packed.stored
    opened = [key for key, state in steady.told if state == "open"]
    assert all(
        steady.stored[key].state != "open" or steady.stored[key].part_of or key in opened
        for key in steady.stored
        if steady.alarms._events[key].held_s is None
    )


@pytest.mark.parametrize("bad", [b"", b"{}", b"[]", b'{"version": 2}', b'{"version": 1, "events": 3}', b"\xff"])
def test_bytes_that_are_no_snapshot_are_refused_and_change_nothing(bad: bytes) -> None:
    desk = Desk()
    desk.update(event())
    before = desk.alarms.snapshot()
    with pytest.raises(DataError, match="snapshot of alarms"):
        desk.alarms.restore(bad)
    assert desk.alarms.snapshot() == before


def test_so_many_closed_events_are_remembered_and_every_open_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.alarms.alarms.KEPT", 10)
    desk = Desk()
    lasting = event("pump-2")
    desk.update(lasting)
    for i in range(100):
        one = event("pump-1", START + 100.0 * i)
        desk.update(one)
        desk.update(closed(one))
    assert len(desk.alarms._events) <= 12
    assert desk.alarms.find(lasting.id) is not None
    assert [one.start_s for one in desk.alarms.recent(2)] == [START + 9900.0, START + 9800.0]
    assert isinstance(desk.alarms.latest("north", "pump-1"), Tracked)


def damaged(path: str, value: object) -> bytes:
    """A snapshot with one value, under keys and indices separated by dots, changed; `...` takes it away."""
    desk = Desk(fleet_min=2, cool_down_s=100.0)
    desk.update(event("pump-1"), event("pump-2"))
    desk.update(closed(event("pump-1")), later_s=10.0)
    desk.update(event("pump-1", START + 10.0))
    desk.update(event("pump-9", START + 500.0))
    mute(desk, 30.0, "pump-3")
    document = orjson.loads(desk.alarms.snapshot())
    assert document["aliases"]
    assert document["held"]
    *way, last = (int(key) if key.isdigit() else key for key in path.split("."))
    inner = document
    for key in way:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return orjson.dumps(document)


def test_what_is_damaged_in_these_tests_is_whole_before() -> None:
    Alarms(AlarmsConfig()).restore(damaged("version", 1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("last.0", "abc"),
        ("last.0.2", "nobody@1"),
        ("aliases", []),
        ("aliases.x", "nobody@1"),
        ("aliases.pump-2@1767600000000", "pump-1@1767600000000"),
        ("held", []),
        ("held.0", "nobody@1"),
        ("held.0", ["pump-9@1767600500000"]),
        ("events.0", ...),
        ("events.0.fleet", 5),
        ("events.0.told", "muted away"),
        ("events.0.mark", None),
        ("events.0.held_s", "soon"),
        ("events.0.opened_s", None),
        ("events.0.event.units", ["bar", "bar"]),
        ("events.0.event.start_s", 1e300),
        ("events.0.event.end_s", None),
        ("events.0.event.state", "muted"),
        ("events.1.event.id", "pump-1@1767600000000"),
        ("events.0.base.id", "another"),
        ("mutes.0.until_s", 1e300),
        ("mutes.0.device", 5),
        ("mutes.0.channels", "flow"),
        ("fleets.pumps", []),
        ("fleets.pumps.heard", [["north", "pump-1", "now"]]),
        ("fleets.pumps.recent", [["id", "ab", 1.0]]),
        ("fleets.pumps.open", {"fleet:pump@1767600000000": []}),
        ("fleets.pumps.open", {"fleet:pump@1767600000000": ["nobody@1"]}),
        ("fleets.pumps.newest_id", "nobody@1"),
        ("maintenance", 5),
        ("maintenance", "BEGIN:VCALENDAR"),
    ],
)
def test_a_snapshot_with_one_value_that_cannot_be_is_refused_and_changes_nothing(path: str, value: object) -> None:
    alarms = Alarms(AlarmsConfig())
    before = alarms.snapshot()
    with pytest.raises(DataError):
        alarms.restore(damaged(path, value))
    assert alarms.snapshot() == before
