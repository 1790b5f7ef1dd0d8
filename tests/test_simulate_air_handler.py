"""An air handler's heat and air balance, and its channels move with hours, seasons and faults as those of real ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from anomgan.config import parse_config
from anomgan.errors import ConfigError
from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, Moments, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.air_handler import AIR_HANDLER, AirHandlerSettings, course, parameters
from anomgan.simulate.kinds.air_handler_plant import (
    CASING_S,
    CHILLED_C,
    COLD_S,
    HOT_S,
    MIXED_S,
    SHED_S,
    SUPPLY_S,
    Air,
    AirHandler,
    AirHandlerState,
    air,
    step,
    weather,
)

DEVICES, HOUR = 4, 60
ZERO = np.zeros(DEVICES)
STILL, HEALTHY = np.zeros((AIR_HANDLER.shocks, DEVICES)), np.zeros((4, DEVICES))
WINTER, SUMMER = datetime(2024, 1, 19, tzinfo=UTC), datetime(2024, 7, 19, tzinfo=UTC)  # Fridays
FAULTS = [fault.name for fault in AIR_HANDLER.process_faults]


def units(**settings: float) -> AirHandler:
    traits = np.random.default_rng(7).standard_normal((DEVICES, AIR_HANDLER.traits))
    return parameters(AirHandlerSettings(**settings), traits)  # type: ignore[arg-type]


def at(day: datetime, *hours: float) -> Moments:
    return moments(day.timestamp(), "UTC", TRUE_DAY_S, np.array(hours) * 3600.0)


def settle(
    unit: AirHandler, when: Moments, seconds: float = 7200.0, period_s: float = 10.0
) -> tuple[AirHandlerState, Inputs, tuple[Floats, ...]]:
    """At one moment of the year without any disturbance."""
    inputs = Inputs(course(unit, when)[0], STILL, np.zeros((0, DEVICES)), HEALTHY)
    state = AIR_HANDLER.rest(unit, inputs)
    for _ in range(int(seconds / period_s)):
        state, seen = step(unit, state, inputs, period_s)
    return state, inputs, seen


def play(start: datetime, hours: float, period_s: float = 60.0, **tables: Any) -> list[TimeSeries]:
    clock = {"start": start, "period_s": period_s, "duration_s": hours * 3600.0, "seed": 3}
    device = {"kind": "air_handler", "name": "air-", "count": DEVICES, "site": "s", "settings": tables.pop("set", {})}
    return simulate(parse_scenario({"clock": clock, "devices": [device], **tables}, "plant.toml"))


def of(series: TimeSeries, channel: str) -> Floats:
    return series.values[:, series.channels.index(channel)]


@pytest.fixture(scope="module")
def winter() -> list[TimeSeries]:
    return play(WINTER, 48)


@pytest.fixture(scope="module")
def summer() -> list[TimeSeries]:
    return play(SUMMER, 48)


def blown_by(unit: AirHandler, state: AirHandlerState, inputs: Inputs, seen: tuple[Floats, ...]) -> Air:
    """The fan's duty; how far the boxes are open follows from flow and pressure."""
    opening = seen[-1] / 3600.0 / unit.flow * np.sqrt(unit.pressure / state.pressure)
    return air(unit, state.speed, opening, inputs.course[6], ZERO, ZERO + 0.01)


@pytest.mark.parametrize("day", [WINTER, SUMMER])
def test_water_and_fan_give_the_air_exactly_the_heat_that_it_carries_off(day: datetime) -> None:
    unit = units(season_k=15.0)
    state, inputs, seen = settle(unit, at(day, 10.0))
    around, blown = weather(unit, ZERO, ZERO, ZERO, inputs), blown_by(unit, state, inputs, seen)
    hot = unit.hot * (30.0**state.heating - 1.0) / 29.0 * (around.hot_water - state.hot_coil)
    cold = unit.chilled * (30.0**state.cooling - 1.0) / 29.0 * (state.cold_coil - CHILLED_C)
    sheds = (HOT_S * (state.hot_coil - around.plant) + COLD_S * (state.cold_coil - around.plant)) / SHED_S
    casing = around.plant + 0.3 * (state.hot_coil + state.cold_coil - 2.0 * around.plant)
    escapes = unit.air_heat * (sheds + SUPPLY_S / CASING_S * (state.supply - casing))
    carried = unit.air_heat * blown.flow * (state.supply - state.mixed)
    np.testing.assert_allclose(carried / unit.air_heat, (hot - cold + blown.shaft - escapes) / unit.air_heat, atol=0.02)
    assert np.all(np.abs(hot - cold) > 0.5 * unit.air_heat)  # there is something to balance


