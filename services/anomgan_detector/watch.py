"""Whether every broker still brings messages: what the log, a gauge or an alarm about the service itself can tell."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anomgan.adapters.ports import Liveness

log = logging.getLogger("anomgan.detector")
EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class BrokerStanding:
    """One broker as it stands: its connection, and for how long nothing has come.

    silent_s counts from the last message, or from the connection where none has come since; it is 0 while there is no
    connection, which is another alarm. `silent` means that it has gone on for longer than is allowed.
    """

    liveness: Liveness
    silent_s: float
    silent: bool


class BrokerWatch:
    """Looks at brokers now and then, and logs when one falls silent and when it is heard again."""

    def __init__(self, look: Callable[[], Sequence[Liveness]], silent_after_s: float) -> None:
        self._look = look
        self._silent_after_s = silent_after_s
        self._silent: set[str] = set()
        self._next_s = 0.0

    def standing(self, now_s: float) -> list[BrokerStanding]:
        """Every broker as it stands."""
        return [self._judge(one, now_s) for one in self._look()]

    def watch(self, now_s: float) -> None:
        """Log what has changed; cheap to call often. A clock that was set back is no reason to stop looking."""
        if self._next_s - EVERY_S <= now_s < self._next_s:
            return
        self._next_s = now_s + EVERY_S
        for one in self.standing(now_s):
            name = one.liveness.broker
            if one.silent and name not in self._silent:
                self._silent.add(name)
                log.error("%s: connected, but silent for %.0f s", one.liveness.where, one.silent_s)
            elif not one.silent and one.liveness.connected and name in self._silent:
                self._silent.discard(name)
                log.info("%s: no longer silent", one.liveness.where)

    def _judge(self, one: Liveness, now_s: float) -> BrokerStanding:
        heard_s = one.since_s if one.last_message_s is None else max(one.since_s, one.last_message_s)
        silent_s = max(0.0, now_s - heard_s) if one.connected else 0.0
        return BrokerStanding(one, silent_s, silent_s > self._silent_after_s)
