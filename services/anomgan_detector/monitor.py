"""Looks after the service from a thread of its own: heartbeat, complaints about itself, and what the pages show.

It reads what the loop has left (`pulse`) and never waits for it, so that a loop that hangs is told of. What it tells is
not part of any turn: a heartbeat that comes late is worth nothing, so it goes straight to the broker, unkept; a
complaint is kept as letters are.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from anomgan.adapters.influx import INFLUX
from anomgan.adapters.journal import Journal, Standing
from anomgan.adapters.ping import Ping
from anomgan.adapters.ports import Letter, MessageSource, Publisher
from anomgan.config import ServiceConfig
from anomgan.errors import ServerError
from anomgan.wire.heartbeat import Heartbeat, Wrong, encode_heartbeat, encode_wrong, heartbeat_line
from anomgan.wire.notice import Notice
from anomgan_detector.complaints import Seen, Watch, look
from anomgan_detector.courier import Courier
from anomgan_detector.metrics import Metrics, Report, not_alive
from anomgan_detector.notices import letters_of
from anomgan_detector.pulse import Pulse
from anomgan_detector.watch import standing

log = logging.getLogger("anomgan.detector")
LOOK_EVERY_S = 1.0
COUNT_EVERY_S = 5.0
"""the journal's letters are counted so often: with a million of them that takes a tenth of a second"""
MOST_UNTOLD = 1000


