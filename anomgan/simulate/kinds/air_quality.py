"""An air-quality node on battery in an office or a classroom: people, ventilation, weather, radio.

Carbon dioxide, water, fine dust and volatile compounds each keep a mass balance of one well-mixed room: what people and
the street bring in, what the air change carries off. The room's heat balance has people, heater, walls and fresh air.
The relative humidity is that of the room's water at the temperature inside the sensor's box (Magnus). The battery's
voltage follows its charge, its temperature and the radio's current through its inner resistance.
Textbook relations: Persily and de Jonge, Carbon dioxide generation rates for building occupants, Indoor Air 27 (2017);
ISO 7730 for heat and moisture given off.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import TRUE_DAY_S, Moments, between, winter
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, substeps, wander, within
from anomgan.simulate.moist_air import relative_humidity, saturated_air

MAX_STEP_S = 100.0
HOUR_S = 3600.0
AIR_HEAT = 1.2 * 1006.0
"""J/(m³ K)"""
OUTSIDE_CO2 = 425.0
BREATH_M3S = 5.2e-6
"""carbon dioxide that somebody sitting breathes out"""
SWEAT_KGS = 1.4e-5
BODY_W = 75.0
LEAKS = 0.2
"""air changes per hour through gaps, with everything closed"""
WINDOW = 5.0
"""air changes per hour through an open window when it is 10 K colder outside"""
STUFFY_PPM = 1200.0
SETTLES = 0.3
"""1/h by which fine dust falls on surfaces"""
SORBED = 0.8
"""1/h by which carpets and walls take up volatile compounds"""
FILTER = 0.45
"""share of the dust that passes the ventilation's filter"""
DUST_GETS_IN = 0.8
"""share of it that passes gaps and windows"""


class AirQualitySettings(Table):
    """`[devices.settings]` of an air-quality node."""

    room: Literal["office", "classroom"] = "office"
    people: int = Field(6, ge=1, le=200)
    """in the room when all are there"""
    volume_m3: float = Field(120.0, ge=10, le=10_000)
    air_changes_per_hour: float = Field(1.5, ge=0, le=20)
    """by the ventilation, which runs on working days from six to nineteen o'clock"""
    battery_days: float = Field(500.0, gt=0)
    """how long a new battery lasts; a spent one is replaced"""
    southern: bool = False
    """south of the equator winter is in July"""


class AirQuality(NamedTuple):
    """Parameters, each (D,). m³, 1/h, W, W/K, J/K, °C, V, dBm, s."""

    classroom: Floats
    people: Floats
    volume: Floats
    ventilation: Floats
    leaks: Floats
    clock_h: Floats
    hemisphere: Floats
    walls: Floats
    heat: Floats
    set_point: Floats
    sun: Floats
    off_gassing: Floats
    dust: Floats
    traffic: Floats
    charge: Floats
    drain: Floats
    fresh_v: Floats
    resistance: Floats
    signal: Floats
    lag_s: Floats


class AirQualityState(NamedTuple):
    """State, each (D,). Water in kg per kg of air, compounds in arbitrary units, dust in µg/m³, charge 0 to 1."""

    co2: Floats
    air: Floats
    water: Floats
    dust: Floats
    compounds: Floats
    usual: Floats
    """the logarithm of the compounds, averaged over a day: what the index takes for normal"""
    box: Floats
    charge: Floats
    window_s: Floats
    """how long the window stays open"""
    cleaning_s: Floats
    """how long the cleaners stay"""
    crowd: Floats
    weather: Floats
    damp: Floats
    haze: Floats
    fading: Floats
    pulse: Floats


