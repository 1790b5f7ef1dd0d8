"""The pump obeys affinity laws and balances, and its channels move together as a pump's do."""

import numpy as np
import pytest

from anomgan.records import Floats
from anomgan.simulate import parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.pump import PUMP, PumpSettings, PumpState, course, parameters, step
from anomgan.simulate.kinds.pump_plant import (
    ATMOSPHERE_M,
    BAR,
    BOILS_BAR,
    CONVERTER_EFFICIENCY,
    RHO_G,
    Duty,
    Pump,
    Troubles,
    condition,
    duty,
    leaks,
    npsh_available,
    npsh_required,
    resistance,
    set_point,
)

DEVICES = 4
NONE = np.zeros(DEVICES)
HEALTHY = Troubles(*[NONE] * 6)
NOON = moments(0.0, "UTC", TRUE_DAY_S, np.array([6 * 3600.0]))
WARM = np.full(DEVICES, 60.0)


def ill(**severities: float) -> Troubles:
    """Every pump with these faults."""
    return HEALTHY._replace(**{name: np.full(DEVICES, severity) for name, severity in severities.items()})


@pytest.fixture(scope="module")
def pumps() -> Pump:
    traits = np.random.default_rng(3).standard_normal((DEVICES, PUMP.traits))
    quick = parameters(PumpSettings(batches_per_day=0), traits)
    return quick._replace(motor_time_s=np.full(DEVICES, 60.0))


def settle(pump: Pump, troubles: Troubles = HEALTHY, seconds: float = 900.0, period_s: float = 2.0) -> PumpState:
    """At one load without any disturbance, until nothing changes any more."""
    return shown(pump, troubles, seconds, period_s)[0]


def shown(
    pump: Pump, troubles: Troubles = HEALTHY, seconds: float = 900.0, period_s: float = 2.0
) -> tuple[PumpState, tuple[Floats, ...]]:
    """The same, and what perfect sensors show at its end."""
    still = Inputs(course(pump, NOON)[0], np.zeros((5, DEVICES)), np.zeros((0, DEVICES)), np.stack(troubles))
    state = PUMP.rest(pump, still)
    for _ in range(int(seconds / period_s)):
        state, seen = step(pump, state, still, period_s)
    return state, seen


def duty_of(pump: Pump, state: PumpState, troubles: Troubles = HEALTHY) -> Duty:
    tank = pump.tank_m - 0.15 * (course(pump, NOON)[0, 0] - 0.66)
    through = state.flow + leaks(pump, state.discharge, troubles.leak)
    return duty(pump, condition(pump, tank, troubles), through, state.rate, state.motor_temperature)


def channel(seen: tuple[Floats, ...], name: str) -> Floats:
    return seen[PUMP.names.index(name)]


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.1])
def test_affinity_laws_flow_head_and_power_go_with_speed_its_square_and_its_cube(pumps: Pump, factor: float) -> None:
    full = duty(pumps, condition(pumps, pumps.tank_m, HEALTHY), pumps.flow, np.ones(DEVICES), WARM)
    scaled = duty(pumps, condition(pumps, pumps.tank_m, HEALTHY), factor * pumps.flow, np.full(DEVICES, factor), WARM)
    np.testing.assert_allclose(scaled.head, factor**2 * full.head)
    np.testing.assert_allclose(scaled.hydraulic, factor**3 * full.hydraulic)


def test_efficiency_is_best_at_the_best_efficiency_point_and_never_above_it(pumps: Pump) -> None:
    for share in np.linspace(0.1, 1.5, 15):
        point = duty(pumps, condition(pumps, pumps.tank_m, HEALTHY), share * pumps.flow, np.ones(DEVICES), WARM)
        friction = 0.02 * pumps.motor_rated * (1.0 - 0.03 * 0.7)
        efficiency = point.hydraulic / (point.shaft - friction)
        assert np.all(efficiency <= pumps.best_efficiency * (1.0 + 1e-9))
        expected = pumps.best_efficiency * (1.0 - (point.load - 1.0) ** 2)
        np.testing.assert_allclose(efficiency, expected)


