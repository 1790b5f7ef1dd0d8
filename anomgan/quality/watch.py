"""QualityWatch: data quality in the turns of a service that is sometimes away.

Turns are made while the service listens, at least every few seconds, with or without readings. A longer step from one
to the next means that it was away, or too busy, or that its own clock was set: nobody was silent meanwhile, and what
comes in afterwards has waited for us. That says nothing about the devices, until so much time has passed again.

Turns and their times alone decide what comes out, so that they can be made again after a crash.
"""

import math
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from anomgan.config import QualityConfig
from anomgan.errors import DataError
from anomgan.quality.fleet import FleetQuality
from anomgan.quality.limits import Limits
from anomgan.records import DeviceHealth, HealthIssue, Reading, Source
from anomgan.snapshots import UNREADABLE, timely, typed

AWAY_S = 20.0
"""a longer step between turns is an absence"""
LONGEST_CATCHING_UP_S = 3600.0
REPORTS_A_TURN = 200
_SIZE = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Watched:
    """What a turn's readings became: those to feed, the issues that opened or closed, and the health of devices.

    news: health of devices that are new or with which something has changed; standing: of some others, as it stands;
    refused: readings, each with why, as its counter is called.
    """

    readings: list[Reading]
    issues: list[HealthIssue]
    news: list[DeviceHealth]
    standing: list[DeviceHealth]
    refused: list[tuple[str, Reading]]
    masked: list[Reading]
    """of the readings to feed: those of which something was taken away"""


class QualityWatch:
    """A FleetQuality, since when it has been watched, and whose health is due. `model` is the name that issues carry.

    Raises DataError where the configuration names unknown channels.
    """

    def __init__(self, limits: Limits, config: QualityConfig, model: str = "") -> None:
        self.quality = FleetQuality(limits, config, model)
        self._config = config
        self._turn_s = -math.inf
        self._listening_since_s = -math.inf
        self._catching_up_until_s = -math.inf

    @property
    def counters(self) -> Counter[str]:
        """Those of the FleetQuality."""
        return self.quality.counters

    def turn(self, readings: Sequence[Reading], now_s: float, arrivals: Sequence[float] | None = None) -> Watched:
        """One turn at the wall clock's time; readings that have no arrival of their own arrived with it."""
        away_s = now_s - self._turn_s
        if not 0.0 <= away_s <= AWAY_S:
            known_s = away_s if math.isfinite(away_s) else 0.0
            wait_s = min(max(abs(known_s), self._config.late_s), LONGEST_CATCHING_UP_S)
            self._listening_since_s, self._catching_up_until_s = now_s, now_s + wait_s
        self._turn_s = now_s
        came = [now_s] * len(readings) if arrivals is None else arrivals
        screened = self.quality.screen(readings, came, catching_up=now_s < self._catching_up_until_s)
        issues = screened.issues + self.quality.silent(now_s, listening_since_s=self._listening_since_s)
        new, due = self.quality.due(now_s, self._config.report_s, REPORTS_A_TURN)
        changed: dict[Source, None] = dict.fromkeys([(issue.site, issue.device) for issue in issues] + new)
        standing = [source for source in due if source not in changed]
        tell = self.quality.health
        told = tell(now_s, changed), tell(now_s, standing)
        return Watched(screened.readings, issues, *told, screened.refused, screened.masked)

    def forget(self, sources: Iterable[Source], why: str) -> list[HealthIssue]:
        """Let go of devices; what was wrong with them, closed for a reason."""
        return self.quality.forget(sources, why)

    def fits(self, other: "QualityWatch") -> bool:
        """Whether it can go on with what another one remembers: both watch the same channels in the same way."""
        return self.quality.made_for == other.quality.made_for

    def snapshot(self) -> bytes:
        """All that is remembered; `restore` goes on as if nothing had happened."""
        times = [self._turn_s, self._listening_since_s, self._catching_up_until_s]
        head = orjson.dumps({"times_s": times, "counters": self.counters})
        return _SIZE.pack(len(head)) + head + self.quality.snapshot()

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        end = _SIZE.size + (_SIZE.unpack_from(snapshot)[0] if len(snapshot) >= _SIZE.size else 0)
        try:
            head = orjson.loads(snapshot[_SIZE.size : end])
            counters = typed(head, "counters", dict[str, int])
            # an infinity is null in JSON: before the first turn
            times = [-math.inf if at_s is None else at_s for at_s in typed(head, "times_s", tuple[float | None, ...])]
            timely(*filter(math.isfinite, times))
            if any(count < 0 for count in counters.values()):
                raise ValueError("a counter is negative")
            turn_s, since_s, until_s = times
        except UNREADABLE as error:
            raise DataError(f"these bytes are not a snapshot of a watch over data quality: {error}") from None
        self.quality.restore(snapshot[end:])
        self._turn_s, self._listening_since_s, self._catching_up_until_s = turn_s, since_s, until_s
        self.counters.update(counters)
