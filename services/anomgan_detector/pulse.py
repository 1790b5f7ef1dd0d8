"""How the loop does, for those who watch it from other threads: they read, and never wait for or disturb the loop.

What is read together is replaced as one frozen record, so that a reader always has a whole one.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from anomgan_detector.post import Post

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""upper bounds of the turn durations that are counted"""


@dataclass(frozen=True, slots=True)
class FleetFigures:
    """One fleet as its last turn left it."""

    model: str
    digest: str
    devices: int
    open_events: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The service as its last turn left it."""

    now_s: float = 0.0
    counters: Mapping[str, int] = field(default_factory=dict)
    fleets: Sequence[FleetFigures] = ()


class Pulse:
    """Written by the loop alone; every attribute is replaced whole. `clock` measures durations."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.beat_s: float | None = None
        """when the loop came round last, by the service's clock"""
        self.failing_since_s: float | None = None
        """since when a store or the journal fails, None where they do not"""
        self.failure = ""
        self.figures = Figures()
        self.durations: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
        self.seconds = 0.0
        """of all turns together"""
        self._clock = clock

    def beat(self, now_s: float) -> None:
        """The loop came round."""
        self.beat_s = now_s

    def fail(self, now_s: float, why: str) -> None:
        """A store or the journal failed; the loop is alive and tries again."""
        self.beat_s = now_s
        self.failure = why
        self.failing_since_s = self.failing_since_s or now_s

    def succeed(self) -> None:
        """It does not fail any more."""
        self.failing_since_s = None

    def publish(self, now_s: float, counters: Mapping[str, int], fleets: Sequence[Post]) -> None:
        """How things stand after a turn."""
        several = [FleetFigures(fleet.name, fleet.digest, fleet.devices, fleet.open_events) for fleet in fleets]
        self.figures = Figures(now_s, counters, several)

    @contextmanager
    def turning(self) -> Iterator[None]:
        """Measure a turn."""
        start = self._clock()
        yield
        took_s = self._clock() - start
        at = bisect_left(BOUNDS_S, took_s)
        self.durations = (*self.durations[:at], self.durations[at] + 1, *self.durations[at + 1 :])
        self.seconds += took_s
