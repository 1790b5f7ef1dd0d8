"""The desk of the detector service: what people want of it, before a turn's readings are judged.

A request is a message among the others: it is journaled with its turn, dealt with again when the turn is made again,
answered by a letter, and acknowledged last. The maintenance calendar reaches the desk as a message of the turn in which
it was read, so that a turn made again from the journal knows what it knew.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from anomgan.adapters.mqtt_carrier import addressee
from anomgan.adapters.mqtt_request import control_secret
from anomgan.adapters.ports import AuditEntry, Letter, Message, Turn
from anomgan.adapters.watched_file import WatchedFile
from anomgan.alarms import Alarms, Outcome, mutes
from anomgan.alarms.maintenance import MOST_BYTES, Maintenance
from anomgan.config import ServiceConfig
from anomgan.control import Gate, Pass
from anomgan.errors import ConfigError, DataError, PayloadError
from anomgan.records import Event, Source
from anomgan.snapshots import UNREADABLE, typed
from anomgan.wire.control import COMMANDS, MOST_COMMAND, encode_answer, named_transaction
from anomgan_detector.post import Post
from anomgan_detector.requests import Asked, Requests

log = logging.getLogger("anomgan.detector")
CALENDAR = "$anomgan/maintenance"
"""the topic of a calendar that was read; a subscription never gets what begins with $"""
LOOK_EVERY_S = 2.0
SHOWN_PER_REASON = 20


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

    def __init__(self, config: ServiceConfig, fleets: Sequence[Post], let_in: Pass | None = None) -> None:
        self.alarms = Alarms(config.alarms)
        self._gate = None if let_in is None else Gate(let_in)
        self.appoint(fleets)
        self._topics = (f"{config.control.requests}/", f"{config.control.responses}/")
        self._audited = 0
        self.counters: Counter[str] = Counter()
        self._calendar = watched_calendar(config)
        self._look_at_s = float("-inf")

    def appoint(self, fleets: Sequence[Post]) -> None:
        """These judge from now on."""
        self._requests = Requests(self.alarms, fleets)
        self._groups = {fleet.group.key: fleet.group for fleet in fleets}
        self._brokers = {fleet.group.key: fleet.config.broker for fleet in fleets}

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
            elif self._gate is not None and message.topic.startswith(self._topics[0]):
                self._deal_with(self._gate, message, taken, turn.now_s)
            else:
                taken.rest.append(message)
        return taken

    def broker_of(self, event: Event) -> str:
        """The broker of the fleet that an event is of; the first one where that fleet is not configured any more."""
        tracked = self.alarms.find(event.id)
        first = next(iter(self._brokers.values()), "")
        return first if tracked is None else self._brokers.get(tracked.fleet, first)

    def muted(self, now_s: float) -> Callable[[Source], bool]:
        """Which devices are muted as a whole, each asked by (site, device)."""
        whole = [one for one in mutes.in_force(self.alarms.mutes, now_s) if not one.channels]
        return lambda source: any(one.concerns(*source) for one in whole)

    def _deal_with(self, gate: Gate, message: Message, taken: Taken, now_s: float) -> None:
        """Do what a request asks, or refuse it; either way it is counted and answered."""
        name = message.topic.removeprefix(self._topics[0])
        self.counters["requests_received"] += 1
        try:
            if message.retained:
                raise PayloadError("retained", "a request must not be retained")
            request = gate.admit(name, message.payload, now_s)
            done = self._requests.do(Asked(request.command, request.client, now_s))
        except (PayloadError, DataError) as error:
            reason = error.reason if isinstance(error, PayloadError) else "cannot"
            self.counters[f"requests_refused.{reason}"] += 1
            self._show_refused(name, reason, str(error))
            body = encode_answer(named_transaction(message.payload), {}, str(error))
        else:
            body = encode_answer(request.transaction, done.data)
            if done.outcome is not None:
                taken.add(done.outcome)
                self._audited += 1
                effect = orjson.dumps(done.data).decode()
                taken.audit.append(AuditEntry(now_s, self._audited, request.client, name, done.subject, effect))
                log.info("%s by %r: %s", name, request.client, effect)
        answered = name if name in COMMANDS else "unknown"
        taken.answers.append(Letter(addressee(message.broker), body, self._topics[1] + answered))

    def _show_refused(self, name: str, reason: str, why: str) -> None:
        """Log the first few of each reason; all are counted."""
        count = self.counters[f"requests_refused.{reason}"]
        if count <= SHOWN_PER_REASON:
            log.warning("request %r refused: %r", name[:MOST_COMMAND], why)
        if count == SHOWN_PER_REASON:
            log.warning("requests_refused.%s: from now on only counted", reason)

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
        about = orjson.dumps({"counters": self.counters, "audited": self._audited})
        gate = {} if self._gate is None else {"requests": self._gate.snapshot()}
        return {"alarms": self.alarms.snapshot(), "desk": about, **gate}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave, where a snapshot has it; DataError for anything else."""
        if "alarms" not in parts:
            return  # of a version that had none
        try:
            about = orjson.loads(parts["desk"])
            counters, audited = typed(about, "counters", dict[str, int]), typed(about, "audited", int)
        except UNREADABLE as error:
            raise DataError(f"the snapshot of the desk cannot be read: {error}") from None
        self.alarms.restore(parts["alarms"])
        self.counters.update(counters)
        self._audited = audited
        if self._gate is not None and "requests" in parts:
            self._gate.restore(parts["requests"])
        if self._calendar is None:
            self.alarms.maintenance = Maintenance()


def let_in(config: ServiceConfig) -> Pass | None:
    """Whose requests are taken; None where control is off. ConfigError where the secret is missing."""
    return Pass(control_secret(config.control), config.control.max_age_s) if config.control.enabled else None


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


def requests_topic(config: ServiceConfig) -> list[tuple[str, int]]:
    """(filter, QoS) of requests; nothing where control is off."""
    return [(f"{config.control.requests}/+", 1)] if config.control.enabled else []
