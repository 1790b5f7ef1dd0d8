"""Several brokers' messages as one source: fair to each, and none waits for another that is away."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from anomgan.adapters.ports import Liveness, Message, MessageSource


class MergedSource:
    """A MessageSource over those of several brokers, by name; their messages carry that name.

    `arrived` is set by every one of them when messages have come. Where there are more than a caller takes, each source
    gives its share and the rest is filled up, so that a broker with much to say keeps no other from being heard.
    """

    def __init__(self, sources: Mapping[str, MessageSource], arrived: threading.Event) -> None:
        self._sources = dict(sources)
        self._arrived = arrived
        self._turn = 0

    @property
    def overflowed(self) -> int:
        """Messages lost because nobody took them in time; only QoS 0 may be."""
        return sum(source.overflowed for source in self._sources.values())

    @property
    def waiting(self) -> int:
        """How many messages have come and wait to be taken."""
        return sum(source.waiting for source in self._sources.values())

    def receive(self, limit: int, timeout_s: float) -> list[Message]:
        """Up to `limit` messages, waiting at most `timeout_s` for the first; [] when there was none."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._arrived.clear()  # before looking: what comes after that wakes us
            messages = self._drain(limit)
            remaining_s = deadline - time.monotonic()
            if messages or remaining_s <= 0:
                return messages
            self._arrived.wait(remaining_s)

    def _drain(self, limit: int) -> list[Message]:
        """What is there: first everybody's share, beginning with another one each time, then as much as fits."""
        sources = list(self._sources.values())
        self._turn = (self._turn + 1) % len(sources)
        order = sources[self._turn :] + sources[: self._turn]
        share = max(1, limit // len(sources))
        messages: list[Message] = []
        for most in (share, limit):
            for source in order:
                room = min(most, limit - len(messages))
                messages += source.receive(room, 0.0) if room else []
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell each broker that its own are dealt with; one that is no source any more cannot be told."""
        for name, source in self._sources.items():
            theirs = [message for message in messages if message.broker == name]
            if theirs:
                source.acknowledge(theirs)

    def liveness(self) -> list[Liveness]:
        """How the connection to each broker stands."""
        return [one for source in self._sources.values() for one in source.liveness()]

    def close(self) -> None:
        """Leave all of them cleanly; safe to call twice."""
        with ExitStack() as stack:
            for source in self._sources.values():
                stack.callback(source.close)
