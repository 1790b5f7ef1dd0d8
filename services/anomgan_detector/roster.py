"""Which devices of a fleet are known, and when each was heard: who is let in, and who is forgotten.

Devices are replaced, and some call themselves anew at every start: what is kept of each must end some time. Time counts
while turns are made, by their own times: a longer step between two turns counts as LOOK_EVERY_S, so that nobody is
forgotten because the service was away, a broker was, or a clock was set. State and turns alone decide who goes.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import filterfalse

import orjson

from anomgan.config import InputConfig
from anomgan.errors import DataError
from anomgan.records import Reading, Source
from anomgan.snapshots import UNREADABLE, timely, typed

LOOK_EVERY_S = 3600.0
"""for those that have long been silent; also the longest step of time"""
DAY_S = 86_400.0


class Roster:
    """(site, device) -> when it was heard last, in seconds of turns made."""

    def __init__(self, rule: InputConfig) -> None:
        self._rule = rule
        self._heard: dict[Source, float] = {}
        self._turn_s: float | None = None
        self._clock_s = 0.0
        self._look_due_s = LOOK_EVERY_S

    def __len__(self) -> int:
        """How many devices are known."""
        return len(self._heard)

    def __contains__(self, source: Source) -> bool:
        """Whether a device is known."""
        return source in self._heard

    @property
    def sources(self) -> Collection[Source]:
        """The devices that are known."""
        return self._heard.keys()

    def tick(self, now_s: float) -> None:
        """A turn is made at a time."""
        if self._turn_s is not None:
            self._clock_s += min(max(now_s - self._turn_s, 0.0), LOOK_EVERY_S)
        self._turn_s = now_s

    def strangers(self, readings: Sequence[Reading]) -> list[Reading]:
        """The readings of devices for which there is no room: one more than `most_devices`."""
        heard, room = self._heard, self._rule.most_devices - len(self._heard)
        if room >= len(readings):
            return []
        new: set[Source] = set()
        strange = []
        for reading in readings:
            source = reading.source
            if source in heard or source in new:
                continue
            if len(new) < room:
                new.add(source)
            else:
                strange.append(reading)
        return strange

    def hear(self, sources: Iterable[Source]) -> None:
        """Devices are heard now."""
        self._heard.update(dict.fromkeys(sources, self._clock_s))

    def meet(self, sources: Iterable[Source]) -> None:
        """Devices of which something is kept are taken for heard now, where they are not known."""
        self.hear(filterfalse(self._heard.__contains__, sources))

    def gone(self) -> list[Source]:
        """The devices to forget, which are not known from now on; looked for once in LOOK_EVERY_S."""
        if not self._rule.forget_days or self._clock_s < self._look_due_s:
            return []
        self._look_due_s = self._clock_s + LOOK_EVERY_S
        latest_s = self._clock_s - self._rule.forget_days * DAY_S
        gone = [source for source, heard_s in self._heard.items() if heard_s < latest_s]
        for source in gone:
            del self._heard[source]
        return gone

    # ---------------------------------------------------------------- state

    def snapshot(self) -> bytes:
        """Everything that later turns depend on, as versioned JSON."""
        heard = [[*source, heard_s] for source, heard_s in self._heard.items()]
        times = {"turn_s": self._turn_s, "clock_s": self._clock_s, "look_due_s": self._look_due_s}
        return orjson.dumps({"version": 1, "heard": heard} | times)

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for anything else, which changes nothing."""
        try:
            document = orjson.loads(snapshot)
            if document["version"] != 1:
                raise DataError(f"a snapshot of devices of version {document['version']}, not 1")
            rows = typed(document, "heard", tuple[tuple[str, str, float], ...])
            turn_s = None if document["turn_s"] is None else typed(document, "turn_s", float)
            clock_s, look_due_s = typed(document, "clock_s", float), typed(document, "look_due_s", float)
            timely(0.0 if turn_s is None else turn_s, clock_s)
            if look_due_s > clock_s + 2.0 * LOOK_EVERY_S or any(heard_s > clock_s for _, _, heard_s in rows):
                raise ValueError("a time is later than it can be")
        except UNREADABLE as error:
            raise DataError(f"these bytes are not a snapshot of the devices that are known: {error}") from None
        self._heard = {(site, device): heard_s for site, device, heard_s in rows}
        self._turn_s, self._clock_s, self._look_due_s = turn_s, clock_s, look_due_s