def test_electric_power_is_shaft_power_and_motor_losses_through_the_converter(pumps: Pump) -> None:
    state = settle(pumps)
    point = duty_of(pumps, state)
    friction = point.losses - (CONVERTER_EFFICIENCY * point.electric - point.shaft)
    np.testing.assert_allclose(friction, 0.02 * pumps.motor_rated * state.rate * (1 - 0.021))
    assert np.all(point.electric > point.shaft)
    assert np.all(point.shaft > point.hydraulic)


def test_at_rest_the_pump_gives_the_pressure_that_the_system_takes_and_the_controller_wants(pumps: Pump) -> None:
    state = settle(pumps)
    point = duty_of(pumps, state)
    opening = course(pumps, NOON)[0, 0]
    np.testing.assert_allclose(
        point.discharge, pumps.static_bar + resistance(pumps, opening) * state.flow**2, rtol=1e-4
    )
    np.testing.assert_allclose(point.discharge, set_point(pumps, state.flow), rtol=1e-4)


def test_at_rest_the_motor_sheds_what_it_loses(pumps: Pump) -> None:
    state = settle(pumps)
    room = pumps.ambient + course(pumps, NOON)[0, 2]
    sheds = pumps.sheds * (0.4 + 0.6 * state.rate)
    np.testing.assert_allclose(sheds * (state.motor_temperature - room), duty_of(pumps, state).losses, rtol=1e-3)


def test_the_steady_state_does_not_depend_on_the_sampling_period(pumps: Pump) -> None:
    fine, coarse = settle(pumps, period_s=0.5), settle(pumps, period_s=20.0)
    np.testing.assert_allclose(fine.flow, coarse.flow, rtol=1e-5)
    np.testing.assert_allclose(fine.motor_temperature, coarse.motor_temperature, rtol=1e-3)


def test_a_blocked_suction_lowers_its_pressure_and_costs_speed_and_power(pumps: Pump) -> None:
    blocked = ill(blockage=1.0)
    before, after = duty_of(pumps, settle(pumps)), duty_of(pumps, settle(pumps, blocked), blocked)
    assert np.all(after.suction < before.suction - 0.05)
    assert np.all(after.rpm > before.rpm)
    assert np.all(after.electric > before.electric)
    np.testing.assert_allclose(after.discharge, before.discharge, rtol=1e-3)  # the controller makes up for it


def test_a_worn_bearing_costs_power_and_warms_the_motor_but_leaves_the_water_alone(pumps: Pump) -> None:
    worn = ill(bearing_wear=1.0)
    healthy, state = settle(pumps), settle(pumps, worn)
    np.testing.assert_allclose(state.flow, healthy.flow, rtol=1e-4)
    assert np.all(state.motor_temperature > healthy.motor_temperature + 5.0)
    assert np.all(duty_of(pumps, state, worn).electric > 1.02 * duty_of(pumps, healthy).electric)


def test_the_faults_of_the_machine_stand_in_the_order_of_their_severities() -> None:
    assert tuple(fault.name for fault in PUMP.process_faults) == Troubles._fields


def test_what_leaks_has_gone_through_the_pump_but_not_through_the_meter(pumps: Pump) -> None:
    leaking = ill(leak=1.0)
    healthy, state = settle(pumps), settle(pumps, leaking)
    lost = leaks(pumps, state.discharge, leaking.leak)
    before, after = duty_of(pumps, healthy), duty_of(pumps, state, leaking)
    # mass: the suction's loss of pressure tells what goes through the pump
    tank_bar = RHO_G * (pumps.tank_m - 0.15 * (course(pumps, NOON)[0, 0] - 0.66)) / BAR
    through = pumps.flow * np.sqrt((tank_bar - after.suction) / pumps.suction_loss)
    np.testing.assert_allclose(through - state.flow, lost, rtol=1e-6)
    assert np.all(lost > 0.05 * state.flow)
    np.testing.assert_allclose(state.flow, healthy.flow, rtol=1e-3)  # the controller holds the consumers' pressure
    assert np.all(after.rpm > before.rpm + 10.0)
    assert np.all(state.flow / after.electric < 0.95 * healthy.flow / before.electric)