@pytest.mark.parametrize("day", [WINTER, SUMMER])
def test_the_mixing_box_mixes_as_the_damper_stands(day: datetime) -> None:
    unit = units()
    state, inputs, seen = settle(unit, at(day, 13.0))
    around, blown = weather(unit, ZERO, ZERO, ZERO, inputs), blown_by(unit, state, inputs, seen)
    comes_in = blown.flow * (state.damper * around.outside + (1.0 - state.damper) * state.room - state.mixed)
    np.testing.assert_allclose(comes_in, MIXED_S / CASING_S * (state.mixed - around.plant), atol=2e-3)


def test_what_the_rooms_are_given_and_do_not_lose_they_store() -> None:
    unit = units()
    before, inputs, _ = settle(unit, at(WINTER, 8.0), 1800.0)
    around = weather(unit, ZERO, ZERO, ZERO, inputs)
    state, given = before, np.zeros(DEVICES)
    for _ in range(360):
        earlier, (state, seen) = state, step(unit, state, inputs, 5.0)
        room, mass = 0.5 * (earlier.room + state.room), 0.5 * (earlier.mass + state.mass)
        given += 5.0 * unit.air_heat * seen[-1] / 3600.0 / unit.flow * (state.supply - room)
        given += 5.0 * (unit.gains * (0.06 + 0.94 * inputs.course[3]) + around.sun)
        given -= 5.0 * (unit.windows * (room - around.outside) + unit.walls * (mass - around.outside))
    stored = unit.room_heat * (state.room - before.room) + unit.mass * (state.mass - before.mass)
    assert np.all(np.abs(stored) > 1e6)
    np.testing.assert_allclose(stored, given, rtol=0.01)


def test_the_fan_gives_the_pressure_that_filter_coils_and_boxes_take_and_no_more_power_than_it_gets() -> None:
    unit = units()
    for speed in (0.3, 0.6, 1.0):
        blown = air(unit, ZERO + speed, ZERO + 0.7, ZERO + 0.5, ZERO, ZERO)
        np.testing.assert_allclose(blown.rise, unit.inside * blown.flow**2 + blown.filter + blown.duct)
        useful = unit.flow * blown.flow * blown.rise
        assert np.all(useful < unit.efficiency * blown.shaft * 1.0001)
        assert np.all(blown.shaft < blown.electric)
    idle = air(unit, ZERO, ZERO + 0.5, ZERO, ZERO, ZERO)
    assert np.all(idle.flow == 0)
    assert np.all(idle.electric == 25.0)


def test_flow_goes_with_the_speed_and_power_with_nearly_its_cube() -> None:
    half, full = (air(units(), ZERO + speed, ZERO + 0.7, ZERO, ZERO, ZERO) for speed in (0.5, 1.0))
    np.testing.assert_allclose(full.flow / half.flow, 2.0, rtol=0.05)
    np.testing.assert_allclose(np.log2(full.shaft / half.shaft), 3.0, atol=0.1)


def test_where_it_settles_does_not_depend_on_the_sampling_period() -> None:
    unit = units()
    settled = [settle(unit, at(WINTER, 13.0), 7200.0, period_s)[2] for period_s in (1.0, 10.0, 300.0)]
    for other in settled[1:]:
        np.testing.assert_allclose(np.array(other), np.array(settled[0]), rtol=0.01, atol=0.1)


def test_the_fan_runs_in_the_hours_of_weekdays_and_the_building_rests_at_night_and_on_saturday(
    summer: list[TimeSeries],
) -> None:
    for series in summer:
        runs = of(series, "supply_flow") > 100.0
        hours = np.flatnonzero(runs) / HOUR
        assert 5.0 < hours[0] < 7.0
        assert 18.0 < hours[-1] < 20.0
        assert runs[7 * HOUR : 18 * HOUR].all()
        off = ~runs[21 * HOUR :]
        assert off.all()
        for valve in ("heating_valve", "cooling_valve", "outside_damper", "fan_speed"):
            assert of(series, valve)[21 * HOUR :].max() <= 0.2


