"""Faults that come while a run is on: each begins with the next row, and joins the plan as if it had always been there.

The same scenario with these faults among its `[[faults]]`, marked `injected`, gives the same run to the last bit.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from anomgan.errors import ConfigError
from anomgan.records import Source
from anomgan.simulate.fault_plan import FaultConfig, check_fault, contradict
from anomgan.simulate.faults import Fault, row_at, rows_of
from anomgan.simulate.scenario import Scenario

MOST_REMEMBERED = 100
"""faults that are over, of which is told what they were"""
MOST_AT_ONCE = 1000
"""injected faults that have not ended yet"""


class Changes(NamedTuple):
    """What has become of the plan: faults that begin with the row that comes now, and others that end earlier."""

    new: list[Fault]
    instead: dict[Fault, Fault]


class Wish(NamedTuple):
    """A fault that somebody wants now; see `FaultConfig`. site None: there is only one device of that name."""

    device: str
    site: str | None
    kind: str
    channels: tuple[str, ...]
    lasts_s: float
    severity: float | None = None
    ramp_s: float = 0.0
    recovery_s: float = 0.0


class LivePlan:
    """The faults of one run, to which some can be added while `ticks` goes through it.

    next_row: the first row that is not made yet. until_row: the run's end, None where it has none.
    """

    def __init__(self, scenario: Scenario, start_row: int = 0, until_row: int | None = None) -> None:
        self.scenario = scenario
        self.next_row = start_row
        self.until_row = scenario.rows if until_row is None else until_row
        self._known: dict[int, Fault] = {}
        self._count = 0
        self._ahead: deque[Fault] = deque()
        self._planned: Iterator[Fault] = iter(())
        self._new: list[Fault] = []
        self._instead: dict[Fault, Fault] = {}
        self._named: dict[str, list[Source]] = {}
        for source in scenario.kinds:
            self._named.setdefault(source[1], []).append(source)

    @property
    def now_s(self) -> float:
        """Seconds from the start of the run to the row that comes next."""
        return self.next_row * self.scenario.period_s

    def inject(self, wish: Wish) -> tuple[int, Fault]:
        """Let a fault begin with the next row; its number and what it is. ConfigError where that cannot be."""
        period_s = self.scenario.period_s
        if self.until_row is not None and self.next_row >= self.until_row:
            raise ConfigError("inject: the run is over")
        if not (math.isfinite(wish.lasts_s) and wish.lasts_s > 0):
            raise ConfigError(f"inject.lasts_s: {wish.lasts_s:g} is no length of time")
        end_row = self.next_row + max(1, row_at(wish.lasts_s, period_s))
        if self.until_row is not None and end_row > self.until_row:
            left_s = (self.until_row - self.next_row) * period_s
            raise ConfigError(f"inject.lasts_s: {wish.lasts_s:g} s, but the run ends in {left_s:g} s")
        table = FaultConfig(
            device=wish.device,
            site=wish.site,
            kind=wish.kind,
            channels=wish.channels,
            start_s=self.now_s,
            end_s=end_row * period_s,
            severity=wish.severity,
            ramp_s=wish.ramp_s,
            recovery_s=wish.recovery_s,
            injected=True,
        )
        fault = check_fault(table, self.scenario.kinds, self._named, period_s, None, "inject")
        for number, other in self._until(fault.end_s):
            shared = contradict(fault, other, period_s)
            if shared:
                when = "has" if other.start_s <= fault.start_s else "is going to have"
                raise ConfigError(
                    f"inject: {fault.device!r} {when} {other.kind} (number {number}), which a {fault.kind} of the same "
                    f"channel ({', '.join(shared)}) contradicts"
                )
        if sum(one.injected and rows_of(one, period_s)[1] > self.next_row for one in self._known.values()) >= (
            MOST_AT_ONCE
        ):
            raise ConfigError(f"inject: {MOST_AT_ONCE:,} injected faults are present already")
        self._new.append(fault)
        return self._know(fault), fault

    def stop(self, number: int) -> Fault:
        """Let the next row be the last of an injected fault; ConfigError where there is none such."""
        fault = self._known.get(number)
        if fault is None:
            raise ConfigError(f"stop: no fault has the number {number}")
        if not fault.injected:
            raise ConfigError(f"stop: {fault.kind} of {fault.device!r} is planned by the scenario; injected ones stop")
        if rows_of(fault, self.scenario.period_s)[1] <= self.next_row + 1:
            raise ConfigError(f"stop: {fault.kind} of {fault.device!r} is over")
        stopped = replace(fault, stopped_s=(self.next_row + 1) * self.scenario.period_s)
        if fault in self._new:
            self._new[self._new.index(fault)] = stopped
        else:
            self._instead[fault] = stopped
        self._known[number] = stopped
        return stopped

    def begun(self) -> list[tuple[int, Fault]]:
        """The faults that have begun, with their numbers; of those that are over the last ones."""
        return [(number, fault) for number, fault in self._known.items() if fault.start_s <= self.now_s]

    # ---------------------------------------------------------------- for `ticks` and `blocks`

    def follow(self, planned: Iterator[Fault]) -> Iterator[Fault]:
        """The same faults, of which this plan takes notice."""
        self._planned = planned
        while (fault := self._next()) is not None:
            yield fault

    def take(self) -> Changes | None:
        """What has changed since the last call; None = nothing."""
        if not self._new and not self._instead:
            return None
        changes = Changes(self._new, self._instead)
        self._new, self._instead = [], {}
        return changes

    def _next(self) -> Fault | None:
        if self._ahead:
            return self._ahead.popleft()
        fault = next(self._planned, None)
        if fault is not None:
            self._know(fault)
        return fault

    def _until(self, end_s: float) -> list[tuple[int, Fault]]:
        """All faults that begin before then, looking ahead as far as that takes."""
        latest_s = max((fault.start_s for fault in self._ahead), default=-math.inf)
        while latest_s < end_s and (fault := next(self._planned, None)) is not None:
            self._ahead.append(fault)
            self._know(fault)
            latest_s = fault.start_s
        return list(self._known.items())

    def _know(self, fault: Fault) -> int:
        self._count += 1
        self._known[self._count] = fault
        over = [number for number, one in self._known.items() if one.over_s <= self.now_s]
        for number in over[: max(0, len(over) - MOST_REMEMBERED)]:
            del self._known[number]
        return self._count
