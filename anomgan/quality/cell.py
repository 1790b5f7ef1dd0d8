"""One channel of one device that is suspicious or sick, reading by reading: its issues open and close.

What is wrong with a value is given by the vectors of `channels`; here it is decided what that means in its course: a
suspected unit is confirmed or acquitted, an issue closes after CALM good values, and a stuck channel that starts again
soon is given more time.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomgan.quality.issues import Change, shown, span
from anomgan.quality.limits import ChannelLimits
from anomgan.quality.units import LONGEST, Conversion, believe, explain_jump
from anomgan.records import Floats, IssueKind, IssueState
from anomgan.roles import is_state

CALM = 32
"""good values that close an issue"""
CERTAIN = LONGEST + 2
SHORT = 4.0
"""times the limit that a stuck channel lasts at least; a shorter spell makes the limit more lenient"""
MOST_LENIENT = 5
MOST_CALM = 9
"""powers of two by which a new state that keeps coming back stays open longer"""
NO_STATE = 99
"""of `lenient`: a channel that was taken for a state, for it never moved in training, and is none"""

ERROR_CODES = frozenset(
    (
        *(85.0, -127.0, 999.0, -999.0, 9999.0, -9999.0, 65535.0, 6553.5, 655.35, 32767.0, -32768.0, 3276.7, -3276.8),
        *(327.67, -327.68, 2147483647.0, -2147483648.0, 4294967295.0),
    )
)
"""what sensors, registers and drivers say instead of a value"""

OK, OUT_OF_RANGE, STUCK, SILENT, UNIT_JUMP, NEW_STATE, SUSPECT = range(7)
KINDS: tuple[IssueKind, ...] = ("silent", "out_of_range", "stuck", "silent", "unit_jump", "new_state")
"""by code; OK stands for none"""

CELL = np.dtype(
    [
        ("last", "<f8"),  # the newest value, and when
        ("last_s", "<f8"),
        ("run_s", "<f8"),  # since when it is the same, how often, how that began
        ("run", "<i4"),
        ("began", "i1"),
        ("missing", "<i4"),  # readings since the newest value
        ("kind", "i1"),  # the open issue: its code, since and until when, a number to tell it by, good values since
        ("start_s", "<f8"),
        ("end_s", "<f8"),
        ("evidence", "<f8"),
        ("calm", "<i2"),
        ("lenient", "i1"),  # powers of two by which it may stand still longer
        ("unit", "i1"),  # the conversion suspected, 1 the first; since when, the value before; moves since
        ("unit_s", "<f8"),
        ("unit_x", "<f8"),
        ("seen", "<i2"),
        ("moved", "<i2"),
        ("way", "<f4"),
    ]
)


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """What one channel is judged by: its limits, and what follows from them.

    low, high: half a usual range beyond the usual range, or where a positive channel is nearly 0; leap: its largest
    usual move.
    """

    index: int
    name: str
    unit: str
    limits: ChannelLimits
    conversions: tuple[Conversion, ...]
    low: float
    high: float
    leap: float
    period_s: float

    def stuck_after(self, cell: Any) -> int:
        """How many equal values in a row this channel of a device may have."""
        return self.limits.stuck_after << int(cell["lenient"])


class Look(NamedTuple):
    """What the vectors say of each value (n,), or of each of all channels (n, C).

    prev, prev_s: the value before and its time; run, run_s: equal values in a row and since when; code: OK or what is
    wrong; leaving: out of the usual range by a leap.
    """

    prev: Floats
    prev_s: Floats
    run: NDArray[np.int64]
    run_s: Floats
    code: NDArray[np.int8]
    leaving: NDArray[np.bool_]

    def of(self, c: int) -> "Look":
        """One channel's."""
        prev, prev_s, run, run_s, code, leaving = self
        return Look(prev[:, c], prev_s[:, c], run[:, c], run_s[:, c], code[:, c], leaving[:, c])


