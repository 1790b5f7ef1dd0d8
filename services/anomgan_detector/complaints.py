"""What is wrong with the service itself: opened and closed as events are, told by the same ways.

A pure step: what was seen and what was wrong before -> what is wrong now, and what there is to tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from anomgan.config import MonitorConfig
from anomgan.wire.heartbeat import Wrong
from anomgan_detector.watch import BrokerStanding

STORE_S = 60.0
"""a store that fails for so long is told; it is tried again every half minute at least"""
LOOP_S = 120.0
"""a loop that has not come round for so long hangs"""
OVERFLOW_S = 600.0
"""without a further loss, until an overflow is over"""
JOURNAL_EASES = 0.1
"""of the limit, that must be free again below the mark"""


@dataclass(frozen=True, slots=True)
class Seen:
    """The service, looked at from outside.

    idle_s: since the loop came round. failing (addressee -> since when letters to it fail), store_since_s: left out or
    None where all is well. overflowed: messages lost so far.
    """

    now_s: float
    brokers: Sequence[BrokerStanding]
    idle_s: float
    failing: Mapping[str, float]
    store_since_s: float | None
    store_failure: str
    journal_share: float
    overflowed: int

    @property
    def connected(self) -> bool:
        """Whether messages can come from every broker."""
        return all(one.connected for one in self.brokers)

    @property
    def silent_s(self) -> float:
        """Since the last message from any of them, or since their connections."""
        return min(one.silent_s for one in self.brokers)


class Watch(NamedTuple):
    """What is remembered between two looks: the complaints that are open, and the messages lost with the time."""

    open: Mapping[str, Wrong] = {}
    overflowed: int = 0
    overflowed_s: float = float("-inf")


class Mark(NamedTuple):
    """One thing that may be wrong: when it begins to be, and when it is over; between the two nothing changes."""

    key: str
    wrong: bool
    over: bool
    words: str


def look(config: MonitorConfig, watch: Watch, seen: Seen) -> tuple[Watch, list[Wrong], list[Wrong]]:
    """The next state, what began to be wrong, and what is over."""
    lost_s = seen.now_s if seen.overflowed > watch.overflowed else watch.overflowed_s
    still = dict(watch.open)
    begun, over = [], []
    for mark in _marks(config, seen, lost_s, seen.overflowed - watch.overflowed, still):
        if mark.key not in still and mark.wrong:
            still[mark.key] = Wrong(mark.key, seen.now_s, mark.words)
            begun.append(still[mark.key])
        elif mark.key in still and mark.over:
            over.append(still.pop(mark.key))
    return Watch(still, max(seen.overflowed, watch.overflowed), lost_s), begun, over


def _marks(config: MonitorConfig, seen: Seen, lost_s: float, lost: int, still: Mapping[str, Wrong]) -> Iterator[Mark]:
    silent_s, away_s = config.silent_min * 60.0, config.away_min * 60.0
    for broker in seen.brokers:
        yield from _about_broker(broker, silent_s, away_s)
    away = {f"away.{name}": seen.now_s - since_s for name, since_s in seen.failing.items()}
    for key in sorted({*away, *(key for key in still if key.startswith("away."))}):
        for_s = away.get(key, 0.0)
        what = f"{key.removeprefix('away.')} has been away for {_minutes(for_s)}; what is meant for it waits on disk"
        yield Mark(key, for_s >= away_s, key not in away, what)
    failing_s = 0.0 if seen.store_since_s is None else seen.now_s - seen.store_since_s
    yield Mark("store", failing_s >= STORE_S, seen.store_since_s is None, f"nothing is stored: {seen.store_failure}")
    yield Mark(
        "journal",
        seen.journal_share >= config.journal_full,
        seen.journal_share < config.journal_full - JOURNAL_EASES,
        f"the journal is {seen.journal_share:.0%} full; when it is full, nothing more is taken from the broker",
    )
    yield Mark(
        "overflow",
        lost > 0,
        seen.now_s - lost_s >= OVERFLOW_S,
        f"{lost:,} messages of QoS 0 were lost because they came faster than they were handled",
    )
    hangs = seen.idle_s >= LOOP_S
    yield Mark("loop", hangs and seen.store_since_s is None, not hangs, f"no turn for {_minutes(seen.idle_s)}")


def _about_broker(broker: BrokerStanding, silent_s: float, away_s: float) -> Iterator[Mark]:
    """A silence is over when a message comes, and no sooner: not when the connection is lost or made anew."""
    mark, whose = (f".{broker.name}", f"broker {broker.name}") if broker.name else ("", "the broker")
    yield Mark(
        f"silent{mark}",
        broker.connected and broker.silent_s >= silent_s,
        broker.unheard_s < silent_s,
        f"no message from {whose} for {_minutes(broker.silent_s)} although connected",
    )
    yield Mark(
        f"broker{mark}",
        broker.away_s >= away_s and not broker.connected,
        broker.connected,
        f"no connection to {whose} for {_minutes(broker.away_s)}: {broker.reason}",
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
