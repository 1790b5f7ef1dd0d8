"""The pump obeys affinity laws and balances, and its channels move together as a pump's do."""

import numpy as np
import pytest

from anomgan.records import Floats
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.pump import (
    CONVERTER_EFFICIENCY,
    PUMP,
    Duty,
    Pump,
    PumpSettings,
    PumpState,
    course,
    duty,
    parameters,
    resistance,
    set_point,
    step,
)

DEVICES = 4
HEALTHY = np.zeros((2, DEVICES))
NOON = moments(0.0, "UTC", TRUE_DAY_S, np.array([6 * 3600.0]))


@pytest.fixture(scope="module")
def pumps() -> Pump:
    traits = np.random.default_rng(3).standard_normal((DEVICES, PUMP.traits))
    quick = parameters(PumpSettings(batches_per_day=0), traits)
    return quick._replace(motor_time_s=np.full(DEVICES, 60.0))


def settle(pump: Pump, faults: Floats = HEALTHY, seconds: float = 900.0, period_s: float = 2.0) -> PumpState:
    """At one load without any disturbance, until nothing changes any more."""
    still = Inputs(course(pump, NOON)[0], np.zeros((5, DEVICES)), np.zeros((0, DEVICES)), faults)
    state = PUMP.rest(pump, still)
    for _ in range(int(seconds / period_s)):
        state, _ = step(pump, state, still, period_s)
    return state


def duty_of(pump: Pump, state: PumpState, faults: Floats = HEALTHY) -> Duty:
    tank = pump.tank_m - 0.15 * (course(pump, NOON)[0, 0] - 0.66)
    return duty(pump, state.flow, state.rate, tank, state.motor_temperature, faults)


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.1])
def test_affinity_laws_flow_head_and_power_go_with_speed_its_square_and_its_cube(pumps: Pump, factor: float) -> None:
    full = duty(pumps, pumps.flow, np.ones(DEVICES), pumps.tank_m, np.full(DEVICES, 60.0), HEALTHY)
    scaled = duty(pumps, factor * pumps.flow, np.full(DEVICES, factor), pumps.tank_m, np.full(DEVICES, 60.0), HEALTHY)
    np.testing.assert_allclose(scaled.head, factor**2 * full.head)
    np.testing.assert_allclose(scaled.hydraulic, factor**3 * full.hydraulic)


def test_efficiency_is_best_at_the_best_efficiency_point_and_never_above_it(pumps: Pump) -> None:
    for share in np.linspace(0.1, 1.5, 15):
        point = duty(pumps, share * pumps.flow, np.ones(DEVICES), pumps.tank_m, np.full(DEVICES, 60.0), HEALTHY)
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
    blocked = np.array([[1.0] * DEVICES, [0.0] * DEVICES])
    before, after = duty_of(pumps, settle(pumps)), duty_of(pumps, settle(pumps, blocked), blocked)
    assert np.all(after.suction < before.suction - 0.05)
    assert np.all(after.rpm > before.rpm)
    assert np.all(after.electric > before.electric)
    np.testing.assert_allclose(after.discharge, before.discharge, rtol=1e-3)  # the controller makes up for it


def test_a_worn_bearing_costs_power_and_warms_the_motor_but_leaves_the_water_alone(pumps: Pump) -> None:
    worn = np.array([[0.0] * DEVICES, [1.0] * DEVICES])
    healthy, state = settle(pumps), settle(pumps, worn)
    np.testing.assert_allclose(state.flow, healthy.flow, rtol=1e-4)
    assert np.all(state.motor_temperature > healthy.motor_temperature + 5.0)
    assert np.all(duty_of(pumps, state, worn).electric > 1.02 * duty_of(pumps, healthy).electric)
