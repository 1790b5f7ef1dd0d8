"""The detector service: source -> wire -> stream -> stores -> publish -> acknowledge, one turn after another.

A message is acknowledged last, when everything that followed from it is stored: the broker sends again what a crash
left unfinished, and stores are idempotent, so a flag is neither lost nor doubled. While a store fails, the same batch
is tried again with growing pauses and nothing is acknowledged.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from anomgan.adapters.ports import Batch, Message, MessageSource, Publisher, Store
from anomgan.config import ServiceConfig
from anomgan.errors import ServerError
from anomgan.records import Event, Verdict
from anomgan.wire.event_json import encode_event, event_topic
from anomgan_detector.fleet import Fleet

log = logging.getLogger("anomgan.detector")
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
MAX_ROUTES = 100_000
FEW, LINGER_S = 10, 0.005
SHOWN_TOPICS = 5


class DetectorService:
    """The loop and its counters. `now` gives the wall clock, for arrival times; `on_events` hears what was stored."""

    def __init__(
        self,
        config: ServiceConfig,
        fleets: Sequence[Fleet],
        source: MessageSource,
        stores: Sequence[Store],
        publisher: Publisher,
        now: Callable[[], float],
        on_events: Callable[[Sequence[Event]], None] | None = None,
    ) -> None:
        self._config = config
        self._fleets = fleets
        self._source = source
        self._stores = stores
        self._publisher = publisher
        self._now = now
        self._on_events = on_events
        self._counters: Counter[str] = Counter()
        self._routes: dict[str, int] = {}

    def run(self, stop: threading.Event) -> None:
        """Turn after turn until `stop` is set; what is unfinished then is left unacknowledged."""
        while not stop.is_set():
            self.turn(stop)

    def turn(self, stop: threading.Event) -> int:
        """One turn; the number of messages it acknowledged (0 when it was stopped before they were stored)."""
        messages = self._gather()
        if not messages:
            return 0
        self._counters["messages_received"] += len(messages)
        verdicts: list[Verdict] = []
        events: list[Event] = []
        standing: list[Event] = []
        for fleet, theirs in self._routed(messages):
            judged = fleet.judge(theirs, self._now)
            verdicts += judged.verdicts
            events += judged.events
            standing += judged.standing
        if not self._store(Batch(verdicts, [*events, *standing], self.counters()), stop):
            return 0
        self._tell(events)
        self._source.acknowledge(messages)
        return len(messages)

    def _gather(self) -> list[Message]:
        """What a turn handles: what is there, and where that is little, what follows at once.

        Turns of a few messages cost more than they need to. It must not wait for a batch to fill, for brokers hold
        back the rest until these are acknowledged.
        """
        limit = self._config.input
        messages = self._source.receive(limit.batch, limit.flush_s)
        while 0 < len(messages) < min(FEW, limit.batch):
            more = self._source.receive(limit.batch - len(messages), LINGER_S)
            if not more:
                break
            messages += more
        return messages

    def counters(self) -> dict[str, int]:
        """Totals since the start, over all fleets."""
        total = Counter(self._counters)
        total["dropped.overflow"] = self._source.overflowed
        for fleet in self._fleets:
            total += fleet.counters()
        return dict(total)

    def _routed(self, messages: Sequence[Message]) -> list[tuple[Fleet, list[Message]]]:
        """The messages of each fleet, in order; a topic that no fleet takes is counted."""
        groups: list[list[Message]] = [[] for _ in self._fleets]
        routes = self._routes
        for message in messages:
            route = routes.get(message.topic)
            if route is None:
                taking = (number for number, fleet in enumerate(self._fleets) if fleet.takes(message.topic))
                route = next(taking, -1)
                if route < 0 and self._counters["dropped.no_fleet"] < SHOWN_TOPICS:
                    log.warning("dropped.no_fleet: no fleet takes topic %r", message.topic)
                if len(routes) < MAX_ROUTES:
                    routes[message.topic] = route
            if route < 0:
                self._counters["dropped.no_fleet"] += 1
            else:
                groups[route].append(message)
        return [(fleet, group) for fleet, group in zip(self._fleets, groups, strict=True) if group]

    def _store(self, batch: Batch, stop: threading.Event) -> bool:
        """Write to every store, again and again while one fails; False when stopped before all had it."""
        for store in self._stores:
            pause_s = FIRST_PAUSE_S
            while True:
                try:
                    store.write(batch)
                    break
                except ServerError as error:
                    self._counters["store_failures"] += 1
                    log.error("%s; trying again in %.1f s, nothing is acknowledged meanwhile", error, pause_s)
                    if stop.wait(pause_s):
                        return False
                    pause_s = min(2.0 * pause_s, LONGEST_PAUSE_S)
        return True

    def _tell(self, events: Sequence[Event]) -> None:
        publish = self._config.publish
        for event in events if publish.events else ():
            try:
                self._publisher.publish(event_topic(publish.events, event), encode_event(event), qos=publish.qos)
            except ServerError as error:
                self._counters["events_not_published"] += 1
                log.error("event %s is stored but could not be published: %s", event.id, error)
        if events and self._on_events is not None:
            self._on_events(events)
