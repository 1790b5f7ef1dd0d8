"""What in training data looks like a sick sensor: it is learned from all the same, and told.

Training data are said to be normal, so no row is left out behind anybody's back; but an error code or a sensor that
stuck for an hour, learned as normal, makes a worse model. Two things can be told from values alone:

- an error code (-127, 65535, ...) farther from all other values of its channel than these are from each other;
- a channel that stood still once, inside its usual range, ten times as long as ever else.
"""

from collections.abc import Sequence

import numpy as np

from anomgan.quality.cell import ERROR_CODES
from anomgan.quality.issues import shown, span
from anomgan.quality.limits import FEWEST_LEVELS, MISSED_CHANGES, USUAL, runs_of
from anomgan.records import Floats, TimeSeries
from anomgan.scaling import usable

ONCE = 10.0
FEWEST_ROWS = 32


def suspicious(series: Sequence[TimeSeries]) -> list[str]:
    """A sentence on each channel of each series whose values look like a sick sensor's."""
    found = []
    for number, one in enumerate(series):
        where = one.device or (f"series {number + 1}" if len(series) > 1 else "")
        for c, channel in enumerate(one.channels):
            column = usable(one.values[:, c])
            there = ~np.isnan(column)
            values, times = column[there], one.times[there]
            sentences = (_error_codes(values), _stood_still(values, times))
            found += [f"{where + ': ' if where else ''}{channel} {sentence}" for sentence in sentences if sentence]
    return found


def _error_codes(values: Floats) -> str:
    codes = np.isin(values, list(ERROR_CODES))
    others = values[~codes]
    if not codes.any() or len(others) == 0:
        return ""
    low, high = float(others.min()), float(others.max())
    room = max(high - low, 1e-9)
    far = codes & ((values < low - room) | (values > high + room))
    if not far.any() or np.count_nonzero(far) * 2 > len(values):
        return ""
    names = ", ".join(shown(code) for code in np.unique(values[far]))
    rows, usual = np.count_nonzero(far), f"{shown(low)} to {shown(high)}"
    return f"reads {names} in {rows} rows, an error code of sensors, where all else is {usual}"


def _stood_still(values: Floats, times: Floats) -> str:
    if len(values) < FEWEST_ROWS or len(np.unique(values)) < FEWEST_LEVELS:
        return ""
    levels, lengths = runs_of(values)
    longest = int(np.argmax(lengths))
    rest = np.delete(lengths, longest)
    low, high = np.quantile(values, USUAL)
    enough = max(FEWEST_ROWS, MISSED_CHANGES * float(rest.mean()), ONCE * float(rest.max()))
    if lengths[longest] < enough or not low < levels[longest] < high:
        return ""
    first = int(lengths[:longest].sum())
    last = first + int(lengths[longest]) - 1
    lasted = span(float(times[last] - times[first]))
    return f"stood at {shown(levels[longest])} for {lasted}, {int(lengths[longest])} rows from {times[first]:.0f} s on"
