"""What is wrong with the service itself: opened and closed as events are, told by the same ways.

A pure step: what was seen and what was wrong before -> what is wrong now, and what there is to tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from anomgan.config import MonitorConfig
from anomgan.wire.heartbeat import Wrong

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

    silent_s: since the last message or the start. disconnected_since_s, failing (addressee -> since when letters to it
    fail), store_since_s: None or left out where all is well. overflowed: messages lost so far.
    """

    now_s: float
    connected: bool
    reason: str
    silent_s: float
    idle_s: float
    disconnected_since_s: float | None
    failing: Mapping[str, float]
    store_since_s: float | None
    store_failure: str
    journal_share: float
    overflowed: int


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
    quiet = seen.silent_s >= silent_s
    yield Mark(
        "silent", seen.connected and quiet, not quiet, f"no message for {_minutes(seen.silent_s)} although connected"
    )
    gone_s = 0.0 if seen.disconnected_since_s is None else seen.now_s - seen.disconnected_since_s
    yield Mark(
        "broker", gone_s >= away_s, seen.connected, f"no connection to the broker for {_minutes(gone_s)}: {seen.reason}"
    )
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


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
