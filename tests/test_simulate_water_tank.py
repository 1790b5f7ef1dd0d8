"""A water tank keeps its water: what comes in and does not go out stands in it, or has leaked."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from anomgan.config import parse_config
from anomgan.errors import ConfigError
from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.water_tank import (
    OVERFLOW,
    RHO_G,
    WATER_HEAT,
    WATER_TANK,
    WaterTank,
    WaterTankSettings,
    course,
    draws,
    fills,
    leaks,
    parameters,
    step,
)

DEVICES, HOUR = 4, 60
FRIDAY = datetime(2024, 4, 19, tzinfo=UTC)
FAULTS = [fault.name for fault in WATER_TANK.process_faults]
LEAK, STUCK, CLOGGED, BLOCKED = range(4)
LEVEL, INFLOW, OUTFLOW, VALVE, PRESSURE, WATER = range(6)


def tanks(**settings: float) -> WaterTank:
    return parameters(WaterTankSettings(**settings), np.random.default_rng(2).standard_normal((DEVICES, 12)))


def run(
    tank: WaterTank,
    hours: float,
    period_s: float = 20.0,
    faults: dict[int, float] | None = None,
    seed: int | None = None,
) -> tuple[Floats, Floats]:
    """From a Friday's six o'clock on: true levels before each row (R, D), and what shows in it (R, C, D)."""
    severity = np.zeros((len(FAULTS), DEVICES))
    for index, value in (faults or {}).items():
        severity[index] = value
    rows = round(hours * 3600.0 / period_s)
    chance = np.random.default_rng(seed)
    shocks = np.zeros((rows, WATER_TANK.shocks, DEVICES))
    if seed is not None:
        shocks = chance.standard_normal(shocks.shape)
    given = course(tank, moments(FRIDAY.timestamp() + 6 * 3600.0, "UTC", TRUE_DAY_S, np.arange(rows) * period_s))
    state = WATER_TANK.rest(tank, Inputs(given[0], shocks[0], np.zeros((0, DEVICES)), severity))
    levels, shown = [], []
    for row in range(rows):
        levels.append(state.level)
        state, seen = step(tank, state, Inputs(given[row], shocks[row], np.zeros((0, DEVICES)), severity), period_s)
        shown.append(seen)
    return np.array([*levels, state.level]), np.array(shown)


def play(start: datetime, hours: float, period_s: float = 60.0, **tables: Any) -> list[TimeSeries]:
    clock = {"start": start, "period_s": period_s, "duration_s": hours * 3600.0, "seed": 4}
    device = {"kind": "water_tank", "name": "tank-", "count": DEVICES, "site": "s", "settings": tables.pop("set", {})}
    return simulate(parse_scenario({"clock": clock, "devices": [device], **tables}, "plant.toml"))


def of(series: TimeSeries, channel: str) -> Floats:
    return series.values[:, series.channels.index(channel)]


@pytest.fixture(scope="module")
def weekend() -> list[TimeSeries]:
    """Friday to Sunday."""
    return play(FRIDAY, 72)


@pytest.mark.parametrize("period_s", [1.0, 20.0, 300.0])
def test_what_came_in_and_has_not_gone_out_stands_in_the_tank(period_s: float) -> None:
    tank = tanks()
    levels, seen = run(tank, 3.0, period_s, seed=1)
    balance = (seen[:, INFLOW] - seen[:, OUTFLOW]) / 3600.0 * period_s / tank.area
    np.testing.assert_allclose(np.diff(levels, axis=0), balance, atol=1e-12)


def test_where_it_leaks_exactly_the_leak_is_missing() -> None:
    tank = tanks()
    levels, seen = run(tank, 6.0, 5.0, {LEAK: 1.0}, seed=1)
    missing = (seen[:, INFLOW] - seen[:, OUTFLOW]) / 3600.0 * 5.0 - np.diff(levels, axis=0) * tank.area
    np.testing.assert_allclose(missing, 5.0 * leaks(tank, levels[:-1], np.ones(DEVICES)), atol=1e-9)
    assert np.all(missing.sum(axis=0) > 6 * 3600.0 * 0.6 * tank.demand)


def test_a_balance_of_the_channels_alone_tells_a_leak_from_none() -> None:
    faults = [{"device": "tank-1", "kind": "leak", "start_s": 0.0, "end_s": 8 * 3600.0}]
    missing = []
    for series in play(FRIDAY, 8, faults=faults):
        area = 50.0 / 4.0
        net = (of(series, "inflow") - of(series, "outflow"))[1:].sum() / 60.0
        missing.append(net - area * (of(series, "level")[-1] - of(series, "level")[0]))
    assert missing[0] > 30.0  # m³
    assert np.all(np.abs(missing[1:]) < 8.0)


def test_the_pressure_at_the_bottom_is_the_water_above_it(weekend: list[TimeSeries]) -> None:
    for series in weekend:
        column = RHO_G * of(series, "level") / 1e5
        assert np.corrcoef(of(series, "bottom_pressure"), column)[0, 1] > 0.999
        np.testing.assert_allclose(of(series, "bottom_pressure"), column, atol=0.006)


def test_the_valve_opens_at_the_low_level_shuts_at_the_high_one_and_fills_in_between() -> None:
    tank = tanks()
    levels, seen = run(tank, 12.0)
    assert np.all(levels > tank.fill_at - 0.05)
    assert np.all(levels < tank.full_at + 0.05)
    turns = np.diff(seen[:, VALVE], axis=0)
    for device in range(DEVICES):
        opens, shuts = levels[1:-1][turns[:, device] == 1, device], levels[1:-1][turns[:, device] == -1, device]
        assert 3 <= len(opens) <= 12
        np.testing.assert_allclose(opens, tank.fill_at[device], atol=0.03)
        np.testing.assert_allclose(shuts, tank.full_at[device], atol=0.03)
    rises, filling = np.diff(levels, axis=0) > 0, seen[:, VALVE] == 1
    assert np.mean(rises == filling) > 0.98


def test_more_leaves_from_a_fuller_tank_and_less_through_a_blocked_pipe_and_nothing_from_an_empty_one() -> None:
    tank, one, none = tanks(), np.ones(DEVICES), np.zeros(DEVICES)
    assert np.all(draws(tank, tank.full_at, one, none) > 1.01 * draws(tank, tank.fill_at, one, none))
    assert np.all(draws(tank, tank.full_at, one, one) < 0.6 * draws(tank, tank.full_at, one, none))
    assert np.all(draws(tank, none, one, none) == 0)
    assert np.all(leaks(tank, none, one) == 0)
    np.testing.assert_allclose(draws(tank, 0.67 * tank.height, one, none), tank.demand)
    np.testing.assert_allclose(fills(tank, one, tank.mains, none), tank.inflow)
    assert np.all(fills(tank, one, 0.8 * tank.mains, none) < tank.inflow)


def test_the_heat_of_the_water_is_what_mains_and_air_brought() -> None:
    tank = tanks()
    levels, seen = run(tank, 6.0, 2.0)
    given = course(tank, moments(FRIDAY.timestamp() + 6 * 3600.0, "UTC", TRUE_DAY_S, np.arange(len(seen)) * 2.0))
    heat = WATER_HEAT * tank.area * levels[1:] * seen[:, WATER]
    inflow, outflow, water = seen[1:, INFLOW] / 3600.0, seen[1:, OUTFLOW] / 3600.0, seen[:-1, WATER]
    comes = WATER_HEAT * (inflow * given[1:, 2] - outflow * water) + tank.shell * (given[1:, 1] - water)
    stored, brought = heat[-1] - heat[0], 2.0 * comes.sum(axis=0)
    turned_over = 2.0 * (WATER_HEAT * inflow * given[1:, 2]).sum(axis=0)
    assert np.all(np.abs(stored - brought) < 0.002 * turned_over)


def test_people_draw_in_the_morning_and_evening_hardly_by_night_and_later_on_free_days() -> None:
    tank = tanks()
    week = moments(datetime(2024, 4, 15, tzinfo=UTC).timestamp(), "UTC", TRUE_DAY_S, np.arange(7 * 96) * 900.0)
    demand = course(tank, week)[:, 0].reshape(7, 96, DEVICES)
    np.testing.assert_allclose(demand[:5].mean(axis=1), 1.0, atol=0.03)
    assert np.all(demand[:5, 29] > 1.7)
    assert np.all(demand[:, 12] < 0.6)
    assert np.all(demand[:5, 76] > 1.5)
    morning = slice(20, 48)
    assert np.all(demand[5:, morning].argmax(axis=1) > demand[:2, morning].argmax(axis=1) + 6)  # at least 1.5 hours
    assert np.all(demand[5:].mean(axis=1) < demand[:2].mean(axis=1))


def test_the_channels_show_day_and_weekend(weekend: list[TimeSeries]) -> None:
    for series in weekend:
        days = of(series, "outflow").reshape(3, 24, 60).mean(axis=2)
        assert days[0, 7] > 2.2 * days[0, 2]
        assert days[0, 7] > 1.3 * days[1, 7]  # on Saturday they sleep
        assert np.corrcoef(days[1], days[2])[0, 1] > 0.8


def test_winter_s_water_is_colder_than_summer_s() -> None:
    cold, warm = (play(datetime(2024, month, 15, tzinfo=UTC), 6) for month in (2, 8))
    for one, other in zip(cold, warm, strict=True):
        assert of(one, "water_temperature").mean() < of(other, "water_temperature").mean() - 5.0


def test_the_level_is_slow_the_taps_are_quick_and_steps_and_noise_show() -> None:
    def lagged(values: Floats, lag: int) -> float:
        return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])

    for series in play(FRIDAY, 1.0, 1.0):
        assert lagged(of(series, "level"), 60) > 0.97
        assert lagged(of(series, "outflow"), 1) > 0.8
        assert lagged(of(series, "outflow"), 300) < 0.6
        for index, channel in enumerate(WATER_TANK.channels):
            steps = series.values[:, index] / channel.resolution
            np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
        assert 0.001 < np.diff(of(series, "level"), n=2).std() / np.sqrt(6.0) < 0.005
        assert 0.0002 < np.diff(of(series, "bottom_pressure"), n=2).std() / np.sqrt(6.0) < 0.0006


def test_a_valve_that_jams_lets_the_tank_run_over_or_empty_and_no_further() -> None:
    tank = tanks()
    for filling in (0.0, 1.0):
        levels, seen = run(tank._replace(filling=np.full(DEVICES, filling)), 12.0, faults={STUCK: 1.0})
        assert np.all(seen[:, VALVE] == filling)
        assert np.all(levels >= 0)
        if filling:
            np.testing.assert_allclose(levels[-1], OVERFLOW * tank.height)
        else:
            assert np.all(levels[-1] < 0.2 * tank.fill_at)
            assert np.all(seen[-1, OUTFLOW] < 0.5 * 3600.0 * tank.demand)


@pytest.fixture(scope="module")
def failing() -> tuple[list[TimeSeries], list[TimeSeries]]:
    """One fault per device from 6 to 12 o'clock, and the same devices in good health."""
    faults = [
        {"device": f"tank-{1 + index}", "kind": kind, "start_s": 6 * 3600.0, "end_s": 12 * 3600.0}
        for index, kind in enumerate(FAULTS)
    ]
    return play(FRIDAY, 24), play(FRIDAY, 24, faults=faults)