class Monitor:
    """One look after the other from `start` to `close`. `journal` is a connection of its own.

    `publishers` go to the brokers that are told of the service itself; one that is away is told when it is back.
    """

    def __init__(
        self,
        config: ServiceConfig,
        pulse: Pulse,
        source: MessageSource,
        couriers: Sequence[Courier],
        journal: Journal,
        publishers: Sequence[Publisher],
        addressees: Sequence[str],
        now: Callable[[], float],
        ping: Ping | None = None,
    ) -> None:
        self.metrics = Metrics()
        self.counters: Counter[str] = Counter()
        self._config = config.monitor
        self._influx = config.store.influx is not None
        self._status = config.publish.status
        self._pulse, self._source, self._couriers, self._journal = pulse, source, couriers, journal
        self._publishers, self._addressees, self._now, self._ping = publishers, addressees, now, ping
        self._started_s = now()
        self._watch = Watch(overflowed=source.overflowed)
        self._counted = Standing(0, 0, 0)
        self._count_due_s = self._beat_due_s = self._started_s
        self._untold: list[Letter] = []
        self._list_due = list(publishers) if self._status else []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; safe to call twice."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(10.0)
        if self._thread.is_alive():
            log.warning("the monitor is still waiting for an answer")
            return
        for publisher in self._publishers:
            publisher.close()
        if self._ping is not None:
            self._ping.close()
        self._journal.close()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            self.look(self._now())

    def look(self, now_s: float) -> None:
        """One look: what is wrong, what to tell of it, and a heartbeat where one is due."""
        if now_s >= self._count_due_s or now_s < self._count_due_s - COUNT_EVERY_S:
            self._count_due_s = now_s + COUNT_EVERY_S
            self._try("count", self._count)
        seen = self._see(now_s)
        self._watch, begun, over = look(self._config, self._watch, seen)
        for one in begun:
            log.error("something is wrong: %s", one.words)
        for one in over:
            log.warning("no longer wrong: %s", one.words)
        if begun or over:
            self._list_due = list(self._publishers) if self._status else []
            notices = [
                Notice("anomgan: something is wrong", f"{one.words[:1].upper()}{one.words[1:]}.", "failure")
                for one in begun
            ]
            notices += [Notice("anomgan: all right again", f"It was: {one.words}.", "success") for one in over]
            self._untold = [*self._untold, *letters_of(notices, self._addressees)][-MOST_UNTOLD:]
        wrong = list(self._watch.open.values())
        self.metrics.report = self._report(seen, wrong)
        if self._untold:
            self._try("tell", self._post)
        for publisher in [one for one in self._list_due if one.connected]:
            self._try("list", partial(self._publish_list, publisher, wrong, now_s))
        if now_s >= self._beat_due_s or now_s < self._beat_due_s - self._config.heartbeat_s:
            self._beat_due_s = now_s + self._config.heartbeat_s
            self._beat(self._heartbeat(seen, wrong))

    # ---------------------------------------------------------------- what is seen

    def _count(self) -> None:
        self._counted = self._journal.standing()

    def _see(self, now_s: float) -> Seen:
        pulse, source = self._pulse, self._source
        failing = {one.addressee: one.failing_since_s for one in self._couriers}
        return Seen(
            now_s=now_s,
            brokers=standing(source.liveness(), now_s),
            idle_s=max(0.0, now_s - (pulse.beat_s or self._started_s)),
            failing={name: since_s for name, since_s in failing.items() if since_s is not None},
            store_since_s=pulse.failing_since_s,
            store_failure=pulse.failure,
            journal_share=self._counted.bytes / self._journal.limit_bytes,
            overflowed=source.overflowed,
        )

    def _report(self, seen: Seen, wrong: Sequence[Wrong]) -> Report:
        figures = self._pulse.figures
        return Report(
            seen=seen,
            figures=replace(figures, counters={**figures.counters, **self.counters}),
            uptime_s=seen.now_s - self._started_s,
            queued=self._source.waiting,
            waiting=dict.fromkeys((one.addressee for one in self._couriers), 0) | dict(self._counted.waiting),
            journal_bytes=self._counted.bytes,
            journal_limit=self._journal.limit_bytes,
            durations=self._pulse.durations,
            seconds=self._pulse.seconds,
            wrong=tuple(one.key for one in wrong),
        )

    def _heartbeat(self, seen: Seen, wrong: Sequence[Wrong]) -> Heartbeat:
        figures = self._pulse.figures
        return Heartbeat(
            time_s=seen.now_s,
            uptime_s=seen.now_s - self._started_s,
            connected=seen.connected,
            silent_s=seen.silent_s,
            devices=sum(fleet.devices for fleet in figures.fleets),
            open_events=sum(fleet.open_events for fleet in figures.fleets),
            journal_bytes=self._counted.bytes,
            waiting=self._counted.waiting,
            wrong=wrong,
            counters=dict(figures.counters) | dict(self.counters),
        )

    # ---------------------------------------------------------------- what is told

    def _post(self) -> None:
        self._journal.post(self._untold)
        self._untold = []
        for courier in self._couriers:
            courier.wake()

    def _publish_list(self, publisher: Publisher, wrong: Sequence[Wrong], now_s: float) -> None:
        publisher.publish(f"{self._status}/wrong", encode_wrong(wrong, now_s), qos=1, retain=True)
        self._list_due.remove(publisher)

    def _beat(self, beat: Heartbeat) -> None:
        topic, ping = self._config.heartbeat, self._ping
        for publisher in [one for one in self._publishers if topic and one.connected]:
            self._try("heartbeat", partial(publisher.publish, topic, encode_heartbeat(beat), qos=0))
        if self._influx and self._counted.bytes < self._journal.limit_bytes:
            line = heartbeat_line(beat).encode()
            self._try("heartbeat", lambda: self._journal.post([Letter(INFLUX, line)]))
        if ping is not None and not not_alive(self.metrics.report, beat.time_s) and not beat.wrong:
            self._try("ping", ping.send)

    def _try(self, what: str, act: Callable[[], None]) -> None:
        """What cannot be done now is counted and done at the next look, or is out of date by then."""
        try:
            act()
        except ServerError as error:
            self.counters[f"monitor_failures.{what}"] += 1
            if self.counters[f"monitor_failures.{what}"] in (1, 10, 100, 1000):
                log.warning("monitor: %s", error)
