"""The detector service: source -> wire -> stream -> stores -> journal -> acknowledge, one turn after another.

A message is acknowledged last, when everything that followed from it is stored, and its turn and the letters to servers
that may be away are in the journal. Stores are idempotent and a turn can be made again from the journal, so a crash
anywhere neither loses nor doubles a flag, and nobody's warm-up is paid twice. While a store or the journal fails, the
same turn is tried again with growing pauses and nothing is acknowledged.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import orjson

from anomgan.adapters.influx import influx_letter
from anomgan.adapters.journal import Journal
from anomgan.adapters.mqtt_carrier import MQTT
from anomgan.adapters.ports import Batch, Letter, Message, MessageSource, Store, Turn
from anomgan.config import ServiceConfig
from anomgan.errors import DataError, ServerError
from anomgan.records import Event, Reading, Verdict
from anomgan.wire.event_json import encode_event, event_topic
from anomgan_detector.courier import Courier
from anomgan_detector.fleet import Post
from anomgan_detector.renewal import Renewal

log = logging.getLogger("anomgan.detector")
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
MAX_ROUTES = 100_000
FEW, LINGER_S = 10, 0.005
SHOWN_TOPICS = 5
MOST_BYTES_BETWEEN = 32_000_000
"""of messages between two snapshots, so that making them again takes seconds"""
OWN = "service"
"""the part of a snapshot that belongs to no fleet"""
POSTS = f"{OWN}/posts"
"""in a snapshot, by whom the turns since are made"""


class DetectorService:
    """The loop and its counters. `now` gives the wall clock, for arrival times; `on_events` hears what was stored;
    `renewal` is asked between turns who judges from now on."""

    def __init__(
        self,
        config: ServiceConfig,
        fleets: Sequence[Post],
        source: MessageSource,
        stores: Sequence[Store],
        journal: Journal,
        couriers: Sequence[Courier],
        now: Callable[[], float],
        on_events: Callable[[Sequence[Event]], None] | None = None,
        renewal: Renewal | None = None,
    ) -> None:
        self._config = config
        self._renewal = renewal
        self._fleets = fleets
        self._source = source
        self._stores = stores
        self._journal = journal
        self._couriers = couriers
        self._now = now
        self._on_events = on_events
        self._counters: Counter[str] = Counter()
        self._routes: dict[str, int] = {}
        self._snapshot_due_s = now() + config.journal.snapshot_s
        self._bytes_since = 0
        self._in_step = True
        """whether the journal has every turn that the fleets have made"""

    def run(self, stop: threading.Event) -> None:
        """Turn after turn until `stop` is set; what is unfinished then is left unacknowledged."""
        while not stop.is_set():
            self.turn(stop)
        if self._in_step:
            self._checkpoint()

    # ---------------------------------------------------------------- a turn

    def turn(self, stop: threading.Event) -> int:
        """One turn; the number of messages it acknowledged (0 when it was stopped before they were kept)."""
        for courier in self._couriers:
            if courier.broken:
                raise RuntimeError(f"the courier to {courier.addressee} has ended")
        if self._now() >= self._snapshot_due_s or self._bytes_since >= MOST_BYTES_BETWEEN:
            self._checkpoint()
        if self._renewal is not None:
            self._renew(self._renewal)
        messages = self._gather()
        if not messages:
            return 0
        turn = Turn(self._now(), messages)
        self._in_step = False
        batch, told, requests = self._make(turn)
        steps = [partial(store.write, batch) for store in self._stores]
        steps.append(partial(self._journal.append, turn, [*self._letters(turn, batch, told), *requests]))
        if not all(self._until_done(step, stop) for step in steps):
            return 0
        self._in_step = True
        self._bytes_since += sum(len(message.payload) for message in messages)
        for courier in self._couriers:
            courier.wake()
        if told and self._on_events is not None:
            self._on_events(told)
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

    def _make(self, turn: Turn) -> tuple[Batch, list[Event], list[Letter]]:
        """Judge a turn's messages: what to store, the events to tell, what to ask devices for."""
        self._counters["messages_received"] += len(turn.messages)
        verdicts: list[Verdict] = []
        events: list[Event] = []
        standing: list[Event] = []
        requests: list[Letter] = []
        gathered: dict[str, list[Reading]] = {}
        for fleet, theirs in self._routed(turn.messages):
            judged = fleet.judge(theirs, turn.now_s)
            verdicts += judged.verdicts
            events += judged.events
            standing += judged.standing
            requests += [Letter(MQTT, payload, topic) for topic, payload in judged.requests]
            if fleet.config.learns:
                gathered[fleet.config.model] = judged.readings
        return Batch(verdicts, [*events, *standing], self.counters(), gathered), events, requests

    def _letters(self, turn: Turn, batch: Batch, told: Sequence[Event]) -> list[Letter]:
        """What goes to those who may be away."""
        letters: list[Letter] = []
        if self._config.store.influx is not None:
            lines = influx_letter(batch, turn.now_s)
            letters += [] if lines is None else [lines]
        template = self._config.publish.events
        if template:
            letters += [Letter(MQTT, encode_event(event), event_topic(template, event)) for event in told]
        return letters

    def counters(self) -> dict[str, int]:
        """Totals since the state began, over all fleets."""
        total = Counter(self._counters)
        total["dropped.overflow"] += self._source.overflowed
        for fleet in self._fleets:
            total += fleet.counters()
        for courier in self._couriers:
            total += courier.counters
        return dict(total)

    def _routed(self, messages: Sequence[Message]) -> list[tuple[Post, list[Message]]]:
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

    def _until_done(self, step: Callable[[], None], stop: threading.Event) -> bool:
        """Try again and again while a step fails; False when stopped before it was done."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                step()
            except ServerError as error:
                self._counters["store_failures"] += 1
                log.error("%s; trying again in %.1f s, nothing is acknowledged meanwhile", error, pause_s)
                if stop.wait(pause_s):
                    return False
                pause_s = min(2.0 * pause_s, LONGEST_PAUSE_S)
            else:
                return True

    # ---------------------------------------------------------------- state

    def recall(self) -> str:
        """Take up the state where the journal left it; in words what was found.

        Turns are made again by those who made them; where a model has changed since, its fleet goes on from there. One
        whose way of reading messages has changed begins anew. Raises ServerError for a journal that
        cannot be read; a damaged snapshot is one.
        """
        parts = self._journal.snapshot()
        by_fleet: dict[str, dict[str, bytes]] = {}
        for name, content in parts.items():
            key, _, part = name.partition("/")
            by_fleet.setdefault(key, {})[part] = content
        posts, record = self._fleets, parts.get(POSTS)
        past = None if self._renewal is None or record is None else self._renewal.past(record)
        self._fleets = posts if past is None else past
        known = 0
        try:
            if OWN in by_fleet:
                self._counters.update(orjson.loads(by_fleet[OWN]["counters"]))
            for fleet in self._fleets:
                if fleet.key in by_fleet:
                    fleet.restore(by_fleet[fleet.key])
                    known += 1
        except (DataError, KeyError, ValueError) as error:
            raise ServerError(f"journal {self._journal.path}: {error}") from error
        count = 0
        for turn in self._journal.turns():
            self._make(turn)  # what follows from it is stored already
            count += len(turn.messages)
        if self._renewal is not None:
            self._appoint(self._renewal, posts, past)
        devices = sum(fleet.devices for fleet in self._fleets)
        return (
            f"journal {self._journal.path}: state of {known} of {len(self._fleets)} fleets, {count} messages since, "
            f"{devices} devices known"
        )

    def _appoint(self, renewal: Renewal, posts: Sequence[Post], past: Sequence[Post] | None) -> None:
        """Those who judge now go on where those of the journal's turns are, and the journal says who they are."""
        if past is not None:
            renewal.go_on(past, posts)
            self._fleets = posts
            self._routes.clear()
        renewal.keep_models()
        self._journal.checkpoint(self._snapshot(renewal.record()))
        renewal.forget_models()

    def _renew(self, renewal: Renewal) -> None:
        """Take up what has changed, with a checkpoint, so that no turn is made again by others than those who made it.

        Where that cannot be written, those who judged go on.
        """
        before = self._fleets
        try:
            renewed = renewal.look(before)
            if renewed is None:
                return
            renewal.keep_models(proposed=True)
            self._fleets = renewed
            self._journal.checkpoint(self._snapshot(renewal.record(proposed=True)))
        except (ServerError, DataError) as error:
            self._fleets = before
            renewal.not_taken()
            log.error("%s; nothing is changed, what judged goes on", error)
            return
        renewal.taken()
        self._config = renewal.config
        self._routes.clear()
        self._snapshot_due_s, self._bytes_since = self._now() + self._config.journal.snapshot_s, 0

    def _checkpoint(self) -> None:
        """Write the whole state, so that the turns so far need not be made again; that can wait where it fails."""
        self._snapshot_due_s, self._bytes_since = self._now() + self._config.journal.snapshot_s, 0
        try:
            self._journal.checkpoint(self._snapshot(None if self._renewal is None else self._renewal.record()))
        except ServerError as error:
            log.error("%s; the state is not written, the turns are kept instead", error)

    def _snapshot(self, record: bytes | None) -> dict[str, bytes]:
        own = Counter(self._counters)
        own["dropped.overflow"] += self._source.overflowed
        for courier in self._couriers:
            own += courier.counters
        parts = {f"{OWN}/counters": orjson.dumps(own)}
        if record is not None:
            parts[POSTS] = record
        for fleet in self._fleets:
            parts |= {f"{fleet.key}/{name}": content for name, content in fleet.snapshot().items()}
        return parts
