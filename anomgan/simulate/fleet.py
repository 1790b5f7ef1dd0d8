"""A scenario -> what its devices measure, row by row, and what is truly wrong with them.

Everything is a function of the scenario and the row: it does not matter how many rows are taken at a time, where one
starts, or which other devices there are. Before row 0 every device runs through a healthy prelude, in which its
temperatures settle and its normal course is seen.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import ConfigError
from anomgan.records import Floats, Reading, Source, TimeSeries
from anomgan.simulate.acting import Acting, begin, distort
from anomgan.simulate.almanac import moments
from anomgan.simulate.faults import Fault, rows_of, strength
from anomgan.simulate.kind import Inputs, quantise, sense
from anomgan.simulate.normal import Clock, Normal, device_traits, usual_of, usual_on_working_days
from anomgan.simulate.randomness import BLOCK, Key, draw_block, stream_key
from anomgan.simulate.scenario import Group, Scenario
from anomgan.simulate.schedule import longest_lag, random_faults
from anomgan.simulate.sensor_faults import SENSOR_FAULTS

SETTLE_S, NORMAL_S = 900.0, 1200.0
"""the two parts of the prelude; each takes at least two blocks of rows"""
AT_ONCE = 256
"""devices whose prelude is looked at together, for the memory's sake"""


class Tick(NamedTuple):
    """All readings of one row. begun: faults whose first row it is; ended: those whose last row it is."""

    row: int
    time_s: float
    readings: list[Reading]
    begun: list[Fault]
    ended: list[Fault]


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
    """A group on its way: parameters and state of its D devices, and the faults that act on them."""

    group: Group
    parameters: Any
    keys: list[Key]
    traits: Floats
    """(D, C), of the sensors"""
    watched: list[int]
    """the devices that have sensor faults, or may have them by chance"""
    past: Floats
    """(D', H, C): their healthy values in the rows before the next block, as many as a lag goes back"""
    state: Any = None
    machine: list[Fault] = field(default_factory=list)
    sensors: list[Acting] = field(default_factory=list)


def ticks(scenario: Scenario, start_row: int = 0, rows: int | None = None) -> Iterator[Tick]:
    """Rows start_row, start_row + 1, ... in order: `rows` of them, or all that the run has.

    The rows before start_row are simulated too, for the others depend on them; that takes a fraction of a millisecond
    each. Raises ConfigError where the run has no such rows.
    """
    stop = _stop(scenario, start_row, rows)
    groups = scenario.groups
    beginning: dict[int, list[Fault]] = {}
    ending: dict[int, list[Fault]] = {}
    for block in blocks(scenario):
        for fault in block.begun:
            first, end = rows_of(fault, scenario.period_s)
            beginning.setdefault(first, []).append(fault)
            ending.setdefault(end - 1, []).append(fault)
        for row in range(block.first_row, block.first_row + BLOCK):
            begun, ended = beginning.pop(row, []), ending.pop(row, [])
            if row < start_row:
                continue
            if row == stop:
                return
            time_s = scenario.start_s + row * scenario.period_s
            readings = [
                Reading(name, time_s, dict(zip(group.kind.names, line, strict=True)), group.site)
                for group, values in zip(groups, block.values, strict=True)
                for name, line in zip(group.names, values[:, row - block.first_row].tolist(), strict=True)
            ]
            yield Tick(row, time_s, readings, begun, ended)


def simulate(scenario: Scenario, start_row: int = 0, rows: int | None = None) -> list[TimeSeries]:
    """The same rows as arrays: one labelled series per device, in the order of the scenario.

    Raises ConfigError where the run has no such rows, or no end and `rows` is missing.
    """
    stop = _stop(scenario, start_row, rows)
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


def blocks(scenario: Scenario, faults: Iterable[Fault] | None = None) -> Iterator[Block]:
    """The run in blocks of BLOCK rows from row 0 on, without end; the last block of a run reaches beyond it.

    faults: those of these devices in order of their start, where somebody knows them already; else the scenario's.
    """
    seed, period_s = scenario.config.clock.seed, scenario.period_s
    fleet = [_start(scenario, group) for group in scenario.groups]
    normal, prelude = _prelude(scenario, fleet)
    pending = _upcoming(scenario, normal) if faults is None else iter(faults)
    kinds = scenario.kinds
    fault = next(pending, None)
    for number in count():
        first_row, begun = number * BLOCK, []
        while fault is not None and rows_of(fault, period_s)[0] < first_row + BLOCK:
            begun.append(fault)
            fault = next(pending, None)
        values, labels = [], []
        for running in fleet:
            own = [f for f in begun if f.site == running.group.site and f.device in running.group.names]
            running.machine += [f for f in own if f.kind not in SENSOR_FAULTS]
            seen = _advance(scenario, running, prelude + number, first_row)
            for f in own:
                if f.kind in SENSOR_FAULTS:
                    healthy = seen[running.group.names.index(f.device), rows_of(f, period_s)[0] - first_row]
                    sensors = kinds[f.source].channels
                    running.sensors.append(begin(f, sensors, healthy, normal[f.source], period_s, seed))
            values.append(_tell(running, seen, first_row, period_s))
            labels.append(_labels(running, first_row, period_s))
            running.machine = [f for f in running.machine if rows_of(f, period_s)[1] > first_row + BLOCK]
            running.sensors = [a for a in running.sensors if a.end_row > first_row + BLOCK]
        yield Block(first_row, values, labels, begun)


