"""Maintenance windows: recurrence, time zones, whom they are for, and calendars that are none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.alarms.maintenance import Maintenance
from anomgan.errors import DataError


def calendar(*lines: str, location: str = "pump-*") -> bytes:
    entry = ["BEGIN:VEVENT", "UID:1", "SUMMARY:filter change", *lines]
    entry += [f"LOCATION:{location}"] if location else []
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *entry, "END:VEVENT", "END:VCALENDAR", ""]).encode()


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def during(windows: Maintenance, text: str, device: str = "pump-1", site: str = "") -> bool:
    return windows.during(site, device, at(text), at(text)) is not None


def test_a_window_recurs_in_its_own_time_zone_over_summer_time() -> None:
    berlin = Maintenance(
        calendar(
            "DTSTART;TZID=Europe/Berlin:20260105T080000",
            "DTEND;TZID=Europe/Berlin:20260105T100000",
            "RRULE:FREQ=WEEKLY",
        )
    )
    assert not during(berlin, "2026-01-05T06:59:59")
    assert during(berlin, "2026-01-05T07:00:00")  # winter: an hour ahead of UTC
    assert not during(berlin, "2026-01-05T09:00:00")
    assert during(berlin, "2026-07-06T06:00:00")  # summer: two
    assert not during(berlin, "2026-07-06T08:00:00")
    assert not during(berlin, "2026-07-07T06:30:00")
    assert berlin.during("", "pump-1", at("2026-01-05T07:30:00"), at("2026-01-05T07:30:00")) == "filter change"


def test_exceptions_moved_occurrences_cancelled_entries_and_whole_days_are_understood() -> None:
    rule = ["DTSTART:20260105T080000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260106T080000Z"]
    windows = Maintenance(calendar(*rule))
    assert [during(windows, f"2026-01-0{day}T08:30:00") for day in range(4, 9)] == [False, True, False, True, False]
    assert not during(Maintenance(calendar(*rule, "STATUS:CANCELLED")), "2026-01-05T08:30:00")
    whole = Maintenance(calendar("DTSTART;VALUE=DATE:20260105"))
    edges = ("04T23:59:59", "05T00:00:00", "05T23:59:59", "06T00:00:00")
    assert [during(whole, f"2026-01-{edge}") for edge in edges] == [False, True, True, False]


def test_a_window_over_midnight_and_one_over_weeks_hold_all_the_time() -> None:
    windows = Maintenance(calendar("DTSTART:20260105T230000Z", "DTEND:20260226T010000Z"))
    assert all(during(windows, f"2026-{day}T12:00:00") for day in ("01-06", "01-31", "02-01", "02-25"))
    assert not during(windows, "2026-02-26T01:00:00")


@pytest.mark.parametrize(
    ("location", "source", "meant"),
    [
        ("pump-*", ("", "pump-1"), True),
        ("pump-*", ("north", "pump-1"), True),
        ("pump-*", ("", "fan-1"), False),
        ("fan-1\\, pump-2", ("", "pump-2"), True),
        ("north/*", ("north", "pump-1"), True),
        ("north/*", ("south", "pump-1"), False),
        ("*", ("", "anything"), True),
    ],
)
def test_an_entry_is_for_the_devices_that_its_location_names(
    location: str, source: tuple[str, str], meant: bool
) -> None:
    windows = Maintenance(calendar("DTSTART:20260105T080000Z", "DURATION:PT1H", location=location))
    assert during(windows, "2026-01-05T08:30:00", source[1], source[0]) == meant


def test_its_own_property_goes_before_the_location() -> None:
    lines = ["DTSTART:20260105T080000Z", "DURATION:PT1H", "X-ANOMGAN-DEVICES:fan-*"]
    windows = Maintenance(calendar(*lines, location="Hall 3"))
    assert during(windows, "2026-01-05T08:30:00", "fan-1")
    assert not during(windows, "2026-01-05T08:30:00", "Hall 3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "not a calendar"),
        (b"\xff\xfe\x00", "not a calendar"),
        (b"BEGIN:VCALENDAR\r\n", "not a calendar"),
        (calendar("DTSTART:nonsense"), "not a calendar"),
        (calendar(), "not a calendar"),
        (calendar("DTSTART:20260105T080000Z", "RRULE:FREQ=NEVER"), "not a calendar"),
        (calendar("DTSTART:20260105T080000Z", "RRULE:FREQ=SECONDLY"), "recurs more often than hourly"),
        (calendar("DTSTART:20260105T080000Z", location=""), "'filter change' names no devices"),
        (calendar("DTSTART;TZID=No/Where:20260105T080000"), "no time zone 'No/Where'"),
        (b" " * 1_000_001, "at most 1,000,000"),
    ],
)
def test_what_is_no_calendar_or_cannot_be_used_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Maintenance(content)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    for attempt in (content, calendar("DTSTART:20260105T080000Z").replace(b"DURATION", content)):
        try:
            windows = Maintenance(attempt)
        except DataError:
            continue
        windows.during("", "pump-1", 0.0, 1e5)


@given(st.sampled_from(["DTSTART", "DTEND", "RRULE", "DURATION", "EXDATE", "RDATE", "STATUS"]), st.text(max_size=30))
def test_no_property_does_more_than_be_refused(name: str, value: str) -> None:
    line = f"{name}:{value}".replace("\r", "").replace("\n", "")
    try:
        windows = Maintenance(calendar("DTSTART:20260105T080000Z", line))
    except DataError:
        return
    windows.during("", "pump-1", at("2026-01-05T00:00:00"), at("2026-01-06T00:00:00"))


def test_no_calendar_has_no_windows() -> None:
    assert Maintenance().during("", "pump-1", 0.0, 1e9) is None