def test_faults_show_and_pass(failing: tuple[list[TimeSeries], list[TimeSeries]]) -> None:
    during, after = slice(6 * HOUR + 5, 12 * HOUR), slice(17 * HOUR, None)
    for index, (healthy, faulty) in enumerate(zip(*failing, strict=True)):
        assert np.array_equal(healthy.values[: 6 * HOUR], faulty.values[: 6 * HOUR])
        assert faulty.labels.sum() == 6 * HOUR
        level = of(faulty, "level")
        falls = -np.diff(level)[during][of(faulty, "inflow")[1:][during] < 0.2]
        usual = -np.diff(of(healthy, "level"))[during][of(healthy, "inflow")[1:][during] < 0.2]
        if index == LEAK:
            assert np.median(falls) > 1.4 * np.median(usual)
        if index == STUCK:
            assert level[during].max() > 3.7 or level[during].min() < 1.5
            assert np.ptp(of(faulty, "inlet_valve")[during]) == 0
        if index == CLOGGED:
            assert 0.5 < of(faulty, "inflow")[during].max() < 0.5 * of(healthy, "inflow")[during].max()
        if index == BLOCKED:
            assert of(faulty, "outflow")[during].mean() < 0.7 * of(healthy, "outflow")[during].mean()
        for channel in ("level", "outflow"):
            np.testing.assert_allclose(of(faulty, channel)[after].mean(), of(healthy, channel)[after].mean(), rtol=0.12)
        assert of(faulty, "level")[after].min() > 1.9
        assert of(faulty, "level")[after].max() < 3.6


@pytest.mark.parametrize("period_s", [1.0, 7.0, 60.0, 300.0])
def test_it_is_stable_and_within_its_sensors_range_at_any_period(period_s: float) -> None:
    chance = {"kinds": FAULTS, "spacing_s": [1000.0, 1500.0], "quiet_s": 0.0}
    for series in play(FRIDAY, 1.5, period_s, random_faults=chance):
        assert np.isfinite(series.values).all()
        assert of(series, "level").max() < 4.0


def test_the_smallest_tank_is_stable_too() -> None:
    for series in play(FRIDAY, 6, 300.0, set={"volume_m3": 1.3}):
        assert of(series, "level").min() > 1.2
        assert of(series, "level").max() < 3.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fill_at": 0.8, "full_at": 0.7}, "fill_at .* is not below full_at"),
        ({"inflow_m3h": 12.0}, "less than 2.2 times demand_m3h"),
        ({"volume_m3": 0.5}, "would fill it within a minute"),
    ],
)
def test_a_tank_that_cannot_work_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(WaterTankSettings, settings, "plant.toml")
