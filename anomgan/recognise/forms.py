"""Topics that belong together -> how to read them: template, dialect, keys."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from anomgan.config import DialectName, TimeUnit
from anomgan.recognise.devices import BASE_NAME, Names, device_keys
from anomgan.recognise.levels import GENERIC, Template, customary_uplink, metric_template, templates
from anomgan.recognise.shapes import MEASUREMENT
from anomgan.recognise.subjects import Subject
from anomgan.recognise.times import EventTime
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.topics import OPEN_DEVICE


class Form(NamedTuple):
    """What a `[[fleets]]` table says about reading, as it says it ("" = the dialect's own)."""

    topic: str
    dialect: DialectName
    time_key: str = ""
    time_unit: TimeUnit = ""
    device_key: str = ""


class Formed(NamedTuple):
    """A form, the topics it is for, and what has to be said about it."""

    form: Form
    topics: tuple[str, ...]
    notes: tuple[str, ...] = ()


def families(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Subjects that are of one system: of one dialect and depth, with one first level or but one level apart."""
    leader = list(range(len(subjects)))

    def lead(at: int) -> int:
        while leader[at] != at:
            leader[at] = at = leader[leader[at]]
        return at

    first_of: dict[object, int] = {}
    for number, subject in enumerate(subjects):
        for key in _ties(subject):
            other = first_of.setdefault(key, number)
            low, high = sorted((lead(other), lead(number)))
            leader[high] = low
    found: dict[int, list[Subject]] = {}
    for number, subject in enumerate(subjects):
        found.setdefault(lead(number), []).append(subject)
    return list(found.values())


def _ties(subject: Subject) -> Iterable[object]:
    """Keys; subjects that share one are of one family."""
    dialect, levels, time = subject.dialect, subject.levels, (subject.time.key, subject.time.unit)
    if dialect == "sparkplug_b":
        yield dialect
        return
    if dialect == "zigbee2mqtt":
        yield dialect, levels[0], time
        return
    yield dialect, len(levels), levels[0], time
    for at in range(len(levels)):
        yield dialect, levels[:at], levels[at + 1 :], time, () if dialect == "metric" else subject.channels


def forms(family: Sequence[Subject], zigbee_bases: frozenset[str]) -> tuple[list[Formed], dict[str, str]]:
    """How to read a family; and the topics that cannot be read, with why."""
    dialect, topics = family[0].dialect, [subject.topic for subject in family]
    if dialect == "sparkplug_b":
        return [Formed(Form(CONVENTIONS[dialect].topic, dialect), tuple(topics))], {}
    time = _time_of(family)
    if dialect == "zigbee2mqtt":
        made = _zigbee(topics, zigbee_bases)
        return [_formed(one, dialect, time) for one in made], {}
    if dialect == "metric":
        template = metric_template(topics)
        if template is None:
            why = "a bare number on a topic of one level, which cannot name both device and channel"
            return [], dict.fromkeys(topics, why)
        return [_formed(template, dialect, time)], {}
    if dialect in ("chirpstack", "things_stack"):
        uplink = customary_uplink(dialect, topics)
        if uplink is not None:
            return [_formed(uplink, dialect, time)], {}
    keys = [] if dialect == "tasmota" else device_keys([(one.topic, row) for one in family for row, _ in one.rows])
    if dialect == "senml":
        keys = [names for names in keys if names.key == BASE_NAME]
    payload = _device_in_payload(keys, family)
    key = "" if payload is None else payload.key
    plain = _without_measurements(family)
    told = {plain[topic]: min(names) for topic, names in (keys[0].by_topic if keys else {}).items() if len(names) == 1}
    channels = {plain[one.topic]: one.channels if dialect != "influx" else frozenset() for one in family}
    made = templates(
        channels,
        lambda topic: told.get(topic, ""),
        device_in_payload=bool(key),
    )
    formed = []
    for template in made:
        of = set(template.topics)
        own = tuple(topic for topic in topics if plain[topic] in of)
        read: DialectName = "nested" if dialect == "flat" and "." in key else dialect
        formed.append(_formed(template._replace(topics=own), read, time, key))
    return formed, {}


def _formed(template: Template, dialect: DialectName, time: EventTime, device_key: str = "") -> Formed:
    """The form, without what is the dialect's own anyway."""
    own = CONVENTIONS[dialect]
    key = "" if time.key == own.time_key else time.key
    unit: TimeUnit = "" if time.unit == own.time_unit else time.unit
    notes = list(template.notes)
    if time.no_zone:
        notes.append(f"the times in {time.key!r} do not say their zone and are read as UTC")
    return Formed(Form(template.text, dialect, key, unit, device_key), template.topics, tuple(notes))


def _time_of(family: Sequence[Subject]) -> EventTime:
    """The family's event time; what is true of one topic's zone is true of all."""
    times = [subject.time for subject in family]
    return times[0]._replace(no_zone=any(time.no_zone for time in times))


def _device_in_payload(keys: Sequence[Names], family: Sequence[Subject]) -> Names | None:
    """The key that names the device where the topics do not, None where they do."""
    for names in keys:
        if names.several_on_a_topic and (names.sure or names.repeat):
            return names
    nameless = all(GENERIC.issuperset(map(str.lower, subject.levels)) for subject in family)
    for names in keys:
        levels = {level for subject in family for level in subject.levels}
        single = len(family) == 1 and names.sure and names.key != BASE_NAME
        if (nameless or single) and names.distinct.isdisjoint(levels):
            return names
    return None


def _without_measurements(family: Sequence[Subject]) -> dict[str, str]:
    """Topic -> the topic with + for a level that only repeats the measurements of its lines, as Telegraf's do."""
    if family[0].dialect != "influx":
        return {subject.topic: subject.topic for subject in family}
    said = {subject.topic: {str(row.get(MEASUREMENT, "")) for row, _ in subject.rows} for subject in family}
    depth = len(family[0].levels)
    same = [at for at in range(depth) if all(subject.levels[at] in said[subject.topic] for subject in family)]
    return {
        subject.topic: "/".join("+" if at in same else level for at, level in enumerate(subject.levels))
        for subject in family
    }


def _zigbee(topics: Sequence[str], bases: frozenset[str]) -> list[Template]:
    """Templates below the base topics of Zigbee2MQTT; names of several levels take all levels that follow."""
    by_base: dict[str, list[str]] = {}
    for topic in topics:
        levels = topic.split("/")
        known = ["/".join(levels[:depth]) for depth in range(1, len(levels))]
        base = next((one for one in known if one in bases), levels[0] if len(levels) > 1 else "")
        by_base.setdefault(base, []).append(topic)
    found = []
    for base, own in by_base.items():
        depth = base.count("/") + 2 if base else 1
        several = any(topic.count("/") + 1 > depth for topic in own)
        device = OPEN_DEVICE if several else "{device}"
        found.append(Template(f"{base}/{device}" if base else device, tuple(own)))
    return found