def walk(
    rule: ChannelRule,
    number: int,
    cell: Any,
    rows: range,
    t: Floats,
    v: Floats,
    look: Look,
    fed: Floats,
    masked: Counter[str],
) -> list[Change]:
    """The rows of a device in order, with times t and values v (n,): the issues that open or close.

    Changes in place: cell; fed (n,), where sick values become NaN; and masked, their number by kind.
    """
    changes: list[Change] = []
    for i in rows:
        value, time_s = float(v[i]), float(t[i])
        own = int(look.code[i])
        if own == STUCK and look.run[i] < rule.stuck_after(cell):
            own = OK  # it has been given more time in this batch
        code = own
        if not math.isnan(value):
            code = _unit(rule, cell, own, value, time_s, i, look)
            if code == NEW_STATE:
                code = _new_state(cell, value)
            fell = code == SUSPECT and own == OK and abs(value) < abs(cell["unit_x"])
            if code not in (OK, NEW_STATE) and not fell:  # processes do fall; none rises that far at once
                fed[i] = np.nan
                masked["suspicion" if code == SUSPECT else KINDS[code]] += 1
        if code == SUSPECT:
            continue
        if code == OK:
            if cell["kind"] and not math.isnan(value):
                if cell["kind"] == STUCK and cell["calm"] == 0:
                    _relent(rule, cell)
                cell["calm"] += 1
                if cell["calm"] >= _calm_for(cell):
                    changes.append(_close(rule, number, cell, time_s))
            continue
        if cell["kind"] != code:
            since_s = {STUCK: look.run_s[i], SILENT: look.prev_s[i], UNIT_JUMP: cell["unit_s"]}.get(code, time_s)
            if code == NEW_STATE:
                cell["lenient"] = min(cell["lenient"] + 1, MOST_CALM)
            if cell["kind"]:
                changes.append(_close(rule, number, cell, time_s))
                since_s = time_s  # one begins where the other ends
            cell["kind"], cell["end_s"] = code, time_s
            cell["start_s"] = time_s if math.isnan(since_s) else since_s
            cell["evidence"] = {SILENT: look.prev[i], UNIT_JUMP: cell["unit_x"]}.get(code, value)
            changes.append(told_open(rule, number, cell, value, int(look.run[i]))._replace(noticed_s=time_s))
        cell["end_s"], cell["calm"] = time_s, 0
    return changes


def _new_state(cell: Any, value: float) -> int:
    """What a value means that is none of the states of training: a new one, or that the channel is no state."""
    if not is_state(value) and value not in ERROR_CODES:
        cell["lenient"] = NO_STATE
    return OK if cell["lenient"] == NO_STATE else NEW_STATE


def _calm_for(cell: Any) -> int:
    """Good values that close the open issue; a new state that came back again and again is given longer."""
    if cell["kind"] != NEW_STATE or cell["lenient"] == NO_STATE:
        return CALM
    return CALM << (int(cell["lenient"]) - 1)


def _relent(rule: ChannelRule, cell: Any) -> None:
    """A stuck channel moves again: if it stood only a little longer than allowed, allow it more."""
    stood_s = float(cell["end_s"] - cell["start_s"])
    if stood_s < SHORT * rule.stuck_after(cell) * rule.period_s and cell["lenient"] < MOST_LENIENT:
        cell["lenient"] += 1


