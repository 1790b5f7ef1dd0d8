"""The desk of the detector service: what people want of it, before a turn's readings are judged.

The maintenance calendar reaches it as a message of the turn in which it was read, so that a turn made again from the
journal knows what it knew.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from anomgan.adapters.ports import AuditEntry, Letter, Message, Turn
from anomgan.adapters.watched_file import WatchedFile
from anomgan.alarms import Alarms, Outcome
from anomgan.alarms.maintenance import MOST_BYTES, Maintenance
from anomgan.config import ServiceConfig
from anomgan.errors import ConfigError, DataError
from anomgan.records import Event
from anomgan_detector.fleet import Fleet

log = logging.getLogger("anomgan.detector")
CALENDAR = "$anomgan/maintenance"
"""the topic of a calendar that was read; a subscription never gets what begins with $"""
LOOK_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What the desk made of a turn: the messages that are not for it, events to tell and to store, answers, and what is
    to be kept of it."""

    rest: list[Message]
    told: list[Event] = field(default_factory=list)
    stored: list[Event] = field(default_factory=list)
    answers: list[Letter] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """What alarms have to tell and to store."""
        self.told.extend(outcome.told)
        self.stored.extend(outcome.stored)


class Desk:
    """Alarms, their calendar, and the requests of people."""

    def __init__(self, config: ServiceConfig, fleets: Sequence[Fleet]) -> None:
        self.alarms = Alarms(config.alarms)
        self.counters: Counter[str] = Counter()
        self._groups = {fleet.group.key: fleet.group for fleet in fleets}
        self._calendar = watched_calendar(config)
        self._look_at_s = float("-inf")

    def news(self, now_s: float) -> list[Message]:
        """The calendar as a message, where it has changed; one that cannot be read is logged, and the old one stays."""
        if self._calendar is None or now_s < self._look_at_s:
            return []
        self._look_at_s = now_s + LOOK_EVERY_S
        try:
            content = self._calendar.changed()
        except ConfigError as error:
            self.counters["maintenance_unreadable"] += 1
            log.error("%s; the windows read before stay in force", error)
            return []
        return [] if content is None else [Message(CALENDAR, content)]

    def take(self, turn: Turn) -> Taken:
        """Do what a turn's messages to the desk say."""
        taken = Taken([])
        for message in turn.messages:
            if message.topic == CALENDAR and self._calendar is not None:
                self._read_calendar(message.payload, taken, turn.now_s)
            else:
                taken.rest.append(message)
        return taken

    def _read_calendar(self, content: bytes, taken: Taken, now_s: float) -> None:
        try:
            self.alarms.maintenance = Maintenance(content)
        except DataError as error:
            self.counters["maintenance_unreadable"] += 1
            log.error("alarms.maintenance_file: %s; the windows read before stay in force", error)
            return
        log.info("alarms.maintenance_file: %d entries", self.alarms.maintenance.entries)
        taken.add(self.alarms.look_again(self._groups, now_s))

    # ---------------------------------------------------------------- state

    def snapshot(self) -> dict[str, bytes]:
        """Everything that later turns depend on, in parts."""
        return {"alarms": self.alarms.snapshot(), "desk": orjson.dumps({"counters": self.counters})}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave, where a snapshot has it; DataError for anything else."""
        if "alarms" not in parts:
            return  # of a version that had none
        self.alarms.restore(parts["alarms"])
        self.counters.update(orjson.loads(parts["desk"])["counters"])
        if self._calendar is None:
            self.alarms.maintenance = Maintenance()


def watched_calendar(config: ServiceConfig) -> WatchedFile | None:
    """The calendar of a configuration, not yet read."""
    path = config.alarms.maintenance_file
    return WatchedFile(path, "alarms.maintenance_file", MOST_BYTES) if path else None


def check_calendar(config: ServiceConfig) -> str | None:
    """Read the calendar and say in one line what is there; ConfigError where it cannot be used."""
    calendar = watched_calendar(config)
    if calendar is None:
        return None
    try:
        read = Maintenance(calendar.changed() or b"")
    except DataError as error:
        raise ConfigError(f"alarms.maintenance_file: {config.alarms.maintenance_file}: {error}") from None
    return f"maintenance file {config.alarms.maintenance_file}: {read.entries} entries"
