"""A run row by row, as a plant would tell it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from anomgan.records import Reading
from anomgan.simulate.faults import Fault, rows_of
from anomgan.simulate.fleet import blocks, end_of
from anomgan.simulate.live import LivePlan
from anomgan.simulate.randomness import BLOCK
from anomgan.simulate.scenario import Scenario


class Tick(NamedTuple):
    """All readings of one row. begun: faults whose first row it is; ended: those whose last row it is."""

    row: int
    time_s: float
    readings: list[Reading]
    begun: list[Fault]
    ended: list[Fault]


def ticks(
    scenario: Scenario, start_row: int = 0, rows: int | None = None, live: LivePlan | None = None
) -> Iterator[Tick]:
    """Rows start_row, start_row + 1, ... in order: `rows` of them, or all that the run has.

    The rows before start_row are simulated too, for the others depend on them; that takes a fraction of a millisecond
    each. What a `live` plan is told between two rows is true from the next one on. Raises ConfigError where the run has
    no such rows.
    """
    stop = end_of(scenario, start_row, rows)
    groups, period_s = scenario.groups, scenario.period_s
    beginning: dict[int, list[Fault]] = {}
    ending: dict[int, list[Fault]] = {}
    made = blocks(scenario, live=live)
    for next_block in made:
        block = next_block
        _note(block.begun, beginning, ending, period_s)
        for row in range(block.first_row, block.first_row + BLOCK):
            changes = None if live is None or row < start_row else live.take()
            if changes is not None:
                block = made.send(changes)
                _note(changes.new, beginning, ending, period_s)
                for fault, instead in changes.instead.items():
                    ending[rows_of(fault, period_s)[1] - 1].remove(fault)
                    ending.setdefault(rows_of(instead, period_s)[1] - 1, []).append(instead)
            begun, ended = beginning.pop(row, []), ending.pop(row, [])
            if row < start_row:
                continue
            if row == stop:
                return
            if live is not None:
                live.next_row = row + 1
            time_s = scenario.start_s + row * period_s
            readings = [
                Reading(name, time_s, dict(zip(group.kind.names, line, strict=True)), group.site)
                for group, values in zip(groups, block.values, strict=True)
                for name, line in zip(group.names, values[:, row - block.first_row].tolist(), strict=True)
            ]
            yield Tick(row, time_s, readings, begun, ended)


def _note(
    faults: Iterable[Fault], beginning: dict[int, list[Fault]], ending: dict[int, list[Fault]], period_s: float
) -> None:
    """Remember in which rows faults begin and end."""
    for fault in faults:
        first, end = rows_of(fault, period_s)
        beginning.setdefault(first, []).append(fault)
        ending.setdefault(end - 1, []).append(fault)