def test_a_leak_s_flow_goes_with_the_root_of_the_pressure(pumps: Pump) -> None:
    one, four = (leaks(pumps, np.full(DEVICES, bar), np.ones(DEVICES)) for bar in (1.0, 4.0))
    np.testing.assert_allclose(four, 2.0 * one)
    assert np.all(leaks(pumps, np.full(DEVICES, -0.2), np.ones(DEVICES)) == 0)


def test_the_available_suction_head_is_what_presses_on_the_water_above_its_vapour_pressure() -> None:
    np.testing.assert_allclose(npsh_available(np.zeros(1)), ATMOSPHERE_M)
    np.testing.assert_allclose(npsh_available(np.array([BOILS_BAR])), 0.0, atol=1e-12)


def test_at_the_required_suction_head_the_pump_has_lost_three_hundredths_of_its_head(pumps: Pump) -> None:
    ones = np.ones(DEVICES)
    speed = ones * (1.0 - 0.03 * 0.7)
    required = npsh_required(1.0 / speed, speed)
    tank = required - ATMOSPHERE_M + pumps.suction_loss * BAR / RHO_G  # such that just this is left at the suction
    full, short = (
        duty(pumps, condition(pumps, head, HEALTHY), pumps.flow, ones, WARM) for head in (pumps.tank_m, tank)
    )
    np.testing.assert_allclose(npsh_available(short.suction), required)
    np.testing.assert_allclose(short.head, 0.97 * full.head)
    np.testing.assert_allclose(short.bubbles, 1.0)
    assert np.all(full.bubbles == 0)


@pytest.mark.parametrize("factor", [0.7, 1.1])
def test_the_required_suction_head_goes_with_the_square_of_the_speed_and_rises_with_the_flow(factor: float) -> None:
    load = np.linspace(0.4, 1.4, DEVICES)
    np.testing.assert_allclose(npsh_required(load, factor * np.ones(1)), factor**2 * npsh_required(load, np.ones(1)))
    assert np.all(np.diff(npsh_required(load, np.ones(1))) > 0)


def test_cavitation_takes_head_and_shakes_pump_and_water_but_a_healthy_pump_has_none(pumps: Pump) -> None:
    starving = ill(cavitation=1.0)
    healthy, state = settle(pumps), settle(pumps, starving)
    before, after = duty_of(pumps, healthy), duty_of(pumps, state, starving)
    assert np.all(before.bubbles == 0)
    assert np.all(after.bubbles > 0)
    assert np.all(after.suction < before.suction - 0.7)
    assert np.all(after.suction >= BOILS_BAR)
    assert np.all(after.rpm > before.rpm + 100.0)
    still, shaken = shown(pumps)[1], shown(pumps, starving)[1]
    assert np.all(channel(shaken, "vibration") > channel(still, "vibration") + 0.5)
    turning = (pumps.imbalance * state.rate**2) ** 2 + (2.4 * (after.load - 1.0) * state.rate**2) ** 2
    pulled = np.clip(-0.05 - after.suction, 0.0, 0.8)
    without = np.sqrt(turning + (0.5 * state.rate) ** 2 + (3.0 * pulled) ** 2)  # were the bubbles silent
    assert np.all(channel(shaken, "vibration") > without + 0.01)
    jolt = Inputs(course(pumps, NOON)[0], np.ones((5, DEVICES)), np.zeros((0, DEVICES)), np.stack(starving))
    jolted = step(pumps, state, jolt, 2.0)[1]
    unmoved = step(pumps, state, jolt._replace(shocks=np.vstack([np.ones((4, DEVICES)), NONE])), 2.0)[1]
    for name in ("suction_pressure", "discharge_pressure", "vibration"):
        assert np.all(channel(jolted, name) > channel(unmoved, name) + 1e-4)


