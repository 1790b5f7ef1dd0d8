"""Cool-down: what opens soon after an event of the same device has ended is that event going on.

It keeps the first one's id and start, and of the two the odder peak; severity only rises.
"""

from dataclasses import replace

from anomgan.explain import MOST_ONSETS
from anomgan.records import Event, Severity

RANK: dict[Severity, int] = {"minor": 0, "major": 1, "critical": 2}


def goes_on(before: Event, event: Event, cool_down_s: float) -> bool:
    """Whether an event belongs to one of the same device that ended before."""
    return before.id != event.id and 0.0 <= event.start_s - before.end_s < cool_down_s


def continued(before: Event, event: Event) -> Event:
    """The event that both are."""
    odder = event if event.peak > before.peak or before.peak != before.peak else before
    worse = event if RANK[event.severity] > RANK[before.severity] else before
    went = {**dict(event.onsets), **dict(before.onsets)}
    return replace(
        odder,
        id=before.id,
        start_s=before.start_s,
        end_s=event.end_s,
        state=event.state,
        severity=worse.severity,
        note=event.note,
        onsets=tuple(sorted(went.items(), key=lambda one: one[1])[:MOST_ONSETS]),
    )
