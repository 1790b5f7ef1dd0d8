"""What a device kind is: its channels, its parameters, and a pure step from one state to the next.

A kind works on all its devices at once: D devices, arrays (D,). It sees no clock and no random state: time comes in as
moments of the almanac, chance as drawn numbers. Sensors (bias, noise, resolution, range) are alike for all kinds and
are added here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from anomgan.config import Table
from anomgan.records import Floats
from anomgan.simulate.almanac import Moments

DECIMALS = 6
"""of a resolution, at most"""
G = TypeVar("G", bound=Table)
"""settings: the `[devices.settings]` of the kind"""
P = TypeVar("P")
"""parameters of the D devices: a record of arrays (D,)"""
S = TypeVar("S")
"""state of the D devices: a record of arrays (D,)"""


@dataclass(frozen=True, slots=True)
class Channel:
    """One sensor. noise, bias: standard deviations, in `unit`; a device's bias is drawn once; low, high: its range.

    resolution: the step in which it tells its value, 0 = as it comes.
    """

    name: str
    unit: str
    resolution: float
    noise: float
    low: float
    high: float
    bias: float = 0.0
    digital: bool = False
    """a contact (0 or 1): it can stick, but neither drift nor be noisy"""
    lively: bool = True
    """it moves within a minute, so that a sensor that sticks can be told from one that works"""
    counter: bool = False
    """a register that only rises: it can stop, jump or run at another pace, but is neither noisy nor goes to and fro"""


@dataclass(frozen=True, slots=True)
class ProcessFault:
    """A fault of the machine itself, which spreads through the physics. Severity 1 is plain to see in a plot."""

    name: str
    channels: tuple[str, ...]
    """those that show it, first the most"""
    least_s: float = 0.0
    """one by chance lasts at least so long, or it may pass before it shows"""
    graded: bool = True
    """False: it is there or not, so that severity, ramp and recovery mean nothing"""
    signed: bool = False
    """whether a negative severity is its opposite"""
    shows: Callable[[Floats], NDArray[np.bool_]] | None = None
    """the kind's course (R, I, D) -> (R, D), when it could show at all: a machine at rest hides it; None = always"""


class Inputs(NamedTuple):
    """What acts on the devices during one period.

    course (I, D) what the kind's `course` says of this time; shocks (K, D) standard normal; chances (U, D) in [0, 1);
    faults (F, D) the severity of each process fault, 0 = healthy.
    """

    course: Floats
    shocks: Floats
    chances: Floats
    faults: Floats


@dataclass(frozen=True, slots=True)
class Kind(Generic[G, P, S]):
    """A device kind: `KINDS` in simulate/kinds names them all."""

    name: str
    channels: tuple[Channel, ...]
    process_faults: tuple[ProcessFault, ...]
    settings: type[G]
    traits: int
    """standard normal numbers that make one device differ from the next"""
    shocks: int
    chances: int
    parameters: Callable[[G, Floats], P]
    """(settings, traits (D, N)) -> parameters"""
    course: Callable[[P, Moments], Floats]
    """(parameters, R moments) -> what time alone decides (R, I, D)"""
    rest: Callable[[P, Inputs], S]
    """a state that the devices are likely to be in"""
    step: Callable[[P, S, Inputs, float], tuple[S, tuple[Floats, ...]]]
    """(parameters, state, inputs, period_s) -> the state one period later, and what perfect sensors show then:
    C arrays (D,)"""
    max_step_s: float = math.inf
    """`step` cuts a longer period into pieces of at most this length"""

    @property
    def names(self) -> tuple[str, ...]:
        """The channels' names."""
        return tuple(channel.name for channel in self.channels)


def substeps(period_s: float, max_step_s: float) -> tuple[int, float]:
    """How many equal steps of at most `max_step_s` make a period, and how long each is."""
    count = max(1, math.ceil(period_s / max_step_s))
    return count, period_s / count


def within(value: Floats, low: Floats | float, high: Floats | float) -> Floats:
    """The value, or the limit that it exceeds; ten times as fast as numpy's clip for small arrays."""
    return np.minimum(np.maximum(value, low), high)


def wander(value: Floats, shock: Floats, period_s: float, time_constant_s: float) -> Floats:
    """One step of an Ornstein-Uhlenbeck process of variance 1, exact for any period."""
    kept = math.exp(-period_s / time_constant_s)
    return kept * value + math.sqrt(1.0 - kept * kept) * shock


def sense(channels: tuple[Channel, ...], truth: Floats, noise: Floats, traits: Floats) -> Floats:
    """What real sensors make of the truth (D, R, C): noise (D, R, C) and traits (D, C) are standard normal."""
    spread = np.array([channel.noise for channel in channels])
    bias = np.array([channel.bias for channel in channels])
    seen: Floats = truth + noise * spread + (traits * bias)[:, None, :]
    return seen


def quantise(channels: tuple[Channel, ...], values: Floats) -> Floats:
    """Values (..., C) as the sensors tell them: within their range, in whole steps of their resolution."""
    low = np.array([channel.low for channel in channels])
    high = np.array([channel.high for channel in channels])
    return in_steps(np.clip(values, low, high), np.array([channel.resolution for channel in channels]))


def in_steps(values: Floats, step: Floats) -> Floats:
    """Values (..., C) in whole steps (C,); as they come where a step is 0."""
    stepped = step > 0
    whole = np.where(stepped, step, 1.0)
    # the nearest double to the decimal number, so that 0.3 is printed as 0.3
    told: Floats = np.round(np.rint(values / whole) * whole, DECIMALS)
    return told if stepped.all() else np.where(stepped, told, values)