def parameters(settings: AirQualitySettings, traits: Floats) -> AirQuality:
    """One room with its node per row of traits (D, 17)."""
    t = traits.T
    volume = settings.volume_m3 * np.exp(0.15 * t[0])
    return AirQuality(
        classroom=np.full(len(traits), float(settings.room == "classroom")),
        people=np.maximum(1.0, np.rint(settings.people * np.exp(0.1 * t[1]))),
        volume=volume,
        ventilation=settings.air_changes_per_hour * np.exp(0.12 * t[2]),
        leaks=LEAKS * np.exp(0.2 * t[3]),
        clock_h=0.25 * t[4],
        hemisphere=np.full(len(traits), -1.0 if settings.southern else 1.0),
        walls=0.45 * volume * np.exp(0.15 * t[5]),
        heat=45.0 * AIR_HEAT * volume * np.exp(0.1 * t[6]),
        set_point=21.5 + 0.6 * t[7],
        sun=3.0 * volume * np.exp(0.3 * t[8]),
        off_gassing=1.0 * np.exp(0.3 * t[9]),
        dust=9.0 * np.exp(0.25 * t[10]),
        traffic=5.0 * np.exp(0.4 * t[11]),
        charge=within(0.62 + 0.2 * t[12], 0.15, 1.0),
        drain=1.0 / (settings.battery_days * TRUE_DAY_S) * np.exp(0.1 * t[13]),
        fresh_v=3.05 + 0.015 * t[14],
        resistance=1.3 * np.exp(0.15 * t[15]),
        signal=-74.0 + 8.0 * t[16],
        lag_s=240.0 * np.ones(len(traits)),
    )


def course(node: AirQuality, when: Moments) -> Floats:
    """(R, 9, D): the share of people that is expected, ventilation 0 to 1, °C outside on average and the day's part of
    it, sun 0 to 1, traffic, dustiness of the season, heating 0 to 1, how often per second the cleaners come.
    """
    hour = when.days[:, None] % 1.0 * 24.0
    own = np.asarray((hour - node.clock_h) % 24.0)  # (R, D)
    works = (when.weekday < 5)[:, None].astype(np.float64)
    office = between(own, 8.4, 17.2, 0.35) * (1.0 - 0.6 * between(own, 12.1, 13.0, 0.1)) * 0.85
    lesson = np.asarray((own - 8.0) % 1.0)  # three quarters of each hour; the long break is at noon
    school = (
        between(own, 8.0, 14.8, 0.03) * (0.15 + 0.82 * (lesson < 0.75)) * (1.0 - 0.9 * between(own, 11.7, 12.95, 0.05))
    )
    expected = works * np.where(node.classroom == 1.0, school, office)
    runs = works * between(hour, 6.0, 19.0, 0.02)
    cold = node.hemisphere * winter(when)
    climate = 10.0 - 9.0 * cold
    daily = -(3.2 - 1.5 * cold) * np.cos(2 * np.pi * (hour - 3.5) / 24.0)
    sun = np.maximum(-np.cos(2 * np.pi * hour / 24.0) - 0.25 * cold, 0.0) * (0.65 - 0.3 * cold)
    rush = between(hour, 6.8, 9.0, 0.4) + 0.8 * between(hour, 15.8, 18.5, 0.5)
    traffic = np.where(works == 1.0, 0.15 + rush, 0.25 + 0.3 * between(hour, 10.0, 20.0, 1.0))
    heats = 0.75 + 0.25 * between(own, 4.5, 18.5, 0.1) * works
    cleans = works * between(own, 17.6, 20.4, 0.2) * 0.45 / HOUR_S
    lines = (expected, runs, climate, daily, sun, traffic, 1.0 + 0.35 * cold, heats, cleans)
    return np.stack([np.broadcast_to(line, own.shape) for line in lines], axis=1)


def ventilated(course: Floats) -> NDArray[np.bool_]:
    """(R, D) whether the ventilation runs."""
    return np.asarray(course[:, 1] > 0.5)


def voltage(node: AirQuality, charge: Floats, celsius: Floats, current: Floats, failing: Floats) -> Floats:
    """The battery's voltage under a current in A: it falls slowly, then quickly; cold raises the inner resistance."""
    empty = 1.0 - charge
    source = node.fresh_v - 0.22 * empty - 0.45 * np.exp(-charge / 0.05) + 0.0012 * (celsius - 20.0)
    resistance = node.resistance * np.exp(-0.035 * (celsius - 20.0)) * (1.0 + 1.5 * empty)
    return source - 0.45 * failing - current * resistance * (1.0 + 5.0 * failing)


