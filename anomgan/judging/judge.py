"""Truth and events as they come in, and the report on them at any moment. Pure: no clock, and order does not matter.

The rules, beside those of `anomgan.matching`, which say what an event finds:

- An event counts for a fault of its device where it overlaps [start, end + grace]. An open event lasts until now. A
  site that only one side names is no hindrance where the device's name is unique.
- A fault counts once it has ended. One that still goes on is listed apart, and so is one that began before its device
  was watched for the warm-up. Events that fall on those alone, or begin in the warm-up, are set aside.
- Several events on one fault are one hit; the others are repeats. An event on no fault is a false alarm.
- A fleet-wide event counts for the faults of all devices (of its site, where it has one); on none, it is one false
  alarm.
- What befell a device's network is no fault: an event that falls on that alone is a false alarm, and it is said during
  what. While a device is absent, its time does not count.
- What was told as muted only was told to nobody, and does not count.
- Now is how far the truth has come. Only where it tells of no run do events move it, and an event's end that is further
  ahead of all that began than that lasted, and than a day, is a plan and does not.
- The time watched is that of each device in the runs that the truth tells of. Where the number of devices is given, it
  is so many times the time at which any run went on; without runs, so many times, or for each device that was named,
  the time from the first thing heard until now.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from anomgan.errors import ConfigError, PayloadError
from anomgan.judging.report import AlarmRow, FaultRow, Report, alarm_row, make_report
from anomgan.judging.told import Run, ToldEvent, TrueFault, put_together
from anomgan.judging.watched import WEEK_S, Watched
from anomgan.matching import GRACE_S, Interval, match_events
from anomgan.records import Source

MOST = 250_000
"""faults, and incidents, and events, that are remembered"""
DAY_S = 86_400.0

ABSENT = "absent"
"""the incident of a device that is not there, such as before it joins"""


@dataclass(frozen=True, slots=True)
class Rules:
    """How to judge. devices: how many are watched, None = as the truth tells."""

    grace_s: float = GRACE_S
    warm_up_s: float = 0.0
    devices: int | None = None

    def __post_init__(self) -> None:
        if not self.grace_s >= 0.0 or not self.warm_up_s >= 0.0 or (self.devices is not None and self.devices < 1):
            raise ConfigError("grace and warm-up are times of 0 s or more, and at least one device is watched")


class Judge:
    """Takes records in any order, repeated ones too, and reports on what it knows so far."""

    def __init__(self, rules: Rules = Rules(), *, live: bool = False) -> None:
        self.rules = rules
        self.faults: dict[tuple[object, ...], TrueFault] = {}
        self.incidents: dict[tuple[object, ...], TrueFault] = {}
        self.events: dict[tuple[object, ...], ToldEvent] = {}
        self._watched = Watched(live)

    def add_truth(self, record: TrueFault | Run) -> None:
        """A fault that begins or ends, or how far a run is; PayloadError for one too many to remember."""
        if isinstance(record, Run):
            self._watched.add(record)
            return
        kept, what = (self.incidents, "incidents") if record.domain else (self.faults, "faults")
        _leave_room(kept, record.key, what)
        known = kept.get(record.key, record)
        kept[record.key] = max(known, record, key=lambda fault: (fault.ended, fault.end_s))

    def add_event(self, record: ToldEvent) -> None:
        """One telling of an event; PayloadError for one too many to remember."""
        _leave_room(self.events, record.key, "events")
        known = self.events.get(record.key)
        self.events[record.key] = record if known is None else put_together(known, record)

    @property
    def now_s(self) -> float | None:
        """Event time as far as it is known to have come; None before anything was heard."""
        times = [fault.end_s if fault.ended else fault.start_s for fault in self.faults.values()]
        if self._watched:
            return max([self._watched.until_s, *times])
        starts = [fault.start_s for fault in self.faults.values()] + [one.start_s for one in self.events.values()]
        if not starts:
            return None
        last_s = max(starts)
        believed_s = last_s + max(last_s - min(starts), DAY_S)
        ends = [time_s for one in self.events.values() for time_s in (one.end_s, one.told_s or 0.0)]
        return max([last_s, *times, *(time_s for time_s in ends if time_s <= believed_s)])

    def report(self) -> Report:
        """How the detector has done so far."""
        now_s = self.now_s
        if now_s is None:
            now_s = 0.0
        faults = sorted(self.faults.values(), key=lambda fault: (fault.start_s, fault.site, fault.device))
        alarms = [
            replace(event, end_s=max(event.end_s, now_s)) if event.state == "open" else event
            for event in sorted(self.events.values(), key=lambda event: (event.start_s, event.id))
            if event.alarm
        ]
        begins, otherwise_s = self._begins(faults, alarms)
        incidents: dict[Source, list[TrueFault]] = {}
        for one in self.incidents.values():
            incidents.setdefault(one.source, []).append(one)
        first_s = {source: time_s + self.rules.warm_up_s for source, time_s in begins.items()}
        least_s = otherwise_s + self.rules.warm_up_s

        going_on = [fault for fault in faults if fault.end_s > now_s]
        early = [f for f in faults if f.end_s <= now_s and f.start_s < first_s.get(f.source, least_s)]
        aside = {fault.key for fault in (*going_on, *early)}
        counted = [fault for fault in faults if fault.key not in aside]

        places = _Places((*begins, *(fault.source for fault in faults)))
        sources = {fault.source for fault in faults}
        spans, owner = _spread(alarms, places, sources)
        hits = match_events([_span(fault) for fault in counted], spans, self.rules.grace_s)
        others = match_events([_span(fault) for fault in (*going_on, *early)], spans, self.rules.grace_s)
        on_counted = set(owner) - _without(owner, hits.false_alarms)
        on_others = set(owner) - _without(owner, others.false_alarms)

        finders = {t: (owner[i], delay) for (t, i), delay in zip(hits.pairs, hits.delays_s, strict=True)}
        apart = {t: (owner[i], delay) for (t, i), delay in zip(others.pairs, others.delays_s, strict=True)}
        kinds = self._watched.kinds
        rows = [_row(fault, kinds, "", finders.get(t), alarms) for t, fault in enumerate(counted)]
        for t, fault in enumerate((*going_on, *early)):
            rows.append(_row(fault, kinds, "going on" if t < len(going_on) else "warm-up", apart.get(t), alarms))

        left = [i for i in range(len(alarms)) if i not in on_counted and i not in on_others]
        at = {i: places.of(alarms[i]) for i in left}
        false = [i for i in left if alarms[i].start_s >= first_s.get(at[i], least_s)]
        named = {fault.source for fault in faults} | {places.of(one) for one in alarms if not _fleet_wide(one)}
        watched_s = {}
        if self._watched and self.rules.devices is None:
            watched_s = self._watched.device_s(first_s, self._absences())
        devices, counted_by, weeks = self._weeks(named, watched_s, least_s, now_s)
        return make_report(
            now_s=now_s if self.now_s is not None else None,
            rows=sorted(rows, key=lambda row: (row.fault.start_s, row.fault.site, row.fault.device)),
            hits=[alarms[i] for i in sorted(on_counted)],
            first_hits=len({i for i, _ in finders.values()}),
            false_alarms=[alarms[i] for i in false],
            during=[_during(alarms[i], incidents.get(at[i], ())) for i in false],
            incidents=len(self.incidents),
            set_aside=len(alarms) - len(on_counted) - len(false),
            muted=len(self.events) - len(alarms),
            devices=devices,
            devices_from=counted_by,
            weeks=weeks,
            alarms_by_kind=_by_kind(watched_s, kinds, Counter(kinds.get(at[i], "") for i in false)),
        )

    def _begins(self, faults: Iterable[TrueFault], alarms: Iterable[ToldEvent]) -> tuple[dict[Source, float], float]:
        """Since when devices are watched: each that runs tell of, and any other."""
        begins = self._watched.begins(self._absences()) if self._watched else {}
        heard = [fault.start_s for fault in faults] + [event.start_s for event in alarms]
        return begins, min(begins.values()) if begins else min(heard, default=0.0)

    def _weeks(
        self, named: set[Source], watched_s: dict[Source, float], least_s: float, now_s: float
    ) -> tuple[int, str, float]:
        """(how many devices, who says so, their weeks together)."""
        span_s = self._watched.span_s(least_s) if self._watched else max(now_s - least_s, 0.0)
        if self.rules.devices is not None:
            return self.rules.devices, "as given", self.rules.devices * span_s / WEEK_S
        if watched_s:
            return len(watched_s), "as the truth tells", sum(watched_s.values()) / WEEK_S
        return len(named), "those that were named", len(named) * span_s / WEEK_S

    def _absences(self) -> dict[Source, list[tuple[float, float]]]:
        """When each device was not there, in order."""
        found: dict[Source, list[tuple[float, float]]] = {}
        for one in sorted(self.incidents.values(), key=lambda one: one.start_s):
            if one.kind == ABSENT:
                found.setdefault(one.source, []).append((one.start_s, one.end_s))
        return found


def _by_kind(
    watched_s: Mapping[Source, float], kinds: Mapping[Source, str], false: Mapping[str, int]
) -> list[AlarmRow]:
    """The false alarms on each kind of device, where it is known for how long it was watched."""
    devices: dict[str, list[float]] = {}
    for source, time_s in watched_s.items():
        devices.setdefault(kinds[source], []).append(time_s)
    return [
        alarm_row(kind, len(some), sum(some) / WEEK_S, false.get(kind, 0)) for kind, some in sorted(devices.items())
    ]


def _leave_room(kept: Mapping[tuple[object, ...], object], key: tuple[object, ...], what: str) -> None:
    if len(kept) >= MOST and key not in kept:
        raise PayloadError(f"too_many_{what}", f"more than {MOST:,} {what} are not remembered")


class _Places:
    """Which device an event means, where it names no site or one that the truth does not have."""

    def __init__(self, known: Iterable[Source]) -> None:
        self._known = set(known)
        self._sites: dict[str, set[str]] = {}
        for site, device in self._known:
            self._sites.setdefault(device, set()).add(site)

    def of(self, event: ToldEvent) -> Source:
        """(site, device) as the truth has it."""
        source = (event.site or "", event.device)
        if source in self._known:
            return source
        sites = self._sites.get(event.device, set())
        only = next(iter(sites)) if len(sites) == 1 else ""
        return (only, event.device) if len(sites) == 1 and (not event.site or not only) else source


def _spread(alarms: list[ToldEvent], places: _Places, sources: Iterable[Source]) -> tuple[list[Interval], list[int]]:
    """The events as spans of devices, a fleet-wide one as a span of each; and whose span each is."""
    spans: list[Interval] = []
    owner: list[int] = []
    for i, event in enumerate(alarms):
        own = [places.of(event)]
        if _fleet_wide(event):
            own = [source for source in sources if not event.site or source[0] == event.site] or own
        spans += [Interval(event.start_s, event.end_s, device, site) for site, device in own]
        owner += [i] * len(own)
    return spans, owner


def _fleet_wide(event: ToldEvent) -> bool:
    return event.members > 0 or event.device.startswith("fleet:")


def _without(owner: list[int], unmatched: Iterable[int]) -> set[int]:
    """The events none of whose spans was matched."""
    missing = Counter(owner[i] for i in unmatched)
    every = Counter(owner)
    return {i for i, count in missing.items() if count == every[i]}


def _during(event: ToldEvent, incidents: Iterable[TrueFault]) -> str:
    """What befell the device's network at the time of an event."""
    kinds = [one.kind for one in incidents if _touch(one, event)]
    return ", ".join(sorted(set(kinds)))


def _touch(incident: TrueFault, event: ToldEvent) -> bool:
    return incident.start_s <= event.end_s and event.start_s <= incident.end_s


def _span(fault: TrueFault) -> Interval:
    return Interval(fault.start_s, fault.end_s, fault.device, fault.site)


def _row(
    fault: TrueFault,
    kinds: dict[Source, str],
    aside: str,
    found: tuple[int, float] | None,
    alarms: list[ToldEvent],
) -> FaultRow:
    event = None if found is None else alarms[found[0]]
    told_s = None if event is None else event.told_s
    named = None if event is None or not event.channels or not fault.channels else event.channels[0] in fault.channels
    return FaultRow(
        fault=fault,
        device_kind=kinds.get(fault.source, ""),
        aside=aside,
        event=event,
        delay_s=None if found is None else found[1],
        told_after_s=None if told_s is None else max(told_s - fault.start_s, 0.0),
        already_open=event is not None and event.start_s < fault.start_s,
        named=named,
    )
