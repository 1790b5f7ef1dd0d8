"""Faults with ground truth: what a broken sensor makes of healthy values, and the record that says so.

    spike              single rows jump away and come back; the whole interval is labelled
    level_shift        a constant offset
    drift              an offset that grows from nothing to `severity` at the end
    stuck              the last value again and again
    noise              a burst of white noise
    correlation_break  the channel shows an earlier normal course of itself, which has nothing to do with the others

Severity counts in normal spreads of the channel; a negative one goes down. A process fault (see the kinds) acts on the
machine instead and reaches the sensors through the physics; its severity is 1 where it is plain to see.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from anomgan.records import Floats, Source
from anomgan.simulate.kind import Channel
from anomgan.simulate.randomness import BLOCK, Key, generator, stream_key

REPLACING = frozenset({"stuck", "correlation_break"})
"""sensor faults that leave nothing of the true value"""
OF_COUNTERS = frozenset({"spike", "level_shift", "drift", "stuck"})
"""sensor faults of a register: a misread value, a jump, another pace, a stop"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one device and when: present at start_s <= t < end_s, seconds after the start of the run.

    channels: for a sensor fault those that lie, for a process fault those that show it most.
    severity: normal spreads of the channel (sensor) or 1 = plain to see (process); reached after ramp_s.
    """

    site: str
    device: str
    kind: str
    channels: tuple[str, ...]
    start_s: float
    end_s: float
    severity: float
    ramp_s: float = 0.0

    @property
    def source(self) -> Source:
        """(site, device)."""
        return (self.site, self.device)


class Normal(NamedTuple):
    """How a device behaves when healthy: mean (C,), spread (C,) and a course (N, C) from before the run."""

    mean: Floats
    spread: Floats
    course: Floats


class Stretch(NamedTuple):
    """Some rows of a sensor fault's own channels: all that an effect may look at.

    values (R, C) healthy; age_s (R,) since the start; span_s the whole length; strength (R,) severity with its ramp;
    spread, low, high, held (C,): normal spread, sensor range, healthy value at the start; course (N, C) what
    `correlation_break` shows instead, from the fault's start on; normals, uniforms (R, C) random.
    """

    values: Floats
    age_s: Floats
    span_s: float
    strength: Floats
    spread: Floats
    low: Floats
    high: Floats
    held: Floats
    course: Floats
    normals: Floats
    uniforms: Floats


def _spike(s: Stretch) -> Floats:
    size = np.abs(s.strength)[:, None] * s.spread
    room_up, room_down = s.values + size <= s.high, s.values - size >= s.low
    up = room_up & ((s.normals > 0) | ~room_down)  # a spike out of the sensor's range would not show
    jumps = (s.uniforms[:, :1] < 0.12) | (s.age_s[:, None] == 0.0)
    return np.where(jumps, s.values + np.where(up, size, -size), s.values)


def _level_shift(s: Stretch) -> Floats:
    return s.values + s.strength[:, None] * s.spread


def _drift(s: Stretch) -> Floats:
    return s.values + (s.strength * s.age_s / s.span_s)[:, None] * s.spread


def _stuck(s: Stretch) -> Floats:
    return np.broadcast_to(s.held, s.values.shape)


def _noise(s: Stretch) -> Floats:
    return s.values + np.abs(s.strength)[:, None] * s.spread * s.normals


def _correlation_break(s: Stretch) -> Floats:
    return s.course


SENSOR_FAULTS: Mapping[str, Callable[[Stretch], Floats]] = MappingProxyType(
    {
        "spike": _spike,
        "level_shift": _level_shift,
        "drift": _drift,
        "stuck": _stuck,
        "noise": _noise,
        "correlation_break": _correlation_break,
    }
)
SEVERITY: Mapping[str, float] = MappingProxyType(
    {"spike": 6.0, "level_shift": 4.0, "drift": 5.0, "stuck": 1.0, "noise": 1.5, "correlation_break": 1.0}
)
"""where a scenario names none; for a process fault it is 1"""


def possible(sensor: Channel) -> frozenset[str]:
    """The sensor faults that make sense for this sensor."""
    if sensor.digital:
        return REPLACING
    return OF_COUNTERS if sensor.counter else frozenset(SENSOR_FAULTS)


def row_at(seconds: float, period_s: float) -> int:
    """The first row that is not before a time; a millionth of a period is forgiven."""
    return math.ceil(seconds / period_s - 1e-6)


def rows_of(fault: Fault, period_s: float) -> tuple[int, int]:
    """The first row of the fault and the first one after it."""
    return row_at(fault.start_s, period_s), row_at(fault.end_s, period_s)


def strength(fault: Fault, age_s: Floats) -> Floats:
    """(R,) the severity, with its ramp, at times since the start."""
    return fault.severity * (np.clip(age_s / fault.ramp_s, 0.0, 1.0) if fault.ramp_s > 0 else np.ones_like(age_s))


MOMENT = 32
"""rows over which the start of a correlation break is compared"""


class Active(NamedTuple):
    """A sensor fault that has begun, with all it has to remember. channels: indices (C',); the arrays go with them."""

    fault: Fault
    first_row: int
    end_row: int
    channels: list[int]
    held: Floats
    spread: Floats
    low: Floats
    high: Floats
    course: Floats
    offset: int
    key: Key


def begin(
    fault: Fault, sensors: tuple[Channel, ...], healthy: Floats, normal: Normal, period_s: float, seed: int
) -> Active:
    """Begin a sensor fault; healthy (C,) is its first row.

    The course of a correlation break begins at one of the moments (the farthest third) when the channel was far from
    where it is now, so that the break is real.
    """
    names = [sensor.name for sensor in sensors]
    channels = [names.index(name) for name in fault.channels]
    first_row, end_row = rows_of(fault, period_s)
    key = stream_key(seed, fault.site, fault.device, "fault", fault.kind, str(first_row), *fault.channels)
    length = min(end_row - first_row, MOMENT)
    totals = np.concatenate([[0.0], np.cumsum(normal.course[:, channels[0]])])
    distance = np.abs((totals[length:] - totals[:-length]) / length - healthy[channels[0]])
    far = np.argsort(-distance, kind="stable")[: max(1, len(distance) // 3)]
    return Active(
        fault=fault,
        first_row=first_row,
        end_row=end_row,
        channels=channels,
        held=healthy[channels],
        spread=normal.spread[channels],
        low=np.array([sensors[index].low for index in channels]),
        high=np.array([sensors[index].high for index in channels]),
        course=normal.course[:, channels],
        offset=int(generator(key).choice(far)),
        key=key,
    )


def distort(active: Active, values: Floats, first_row: int, period_s: float) -> None:
    """Let the fault act, in place, on the values (BLOCK, C) of the block that begins at first_row."""
    low, high = max(active.first_row - first_row, 0), min(active.end_row - first_row, BLOCK)
    if low >= high:
        return
    rows, shape = slice(low, high), (BLOCK, len(active.channels))
    source = generator(active.key, 1 + (first_row - active.first_row + BLOCK) // BLOCK)  # block 0 chose the course
    normals, uniforms = source.standard_normal(shape)[rows], source.random(shape)[rows]
    since = np.arange(low, high) + (first_row - active.first_row)
    age_s = since.astype(np.float64) * period_s
    last = len(active.course) - 1
    back_and_forth = last - np.abs((active.offset + since) % (2 * last) - last)
    values[rows, active.channels] = SENSOR_FAULTS[active.fault.kind](
        Stretch(
            values=values[rows][:, active.channels],
            age_s=age_s,
            span_s=(active.end_row - active.first_row) * period_s,
            strength=strength(active.fault, age_s),
            spread=active.spread,
            low=active.low,
            high=active.high,
            held=active.held,
            course=active.course[back_and_forth],
            normals=normals,
            uniforms=uniforms,
        )
    )
