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
from dataclasses import replace
from functools import partial

import orjson

from anomgan.adapters.influx import influx_letter
from anomgan.adapters.journal import Journal
from anomgan.adapters.ports import Batch, Letter, MessageSource, Store, Turn
from anomgan.config import ServiceConfig
from anomgan.errors import ConfigError, DataError, ServerError
from anomgan.records import Event
from anomgan_detector.courier import Courier
from anomgan_detector.desk import Desk
from anomgan_detector.intake import Intake
from anomgan_detector.making import TurnMaker
from anomgan_detector.post import Post
from anomgan_detector.pulse import Pulse
from anomgan_detector.renewal import Renewal
from anomgan_detector.sheets import Sheets
from anomgan_detector.telling import Telling

log = logging.getLogger("anomgan.detector")
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
TICK_S = 5.0
"""a turn is made at least that often while a broker is there: silence is told by the time that passes"""
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
        telling: Telling | None = None,
        pulse: Pulse | None = None,
        desk: Desk | None = None,
        renewal: Renewal | None = None,
    ) -> None:
        self._config = config
        self._renewal = renewal
        self._source = source
        self._intake = Intake()
        self._stores = stores
        self._journal = journal
        self._couriers = couriers
        self._now = now
        self._on_events = on_events
        told = Telling(config, ()) if telling is None else telling
        self._maker = TurnMaker(config, fleets, told, Desk(config, fleets) if desk is None else desk)
        self._pulse = Pulse() if pulse is None else pulse
        self._sheets = Sheets() if renewal is None else Sheets(renewal.history)
        self._counters: Counter[str] = Counter()
        self._snapshot_due_s = now() + config.journal.snapshot_s
        self._bytes_since = 0
        self._turn_s = now()
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
        messages = self._intake.take(self._source, self._config.input)
        now_s = self._now()
        self._pulse.beat(now_s)
        brokers = self._source.liveness()
        away = tuple(one.broker for one in brokers if not one.connected)
        turn = Turn(now_s, [*messages, *self._maker.news(now_s)], away)
        if not turn.messages and not self._due(now_s, listening=len(away) < len(brokers)):
            return 0
        with self._pulse.turning():
            if not self._take(turn, stop):
                return 0
            self._source.acknowledge(messages)
        return len(messages)

    def _due(self, now_s: float, *, listening: bool) -> bool:
        """Whether a turn without a message is due: by silence, while a broker can bring messages so that it is the
        devices', or because there is something to tell."""
        return now_s >= self._maker.due_s or (listening and now_s >= self._turn_s + TICK_S)

    def _take(self, turn: Turn, stop: threading.Event) -> bool:
        """Make a turn, store what follows, and keep it in the journal; False when stopped before it was kept."""
        self._turn_s, self._in_step = turn.now_s, False
        made = self._maker.make(turn)
        sheets = self._sheets.due(self._maker.fleets, turn.now_s)
        batch = replace(made.batch, counters=self.counters(), sheets=sheets)
        steps: list[Callable[[], None]] = [self._journal.require_room]
        letters = made.letters
        if (
            turn.messages or batch.events or batch.issues or batch.health or sheets
        ):  # else only counters, and only a little
            steps += [partial(store.write, batch) for store in self._stores]
            letters = [*self._lines(turn, batch), *letters]
        steps.append(partial(self._journal.append, turn, letters))
        if not all(self._until_done(step, stop) for step in steps):
            return False
        self._in_step = True
        self._pulse.publish(turn.now_s, batch.counters or {}, self._maker.fleets)
        self._bytes_since += sum(len(message.payload) for message in turn.messages)
        for courier in self._couriers:
            courier.wake()
        if made.told and self._on_events is not None:
            self._on_events(made.told)
        return True

    def _lines(self, turn: Turn, batch: Batch) -> list[Letter]:
        """What goes to InfluxDB."""
        lines = influx_letter(batch, turn.now_s) if self._config.store.influx is not None else None
        return [] if lines is None else [lines]

    def counters(self) -> dict[str, int]:
        """Totals since the state began, over all fleets."""
        return dict(self._own_counters() + self._maker.counters())

    def _own_counters(self) -> Counter[str]:
        """Those that neither the fleets nor what tells others keep."""
        own = Counter(self._counters)
        own["dropped.overflow"] += self._source.overflowed
        for courier in self._couriers:
            own.update(courier.counters)
        for store in self._stores:
            own.update(store.outlived)
        return own

    def _until_done(self, step: Callable[[], None], stop: threading.Event) -> bool:
        """Try again and again while a step fails; False when stopped before it was done."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                step()
            except ServerError as error:
                self._counters["store_failures"] += 1
                self._pulse.fail(self._now(), str(error))
                log.error("%s; trying again in %.1f s, nothing is acknowledged meanwhile", error, pause_s)
                if stop.wait(pause_s):
                    return False
                pause_s = min(2.0 * pause_s, LONGEST_PAUSE_S)
            else:
                self._pulse.succeed()
                return True

    # ---------------------------------------------------------------- state

    def recall(self) -> str:
        """Take up the state where the journal left it; in words what was found.

        Turns are made again by those who made them; where a model has changed since, its fleet goes on from there. One
        whose way of reading messages has changed begins anew. Raises ServerError for a journal that cannot be read; a
        damaged snapshot is one.
        """
        parts = self._journal.snapshot()
        by_owner: dict[str, dict[str, bytes]] = {}
        for name, content in parts.items():
            owner, _, part = name.partition("/")
            by_owner.setdefault(owner, {})[part] = content
        posts, record = self._maker.fleets, parts.get(POSTS)
        past = None if self._renewal is None or record is None else self._renewal.past(record)
        if past is not None:
            self._maker.appoint(past, self._config)
        try:
            if OWN in by_owner:
                self._counters.update(orjson.loads(by_owner[OWN]["counters"]))
            known = self._maker.restore(by_owner, OWN)
        except (DataError, KeyError, ValueError) as error:
            raise ServerError(f"journal {self._journal.path}: {error}") from error
        count = 0
        for turn in self._journal.turns():
            self._maker.make(turn)  # what follows from it is stored already
            count += len(turn.messages)
        if self._renewal is not None:
            self._appoint(self._renewal, posts, past)
        return (
            f"journal {self._journal.path}: state of {known} of {len(posts)} fleets, {count} messages since, "
            f"{self._maker.devices} devices known"
        )

    def _appoint(self, renewal: Renewal, posts: Sequence[Post], past: Sequence[Post] | None) -> None:
        """Those who judge now go on where those of the journal's turns are, and the journal says who they are."""
        if past is not None:
            renewal.go_on(past, posts)
            self._maker.appoint(posts, self._config)
        renewal.keep_models()
        self._journal.checkpoint(self._snapshot(renewal.record()))
        renewal.forget_models()

    def _renew(self, renewal: Renewal) -> None:
        """Take up what has changed, with a checkpoint, so that no turn is made again by others than those who made it.

        Where that cannot be written, those who judged go on.
        """
        before = self._maker.fleets
        try:
            renewed = renewal.look(before)
            if renewed is None:
                return
            renewal.keep_models(proposed=True)
            self._maker.appoint(renewed, self._config)
            self._journal.checkpoint(self._snapshot(renewal.record(proposed=True)))
        except (ServerError, DataError, ConfigError) as error:
            self._maker.appoint(before, self._config)
            renewal.not_taken()
            log.error("%s; nothing is changed, what judged goes on", error)
            return
        renewal.taken()
        self._config = renewal.config
        self._maker.appoint(self._maker.fleets, self._config)
        self._snapshot_due_s, self._bytes_since = self._now() + self._config.journal.snapshot_s, 0

    def _checkpoint(self) -> None:
        """Write the whole state, so that the turns so far need not be made again; that can wait where it fails."""
        self._snapshot_due_s, self._bytes_since = self._now() + self._config.journal.snapshot_s, 0
        try:
            self._journal.checkpoint(self._snapshot(None if self._renewal is None else self._renewal.record()))
        except ServerError as error:
            log.error("%s; the state is not written, the turns are kept instead", error)

    def _snapshot(self, record: bytes | None) -> dict[str, bytes]:
        own = self._own_counters() + self._maker.own_counters
        by_whom = {} if record is None else {POSTS: record}
        return {f"{OWN}/counters": orjson.dumps(own), **by_whom, **self._maker.snapshot(OWN)}
