"""A driven machine such as a fan, its motor on a frequency converter, with one accelerometer at the drive end.

It runs in shifts, at part or full load, and stands still in between. Torque goes with the square of the speed, current
with torque, the bearings' temperatures with their friction. The accelerometer tells RMS velocity and its share in four
bands: once and twice per turn, the rolling bearing's defect frequencies, and high frequency; together they are the RMS
in squares. Kurtosis and crest factor are the acceleration's, and follow from the same amplitudes: noise is Gaussian,
what turns is a sine, and a damaged bearing adds bursts, short and rare at first, longer and denser as the damage grows.
Textbook relations: Randall, Vibration-based Condition Monitoring, chapters 2 and 5; ISO 20816 (RMS velocity); the
moments of sums of independent signals.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import Moments, winter
from anomgan.simulate.kind import Channel, Inputs, Kind, ProcessFault, wander, within

VOLTAGE = 400.0
POWER_FACTOR = 0.86
EFFICIENCY = 0.94
MAGNETISING = 0.35
"""share of the rated current that flows without load"""
RUN_UP_S, RUN_DOWN_S = 40.0, 70.0
"""from standstill to full speed and back, as the converter ramps"""
PART_SPEED = 0.72
DEFECT_ORDER = 6.5
"""where the defect band's energy lies, in turns: the outer race's frequency and its first harmonics"""
HIGH_HZ = 2500.0
"""where the high band's energy lies"""
PEAKS = 4.1
"""the highest peak of Gaussian noise in one measurement, as a multiple of its RMS"""
SINE_KURTOSIS = 1.5
FLOOR = 0.02
"""mm/s that reach every band from neighbouring machines"""


class MachineSettings(Table):
    """`[devices.settings]` of a rotating machine."""

    rated_rpm: float = Field(1480.0, ge=300, le=6000)
    rated_kw: float = Field(75.0, gt=0, le=500)
    """power of the motor"""
    shift_start_h: float = Field(6.0, ge=0, le=24)
    """local time at which work begins, and at which it ends, after midnight where that is earlier; a little
    earlier or later at each machine; the same = round the clock"""
    shift_end_h: float = Field(22.0, ge=0, le=24)
    work_days: int = Field(5, ge=0, le=7)
    """days of the week on which a shift begins, from Monday on; 7 = it knows no weekend"""
    job_s: float = Field(2400.0, gt=0)
    """how long it runs at one load on average"""
    hall_c: float = Field(21.0, ge=-10, le=45)
    """temperature of the hall on the average of the year"""


class Machine(NamedTuple):
    """Parameters, each (D,). Speeds in rpm, velocities in mm/s at full speed, temperatures in °C, current in A."""

    rpm: Floats
    amps: Floats
    shift_start: Floats
    shift_hours: Floats
    work_days: Floats
    job_s: Floats
    hall: Floats
    season: Floats
    full_torque: Floats
    """share of the rated torque that the load takes at full speed"""
    unbalance: Floats
    heavy_spot: Floats
    """cosine of the angle between the unbalance that is and one that comes"""
    offset: Floats
    """of the coupling"""
    defect: Floats
    high: Floats
    drive_rise: Floats
    """K by which the bearing at the drive end warms at rated speed and load; the motor warms it, too"""
    free_rise: Floats


class MachineState(NamedTuple):
    """State, each (D,). speed and wanted in shares of the full one, load as a factor, the last six of variance 1."""

    speed: Floats
    wanted: Floats
    job: Floats
    drive_end: Floats
    free_end: Floats
    process: Floats
    weather: Floats
    once: Floats
    twice: Floats
    bursts: Floats
    hiss: Floats


class Vibration(NamedTuple):
    """What the accelerometer's electronics tell, each (D,): mm/s, and two numbers without a unit."""

    rms: Floats
    once: Floats
    twice: Floats
    defect: Floats
    high: Floats
    crest: Floats
    kurtosis: Floats


def parameters(settings: MachineSettings, traits: Floats) -> Machine:
    """One machine per row of traits (D, 12)."""
    t = traits.T
    same = np.ones(len(traits))
    watts = 1000.0 * settings.rated_kw
    hours = (settings.shift_end_h - settings.shift_start_h) % 24.0 or 24.0
    return Machine(
        rpm=settings.rated_rpm * np.exp(0.004 * t[0]),
        amps=watts / (math.sqrt(3.0) * VOLTAGE * POWER_FACTOR * EFFICIENCY) * np.exp(0.01 * t[1]),
        shift_start=settings.shift_start_h + 0.1 * t[2] * (hours < 24),
        shift_hours=hours + 0.1 * t[3] * (hours < 24),
        work_days=settings.work_days * same,
        job_s=settings.job_s * same,
        hall=settings.hall_c + 1.0 * t[4],
        season=3.5 * same,
        full_torque=0.82 * np.exp(0.04 * t[5]),
        unbalance=1.1 * np.exp(0.25 * t[6]),
        heavy_spot=np.cos(t[7]),
        offset=0.4 * np.exp(0.25 * t[8]),
        defect=0.16 * np.exp(0.15 * t[9]),
        high=0.22 * np.exp(0.15 * t[10]),
        drive_rise=30.0 * np.exp(0.08 * t[11]),
        free_rise=21.0 * np.exp(0.08 * t[11]),
    )


