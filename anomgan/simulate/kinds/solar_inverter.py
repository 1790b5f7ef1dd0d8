"""Two strings of solar modules, each at its own maximum power point tracker, and the inverter that feeds the grid.

Irradiance is the clear sky's behind clouds that pass; the modules' temperature follows from irradiance and wind; a
string's voltage and current from the single-diode model; AC power from DC power and the inverter's losses, up to what
it is rated for and what its temperature allows. By night everything rests.
Textbook relations: Duffie and Beckman, Solar Engineering of Thermal Processes, chapter 2 (tilted surfaces); Faiman 2008
(module temperature); Schmidt and Sauer 1996 (inverter losses).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import TRUE_DAY_S, Moments, winter
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, substeps, wander, within
from anomgan.simulate.kinds.solar_string import cell, idle_volts, shaded, throttled
from anomgan.simulate.sun import sun

ALBEDO = 0.2
MAX_STEP_S = 60.0
STRING_V = 560.0
"""of a string at the maximum power point under standard test conditions (1000 W/m², 25 °C)"""
CONSTANT_LOSS, LINEAR_LOSS, SQUARE_LOSS = 0.004, 0.012, 0.012
"""of the inverter, as shares of its rated power"""
START, STOP = 0.008, 0.003
"""available power, as a share of the rated one, at which the inverter wakes and goes to sleep"""
CHANGEABLE = 2.0
"""how much the cloud index differs from day to day; the larger, the more days are all blue or all grey"""
EDGE_S = 25.0
"""in which a cloud's edge passes over the modules"""
GRID_CHECK_S = 60.0
"""it watches the grid for so long before it feeds in"""


class SolarSettings(Table):
    """`[devices.settings]` of a solar inverter."""

    latitude_deg: float = Field(48.0, ge=-75, le=75)
    """negative = south"""
    longitude_deg: float = Field(0.0, ge=-180, le=180)
    """negative = west; at 0 the sun stands highest at about 12:00 UTC, an hour earlier for every 15 degrees east"""
    tilt_deg: float = Field(30.0, ge=0, le=90)
    facing_deg: float = Field(180.0, ge=0, le=360)
    """where the modules face: 90 = east, 180 = south, 270 = west"""
    rated_kw: float = Field(10.0, gt=0, le=100)
    """AC power that the inverter does not exceed"""
    dc_ratio: float = Field(1.2, ge=0.5, le=2)
    """peak power of the modules, as a multiple of the rated one"""
    cloudiness: float = Field(0.5, ge=0, le=1)
    """share of the sky that clouds cover, on the average of the year"""
    temperature_c: float = Field(11.0, ge=-20, le=35)
    """of the air, on the average of the year"""


class Solar(NamedTuple):
    """Parameters, each (D,). Angles in radians, power in W, temperatures in °C."""

    latitude: Floats
    longitude: Floats
    tilt: Floats
    facing: Floats
    rated: Floats
    amps_1: Floats
    """current of the first string at the maximum power point under standard test conditions"""
    amps_2: Floats
    volts: Floats
    cloudiness: Floats
    """the cloud index, a normal quantile, whose average cover is that of the settings"""
    temperature: Floats
    warm_season: Floats
    pyranometer: Floats
    """its gain"""
    cooling: Floats
    """W/K that the inverter sheds without its fan"""
    efficiency: Floats
    grid_v: Floats
    grid_rise_v: Floats


class SolarState(NamedTuple):
    """State, each (D,). All but edge and the last four are wanderers of variance 1."""

    cover: Floats
    bank: Floats
    cloud: Floats
    edge: Floats
    warmth: Floats
    breeze: Floats
    grid_fast: Floats
    grid_slow: Floats
    track_1: Floats
    track_2: Floats
    module: Floats
    inverter: Floats
    running: Floats
    light_s: Floats
    """how long there has been light enough to start"""


