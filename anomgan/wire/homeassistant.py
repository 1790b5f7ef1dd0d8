"""Home Assistant's MQTT discovery: what each device looks like there, and the states it shows.

Every device gets four entities: a binary sensor (device class `problem`) that is on while an event is open and carries
its sentence as attributes, a sensor with the score, a button that calls the newest event a false alarm, and a switch
that mutes. The two last publish requests, which Home Assistant cannot sign: they work where the broker's access rules
are trusted. Discovery messages are retained; an empty one takes the entity away again.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from anomgan.records import Event, Source
from anomgan.wire.event_json import iso_utc, topic_of_device

Messages = list[tuple[str, bytes]]
NODE = "anomgan"
STATES = ("problem", "score", "muted")
BIRTH = b"online"
NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]+")
PATTERN_LETTERS = re.compile(r"([*?\[])")


@dataclass(frozen=True, slots=True)
class Topics:
    """Where things are told: the discovery prefix, the template below which states lie, our own status ("" = none), the
    requests ("" = none), and for how long the switch mutes."""

    prefix: str
    state: str
    status: str
    requests: str
    mute_s: float

    def problem(self, source: Source) -> str:
        """The binary sensor's state, as JSON."""
        return f"{topic_of_device(self.state, source)}/problem"

    def score(self, source: Source) -> str:
        """The score, a number."""
        return f"{topic_of_device(self.state, source)}/score"

    def muted(self, source: Source) -> str:
        """ON or OFF."""
        return f"{topic_of_device(self.state, source)}/muted"


def object_id(source: Source) -> str:
    """A name of a device that Home Assistant takes for an identifier: legible, and no two devices share it."""
    site, device = source
    legible = NOT_IN_AN_ID.sub("_", f"{site}_{device}" if site else device)[:64]
    return f"{legible}_{hashlib.sha256(orjson.dumps([site, device])).hexdigest()[:8]}"


def announce(topics: Topics, source: Source, model: str) -> Messages:
    """The retained messages that make a device appear."""
    name = object_id(source)
    shared: dict[str, Any] = {
        "device": {
            "identifiers": [f"{NODE}_{name}"],
            "name": f"{source[0]} {source[1]}" if source[0] else source[1],
            "manufacturer": NODE,
            "model": model or "detector",
        },
        "origin": {"name": NODE},
    }
    if topics.status:
        shared["availability_topic"] = topics.status
    return [
        (topic, orjson.dumps({"unique_id": f"{NODE}_{name}_{kind}", **entity, **shared}))
        for (topic, kind), entity in zip(_places(topics, source), _entities(topics, source), strict=True)
    ]


def retract(topics: Topics, source: Source) -> Messages:
    """The retained messages that make a device disappear, with the states it has shown."""
    configs = [topic for topic, _ in _places(topics, source)]
    return [(topic, b"") for topic in (*configs, *states_beside(topics.problem(source)))]


def states_beside(topic: str) -> list[str]:
    """All of a device's states, from the topic of one; [] for a topic that is none."""
    place, _, last = topic.rpartition("/")
    return [f"{place}/{state}" for state in STATES] if last in STATES else []


def problem_state(event: Event | None) -> bytes:
    """The binary sensor's state and attributes; None: nothing has happened yet."""
    if event is None:
        return orjson.dumps({"state": "OFF"})
    state: dict[str, Any] = {
        "state": "ON" if event.state == "open" else "OFF",
        "event": event.id,
        "severity": event.severity,
        "reason": event.reason,
        "channels": event.channels,
        "since": iso_utc(event.start_s),
    }
    return orjson.dumps(state)


def score_state(surprise: float) -> bytes:
    """The score; `None` makes it unknown there."""
    return b"None" if math.isnan(surprise) else f"{surprise:.2f}".encode()


def muted_state(muted: bool) -> bytes:
    """The switch's state."""
    return b"ON" if muted else b"OFF"


def _places(topics: Topics, source: Source) -> list[tuple[str, str]]:
    """(discovery topic, kind) of each entity."""
    kinds = [("binary_sensor", "problem"), ("sensor", "score")]
    if topics.requests:
        kinds += [("button", "false_alarm"), ("switch", "mute")]
    name = object_id(source)
    return [(f"{topics.prefix}/{component}/{NODE}/{name}_{kind}/config", kind) for component, kind in kinds]


def _entities(topics: Topics, source: Source) -> list[Mapping[str, Any]]:
    problem = topics.problem(source)
    entities: list[Mapping[str, Any]] = [
        {
            "name": "Anomaly",
            "device_class": "problem",
            "state_topic": problem,
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": problem,
        },
        {
            "name": "Surprise",
            "icon": "mdi:chart-bell-curve",
            "state_class": "measurement",
            "suggested_display_precision": 1,
            "state_topic": topics.score(source),
        },
    ]
    if not topics.requests:
        return entities
    named = {"device": source[1], "site": source[0]}
    pattern = {"device": _exactly(source[1]), "site": _exactly(source[0])}
    mute = f"{topics.requests}/mute"
    return [
        *entities,
        {
            "name": "False alarm",
            "icon": "mdi:bell-cancel",
            "command_topic": f"{topics.requests}/feedback",
            "payload_press": _text({**named, "says": "false-alarm"}),
        },
        {
            "name": "Mute",
            "icon": "mdi:bell-off",
            "command_topic": mute,
            "payload_on": _text({**pattern, "for_s": topics.mute_s}),
            "payload_off": _text({**pattern, "for_s": 0}),
            "state_topic": topics.muted(source),
            "state_on": "ON",
            "state_off": "OFF",
        },
    ]


def _text(document: Mapping[str, Any]) -> str:
    return orjson.dumps(document).decode()


def _exactly(name: str) -> str:
    """A shell pattern that fits this name alone."""
    return PATTERN_LETTERS.sub(r"[\1]", name)
