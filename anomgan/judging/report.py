"""The figures of a judgement: overall, by kind of fault, by kind of device, and fault by fault."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from anomgan.judging.told import ToldEvent, TrueFault
from anomgan.rates import poisson_interval, share_interval


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault, and the earliest event that found it.

    aside: why it does not count ("going on", "warm-up"), "" where it does. told_after_s: from the fault's start until
    the event was told. already_open: the event began before the fault. named: whether the event's first channel is one
    of the fault's, None where one of them names none.
    """

    fault: TrueFault
    device_kind: str = ""
    aside: str = ""
    event: ToldEvent | None = None
    delay_s: float | None = None
    told_after_s: float | None = None
    already_open: bool = False
    named: bool | None = None


@dataclass(frozen=True, slots=True)
class KindRow:
    """Faults of one kind: how many, how many were found, with the exact 95 % interval of the recall, and how soon.

    A figure that nothing is known of is None. delay: until the event's start; told: until it was told. named of
    nameable: how many of the found were found by an event whose first channel is one of the fault's.
    """

    kind: str
    faults: int
    found: int
    recall: float | None
    recall_low: float
    recall_high: float
    median_delay_s: float | None
    p90_delay_s: float | None
    median_told_s: float | None
    p90_told_s: float | None
    already_open: int
    named: int
    nameable: int


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """False alarms on devices of one kind, and how many those are in a device-week, with the exact 95 % interval."""

    kind: str
    devices: int
    device_weeks: float
    false_alarms: int
    a_week: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """How a detector has done. now_s: event time, None before anything was heard.

    hits: events on faults, of which `repeats` are not a fault's first; precision = hits / (hits + false alarms);
    set_aside: events on faults that do not count, or in the warm-up; muted: told to nobody. device_weeks: time watched.
    alarms_by_kind: where the truth tells for how long devices of which kind were watched.
    incidents: what befell the network; during: for each false alarm, which of that befell its device then, "" for none.
    """

    now_s: float | None
    total: KindRow
    kinds: tuple[KindRow, ...]
    device_kinds: tuple[KindRow, ...]
    going_on: int
    in_warm_up: int
    hits: int
    repeats: int
    set_aside: int
    muted: int
    precision: float | None
    f1: float | None
    devices: int
    devices_from: str
    device_weeks: float
    alarms_per_week: float | None
    alarms_per_week_low: float | None
    alarms_per_week_high: float | None
    incidents: int
    false_alarms: tuple[ToldEvent, ...]
    during: tuple[str, ...]
    alarms_by_kind: tuple[AlarmRow, ...]
    rows: tuple[FaultRow, ...]
    found_by: tuple[ToldEvent, ...]

    def figures(self) -> dict[str, Any]:
        """All figures for JSON, without the faults and events one by one."""
        figures = asdict(replace(self, rows=(), false_alarms=(), found_by=()))
        del figures["rows"], figures["found_by"], figures["during"]
        counts = {"false_alarms": len(self.false_alarms), "during_incidents": sum(map(bool, self.during))}
        return figures | counts


def make_report(
    *,
    now_s: float | None,
    rows: Sequence[FaultRow],
    hits: Sequence[ToldEvent],
    first_hits: int,
    false_alarms: Sequence[ToldEvent],
    during: Sequence[str],
    incidents: int,
    set_aside: int,
    muted: int,
    devices: int,
    devices_from: str,
    weeks: float,
    alarms_by_kind: Sequence[AlarmRow] = (),
) -> Report:
    """The figures that follow from what was matched."""
    counted = [row for row in rows if not row.aside]
    total = kind_row("all", counted)
    precision = _share(len(hits), len(hits) + len(false_alarms))
    alarms = alarm_row("all", devices, weeks, len(false_alarms))
    both = None if precision is None or total.recall is None else precision + total.recall
    return Report(
        now_s=now_s,
        total=total,
        kinds=_by(counted, lambda row: row.fault.kind),
        device_kinds=_by([row for row in counted if row.device_kind], lambda row: row.device_kind),
        going_on=sum(row.aside == "going on" for row in rows),
        in_warm_up=sum(row.aside == "warm-up" for row in rows),
        hits=len(hits),
        repeats=len(hits) - first_hits,
        set_aside=set_aside,
        muted=muted,
        precision=precision,
        f1=None if both is None or precision is None or total.recall is None
        else 2.0 * precision * total.recall / both if both else 0.0,
        devices=devices,
        devices_from=devices_from,
        device_weeks=weeks,
        alarms_per_week=alarms.a_week,
        alarms_per_week_low=alarms.low,
        alarms_per_week_high=alarms.high,
        incidents=incidents,
        false_alarms=tuple(false_alarms),
        during=tuple(during),
        alarms_by_kind=tuple(alarms_by_kind),
        rows=tuple(rows),
        found_by=tuple(hits),
    )  # fmt: skip


def alarm_row(kind: str, devices: int, weeks: float, false_alarms: int) -> AlarmRow:
    """The rate of some false alarms, None where no time was watched."""
    low, high = poisson_interval(false_alarms)
    rates = (false_alarms / weeks, low / weeks, high / weeks) if weeks > 0 else (None, None, None)
    return AlarmRow(kind, devices, weeks, false_alarms, *rates)


def kind_row(kind: str, rows: Sequence[FaultRow]) -> KindRow:
    """The figures of some faults."""
    found = [row for row in rows if row.event is not None]
    low, high = share_interval(len(found), len(rows))
    delays = [row.delay_s for row in found if row.delay_s is not None]
    told = [row.told_after_s for row in found if row.told_after_s is not None]
    return KindRow(
        kind=kind,
        faults=len(rows),
        found=len(found),
        recall=_share(len(found), len(rows)),
        recall_low=low,
        recall_high=high,
        median_delay_s=_quantile(delays, 0.5),
        p90_delay_s=_quantile(delays, 0.9),
        median_told_s=_quantile(told, 0.5),
        p90_told_s=_quantile(told, 0.9),
        already_open=sum(row.already_open for row in found),
        named=sum(row.named is True for row in found),
        nameable=sum(row.named is not None for row in found),
    )


def _by(rows: Sequence[FaultRow], key: Callable[[FaultRow], str]) -> tuple[KindRow, ...]:
    groups: dict[str, list[FaultRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return tuple(kind_row(kind, groups[kind]) for kind in sorted(groups))


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
