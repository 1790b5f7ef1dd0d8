"""Which events are like another one: in the channels that made them odd, how much each did, and in which direction.

An event is taken as a vector. It has one coordinate per channel and direction (above what was expected, below it, or
missing), which holds the channel's contribution at the event's peak. The likeness of two events is the cosine of the
angle between their vectors: 1 where the same channels left normal in the same directions by the same shares, however
large the event; 0 where they have no channel in common, or only such as went the other way. Contributions are never
negative, so that nothing lies below 0. How long an event lasted, how odd it was and what was said of it do not count.
"""

import math
from collections.abc import Iterable
from typing import Literal

from anomgan.records import Event

Direction = Literal["above", "below", "missing", "as expected"]
LEAST = 0.5
"""likeness below which two events have little to do with each other"""


def direction(observed: float, expected: float) -> Direction:
    """Where an observed value lies."""
    if math.isnan(observed):
        return "missing"
    return "above" if observed > expected else "below" if observed < expected else "as expected"


def likeness(one: Event, other: Event) -> float:
    """The cosine of two events, 0 to 1; 0 where one of them says nothing of any channel."""
    a, b = _vector(one), _vector(other)
    size = math.sqrt(_dot(a, a) * _dot(b, b))
    return min(1.0, _dot(a, b) / size) if size > 0.0 else 0.0


def most_alike(event: Event, others: Iterable[Event], most: int, least: float = LEAST) -> list[tuple[float, Event]]:
    """(likeness, event) of at most `most` others, the most alike first; of equals the same device, then the latest.

    The event itself, and one that is made up of devices as it is not, are left out.
    """
    alike = [
        (likeness(event, other), other)
        for other in others
        if other.id != event.id and (other.members > 0) == (event.members > 0)
    ]
    source = (event.site, event.device)
    ranked = sorted(
        (pair for pair in alike if pair[0] >= least),
        key=lambda pair: (-round(pair[0], 3), (pair[1].site, pair[1].device) != source, -pair[1].start_s, pair[1].id),
    )
    return ranked[:most]


Vector = dict[tuple[str, Direction], float]


def _vector(event: Event) -> Vector:
    told = zip(event.channels, event.observed, event.expected, event.contributions, strict=True)
    return {(name, direction(seen, meant)): share for name, seen, meant, share in told if share > 0.0}


def _dot(a: Vector, b: Vector) -> float:
    return sum(share * b[key] for key, share in a.items() if key in b)
