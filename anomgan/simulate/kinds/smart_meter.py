"""A household's electricity meter: appliances that switch, a line that gives way under load, a register that counts.

Resistive loads take power with the square of the voltage, the others a constant one; motors draw inductive, power
supplies and lamps capacitive reactive power (of the fundamental: there are no harmonics, so S² = P² + Q²). The voltage
is the street's less the drop over the line; the register is the integral of the active power. All meters share one
mains frequency. Appliances after Richardson et al., Domestic electricity use, Energy and Buildings 42 (2010).
"""

import math
from typing import NamedTuple

import numpy as np
from pydantic import Field

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import YEAR_DAYS, Moments, between, winter
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, substeps, wander, within

MAX_STEP_S = 15.0
KWH = 3.6e6
ROLLOVER_KWH = 1e6
"""the register has six digits before the point"""
LASTS_S = (170.0, 2100.0, 6300.0, 7200.0)
"""how long kettle, hob, washing machine and screens run, on average"""
KETTLE, HOB, WASHER, SCREEN = range(4)
ROOMS = 4
ROOM_STAYS_S = 1500.0
"""how long a lamp stays as it is"""
FRIDGE_TIME_S = 4 * 3600.0
"""in which a fridge without its compressor warms up"""
FRIDGE_STARTS_C, FRIDGE_STOPS_C = 6.25, 3.75


class SmartMeterSettings(Table):
    """`[devices.settings]` of a smart meter."""

    persons: int = Field(3, ge=1, le=12)
    """in the household; they cook, boil water and light their rooms"""
    base_w: float = Field(90.0, ge=10, le=2000)
    """what is never switched off"""
    washes_per_week: float = Field(4.0, ge=0, le=30)
    grid_v: float = Field(230.0, gt=50, le=300)
    grid_hz: float = Field(50.0, ge=45, le=65)
    latitude_deg: float = Field(50.0, ge=-65, le=65)
    """how long the days are in summer and winter, for lighting"""


class SmartMeter(NamedTuple):
    """Parameters, each (D,). W, V, ohm, hours, K."""

    persons: Floats
    base: Floats
    washes: Floats
    grid_v: Floats
    grid_hz: Floats
    latitude: Floats
    resistance: Floats
    reactance: Floats
    clock_h: Floats
    """by how much they live later than others"""
    stays_home: Floats
    """the share of working days on which somebody is in"""
    kettle: Floats
    hob: Floats
    washer: Floats
    screen: Floats
    lamps: Floats
    """one room's"""
    fridge: Floats
    fridge_reach: Floats
    """by how many K the compressor, running without end, would cool the fridge below the room"""
    fridge_phase: Floats
    register: Floats
    """where it stood when the run began, kWh"""


class SmartMeterState(NamedTuple):
    """State: left_s and lasts_s (4, D) of the appliances that run, lit (ROOMS, D) 0 or 1; the others (D,)."""

    left_s: Floats
    lasts_s: Floats
    lit: Floats
    fridge: Floats
    compressor: Floats
    """0 or 1"""
    since_s: Floats
    """since it started or stopped"""
    heater: Floats
    """what somebody left on, W"""
    street: Floats
    flicker: Floats
    neighbours: Floats
    idle: Floats
    register: Floats


class Load(NamedTuple):
    """What is switched on, (K, D) each: W at the grid's voltage."""

    resistive: Floats
    motor: Floats
    electronic: Floats


def parameters(settings: SmartMeterSettings, traits: Floats) -> SmartMeter:
    """One household per row of traits (D, 16)."""
    t = traits.T
    same = np.ones(len(traits))
    return SmartMeter(
        persons=settings.persons * np.exp(0.2 * t[0]),
        base=settings.base_w * np.exp(0.2 * t[1]),
        washes=settings.washes_per_week * np.exp(0.2 * t[2]),
        grid_v=settings.grid_v + 0.008 * settings.grid_v * t[3],
        grid_hz=settings.grid_hz * same,
        latitude=np.radians(settings.latitude_deg) * same,
        resistance=0.28 * np.exp(0.25 * t[4]),
        reactance=0.10 * np.exp(0.25 * t[4]),
        clock_h=0.5 * t[5],
        stays_home=1.0 / (1.0 + np.exp(0.7 - 1.2 * t[6])),
        kettle=2100.0 * np.exp(0.08 * t[7]),
        hob=1800.0 * np.exp(0.1 * t[8]),
        washer=2000.0 * np.exp(0.06 * t[9]),
        screen=130.0 * np.exp(0.3 * t[10]),
        lamps=38.0 * np.exp(0.3 * t[11]),
        fridge=80.0 * np.exp(0.15 * t[12]),
        fridge_reach=48.0 * np.exp(0.08 * t[13]),
        fridge_phase=t[14] % 1.0,
        register=9000.0 * np.exp(0.6 * t[15]),
    )


