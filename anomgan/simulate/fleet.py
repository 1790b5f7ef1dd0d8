"""A scenario -> what its devices measure, row by row, and what is truly wrong with them.

Everything is a function of the scenario and the row: it does not matter how many rows are taken at a time, where one
starts, or which other devices there are. Before row 0 every device runs through a healthy prelude, in which its
temperatures settle and its normal course is seen.
"""

import heapq
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import ConfigError
from anomgan.records import Floats, Source, TimeSeries
from anomgan.simulate.acting import Acting, begin, distort
from anomgan.simulate.fault_plan import longest_lag_s
from anomgan.simulate.faults import Fault, row_at, rows_of
from anomgan.simulate.kind import quantise
from anomgan.simulate.learned_kind import Imitation, LearnedKind
from anomgan.simulate.live import Changes, LivePlan
from anomgan.simulate.normal import Clock, Normal, prelude_blocks
from anomgan.simulate.physics import Physics
from anomgan.simulate.randomness import BLOCK
from anomgan.simulate.scenario import Group, Scenario
from anomgan.simulate.schedule import longest_lag, random_faults
from anomgan.simulate.sensor_faults import SENSOR_FAULTS

AT_ONCE = 256
"""devices whose prelude is looked at together, for the memory's sake"""


class Block(NamedTuple):
    """BLOCK rows of the whole fleet, with the faults that begin in them.

    Per group: values (D, R, C) as the sensors tell them, labels (D, R), True where a fault is present.
    """

    first_row: int
    values: list[Floats]
    labels: list[NDArray[np.bool_]]
    begun: list[Fault]


@dataclass(slots=True)
class _Running:
    """A group on its way: its D devices as they stand, and the faults that act on them."""

    group: Group
    devices: Physics | Imitation
    watched: list[int]
    """the devices that have sensor faults, or may have them by chance"""
    past: Floats
    """(D', H, C): their healthy values in the rows before the next block, as many as a lag goes back"""
    machine: list[Fault] = field(default_factory=list)
    sensors: list[Acting] = field(default_factory=list)

    def with_faults(self, instead: Mapping[Fault, Fault]) -> "_Running":
        """As it stands, to go on from twice; some of its faults replaced by others."""
        machine = [instead.get(fault, fault) for fault in self.machine]
        sensors = [acting._replace(fault=instead.get(acting.fault, acting.fault)) for acting in self.sensors]
        return replace(self, devices=self.devices.again(), machine=machine, sensors=sensors)

    def healthy(self, first_row: int) -> Floats:
        """The next block (D, R, C) as its sensors see it, before their faults and their resolution."""
        if isinstance(self.devices, Physics):
            return self.devices.block(first_row, self.machine)
        return self.devices.block(first_row)


def simulate(scenario: Scenario, start_row: int = 0, rows: int | None = None) -> list[TimeSeries]:
    """The same rows as arrays: one labelled series per device, in the order of the scenario.

    Raises ConfigError where the run has no such rows, or no end and `rows` is missing.
    """
    stop = end_of(scenario, start_row, rows)
    if stop is None:
        raise ConfigError("clock.duration_s: the run has no end; say how many rows to simulate")
    kept: list[Block] = []
    for block in blocks(scenario):
        if block.first_row >= stop:
            break
        if block.first_row + BLOCK > start_row:
            kept.append(block)
    cut = slice(start_row - kept[0].first_row, stop - kept[0].first_row)
    times = scenario.start_s + np.arange(start_row, stop, dtype=np.float64) * scenario.period_s
    return [
        TimeSeries(
            times=times,
            values=np.concatenate([block.values[number][index] for block in kept])[cut],
            channels=group.kind.names,
            labels=np.concatenate([block.labels[number][index] for block in kept])[cut],
            units=tuple(channel.unit for channel in group.kind.channels),
            device=name,
        )
        for number, group in enumerate(scenario.groups)
        for index, name in enumerate(group.names)
    ]


def blocks(
    scenario: Scenario, faults: Iterable[Fault] | None = None, live: LivePlan | None = None
) -> Generator[Block, Changes | None, None]:
    """The run in blocks of BLOCK rows from row 0 on, without end; the last block of a run reaches beyond it.

    faults: those of these devices in order of their start, where somebody knows them already; else the scenario's. A
    `live` plan hears of them; whoever sends changes of it gets the same block again, with them.
    """
    period_s = scenario.period_s
    fleet = [_start(scenario, group, live is not None) for group in scenario.groups]
    history = longest_lag(scenario) if live is None else row_at(longest_lag_s(period_s), period_s)
    normal = _prelude(scenario, fleet, history)
    pending = _upcoming(scenario, normal) if faults is None else iter(faults)
    if live is not None:
        pending = live.follow(pending)
    fault = next(pending, None)
    for number in count():
        before = [running.with_faults({}) for running in fleet]
        begun: list[Fault] = []
        while fault is not None and rows_of(fault, period_s)[0] < (number + 1) * BLOCK:
            begun.append(fault)
            fault = next(pending, None)
        changes = yield _block(scenario, fleet, normal, number, begun)
        while changes is not None:
            before = [running.with_faults(changes.instead) for running in before]
            fleet = [running.with_faults({}) for running in before]
            begun = [*(changes.instead.get(one, one) for one in begun), *changes.new]
            changes = yield _block(scenario, fleet, normal, number, begun)


