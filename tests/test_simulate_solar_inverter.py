"""Day, season and clouds decide what comes in, the single-diode model at which voltage, the inverter what stays."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, Moments, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.solar_inverter import (
    CONSTANT_LOSS,
    SOLAR_INVERTER,
    Solar,
    SolarSettings,
    course,
    fed_in,
    parameters,
    step,
    taken,
)
from anomgan.simulate.sun import sun

DEVICES = 4
NAMES = SOLAR_INVERTER.names
IRRADIANCE, AIR, MODULE, VOLTS_1, AMPS_1, VOLTS_2, AMPS_2, AC, GRID, INVERTER = range(len(NAMES))
SHADING, SOILING, FAN, DISCONNECT = range(4)
PERIOD_S = 60.0


def day_of(year: int, month: int, day: int, period_s: float = PERIOD_S) -> Moments:
    start_s = datetime(year, month, day, tzinfo=UTC).timestamp()
    return moments(start_s, "UTC", TRUE_DAY_S, np.arange(0.0, TRUE_DAY_S, period_s))


JUNE, MARCH, DECEMBER = day_of(2024, 6, 21), day_of(2024, 3, 20), day_of(2024, 12, 21)


def plants(**settings: float) -> Solar:
    traits = np.random.default_rng(5).standard_normal((DEVICES, SOLAR_INVERTER.traits))
    return parameters(SolarSettings(**{"cloudiness": 0.0, **settings}), traits)


def run(solar: Solar, when: Moments, period_s: float = PERIOD_S, **faults: float) -> Floats:
    """(R, C, D): a day without chance, with faults from its beginning on."""
    severity = np.array([[faults.get(fault.name, 0.0)] * DEVICES for fault in SOLAR_INVERTER.process_faults])
    still, given = np.zeros((SOLAR_INVERTER.shocks, DEVICES)), course(solar, when)
    nothing = np.zeros((0, DEVICES))
    state, seen = SOLAR_INVERTER.rest(solar, Inputs(given[0], still, nothing, severity)), []
    for row in given:
        state, shown = step(solar, state, Inputs(row, still, nothing, severity), period_s)
        seen.append(shown)
    return np.array(seen)


def fleet(start: datetime, period_s: float, hours: float, cloudiness: float = 0.5, **tables: Any) -> list[TimeSeries]:
    clock: dict[str, Any] = {"start": start, "period_s": period_s, "duration_s": hours * 3600.0, "seed": 3}
    devices: list[dict[str, Any]] = [{"kind": "solar_inverter", "name": "solar-", "count": 2, "site": "roof"}]
    devices[0]["settings"] = {"cloudiness": cloudiness}
    return simulate(parse_scenario({"clock": clock, "devices": devices, **tables}, "plant.toml"))


def dc(seen: Floats) -> Floats:
    power: Floats = seen[:, VOLTS_1] * seen[:, AMPS_1] + seen[:, VOLTS_2] * seen[:, AMPS_2]
    return power


def sky(latitude_deg: float, when: Moments, longitude_deg: float = 0.0) -> Floats:
    """(R,) sine of the sun's height."""
    angles = [np.radians([angle]) for angle in (latitude_deg, longitude_deg, 0.0, 180.0)]
    return sun(*angles, when).height[:, 0]


# The inverter by day and night


def test_a_clear_sky_sends_a_kilowatt_when_the_sun_is_high_and_what_stands_towards_the_sun_gets_more() -> None:
    noon = np.argmax(sky(48.0, JUNE))
    level, tilted, north = (run(plants(tilt_deg=t, facing_deg=f), JUNE) for t, f in ((0, 180), (35, 180), (35, 0)))
    assert np.all((level[noon, IRRADIANCE] > 850) & (level[noon, IRRADIANCE] < 1050))
    assert np.all(tilted[noon, IRRADIANCE] > level[noon, IRRADIANCE])
    assert np.all(north[noon, IRRADIANCE] < level[noon, IRRADIANCE])
    east, west = (run(plants(facing_deg=f), JUNE)[:, AC].argmax(axis=0) for f in (90, 270))
    assert np.all(east < noon)
    assert np.all(west > noon)


def test_what_is_fed_in_and_what_that_takes_are_inverse() -> None:
    solar = plants()
    for share in (0.01, 0.1, 0.5, 1.0, 1.2):
        np.testing.assert_allclose(fed_in(solar, taken(solar, share * solar.rated)), share * solar.rated)