def _unit(rule: ChannelRule, cell: Any, own: int, value: float, time_s: float, i: int, look: Look) -> int:
    """The code of a value with regard to units: its own, SUSPECT or UNIT_JUMP."""
    limits = rule.limits
    usual = limits.high - limits.low
    if not cell["unit"]:
        if not look.leaving[i] or (own == OUT_OF_RANGE and value in ERROR_CODES):
            return own
        steps = max(1.0, (time_s - float(look.prev_s[i])) / rule.period_s)
        tolerance = min(rule.leap * math.sqrt(steps), 0.25 * usual)
        found = explain_jump(rule.conversions, float(look.prev[i]), value, tolerance)
        if found is None:
            return own
        cell["unit"], cell["unit_s"], cell["unit_x"] = found + 1, time_s, look.prev[i]
        cell["seen"], cell["moved"], cell["way"] = 1, 0, 0.0
        return SUSPECT
    conversion = rule.conversions[int(cell["unit"]) - 1]
    certain = cell["seen"] >= CERTAIN
    if rule.low <= value <= rule.high:
        cell["unit"] = 0  # it speaks its own unit again
        return own
    if not limits.low - usual <= conversion.back(value) <= limits.high + usual:
        cell["unit"] = cell["unit"] if certain else 0
        return own
    if certain:
        return UNIT_JUMP
    move = abs(value - float(look.prev[i])) / abs(conversion.scale)
    cell["seen"] += 1
    cell["moved"] += move > 0
    cell["way"] += move
    believed = believe(conversion, limits.step, int(cell["seen"]), int(cell["moved"]), float(cell["way"]))
    if believed is None:
        return SUSPECT
    cell["seen"] = CERTAIN
    if believed:
        return UNIT_JUMP
    cell["unit"] = 0
    return own


# ---------------------------------------------------------------- telling


def told_open(rule: ChannelRule, number: int, cell: Any, value: float, run: int) -> Change:
    """The open issue of a cell; `value` shows it, `run` is how often in a row."""
    code, lasted = int(cell["kind"]), span(float(cell["end_s"] - cell["start_s"]))
    limits, name, unit = rule.limits, rule.name, rule.unit
    if code == STUCK:
        reason = f"{name} has read {shown(value)}{unit} {run} times in a row, for {lasted}, and does not usually stop"
    elif code == SILENT:
        reason = f"{name} has been missing for {lasted} while the device speaks"
    elif code == UNIT_JUMP:
        says = rule.conversions[int(cell["unit"]) - 1].says if cell["unit"] else "in another unit"
        reason = f"{name} jumped from {shown(float(cell['evidence']))} to about {shown(value)}{unit}, as if {says}"
    elif code == NEW_STATE:
        known = ", ".join(map(shown, limits.states))
        reason = f"{name} is {shown(value)}, a state that training never saw, only {known}"
    elif value in ERROR_CODES and math.isfinite(limits.low) and not limits.low <= value <= limits.high:
        usual = f"{shown(limits.low)} to {shown(limits.high)}"
        reason = f"{name} reads {shown(value)}{unit}, an error code of sensors, where {usual} is usual"
    else:
        reason = f"{name} reads {shown(value)}{unit}, outside its range {shown(limits.least)} to {shown(limits.most)}"
    return _change(rule, number, cell, "open", float(cell["end_s"]), reason)


def _close(rule: ChannelRule, number: int, cell: Any, time_s: float) -> Change:
    evidence, lasted = shown(float(cell["evidence"])), span(float(cell["end_s"] - cell["start_s"]))
    reason = {
        STUCK: f"{rule.name} stood at {evidence}{rule.unit} for {lasted}",
        SILENT: f"{rule.name} was missing for {lasted}",
        UNIT_JUMP: f"{rule.name} was sent in another unit for {lasted}",
        NEW_STATE: f"{rule.name} was in a state that training never saw for {lasted}, at first {evidence}",
        OUT_OF_RANGE: f"{rule.name} was out of range for {lasted}, at first at {evidence}{rule.unit}",
    }[int(cell["kind"])]
    change = _change(rule, number, cell, "closed", time_s, reason)
    if cell["kind"] == UNIT_JUMP:
        cell["unit"] = 0
    cell["kind"], cell["calm"] = OK, 0
    return change


def _change(rule: ChannelRule, number: int, cell: Any, state: IssueState, noticed_s: float, reason: str) -> Change:
    start_s, end_s = float(cell["start_s"]), float(cell["end_s"])
    return Change(noticed_s, number, rule.index, KINDS[cell["kind"]], state, start_s, end_s, reason)