@pytest.mark.parametrize(("severity", "side"), [(1.0, 1), (-1.0, -1)])
def test_off_its_curve_a_pump_runs_far_from_its_best_efficiency(pumps: Pump, severity: float, side: int) -> None:
    moved = ill(off_curve=severity)
    healthy, state = settle(pumps), settle(pumps, moved)
    before, after = duty_of(pumps, healthy), duty_of(pumps, state, moved)
    assert np.all(side * (after.load - before.load) > 0.25)
    assert np.all(side * (state.flow - healthy.flow) > 0.3 * healthy.flow)
    if side > 0:  # all that the pump can give: no longer the pressure that the controller wants
        assert np.all(after.discharge < set_point(pumps, state.flow) - 0.1)
        assert np.all(after.load > 1.2)
    else:
        np.testing.assert_allclose(after.discharge, set_point(pumps, state.flow), rtol=1e-3)
        assert np.all(after.load < 0.55)
        assert np.all(after.hydraulic / after.shaft < 0.9 * before.hydraulic / before.shaft)


@pytest.mark.parametrize("factor", [0.8, 1.1])
def test_a_worn_impeller_obeys_the_affinity_laws_and_gives_less_head_for_more_power(pumps: Pump, factor: float) -> None:
    worn = ill(impeller_wear=1.0)
    ones = np.ones(DEVICES)
    new = duty(pumps, condition(pumps, pumps.tank_m, HEALTHY), pumps.flow, ones, WARM)
    full = duty(pumps, condition(pumps, pumps.tank_m, worn), pumps.flow, ones, WARM)
    scaled = duty(pumps, condition(pumps, pumps.tank_m, worn), factor * pumps.flow, factor * ones, WARM)
    np.testing.assert_allclose(scaled.head, factor**2 * full.head)
    assert np.all(full.head < 0.92 * new.head)
    assert np.all(full.hydraulic / full.shaft < 0.92 * new.hydraulic / new.shaft)
    healthy, state = settle(pumps), settle(pumps, worn)
    np.testing.assert_allclose(state.flow, healthy.flow, rtol=1e-3)
    assert np.all(duty_of(pumps, state, worn).rpm > duty_of(pumps, healthy).rpm + 50.0)
    assert np.all(duty_of(pumps, state, worn).electric > 1.05 * duty_of(pumps, healthy).electric)


def test_more_than_a_fault_can_be_stays_within_physics(pumps: Pump) -> None:
    for fault in PUMP.process_faults:
        for severity in (4.0, -4.0) if fault.signed else (4.0,):
            for period_s in (2.0, 300.0):
                _, seen = shown(pumps, ill(**{fault.name: severity}), 1800.0, period_s)
                assert np.all(np.isfinite(seen))
                assert np.all(channel(seen, "flow") > 0)
                assert np.all(channel(seen, "suction_pressure") >= BOILS_BAR)
                assert np.all(channel(seen, "vibration") > 0)


@pytest.mark.parametrize("period_s", [1.0, 60.0])
def test_a_leak_however_large_takes_no_more_than_the_pump_throws(period_s: float) -> None:
    clock = {"period_s": period_s, "duration_s": 200 * period_s}
    devices = [{"kind": "pump", "name": "pump-", "count": 3}]
    faults = [
        {"device": f"pump-{n}", "kind": "leak", "start_s": 50 * period_s, "end_s": 190 * period_s, "severity": size}
        for n, size in ((1, 10.0), (2, 30.0), (3, 100.0))
    ]
    tables = {"clock": clock, "devices": devices, "faults": faults, "output": {"topic": "plant/{device}"}}
    for series in simulate(parse_scenario(tables, "plant.toml")):  # warnings, as of an overflow, are errors
        assert np.isfinite(series.values).all()