def _block(
    scenario: Scenario,
    fleet: list[_Running],
    normal: Mapping[Source, Normal],
    number: int,
    begun: list[Fault],
) -> Block:
    """The next block of the fleet, which is that much further on then."""
    seed, period_s, first_row = scenario.config.clock.seed, scenario.period_s, number * BLOCK
    values, labels = [], []
    for running in fleet:
        own = [f for f in begun if f.site == running.group.site and f.device in running.group.names]
        running.machine += [f for f in own if f.kind not in SENSOR_FAULTS]
        seen = running.healthy(first_row)
        for f in own:
            if f.kind in SENSOR_FAULTS:
                healthy = seen[running.group.names.index(f.device), rows_of(f, period_s)[0] - first_row]
                running.sensors.append(begin(f, running.group.kind.channels, healthy, normal[f.source], period_s, seed))
        values.append(_tell(running, seen, first_row, period_s))
        labels.append(_labels(running, first_row, period_s))
        running.machine = [f for f in running.machine if rows_of(f, period_s)[1] > first_row + BLOCK]
        running.sensors = [a for a in running.sensors if rows_of(a.fault, period_s)[1] > first_row + BLOCK]
    return Block(first_row, values, labels, begun)


def schedule(scenario: Scenario) -> Iterator[Fault]:
    """Every fault of the run in order of its start, without simulating more than the prelude; endless where it is."""
    normal: dict[Source, Normal] = {}
    for part in () if scenario.config.random_faults is None else parts(scenario, AT_ONCE):
        (group,) = part.groups
        if isinstance(group.kind, LearnedKind):  # which knows what is usual without a prelude
            nothing = np.empty((0, len(group.kind.channels)))
            normal.update(((group.site, name), Normal(*group.kind.usual, nothing)) for name in group.names)
            continue
        found = _prelude(part, [_start(part, group)], longest_lag(scenario))
        normal.update((source, one._replace(course=one.course[:0])) for source, one in found.items())
    return _upcoming(scenario, normal)


def parts(scenario: Scenario, most: int) -> Iterator[Scenario]:
    """The same scenario with at most so many devices of one group at a time: no device notices which others there are.

    Which faults come by chance depends on all devices together: take them from the whole scenario's `schedule`.
    """
    for group in scenario.groups:
        for first in range(0, len(group.names), most):
            yield replace(scenario, groups=(replace(group, names=group.names[first : first + most]),))


def _upcoming(scenario: Scenario, normal: Mapping[Source, Normal]) -> Iterator[Fault]:
    return heapq.merge(scenario.faults, random_faults(scenario, normal), key=lambda fault: fault.start_s)


def end_of(scenario: Scenario, start_row: int, rows: int | None) -> int | None:
    """The row to stop before, None where there is no end."""
    stop = scenario.rows if rows is None else start_row + rows
    beyond = stop is not None and scenario.rows is not None and stop > scenario.rows
    if start_row < 0 or beyond or (stop is not None and stop <= start_row):
        end = "" if rows is None else stop
        length = "without end" if scenario.rows is None else f"of {scenario.rows} rows"
        raise ConfigError(f"rows {start_row}:{end} of a run {length}")
    return stop


def _start(scenario: Scenario, group: Group, live: bool = False) -> _Running:
    """The group's devices just before the last part of their prelude."""
    clock, period_s, kind = scenario.config.clock, scenario.period_s, group.kind
    lying = {fault.source for fault in scenario.faults if fault.kind in SENSOR_FAULTS}
    anyone = live or scenario.config.random_faults is not None
    devices: Physics | Imitation
    if isinstance(kind, LearnedKind):
        devices = Imitation(kind, group.site, group.names, clock.seed, scenario.start_s, period_s)
    else:
        when = Clock(clock.seed, scenario.start_s, clock.zone, clock.day_s)
        devices = Physics.begin(kind, group.settings, group.site, group.names, when, period_s)
    return _Running(
        group=group,
        devices=devices,
        watched=[i for i, name in enumerate(group.names) if anyone or (group.site, name) in lying],
        past=np.empty((0, 0, len(kind.channels))),
    )


def _prelude(scenario: Scenario, fleet: list[_Running], history: int) -> dict[Source, Normal]:
    """Bring every device to row 0 in good health: how those that are watched behave.

    history: how many rows before row 0 are kept of them."""
    _, measure = prelude_blocks(scenario.period_s)
    normal = {}
    for running in fleet:
        seen = [running.healthy((number - measure) * BLOCK)[running.watched] for number in range(measure)]
        courses = np.concatenate(seen, axis=1)  # (D', N, C)
        names = tuple(running.group.names[i] for i in running.watched)
        for name, *own in zip(names, *running.devices.usual(names, courses), courses, strict=True):
            normal[running.group.site, name] = Normal(*own)
        running.past = courses[:, courses.shape[1] - history :]
    return normal


def _tell(running: _Running, seen: Floats, first_row: int, period_s: float) -> Floats:
    """What the sensors tell (D, R, C) of what they see, with their faults, in `seen` in place."""
    past = running.past
    running.past = np.concatenate([past, seen[running.watched]], axis=1)[:, BLOCK:]
    acting = sorted(running.sensors, key=lambda one: one.order)
    for on_the_way in (False, True):
        if on_the_way:
            seen = quantise(running.group.kind.channels, seen)
        for one in acting:
            if SENSOR_FAULTS[one.fault.kind].on_the_way is on_the_way:
                device = running.group.names.index(one.fault.device)
                distort(one, seen[device], past[running.watched.index(device)], first_row, period_s)
    return seen


def _labels(running: _Running, first_row: int, period_s: float) -> NDArray[np.bool_]:
    """(D, R) True where any fault is present."""
    labels = np.zeros((len(running.group.names), BLOCK), dtype=bool)
    for fault in chain(running.machine, (one.fault for one in running.sensors)):
        first, end = rows_of(fault, period_s)
        device = running.group.names.index(fault.device)
        labels[device, max(first - first_row, 0) : max(end - first_row, 0)] = True
    return labels
