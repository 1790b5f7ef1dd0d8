"""Faults injected into a run: they begin with the next row, and the run is the one that the plan would have given."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.errors import ConfigError
from anomgan.simulate import LivePlan, Scenario, Tick, Wish, parse_scenario, ticks
from anomgan.simulate.fault_plan import table_of

PUMPS = {"kind": "pump", "name": "pump-", "count": 2, "site": "north"}
STORES = {"kind": "cold_store", "name": "cold-", "count": 1, "site": "south"}
CLOCK = {"period_s": 4.0, "duration_s": 1200.0, "day_s": 900.0, "seed": 1}
ROWS = 300
BY_CHANCE = {"first_s": 100.0, "spacing_s": [100.0, 150.0], "kinds": ["bearing_wear", "refrigerant_leak"]}
Act = Callable[[LivePlan], Any]


def scenario(faults: list[Mapping[str, Any]] | None = None, **tables: Any) -> Scenario:
    clock = CLOCK | tables.pop("clock", {})
    return parse_scenario({"clock": clock, "devices": [PUMPS, STORES], "faults": faults or [], **tables}, "plant.toml")


def wish(device: str = "pump-1", kind: str = "bias", channels: tuple[str, ...] = ("flow",), **other: Any) -> Wish:
    return Wish(**{"device": device, "site": None, "kind": kind, "channels": channels, "lasts_s": 280.0} | other)


def told(rows: list[Tick]) -> list[str]:  # in words, for what is missing is not equal to itself
    return [repr(tick) for tick in rows]


def played(run: Scenario, acts: Mapping[int, Act], start_row: int = 0) -> list[Tick]:
    """A run with something done before the rows named."""
    plan = LivePlan(run, start_row)
    rows = []
    for tick in ticks(run, start_row, live=plan):
        rows.append(tick)
        if tick.row + 1 in acts:
            acts[tick.row + 1](plan)
    return rows


def test_a_run_without_injections_is_the_same_to_the_last_bit() -> None:
    run = scenario(random_faults=BY_CHANCE)
    assert told(played(run, {})) == told(list(ticks(run)))


KINDS = [
    wish(),
    wish(kind="drift", severity=-4.0, recovery_s=40.0),
    wish(kind="stuck"),
    wish(kind="time_lag", severity=120.0),
    wish(kind="correlation_break"),
    wish(kind="swapped_channels", channels=("flow", "motor_current")),
    wish(kind="blockage", channels=(), severity=0.8, ramp_s=60.0, recovery_s=40.0),
    wish("cold-1", "door_left_open", ()),
]


@pytest.fixture(scope="module")
def unharmed() -> list[Tick]:
    return list(ticks(scenario(random_faults=BY_CHANCE)))


@pytest.mark.parametrize(
    ("wanted", "row", "stop_row"),
    list(zip(KINDS, (1, 127, 128, 129, 170, 200, 127, 128), (None, 170, 129, None, 200, 201, 180, None), strict=True)),
    ids=lambda one: one.kind if isinstance(one, Wish) else str(one),
)
def test_the_run_is_the_one_that_has_the_fault_in_its_plan(
    wanted: Wish, row: int, stop_row: int | None, unharmed: list[Tick]
) -> None:
    """Also with faults by chance about it, and taken away early: the truth says what to write into the scenario."""
    acts: dict[int, Act] = {row: lambda plan: plan.inject(wanted)}
    if stop_row is not None:
        acts[stop_row] = lambda plan: plan.stop(next(number for number, fault in plan.begun() if fault.injected))
    live = played(scenario(random_faults=BY_CHANCE), acts)
    (begun,) = [fault for fault in live[row].begun if fault.injected]
    (ended,) = [fault for tick in live for fault in tick.ended if fault.injected]
    assert begun.start_s == row * 4.0
    assert ended.over_s == (begun.end_s if stop_row is None else (stop_row + 1) * 4.0)
    again = list(ticks(scenario([table_of(ended)], random_faults=BY_CHANCE)))
    assert [repr(tick.readings) for tick in again] == [repr(tick.readings) for tick in live]
    assert [sorted(map(repr, tick.ended)) for tick in again] == [sorted(map(repr, tick.ended)) for tick in live]
    assert told(live[:row]) == told(unharmed[:row])
    assert told(live[row : row + 30]) != told(unharmed[row : row + 30])


@settings(max_examples=4, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 240), st.sampled_from(KINDS), st.integers(1, 60)), min_size=1, max_size=5))
def test_any_number_of_injections_and_stops_in_one_run_give_one_truth(asked: list[tuple[int, Wish, int]]) -> None:
    """Every fault that began is told once and ends once, at its end, and the same plan gives the same run."""
    run = scenario(clock={"duration_s": 1600.0})
    acts: dict[int, list[Act]] = {}
    injected: list[int] = []

    def inject(plan: LivePlan, wanted: Wish) -> None:
        try:
            injected.append(plan.inject(wanted)[0])
        except ConfigError:
            return  # it contradicts an earlier one

    def stop(plan: LivePlan) -> None:
        if not injected:
            return
        try:
            plan.stop(injected[-1])
        except ConfigError:
            return  # it is over

    for row, wanted, after in asked:
        acts.setdefault(row, []).append(lambda plan, wanted=wanted: inject(plan, wanted))
        acts.setdefault(row + after, []).append(stop)
    live = played(run, {row: lambda plan, all_=all_: [one(plan) for one in all_] for row, all_ in acts.items()})
    ended = [(tick.row, fault) for tick in live for fault in tick.ended]
    begun = [(tick.row, fault) for tick in live for fault in tick.begun]
    assert len(ended) == len(begun) == len(injected)
    assert all(fault.over_s == (row + 1) * 4.0 for row, fault in ended)
    tables = [table_of(fault) for _, fault in sorted(ended, key=lambda one: one[1].start_s)]
    again = ticks(scenario(tables, clock={"duration_s": 1600.0}))
    assert [repr(tick.readings) for tick in again] == [repr(tick.readings) for tick in live]


REFUSED = [
    (wish("pump-9"), r"inject.device: unknown device 'pump-9'; did you mean 'pump-[12]'\?"),
    (wish(site="south"), r"inject.(device|site): .*'pump-1'"),
    (wish(kind="blokage"), r"inject.kind: unknown fault of a pump 'blokage'; did you mean 'blockage'\?"),
    (wish(kind="door_left_open", channels=()), r"inject.kind: unknown fault of a pump"),
    (wish(channels=()), r"inject.channels: this key is required"),
    (wish(channels=("flwo",)), r"inject.channels: .* did you mean 'flow'"),
    (wish(kind="blockage"), r"inject.channels: 'blockage' acts on the machine"),
    (wish(severity=0.0), r"inject.severity: 0 is no fault"),
    (wish(kind="stuck", severity=1.0), r"inject.severity: 'stuck' is there or not"),
    (wish(lasts_s=0.0), r"inject.lasts_s: 0 is no length of time"),
    (wish(lasts_s=math.inf), r"inject.lasts_s: inf is no length"),
    (wish(lasts_s=math.nan), r"inject.lasts_s: nan is no length"),
    (wish(lasts_s=5000.0), r"inject.lasts_s: 5000 s, but the run ends in 800 s"),
    (wish(ramp_s=300.0, recovery_s=300.0), r"inject.recovery_s: to come and go takes 600 s"),
    (wish("pump-2", "stuck"), r"inject: 'pump-2' is going to have bias \(number 1\), which a stuck of the same"),
    (wish("pump-2", "bias"), r"inject: 'pump-2' is going to have bias"),
]


def test_what_cannot_be_is_refused_by_name_and_changes_nothing() -> None:
    planned = {"device": "pump-2", "kind": "bias", "channels": ["flow"], "start_s": 500, "end_s": 600}
    run = scenario([planned])

    def refused(plan: LivePlan) -> None:
        for wanted, message in REFUSED:
            with pytest.raises(ConfigError, match=message):
                plan.inject(wanted)

    assert told(played(run, {100: refused})) == told(list(ticks(run)))


def test_only_an_injected_fault_that_is_there_can_be_stopped_and_nothing_comes_after_the_end() -> None:
    planned = {"device": "pump-2", "kind": "bias", "channels": ["flow"], "start_s": 0, "end_s": 1200}
    plan = LivePlan(scenario([planned]))
    going = ticks(plan.scenario, live=plan)
    rows = [next(going)]
    number, fault = plan.inject(wish(lasts_s=8.0))
    for wrong, message in ((99, "no fault has the number 99"), (1, "planned by the scenario")):
        with pytest.raises(ConfigError, match=message):
            plan.stop(wrong)
    assert [one.start_s for _, one in plan.begun()] == [0.0, 4.0]
    assert fault.end_s == 12.0
    next(going)
    next(going)
    with pytest.raises(ConfigError, match=r"stop: bias of 'pump-1' is over"):
        plan.stop(number)
    rows.extend(going)
    assert rows[-1].row == ROWS - 1
    with pytest.raises(ConfigError, match="inject: the run is over"):
        plan.inject(wish())


def test_a_part_of_a_run_takes_injections_too() -> None:
    run = scenario()
    live = played(run, {200: lambda plan: plan.inject(wish())}, start_row=150)
    assert [tick.row for tick in live if tick.begun] == [200]
