"""A fault with ground truth: what is wrong with which device, from when to when, and how much of it at a time.

`sensor_faults` says what each sensor fault makes of healthy values. A process fault (see the kinds) acts on the machine
instead and reaches the sensors through the physics; its severity is 1 where it is plain to see.
"""

import math
from dataclasses import dataclass

import numpy as np

from anomgan.records import Floats, Source


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one device and when: present at start_s <= t < end_s, seconds after the start of the run.

    channels: for a sensor fault those that lie, for a process fault those that show it most.
    severity: see `sensor_faults`, or 1 = plain to see (process); reached after ramp_s, and falling to nothing in the
    last recovery_s before the end. injected: it was no part of the plan when the run began; stopped_s: it was taken
    away at this time, before its end.
    """

    site: str
    device: str
    kind: str
    channels: tuple[str, ...]
    start_s: float
    end_s: float
    severity: float
    ramp_s: float = 0.0
    recovery_s: float = 0.0
    injected: bool = False
    stopped_s: float = math.inf

    @property
    def over_s(self) -> float:
        """The first moment without it."""
        return min(self.end_s, self.stopped_s)

    @property
    def source(self) -> Source:
        """(site, device)."""
        return (self.site, self.device)


def row_at(seconds: float, period_s: float) -> int:
    """The first row that is not before a time; a millionth of a period is forgiven."""
    return math.ceil(seconds / period_s - 1e-6)


def rows_of(fault: Fault, period_s: float) -> tuple[int, int]:
    """The first row of the fault and the first one after it."""
    return row_at(fault.start_s, period_s), row_at(fault.over_s, period_s)


def strength(fault: Fault, age_s: Floats, period_s: float) -> Floats:
    """(R,) the severity, with its ramp and its recovery, at times since the first row."""
    share = np.ones_like(age_s)
    if fault.ramp_s > 0:
        share = np.minimum(share, age_s / fault.ramp_s)
    if fault.recovery_s > 0:
        first, end = row_at(fault.start_s, period_s), row_at(fault.end_s, period_s)
        share = np.minimum(share, ((end - first) * period_s - age_s) / fault.recovery_s)
    return fault.severity * np.clip(share, 0.0, 1.0)