def rest(node: AirQuality, inputs: Inputs) -> AirQualityState:
    """An empty room, closed and aired out; the battery as old as it is."""
    zero = np.zeros_like(node.volume)
    outside = inputs.course[2] + inputs.course[3]
    air = np.maximum(node.set_point - 1.5, outside + 2.0)
    return AirQualityState(
        co2=OUTSIDE_CO2 + 30.0 + zero,
        air=air,
        water=0.75 * saturated_air(outside),
        dust=0.5 * node.dust,
        compounds=node.off_gassing / (SORBED + LEAKS),
        usual=np.log(1.2 * node.off_gassing / (SORBED + LEAKS)),
        box=air,
        charge=node.charge,
        **dict.fromkeys(("window_s", "cleaning_s", "crowd", "weather", "damp", "haze", "fading", "pulse"), zero),
    )


def approach(value: Floats, goal: Floats, per_hour: Floats, dt: float) -> Floats:
    """One exact step of a balance whose losses go with the value."""
    return np.asarray(goal + (value - goal) * np.exp(-per_hour * (dt / HOUR_S)))


def step(
    node: AirQuality, state: AirQualityState, inputs: Inputs, period_s: float
) -> tuple[AirQualityState, tuple[Floats, ...]]:
    """One period of the room, its people and the node; then what perfect sensors show."""
    expected, runs, climate, daily, sun, traffic, season, heats, cleans = inputs.course
    blocked, left_open, failing, heated = inputs.faults
    crowd = wander(state.crowd, inputs.shocks[0], period_s, 1500.0)
    weather = wander(state.weather, inputs.shocks[1], period_s, 2 * TRUE_DAY_S)
    damp = wander(state.damp, inputs.shocks[2], period_s, TRUE_DAY_S)
    haze = wander(state.haze, inputs.shocks[3], period_s, TRUE_DAY_S / 2)
    fading = wander(state.fading, inputs.shocks[4], period_s, 900.0)
    pulse = wander(state.pulse, inputs.shocks[5], period_s, 30.0)
    outside = climate + daily + 3.0 * weather
    # the water in the air hardly changes from day to night, but some falls as dew
    outside_water = np.minimum((0.76 + 0.1 * damp) * saturated_air(climate + 3.0 * weather), saturated_air(outside))
    outside_dust = (node.dust * season + node.traffic * traffic) * np.exp(0.45 * haze - 0.1)
    spread = np.sqrt(np.maximum(node.people * expected * (1.0 - expected), 0.0))
    people = within(np.rint(node.people * expected + spread * crowd), 0.0, node.people)
    # who finds the air stuffy may open the window, for some minutes; when it is cold for fewer
    stuffy = (people > 0.0) & (state.co2 > STUFFY_PPM) & (state.window_s <= 0.0)
    opens = stuffy & (inputs.chances[0] < 1.0 - math.exp(-period_s / 1200.0))
    mild = within((outside + 5.0) / 20.0, 0.2, 1.0)
    window_s = np.where(opens, (300.0 + 900.0 * inputs.chances[1]) * mild, state.window_s)
    comes = (state.cleaning_s <= 0.0) & (inputs.chances[2] < 1.0 - np.exp(-cleans * period_s))
    cleaning_s = np.where(comes, 400.0 + 900.0 * inputs.chances[3], state.cleaning_s)
    fresh = runs * node.ventilation * within(1.0 - blocked, 0.0, 1.0)
    leaks = node.leaks * (1.0 + 0.2 * weather**2)
    count, dt = substeps(period_s, MAX_STEP_S)
    co2, air, water, dust, compounds, usual, box = state[:7]
    for _ in range(count):
        # the colder it is outside, the more goes through an open window
        draught = WINDOW * np.sqrt(0.3 + np.abs(air - outside) / 10.0) * (1.0 * (window_s > 0.0) + 1.5 * left_open)
        wipes = np.minimum(cleaning_s / dt, 1.0)
        window_s, cleaning_s = np.maximum(window_s - dt, 0.0), np.maximum(cleaning_s - dt, 0.0)
        natural = leaks + draught
        exchange = natural + fresh  # 1/h
        source = people * HOUR_S / node.volume  # per m³ and hour
        co2 = approach(co2, OUTSIDE_CO2 + source * BREATH_M3S * 1e6 / exchange, exchange, dt)
        water = approach(water, outside_water + source * SWEAT_KGS / 1.2 / exchange, exchange, dt)
        water = np.minimum(water, saturated_air(air))
        gets_in = (DUST_GETS_IN * natural + FILTER * fresh) * outside_dust
        dust_goes = exchange + SETTLES
        dust = approach(dust, (gets_in + 0.02 * source) / dust_goes, dust_goes, dt)
        emits = node.off_gassing * np.exp(0.04 * (air - 21.0)) + 70.0 * people / node.volume + 14.0 * wipes
        compounds = approach(compounds, emits / (exchange + SORBED), exchange + SORBED, dt)
        usual = approach(usual, np.log(compounds), np.full_like(usual, 1.0 / 24.0), dt)
        # the ventilation recovers heat; a thermostat holds the room's temperature, lower by night
        warms = within(25.0 * node.volume * (node.set_point - 6.0 * (1.0 - heats) - air), 0.0, 45.0 * node.volume)
        sheds = node.walls + AIR_HEAT * node.volume / HOUR_S * (natural + 0.25 * fresh)
        gains = BODY_W * people + node.sun * sun + warms
        air = approach(air, outside + gains / sheds, sheds / node.heat * HOUR_S, dt)
        box = approach(box, air + 7.0 * heated, HOUR_S / node.lag_s, dt)
    charge = state.charge - node.drain * period_s * (1.0 + 3.0 * failing)
    charge = np.where(charge < 0.06, 1.0, charge)  # its battery is replaced
    volts = voltage(node, charge, box, 0.030 * np.exp(0.15 * pulse), failing)
    index = 500.0 / (1.0 + 4.0 * np.exp(-1.6 * (np.log(compounds) - usual)))
    # people stand in the way of the radio, and a weak battery feeds it badly
    signal = node.signal + 1.6 * fading - 0.35 * people - 25.0 * np.maximum(2.5 - volts, 0.0)
    seen = (co2, box, relative_humidity(water, box), dust, index, volts, signal)
    room = (co2, air, water, dust, compounds, usual, box, charge, window_s, cleaning_s)
    return AirQualityState(*room, crowd, weather, damp, haze, fading, pulse), seen


