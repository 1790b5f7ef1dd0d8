"""A turn is made: its messages go to their fleets, and out comes what is to be stored, told and written to others.

State and turns alone decide what comes out, and nothing is done with it here, so that a turn can be made again.
"""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from anomgan.adapters.mqtt_carrier import addressee
from anomgan.adapters.ports import Batch, Letter, Message, Turn
from anomgan.config import ServiceConfig
from anomgan.expected import Expected
from anomgan.records import DeviceHealth, Event, HealthIssue, Reading, Source, Verdict
from anomgan.wire.event_json import encode_event, event_topic
from anomgan_detector.desk import CALENDAR, Desk
from anomgan_detector.health import cleared_letters, health_letters
from anomgan_detector.origins import Claim, Origins
from anomgan_detector.post import Judged, Post
from anomgan_detector.telling import Telling

log = logging.getLogger("anomgan.detector")
MAX_ROUTES = 100_000
SHOWN_TOPICS = 5
"""that no fleet takes; the messages on all of them are counted"""


class Made(NamedTuple):
    """What to store, the events to tell, and the letters to others that follow."""

    batch: Batch
    told: list[Event]
    letters: list[Letter]


class TurnMaker:
    """The desk for what people want, the fleets, and who is told of what they make of a turn.

    Counts messages_received, dropped.no_fleet.
    """

    def __init__(self, config: ServiceConfig, fleets: Sequence[Post], telling: Telling, desk: Desk) -> None:
        self._publish = config.publish
        self.fleets = fleets
        """who judges now"""
        self._telling = telling
        self._desk = desk
        several = len({fleet.config.broker for fleet in fleets}) > 1
        self._origins = Origins() if several else None
        self._routes: dict[tuple[str, str], int] = {}
        self._shown = 0
        self._counters: Counter[str] = Counter()

    def appoint(self, fleets: Sequence[Post], config: ServiceConfig) -> None:
        """These judge from now on, and events are told as this configuration says."""
        self.fleets, self._publish = fleets, config.publish
        self._routes.clear()
        self._desk.appoint(fleets)

    @property
    def due_s(self) -> float:
        """When a turn is due even without a message."""
        return self._telling.due_s

    def news(self, now_s: float) -> list[Message]:
        """What is to be part of the next turn although no broker brought it."""
        return self._desk.news(now_s)

    def make(self, turn: Turn) -> Made:
        """Do what people ask in a turn, and judge its telemetry."""
        taken = self._desk.take(turn)
        ours, telemetry = self._telling.sort(taken.rest)
        self._counters["messages_received"] += sum(message.topic != CALENDAR for message in turn.messages)
        verdicts: list[Verdict] = []
        told, stored = taken.told, taken.stored
        letters = taken.answers
        issues: list[HealthIssue] = []
        health: list[DeviceHealth] = []
        gathered: dict[str, list[Reading]] = {}
        expected: list[Expected] = []
        forgotten = False
        by_broker: dict[str, tuple[list[Verdict], list[Event]]] = {}
        for event in taken.told:
            teller = self._publish.broker or self._desk.broker_of(event)
            letters += self._event_letters(teller, [event])
            by_broker.setdefault(teller, ([], []))[1].append(event)
        for fleet, theirs in self._routed(telemetry):
            broker = fleet.config.broker
            teller = self._publish.broker or broker
            own = None if self._origins is None else Claim(self._origins, broker)
            if theirs or broker not in turn.away:
                judged = fleet.judge(theirs, turn.now_s, own, partial(self._desk.alarms.learnable, fleet.group))
            else:
                judged = Judged()  # its devices cannot be heard, so no time passes in which they are silent
            outcome = self._desk.alarms.update(fleet.group, judged.heard, judged.events, judged.standing, turn.now_s)
            verdicts += judged.verdicts
            told += outcome.told
            stored += outcome.stored
            issues += judged.issues
            expected += judged.expected
            health += [*judged.news, *judged.standing_health]
            letters += [Letter(addressee(broker), payload, topic) for topic, payload in judged.requests]
            letters += self._event_letters(teller, outcome.told)
            letters += health_letters(judged.news, self._publish.health, addressee(teller))
            letters += self._forgotten_letters(fleet, judged.forgotten, turn.now_s, teller)
            forgotten |= bool(judged.forgotten)
            if fleet.config.learns:
                gathered[fleet.config.model] = judged.readings
            at_broker = by_broker.setdefault(teller, ([], []))
            at_broker[0].extend(judged.verdicts)
            at_broker[1].extend(outcome.told)
        if forgotten and self._origins is not None:
            self._origins.keep(self._known)
        muted, cut_off = self._desk.muted(turn.now_s), partial(self._cut_off, turn.away)
        letters += self._telling.letters(turn.now_s, ours, by_broker, muted, cut_off)
        batch = Batch(verdicts, stored, None, issues, health, taken.audit, gathered, turn.now_s, expected=expected)
        return Made(batch, told, letters)

    def _known(self, source: Source, broker: str) -> bool:
        """Whether a fleet of a broker knows a device."""
        return any(fleet.config.broker == broker and fleet.knows(source) for fleet in self.fleets)

    def _cut_off(self, away: Collection[str], source: Source) -> bool:
        """Whether a device is one of a broker that is away."""
        return any(fleet.config.broker in away and fleet.knows(source) for fleet in self.fleets)

    def _event_letters(self, broker: str, events: Sequence[Event]) -> list[Letter]:
        """Events on their topics at a broker."""
        template = self._publish.events
        told = events if template else ()
        return [Letter(addressee(broker), encode_event(event), event_topic(template, event)) for event in told]

    def _forgotten_letters(self, fleet: Post, gone: Sequence[Source], now_s: float, teller: str) -> list[Letter]:
        """Devices that a fleet has forgotten have no health there any more, but what others of the same topic say."""
        left: dict[Source, DeviceHealth] = {}
        for other in self.fleets:
            if gone and other is not fleet and (self._publish.broker or other.config.broker) == teller:
                left.update((one.source, one) for one in other.health(gone, now_s))
        template, to = self._publish.health, addressee(teller)
        cleared = cleared_letters([source for source in gone if source not in left], template, to)
        return [*cleared, *health_letters(left.values(), template, to)]

    # ---------------------------------------------------------------- whose messages

    def _routed(self, messages: Sequence[Message]) -> list[tuple[Post, list[Message]]]:
        """The messages of each fleet, in order, or []; a topic that no fleet takes is counted."""
        groups: list[list[Message]] = [[] for _ in self.fleets]
        routes = self._routes
        for message in messages:
            key = (message.broker, message.topic)
            route = routes.get(key)
            if route is None:
                route = self._route(message)
                if len(routes) >= MAX_ROUTES:
                    routes.clear()  # of topics that come no more, most of them
                routes[key] = route
            if route < 0:
                self._counters["dropped.no_fleet"] += 1
            else:
                groups[route].append(message)
        return list(zip(self.fleets, groups, strict=True))

    def _route(self, message: Message) -> int:
        """The number of the fleet that takes a message, -1 for none."""
        for number, fleet in enumerate(self.fleets):
            if fleet.config.broker == message.broker and fleet.takes(message.topic):
                return number
        self._shown += 1
        if self._shown <= SHOWN_TOPICS:
            at = f" of broker {message.broker!r}" if message.broker else ""
            log.warning("dropped.no_fleet: no fleet takes topic %r%s", message.topic, at)
        if self._shown == SHOWN_TOPICS:
            log.warning("dropped.no_fleet: from now on only counted")
        return -1

    # ---------------------------------------------------------------- state

    @property
    def own_counters(self) -> Counter[str]:
        """Totals since the start that are no part of `snapshot`; who writes that has to keep them."""
        return self._counters + self._telling.counters

    def counters(self) -> Counter[str]:
        """The same, and those that the desk and the fleets keep themselves, since their state began."""
        total = self.own_counters + self._desk.counters
        for fleet in self.fleets:
            total += fleet.counters()
        return total

    @property
    def devices(self) -> int:
        """How many devices have been heard."""
        return sum(fleet.devices for fleet in self.fleets)

    def snapshot(self, own: str) -> dict[str, bytes]:
        """Everything that later turns depend on, in parts named OWNER/PART; `own` owns what is no fleet's."""
        ours = self._telling.snapshot() | self._desk.snapshot()
        parts = {f"{own}/{name}": content for name, content in ours.items()}
        if self._origins is not None:
            parts[f"{own}/origins"] = self._origins.snapshot()
        for fleet in self.fleets:
            parts |= {f"{fleet.key}/{name}": content for name, content in fleet.snapshot().items()}
        return parts

    def restore(self, by_owner: Mapping[str, Mapping[str, bytes]], own: str) -> int:
        """Put back what `snapshot` gave, sorted by owner; how many fleets were known. DataError for anything else."""
        ours = by_owner.get(own, {})
        self._telling.restore(ours)
        self._desk.restore(ours)
        if self._origins is not None and "origins" in ours:
            self._origins.restore(ours["origins"])
        known = [fleet for fleet in self.fleets if fleet.key in by_owner]
        for fleet in known:
            fleet.restore(by_owner[fleet.key])
        return len(known)
