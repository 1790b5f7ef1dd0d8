"""Alarm hygiene: what is told of single devices' events, and what is only stored."""

from dataclasses import replace

import pytest
from alarm_desk import CALENDAR, GROUP, GROUPS, START, Desk, closed, event, mute

from anomgan.alarms import mutes
from anomgan.alarms.maintenance import Maintenance
from anomgan.alarms.mutes import Mute, muted_until
from anomgan.errors import DataError

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
