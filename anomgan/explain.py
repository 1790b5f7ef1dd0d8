"""Which channels made a window odd, and what was expected instead."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomgan.motion import HIGH, LOW, MOTION, MOVES, SINCE, STUCK, SWINGS
from anomgan.records import Verdict

Onsets = tuple[tuple[float, float, float], ...]
"""by channel: when it went beyond its own normal error, its level before, at which value it was found stuck; NaN where
that is not so. () = none went"""
NO_ONSET = (math.nan, math.nan, math.nan)
SURE_STEPS = 3.0
"""rows within which two onsets are not told apart"""
OWN_SHARE = 0.25
"""of its deviation, that a channel has moved since just before its onset"""
MOST_ONSETS = 12
"""channels of which an event says when they went"""
ROUNDING = 1e-6
"""of another number, below which one is zero"""


def contributions(error: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each channel's share (N, C) of the squared error (N, C) that stands over its usual size; rows sum to 1."""
    total = error.sum(axis=1, keepdims=True)
    share = np.full_like(error, 1.0 / error.shape[1])
    np.divide(error, total, out=share, where=total > 0)
    return share


def leading_channels(contribution: NDArray[np.float32], most: int) -> list[int]:
    """Contributions (C,) -> the indices of the channels that carry 80 % of them, first the most, at most `most`."""
    order = np.argsort(-contribution, kind="stable")[:most]
    before = np.concatenate([[0.0], np.cumsum(contribution[order])[:-1]])
    return [int(i) for i, so_far in zip(order, before, strict=True) if so_far < 0.8]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of one channel: what was seen and expected, in `unit`; the rest is NaN or empty where not known.

    before: the level before the onset. low, high: the extremes since. onset_s: when it went beyond its own error.
    """

    channel: str
    seen: float
    meant: float
    unit: str = ""
    before: float = math.nan
    low: float = math.nan
    high: float = math.nan
    motion: float = MOVES
    onset_s: float = math.nan


def onsets_of(known: Onsets, verdict: Verdict, *, keep: bool = False) -> Onsets:
    """Since when each channel is beyond its own error, after one verdict more; the earliest word of a stretch counts.

    With `keep`, channels that are back within their error keep their onset: the stretch is an event's.
    """
    if verdict.course is None:
        return known if keep else ()
    if len(known) != len(verdict.channels):  # nothing, or of another model's channels
        known = (NO_ONSET,) * len(verdict.channels)
    after = []
    for before, (since, level, low, _, motion) in zip(known, verdict.course.tolist(), strict=True):
        if math.isnan(since):
            after.append(before if keep else NO_ONSET)
            continue
        onset_s, level = (verdict.time_s - since, level) if math.isnan(before[0]) else before[:2]
        after.append((onset_s, level, low if motion == STUCK else before[2]))
    return tuple(after)


def in_order(channels: Sequence[str], onsets: Onsets) -> tuple[tuple[str, float], ...]:
    """The channels that went beyond their own error, and when: first the first, at most MOST_ONSETS."""
    if len(onsets) != len(channels):
        return ()  # of another model, which has taken over or been there before
    went = [(name, onset[0]) for name, onset in zip(channels, onsets, strict=True) if not math.isnan(onset[0])]
    return tuple(sorted(went, key=lambda one: one[1])[:MOST_ONSETS])


def finding(
    channel: str,
    seen: float,
    meant: float,
    unit: str,
    course: NDArray[np.float32] | None,
    onsets: Onsets,
    index: int,
) -> Finding:
    """What is known of one channel: of the oddest verdict, and since when."""
    onset_s, before, stuck = onsets[index] if onsets else NO_ONSET
    one = Finding(channel, float(seen), float(meant), unit, before, onset_s=onset_s)
    if course is None or math.isnan(course[index, SINCE]):
        return one
    low, high, motion = (float(course[index, at]) for at in (LOW, HIGH, MOTION))
    still = low == high == stuck  # once the whole window stands still, it alone cannot tell that this is odd
    return replace(one, low=low, high=high, motion=STUCK if still else motion)


def reason(findings: Sequence[Finding], surprise: float, step_s: float = 0.0) -> str:
    """One plain sentence, the channel that went first first, where they went one after another:
    "pressure fell to 0.21 bar where 0.93 was expected, 14 s before flow; flow fell to 3.1 l/min where 31 was expected".
    """
    # stable: channels of which nothing is known stay where they are, behind those that are known
    ordered = sorted(findings, key=lambda one: math.inf if math.isnan(one.onset_s) else one.onset_s)
    parts = [_say(one) for one in ordered]
    parts[0] += _lead(ordered, step_s)
    odds = (
        f"about one normal window in {10**surprise:,.0f} looks this odd"
        if surprise < 9
        else "no normal window looks like this"
    )
    return f"{'; '.join(parts)} ({odds})"


def _lead(ordered: Sequence[Finding], step_s: float) -> str:
    """ ", 14 s before flow", where both moved by themselves, and farther apart than two onsets can be told apart."""
    if len(ordered) < 2 or "is" in (_verb(ordered[0]), _verb(ordered[1])):
        return ""
    lead_s = ordered[1].onset_s - ordered[0].onset_s
    return f", {_duration(lead_s)} before {ordered[1].channel}" if lead_s >= max(SURE_STEPS * step_s, 1e-3) else ""


def _say(one: Finding) -> str:
    """One channel: "pressure fell to 0.21 bar where 0.93 was expected"; no more than what the values show."""
    suffix = f" {one.unit}" if one.unit else ""
    digits = _digits(one.seen, one.meant)
    meant = _number(one.meant, digits)
    if math.isnan(one.seen):
        return f"{one.channel} is missing where {meant}{suffix} was expected"
    seen = _number(_rounded(one.seen, one.meant), digits)
    if one.motion == SWINGS:
        low, high, digits = _rounded(one.low, one.high), _rounded(one.high, one.low), _digits(one.low, one.high)
        seen = f"{_number(low, digits)} and {_number(high, digits)}"
    return f"{one.channel} {_verb(one)} {seen}{suffix} where {meant} was expected"


def _rounded(value: float, other: float) -> float:
    """0 where a value is nothing beside another: what 32 bits have left of zero."""
    return 0.0 if abs(value) < ROUNDING * abs(other) < math.inf else value


def _verb(one: Finding) -> str:
    """ "fell to" and "rose to" are said of a channel that moved itself; where the others moved, it only "is" there."""
    if one.motion == SWINGS:
        return "swings between"
    moved, off = one.seen - one.before, one.seen - one.meant
    if moved * off > 0 and abs(moved) >= OWN_SHARE * abs(off):
        return "fell to" if off < 0 else "rose to"
    return "is stuck at" if one.motion == STUCK else "is"


def _duration(seconds: float) -> str:
    """14 s, 3 min, 5 h: two digits and more are enough."""
    for size, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 2 else f"{seconds:.2g} s"


def _digits(seen: float, meant: float) -> int:
    """Four significant digits, or as many more as show two digits of the difference."""
    difference = abs(seen - meant)
    if not 0.0 < difference < math.inf:
        return 4
    alike = math.log10(max(abs(seen), abs(meant))) - math.log10(difference)
    return min(max(4, math.ceil(alike) + 2), 9)


def _number(value: float, digits: int) -> str:
    """So many significant digits, written out: 101300, not 1.013e+05."""
    return f"{float(f'{value:.{digits}g}'):.15g}"
