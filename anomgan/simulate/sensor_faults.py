"""What broken sensors make of healthy values, one function per fault; SENSOR_FAULTS names them all.

In the sensor, in this order where several are present:

    time_lag           the value of `severity` seconds ago
    spike              single rows jump away and come back; the whole interval is labelled
    bias               a constant offset
    drift              an offset that grows from nothing to `severity`; with a recovery it is there when that begins
    noise              a burst of white noise
    clipping           it saturates: `severity` is the share of the normal range that it no longer reaches, from above,
                       or where it is negative from below
    stuck              the last value again and again
    correlation_break  the channel shows an earlier normal course of itself, which has nothing to do with the others

On the way from the sensor, after its range and resolution:

    unit_jump          the same quantity in another unit (`other_units`)
    swapped_channels   two channels, each of which tells the other's value
    dropout            readings are missing (NaN), each with the probability `severity`; 1 = all of them

The severity of spike, bias, drift and noise counts in normal spreads of the channel (`normal`).
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from anomgan.records import Floats
from anomgan.simulate.kind import Channel, in_steps
from anomgan.simulate.other_units import OTHER_UNITS


class Stretch(NamedTuple):
    """Some rows of a sensor fault's own channels: all that an effect may look at.

    values (R, C) healthy; age_s (R,) since the start; grown (R,) the share of the time until the end or the recovery
    that has passed, at most 1; strength (R,) severity with its ramp and recovery; period_s from row to row;
    spread, bottom, top, low, high, held (C,): normal spread, ends of the normal and of the sensor's range, healthy
    value at the start; course (N, C) what `correlation_break` shows instead, from the fault's start on;
    earlier (H + R, C) the healthy values with those before them; normals, uniforms (R, C) random;
    scale, offset, step (C,): the other unit, and its resolution.
    """

    values: Floats
    age_s: Floats
    grown: Floats
    strength: Floats
    period_s: float
    spread: Floats
    bottom: Floats
    top: Floats
    low: Floats
    high: Floats
    held: Floats
    course: Floats
    earlier: Floats
    normals: Floats
    uniforms: Floats
    scale: Floats
    offset: Floats
    step: Floats


def _time_lag(s: Stretch) -> Floats:
    rows = np.arange(len(s.earlier) - len(s.values), len(s.earlier))
    return s.earlier[rows - np.floor(s.strength / s.period_s + 1e-6).astype(np.int64)]


def _spike(s: Stretch) -> Floats:
    size = s.strength[:, None] * s.spread
    room_up, room_down = s.values + size <= s.high, s.values - size >= s.low
    up = room_up & ((s.normals > 0) | ~room_down)  # a spike out of the sensor's range would not show
    jumps = (s.uniforms[:, :1] < 0.12) | (s.age_s[:, None] == 0.0)
    return np.where(jumps, s.values + np.where(up, size, -size), s.values)


def _bias(s: Stretch) -> Floats:
    return s.values + s.strength[:, None] * s.spread


def _drift(s: Stretch) -> Floats:
    return s.values + (s.strength * s.grown)[:, None] * s.spread


def _noise(s: Stretch) -> Floats:
    return s.values + s.strength[:, None] * s.spread * s.normals


def _clipping(s: Stretch) -> Floats:
    cut = s.strength[:, None] * (s.top - s.bottom)
    return np.where(cut >= 0, np.minimum(s.values, s.top - cut), np.maximum(s.values, s.bottom - cut))


def _stuck(s: Stretch) -> Floats:
    return np.broadcast_to(s.held, s.values.shape)


def _correlation_break(s: Stretch) -> Floats:
    return s.course


def _unit_jump(s: Stretch) -> Floats:
    return in_steps(s.values * s.scale + s.offset, s.step)


def _swapped_channels(s: Stretch) -> Floats:
    return s.values[:, ::-1]


def _dropout(s: Stretch) -> Floats:
    share = s.strength[:, None]
    lost = (s.uniforms < share) | ((s.age_s[:, None] == 0.0) & (share > 0))  # the first at any rate, so that it shows
    return np.where(lost, np.nan, s.values)


MOST_SPREADS = 1000.0


class SensorFault(NamedTuple):
    """One sensor fault. Severity and its sign, ramp and recovery are refused where they mean nothing."""

    effect: Callable[[Stretch], Floats]
    usual: float | None
    """the severity where a scenario names none; None = it is there or not"""
    signed: bool = False
    """whether a negative severity is the same in the other direction"""
    most: float = MOST_SPREADS
    """of the severity, without its sign"""
    ramp: bool = True
    recovery: bool = True
    replaces: bool = False
    """it leaves nothing of the channel's own value, so that no other can be true of it at the same time"""
    on_the_way: bool = False
    """it acts on what the sensor tells, not in the sensor"""
    of_contacts: bool = False
    """whether a contact (0 or 1) can have it"""
    of_counters: bool = False
    """whether a register can have it, which is neither noisy nor goes to and fro"""
    always: bool = True
    """whether it shows in a channel that does not move"""


AT_ONCE = SensorFault(_stuck, usual=None, ramp=False, recovery=False)
"""a fault that is there or not"""
SENSOR_FAULTS: Mapping[str, SensorFault] = MappingProxyType(
    {
        "time_lag": SensorFault(_time_lag, 30.0, most=math.inf, of_contacts=True, of_counters=True, always=False),
        "spike": SensorFault(_spike, 6.0, of_counters=True),
        "bias": SensorFault(_bias, 4.0, signed=True, of_counters=True),
        "drift": SensorFault(_drift, 5.0, signed=True, ramp=False, of_counters=True),
        "noise": SensorFault(_noise, 1.5),
        "clipping": SensorFault(_clipping, 0.8, signed=True, most=1.0, always=False),
        "stuck": AT_ONCE._replace(replaces=True, of_contacts=True, of_counters=True, always=False),
        "correlation_break": AT_ONCE._replace(effect=_correlation_break, replaces=True, of_contacts=True),
        "unit_jump": AT_ONCE._replace(effect=_unit_jump, on_the_way=True, of_counters=True),
        "swapped_channels": AT_ONCE._replace(
            effect=_swapped_channels, replaces=True, on_the_way=True, of_contacts=True, of_counters=True
        ),
        "dropout": SensorFault(
            _dropout, 1.0, most=1.0, replaces=True, on_the_way=True, of_contacts=True, of_counters=True
        ),
    }
)
"""in the order in which they act on a channel that has several"""


def possible(sensor: Channel) -> list[str]:
    """The sensor faults that make sense for this sensor."""
    return [
        name
        for name, fault in SENSOR_FAULTS.items()
        if (fault.of_contacts or not sensor.digital)
        and (fault.of_counters or not sensor.counter)
        and (name != "unit_jump" or sensor.unit in OTHER_UNITS)
    ]


def usual_severity(kind: str, period_s: float) -> float:
    """The severity where a scenario names none; a lag is at least ten periods long. A process fault's is 1."""
    fault = SENSOR_FAULTS.get(kind)
    if fault is None or fault.usual is None:
        return 1.0
    return max(fault.usual, 10.0 * period_s) if kind == "time_lag" else fault.usual