def test_people_come_on_weekdays_leave_for_lunch_and_go_home() -> None:
    week = at(datetime(2024, 1, 15, tzinfo=UTC), *np.arange(0.0, 168.0, 0.25))
    people = course(units(), week)[:, 3].reshape(7, 96, DEVICES)
    assert np.all(people[:5, 40:46] > 0.75)
    assert np.all(people[:5, 50] < people[:5, 44] - 0.1)
    assert np.all(people[4, 44] < people[3, 44])
    assert np.all(people[:, :26] == 0)
    assert np.all(people[5:] == 0)


def test_the_first_hour_is_on_the_rooms_own_air_and_one_that_never_stops_has_none() -> None:
    hours = at(WINTER, *np.arange(0.0, 24.0, 0.5))
    runs, fresh = course(units(), hours)[:, 4:6].transpose(1, 0, 2)
    assert np.all(runs.sum(axis=0) - fresh.sum(axis=0) == 2.0)
    assert np.all(course(units(start_h=0.0, stop_h=24.0), hours)[:, 4:6] == 1.0)


def test_in_winter_it_heats_and_in_summer_it_cools(winter: list[TimeSeries], summer: list[TimeSeries]) -> None:
    day = slice(8 * HOUR, 18 * HOUR)
    for cold, warm in zip(winter, summer, strict=True):
        assert of(cold, "outside_temperature").mean() < of(warm, "outside_temperature").mean() - 12.0
        assert of(cold, "heating_valve")[day].mean() > 10.0
        assert of(cold, "cooling_valve")[day].mean() < 2.0
        assert of(warm, "heating_valve")[day].max() < 1.0
        assert of(warm, "cooling_valve")[day].mean() > 30.0
        assert of(cold, "supply_temperature")[day].mean() > of(warm, "supply_temperature")[day].mean() + 3.0
        for series in (cold, warm):
            assert np.abs(of(series, "return_temperature")[day] - 22.0).max() < 2.0


def test_it_takes_in_outside_air_for_cooling_only_where_that_is_colder_than_the_rooms() -> None:
    unit = units()
    for year_day, damper in ((at(datetime(2024, 5, 15, tzinfo=UTC), 13.0), 0.9), (at(SUMMER, 15.0), 0.0)):
        hot = unit._replace(mean_c=unit.mean_c + (5.0 if damper == 0 else 0.0))
        state, _, _ = settle(hot, year_day, 4 * 3600.0)
        assert np.all(state.damper > damper) if damper else np.all(np.abs(state.damper - unit.fresh) < 1e-6)


def test_out_of_hours_rooms_that_get_too_cold_are_warmed_on_their_own_air() -> None:
    saturday = datetime(2024, 1, 20, tzinfo=UTC)
    for series in play(saturday, 30, set={"mean_c": -5.0, "night_c": 19.0}):
        runs = of(series, "fan_speed") > 10.0
        assert 0.02 < runs.mean() < 0.9
        assert 2 <= np.sum(np.diff(runs.astype(int)) == 1) <= 60
        assert of(series, "outside_damper").max() == 0
        assert of(series, "return_temperature").min() > 15.0


def test_channels_move_together_as_physics_says(summer: list[TimeSeries]) -> None:
    for series in summer:
        cut = slice(8 * HOUR, 18 * HOUR)
        for one, other, least in (
            ("supply_flow", "fan_speed", 0.9),
            ("supply_flow", "filter_pressure", 0.95),
            ("fan_speed", "fan_power", 0.95),
            ("outside_temperature", "mixed_temperature", 0.4),
        ):
            assert np.corrcoef(of(series, one)[cut], of(series, other)[cut])[0, 1] > least, (one, other)
        assert np.abs(of(series, "supply_pressure")[cut].mean() - 250.0) < 45.0
        outside, back, mixed = (of(series, f"{name}_temperature")[cut] for name in ("outside", "return", "mixed"))
        between = (mixed > np.minimum(outside, back) - 0.8) & (mixed < np.maximum(outside, back) + 0.8)
        assert between.mean() > 0.98


