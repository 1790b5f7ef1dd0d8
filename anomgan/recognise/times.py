"""Which field is the event time, and in which unit: by its name, and by whether it makes sense beside the clock."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import NamedTuple

from anomgan.config import TimeUnit
from anomgan.wire.times import EARLIEST_S, PER_SECOND

_NAMES = """ts timestamp time t datetime date_time event_time eventtime time_stamp measured_at observed_at
sampled_at recorded_at createdat created_at sent_at date epoch unixtime unix_time utc phenomenontime resulttime at
when clock millis tst last_seen reported_at received_at updated_at"""
RANK = {name: rank for rank, name in enumerate(_NAMES.split())}
UNNAMED = len(RANK)
NEAR_S = 300.0
LATEST_AHEAD_S = 86_400.0
ODDEST_S = 4_102_444_800.0
"""2100-01-01: no clock shows more, whatever this machine's own says"""
NEVER = "(none)"
"""a key that no payload has: readings are stamped on arrival"""
SHORTEST_TEXT = 16
"""`2024-01-01T00:00`: what is shorter may be a date of manufacture, or a number"""


class EventTime(NamedTuple):
    """Where the time is and how it is written; unit "" = ISO 8601. key "" = nowhere.

    ahead_s: how far it is ahead of the clock, as a rule. no_zone: a text that does not say in which zone it is.
    """

    key: str = ""
    unit: TimeUnit = ""
    ahead_s: float = 0.0
    no_zone: bool = False


class Told(NamedTuple):
    """One plausible time: in seconds, in which unit it is written, and whether it says its zone."""

    time_s: float
    unit: TimeUnit
    no_zone: bool = False


def told_time(value: object, latest_s: float = ODDEST_S) -> Told | None:
    """What a value is if it is a time between 2000 and `latest_s`, None where it is none."""
    if type(value) is str:
        return _told_by_text(value, latest_s)
    if type(value) is not int and type(value) is not float:
        return None
    for unit, per_second in PER_SECOND.items():
        if EARLIEST_S <= value / per_second <= latest_s:
            return Told(value / per_second, unit)
    return None


def is_time(value: object) -> bool:
    """Whether a value can be a time at all."""
    return told_time(value) is not None


def _told_by_text(text: str, latest_s: float) -> Told | None:
    if not SHORTEST_TEXT <= len(text) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    no_zone = moment.tzinfo is None
    time_s = (moment.replace(tzinfo=UTC) if no_zone else moment).timestamp()
    return Told(time_s, "", no_zone) if EARLIEST_S <= time_s <= latest_s else None


def find_time(rows: Sequence[tuple[Mapping[str, object], float]]) -> EventTime:
    """The event time in rows (fields, arrival_s) of one topic; the best-known name that holds plausible times wins.

    A field of another name is only taken where its times are those of the arrivals, and move on.
    """
    best: tuple[int, float, str] | None = None
    chosen = EventTime()
    names = dict.fromkeys(name for fields, _ in rows for name in fields)
    for name in filter(can_be_key, names):
        rank = RANK.get(name.rpartition(".")[2].lower(), UNNAMED)
        given = [(fields[name], arrival_s) for fields, arrival_s in rows if fields.get(name) is not None]
        told = [(told_time(value, arrival_s + LATEST_AHEAD_S), arrival_s) for value, arrival_s in given]
        sound = [(one, arrival_s) for one, arrival_s in told if one is not None]
        if not sound or len(sound) < len(given) or len({(one.unit == "", one.unit) for one, _ in sound}) > 1:
            continue
        ahead_s = median(one.time_s - arrival_s for one, arrival_s in sound)
        if rank == UNNAMED and not (abs(ahead_s) <= NEAR_S and _moves_on([one.time_s for one, _ in sound])):
            continue
        order = (rank, abs(ahead_s), name)
        if best is None or order < best:
            best = order
            chosen = EventTime(name, sound[0][0].unit, ahead_s, any(one.no_zone for one, _ in sound))
    return chosen


def can_be_key(name: str) -> bool:
    """Whether a configuration can name a field: nothing with a null character stands in one."""
    return "\0" not in name


def _moves_on(times: Sequence[float]) -> bool:
    return len(times) == 1 or times[0] < times[-1]
