"""Many devices at once: one event that is told in place of theirs."""

from dataclasses import replace

import pytest
from alarm_desk import CALENDAR, GROUP, GROUPS, START, closed, event, mute, plant

from anomgan.alarms import Alarms
from anomgan.alarms.maintenance import Maintenance
from anomgan.alarms.together import ACTIVE_S, Fleet, needed
from anomgan.config import AlarmsConfig


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


def test_devices_that_have_not_been_heard_for_an_hour_are_let_go_of_and_count_no_more() -> None:
    fleet, naive = Fleet(), dict[tuple[str, str], float]()
    for turn in range(300):
        now_s = START + 97.0 * turn
        heard = [("", f"d{turn // 7 + k * k}") for k in range(turn % 5)]
        fleet.hear(heard, now_s)
        naive |= dict.fromkeys(heard, now_s)
        assert fleet.active(now_s) == len(fleet.heard) == sum(now_s - at_s <= ACTIVE_S for at_s in naive.values())


def test_many_of_which_each_is_in_maintenance_are_told_to_nobody() -> None:
    desk = plant(20)
    desk.update(*(event(f"pump-{i}", START + i) for i in range(10)))
    (told,) = desk.update(later_s=10.0)
    assert told[1] == "open"
    desk.alarms.maintenance = Maintenance(CALENDAR)  # of pump-*
    assert desk.take(desk.alarms.look_again(GROUPS, desk.now_s)) == [(told[0], "muted")]
    assert desk.stored[told[0]].note == "maintenance: filter change"
    some = Maintenance(CALENDAR.replace(b"pump-*", b"pump-1"))
    desk.alarms.maintenance = some
    assert desk.take(desk.alarms.look_again(GROUPS, desk.now_s)) == [(told[0], "open")]


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