def course(machine: Machine, when: Moments) -> Floats:
    """(R, 2, D): whether it is working time, and how much warmer than on average the hall is."""
    hour = 24.0 * (when.days % 1.0)[:, None]
    weekday = (when.weekday[:, None] - (hour < machine.shift_start)) % 7  # on which the shift began
    works = ((hour - machine.shift_start) % 24.0 < machine.shift_hours) & (weekday < machine.work_days)
    warmth = -machine.season * winter(when)
    warmth = warmth - 1.8 * np.cos(2 * np.pi * when.days[:, None] - 0.9)
    return np.stack([works.astype(np.float64), warmth], axis=1)


def in_shifts(course: Floats) -> NDArray[np.bool_]:
    """(R, D) whether it is working time."""
    return np.asarray(course[:, 0] == 1)


def vibration(
    machine: Machine, speed: Floats, torque: Floats, wear: Floats, faults: Floats, jitter: Floats
) -> Vibration:
    """What shakes at a speed and a torque, in shares of the rated ones. faults (3, D): unbalance, misalignment, loss of
    lubrication; jitter (4, D): factors on the four bands.
    """
    heavy, crooked, dry = faults
    added = 4.5 * heavy
    unbalance = np.sqrt(machine.unbalance**2 + added**2 + 2.0 * machine.unbalance * added * machine.heavy_spot)
    once = speed**2 * unbalance + 0.7 * crooked * speed
    twice = speed * (0.6 + 0.4 * torque) * (machine.offset + 2.6 * crooked)
    # the outer race: bursts at every ball that passes the damage
    rings = 0.9 * wear * speed**1.5
    knocks = 1.9 * wear**1.5 * speed**1.5
    hiss = machine.high * speed**1.5 * (0.7 + 0.3 * torque) * (1.0 + 2.5 * dry)
    once, twice, knocks, rings = jitter[0] * once, jitter[1] * twice, jitter[2] * knocks, jitter[3] * rings
    rumble, hiss = jitter[2] * machine.defect * speed, jitter[3] * hiss
    defect = np.sqrt(rumble**2 + knocks**2 + FLOOR**2)
    high = np.sqrt(hiss**2 + rings**2 + FLOOR**2)
    once, twice = np.sqrt(once**2 + FLOOR**2), np.sqrt(twice**2 + FLOOR**2)
    rms = np.sqrt(once**2 + twice**2 + defect**2 + high**2)
    # the acceleration's moments: each band's variance goes with the square of its frequency
    turns = np.maximum(speed, 0.02) * machine.rpm / 60.0
    sines = (once * turns) ** 4 + (twice * 2.0 * turns) ** 4
    burst = (HIGH_HZ * rings) ** 2 + (DEFECT_ORDER * turns * knocks) ** 2
    total = (once * turns) ** 2 + (2.0 * turns * twice) ** 2 + (DEFECT_ORDER * turns * defect) ** 2
    total = total + (HIGH_HZ * high) ** 2
    # the share of the time that bursts fill; how many one measurement catches is chance
    lasts = within((0.06 + 0.5 * wear**2) * jitter[2] ** 2, 0.0, 1.0)
    kurtosis = 3.0 + ((SINE_KURTOSIS - 3.0) * sines + 3.0 * (1.0 / lasts - 1.0) * burst**2) / total**2
    crest = PEAKS * np.sqrt((total - burst + burst / lasts) / total)
    return Vibration(rms, once, twice, defect, high, crest, kurtosis)


def rest(machine: Machine, inputs: Inputs) -> MachineState:
    """At full load where it is working time, otherwise standing still and cold."""
    works, warmth = inputs.course
    zero = np.zeros_like(machine.rpm)
    room = machine.hall + warmth
    drive, free = room + 0.8 * works * machine.drive_rise, room + 0.8 * works * machine.free_rise
    return MachineState(works, works, zero + 1.0, drive, free, zero, zero, zero, zero, zero, zero)