def schedule(scenario: Scenario) -> Iterator[Fault]:
    """Every fault of the run in order of its start, without simulating more than the prelude; endless where it is."""
    normal: dict[Source, Normal] = {}
    for part in () if scenario.config.random_faults is None else parts(scenario, AT_ONCE):
        found, _ = _prelude(part, [_start(part, group) for group in part.groups])
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


def _stop(scenario: Scenario, start_row: int, rows: int | None) -> int | None:
    """The row to stop before, None where there is no end."""
    stop = scenario.rows if rows is None else start_row + rows
    beyond = stop is not None and scenario.rows is not None and stop > scenario.rows
    if start_row < 0 or beyond or (stop is not None and stop <= start_row):
        end = "" if rows is None else stop
        length = "without end" if scenario.rows is None else f"of {scenario.rows} rows"
        raise ConfigError(f"rows {start_row}:{end} of a run {length}")
    return stop


def _start(scenario: Scenario, group: Group) -> _Running:
    """Draw what makes each device differ from the next."""
    kind, seed = group.kind, scenario.config.clock.seed
    traits = device_traits(kind, group.site, group.names, seed)
    lying = {fault.source for fault in scenario.faults if fault.kind in SENSOR_FAULTS}
    by_chance = scenario.config.random_faults is not None
    return _Running(
        group=group,
        parameters=kind.parameters(group.settings, traits[:, : kind.traits]),
        keys=[stream_key(seed, group.site, name, "rows") for name in group.names],
        traits=traits[:, kind.traits :],
        watched=[i for i, name in enumerate(group.names) if by_chance or (group.site, name) in lying],
        past=np.empty((0, 0, len(kind.channels))),
    )


def _prelude(scenario: Scenario, fleet: list[_Running]) -> tuple[dict[Source, Normal], int]:
    """Bring every device to row 0 in good health: how those that are watched behave, and how many blocks that took."""
    clock, period_s = scenario.config.clock, scenario.period_s
    settle, measure = (max(2, math.ceil(s / period_s / BLOCK)) for s in (SETTLE_S, NORMAL_S))
    history = longest_lag(scenario)
    normal = {}
    for running in fleet:
        kind, site = running.group.kind, running.group.site
        for number in range(settle):
            _advance(scenario, running, number, (number - settle - measure) * BLOCK)
        seen = [
            _advance(scenario, running, settle + number, (number - measure) * BLOCK)[running.watched]
            for number in range(measure)
        ]
        courses = np.concatenate(seen, axis=1)  # (D', N, C)
        names = tuple(running.group.names[i] for i in running.watched)
        if courses.shape[1] * period_s >= clock.day_s or not names:
            usual = usual_of(kind.channels, courses)
        else:
            measured = Clock(clock.seed, scenario.start_s, clock.zone, clock.day_s)
            usual = usual_on_working_days(kind, running.group.settings, site, names, measured)
        for name, *own in zip(names, *usual, courses, strict=True):
            normal[site, name] = Normal(*own)
        running.past = courses[:, courses.shape[1] - history :]
    return normal, settle + measure


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


def _advance(scenario: Scenario, running: _Running, number: int, first_row: int) -> Floats:
    """One block of a group: (D, R, C) as its sensors see it, before sensor faults and resolution."""
    clock, kind = scenario.config.clock, running.group.kind
    draws = draw_block(running.keys, number, kind.shocks, kind.chances, len(kind.channels))
    since_s = np.arange(first_row, first_row + BLOCK, dtype=np.float64) * clock.period_s
    when = moments(scenario.start_s, clock.zone, clock.day_s, since_s)
    course = kind.course(running.parameters, when)  # (R, I, D)
    faults = _machine_faults(running, first_row, clock.period_s)
    truth = np.empty((BLOCK, len(kind.channels), len(running.keys)))
    for row in range(BLOCK):
        inputs = Inputs(course[row], draws.shocks[row], draws.chances[row], faults[row])
        if running.state is None:
            running.state = kind.rest(running.parameters, inputs)
        running.state, truth[row] = kind.step(running.parameters, running.state, inputs, clock.period_s)
    return sense(kind.channels, np.ascontiguousarray(truth.transpose(2, 0, 1)), draws.noise, running.traits)


def _machine_faults(running: _Running, first_row: int, period_s: float) -> Floats:
    """(R, F, D) the severity of every process fault of the kind."""
    kinds = [fault.name for fault in running.group.kind.process_faults]
    severity = np.zeros((BLOCK, len(kinds), len(running.keys)))
    rows = np.arange(first_row, first_row + BLOCK, dtype=np.float64)
    for fault in running.machine:
        first, end = rows_of(fault, period_s)
        present = (rows >= first) & (rows < end)
        device = running.group.names.index(fault.device)
        severity[present, kinds.index(fault.kind), device] += strength(
            fault, (rows[present] - first) * period_s, period_s
        )
    return severity


def _labels(running: _Running, first_row: int, period_s: float) -> NDArray[np.bool_]:
    """(D, R) True where any fault is present."""
    labels = np.zeros((len(running.keys), BLOCK), dtype=bool)
    for fault in chain(running.machine, (one.fault for one in running.sensors)):
        first, end = rows_of(fault, period_s)
        device = running.group.names.index(fault.device)
        labels[device, max(first - first_row, 0) : max(end - first_row, 0)] = True
    return labels
