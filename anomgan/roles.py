"""Which channels are measured and which are states: commands, modes, on/off flags.

A state is context, not evidence: that a valve is told to open is no fault, however rarely it happens, and dozens of
such flags drown the one channel that is measured. What a state does to the measured channels is what counts. A channel
is taken for a state when all its training values are whole numbers from 0 to 16, at most 8 different ones; a measured
channel practically never is. One that never changed is a state when it is 0 or 1, as a flag is at rest; at any other
value it is measured, for a set point that moves at last is worth an alarm. Where nothing else is left, every channel is
measured.
"""

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats
from anomgan.scaling import usable

HIGHEST_STATE = 16
MOST_STATES = 8
AT_REST = (0.0, 1.0)


def is_state(value: float) -> bool:
    """Whether a number could be a state."""
    return 0 <= value <= HIGHEST_STATE and value == round(value)


def measured_channels(values: Floats) -> NDArray[np.bool_]:
    """(C,) True where a channel of training values (T, C) is measured, False where it is a state."""
    measured = np.array([not _is_state(column) for column in usable(values).T], dtype=bool)
    return measured if measured.any() else np.ones_like(measured)


def _is_state(column: Floats) -> bool:
    levels = np.unique(column[~np.isnan(column)])
    return (
        0 < len(levels) <= MOST_STATES
        and (len(levels) > 1 or levels[0] in AT_REST)
        and bool(np.all(levels == np.round(levels)))
        and levels[0] >= 0
        and levels[-1] <= HIGHEST_STATE
    )