def parameters(settings: SolarSettings, traits: Floats) -> Solar:
    """One inverter with its two strings per row of traits (D, 11)."""
    t = traits.T
    same = np.ones(len(traits))
    rated = 1000.0 * settings.rated_kw * same
    volts = STRING_V * np.exp(0.03 * t[0])
    amps = 0.5 * settings.dc_ratio * rated / volts * np.exp(0.02 * t[1])
    mean = min(max(settings.cloudiness, 0.01), 0.99)
    return Solar(
        latitude=math.radians(settings.latitude_deg) * same,
        longitude=math.radians(settings.longitude_deg) * same,
        tilt=np.radians(within(settings.tilt_deg + 2.0 * t[2], 0.0, 90.0)),
        facing=np.radians(settings.facing_deg + 4.0 * t[3]),
        rated=rated,
        amps_1=amps * np.exp(0.008 * t[4]),
        amps_2=amps * np.exp(0.008 * t[5]),
        volts=volts,
        # the index wanders around this; the logistic curve stands for the normal distribution's
        cloudiness=math.sqrt(1.0 + CHANGEABLE**2) * math.log(mean / (1.0 - mean)) / 1.702 * same,
        temperature=settings.temperature_c + 0.5 * t[6],
        warm_season=9.5 * min(max(settings.latitude_deg / 45.0, -1.3), 1.3) * same,
        pyranometer=np.exp(0.01 * t[7]),
        cooling=0.028 * rated / 95.0 * np.exp(0.06 * t[8]),
        efficiency=np.exp(0.05 * t[9]),
        grid_v=231.5 + 1.2 * t[10],
        grid_rise_v=3.5 * same,
    )


def course(solar: Solar, when: Moments) -> Floats:
    """(R, 9, D): beam on the modules, what of it passes their glass, beam on level ground and diffuse sky, W/m²; the
    air's temperature on the average of the day, and its swing; the neighbours' load; how fast weather passes; how
    gloomy the season is.
    """
    sky = sun(solar.latitude, solar.longitude, solar.tilt, solar.facing, when)
    facing = np.maximum(sky.incidence, 0.0)
    glass = within(1.0 - 0.05 * (1.0 / np.maximum(facing, 0.02) - 1.0), 0.0, 1.0)
    mean = solar.temperature - solar.warm_season * winter(when)
    hour = 2 * np.pi * when.universal_s[:, None] / when.day_s + solar.longitude
    swing = -5.0 * np.cos(hour - 0.9) - 0.8 * np.cos(2 * hour - 0.6)  # warmest in the afternoon
    day = 2 * np.pi * when.days[:, None]
    load = 0.5 - 0.3 * np.cos(day - 1.2) - 0.25 * np.cos(2 * day - 0.4)
    load = load + 0.2 * (when.weekday < 5)[:, None] * np.maximum(-np.cos(day), 0.0)
    same = np.ones_like(sky.height)
    level = sky.beam * np.maximum(sky.height, 0.0)
    pace = TRUE_DAY_S / when.day_s * same
    beam = sky.beam * facing
    gloom = 0.08 * (solar.temperature - mean)  # winters are overcast more often
    return np.stack([beam, beam * glass, level, sky.diffuse, mean, swing * same, load * same, pace, gloom], axis=1)


def by_day(course: Floats) -> NDArray[np.bool_]:
    """(R, D) whether a clear sky gives enough light to feed in by."""
    return np.asarray(course[:, 2] + course[:, 3] > 100.0)


def fed_in(solar: Solar, dc: Floats) -> Floats:
    """AC power, W, from DC power: the inverse of AC power plus losses."""
    linear, square = 1.0 + LINEAR_LOSS, SQUARE_LOSS * solar.efficiency
    surplus = np.maximum(dc / solar.rated - CONSTANT_LOSS, 0.0)
    return solar.rated * 2.0 * surplus / (linear + np.sqrt(linear**2 + 4.0 * square * surplus))


def taken(solar: Solar, ac: Floats) -> Floats:
    """DC power, W, that the inverter needs for an AC power."""
    share = ac / solar.rated
    return ac + solar.rated * (CONSTANT_LOSS + LINEAR_LOSS * share + SQUARE_LOSS * solar.efficiency * share**2)


