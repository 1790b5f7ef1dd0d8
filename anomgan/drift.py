"""A device's threshold follows slow change: how odd its everyday windows are, tracked over hours.

On the data that calibrated, a quarter of all windows has a surprise above log10(4). What a device's own upper quartile
has come to is tracked by stochastic approximation (Robbins & Monro 1951, of the quantile loss): up by one step for each
window above it, down by a third of that for each below, in balance when a quarter is above. The step is what makes it
safe: steps add up to `decades` in `hours` if every single window is above, so that no fault, however it grows, raises
the threshold faster. The threshold stands above the model's own by what the quartile stands above log10(4), never
below it. Windows that are anomalous themselves are not followed.
"""

import math
from dataclasses import dataclass

from anomgan.config import AdaptConfig

QUARTILE = math.log10(4.0)
"""the surprise that a quarter of normal windows exceeds"""
DOWN = 1.0 / 3.0
"""a step down as a share of one up: one window in four is above when they balance"""
MARKS = 8
"""how often in a time constant the level is noted, so that it can be taken back"""


@dataclass(frozen=True, slots=True)
class Drift:
    """Of one device: the newest window that was followed, the level above QUARTILE in decades, and what it was at
    earlier times, (time, level) from a time constant ago on."""

    time_s: float
    level: float = 0.0
    marks: tuple[tuple[float, float], ...] = ()


def raised(drift: Drift | None) -> float:
    """By how much a threshold stands above the model's, in whole hundredths: nobody need see it creep, and rounding in
    the last digit of a surprise does not show."""
    return 0.0 if drift is None else round(drift.level, 2)


def follow(rule: AdaptConfig, before: Drift | None, time_s: float, surprise: float, longest_s: float) -> Drift:
    """One more normal window; a gap counts as `longest_s`, because nothing was seen of it."""
    if before is None:
        return Drift(time_s, marks=((time_s, 0.0),))
    constant_s = rule.hours * 3600.0
    step = rule.decades * min(time_s - before.time_s, longest_s) / constant_s
    moved = before.level + (step if surprise > QUARTILE + before.level else -DOWN * step)
    level = min(max(moved, 0.0), rule.most_decades)
    marks = before.marks
    if time_s - marks[-1][0] >= constant_s / MARKS:
        old = [mark for mark in marks if mark[0] < time_s - constant_s]
        marks = (*marks[max(0, len(old) - 1) :], (time_s, level))
    return Drift(time_s, level, marks)


def taken_back(rule: AdaptConfig, drift: Drift, start_s: float) -> Drift:
    """As if nothing had been learned in the time constant before a fault was seen at `start_s`, nor since."""
    earlier = [level for time_s, level in drift.marks if time_s <= start_s - rule.hours * 3600.0]
    level = earlier[-1] if earlier else drift.marks[0][1]
    return Drift(
        drift.time_s,
        min(level, drift.level),
        tuple(mark for mark in drift.marks if mark[0] <= start_s) or drift.marks[:1],
    )
