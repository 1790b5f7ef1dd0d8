"""A sensor fault on its way through a run: what it has to remember from its beginning on, and its act on a block."""

from typing import NamedTuple

import numpy as np

from anomgan.records import Floats
from anomgan.simulate.faults import Fault, row_at, rows_of, strength
from anomgan.simulate.kind import Channel
from anomgan.simulate.normal import Normal
from anomgan.simulate.other_units import OTHER_UNITS, OtherUnit
from anomgan.simulate.randomness import BLOCK, Key, generator, stream_key
from anomgan.simulate.sensor_faults import SENSOR_FAULTS, Stretch

MOMENT = 32
"""rows over which the start of a correlation break is compared"""
SAME_UNIT = OtherUnit("", 1.0)


class Acting(NamedTuple):
    """A sensor fault that has begun, with all it has to remember. channels: indices (C',); the arrays go with them."""

    fault: Fault
    first_row: int
    end_row: int
    """as planned: it says how a drift grows; the fault may have been taken away before"""
    channels: list[int]
    held: Floats
    spread: Floats
    bottom: Floats
    top: Floats
    low: Floats
    high: Floats
    scale: Floats
    offset: Floats
    step: Floats
    course: Floats
    beginning: int
    """row of the course"""
    key: Key

    @property
    def order(self) -> tuple[int, int]:
        """Where it comes among others that act on the same device."""
        return list(SENSOR_FAULTS).index(self.fault.kind), self.first_row


def begin(
    fault: Fault, sensors: tuple[Channel, ...], healthy: Floats, normal: Normal, period_s: float, seed: int
) -> Acting:
    """Begin a sensor fault; healthy (C,) is its first row.

    The course of a correlation break begins at one of the moments (the farthest third) when the channel was far from
    where it is now, so that the break is real.
    """
    names = [sensor.name for sensor in sensors]
    channels = [names.index(name) for name in fault.channels]
    own = [sensors[index] for index in channels]
    others = [OTHER_UNITS.get(sensor.unit, SAME_UNIT) for sensor in own]
    first_row, end_row = row_at(fault.start_s, period_s), row_at(fault.end_s, period_s)
    key = stream_key(seed, fault.site, fault.device, "fault", fault.kind, str(first_row), *fault.channels)
    length = min(end_row - first_row, MOMENT)
    totals = np.concatenate([[0.0], np.cumsum(normal.course[:, channels[0]])])
    distance = np.abs((totals[length:] - totals[:-length]) / length - healthy[channels[0]])
    far = np.argsort(-distance, kind="stable")[: max(1, len(distance) // 3)]
    return Acting(
        fault=fault,
        first_row=first_row,
        end_row=end_row,
        channels=channels,
        held=healthy[channels],
        spread=normal.spread[channels],
        bottom=normal.bottom[channels],
        top=normal.top[channels],
        low=np.array([sensor.low for sensor in own]),
        high=np.array([sensor.high for sensor in own]),
        scale=np.array([other.scale for other in others]),
        offset=np.array([other.offset for other in others]),
        step=np.array([other.resolution(sensor.resolution) for other, sensor in zip(others, own, strict=True)]),
        course=normal.course[:, channels],
        beginning=int(generator(key).choice(far)),
        key=key,
    )


def distort(acting: Acting, values: Floats, past: Floats, first_row: int, period_s: float) -> None:
    """Let the fault act, in place, on the values (BLOCK, C) of the block that begins at first_row.

    past (H, C): the healthy values of the rows before it, at least as many as a lag goes back.
    """
    low, high = max(acting.first_row - first_row, 0), min(rows_of(acting.fault, period_s)[1] - first_row, BLOCK)
    if low >= high:
        return
    rows, shape = slice(low, high), (BLOCK, len(acting.channels))
    source = generator(acting.key, 1 + (first_row - acting.first_row + BLOCK) // BLOCK)  # block 0 chose the course
    normals, uniforms = source.standard_normal(shape)[rows], source.random(shape)[rows]
    since = np.arange(low, high) + (first_row - acting.first_row)
    age_s = since.astype(np.float64) * period_s
    last = len(acting.course) - 1
    back_and_forth = last - np.abs((acting.beginning + since) % (2 * last) - last)
    grows_s = (acting.end_row - acting.first_row) * period_s - acting.fault.recovery_s
    values[rows, acting.channels] = SENSOR_FAULTS[acting.fault.kind].effect(
        Stretch(
            values=values[rows][:, acting.channels],
            age_s=age_s,
            grown=np.minimum(age_s / grows_s, 1.0) if grows_s > 0 else np.ones_like(age_s),
            strength=strength(acting.fault, age_s, period_s),
            period_s=period_s,
            spread=acting.spread,
            bottom=acting.bottom,
            top=acting.top,
            low=acting.low,
            high=acting.high,
            held=acting.held,
            course=acting.course[back_and_forth],
            earlier=np.concatenate([past, values[:high]])[:, acting.channels],
            normals=normals,
            uniforms=uniforms,
            scale=acting.scale,
            offset=acting.offset,
            step=acting.step,
        )
    )