AIR_QUALITY: Kind[AirQualitySettings, AirQuality, AirQualityState] = Kind(
    name="air_quality",
    channels=(
        Channel("co2", "ppm", 1.0, 6.0, 0.0, 5_000.0, bias=15.0),
        Channel("temperature", "°C", 0.01, 0.03, -40.0, 85.0, bias=0.15, lively=False),
        Channel("humidity", "%", 0.1, 0.12, 0.0, 100.0, bias=1.0, lively=False),
        Channel("pm25", "µg/m³", 0.1, 0.5, 0.0, 1_000.0, bias=0.3),
        Channel("voc_index", "", 1.0, 1.5, 1.0, 500.0),
        Channel("battery_voltage", "V", 0.001, 0.002, 0.0, 4.0),
        Channel("signal", "dBm", 1.0, 1.6, -125.0, -20.0),
    ),
    process_faults=(
        ProcessFault("ventilation_blocked", ("co2", "voc_index", "humidity"), least_s=3600.0, shows=ventilated),
        ProcessFault("window_left_open", ("temperature", "humidity", "co2", "pm25"), least_s=1200.0),
        ProcessFault("battery_failing", ("battery_voltage", "signal")),
        ProcessFault("sensor_heated", ("temperature", "humidity"), least_s=1200.0),
    ),
    settings=AirQualitySettings,
    traits=17,
    shocks=6,
    chances=4,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
    max_step_s=MAX_STEP_S,
)
