"""Letters from the journal to those they are for, on a thread of their own: a server that is away holds up nobody.

A letter leaves the journal only when its carrier says that it has arrived. What an addressee has read and will never
have goes into quarantine with the reason; what is refused for other reasons (credentials, a database that is not there)
or does not arrive waits, and is tried again with growing pauses, in its order.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable

from anomgan.adapters.journal import Journal
from anomgan.adapters.ports import Carrier
from anomgan.errors import ServerError

log = logging.getLogger("anomgan.detector")
AT_ONCE = 100
"""letters"""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
IDLE_S = 5.0
"""the longest sleep of a courier whom nobody wakes"""
PATIENCE_S = 10.0


class Courier:
    """Carries the letters to one addressee from `start` to `close`; `journal` is a connection of its own.

    `failing_since_s` is when bringing them failed first, None while it succeeds. `at_once`: as many
    letters are brought together, and brought again together where one does not arrive.
    """

    def __init__(
        self, addressee: str, journal: Journal, carrier: Carrier, now: Callable[[], float], at_once: int = AT_ONCE
    ) -> None:
        self.addressee = addressee
        self.failing_since_s: float | None = None
        self._at_once = at_once
        self.counters: Counter[str] = Counter()
        self._journal = journal
        self._carrier = carrier
        self._now = now
        self._news = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"courier to {addressee}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def broken(self) -> bool:
        """Whether carrying has ended before `close`, which only a mistake in the program does."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._closing.is_set()

    def wake(self) -> None:
        """There is something to carry."""
        self._news.set()

    def close(self) -> None:
        """Carry what can be carried at once and leave; the rest waits in the journal for the next start."""
        self._closing.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            log.warning("the courier to %s is still waiting for an answer; what it carries stays here", self.addressee)
            return  # its journal and its carrier are in use until the process ends
        self._carrier.close()
        self._journal.close()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                carried = self.carry_some()
            except ServerError as error:
                self.counters[f"delivery_failures.{self.addressee}"] += 1
                self.failing_since_s = self.failing_since_s or self._now()
                if self._closing.is_set():
                    log.warning("%s; what waits for it is delivered after the next start", error)
                    return
                log.error("%s; what is meant for it waits in the journal, trying again in %.1f s", error, pause_s)
                self._closing.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 so that not all come back at once
                pause_s = min(2.0 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            if carried:
                self.failing_since_s = None
            else:
                if self._closing.is_set():
                    return
                self._news.wait(IDLE_S)
                self._news.clear()

    def carry_some(self) -> int:
        """Deliver the oldest letters; how many they were. Raises ServerError where they are still to be delivered."""
        letters = self._journal.letters(self.addressee, self._at_once)
        if not letters:
            return 0
        rejections = self._carrier.deliver(letters)
        if rejections:
            self._journal.quarantine(rejections, self._now())
            self.counters[f"quarantined.{self.addressee}"] += len(rejections)
            first = rejections[0]
            log.error(
                "%s will not have %d of what it was sent; the first: %s (%s). They are kept in quarantine; "
                "`anomgan journal` shows them",
                self.addressee,
                len(rejections),
                first.part[:500].decode("utf-8", "replace"),
                first.reason,
            )
        self._journal.delivered(letters)
        return len(letters)
