"""Whether every broker still brings messages: a pure look at its connection, for pages and complaints."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from anomgan.adapters.ports import Liveness


@dataclass(frozen=True, slots=True)
class BrokerStanding:
    """One broker as it stands. `away_s`: for how long there has been no connection, 0 while there is one.

    silent_s counts from the last message, or from the last change of the connection where none has come since;
    unheard_s from the last message alone, inf where none has ever come.
    """

    name: str
    connected: bool
    reason: str
    away_s: float
    silent_s: float
    unheard_s: float


def standing(several: Iterable[Liveness], now_s: float) -> tuple[BrokerStanding, ...]:
    """Every broker as it stands; a clock that was set back makes nobody silent."""
    return tuple(_judge(one, now_s) for one in several)


def _judge(one: Liveness, now_s: float) -> BrokerStanding:
    changed_s = max(0.0, now_s - one.since_s)
    unheard_s = inf if one.last_message_s is None else max(0.0, now_s - one.last_message_s)
    away_s = 0.0 if one.connected else changed_s
    return BrokerStanding(one.broker, one.connected, one.reason, away_s, min(changed_s, unheard_s), unheard_s)