def test_efficiency_is_poor_at_little_power_and_best_at_about_half_load() -> None:
    solar = plants()
    shares = np.array([0.01, 0.05, 0.1, 0.3, 0.55, 1.0])
    efficiency = np.array([share * solar.rated / taken(solar, share * solar.rated) for share in shares])
    assert np.all(efficiency[0] < 0.75)
    assert np.all((efficiency.argmax(axis=0) == 4) & (efficiency.max(axis=0) > 0.97) & (efficiency.max(axis=0) < 0.98))


def test_ac_power_is_dc_power_less_the_losses_whenever_it_runs() -> None:
    for when in (JUNE, DECEMBER):
        solar = plants()
        seen = run(solar, when)
        runs = seen[:, AC] > 0
        losses = dc(seen) / 1000.0 - seen[:, AC]
        np.testing.assert_allclose(1000.0 * seen[:, AC], fed_in(solar, dc(seen)), atol=1e-6)
        assert np.all(losses[runs] > CONSTANT_LOSS * solar.rated.min() / 1000.0)
        assert np.all(seen[:, AC] / np.maximum(dc(seen) / 1000.0, 1e-9) < 0.98)


def test_more_modules_than_it_can_take_make_it_clip_at_its_rated_power_with_the_voltage_up() -> None:
    solar = plants(dc_ratio=1.5)
    seen = run(solar, JUNE)
    clips = seen[:, AC] > 0.9999 * solar.rated / 1000.0
    assert np.all(seen[:, AC] <= solar.rated / 1000.0 * (1 + 1e-9))
    assert np.all(clips.sum(axis=0) * PERIOD_S > 2 * 3600.0)
    small = run(plants(dc_ratio=0.8), JUNE)
    assert np.all(small[:, AC].max(axis=0) < 0.85 * solar.rated / 1000.0)
    assert np.all(
        seen[clips.argmax(axis=0) + 60, VOLTS_1, range(DEVICES)] > 1.05 * small[:, VOLTS_1].max(axis=0) * 0.95
    )


def test_by_night_nothing_flows_and_nothing_has_voltage() -> None:
    solar = plants(cloudiness=0.5)
    seen = run(solar, JUNE)
    night = sky(48.0, JUNE) < -0.18
    assert night.mean() > 0.1
    for channel in (IRRADIANCE, VOLTS_1, AMPS_1, VOLTS_2, AMPS_2, AC):
        assert np.all(seen[night, channel] < (15.0 if channel in (VOLTS_1, VOLTS_2) else 0.05))
    assert np.all(seen[night, AC] == 0)
    assert np.all(abs(seen[night, INVERTER] - seen[night, AIR]) < 30)


def test_in_the_morning_the_voltage_comes_before_the_current() -> None:
    morning = moments(
        datetime(2024, 6, 21, tzinfo=UTC).timestamp(), "UTC", TRUE_DAY_S, np.arange(0.0, 6 * 3600.0, 10.0)
    )
    seen = run(plants(), morning, 10.0)
    has_voltage, flows = (seen[:, VOLTS_1] > 400).argmax(axis=0), (seen[:, AMPS_1] > 0).argmax(axis=0)
    assert np.all(flows - has_voltage > 6)  # it watches the grid for a minute
    each = range(DEVICES)
    assert np.all(seen[flows - 1, VOLTS_1, each] > seen[flows, VOLTS_1, each] + 20)  # open circuit, then the best point


def test_summer_gives_several_times_what_winter_gives_and_the_south_has_its_summer_in_december() -> None:
    for settings, summer, winter in (
        ({}, JUNE, DECEMBER),
        ({"latitude_deg": -48.0, "facing_deg": 0.0}, DECEMBER, JUNE),
    ):
        warm, cold = run(plants(**settings), summer), run(plants(**settings), winter)
        assert np.all(warm[:, AC].sum(axis=0) > 1.8 * cold[:, AC].sum(axis=0))
        assert np.all((warm[:, AC] > 0).mean(axis=0) > 1.7 * (cold[:, AC] > 0).mean(axis=0))
        assert np.all(warm[:, AIR].mean(axis=0) > cold[:, AIR].mean(axis=0) + 10.0)


