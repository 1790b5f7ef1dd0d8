"""True events against found events: what was found, what was missed, what was a false alarm. Never point-adjusted.

Rules, for intervals of the same (site, device), ends included:

- a true event is found if a found event overlaps [start, end + tolerance];
- a found event that overlaps no such interval is a false alarm;
- the delay is found start - true start of the earliest found event, 0 where it was already open;
- one found event may cover several true events, and several found events may fall on one true event.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from anomgan.errors import DataError
from anomgan.records import HealthIssue, Source

GRACE_S = 120.0
"""a machine takes a while to recover from a fault; an event that starts so soon after one belongs to it"""


class Span(Protocol):
    """Anything that lasts: an `Event`, a simulated fault, an `Interval`."""

    @property
    def site(self) -> str:
        """The site, "" where there is none."""
        ...

    @property
    def device(self) -> str:
        """The device."""
        ...

    @property
    def start_s(self) -> float:
        """First moment."""
        ...

    @property
    def end_s(self) -> float:
        """Last moment, not before `start_s`."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """A bare span of event time on one device."""

    start_s: float
    end_s: float
    device: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class Matching:
    """Indices into the two sequences that were matched.

    pairs = (true event, the earliest found event on it), missed = true events without one, false_alarms =
    found events without a true one; delays_s goes with pairs.
    """

    pairs: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    false_alarms: tuple[int, ...]
    delays_s: tuple[float, ...]

    @property
    def recall(self) -> float:
        """Share of the true events that were found; NaN without any."""
        total = len(self.pairs) + len(self.missed)
        return len(self.pairs) / total if total else float("nan")

    @property
    def median_delay_s(self) -> float:
        """Median delay of the true events that were found; NaN without any."""
        return float(np.median(self.delays_s)) if self.delays_s else float("nan")


def match_events(truth: Sequence[Span], found: Sequence[Span], tolerance_s: float = 0.0) -> Matching:
    """Match found events to true events by the rules above; DataError for a span that ends before it starts."""
    for kind, spans in (("true", truth), ("found", found)):
        for span in spans:
            if not span.start_s <= span.end_s:
                raise DataError(
                    f"a {kind} event of {span.device!r} ends at {span.end_s} before its start {span.start_s}"
                )
    by_source: dict[Source, list[int]] = {}
    for i in sorted(range(len(found)), key=lambda i: found[i].start_s):
        by_source.setdefault((found[i].site, found[i].device), []).append(i)

    pairs, missed, delays, justified = [], [], [], set()
    for t, fault in enumerate(truth):
        hits = [
            i
            for i in by_source.get((fault.site, fault.device), [])
            if found[i].start_s <= fault.end_s + tolerance_s and found[i].end_s >= fault.start_s
        ]
        justified.update(hits)
        if hits:
            pairs.append((t, hits[0]))
            delays.append(max(0.0, found[hits[0]].start_s - fault.start_s))
        else:
            missed.append(t)
    false_alarms = tuple(i for i in range(len(found)) if i not in justified)
    return Matching(tuple(pairs), tuple(missed), false_alarms, tuple(delays))


def issue_on(
    fault: Span, channels: Collection[str], issues: Iterable[HealthIssue], tolerance_s: float = 0.0
) -> HealthIssue | None:
    """What data quality says first of a true event, by the same rules: of one of its channels, or of the whole device.

    channels: where the fault shows, empty = anywhere. A stuck value may have stood a little before it became a fault.
    """
    those = [one for one in issues if not channels or not one.channel or one.channel in channels]
    pairs = match_events([fault], those, tolerance_s).pairs
    return those[pairs[0][1]] if pairs else None