def test_weather_lasts_for_hours_the_pressure_jitters_within_seconds_and_steps_and_noise_show() -> None:
    def lagged(values: Floats, lag: int) -> float:
        return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])

    for series in play(datetime(2024, 1, 19, 10, tzinfo=UTC), 1.0, period_s=1.0):
        assert lagged(of(series, "supply_pressure"), 1) > 0.2
        assert abs(lagged(of(series, "supply_pressure"), 60)) < 0.35
        assert lagged(of(series, "fan_speed"), 5) > 0.9
        for index, channel in enumerate(AIR_HANDLER.channels):
            steps = series.values[:, index] / channel.resolution
            np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
        for name in ("outside_temperature", "return_temperature", "mixed_temperature"):
            jitter = np.diff(of(series, name), n=2).std() / np.sqrt(6.0)
            assert 0.03 < jitter < 0.1
    for series in play(WINTER, 24):
        assert lagged(of(series, "outside_temperature"), 60) > 0.8


@pytest.fixture(scope="module")
def failing() -> dict[str, tuple[list[TimeSeries], list[TimeSeries]]]:
    """One fault per device from 9 to 13 o'clock, and the same devices in good health, per season."""
    faults = [
        {"device": f"air-{1 + index}", "kind": kind, "start_s": 14_400.0, "end_s": 28_800.0, "ramp_s": 300.0}
        for index, kind in enumerate(FAULTS)
    ]
    seasons = {name: day + timedelta(hours=5) for name, day in (("winter", WINTER), ("summer", SUMMER))}
    return {name: (play(start, 13), play(start, 13, faults=faults)) for name, start in seasons.items()}


SHOWS = [  # fault, season, channel, by how much at least
    ("filter_fouling", "winter", "filter_pressure", 40.0),
    ("filter_fouling", "winter", "fan_speed", 3.0),
    ("filter_fouling", "summer", "fan_power", 0.2),
    ("belt_slip", "winter", "fan_speed", 8.0),
    ("belt_slip", "summer", "fan_speed", 4.0),
    ("belt_slip", "winter", "fan_power", 0.2),
    ("heating_valve_leak", "winter", "heating_valve", -15.0),
    ("heating_valve_leak", "summer", "cooling_valve", 3.0),
    ("cooling_valve_stuck", "winter", "heating_valve", 20.0),
]


@pytest.mark.parametrize(("kind", "season", "channel", "least"), SHOWS)
def test_a_fault_shows_where_it_says_and_passes(
    failing: dict[str, tuple[list[TimeSeries], list[TimeSeries]]], kind: str, season: str, channel: str, least: float
) -> None:
    healthy, faulty = (series[FAULTS.index(kind)] for series in failing[season])
    change = of(faulty, channel) - of(healthy, channel)
    assert not change[: 4 * HOUR].any()
    during, after = change[5 * HOUR : 8 * HOUR].mean(), change[12 * HOUR :].mean()
    assert during * np.sign(least) > abs(least)
    assert abs(after) < 0.2 * abs(during)
    assert faulty.labels.sum() == 4 * HOUR


def test_every_fault_is_tried_in_the_channel_that_it_names_first() -> None:
    first = {(fault.name, fault.channels[0]) for fault in AIR_HANDLER.process_faults}
    assert first <= {(kind, channel) for kind, _, channel, _ in SHOWS}


def test_a_belt_that_slips_turns_the_motor_faster_than_the_fan() -> None:
    unit = units()
    tight, slipping = (air(unit, ZERO + 0.8, ZERO + 0.6, ZERO, ZERO, ZERO + slip) for slip in (0.01, 0.2))
    assert np.all(slipping.flow < 0.85 * tight.flow)
    assert np.all(slipping.duct < 0.7 * tight.duct)
    assert np.all(slipping.electric < tight.electric)  # at the same speed it moves less air


@pytest.mark.parametrize("period_s", [1.0, 7.0, 60.0, 300.0])
def test_it_is_stable_and_within_its_sensors_range_at_any_period(period_s: float) -> None:
    start = datetime(2024, 1, 19, 9, tzinfo=UTC)
    for series in play(
        start, 1.0, period_s, random_faults={"kinds": FAULTS, "spacing_s": [400.0, 500.0], "quiet_s": 0.0}
    ):
        assert np.isfinite(series.values).all()
        assert 200.0 < of(series, "supply_pressure").mean() < 300.0
        assert 20.0 < of(series, "return_temperature").mean() < 24.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"start_h": 20.0, "stop_h": 6.0}, "start_h .* is not before stop_h"), ({"night_c": 21.0}, "2 K below room_c")],
)
def test_hours_and_temperatures_that_contradict_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(AirHandlerSettings, settings, "plant.toml")
