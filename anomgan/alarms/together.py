"""Many devices of a fleet at once: one event that says how many and in which channels, told in place of theirs.

Events are together when they start within `fleet_span_s` of each other by event time. They are many when they are
`fleet_share` of the fleet's active devices, and `fleet_min` at least: in a small fleet two devices that fail by chance
are no event of the fleet. It is open as long as one of its members is.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from statistics import median
from typing import Any

from anomgan.alarms.cool_down import RANK
from anomgan.config import AlarmsConfig
from anomgan.records import Event, Source
from anomgan.snapshots import timely, typed

ACTIVE_S = 3600.0
"""a device is active that has been heard within so long, by the service's clock"""
NAMED_CHANNELS = 3
MOST_RECENT = 20_000


@dataclass(slots=True)
class Fleet:
    """What is remembered of one fleet: when each device was heard last, events that opened lately (id, device, start),
    the fleet-wide events that are open, each with its members' ids, and which of them began last, "" = none, and when.

    There may be several, for a device that has fallen silent in the midst of one leaves it open.
    """

    heard: dict[Source, float] = field(default_factory=dict)
    recent: list[tuple[str, Source, float]] = field(default_factory=list)
    open: dict[str, list[str]] = field(default_factory=dict)
    newest_id: str = ""
    newest_start_s: float = -math.inf

    def hear(self, sources: Iterable[Source], now_s: float) -> None:
        """Devices are heard; those that have not been for long count no more, and are let go of."""
        for source in sources:
            self.heard.pop(source, None)  # so that who was heard last comes last
            self.heard[source] = now_s
        for source in list(takewhile(lambda one: now_s - self.heard[one] > ACTIVE_S, self.heard)):
            del self.heard[source]

    def active(self, now_s: float) -> int:
        """How many devices are active."""
        return sum(now_s - heard_s <= ACTIVE_S for heard_s in self.heard.values())


def needed(rule: AlarmsConfig, active: int) -> float:
    """How many devices are many; infinite where no number is."""
    if rule.fleet_share == 0.0 or active < rule.fleet_min:
        return math.inf
    return max(rule.fleet_min, math.ceil(rule.fleet_share * active))


def opens(rule: AlarmsConfig, fleet: Fleet, event_id: str, source: Source, start_s: float, active: int) -> list[str]:
    """A device's event opens: the ids of the events that belong to the fleet-wide one from now on, [] for none."""
    if fleet.newest_id and abs(start_s - fleet.newest_start_s) <= rule.fleet_span_s:
        fleet.newest_start_s = max(fleet.newest_start_s, start_s)
        return [event_id]
    fleet.recent = [one for one in fleet.recent if one[2] > start_s - 2.0 * rule.fleet_span_s][-MOST_RECENT:]
    fleet.recent.append((event_id, source, start_s))
    near = [one for one in fleet.recent if abs(one[2] - start_s) <= rule.fleet_span_s]
    if len({one[1] for one in near}) < needed(rule, active):
        return []
    fleet.recent = [one for one in fleet.recent if abs(one[2] - start_s) > rule.fleet_span_s]
    fleet.newest_id, fleet.newest_start_s = "", max(one[2] for one in near)
    return [one[0] for one in near]


def told_as_one(event_id: str, model: str, members: Mapping[str, Event], active: int) -> Event:
    """The fleet-wide event as its members' events make it."""
    events = list(members.values())
    devices = len({(event.site, event.device) for event in events})
    named = Counter(name for event in events for name in event.channels)
    lead = sorted(named, key=lambda name: (-named[name], name))[:NAMED_CHANNELS]
    worst = max(events, key=lambda event: (RANK[event.severity], event.peak))
    sites = {event.site for event in events}
    cells: dict[str, list[tuple[float, float, float, str]]] = defaultdict(list)
    for event in events:
        units = event.units or ("",) * len(event.channels)
        told = zip(event.channels, event.observed, event.expected, event.contributions, units, strict=True)
        for name, observed, expected, share, unit in told:
            cells[name].append((observed, expected, share, unit))
    parts = [f"{name} in {named[name]}" for name in lead]
    return Event(
        id=event_id,
        device=f"fleet:{model}",
        site=sites.pop() if len(sites) == 1 else "",
        state="open" if any(event.state == "open" for event in events) else "closed",
        start_s=min(event.start_s for event in events),
        end_s=max(event.end_s for event in events),
        peak=worst.peak,
        peak_s=worst.peak_s,
        severity=worst.severity,
        channels=tuple(lead),
        observed=tuple(_median([cell[0] for cell in cells[name]]) for name in lead),
        expected=tuple(_median([cell[1] for cell in cells[name]]) for name in lead),
        contributions=tuple(sum(cell[2] for cell in cells[name]) / len(events) for name in lead),
        reason=f"{devices} of {max(active, devices)} devices at once: {', '.join(parts)}",
        threshold=worst.threshold,
        model=worst.model,
        units=tuple(cells[name][0][3] for name in lead),
        members=devices,
    )


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(median(known)) if known else math.nan


def as_document(fleet: Fleet) -> dict[str, Any]:
    """What is remembered, as JSON can have it."""
    return {**asdict(fleet), "heard": [[*source, at_s] for source, at_s in fleet.heard.items()]}


def fleet_from(document: Mapping[str, Any], events: Set[str]) -> Fleet:
    """What `as_document` gave, through JSON and back; KeyError, TypeError or ValueError for anything else.

    events: ids of those that are remembered. Members of what is open are among them; what opened lately need not be.
    """
    newest_s = -math.inf if document["newest_start_s"] is None else typed(document, "newest_start_s", float)
    fleet = Fleet(
        heard={
            (site, device): at_s for site, device, at_s in typed(document, "heard", tuple[tuple[str, str, float], ...])
        },
        recent=list(typed(document, "recent", tuple[tuple[str, Source, float], ...])),
        open={key: list(members) for key, members in typed(document, "open", dict[str, tuple[str, ...]]).items()},
        newest_id=typed(document, "newest_id", str),
        newest_start_s=newest_s,
    )
    timely(*fleet.heard.values(), *(one[2] for one in fleet.recent), *filter(math.isfinite, [newest_s]))
    for key, members in fleet.open.items():
        if not members or not {key, *members} <= events:
            raise ValueError(f"event {key[:100]!r} is of many, which are not remembered")
    if fleet.newest_id and fleet.newest_id not in fleet.open:
        raise ValueError("the newest event of many is not open")
    return fleet
