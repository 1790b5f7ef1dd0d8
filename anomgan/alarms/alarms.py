"""From the events of deciding to what is stored and what is told, for all fleets of a service.

In this order: what opens again soon goes on (`cool_down`); what a person has said, a maintenance window or a mute keeps
from being told (`mutes`, `maintenance`); many at once are one (`together`); of the rest others are told when it begins,
gets worse and ends (`tracked.telling`). Nothing here asks a clock: `now_s` is the service's time of the turn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from anomgan.alarms import mutes, together
from anomgan.alarms.cool_down import continued, goes_on
from anomgan.alarms.maintenance import Maintenance
from anomgan.alarms.mutes import Mute
from anomgan.alarms.tracked import Mark, Tracked, telling, tracked_from
from anomgan.config import AlarmsConfig
from anomgan.errors import DataError
from anomgan.records import Event, Source
from anomgan.snapshots import UNREADABLE, typed

VERSION = 1
KEPT = 1000
"""closed events that are remembered, so that they can be spoken of"""


@dataclass(frozen=True, slots=True)
class Group:
    """A fleet as alarms see it: what tells it from others, its model's name, and how long a window lasts."""

    key: str
    model: str
    window_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Events to tell, in order, and events to store as they stand now."""

    told: list[Event]
    stored: list[Event]


class Alarms:
    """The state of telling; `update` takes a turn's events of one fleet."""

    def __init__(self, rule: AlarmsConfig) -> None:
        self.rule = rule
        self.maintenance = Maintenance()
        self.mutes: tuple[Mute, ...] = ()
        self._events: dict[str, Tracked] = {}
        self._last: dict[Source, str] = {}
        self._aliases: dict[str, str] = {}
        self._fleets: dict[str, together.Fleet] = {}
        self._held: dict[str, None] = {}  # ordered
        self._told: list[Event] = []
        self._stored: dict[str, None] = {}
        self._active = 0

    # ---------------------------------------------------------------- a turn

    def update(
        self, group: Group, heard: Iterable[Source], events: Sequence[Event], standing: Sequence[Event], now_s: float
    ) -> Outcome:
        """What a fleet's deciding told in a turn, in order, and its open events of devices `heard` as they stand."""
        fleet = self._fleets.setdefault(group.key, together.Fleet())
        fleet.hear(heard, now_s)
        self._active = fleet.active(now_s) if events else 0
        for event in (*events, *standing):
            self._take(group, fleet, event, now_s)
        for event_id, members in list(fleet.open.items()):
            if not self._stored.keys().isdisjoint(members):
                self._tell_as_one(group, fleet, event_id, now_s)
        self._release(now_s)
        self._forget()
        return self._outcome()

    def _take(self, group: Group, fleet: together.Fleet, event: Event, now_s: float) -> None:
        """One event as it stands."""
        source = (event.site, event.device)
        key = self._aliases.get(event.id, event.id)
        tracked = self._events.get(key)
        opens = tracked is None
        if tracked is None:
            before = self._events.get(self._last.get(source, ""))
            if before is not None and goes_on(before.event, event, self.rule.cool_down_s):
                key = self._aliases[event.id] = before.event.id
                tracked = replace(before, base=before.event)
                opens = False
            else:
                tracked = Tracked(event, group.key, opened_s=event.end_s)
                self._last[source] = key
        as_is = event if tracked.base is None else continued(tracked.base, event)
        tracked = replace(tracked, event=as_is)
        self._events[key] = tracked = replace(tracked, muted=self._why_muted(group, tracked, now_s))
        if opens and not tracked.muted and as_is.state == "open":
            self._may_be_one_of_many(group, fleet, tracked, now_s)
        elif tracked.held_s is not None and as_is.end_s >= tracked.opened_s + self.rule.fleet_hold_s:
            self._events[key] = replace(tracked, held_s=now_s)  # by its own time it has waited long enough
        self._tell(key)

    def _why_muted(self, group: Group, tracked: Tracked, now_s: float) -> str:
        """Why nobody is told of an event now; what its newest anomalous window saw decides on maintenance."""
        event = tracked.event
        summary = self.maintenance.during(event.site, event.device, event.end_s - group.window_s, event.end_s)
        if summary is not None:
            return f"maintenance: {summary}"
        until_s = mutes.muted_until(self.mutes, event, now_s)
        if until_s is not None:
            return f"muted until {mutes.iso(until_s)}"
        fleet = self._fleets.get(group.key)
        members = () if fleet is None else fleet.open.get(event.id, ())
        muted = [self._events[key].muted for key in members]  # of many that nobody is told of, nobody is told
        return muted[0] if muted and all(muted) else ""

    def _tell(self, key: str) -> None:
        """Store an event as it stands, and tell what others have to know."""
        self._stored[key] = None
        self._events[key], told = telling(self._events[key])
        self._told += told
        if self._events[key].held_s is None:
            self._held.pop(key, None)

    # ---------------------------------------------------------------- many at once

    def _may_be_one_of_many(self, group: Group, fleet: together.Fleet, tracked: Tracked, now_s: float) -> None:
        """An event opens that somebody is to be told of."""
        event = tracked.event
        active = self._active
        if together.needed(self.rule, active) > active:
            return
        if self.rule.fleet_hold_s:
            self._events[event.id] = replace(tracked, held_s=now_s + self.rule.fleet_hold_s)
            self._held[event.id] = None
        joining = together.opens(self.rule, fleet, event.id, (event.site, event.device), event.start_s, active)
        joining = [key for key in joining if key in self._events and not self._events[key].muted]
        if joining and not fleet.newest_id:
            start_s = min(self._events[key].event.start_s for key in joining)
            fleet.newest_id = f"fleet:{group.model}@{round(start_s * 1000)}"
        for key in joining:
            self._events[key] = replace(self._events[key], part_of=fleet.newest_id)
            fleet.open.setdefault(fleet.newest_id, []).append(key)
            self._tell(key)

    def _tell_as_one(self, group: Group, fleet: together.Fleet, key: str, now_s: float) -> None:
        """A fleet-wide event anew, as its members have changed."""
        members = {one: self._events[one].event for one in fleet.open[key]}
        event = together.told_as_one(key, group.model, members, fleet.active(now_s))
        tracked = self._events.get(key)
        if tracked is None:
            hold = self.rule.fleet_hold_s
            tracked = Tracked(event, group.key, held_s=now_s + hold if hold else None, opened_s=event.end_s)
            if hold:
                self._held[key] = None
        elif tracked.held_s is not None and event.end_s >= tracked.opened_s + self.rule.fleet_hold_s:
            tracked = replace(tracked, held_s=now_s)
        tracked = replace(tracked, event=event)
        self._events[key] = replace(tracked, muted=self._why_muted(group, tracked, now_s))
        self._tell(key)
        if event.state == "closed":
            del fleet.open[key]
            if fleet.newest_id == key:
                fleet.newest_id = ""

    def _release(self, now_s: float) -> None:
        """What has waited long enough is told."""
        for key in list(self._held):
            held_s = self._events[key].held_s
            if held_s is not None and held_s <= now_s:
                self._events[key] = replace(self._events[key], held_s=None)
                self._tell(key)

    # ---------------------------------------------------------------- what people say

    def mute(self, mute: Mute, groups: Mapping[str, Group], now_s: float) -> Outcome:
        """Put a mute in force; DataError where there are too many."""
        if len(mutes.in_force(self.mutes, now_s)) >= mutes.MOST:
            raise DataError(f"{mutes.MOST} mutes are in force, which is the most")
        self.mutes = mutes.add(self.mutes, mute, now_s)
        return self.look_again(groups, now_s)

    def unmute(
        self, site: str, device: str, channels: Sequence[str], groups: Mapping[str, Group], now_s: float
    ) -> tuple[int, Outcome]:
        """End mutes of exactly this device pattern; how many they were."""
        before = mutes.in_force(self.mutes, now_s)
        self.mutes = mutes.remove(before, site, device, channels)
        return len(before) - len(self.mutes), self.look_again(groups, now_s)

    def look_again(self, groups: Mapping[str, Group], now_s: float) -> Outcome:
        """All open events, after mutes or maintenance have changed."""
        # members come before what they make up
        for key, tracked in sorted(self._events.items(), key=lambda pair: pair[1].event.members > 0):
            group = groups.get(tracked.fleet)
            if tracked.open and group is not None:
                muted = self._why_muted(group, tracked, now_s)
                if muted != tracked.muted:
                    self._events[key] = replace(tracked, muted=muted)
                    self._tell(key)
        return self._outcome()

    def find(self, event_id: str) -> Tracked | None:
        """An event that is remembered, by its id."""
        return self._events.get(self._aliases.get(event_id, event_id))

    def latest(self, site: str, device: str) -> Tracked | None:
        """The newest event of a device that is remembered."""
        return self._events.get(self._last.get((site, device), ""))

    def open_events(self) -> list[Tracked]:
        """The events that go on."""
        return [one for one in self._events.values() if one.open]

    def recent(self, limit: int) -> list[Event]:
        """The events that began last, latest first, as they are stored."""
        newest = sorted(self._events.values(), key=lambda one: (one.event.start_s, one.event.id), reverse=True)
        return [one.shown() for one in newest[:limit]]

    def members(self, event_id: str) -> list[Tracked]:
        """The events that a fleet-wide one stands for."""
        return [one for one in self._events.values() if one.part_of == event_id]

    def mark(self, event_id: str, mark: Mark, client: str) -> Outcome:
        """What a person says of an event; "" takes it back. DataError for an event that is not remembered."""
        tracked = self.find(event_id)
        if tracked is None:
            raise DataError(f"no event {event_id!r} among those remembered: the open ones and the last {KEPT} closed")
        self._events[tracked.event.id] = replace(tracked, mark=mark, client=client if mark else "")
        self._tell(tracked.event.id)
        return self._outcome()

    def learnable(self, group: Group, source: Source, time_s: float) -> bool:
        """Whether a window that ends then may be learned from: none of it lies in maintenance."""
        return self.maintenance.during(*source, time_s - group.window_s, time_s) is None

    # ---------------------------------------------------------------- state

    def _outcome(self) -> Outcome:
        outcome = Outcome(self._told, [self._events[key].shown() for key in self._stored if key in self._events])
        self._told, self._stored = [], {}
        return outcome

    def _forget(self) -> None:
        """Keep so many closed events; the oldest go first."""
        if len(self._events) <= KEPT:
            return
        at_work = {one for fleet in self._fleets.values() for many in fleet.open.values() for one in many}
        closed = [key for key, one in self._events.items() if not one.open and key not in at_work]
        if len(closed) < KEPT + KEPT // 10:  # many at a time: forgetting looks at everything
            return
        gone = set(closed[: len(closed) - KEPT]) - self._stored.keys()
        for key in gone:
            del self._events[key]
        self._last = {source: key for source, key in self._last.items() if key not in gone}
        self._aliases = {alias: key for alias, key in self._aliases.items() if key not in gone}

    def snapshot(self) -> bytes:
        """Everything as versioned JSON; `restore` goes on as if nothing had happened."""
        document = {
            "version": VERSION,
            "events": list(self._events.values()),
            "last": [[*source, key] for source, key in self._last.items()],
            "aliases": self._aliases,
            "mutes": self.mutes,
            "fleets": {key: together.as_document(fleet) for key, fleet in self._fleets.items()},
            "held": list(self._held),
            "maintenance": self.maintenance.content.decode(),
        }
        return orjson.dumps(document)

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for bytes that are none, which change nothing."""
        try:
            document = orjson.loads(snapshot)
            if document["version"] != VERSION:
                raise DataError(f"a snapshot of alarms of version {document['version']}, not {VERSION}")
            tracked = [tracked_from(one) for one in document["events"]]
            events = {one.event.id: one for one in tracked}
            rows = typed(document, "last", tuple[tuple[str, str, str], ...])
            last = {(site, device): key for site, device, key in rows}
            aliases = typed(document, "aliases", dict[str, str])
            held = dict.fromkeys(typed(document, "held", tuple[str, ...]))
            muted = tuple(mutes.mute_from(one) for one in document["mutes"])
            fleets = {key: together.fleet_from(one, events.keys()) for key, one in document["fleets"].items()}
            if len(events) != len(tracked) or not {*last.values(), *aliases.values()} <= events.keys():
                raise ValueError("an event is there twice, or spoken of and not there")
            if not aliases.keys().isdisjoint(events):
                raise ValueError("an event goes by another's name")
            if held.keys() != {key for key, one in events.items() if one.held_s is not None}:
                raise ValueError("those that wait to be told are not those that are said to wait")
            maintenance = Maintenance(typed(document, "maintenance", str).encode())
        except UNREADABLE as error:
            raise DataError(f"these bytes are not a snapshot of alarms: {error}") from None
        self._events, self._last, self._aliases, self._held = events, last, aliases, held
        self.mutes, self._fleets, self.maintenance = muted, fleets, maintenance