def rest(solar: Solar, inputs: Inputs) -> SolarState:
    """Asleep, under a sky drawn for each."""
    zero = np.zeros_like(solar.rated)
    air = inputs.course[4] + inputs.course[5]
    # what changes over days begins where chance says; the rest soon forgets its beginning
    cover, warmth = inputs.shocks[0], inputs.shocks[4]
    return SolarState(
        cover,
        zero,
        zero,
        zero,
        warmth,
        zero,
        zero,
        zero,
        zero,
        zero,
        module=air,
        inverter=air,
        running=zero,
        light_s=zero,
    )


def step(solar: Solar, state: SolarState, inputs: Inputs, period_s: float) -> tuple[SolarState, tuple[Floats, ...]]:
    """One period of the sky, the modules and the inverter; then what perfect sensors show."""
    beam, glazed, level, diffuse, mean, swing, load, pace, gloom = inputs.course
    shading, soiling, fan_failure, disconnect = inputs.faults
    shocks = inputs.shocks
    weather_s = period_s * float(pace[0])
    cover = wander(state.cover, shocks[0], weather_s, 72_000.0)
    bank = wander(state.bank, shocks[1], period_s, 1500.0)
    cloud = wander(state.cloud, shocks[2], period_s, 240.0)
    kept = math.exp(-period_s / EDGE_S)
    edge = kept * state.edge + (1.0 - kept) * cloud  # clouds have soft edges
    warmth = wander(state.warmth, shocks[4], weather_s, 216_000.0)
    breeze = wander(state.breeze, shocks[3], period_s, 900.0)
    fast, slow = wander(state.grid_fast, shocks[5], period_s, 8.0), wander(state.grid_slow, shocks[6], period_s, 600.0)
    track_1, track_2 = wander(state.track_1, shocks[7], period_s, 3.0), wander(state.track_2, shocks[8], period_s, 3.0)
    # the sky: how much of it is covered, and how much of the sun by the cloud that passes
    index = solar.cloudiness + CHANGEABLE * cover + gloom
    covered = 1.0 / (1.0 + np.exp(-1.702 * index))
    behind = 1.0 / (1.0 + np.exp(-7.0 * (0.85 * edge + 0.55 * bank + index)))
    through = 1.0 - behind * (0.8 + 0.19 * covered)
    scattered = level * behind * (0.38 - 0.2 * covered) * np.exp(-0.35 * bank)
    bright = 0.35 * level * covered * (1.0 - covered) * (1.0 - behind)  # what the sunlit sides of clouds send besides
    sky = diffuse * (1.0 + 0.6 * covered - 0.9 * covered * behind) + scattered + bright
    seen_sky = 0.5 * (1.0 + np.cos(solar.tilt)) * sky
    seen_sky = seen_sky + 0.5 * ALBEDO * (1.0 - np.cos(solar.tilt)) * (level * through + sky)
    irradiance = beam * through + seen_sky
    # the modules
    clean = np.exp(-0.16 * soiling)
    light = clean * (glazed * through + 0.95 * seen_sky) / 1000.0
    air = mean + swing * (1.0 - 0.55 * covered) + 3.5 * warmth - 0.3 * bank
    wind = 2.2 * np.exp(0.5 * breeze)
    balance = air + 1000.0 * light / (26.0 + 6.2 * wind) - 3.0 * (1.0 - covered)  # Faiman, and the cold of a clear sky
    module = balance + (state.module - balance) * math.exp(-period_s / 420.0)
    point, shade = cell(light, module), cell(clean * seen_sky * 0.8 / 1000.0, module)
    share_shaded = within(0.35 * shading, 0.0, 0.9)
    volts_1, amps_1 = shaded(point, shade, share_shaded)
    closed = (disconnect <= 0).astype(np.float64)
    # the trackers search around the maximum power point
    offer_1 = solar.volts * volts_1 * solar.amps_1 * amps_1 * (1.0 - 8.0 * (0.005 * track_1) ** 2)
    offer_2 = solar.volts * point.volts * solar.amps_2 * point.amps * (1.0 - 8.0 * (0.005 * track_2) ** 2) * closed
    offer = offer_1 + offer_2
    full_1 = solar.amps_1 * amps_1 * (1.0 - 0.005 * track_1)
    full_2 = solar.amps_2 * point.amps * (1.0 - 0.005 * track_2) * closed
    fan = solar.cooling * 3.5 * (1.0 - 0.95 * np.minimum(fan_failure, 1.0))
    running, light_s, inverter = state.running, state.light_s, state.inverter
    count, dt = substeps(period_s, MAX_STEP_S)
    for _ in range(count):
        light_s = np.where(offer > START * solar.rated, light_s + dt, 0.0)
        wakes, stays = (running == 0) & (light_s > GRID_CHECK_S), (running == 1) & (offer > STOP * solar.rated)
        running = (wakes | stays).astype(np.float64)
        allowed = solar.rated * within(1.0 - (inverter - 70.0) / 30.0, 0.1, 1.0)  # too hot, it holds itself back
        given = running * np.minimum(1.0, taken(solar, allowed) / np.maximum(offer, 1.0))
        dc = given * offer
        ac = fed_in(solar, dc)
        sheds = solar.cooling + fan * within((inverter - 38.0) / 15.0, 0.0, 1.0)
        balance = air + 3.0 + (dc - ac) / sheds
        inverter = balance + (inverter - balance) * np.exp(-dt * sheds / (4500.0 * solar.cooling))
    x = throttled(point, np.maximum(given, 1e-3))
    out_1, out_2 = full_1 * x * running, full_2 * x * running
    idle = solar.volts * idle_volts(point)
    busy = running == 1
    volts_1 = np.where(busy, given * offer_1 / np.maximum(out_1, 1e-9), idle)
    volts_2 = closed * np.where(busy & (closed == 1), given * offer_2 / np.maximum(out_2, 1e-9), idle)
    grid = solar.grid_v - 3.0 * load + 0.35 * fast + 0.8 * slow + solar.grid_rise_v * ac / solar.rated
    shown = (solar.pyranometer * irradiance, air, module, volts_1, out_1, volts_2, out_2, ac / 1000.0, grid, inverter)
    wanderers = (cover, bank, cloud, edge, warmth, breeze, fast, slow, track_1, track_2)
    return SolarState(*wanderers, module, inverter, running, light_s), shown


