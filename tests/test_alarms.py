"""Alarm hygiene: what is told, what is only stored, and that how verdicts fall into turns does not matter."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.alarms import Alarms, Group, Outcome, mutes
from anomgan.alarms.maintenance import Maintenance
from anomgan.alarms.mutes import Mute, muted_until
from anomgan.alarms.together import needed
from anomgan.alarms.tracked import Tracked
from anomgan.config import AlarmsConfig
from anomgan.errors import DataError
from anomgan.records import Event, EventState, Severity

START = 1_767_600_000.0  # a Monday, 2026-01-05 08:00 UTC
GROUP = Group("pumps", "pump", 60.0)
GROUPS = {"pumps": GROUP}
CALENDAR = b"""BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20260105T090000
DTEND;TZID=Europe/Berlin:20260105T100000
RRULE:FREQ=WEEKLY
SUMMARY:filter change
LOCATION:pump-*
END:VEVENT
END:VCALENDAR
"""


def event(
    device: str = "pump-1",
    start_s: float = START,
    end_s: float | None = None,
    state: EventState = "open",
    severity: Severity = "minor",
    channels: Sequence[str] = ("flow",),
    peak: float = 5.0,
) -> Event:
    many = len(channels)
    return Event(
        id=f"{device}@{round(start_s * 1000)}",
        device=device,
        site="north",
        state=state,
        start_s=start_s,
        end_s=start_s + 2.0 if end_s is None else end_s,
        peak=peak,
        peak_s=start_s,
        severity=severity,
        channels=tuple(channels),
        observed=(1.0,) * many,
        expected=(2.0,) * many,
        contributions=(1.0 / max(1, many),) * many,
        reason="flow is 1 where 2 was expected",
        threshold=4.0,
        units=("bar",) * many,
    )


class Desk:
    """Alarms with a clock of their own; `told` and `stored` gather what comes out."""

    def __init__(self, **rule: object) -> None:
        self.alarms = Alarms(AlarmsConfig(**rule))  # type: ignore[arg-type]  # keys of the table
        self.now_s = START
        self.told: list[tuple[str, str]] = []
        self.stored: dict[str, Event] = {}
        self.devices = {("north", f"pump-{i}") for i in range(1, 3)}

    def update(self, *events: Event, standing: Sequence[Event] = (), later_s: float = 0.0) -> list[tuple[str, str]]:
        """A turn: what it told, as (id, state)."""
        self.now_s += later_s
        return self.take(self.alarms.update(GROUP, self.devices, events, standing, self.now_s))

    def take(self, outcome: Outcome) -> list[tuple[str, str]]:
        """What an outcome told."""
        told = [(one.id, one.state) for one in outcome.told]
        self.told += told
        self.stored |= {one.id: one for one in outcome.stored}
        return told


def closed(of: Event, end_s: float | None = None) -> Event:
    return replace(of, state="closed", end_s=of.end_s if end_s is None else end_s)


# ---------------------------------------------------------------- plain


def test_what_nothing_speaks_against_is_told_when_it_opens_worsens_and_closes() -> None:
    desk, one = Desk(), event()
    worse = replace(one, severity="major", peak=7.0)
    assert desk.update(one) == [(one.id, "open")]
    assert desk.update(standing=[one]) == []
    assert desk.update(worse) == [(one.id, "open")]
    assert desk.update(closed(worse)) == [(one.id, "closed")]
    assert desk.stored[one.id].state == "closed"


# ---------------------------------------------------------------- cool-down


def test_what_opens_again_within_the_cool_down_is_the_same_event_and_told_only_if_worse() -> None:
    desk, one = Desk(cool_down_s=100.0), event()
    desk.update(one)
    desk.update(closed(one))
    again = event(start_s=START + 50.0, peak=6.0)
    assert desk.update(again) == []
    assert (desk.stored[one.id].state, desk.stored[one.id].peak) == ("open", 6.0)
    assert desk.stored[one.id].start_s == START
    assert desk.update(closed(again)) == []
    assert desk.stored[one.id].state == "closed"
    third = event(start_s=START + 120.0, severity="critical", peak=11.0)
    assert desk.update(third) == [(one.id, "open")]
    assert desk.update(closed(third)) == [(one.id, "closed")]
    assert list(desk.stored) == [one.id]
    late = event(start_s=third.end_s + 100.0)
    assert desk.update(late) == [(late.id, "open")]


def test_an_event_that_went_on_keeps_the_odder_peak_and_the_worse_severity() -> None:
    desk = Desk(cool_down_s=100.0)
    one = event(severity="critical", peak=12.0)
    desk.update(one)
    desk.update(closed(one))
    desk.update(event(start_s=START + 50.0, peak=6.0))
    assert (desk.stored[one.id].severity, desk.stored[one.id].peak) == ("critical", 12.0)
    assert desk.stored[one.id].end_s == START + 52.0


def test_cool_down_is_each_device_s_own() -> None:
    desk = Desk(cool_down_s=1000.0)
    desk.update(event())
    desk.update(closed(event()))
    other = event("pump-2", START + 10.0)
    assert desk.update(other) == [(other.id, "open")]


# ---------------------------------------------------------------- mutes


def mute(desk: Desk, for_s: float, device: str = "pump-1", channels: Sequence[str] = ()) -> list[tuple[str, str]]:
    made = Mute(device, "*", tuple(channels), desk.now_s + for_s)
    return desk.take(desk.alarms.mute(made, GROUPS, desk.now_s))


def test_a_muted_device_is_stored_and_not_told_and_told_when_the_mute_ends_while_it_is_open() -> None:
    desk, one = Desk(), event()
    mute(desk, 100.0)
    assert desk.update(one) == []
    assert desk.stored[one.id].state == "muted"
    assert desk.stored[one.id].note == "muted until 2026-01-05T08:01:40Z"
    assert desk.update(standing=[one], later_s=99.0) == []
    assert desk.update(standing=[one], later_s=1.0) == [(one.id, "open")]
    assert (desk.stored[one.id].state, desk.stored[one.id].note) == ("open", "")
    assert desk.update(closed(one)) == [(one.id, "closed")]


def test_an_event_that_ends_while_it_is_muted_stays_muted_and_is_never_told() -> None:
    desk, one = Desk(), event()
    mute(desk, 100.0)
    desk.update(one)
    desk.update(closed(one))
    assert desk.update(later_s=1000.0) == []
    assert desk.told == []
    assert desk.stored[one.id].state == "muted"


def test_who_believes_an_event_to_be_open_is_told_once_that_it_is_muted_and_nothing_after_that() -> None:
    desk, one = Desk(), event()
    desk.update(one)
    assert mute(desk, 100.0) == [(one.id, "muted")]
    assert desk.update(replace(one, severity="critical")) == []
    assert desk.update(closed(one)) == []


def test_unmute_tells_what_is_open() -> None:
    desk, one = Desk(), event()
    mute(desk, 100.0)
    desk.update(one)
    count, outcome = desk.alarms.unmute("*", "pump-1", (), GROUPS, desk.now_s)
    assert count == 1
    assert desk.take(outcome) == [(one.id, "open")]
    assert desk.alarms.unmute("*", "pump-1", (), GROUPS, desk.now_s)[0] == 0


def test_an_event_is_muted_by_its_channels_when_all_that_lead_it_are() -> None:
    desk = Desk()
    mute(desk, 100.0, channels=["flow"])
    one, two = event(channels=["flow", "pressure"]), event("pump-2", channels=["flow"])
    assert desk.update(one) == [(one.id, "open")]
    assert desk.update(two) == [(two.id, "open")]  # another device
    mute(desk, 50.0, channels=["pressure"])
    desk.update(standing=[one])
    assert desk.stored[one.id].note == "muted until 2026-01-05T08:00:50Z"  # the first to end decides


def test_mutes_take_patterns_replace_each_other_and_end() -> None:
    first, longer = Mute("pump-*", "*", (), START + 10.0), Mute("pump-*", "*", (), START + 20.0)
    both = mutes.add(mutes.add((), first, START), longer, START)
    assert both == (longer,)
    assert muted_until(both, event("pump-7"), START) == START + 20.0
    assert muted_until(both, event("fan-7"), START) is None
    assert muted_until(both, event("pump-7"), START + 20.0) is None
    assert mutes.add(both, Mute("a", "*", (), START + 99.0), START + 20.0) == (Mute("a", "*", (), START + 99.0),)


def test_an_event_without_channels_is_not_muted_by_channels() -> None:
    assert muted_until([Mute("*", "*", ("flow",), START + 9)], event(channels=()), START) is None


def test_there_is_an_end_to_mutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutes, "MOST", 2)
    desk = Desk()
    for device in ("a", "b"):
        mute(desk, 10.0, device)
    with pytest.raises(DataError, match="2 mutes are in force"):
        mute(desk, 10.0, "c")
    desk.now_s += 10.0
    mute(desk, 10.0, "c")


# ---------------------------------------------------------------- maintenance


def test_events_in_maintenance_are_muted_with_the_reason_and_told_when_they_outlast_it() -> None:
    desk, one = Desk(), event()
    desk.alarms.maintenance = Maintenance(CALENDAR)
    assert desk.update(one) == []
    assert (desk.stored[one.id].state, desk.stored[one.id].note) == ("muted", "maintenance: filter change")
    over_s = START + 3600.0
    within = replace(one, end_s=over_s + GROUP.window_s - 1.0)  # the window still holds rows of the maintenance
    assert desk.update(standing=[within]) == []
    assert desk.update(standing=[replace(one, end_s=over_s + GROUP.window_s + 1.0)]) == [(one.id, "open")]


def test_an_event_whose_last_anomalous_window_lay_in_maintenance_is_not_told_while_it_calms_down() -> None:
    desk, one = Desk(), event(end_s=START + 3590.0)
    desk.alarms.maintenance = Maintenance(CALENDAR)
    desk.update(one)
    assert desk.update(standing=[one], later_s=7200.0) == []
    assert desk.update(closed(one)) == []


def test_windows_of_maintenance_are_not_to_be_learned_from() -> None:
    desk = Desk()
    desk.alarms.maintenance = Maintenance(CALENDAR)
    learnable = [
        desk.alarms.learnable(GROUP, ("north", device), START + after_s)
        for device, after_s in (
            ("pump-1", -1.0),
            ("pump-1", 0.0),
            ("fan-1", 0.0),
            ("pump-1", 3659.0),
            ("pump-1", 3661.0),
        )
    ]
    assert learnable == [True, False, True, False, True]


# ---------------------------------------------------------------- many at once


def plant(devices: int, **rule: object) -> Desk:
    desk = Desk(**rule)
    desk.devices = {("north", f"pump-{i}") for i in range(devices)}
    desk.update()
    return desk


def test_many_devices_at_once_are_told_as_one_event_that_says_how_many_and_which_channels() -> None:
    desk = plant(20)
    events = [event(f"pump-{i}", START + i, channels=["pressure", "flow"][: 1 + i % 2]) for i in range(10)]
    for one in events:
        assert desk.update(one, later_s=0.1) == []
    (told,) = desk.update(later_s=10.0)
    assert told == ("fleet:pump@1767600000000", "open")
    fleet = desk.stored[told[0]]
    assert fleet.reason == "10 of 20 devices at once: pressure in 10, flow in 5"
    assert (fleet.device, fleet.site, fleet.members) == ("fleet:pump", "north", 10)
    assert (fleet.channels, fleet.observed, fleet.units) == (("pressure", "flow"), (1.0, 1.0), ("bar", "bar"))
    assert {desk.stored[one.id].part_of for one in events} == {told[0]}
    for one in events[:9]:
        assert desk.update(closed(one)) == []
    assert desk.update(closed(events[9])) == [(told[0], "closed")]
    assert all(desk.stored[one.id].state == "closed" for one in events)
    alone = event("pump-15", START + 500.0)
    desk.update(alone)
    assert desk.update(later_s=10.0) == [(alone.id, "open")]


def test_a_device_that_falls_silent_in_the_midst_of_one_does_not_hide_the_next() -> None:
    desk = plant(20)
    first = [event(f"pump-{i}", START + i) for i in range(6)]
    desk.update(*first)
    for one in first[:5]:  # the sixth is never heard again
        desk.update(closed(one))
    desk.update(*(event(f"pump-{i}", START + 5000.0 + i) for i in range(6, 13)))
    desk.update(later_s=10.0)
    assert desk.told == [("fleet:pump@1767600000000", "open"), ("fleet:pump@1767605006000", "open")]
    restored = Alarms(desk.alarms.rule)
    restored.restore(desk.alarms.snapshot())
    assert restored.snapshot() == desk.alarms.snapshot()
    assert desk.update(closed(first[5])) == [("fleet:pump@1767600000000", "closed")]


def test_a_late_one_joins_and_a_much_later_one_is_told_by_itself() -> None:
    desk = plant(20)
    for i in range(6):
        desk.update(event(f"pump-{i}", START + i))
    desk.update(later_s=10.0)
    joins, later = event("pump-8", START + 60.0), event("pump-9", START + 200.0)
    assert desk.update(joins) == []
    assert desk.stored[joins.id].part_of == "fleet:pump@1767600000000"
    desk.update(later)
    assert desk.update(later_s=10.0) == [(later.id, "open")]


def test_a_fleet_wide_event_is_told_again_when_it_is_in_twice_as_many_devices_or_worse() -> None:
    desk = plant(20)
    desk.update(*(event(f"pump-{i}", START + i) for i in range(6)))
    assert len(desk.update(later_s=10.0)) == 1
    assert desk.update(*(event(f"pump-{i}", START + i) for i in range(6, 11))) == []
    assert len(desk.update(event("pump-11", START + 11.0))) == 1
    assert len(desk.update(replace(event("pump-11", START + 11.0), severity="critical", peak=20.0))) == 1


@pytest.mark.parametrize(("devices", "failing"), [(1, 1), (2, 2), (4, 4), (20, 5), (100, 29)])
def test_in_a_small_fleet_or_with_few_each_is_told_by_itself(devices: int, failing: int) -> None:
    desk = plant(devices)
    events = [event(f"pump-{i}", START + i) for i in range(failing)]
    desk.update(*events)
    desk.update(later_s=10.0)
    assert desk.told == [(one.id, "open") for one in events]


def test_devices_that_are_not_heard_any_more_do_not_count() -> None:
    desk = plant(100)
    desk.devices = {("north", f"pump-{i}") for i in range(10)}
    desk.update(later_s=7200.0)
    desk.update(*(event(f"pump-{i}", START + 7200.0 + i) for i in range(5)))
    assert len(desk.update(later_s=10.0)) == 1


def test_events_far_apart_in_event_time_are_not_one_although_they_arrive_together() -> None:
    desk = plant(10)
    desk.update(*(event(f"pump-{i}", START + 100.0 * i) for i in range(10)))
    desk.update(later_s=10.0)
    assert len(desk.told) == 10


def test_one_device_that_opens_again_and_again_is_not_many() -> None:
    desk = plant(10)
    for i in range(8):
        one = event("pump-1", START + 5.0 * i)
        desk.update(one)
        desk.update(closed(one))
    assert {key for key, _ in desk.told} == {f"pump-1@{round((START + 5.0 * i) * 1000)}" for i in range(8)}


def test_muted_devices_are_no_members() -> None:
    desk = plant(10)
    mute(desk, 1000.0, "pump-[0-5]")
    desk.update(*(event(f"pump-{i}", START + i) for i in range(10)))
    desk.update(later_s=10.0)
    assert desk.told == [(event(f"pump-{i}", START + i).id, "open") for i in range(6, 10)]


def test_those_told_before_it_was_clear_are_taken_back_once() -> None:
    desk = plant(10, fleet_hold_s=0.0)
    events = [event(f"pump-{i}", START + i) for i in range(5)]
    for one in events[:4]:
        assert desk.update(one) == [(one.id, "open")]
    told = desk.update(events[4])
    assert told[:4] == [(one.id, "muted") for one in events[:4]]
    assert told[4:] == [("fleet:pump@1767600000000", "open")]
    for one in events[:4]:
        assert desk.update(closed(one)) == []


def test_a_single_event_waits_by_the_clock_or_by_its_device_s_time_and_is_told_whole_when_it_ends_first() -> None:
    desk, one = plant(10), event()
    assert desk.update(one) == []
    assert desk.update(later_s=4.9) == []
    assert desk.update(later_s=0.1) == [(one.id, "open")]
    desk, two = plant(10), event("pump-2")
    desk.update(two)
    assert desk.update(standing=[replace(two, end_s=two.end_s + 5.0)]) == [(two.id, "open")]
    desk = plant(10)
    desk.update(two)
    assert desk.update(closed(two)) == [(two.id, "open"), (two.id, "closed")]


def test_a_fleet_wide_event_can_be_muted_by_its_name() -> None:
    desk = plant(10)
    mute(desk, 1000.0, "fleet:pump")
    desk.update(*(event(f"pump-{i}", START + i) for i in range(10)))
    assert desk.update(later_s=10.0) == []


def test_a_fleet_wide_event_is_muted_by_a_calendar_for_all_devices_and_stays_so() -> None:
    desk = plant(10, fleet_hold_s=0.0)
    events = [event(f"pump-{i}", START + i) for i in range(10)]
    desk.update(*events)
    fleet_id = "fleet:pump@1767600000000"
    assert desk.told[-1] == (fleet_id, "open")
    desk.alarms.maintenance = Maintenance(CALENDAR.replace(b"pump-*", b"*"))
    assert desk.take(desk.alarms.look_again(GROUPS, desk.now_s)) == [(fleet_id, "muted")]
    assert desk.update(standing=events, later_s=1.0) == []
    assert (desk.stored[fleet_id].state, desk.stored[fleet_id].note) == ("muted", "maintenance: filter change")
    outlast = [replace(one, end_s=START + 3600.0 + GROUP.window_s + 1.0) for one in events]
    assert desk.update(standing=outlast) == [(fleet_id, "open")]


def test_no_share_means_never_and_a_share_of_all_means_at_least_the_least() -> None:
    assert needed(AlarmsConfig(fleet_share=0.0), 1000) == float("inf")
    assert needed(AlarmsConfig(fleet_share=0.3), 4) == float("inf")
    assert needed(AlarmsConfig(fleet_share=0.3), 5) == 5
    assert needed(AlarmsConfig(fleet_share=0.3), 50) == 15


# ---------------------------------------------------------------- what people say


def test_a_false_alarm_is_stored_as_one_told_once_and_taken_back_exactly() -> None:
    desk, one = Desk(), event()
    desk.update(one)
    before = desk.alarms.find(one.id)
    assert desk.take(desk.alarms.mark(one.id, "false-alarm", "ada")) == [(one.id, "false_alarm")]
    assert desk.stored[one.id].note == "false alarm, says ada"
    assert desk.update(replace(one, severity="critical")) == []
    assert desk.take(desk.alarms.mark(one.id, "", "ada")) == [(one.id, "open")]
    after = desk.alarms.find(one.id)
    assert before is not None
    assert after is not None
    assert after.shown() == replace(before.shown(), severity="critical")
    with pytest.raises(DataError, match="no event 'nonsense'"):
        desk.alarms.mark("nonsense", "real", "")


def test_a_closed_event_that_is_a_false_alarm_is_only_stored_so() -> None:
    desk, one = Desk(), event()
    desk.update(one)
    desk.update(closed(one))
    assert desk.take(desk.alarms.mark(one.id, "false-alarm", "")) == []
    assert desk.stored[one.id].state == "false_alarm"
    assert desk.take(desk.alarms.mark(one.id, "", "")) == []
    assert desk.stored[one.id].state == "closed"


# ---------------------------------------------------------------- state


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
