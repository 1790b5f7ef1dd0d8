"""One topic of a broker, looked at: its dialect, its event time and the channels it seems to carry."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from anomgan.config import DialectName, TimeUnit
from anomgan.recognise.levels import Channels, is_quantity
from anomgan.recognise.samples import Heard, Sample
from anomgan.recognise.shapes import TIMESTAMP, Look, is_number, look
from anomgan.recognise.times import NEVER, EventTime, find_time, told_time
from anomgan.wire.conventions import CONVENTIONS

Row = tuple[Mapping[str, object], float]
"""fields of one reading, and when its message came"""
SEARCHED: frozenset[DialectName] = frozenset({"flat", "nested", "metric", "array", "columnar"})
"""dialects without a time of their own: the key has to be found"""

MOST_LEVELS = 32
"""what is deeper is nobody's plan of a plant, and levels are compared one by one"""


@dataclass(frozen=True, slots=True)
class Subject:
    """A topic that carries telemetry. rows: the fields in which time and device may stand."""

    topic: str
    dialect: DialectName
    rows: tuple[Row, ...]
    time: EventTime
    channels: Channels

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of the topic."""
        return tuple(self.topic.split("/"))


def subject_of(topic: str, heard: Heard, zigbee_bases: frozenset[str]) -> Subject | str:
    """A topic by the samples of it, or why no dialect reads them."""
    if topic.count("/") >= MOST_LEVELS:
        return f"a topic of more than {MOST_LEVELS} levels"
    looks = [(look(topic, sample.payload, zigbee_bases), sample) for sample in heard.telling]
    dialect = _dialect_of([one for one, _ in looks])
    if dialect is None:
        return looks[0][0].why
    if dialect == "metric" and not _can_be_metric(topic, looks):
        dialect = "flat"
    rows = tuple(_rows(dialect, [pair for pair in looks if pair[0].dialect is not None]))
    time = _time_of(dialect, rows)
    if "." in time.key and dialect == "flat":
        dialect = "nested"
    numbers = {name for fields, _ in rows for name, value in fields.items() if is_number(value)}
    return Subject(topic, dialect, rows, time, frozenset(numbers - {time.key, TIMESTAMP}))


def _dialect_of(looks: list[Look]) -> DialectName | None:
    """The dialect of most samples; nested where some are, because it reads flat objects as well."""
    votes = Counter(one.dialect for one in looks if one.dialect is not None)
    if not votes:
        return None
    return "nested" if votes["nested"] and votes["flat"] else votes.most_common(1)[0][0]


def _can_be_metric(topic: str, looks: list[tuple[Look, Sample]]) -> bool:
    """Whether a topic can name the channel; `{"value": ...}` on a short topic is an object with one channel."""
    levels = topic.split("/")
    bare = any(not fields for one, _ in looks for fields in one.fields)
    return bare or len(levels) > 2 or (len(levels) == 2 and is_quantity(levels[-1].lower()))


def _rows(dialect: DialectName, looks: list[tuple[Look, Sample]]) -> Iterator[Row]:
    base_name: object = None
    for one, sample in looks:
        for fields in one.fields:
            if dialect == "senml":  # a base name holds for the records after it
                base_name = fields.get("bn", base_name)
                yield {"bn": base_name} if base_name is not None else {}, sample.arrival_s
            else:
                yield fields, sample.arrival_s
        base_name = None


def _time_of(dialect: DialectName, rows: tuple[Row, ...]) -> EventTime:
    """Where a configuration has to say that the time is; an empty one where the dialect knows by itself."""
    if dialect in SEARCHED:
        found = find_time(rows)
        default = CONVENTIONS[dialect].time_key
        if not found.key and any(fields.get(default) is not None for fields, _ in rows):
            return EventTime(NEVER)  # a field that has the name of the time, and is none
        return found
    if dialect == "zigbee2mqtt":
        return find_time([({"last_seen": fields.get("last_seen")}, arrival_s) for fields, arrival_s in rows])
    if dialect == "influx":
        told = [
            (told_time(fields[TIMESTAMP]), arrival_s) for fields, arrival_s in rows if fields.get(TIMESTAMP) is not None
        ]
        units: Counter[TimeUnit] = Counter(one.unit for one, _ in told if one is not None)
        if units:
            unit = max(units, key=lambda unit: units[unit])
            ahead = [one.time_s - arrival_s for one, arrival_s in told if one is not None]
            return EventTime("", unit, median(ahead))
    return EventTime()