def test_modules_warm_in_the_sun_as_their_nominal_temperature_says_and_are_colder_than_air_on_clear_nights() -> None:
    seen = run(plants(), JUNE)
    noon = sky(48.0, JUNE).argmax()
    rise = (seen[noon, MODULE] - seen[noon, AIR]) / seen[noon, IRRADIANCE]
    assert np.all((rise > 0.02) & (rise < 0.036))  # 0.031 at the nominal 20 K per 800 W/m², less with wind
    assert np.all(seen[:30, MODULE] < seen[:30, AIR])


def test_feeding_in_raises_the_grid_s_voltage() -> None:
    fed, dark = run(plants(), JUNE), run(plants(dc_ratio=0.5), JUNE)
    more = fed[:, AC] - dark[:, AC]
    np.testing.assert_allclose((fed[:, GRID] - dark[:, GRID]), 3.5 * more / 10.0, atol=1e-9)


def test_the_neighbours_take_more_on_working_days() -> None:
    friday, saturday = (run(plants(), day_of(2024, 6, day))[:, GRID].mean(axis=0) for day in (21, 22))
    assert np.all(friday < saturday - 0.1)


# Faults


@pytest.fixture(scope="module")
def healthy() -> Floats:
    return run(plants(), JUNE)


NOON = slice(600, 840)
"""10:00 to 14:00"""


def test_shade_on_a_part_of_the_first_string_lowers_its_voltage_and_leaves_the_second_alone() -> None:
    solar = plants(dc_ratio=0.8)
    before, after = run(solar, JUNE)[NOON], run(solar, JUNE, partial_shading=1.0)[NOON]
    np.testing.assert_allclose(after[:, VOLTS_1] / before[:, VOLTS_1], 0.63, atol=0.03)
    np.testing.assert_allclose(after[:, AMPS_1], before[:, AMPS_1], rtol=0.02)
    np.testing.assert_allclose(after[:, VOLTS_2:AC], before[:, VOLTS_2:AC], rtol=1e-6)
    np.testing.assert_allclose(after[:, AC] / before[:, AC], 0.815, atol=0.03)
    assert np.all(after[:, IRRADIANCE] == before[:, IRRADIANCE])


def test_without_direct_sun_shade_takes_little() -> None:
    solar = plants(cloudiness=1.0)
    before, after = run(solar, JUNE)[NOON], run(solar, JUNE, partial_shading=1.0)[NOON]
    assert np.all(after[:, AC] > 0.85 * before[:, AC])


def test_dirt_lowers_both_currents_but_not_what_the_clean_pyranometer_shows() -> None:
    solar = plants(dc_ratio=0.8)
    before, after = run(solar, JUNE)[NOON], run(solar, JUNE, soiling=1.0)[NOON]
    for channel in (AMPS_1, AMPS_2):
        np.testing.assert_allclose(after[:, channel] / before[:, channel], np.exp(-0.16), atol=0.005)
    assert np.all(after[:, IRRADIANCE] == before[:, IRRADIANCE])
    assert np.all(after[:, MODULE] < before[:, MODULE])
    np.testing.assert_allclose(after[:, VOLTS_1], before[:, VOLTS_1], rtol=0.02)


def test_without_its_fan_the_inverter_gets_hot_and_holds_its_power_back(healthy: Floats) -> None:
    after = run(plants(), JUNE, fan_failure=1.0)
    assert np.all(after[NOON, INVERTER].max(axis=0) > healthy[NOON, INVERTER].max(axis=0) + 20.0)
    assert np.all(after[:, INVERTER] < 100.0)
    assert np.all(after[NOON, AC].min(axis=0) < 0.85 * healthy[NOON, AC].min(axis=0))
    assert np.all(after[NOON, VOLTS_1].max(axis=0) > healthy[NOON, VOLTS_1].max(axis=0))
    assert np.all(after[:, AC] <= healthy[:, AC] + 1e-9)


def test_a_disconnected_string_gives_neither_voltage_nor_current_and_the_other_goes_on() -> None:
    solar = plants(dc_ratio=0.8)
    before, after = run(solar, JUNE)[NOON], run(solar, JUNE, string_disconnect=1.0)[NOON]
    assert np.all(after[:, [VOLTS_2, AMPS_2]] == 0)
    np.testing.assert_allclose(after[:, AMPS_1], before[:, AMPS_1], rtol=1e-6)
    np.testing.assert_allclose(after[:, AC] / before[:, AC], 0.5, atol=0.02)