def step(
    machine: Machine, state: MachineState, inputs: Inputs, period_s: float
) -> tuple[MachineState, tuple[Floats, ...]]:
    """One period: the job, the converter's ramp, the bearings' heat; then what perfect sensors show."""
    works, warmth = inputs.course
    wear, heavy, crooked, dry = inputs.faults
    shocks = inputs.shocks
    process = wander(state.process, shocks[0], period_s, 90.0)
    weather = wander(state.weather, shocks[1], period_s, 3600.0)
    once, twice = wander(state.once, shocks[2], period_s, 20.0), wander(state.twice, shocks[3], period_s, 20.0)
    bursts, hiss = wander(state.bursts, shocks[4], period_s, 6.0), wander(state.hiss, shocks[5], period_s, 6.0)
    # the job: full load, part load, or a stop between two of them, each with a draught of its own
    begins = (works == 1) & (
        (state.wanted == 0) & (state.job == 0) | (inputs.chances[0] < -np.expm1(-period_s / machine.job_s))
    )
    chance = inputs.chances[1]
    mode = np.where(chance < 0.55, 1.0, np.where(chance < 0.92, PART_SPEED, 0.0))
    wanted = np.where(begins, mode, state.wanted) * works
    job = np.where(begins, 0.88 + 0.24 * (chance * 7.0 % 1.0), state.job) * works
    # the converter's ramps; accelerating takes torque of its own
    speed = state.speed + within(wanted - state.speed, -period_s / RUN_DOWN_S, period_s / RUN_UP_S)
    gathers = 9.0 * (speed - state.speed) / period_s
    turning = (speed > 0).astype(np.float64)
    friction = 0.03 * (1.0 + 0.6 * wear + 1.5 * dry)
    load = machine.full_torque * job * (1.0 + 0.03 * process) * speed**2
    torque = turning * np.maximum(friction + load + gathers + 0.01 * crooked, 0.0)
    current = machine.amps * turning * np.sqrt(MAGNETISING**2 + (1.0 - MAGNETISING**2) * torque**2)
    # heat: friction in the bearings, which a standing machine sheds more slowly
    room = machine.hall + warmth + 0.5 * weather
    heats = speed * (0.6 + 0.4 * torque)
    drive = room + machine.drive_rise * heats * (1.0 + 0.5 * wear + 1.1 * dry + 0.15 * crooked)
    free = room + machine.free_rise * heats * (1.0 + 0.15 * dry + 0.1 * crooked)
    cools = 0.45 + 0.55 * speed
    drive_end = drive + (state.drive_end - drive) * np.exp(-period_s * cools / 1500.0)
    free_end = free + (state.free_end - free) * np.exp(-period_s * cools / 1800.0)
    jitter = np.exp(np.stack([0.02 * once, 0.04 * twice, 0.05 * bursts, 0.04 * hiss]))
    shakes = vibration(machine, speed, torque, wear, np.stack([heavy, crooked, dry]), jitter)
    after = MachineState(speed, wanted, job, drive_end, free_end, process, weather, once, twice, bursts, hiss)
    rpm = machine.rpm * speed * (1.0 - 0.002 * process * turning)
    return after, (rpm, 100.0 * torque, current, drive_end, free_end, *shakes)


ROTATING_MACHINE: Kind[MachineSettings, Machine, MachineState] = Kind(
    name="rotating_machine",
    # not lively: what does not move while the machine stands still
    channels=(
        Channel("speed", "rpm", 1.0, 0.6, 0.0, 8000.0, lively=False),
        Channel("torque", "%", 0.1, 0.15, 0.0, 250.0, lively=False),
        Channel("motor_current", "A", 0.1, 0.05, 0.0, 1500.0, lively=False),
        Channel("drive_end_temperature", "°C", 0.1, 0.08, -40.0, 200.0, bias=0.4, lively=False),
        Channel("free_end_temperature", "°C", 0.1, 0.08, -40.0, 200.0, bias=0.4, lively=False),
        Channel("vibration", "mm/s", 0.01, 0.004, 0.0, 50.0, lively=False),
        Channel("vibration_1x", "mm/s", 0.01, 0.004, 0.0, 50.0, lively=False),
        Channel("vibration_2x", "mm/s", 0.01, 0.004, 0.0, 50.0, lively=False),
        Channel("vibration_defect", "mm/s", 0.01, 0.004, 0.0, 50.0, lively=False),
        Channel("vibration_high", "mm/s", 0.01, 0.004, 0.0, 50.0, lively=False),
        Channel("crest_factor", "", 0.01, 0.15, 1.0, 50.0),
        Channel("kurtosis", "", 0.01, 0.06, 1.0, 100.0),
    ),
    process_faults=(
        ProcessFault(
            "bearing_wear",
            ("vibration_high", "kurtosis", "vibration_defect", "crest_factor", "vibration"),
            shows=in_shifts,
        ),
        ProcessFault("unbalance", ("vibration_1x", "vibration"), shows=in_shifts),
        ProcessFault("misalignment", ("vibration_2x", "vibration", "vibration_1x"), shows=in_shifts),
        ProcessFault("lubrication_loss", ("vibration_high", "drive_end_temperature"), shows=in_shifts),
    ),
    settings=MachineSettings,
    traits=12,
    shocks=6,
    chances=2,
    parameters=parameters,
    course=course,
    rest=rest,
    step=step,
)
