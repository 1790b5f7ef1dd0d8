"""The room keeps its balances of carbon dioxide, water, dust and heat; its people keep the calendar."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pytest

from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.air_quality import (
    AIR_HEAT,
    AIR_QUALITY,
    BODY_W,
    BREATH_M3S,
    DUST_GETS_IN,
    FILTER,
    OUTSIDE_CO2,
    SETTLES,
    SWEAT_KGS,
    AirQuality,
    AirQualitySettings,
    AirQualityState,
    course,
    parameters,
    step,
    voltage,
)
from anomgan.simulate.moist_air import relative_humidity, saturated_air, saturation_pa

DEVICES = 3
CO2, TEMPERATURE, HUMIDITY, DUST, VOC, BATTERY, SIGNAL = range(7)
BLOCKED, WINDOW, FAILING, HEATED = range(4)
EXPECTED, RUNS, CLIMATE, DAILY, SUN, TRAFFIC, SEASON, HEATS, CLEANS = range(9)
HEALTHY = np.zeros((4, DEVICES))
MONDAY, SATURDAY, JULY = (datetime(2024, *day, tzinfo=UTC).timestamp() for day in ((1, 8), (1, 13), (7, 8)))


@pytest.fixture(scope="module")
def rooms() -> AirQuality:
    return rooms_of()


def rooms_of(**settings: Any) -> AirQuality:
    traits = np.random.default_rng(6).standard_normal((DEVICES, AIR_QUALITY.traits))
    return parameters(AirQualitySettings(**settings), traits)


def only(fault: int, severity: float = 1.0) -> Floats:
    faults = HEALTHY.copy()
    faults[fault] = severity
    return faults


def live(
    room: AirQuality,
    hours: float,
    faults: Floats = HEALTHY,
    period_s: float = 60.0,
    start_s: float = MONDAY,
    fault_h: tuple[float, float] = (0.0, 1e9),
    always: dict[int, float] | None = None,
) -> tuple[AirQualityState, Floats]:
    """Without weather, windows or cleaners: the last state, and what shows (R, C, D). always: the course, held."""
    rows = round(hours * 3600 / period_s)
    given = course(room, moments(start_s, "UTC", TRUE_DAY_S, np.arange(rows) * period_s))
    for line, value in (always or {}).items():
        given[:, line] = value
    state: Any = None
    shown = []
    for row in range(rows):
        present = faults if fault_h[0] <= row * period_s / 3600 < fault_h[1] else HEALTHY
        inputs = Inputs(given[row], np.zeros((6, DEVICES)), np.full((4, DEVICES), 1.0 - 1e-9), present)
        state = AIR_QUALITY.rest(room, inputs) if state is None else state
        state, seen = step(room, state, inputs, period_s)
        shown.append(seen)
    return state, np.array(shown)


@cache
def measured(period_s: float, days: float, start: float = MONDAY, room: str = "office") -> list[TimeSeries]:
    """Two nodes as their sensors tell them."""
    clock = {"period_s": period_s, "duration_s": days * TRUE_DAY_S, "start": datetime.fromtimestamp(start, UTC)}
    settings = {"room": room, "people": 24, "volume_m3": 220.0, "air_changes_per_hour": 3.0}
    devices = [{"kind": "air_quality", "name": "a-", "count": 2, "site": "x"}]
    if room == "classroom":
        devices[0]["settings"] = settings  # type: ignore[assignment]  # a table among strings
    return simulate(parse_scenario({"clock": clock, "devices": devices}, "rooms.toml"))


STEADY = {
    EXPECTED: 1.0,
    RUNS: 1.0,
    CLIMATE: 5.0,
    DAILY: 0.0,
    SUN: 0.0,
    TRAFFIC: 1.0,
    SEASON: 1.0,
    HEATS: 1.0,
    CLEANS: 0.0,
}


def test_water_saturates_air_as_the_steam_table_says() -> None:
    table = {0.0: 611.2, 10.0: 1228.0, 20.0: 2339.0, 30.0: 4246.0, 40.0: 7384.0}  # °C: Pa
    np.testing.assert_allclose(saturation_pa(np.array(list(table))), list(table.values()), rtol=3e-3)
    np.testing.assert_allclose(relative_humidity(saturated_air(np.array([15.0])), np.array([15.0])), 100.0)
    np.testing.assert_allclose(
        relative_humidity(0.5 * saturated_air(np.array([15.0])), np.array([15.0])), 50.0, rtol=0.01
    )


def test_in_the_end_the_air_change_carries_off_exactly_what_comes_in(rooms: AirQuality) -> None:
    state, seen = live(rooms, 120.0, period_s=600.0, always=STEADY)
    exchange_m3s = (rooms.leaks + rooms.ventilation) * rooms.volume / 3600.0
    np.testing.assert_allclose((state.co2 - OUTSIDE_CO2) * 1e-6 * exchange_m3s, rooms.people * BREATH_M3S, rtol=1e-6)
    outside = 0.76 * saturated_air(np.array([5.0]))
    np.testing.assert_allclose((state.water - outside) * exchange_m3s * 1.2, rooms.people * SWEAT_KGS, rtol=1e-6)
    sheds = rooms.walls + AIR_HEAT * rooms.volume / 3600.0 * (rooms.leaks + 0.25 * rooms.ventilation)
    heater = np.clip(25.0 * rooms.volume * (rooms.set_point - state.air), 0.0, 45.0 * rooms.volume)
    np.testing.assert_allclose(sheds * (state.air - 5.0), BODY_W * rooms.people + heater, rtol=1e-4)
    comes = (DUST_GETS_IN * rooms.leaks + FILTER * rooms.ventilation) * (rooms.dust + rooms.traffic) * np.exp(-0.1)
    goes = (rooms.leaks + rooms.ventilation + SETTLES) * state.dust
    np.testing.assert_allclose(goes, comes + 0.02 * rooms.people * 3600.0 / rooms.volume, rtol=1e-6)
    np.testing.assert_allclose(seen[-1, TEMPERATURE], state.air, atol=0.01)


def test_carbon_dioxide_rises_by_what_is_breathed_out_less_what_is_carried_off(rooms: AirQuality) -> None:
    _, seen = live(rooms, 0.5, always=STEADY, period_s=1.0)
    rise = np.diff(seen[:, CO2], axis=0)  # ppm/s
    comes = rooms.people * BREATH_M3S * 1e6 / rooms.volume
    goes = (rooms.leaks + rooms.ventilation) / 3600.0 * (seen[:-1, CO2] - OUTSIDE_CO2)
    np.testing.assert_allclose(rise, comes - goes, rtol=2e-3, atol=1e-4)


def test_relative_humidity_is_that_of_the_room_s_water_at_the_sensor_s_temperature(rooms: AirQuality) -> None:
    state, seen = live(rooms, 15.0)
    np.testing.assert_allclose(seen[-1, HUMIDITY], relative_humidity(state.water, seen[-1, TEMPERATURE]))
    cold, warm = live(rooms, 6.0, start_s=SATURDAY, always={HEATS: 0.0}), live(rooms, 6.0, start_s=SATURDAY)
    assert np.all(cold[1][-1, TEMPERATURE] < warm[1][-1, TEMPERATURE])
    assert np.all(cold[1][-1, HUMIDITY] > warm[1][-1, HUMIDITY])


@pytest.mark.parametrize("period_s", [1.0, 10.0, 300.0])
def test_the_room_does_not_depend_on_the_sampling_period(rooms: AirQuality, period_s: float) -> None:
    always = {EXPECTED: 1.0, RUNS: 1.0, HEATS: 1.0}
    (one, _), (other, _) = live(rooms, 1.5, period_s=period_s, always=always), live(rooms, 1.5, always=always)
    for name in ("co2", "air", "water", "dust", "compounds", "box", "charge"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=6e-3)


def test_blocked_ventilation_leaves_people_in_their_own_breath_until_it_is_mended(rooms: AirQuality) -> None:
    _, healthy = live(rooms, 47.0)
    _, failing = live(rooms, 47.0, faults=only(BLOCKED), fault_h=(8.0, 17.0))
    noon, next_noon = slice(720, 960), slice(2160, 2400)
    assert np.all(failing[noon, CO2].mean(axis=0) > healthy[noon, CO2].mean(axis=0) + 300.0)
    assert np.all(failing[noon, HUMIDITY].mean(axis=0) > healthy[noon, HUMIDITY].mean(axis=0) + 2.0)
    assert np.all(failing[noon, VOC].mean(axis=0) > healthy[noon, VOC].mean(axis=0) + 50.0)
    np.testing.assert_allclose(failing[next_noon, CO2], healthy[next_noon, CO2], rtol=0.02)


def test_an_open_window_in_winter_lets_in_cold_and_carbon_dioxide_out_and_the_heater_makes_up_for_it_later(
    rooms: AirQuality,
) -> None:
    _, healthy = live(rooms, 23.0)
    _, failing = live(rooms, 23.0, faults=only(WINDOW), fault_h=(9.0, 12.0))
    assert np.all(failing[630:720, TEMPERATURE] < healthy[630:720, TEMPERATURE] - 2.0)
    assert np.all(failing[700:720, CO2] < healthy[700:720, CO2] - 100.0)
    assert np.all(failing[630:720, BATTERY] < healthy[630:720, BATTERY])  # a cold battery gives less
    np.testing.assert_allclose(failing[-1, CO2], healthy[-1, CO2], rtol=0.02)
    np.testing.assert_allclose(failing[-1, TEMPERATURE], healthy[-1, TEMPERATURE], atol=0.5)
    arctic = live(rooms, 1.0, faults=only(WINDOW, 50.0), always={CLIMATE: -30.0})[1]
    assert np.isfinite(arctic).all()
    assert arctic[-1, TEMPERATURE].max() < -10.0


def test_a_heated_sensor_is_warm_and_dry_in_the_same_air(rooms: AirQuality) -> None:
    _, healthy = live(rooms, 14.0)
    _, failing = live(rooms, 14.0, faults=only(HEATED), fault_h=(9.0, 12.0))
    during, after = slice(570, 720), slice(760, 840)
    assert np.all(failing[during, TEMPERATURE] > healthy[during, TEMPERATURE] + 6.0)
    assert np.all(failing[during, HUMIDITY] < 0.75 * healthy[during, HUMIDITY])
    pressure = [seen[during, HUMIDITY] * saturation_pa(seen[during, TEMPERATURE]) for seen in (healthy, failing)]
    np.testing.assert_allclose(pressure[0], pressure[1])
    for channel in (CO2, DUST, VOC):
        assert np.array_equal(failing[:, channel], healthy[:, channel])
    np.testing.assert_allclose(failing[after, TEMPERATURE], healthy[after, TEMPERATURE], atol=0.01)


def test_a_failing_battery_collapses_takes_the_radio_with_it_and_is_as_before_when_changed(rooms: AirQuality) -> None:
    _, healthy = live(rooms, 6.0)
    _, failing = live(rooms, 6.0, faults=only(FAILING), fault_h=(2.0, 4.0))
    during = slice(120, 240)
    assert np.all(failing[during, BATTERY] < healthy[during, BATTERY] - 0.4)
    assert np.all(failing[during, SIGNAL] < healthy[during, SIGNAL] - 1.0)
    np.testing.assert_allclose(failing[240:, BATTERY], healthy[240:, BATTERY], atol=2e-3)
    np.testing.assert_allclose(failing[240:, SIGNAL], healthy[240:, SIGNAL])
    assert np.array_equal(failing[:, :BATTERY], healthy[:, :BATTERY])


def test_a_battery_falls_slowly_then_quickly_and_sags_in_the_cold_under_current(rooms: AirQuality) -> None:
    def volts(charge: float, celsius: float, milliamps: float = 30.0) -> Floats:
        return voltage(
            rooms, np.full(DEVICES, charge), np.full(DEVICES, celsius), np.full(DEVICES, milliamps / 1e3), HEALTHY[0]
        )

    slope = (volts(0.9, 20.0) - volts(0.5, 20.0)) / 0.4
    knee = (volts(0.10, 20.0) - volts(0.06, 20.0)) / 0.04
    assert np.all((slope > 0.1) & (slope < 0.5) & (knee > 4.0 * slope))
    assert np.all(volts(0.5, 0.0) < volts(0.5, 20.0) - 0.03)
    sags = [volts(0.5, celsius, 0.0) - volts(0.5, celsius) for celsius in (0.0, 20.0)]
    assert np.all(sags[0] > 1.5 * sags[1])
    state, seen = live(rooms_of(battery_days=40.0), 240.0, period_s=1200.0)
    np.testing.assert_allclose(rooms.charge - state.charge, 10.0 * TRUE_DAY_S * rooms.drain * 500.0 / 40.0)
    assert np.all(seen[-1, BATTERY] < seen[0, BATTERY] - 0.02)
    spent = rooms._replace(charge=np.full(DEVICES, 0.0601), drain=np.full(DEVICES, 1e-7))
    _, seen = live(spent, 2.0)
    assert np.all(seen[-1, BATTERY] > seen[0, BATTERY] + 0.2)  # replaced


def test_people_keep_the_week_and_the_timetable(rooms: AirQuality) -> None:
    week = np.arange(7 * 1440) * 60.0
    office = course(rooms, moments(MONDAY, "UTC", TRUE_DAY_S, week)).reshape(7, 1440, 9, DEVICES)
    assert np.all(office[5:, :, [EXPECTED, RUNS, CLEANS]] == 0)
    assert np.all(office[:5, 600:690, EXPECTED] > 0.8)
    assert np.all(office[:5, 740:750, EXPECTED] < 0.7)  # lunch
    assert np.all(office[:5, :300, EXPECTED] < 0.01)
    assert np.all(office[:5, 450:520, TRAFFIC] > office[:5, 150:220, TRAFFIC] + 0.5)
    school = course(rooms_of(room="classroom"), moments(MONDAY, "UTC", TRUE_DAY_S, week))[:1440, EXPECTED]
    lessons = np.diff((school > 0.5).astype(int), axis=0)
    assert np.all((lessons == 1).sum(axis=0) == 6)
    assert np.all(school[960:] < 0.01)


def test_seasons_turn_round_south_of_the_equator() -> None:
    for southern in (False, True):
        room = rooms_of(southern=southern)
        january, july = (course(room, moments(at, "UTC", TRUE_DAY_S, np.zeros(1)))[0, CLIMATE] for at in (MONDAY, JULY))
        assert np.all((january > july + 10.0) if southern else (july > january + 10.0))


def test_in_the_field_channels_move_together_as_they_should() -> None:
    for series in measured(60.0, 5.0):
        together = np.corrcoef(series.values.T)
        assert together[CO2, VOC] > 0.3
        assert together[CO2, SIGNAL] < -0.1  # people stand in the way
        assert together[CO2, TEMPERATURE] > 0.3
        co2, dust = series.values[:, CO2], series.values[:, DUST]
        assert np.corrcoef(co2[1:], co2[:-1])[0, 1] > 0.98
        assert np.corrcoef(dust[60:], dust[:-60])[0, 1] > 0.5
        jitter = np.diff(co2[:300], n=2) / np.sqrt(6.0)  # by night
        assert 0.7 * 6.0 < jitter.std() < 1.4 * 6.0


def test_nobody_breathes_there_at_the_weekend_and_it_is_damper_in_summer() -> None:
    for series in measured(600.0, 7.0):
        noons = series.values.reshape(7, 144, 7)[:, 60:96]
        assert noons[:5, :, CO2].mean() > noons[5:, :, CO2].mean() + 150.0
    for cold, warm in zip(measured(600.0, 7.0), measured(600.0, 7.0, JULY), strict=True):
        vapour = [np.mean(s.values[:, HUMIDITY] * saturation_pa(s.values[:, TEMPERATURE])) for s in (cold, warm)]
        assert vapour[1] > 1.5 * vapour[0]
        assert warm.values[:, TEMPERATURE].mean() > cold.values[:, TEMPERATURE].mean()


@pytest.mark.parametrize("period_s", [1.0, 60.0, 300.0])
@pytest.mark.parametrize("room", ["office", "classroom"])
def test_whatever_the_period_all_is_finite_within_range_and_likely(period_s: float, room: str) -> None:
    for series in measured(period_s, min(7.0, 2000 * period_s / TRUE_DAY_S), room=room):
        assert np.isfinite(series.values).all()
        co2, celsius, humidity = series.values[:, :3].T
        assert np.all((co2 > 350.0) & (co2 < 3000.0))
        assert np.all((celsius > 12.0) & (celsius < 30.0))
        assert np.all((humidity > 8.0) & (humidity < 80.0))


def test_people_who_find_the_air_stuffy_open_the_window_but_nobody_does_in_an_empty_room(rooms: AirQuality) -> None:
    somebody_would = np.zeros((4, DEVICES))
    for expected in (0.0, 1.0):
        given = course(rooms, moments(MONDAY, "UTC", TRUE_DAY_S, np.zeros(1)))[0]
        given[[EXPECTED, CLEANS]] = [[expected], [0.0]]
        inputs = Inputs(given, np.zeros((6, DEVICES)), somebody_would, HEALTHY)
        stuffy = AIR_QUALITY.rest(rooms, inputs)._replace(co2=np.full(DEVICES, 1500.0))
        after, _ = step(rooms, stuffy, inputs, 10.0)
        assert np.all((after.window_s > 0.0) == (expected == 1.0))