def sunshine(meter: SmartMeter, hour: Floats, year: Floats) -> Floats:
    """(R, D) the sine of the sun's elevation, negative by night; hour (R, D), noon is at 12:30."""
    declination = -0.409 * np.cos(2 * np.pi * (year + 10.0 / YEAR_DAYS))
    turn = 2 * np.pi * (hour - 12.5) / 24.0
    height = np.sin(meter.latitude) * np.sin(declination)
    return np.asarray(height + np.cos(meter.latitude) * np.cos(declination) * np.cos(turn))


def mains(when: Moments) -> Floats:
    """(R,) by what share the mains frequency is off, the same for all: slow swings, quick ones, and the jumps at the
    full hour when power stations change their schedules.
    """
    seconds = when.year * YEAR_DAYS * when.day_s
    index = np.arange(28.0)
    spans_s = 11.0 * 1.263**index  # 11 s to 1.7 h, none a multiple of another
    waves = np.sin(2 * np.pi * (seconds[:, None] / spans_s + (index * 0.618034) % 1.0))  # (R, 28)
    since_hour_s = when.clock_s % 3600.0
    jump = np.where((when.clock_s // 3600.0) % 2 == 0, 1.0, -1.0) * np.exp(-since_hour_s / 420.0)
    return np.asarray(1.2e-4 * (waves @ np.minimum(spans_s / 200.0, 1.0)) + 4e-4 * jump)


def course(meter: SmartMeter, when: Moments) -> Floats:
    """(R, 8, D): starts per second of kettle, hob, washing machine and screens; the share of rooms that are lit, how
    low the street's voltage is, the frequency, the kitchen's warmth.
    """
    hour = when.days[:, None] % 1.0 * 24.0
    own = np.asarray((hour - meter.clock_h) % 24.0)  # (R, D)
    off = (when.weekday >= 5)[:, None]
    awake = np.where(off, between(own, 8.3, 23.6, 0.3), between(own, 6.5, 22.9, 0.25))
    away = np.where(off, 0.25, 1.0 - meter.stays_home) * between(own, 8.2, 16.8, 0.4)
    home = awake * (1.0 - 0.9 * away)
    breakfast = np.where(off, between(own, 8.7, 10.5, 0.3), between(own, 6.7, 7.9, 0.2))
    noon, evening = between(own, 11.8, 13.2, 0.25), between(own, 17.8, 19.8, 0.3)
    share = np.sqrt(meter.persons / 3.0)
    kettle = share * home * (0.3 + 1.2 * breakfast)
    hob = share * home * (0.02 + 0.45 * noon + 0.75 * evening)
    washes = (
        meter.washes / 130.0 * between(own, 8.0, 21.0, 0.3) * np.where(off, 2.5, 1.0)
    )  # 13 h: 5 days, 2 counted 2.5
    screen = home * (0.1 + 0.9 * between(own, 18.5, 23.0, 0.5))
    year = when.year[:, None]
    dark = 1.0 / (1.0 + np.exp((sunshine(meter, hour, year) - 0.07) / 0.04))
    lit = home * (0.03 + 0.6 * dark) + 0.02
    shape = (
        0.8 * between(hour, 17.5, 22.0, 0.7) + 0.4 * between(hour, 6.5, 9.0, 0.5) - 0.5 * between(hour, 0.5, 5.5, 0.8)
    )
    season = winter(when, 0.05) * np.sign(meter.latitude + 1e-9)
    slack = shape + 0.3 * season + np.where(off, -0.1, 0.0)
    frequency = meter.grid_hz * (1.0 + mains(when)[:, None])
    kitchen = 21.0 - 2.0 * season + 0.7 * evening
    lines = (*(rate / 3600.0 for rate in (kettle, hob, washes, screen)), lit, slack, frequency, kitchen)
    return np.stack([np.broadcast_to(line, own.shape) for line in lines], axis=1)


def loads(meter: SmartMeter, on: Floats, age_s: Floats, lasts_s: Floats) -> Load:
    """What the four appliances take, age_s after their start (4, K, D); `on` says which run."""
    through = age_s[WASHER] / lasts_s[WASHER]
    boils = on[KETTLE] * meter.kettle
    # the hob heats up, then its thermostat switches; the drum turns one way, rests, turns the other way, and spins
    cooks = on[HOB] * meter.hob * ((age_s[HOB] < 300.0) | (age_s[HOB] % 47.0 < 17.0))
    heats = on[WASHER] * meter.washer * ((through > 0.06) & (through < 0.26))
    spins = through > 0.86
    turns = np.where(spins, 0.09 + 0.11 * (through - 0.86) / 0.14, 0.07 * (age_s[WASHER] % 19.0 < 13.0))
    return Load(boils + cooks + heats, on[WASHER] * meter.washer * turns, on[SCREEN] * meter.screen)


def draw(meter: SmartMeter, load: Load, street: Floats, neutral: Floats) -> tuple[Floats, Floats, Floats]:
    """Voltage, W and var (K, D) at a street voltage (D,), behind `neutral` ohms (D,) too many."""
    voltage = np.broadcast_to(street, load.resistive.shape)
    reactive = 1.15 * load.motor - 0.30 * load.electronic
    for _ in range(4):  # each round is ten times as exact as the one before
        active = load.resistive * (voltage / meter.grid_v) ** 2 + load.motor + load.electronic
        voltage = street - ((meter.resistance + neutral) * active + meter.reactance * reactive) / voltage
    active = load.resistive * (voltage / meter.grid_v) ** 2 + load.motor + load.electronic
    return voltage, active, reactive


def rest(meter: SmartMeter, inputs: Inputs) -> SmartMeterState:
    """Nothing runs but the fridge, which is somewhere in its cycle."""
    zero = np.zeros_like(meter.base)
    nothing, dark = np.zeros((4, len(zero))), np.zeros((ROOMS, len(zero)))
    cold = FRIDGE_STOPS_C + (FRIDGE_STARTS_C - FRIDGE_STOPS_C) * meter.fridge_phase
    return SmartMeterState(nothing, nothing + 1.0, dark, cold, zero, zero + 600.0, *(zero,) * 5, meter.register)


def step(
    meter: SmartMeter, state: SmartMeterState, inputs: Inputs, period_s: float
) -> tuple[SmartMeterState, tuple[Floats, ...]]:
    """One period of the household; then what a perfect meter shows."""
    starts, (lit_share, slack, frequency, kitchen) = inputs.course[:4], inputs.course[4:]
    runs_on, creeps, stopped = inputs.faults[[0, 2, 3]]
    neutral = np.minimum(inputs.faults[1], 3.0)
    street = wander(state.street, inputs.shocks[0], period_s, 1500.0)
    flicker = wander(state.flicker, inputs.shocks[1], period_s, 20.0)
    neighbours = wander(state.neighbours, inputs.shocks[2], period_s, 90.0)
    idle = wander(state.idle, inputs.shocks[3], period_s, 400.0)
    # people switch on what is off: a chance below the limit says by its size when within the period
    limit = 1.0 - np.exp(-starts * period_s)
    chance, length = inputs.chances[:4], inputs.chances[4:8]
    begins = (state.left_s <= 0.0) & (chance < limit)
    wait_s = np.where(begins, chance / np.maximum(limit, 1e-300) * period_s, 0.0)
    lasts_s = np.where(begins, (0.5 + length) * np.array(LASTS_S)[:, None], state.lasts_s)
    left_s = np.where(begins, lasts_s, state.left_s)
    stays = math.exp(-period_s / ROOM_STAYS_S)
    lit = (inputs.chances[8:] < lit_share + (state.lit - lit_share) * stays).astype(np.float64)
    count, dt = substeps(period_s, MAX_STEP_S)
    passed_s = (np.arange(1, count + 1) * dt)[:, None]  # (K, 1)
    ran_s = passed_s - wait_s[:, None]  # (4, K, D)
    on = ((ran_s > 0.0) & (ran_s <= left_s[:, None])).astype(np.float64)
    load = loads(meter, on, ran_s + (lasts_s - left_s)[:, None], lasts_s[:, None])
    left_s = np.maximum(left_s - (period_s - wait_s), 0.0)
    # the fridge: a thermostat; an open door lets in so much that the compressor never reaches its goal
    fridge, compressor, since_s = state.fridge, state.compressor, state.since_s
    leaks = 1.0 + 4.0 * runs_on
    kept = np.exp(-dt * leaks / FRIDGE_TIME_S)
    warms, cools = kitchen * (1.0 - kept), meter.fridge_reach / leaks * (1.0 - kept)
    runs, ages_s = np.empty((count, len(fridge))), np.empty((count, len(fridge)))
    for k in range(count):
        fridge = kept * fridge + warms - compressor * cools
        running = np.where(fridge > FRIDGE_STARTS_C, 1.0, np.where(fridge < FRIDGE_STOPS_C, 0.0, compressor))
        since_s = np.where(running == compressor, since_s + dt, 0.0)
        runs[k], ages_s[k], compressor = running, since_s, running
    pulls = runs * meter.fridge * (1.0 + 0.4 * np.exp(-ages_s / 150.0))
    # a heater that was left on turns itself up slowly, until somebody pulls its plug
    cool = math.exp(-period_s / 300.0)
    heater = np.where(creeps > 0.0, cool * state.heater + (1.0 - cool) * 450.0 * creeps, 0.0)
    electronic = meter.base * (1.0 + 0.04 * idle) + meter.lamps * lit.sum(axis=0)
    load = Load(load.resistive + heater, load.motor + pulls, load.electronic + electronic)
    # a loose neutral: the other houses' currents push its voltage about, its own pull it down
    swings = 7.0 * neighbours + 3.0 * flicker
    volts = meter.grid_v * (1.01 - 0.012 * slack + 0.004 * street + 0.0012 * flicker) + neutral * swings
    voltage, active, reactive = draw(meter, load, volts, 1.5 * neutral)
    register = state.register + within(1.0 - stopped, 0.0, 1.0) * active.sum(axis=0) * dt / KWH
    apparent = np.hypot(active[-1], reactive[-1])
    electric = (active[-1], reactive[-1], active[-1] / apparent, apparent / voltage[-1], voltage[-1])
    house = (left_s, lasts_s, lit, fridge, compressor, since_s, heater)
    after = SmartMeterState(*house, street, flicker, neighbours, idle, register)
    return after, (*electric, frequency, register % ROLLOVER_KWH)


SMART_METER: Kind[SmartMeterSettings, SmartMeter, SmartMeterState] = Kind(
    name="smart_meter",
    channels=(
        Channel("active_power", "W", 1.0, 0.6, 0.0, 20_000.0, bias=0.5),
        Channel("reactive_power", "var", 1.0, 0.6, -5_000.0, 5_000.0, bias=1.0),
        Channel("power_factor", "", 0.01, 0.002, 0.0, 1.0),
        Channel("current", "A", 0.01, 0.004, 0.0, 100.0, bias=0.005),
        Channel("voltage", "V", 0.1, 0.08, 0.0, 400.0, bias=0.4),
        Channel("frequency", "Hz", 0.01, 0.003, 40.0, 70.0, bias=0.002),
        Channel("energy", "kWh", 0.001, 0.0, 0.0, 999_999.999, counter=True),
    ),
    process_faults=(
        ProcessFault("fridge_runs_on", ("reactive_power", "active_power", "current"), least_s=2700.0),
        ProcessFault("loose_neutral", ("voltage", "active_power"), least_s=300.0),
        ProcessFault("base_load_creep", ("active_power", "current", "power_factor"), least_s=900.0),
        ProcessFault("register_stopped", ("energy",), least_s=600.0),
    ),
    settings=SmartMeterSettings,
    traits=16,
    shocks=4,
    chances=8 + ROOMS,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
    max_step_s=MAX_STEP_S,
)
