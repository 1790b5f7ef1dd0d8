"""What people are told by mail, chat or webhook: events that are bad enough, and not too many of them in an hour.

A pure function of its state, the turn's time and the turn's events, so that a turn can be made again.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import orjson

from anomgan.adapters.ports import Letter
from anomgan.config import NotifyConfig
from anomgan.errors import DataError
from anomgan.records import Event
from anomgan.wire.notice import Mood, Notice, encode_notice

HOUR_S = 3600.0
RANK = {"minor": 0, "major": 1, "critical": 2}
MOST_TOLD = 10_000
"""open events that are remembered; one that somebody mutes meanwhile may never be told to be over"""
MOST_NAMED = 10
"""devices that a summary names"""


class Notices:
    """What has been told in this hour, and what waits for its end. `addressees` get a letter each."""

    def __init__(self, config: NotifyConfig, addressees: Sequence[str]) -> None:
        self._config = config
        self._addressees = list(addressees)
        self._told: dict[str, str] = {}
        """the open events that were told or counted, by id: their severity"""
        self._hour_ends_s = -math.inf
        self._singly = 0
        self._held: Counter[str] = Counter()

    @property
    def due_s(self) -> float:
        """When there will be something to tell without any new event; never where there is nobody to tell."""
        return self._hour_ends_s if self._held and self._addressees else math.inf

    def update(self, now_s: float, events: Iterable[Event], counters: Counter[str]) -> list[Letter]:
        """The letters that a turn's events make."""
        if not self._addressees:
            return []
        notices: list[Notice] = []
        # a clock that was set back must not leave an hour without an end
        if now_s >= self._hour_ends_s or now_s < self._hour_ends_s - HOUR_S:
            if self._held:
                notices.append(_summary(self._held))
            self._hour_ends_s, self._singly = now_s + HOUR_S, len(notices)
            self._held.clear()
        for event in events:
            occasion = self._occasion(event)
            if occasion not in self._config.on:
                continue
            if self._singly >= self._config.per_hour:
                counters["notices_summed_up"] += 1
                self._held[_name(event)] += 1
                continue
            self._singly += 1
            notices.append(_about(event, occasion))
        return letters_of(notices, self._addressees)

    def _occasion(self, event: Event) -> str:
        """How it stands with an event for those who are told; "" where it is nothing to them."""
        if event.state not in ("open", "closed"):
            self._told.pop(event.id, None)
            return ""
        if RANK[event.severity] < RANK[self._config.min_severity]:
            return ""
        if event.state == "closed":
            return "closed" if self._told.pop(event.id, None) else ""
        before = self._told.get(event.id)
        self._told[event.id] = event.severity
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        if before is None:
            return "open"
        return "worse" if RANK[event.severity] > RANK[before] else ""

    # ---------------------------------------------------------------- state

    def snapshot(self) -> bytes:
        """Everything that later letters depend on."""
        ends_s = None if math.isinf(self._hour_ends_s) else self._hour_ends_s
        return orjson.dumps(
            {"version": 1, "told": self._told, "ends_s": ends_s, "singly": self._singly, "held": self._held}
        )

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for anything else, which changes nothing."""
        try:
            document = orjson.loads(snapshot)
            if document["version"] != 1:
                raise DataError(f"a snapshot of notices of version {document['version']}, not 1")
            told, held = dict(document["told"]), Counter(document["held"])
            ends_s = -math.inf if document["ends_s"] is None else float(document["ends_s"])
            singly = int(document["singly"])
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"these bytes are not a snapshot of notices: {error}") from None
        self._told, self._held, self._hour_ends_s, self._singly = told, held, ends_s, singly


def letters_of(notices: Sequence[Notice], addressees: Iterable[str]) -> list[Letter]:
    """A letter to each addressee for each notice."""
    bodies = [encode_notice(notice) for notice in notices]
    return [Letter(addressee, body) for body in bodies for addressee in addressees]


def _about(event: Event, occasion: str) -> Notice:
    name = _name(event)
    if occasion == "closed":
        return Notice(f"{name}: over", f"Since {_clock(event.end_s)}. It was: {event.reason}.", "success")
    kind: Mood = "failure" if event.severity == "critical" else "warning"
    worse = " (worse)" if occasion == "worse" else ""
    return Notice(f"{name}: {event.severity}{worse}", f"{event.reason}. Since {_clock(event.start_s)}.", kind)


def _summary(held: Counter[str]) -> Notice:
    total, several = held.total(), len(held) > 1
    named = [f"{name} ({count})" if count > 1 else name for name, count in held.most_common(MOST_NAMED)]
    rest = f" and {len(held) - MOST_NAMED} more devices" if len(held) > MOST_NAMED else ""
    body = (
        f"In the last hour, beyond those told singly; from {'these' if several else 'this'}: {', '.join(named)}{rest}."
    )
    return Notice(f"and {total} more {'events' if total > 1 else 'event'}", body, "warning")


def _name(event: Event) -> str:
    return f"{event.site}/{event.device}" if event.site else event.device


def _clock(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
