"""What time of day, of week and of year it is where the devices stand, row by row: summer time and short days too."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from anomgan.records import Floats

TRUE_DAY_S = 86_400.0
YEAR_DAYS = 365.2425
EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday"""


class Moments(NamedTuple):
    """R moments. day_s: how long a day is.

    clock_s (R,): seconds since midnight of the day on which the run began, by the clock on the wall: it jumps by an
    hour where summer time begins or ends, and goes on counting over midnight.
    weekday (R,): 0 = Monday, ..., 6 = Sunday. year (R,): the share of the year that has passed, in [0, 1).
    universal_s (R,): seconds since the midnight before the run began at longitude 0, for the sun knows no summer time.
    """

    clock_s: Floats
    weekday: Floats
    year: Floats
    day_s: float
    universal_s: Floats

    @property
    def days(self) -> Floats:
        """(R,) days since the first midnight; the fraction is the time of day."""
        return self.clock_s / self.day_s


def moments(start_s: float, zone: str, day_s: float, since_s: Floats) -> Moments:
    """The moments `since_s` (R,), rising, after a start.

    A day of another length than a true one knows no summer time: then noon is when half of it has passed since a
    multiple of `day_s`, and the week and the year pass faster, too.
    """
    universal_s = start_s % day_s + since_s
    if day_s != TRUE_DAY_S:
        clock_s = universal_s
        first = _local(start_s, zone)
        days = np.floor(clock_s / day_s)
        passed = (first - first.replace(month=1, day=1)).days + clock_s / day_s
        return Moments(clock_s, (first.weekday() + days) % 7, (passed / YEAR_DAYS) % 1.0, day_s, universal_s)
    times = start_s + since_s
    offset: Floats = np.full(len(times), _offset_s(start_s, zone))
    if zone != "UTC":
        early, late = (_offset_s(float(at), zone) for at in (times[0], times[-1]))
        offset[:] = early if early == late else [_offset_s(float(at), zone) for at in times]
    local = times + offset
    midnight_s = (start_s + _offset_s(start_s, zone)) // day_s * day_s
    weekday = (local // day_s + EPOCH_WEEKDAY) % 7
    return Moments(local - midnight_s, weekday, _year(local), day_s, universal_s)


def winter(when: Moments, coldest: float = 0.055) -> Floats:
    """(R, 1) from 1 on the coldest day of a northern year, usually three weeks after it began, to -1 on the warmest."""
    return np.asarray(np.cos(2 * np.pi * (when.year[:, None] - coldest)))


def between(hour: Floats, begin: float, end: float, soft: float) -> Floats:
    """About 1 from `begin` to `end` o'clock and 0 elsewhere, with edges about `soft` hours wide."""
    return np.asarray(0.5 * (np.tanh((hour - begin) / (2.0 * soft)) - np.tanh((hour - end) / (2.0 * soft))))


def _year(local: Floats) -> Floats:
    """(R,) the share of the year that has passed at local times."""
    when = local.astype("datetime64[s]")
    begins = when.astype("datetime64[Y]")
    seconds = [at.astype("datetime64[s]").astype(np.float64) for at in (begins, begins + 1)]
    return np.asarray((local - seconds[0]) / (seconds[1] - seconds[0]))


def _local(time_s: float, zone: str) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time_s)).astimezone(ZoneInfo(zone))


@lru_cache(maxsize=4096)
def _offset_s(time_s: float, zone: str) -> float:
    offset = _local(time_s, zone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()