SOLAR_INVERTER: Kind[SolarSettings, Solar, SolarState] = Kind(
    name="solar_inverter",
    # lively by day only: by night a sensor that sticks shows what it would show anyway
    channels=(
        Channel("irradiance", "W/m²", 1.0, 0.3, 0.0, 1600.0, lively=False),
        Channel("ambient_temperature", "°C", 0.1, 0.08, -50.0, 60.0, bias=0.3, lively=False),
        Channel("module_temperature", "°C", 0.1, 0.08, -50.0, 110.0, bias=0.4, lively=False),
        Channel("dc_voltage_1", "V", 1.0, 0.2, 0.0, 1000.0, lively=False),
        Channel("dc_current_1", "A", 0.05, 0.01, 0.0, 250.0, lively=False),
        Channel("dc_voltage_2", "V", 1.0, 0.2, 0.0, 1000.0, lively=False),
        Channel("dc_current_2", "A", 0.05, 0.01, 0.0, 250.0, lively=False),
        Channel("ac_power", "kW", 0.01, 0.002, 0.0, 150.0, lively=False),
        Channel("grid_voltage", "V", 0.1, 0.1, 0.0, 300.0, bias=0.3),
        Channel("inverter_temperature", "°C", 0.1, 0.06, -50.0, 120.0, bias=0.4, lively=False),
    ),
    process_faults=(
        ProcessFault("partial_shading", ("dc_voltage_1", "dc_current_1", "ac_power"), shows=by_day),
        ProcessFault("soiling", ("dc_current_1", "dc_current_2", "ac_power"), shows=by_day),
        ProcessFault("fan_failure", ("inverter_temperature", "ac_power"), shows=by_day),
        ProcessFault("string_disconnect", ("dc_current_2", "dc_voltage_2", "ac_power"), graded=False, shows=by_day),
    ),
    settings=SolarSettings,
    traits=11,
    shocks=9,
    chances=0,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
    max_step_s=MAX_STEP_S,
)
