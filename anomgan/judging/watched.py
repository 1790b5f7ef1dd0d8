"""For how long which devices were watched, in event time: what false alarms per device-week are counted by."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from anomgan.errors import PayloadError
from anomgan.judging.told import Part, Run
from anomgan.records import Source

WEEK_S = 7 * 86_400.0
MOST_RUNS = 10_000
MOST_DEVICES = 1_000_000
"""of all runs together"""
Span = tuple[float, float]


@dataclass(slots=True)
class Watched:
    """The runs that were heard of. live: a run counts from where it stood when it was first heard of, for nobody
    listened before; else from its start. `kinds` are the kinds of devices that runs have told, by (site, device)."""

    live: bool = False
    kinds: dict[Source, str] = field(default_factory=dict)
    _spans: dict[tuple[float, tuple[Part, ...]], tuple[float, float]] = field(default_factory=dict)
    _devices: int = 0

    def add(self, run: Run) -> None:
        """One record of a run; in any order, and as often as it likes. PayloadError for one too many to remember."""
        key = (run.start_s, run.parts)
        if key not in self._spans:
            devices = self._devices + sum(max(part.count, 1) for part in run.parts)
            if len(self._spans) >= MOST_RUNS or devices > MOST_DEVICES:
                raise PayloadError(
                    "too_many_runs", f"more than {MOST_RUNS:,} runs, or {MOST_DEVICES:,} devices in them"
                )
            self._devices = devices
            for part in run.parts:
                self.kinds.update(dict.fromkeys(part.sources(), part.kind))
        from_s, until_s = self._spans.get(key, (run.until_s if self.live else run.start_s, run.until_s))
        self._spans[key] = (from_s, max(until_s, run.until_s))

    def __bool__(self) -> bool:
        """Whether a run was heard of."""
        return bool(self._spans)

    @property
    def until_s(self) -> float:
        """How far the runs have come."""
        return max(until_s for _, until_s in self._spans.values())

    def begins(self, absences: Mapping[Source, Sequence[Span]]) -> dict[Source, float]:
        """Since when each device is watched and there; absences in order."""
        found: dict[Source, float] = {}
        for (_, parts), (from_s, _) in self._spans.items():
            for part in parts:
                for source in part.sources():
                    found[source] = min(from_s, found.get(source, from_s))
        for source, absent in absences.items():
            for start_s, end_s in absent:
                if start_s <= found.get(source, -math.inf) < end_s:
                    found[source] = end_s
        return found

    def span_s(self, counted_from_s: float) -> float:
        """Seconds from a moment on at which any run went on."""
        return _covered(self._spans.values(), counted_from_s)

    def device_s(
        self, counted_from: Mapping[Source, float], absences: Mapping[Source, Sequence[Span]]
    ) -> dict[Source, float]:
        """Seconds of each device from its moment in `counted_from` on and while it is there; what overlaps counts
        once."""
        spans: dict[Source, list[Span]] = {}
        for (_, parts), span in self._spans.items():
            for part in parts:
                for source in part.sources():
                    spans.setdefault(source, []).append(span)
        return {
            source: _covered(_without(some, absences.get(source, ())), counted_from[source])
            for source, some in spans.items()
        }


def _without(spans: Sequence[Span], gaps: Sequence[Span]) -> Sequence[Span]:
    """What the gaps leave of some spans."""
    for start_s, end_s in gaps:
        parts = [part for a, b in spans for part in ((a, min(b, start_s)), (max(a, end_s), b))]
        spans = [(a, b) for a, b in parts if a < b]
    return spans


def _covered(spans: Iterable[Span], from_s: float) -> float:
    """The length of the union of some spans, from a moment on."""
    covered_s, reached_s = 0.0, from_s
    for start_s, end_s in sorted(spans):
        covered_s += max(end_s - max(start_s, reached_s), 0.0)
        reached_s = max(reached_s, end_s)
    return covered_s
