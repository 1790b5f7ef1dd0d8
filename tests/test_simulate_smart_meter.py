"""The smart meter's quantities agree with each other, its household lives by the calendar, and its register counts."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pytest

from anomgan.errors import ConfigError
from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, schedule, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.kind import Inputs, quantise
from anomgan.simulate.kinds.smart_meter import (
    HOB,
    KETTLE,
    ROLLOVER_KWH,
    SCREEN,
    SMART_METER,
    WASHER,
    Load,
    SmartMeter,
    SmartMeterSettings,
    SmartMeterState,
    course,
    draw,
    mains,
    parameters,
    step,
)

DEVICES = 3
ACTIVE, REACTIVE, FACTOR, CURRENT, VOLTAGE, FREQUENCY, ENERGY = range(7)
RUNS_ON, NEUTRAL, CREEP, STOPPED = range(4)
HEALTHY = np.zeros((4, DEVICES))
MONDAY = datetime(2024, 1, 8, tzinfo=UTC).timestamp()
JULY = datetime(2024, 7, 8, tzinfo=UTC).timestamp()
CHANNELS = SMART_METER.channels


@pytest.fixture(scope="module")
def homes() -> SmartMeter:
    traits = np.random.default_rng(4).standard_normal((DEVICES, SMART_METER.traits))
    return parameters(SmartMeterSettings(), traits)


def only(fault: int, severity: float = 1.0) -> Floats:
    faults = HEALTHY.copy()
    faults[fault] = severity
    return faults


def live(
    home: SmartMeter,
    hours: float,
    period_s: float = 10.0,
    faults: Floats = HEALTHY,
    until_h: float = 1e9,
    seed: int | None = 1,
) -> tuple[SmartMeterState, Floats]:
    """From midnight of a Monday in winter: the last state, and what shows (R, C, D). until_h: when the faults end.
    seed None: nobody switches on anything and nothing wanders.
    """
    rows = int(hours * 3600 / period_s)
    given = course(home, moments(MONDAY, "UTC", TRUE_DAY_S, np.arange(rows) * period_s))
    source = np.random.default_rng(seed)
    state: Any = None
    shown = []
    for row in range(rows):
        shocks = source.standard_normal((4, DEVICES)) if seed is not None else np.zeros((4, DEVICES))
        chances = source.random((12, DEVICES)) if seed is not None else np.full((12, DEVICES), 1.0 - 1e-9)
        present = faults if row * period_s < until_h * 3600 else HEALTHY
        inputs = Inputs(given[row], shocks, chances, present)
        state = SMART_METER.rest(home, inputs) if state is None else state
        state, seen = step(home, state, inputs, period_s)
        shown.append(seen)
    return state, np.array(shown)


@cache
def metered(period_s: float, days: float, start: float = MONDAY) -> list[TimeSeries]:
    """Two devices as their sensors tell them."""
    clock = {"period_s": period_s, "duration_s": days * TRUE_DAY_S, "start": datetime.fromtimestamp(start, UTC)}
    devices = [{"kind": "smart_meter", "name": "m-", "count": 2, "site": "x"}]
    return simulate(parse_scenario({"clock": clock, "devices": devices}, "homes.toml"))


def test_apparent_power_is_active_and_reactive_and_voltage_times_current(homes: SmartMeter) -> None:
    _, seen = live(homes, 24.0, 60.0)
    active, reactive, factor, current, voltage = (seen[:, channel] for channel in range(5))
    assert active.max() > 1500.0  # somebody cooked
    apparent = voltage * current
    np.testing.assert_allclose(apparent**2, active**2 + reactive**2)
    np.testing.assert_allclose(factor, active / apparent)


@pytest.mark.parametrize("period_s", [2.0, 10.0])
def test_the_register_is_the_integral_of_the_active_power(homes: SmartMeter, period_s: float) -> None:
    state, seen = live(homes, 2.0, period_s)
    joules = np.cumsum(seen[:, ACTIVE], axis=0) * period_s
    np.testing.assert_allclose(seen[:, ENERGY] - homes.register, joules / 3.6e6, rtol=1e-6)
    assert np.array_equal(state.register, seen[-1, ENERGY])


@pytest.mark.parametrize("period_s", [1.0, 60.0, 300.0])
def test_energy_and_fridge_do_not_depend_on_the_sampling_period(homes: SmartMeter, period_s: float) -> None:
    still = homes._replace(fridge_phase=np.full(DEVICES, 0.5))
    (_, coarse), (_, fine) = live(still, 4.0, period_s, seed=None), live(still, 4.0, 10.0, seed=None)
    used = [seen[-1, ENERGY] - still.register for seen in (coarse, fine)]
    np.testing.assert_allclose(used[0], used[1], rtol=0.02)


@pytest.mark.parametrize("period_s", [1.0, 300.0])
def test_what_people_switch_on_uses_the_energy_of_its_whole_run(homes: SmartMeter, period_s: float) -> None:
    begins, nobody = np.full((12, DEVICES), 1.0 - 1e-9), np.full((12, DEVICES), 1.0 - 1e-9)
    begins[KETTLE], begins[4 + KETTLE] = 0.0, 0.5  # now, for 170 s
    given = course(homes, moments(MONDAY + 7.5 * 3600, "UTC", TRUE_DAY_S, np.zeros(1)))[0]
    used = []
    for first in (begins, nobody):
        state = SMART_METER.rest(homes, Inputs(given, np.zeros((4, DEVICES)), nobody, HEALTHY))
        for row in range(int(600 / period_s)):
            state, _ = step(
                homes, state, Inputs(given, np.zeros((4, DEVICES)), nobody if row else first, HEALTHY), period_s
            )
        used.append(state.register)
    volts = 230.0 * 1.01 / homes.grid_v
    assert np.all(np.abs((used[0] - used[1]) * 3.6e6 / (homes.kettle * 170.0 * volts**2) - 1.0) < 0.12)


def test_the_line_gives_way_under_load_and_a_heater_takes_power_with_the_square_of_the_voltage(
    homes: SmartMeter,
) -> None:
    none, street = np.zeros((1, DEVICES)), homes.grid_v.copy()
    heats, turns = Load(none + 3000.0, none, none), Load(none, none + 3000.0, none)
    volts, watts, vars_ = draw(homes, heats, street, np.zeros(DEVICES))
    np.testing.assert_allclose(watts[0], 3000.0 * (volts[0] / homes.grid_v) ** 2)
    np.testing.assert_allclose(street - volts[0], homes.resistance * watts[0] / volts[0], rtol=1e-4)
    assert np.all(vars_ == 0)
    low, also, lags = draw(homes, turns, street, np.zeros(DEVICES))
    np.testing.assert_allclose(also, 3000.0)
    assert np.all(lags > 0)
    assert np.all(low < volts)


def test_the_fridge_cycles_and_runs_without_end_with_its_door_open_until_that_is_closed(homes: SmartMeter) -> None:
    _, healthy = live(homes, 10.0, seed=None)
    _, failing = live(homes, 12.0, faults=only(RUNS_ON), until_h=4.0, seed=None)
    for device in range(DEVICES):
        on = healthy[:, REACTIVE, device] > 0
        assert 0.15 < on.mean() < 0.6
        starts = np.flatnonzero(np.diff(on.astype(int)) == 1) * 10.0
        assert np.all((np.diff(starts) > 1200.0) & (np.diff(starts) < 7200.0))
        failed = failing[:, REACTIVE, device] > 0
        assert failed[360:1440].all()  # from the first hour on
        assert failing[360:1440, ACTIVE, device].mean() > healthy[360:1440, ACTIVE, device].mean() + 30.0
        assert 0.15 < failed[2520:].mean() < 0.6  # three hours after the door was closed


def test_a_loose_neutral_makes_the_voltage_swing_and_leaves_nothing_behind(homes: SmartMeter) -> None:
    _, healthy = live(homes, 8.0)
    _, failing = live(homes, 8.0, faults=only(NEUTRAL), until_h=6.0)
    assert np.all(failing[:2160, VOLTAGE].std(axis=0) > 3.0 * healthy[:2160, VOLTAGE].std(axis=0))
    assert np.array_equal(failing[2160:, :ENERGY], healthy[2160:, :ENERGY])
    worst = live(homes, 2.0, faults=only(NEUTRAL, 50.0))[1]
    assert np.all((worst[:, VOLTAGE] > 0) & (worst[:, VOLTAGE] < 400.0))


def test_a_heater_left_on_creeps_into_the_base_load_and_is_gone_when_its_plug_is_pulled(homes: SmartMeter) -> None:
    _, healthy = live(homes, 6.0)
    _, failing = live(homes, 6.0, faults=only(CREEP), until_h=3.0)
    added = failing[:, ACTIVE] - healthy[:, ACTIVE]
    assert np.all(np.diff(added[:120:12].mean(axis=1)) > 0)
    assert np.all((added[360:1080] > 350.0) & (added[360:1080] < 550.0))
    assert np.array_equal(failing[1080:, :ENERGY], healthy[1080:, :ENERGY])
    assert np.all(failing[360:1080, FACTOR] >= healthy[360:1080, FACTOR] - 0.01)


def test_a_register_that_was_stopped_stands_still_and_then_counts_on_from_there(homes: SmartMeter) -> None:
    _, healthy = live(homes, 4.0)
    _, stopped = live(homes, 4.0, faults=only(STOPPED), until_h=2.0)
    _, slowed = live(homes, 4.0, faults=only(STOPPED, 0.4), until_h=2.0)
    assert np.all(np.ptp(stopped[:720, ENERGY], axis=0) == 0)
    assert np.array_equal(stopped[:, :ENERGY], healthy[:, :ENERGY])
    np.testing.assert_allclose(
        stopped[1439, ENERGY] - stopped[719, ENERGY], healthy[1439, ENERGY] - healthy[719, ENERGY], rtol=1e-6
    )
    counted, used = slowed[719, ENERGY] - homes.register, healthy[719, ENERGY] - homes.register
    np.testing.assert_allclose(counted, 0.6 * used, rtol=1e-6)


def test_the_household_lives_by_the_clock_the_week_and_the_year(homes: SmartMeter) -> None:
    week = course(homes, moments(MONDAY, "UTC", TRUE_DAY_S, np.arange(7 * 1440) * 60.0))  # (R, I, D)
    days = week.reshape(7, 1440, *week.shape[1:])
    np.testing.assert_allclose(week[:, WASHER].sum(axis=0) * 60.0, homes.washes, rtol=0.05)
    for what in (KETTLE, HOB, SCREEN):
        assert np.all(days[:, 120:270, what].max(axis=(0, 1)) < 0.1 * days[:, 450:1350, what].mean(axis=(0, 1)))
    assert np.all(days[5:, 540:960, KETTLE].mean(axis=(0, 1)) > days[:5, 540:960, KETTLE].mean(axis=(0, 1)))
    summer = course(homes, moments(JULY, "UTC", TRUE_DAY_S, np.arange(1440) * 60.0))
    assert np.all(days[0, 1050:1140, 4].mean(axis=0) > 2.0 * summer[1050:1140, 4].mean(axis=0))  # light at six
    south = parameters(SmartMeterSettings(latitude_deg=-50.0), np.zeros((DEVICES, SMART_METER.traits)))
    assert course(south, moments(JULY, "UTC", TRUE_DAY_S, np.array([64_800.0])))[0, 4].min() > 0.4


def test_summer_time_moves_the_household_with_the_clock_on_the_wall(homes: SmartMeter) -> None:
    before, after = (datetime(2024, *day, tzinfo=UTC).timestamp() for day in ((3, 25), (4, 1)))  # Mondays
    day = np.arange(1440) * 60.0
    rates = [course(homes, moments(at, "Europe/Berlin", TRUE_DAY_S, day))[:, KETTLE, 0] for at in (before, after)]
    best = max(range(-120, 121), key=lambda shift: float(np.roll(rates[0], shift) @ rates[1]))
    assert best == -60


def test_all_meters_share_one_frequency_near_its_nominal_value(homes: SmartMeter) -> None:
    when = moments(MONDAY, "UTC", TRUE_DAY_S, np.arange(86_400.0))
    off = mains(when)
    assert 1e-4 < off.std() < 8e-4
    assert np.abs(off).max() < 4e-3
    assert np.corrcoef(off[1:], off[:-1])[0, 1] > 0.99
    frequency = course(homes, when)[::60, 6]
    assert np.all(np.ptp(frequency, axis=1) == 0)


def test_in_the_field_channels_move_together_as_they_should() -> None:
    for series in metered(10.0, 1.0):
        together = np.corrcoef(series.values.T)
        assert together[ACTIVE, CURRENT] > 0.99
        assert together[ACTIVE, VOLTAGE] < -0.2
        assert np.abs(together[FREQUENCY, :5]).max() < 0.2
        volts = series.values[:, VOLTAGE]
        assert np.corrcoef(volts[1:], volts[:-1])[0, 1] > 0.8  # the street wanders slowly
        jitter = np.diff(series.values[:1200, FREQUENCY])
        assert set(np.round(np.abs(jitter), 6)) <= {0.0, 0.01, 0.02, 0.03, 0.04}  # its resolution shows


@pytest.mark.parametrize("period_s", [1.0, 15.0, 300.0])
def test_whatever_the_period_all_is_finite_within_range_and_the_register_only_rises(period_s: float) -> None:
    for series in metered(period_s, min(20.0, 3000 * period_s / TRUE_DAY_S)):
        assert np.isfinite(series.values).all()
        active, reactive, factor, current, volts, _, energy = series.values.T
        assert np.all((volts > 207.0) & (volts < 253.0))  # EN 50160: 10 %
        assert np.all(np.diff(energy) >= 0)
        assert energy[-1] > energy[0]
        rough = np.abs(np.hypot(active, reactive) - volts * current)
        assert np.all(rough < 12.0 + 0.02 * np.hypot(active, reactive))
        assert np.all(np.abs(factor - active / np.hypot(active, reactive)) < 0.06)


def test_a_household_uses_as_much_as_households_do_and_more_in_winter() -> None:
    winter, summer = metered(600.0, 14.0, MONDAY), metered(600.0, 14.0, JULY)
    used = [[one.values[-1, ENERGY] - one.values[0, ENERGY] for one in season] for season in (winter, summer)]
    yearly = np.array(used) / 14.0 * 365.0
    assert np.all((yearly > 1200.0) & (yearly < 6000.0))
    assert yearly[0].mean() > yearly[1].mean()


def test_a_register_keeps_its_watt_hours_for_as_long_as_it_has_digits(homes: SmartMeter) -> None:
    for start in (0.0, 12_345.678, 987_654.321):
        exact = np.round(start + np.arange(1000) * 1e-3, 3)
        truth = np.zeros((1000, len(CHANNELS)))
        truth[:, ENERGY] = exact + 0.0003
        assert np.array_equal(quantise(CHANNELS, truth)[:, ENERGY], exact)
    old = homes._replace(register=np.full(DEVICES, ROLLOVER_KWH - 0.1))
    _, seen = live(old, 4.0, seed=None)
    assert np.all(seen[0, ENERGY] > ROLLOVER_KWH - 1.0)
    assert np.all(seen[-1, ENERGY] < 1.0)  # and then it begins again
    used = seen[-1, ENERGY] + 0.1
    np.testing.assert_allclose(used, seen[:, ACTIVE].sum(axis=0) * 10.0 / 3.6e6, rtol=1e-6)


def test_a_counter_has_the_sensor_faults_of_a_counter_and_no_others() -> None:
    devices = [{"kind": "smart_meter", "name": "m-", "count": 4, "site": "x"}]
    for kind in ("noise", "correlation_break"):
        fault = {"device": "m-1", "kind": kind, "channels": ["energy"], "start_s": 0.0, "end_s": 60.0}
        with pytest.raises(ConfigError, match=r"faults.0.channels: 'energy' is a counter; it knows bias and"):
            parse_scenario({"devices": devices, "faults": [fault]}, "homes.toml")
    for kind in ("spike", "bias", "drift", "stuck"):
        fault = {"device": "m-1", "kind": kind, "channels": ["energy"], "start_s": 0.0, "end_s": 60.0}
        assert parse_scenario({"devices": devices, "faults": [fault]}, "homes.toml").faults
    table = {"kinds": ["noise", "correlation_break", "drift"], "spacing_s": [100.0, 100.0], "quiet_s": 1.0}
    drawn = schedule(
        parse_scenario({"clock": {"duration_s": 40_000.0}, "devices": devices, "random_faults": table}, "h")
    )
    hit = {(fault.kind, fault.channels[0]) for fault in drawn}
    assert ("drift", "energy") in hit
    assert not {("noise", "energy"), ("correlation_break", "energy")} & hit
