"""Maintenance windows from an iCalendar file (RFC 5545), with recurrence and time zones.

A VEVENT is for the devices that its X-ANOMGAN-DEVICES names or, as ordinary calendar programs do not know that, its
LOCATION: shell patterns separated by commas, of device names (`pump-*`) or of site and device (`north/*`). One that
names none makes the file invalid, lest it be believed to work. STATUS:CANCELLED is no window. A time without a zone,
and the days of an all-day entry, are UTC unless the calendar has an X-WR-TIMEZONE.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

import icalendar
import recurring_ical_events  # type: ignore[import-untyped]  # it has none

from anomgan.errors import DataError

DAY_S = 86_400
MOST_BYTES = 1_000_000
MOST_ENTRIES = 1000
MOST_A_DAY = 10_000
KEPT_DAYS = 64
TOO_OFTEN = ("SECONDLY", "MINUTELY")
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""what the calendar libraries raise on broken content"""


@dataclass(frozen=True, slots=True)
class Window:
    """One occurrence: [start_s, end_s)."""

    start_s: float
    end_s: float
    summary: str
    devices: tuple[str, ...]

    def concerns(self, site: str, device: str) -> bool:
        """Whether a device is meant."""
        return any(fnmatchcase(f"{site}/{device}" if "/" in shape else device, shape) for shape in self.devices)


class Maintenance:
    """The windows of one calendar; DataError, which names the entry, for content that is none or cannot be used.

    `content` b"" has no windows. Days are expanded when first asked for; `unreadable_days` counts those that fail.
    """

    def __init__(self, content: bytes = b"") -> None:
        self.content = content
        self.entries = 0
        self.unreadable_days = 0
        self._days: dict[int, tuple[Window, ...]] = {}
        self._query: recurring_ical_events.CalendarQuery | None = None
        if not content:
            return
        if len(content) > MOST_BYTES:
            raise DataError(f"a calendar of {len(content):,} bytes; at most {MOST_BYTES:,} are read")
        try:
            calendar = icalendar.Calendar.from_ical(content.decode())
            self._check(calendar)
            self._query = recurring_ical_events.of(calendar)
            for entry in calendar.walk("VEVENT"):  # a rule that cannot be followed fails here and not in a year
                first = datetime.fromtimestamp(_seconds(getattr(entry["DTSTART"], "dt", None)) // DAY_S * DAY_S, UTC)
                list(islice(_windows(self._query, first, first + timedelta(days=2)), MOST_A_DAY))
        except UNREADABLE as error:
            raise DataError(f"not a calendar that can be read: {' '.join(str(error).split())[:300]}") from None

    def _check(self, calendar: icalendar.Calendar) -> None:
        entries = calendar.walk("VEVENT")
        self.entries = len(entries)
        if len(entries) > MOST_ENTRIES:
            raise DataError(f"a calendar of {len(entries)} entries; at most {MOST_ENTRIES} are read")
        for entry in entries:
            name = repr(str(entry.get("SUMMARY", entry.get("UID", "without a summary"))))[:100]
            if not devices_of(entry):
                raise DataError(f"entry {name} names no devices: its LOCATION or X-ANOMGAN-DEVICES holds patterns")
            rules = entry.get("RRULE", [])
            for rule in rules if isinstance(rules, list) else [rules]:
                if any(str(often).upper() in TOO_OFTEN for often in rule.get("FREQ", [])):
                    raise DataError(f"entry {name} recurs more often than hourly")
            for key in ("DTSTART", "DTEND"):
                moment = entry.get(key)
                zone = None if moment is None else moment.params.get("TZID")
                if zone and isinstance(moment.dt, datetime) and moment.dt.tzinfo is None:
                    raise DataError(f"entry {name}: there is no time zone {str(zone)[:100]!r}")

    def during(self, site: str, device: str, start_s: float, end_s: float) -> str | None:
        """The summary of a window of a device that touches [start_s, end_s]; None where there is none."""
        if self._query is None:
            return None
        for day in range(int(start_s // DAY_S), int(end_s // DAY_S) + 1):
            for window in self._day(day):
                if window.start_s <= end_s and start_s < window.end_s and window.concerns(site, device):
                    return window.summary
        return None

    def _day(self, day: int) -> tuple[Window, ...]:
        """The windows that touch a day, counted from 1970."""
        if day not in self._days:
            if len(self._days) >= KEPT_DAYS:
                del self._days[next(iter(self._days))]
            try:
                first = datetime.fromtimestamp(day * DAY_S, UTC)
                self._days[day] = tuple(islice(_windows(self._query, first, first + timedelta(days=1)), MOST_A_DAY))
            except UNREADABLE:
                self.unreadable_days += 1
                self._days[day] = ()
        return self._days[day]


def _windows(query: recurring_ical_events.CalendarQuery, first: datetime, last: datetime) -> Iterator[Window]:
    for entry in query.between(first, last):
        if str(entry.get("STATUS", "")).upper() != "CANCELLED":
            summary = " ".join(str(entry.get("SUMMARY", "")).split())[:200]
            summary = "".join(letter for letter in summary if letter.isprintable())
            yield Window(_seconds(entry.start), _seconds(entry.end), summary or "maintenance", devices_of(entry))


def devices_of(entry: icalendar.Component) -> tuple[str, ...]:
    """The patterns of the devices that an entry is for."""
    named = entry.get("X-ANOMGAN-DEVICES", entry.get("LOCATION", ""))
    texts = named if isinstance(named, list) else [named]
    return tuple(shape.strip() for text in texts for shape in str(text).split(",") if shape.strip())


def _seconds(moment: Any) -> float:
    if not isinstance(moment, date):
        raise ValueError(f"{moment} is no date")
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return float((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())
