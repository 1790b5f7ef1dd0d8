"""How a device behaves when nothing is wrong with it: what the severity of a sensor's fault is measured by.

Twenty minutes say little of a machine that rests at night. So the spread is that of a working day, which is played for
those devices alone that have a sensor fault, or may have one by chance: the last Monday to Friday before the run, in
ROWS rows. Where the physics takes small steps, only some of each row's time passes in it (LIVED steps of the kind's):
loads, sun and people are those of the whole day, and what is slower than an hour moves less than it would.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from anomgan.records import Floats
from anomgan.simulate.almanac import moments
from anomgan.simulate.kind import Channel, Inputs, Kind, sense
from anomgan.simulate.randomness import BLOCK, draw_block, generator, stream_key

SETTLE_S, NORMAL_S = 900.0, 1200.0
"""the two parts of the prelude before row 0; each takes at least two blocks of rows"""
ROWS = 288
"""of the day: one every five minutes"""
SETTLES = 96
"""rows before it, which settle temperatures"""
LIVED = 8
"""the kind's longest steps that pass within a row, at most"""
ENDS = (1.0, 99.0)
"""percentiles at which the normal range ends"""


class Usual(NamedTuple):
    """What is usual of D devices, (D, C) each: mean, spread, and where the normal range ends."""

    mean: Floats
    spread: Floats
    bottom: Floats
    top: Floats


class Normal(NamedTuple):
    """How one device behaves when healthy: see `Usual` (C,), and a course (N, C) from just before the run."""

    mean: Floats
    spread: Floats
    bottom: Floats
    top: Floats
    course: Floats


def prelude_blocks(period_s: float) -> tuple[int, int]:
    """How many blocks before row 0 temperatures settle in, and in how many then the normal course is seen."""
    settle, measure = (max(2, math.ceil(s / period_s / BLOCK)) for s in (SETTLE_S, NORMAL_S))
    return settle, measure


def usual_of(channels: tuple[Channel, ...], days: Floats) -> Usual:
    """What is usual in (D, R, C)."""
    # a channel that hardly moves still has its sensor's noise and resolution for a spread
    least = np.array([max(3.0 * channel.noise, channel.resolution) for channel in channels])
    bottom, top = np.percentile(days, ENDS, axis=1)
    return Usual(days.mean(axis=1), np.maximum(days.std(axis=1), least), bottom, top)


class Clock(NamedTuple):
    """What the almanac has to know of a run."""

    seed: int
    start_s: float
    zone: str
    day_s: float


def device_traits(kind: Kind[Any, Any, Any], site: str, names: tuple[str, ...], seed: int) -> Floats:
    """(D, N + C) standard normal: what makes each device, and each of its sensors, differ from the next."""
    own = [stream_key(seed, site, name, "traits") for name in names]
    return np.stack([generator(key).standard_normal(kind.traits + len(kind.channels)) for key in own])


@lru_cache(maxsize=64)
def usual_on_working_days(
    kind: Kind[Any, Any, Any], settings: Any, site: str, names: tuple[str, ...], clock: Clock
) -> Usual:
    """What is usual on the last working day before the run; remembered, for a run asks more than once."""
    usual = usual_of(kind.channels, working_day(kind, settings, site, names, clock))
    for array in usual:
        array.flags.writeable = False
    return usual


def working_day(kind: Kind[Any, Any, Any], settings: Any, site: str, names: tuple[str, ...], clock: Clock) -> Floats:
    """(D, ROWS, C) as the devices' sensors see the last working day before the run; no device notices the others."""
    traits = device_traits(kind, site, names, clock.seed)
    parameters = kind.parameters(settings, traits[:, : kind.traits])
    keys = [stream_key(clock.seed, site, name, "working day") for name in names]
    row_s = clock.day_s / ROWS
    lived_s = min(row_s, LIVED * kind.max_step_s)
    at_start = moments(clock.start_s, clock.zone, clock.day_s, np.zeros(1))
    midnight_s = -float(at_start.clock_s[0] % clock.day_s)
    noons = midnight_s + clock.day_s * (0.5 - np.arange(1, 4))  # three days back at most
    weekdays = [moments(clock.start_s, clock.zone, clock.day_s, np.array([noon])).weekday[0] for noon in noons]
    back = next(days for days, weekday in enumerate(weekdays, 1) if weekday < 5)
    rows = SETTLES + ROWS
    since_s = midnight_s - back * clock.day_s + (np.arange(rows, dtype=np.float64) - SETTLES) * row_s
    course = kind.course(parameters, moments(clock.start_s, clock.zone, clock.day_s, since_s))
    healthy = np.zeros((len(kind.process_faults), len(names)))
    state, seen = None, []
    for number in range(rows // BLOCK):
        draws = draw_block(keys, number, kind.shocks, kind.chances, len(kind.channels))
        truth = np.empty((BLOCK, len(kind.channels), len(names)))
        for row in range(BLOCK):
            inputs = Inputs(course[number * BLOCK + row], draws.shocks[row], draws.chances[row], healthy)
            if state is None:
                state = kind.rest(parameters, inputs)
            state, truth[row] = kind.step(parameters, state, inputs, lived_s)
        shown = np.ascontiguousarray(truth.transpose(2, 0, 1))
        seen.append(sense(kind.channels, shown, draws.noise, traits[:, kind.traits :]))
    day = np.concatenate(seen, axis=1)[:, SETTLES:]
    counters = [index for index, channel in enumerate(kind.channels) if channel.counter]
    begins = day[:, :1, counters]
    day[:, :, counters] = begins + (day[:, :, counters] - begins) * (row_s / lived_s)  # of all the day, not the lived
    return day
