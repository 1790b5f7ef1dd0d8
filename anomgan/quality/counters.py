"""Counters that begin anew, fed as if they had gone on.

A counter that falls to less than a tenth of what it was has begun anew: it is continued from there. Where it returns
to where it was within DROPOUT readings, it had only dropped out, and is fed as before. A smaller fall is a correction;
it is no reset and passes as it is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.groups import Groups
from anomgan.quality.cell import ChannelRule
from anomgan.quality.issues import Change, shown
from anomgan.quality.limits import ANEW
from anomgan.records import Floats

DROPOUT = 32
COUNTER = np.dtype(
    [
        ("offset", "<f8"),  # added to what it says
        ("before", "<f8"),  # what it said before it last began anew, and the offset then
        ("undo", "<f8"),
        ("left", "<i2"),  # readings within which it may still return
        ("resets", "<i4"),
    ]
)


def continue_counter(
    rule: ChannelRule,
    states: NDArray[Any],
    batch: Groups,
    t: Floats,
    v: Floats,
    prev: Floats,
    fed: Floats,
) -> list[Change]:
    """One counter of G devices: states (G,) COUNTER and what is fed (n,) are changed in place.

    t, v, prev (n,): time, value and the value before, in order of devices.
    """
    fell = batch.any(v < prev)
    fed += batch.spread(states["offset"])
    changes = []
    for g in np.flatnonzero(fell | (states["left"] > 0)).tolist():
        state, number = states[g], int(batch.numbers[g])
        for i in range(int(batch.first[g]), int(batch.last[g]) + 1):
            value, before, at_s = float(v[i]), float(prev[i]), float(t[i])
            if value < before and value <= ANEW * before:
                state["before"], state["undo"], state["left"] = before, state["offset"], DROPOUT
                state["offset"] += before
                state["resets"] += 1
                reason = (
                    f"{rule.name} fell from {shown(before)} to {shown(value)}{rule.unit}: a counter that began anew"
                )
                changes.append(Change(at_s, number, rule.index, "counter_reset", "closed", at_s, at_s, reason))
            elif state["left"] > 0 and value == value:
                state["left"] -= 1
                if 0 <= value - state["before"] <= DROPOUT * rule.leap:
                    state["offset"], state["left"] = state["undo"], 0
            if fed[i] == fed[i]:  # not masked
                fed[i] = value + state["offset"]
    return changes