@pytest.mark.parametrize("fault", SOLAR_INVERTER.process_faults, ids=lambda fault: fault.name)
def test_a_fault_shows_most_in_the_channels_that_it_names_and_is_over_when_it_ends(fault: Any) -> None:
    start = datetime(2024, 6, 20, 6, tzinfo=UTC)
    planned = {"device": "solar-1", "kind": fault.name, "start_s": 4 * 3600.0, "end_s": 8 * 3600.0}
    before, after = fleet(start, 60.0, 12.0, 0.0), fleet(start, 60.0, 12.0, 0.0, faults=[planned])
    assert np.array_equal(before[1].values, after[1].values)
    changed = abs(after[0].values - before[0].values)
    during, later = changed[241:480], changed[660:]
    for name in fault.channels[:1]:
        assert np.median(during[:, NAMES.index(name)]) > 3 * SOLAR_INVERTER.channels[NAMES.index(name)].resolution
    told = {NAMES[index] for index in np.flatnonzero(during.mean(axis=0))}
    assert set(fault.channels) <= told
    assert np.all(changed[:240] == 0)
    assert np.all(later <= 2.01 * np.array([channel.resolution for channel in SOLAR_INVERTER.channels]))


# The course of things


@pytest.mark.parametrize("period_s", [1.0, 10.0, 60.0, 300.0, 3600.0])
def test_at_every_sampling_period_all_values_are_finite_and_within_range(period_s: float) -> None:
    hours = max(1.0, 600.0 * period_s / 3600.0)
    for series in fleet(datetime(2024, 5, 5, 10, tzinfo=UTC), period_s, hours):
        assert np.isfinite(series.values).all()
        for channel, column in zip(SOLAR_INVERTER.channels, series.values.T, strict=True):
            assert column.max() < channel.high, channel.name


def test_the_sampling_period_changes_the_day_s_yield_by_little() -> None:
    yields = [run(plants(), day_of(2024, 6, 21, p), p)[:, AC].mean(axis=0) for p in (10.0, 60.0, 300.0)]
    np.testing.assert_allclose(yields[1], yields[0], rtol=0.005)
    np.testing.assert_allclose(yields[2], yields[0], rtol=0.02)


def test_clouds_pass_within_minutes_and_cover_as_much_as_the_settings_say() -> None:
    solar = plants(cloudiness=0.5)
    many = Solar(*(np.repeat(part, 100) for part in solar))
    rng, seen = np.random.default_rng(1), []
    spring_s = datetime(2024, 4, 21, tzinfo=UTC).timestamp()  # neither summer nor winter
    noon = course(many, moments(spring_s, "UTC", TRUE_DAY_S, np.array([43_200.0])))[0]
    none, devices = np.zeros((0, 400)), 400
    healthy = np.zeros((4, devices))
    state = SOLAR_INVERTER.rest(many, Inputs(noon, rng.standard_normal((9, devices)), none, healthy))
    for _ in range(600):
        state, shown = step(many, state, Inputs(noon, rng.standard_normal((9, devices)), none, healthy), 20.0)
        seen.append(shown[IRRADIANCE])
    light = np.array(seen)[200:]
    sunny = light > 0.75 * np.quantile(light, 0.95)
    assert sunny.mean() == pytest.approx(0.5, abs=0.08)
    steps = np.corrcoef(light[:-30].ravel(), light[30:].ravel())[0, 1]  # 10 minutes apart
    near = np.corrcoef(light[:-1].ravel(), light[1:].ravel())[0, 1]
    assert near > 0.9
    assert steps < near - 0.05
    changes = np.abs(np.diff(sunny.astype(int), axis=0)).sum(axis=0)
    assert (changes > 10).mean() > 0.3  # broken cloud
    assert (changes == 0).mean() > 0.1  # a day of blue or grey


def test_channels_move_together_as_on_a_roof() -> None:
    series = fleet(datetime(2024, 6, 21, 7, tzinfo=UTC), 20.0, 10.0)[0]
    together = np.corrcoef(series.values.T)
    assert together[IRRADIANCE, AC] > 0.9
    assert together[AMPS_1, AMPS_2] > 0.99
    assert together[IRRADIANCE, MODULE] > 0.4
    assert together[AC, GRID] > 0.2
    assert together[AC, INVERTER] > 0.3
