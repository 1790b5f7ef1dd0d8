"""One device's windowing state, from the detector that made it to the one that goes on.

A state holds rows as the old detector's scaler saw them. Scaling can be undone, so the rows are brought back to the
channels' units and scaled anew: exactly but for float32 rounding (a ten-millionth of the scaled value). Channels are
matched by name; one that only the new detector knows has no past and reads as missing. Where the new window is longer
than the old one, its older rows are not known, and the warm-up goes on from the rows that there are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats
from anomgan.scaling import Scaler, scale, unscale
from anomgan.windows import Rows, WindowRule, WindowState, empty_state


class Maker(NamedTuple):
    """What made a state: channels in their order, scaler and window rule of a detector."""

    channels: tuple[str, ...]
    scaler: Scaler
    rule: WindowRule


def hand_over(before: Maker, after: Maker, state: WindowState) -> WindowState:
    """The state that `after` goes on with, from one that `before` made."""
    length, count = after.rule.window, len(after.channels)
    empty = empty_state(count, after.rule)
    if state.run == 0 or not set(before.channels) & set(after.channels):
        return empty._replace(last_s=state.last_s)
    run = state.run if length <= before.rule.window else min(state.run, before.rule.window)
    known = state.rows[:, -min(length, before.rule.window) :]
    rows, held, age = empty.rows, empty.held, np.full(count, np.iinfo(np.int32).max, np.int32)
    rows[:, length - known.shape[1] :] = _rescaled(before, after, known.T).T
    held[:] = _rescaled(before, after, state.held[None])[0]
    for c, name in enumerate(after.channels):
        if name in before.channels:
            age[c] = state.age[before.channels.index(name)]
    return WindowState(rows, held, age, run, state.last_s)


def _rescaled(before: Maker, after: Maker, scaled: Rows) -> NDArray[np.float32]:
    """(T, C before) -> (T, C after); a channel that is new reads NaN."""
    units: Floats = unscale(before.scaler, scaled)
    moved = np.full((len(scaled), len(after.channels)), np.nan)
    for c, name in enumerate(after.channels):
        if name in before.channels:
            moved[:, c] = units[:, before.channels.index(name)]
    return scale(after.scaler, moved)
