"""Sick channels of a whole fleet: stuck, out of range, missing, another unit, a counter that began anew.

What a channel reads is fed to the model unless its sensor, and not the process, must be to blame:

- out of range: beyond the physical range; or an error code (-127, 65535, ...) far outside the usual range, reached by
  a leap;
- stuck: too many equal values in a row (see `limits`), of an ordinary value: strictly inside the usual range, at no
  level where the channel rests, and not reached by a leap. What leaps to a value and stays, or stands at an end of its
  range, is a process that stopped or saturated. A channel that starts again soon after it was called stuck is given
  twice as many rows from then on, up to 32 times;
- unit jump: within one reading far out of the usual range, to where another unit would put the same quantity. That is
  a suspicion for a few readings (see `units`); those of a rise are masked, those of a fall pass. If its moves, or a
  value that no unit explains, acquit it, the process did it;
- missing: it says nothing for too long; it reads as missing anyway, and is told;
- a state that training never saw: states are context, which the model does not judge, so this is where it is told. It
  passes as it is. One that comes back soon stays open, twice as long each time. A number that no state has says that
  the channel is none: it had only not moved in training;
- counters that begin anew: see `counters`.

Sick values become NaN. The rules are cheap vectors over the whole batch; only channels that are suspicious or sick are
walked through reading by reading (see `cell`). Letters: n readings, C channels, G devices in the batch.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomgan.groups import Groups, group, put, take
from anomgan.growth import room_for
from anomgan.quality.cell import (
    CELL,
    ERROR_CODES,
    NEW_STATE,
    NO_STATE,
    OK,
    OUT_OF_RANGE,
    SILENT,
    STUCK,
    UNIT_JUMP,
    ChannelRule,
    Look,
    told_open,
    walk,
)
from anomgan.quality.counters import COUNTER, continue_counter
from anomgan.quality.issues import Change
from anomgan.quality.limits import Limits
from anomgan.quality.units import conversions
from anomgan.records import Floats

FAR_LEAPS, FAR_RANGES = 30.0, 2.0
"""a jump to another unit is at least so many of the largest usual moves, or goes beyond the usual range by its ratio to
that power"""
SMOOTH, LEAPT, FIRST = range(3)
"""how a run of equal values began"""
ORDINARY = 5.0
"""mean moves; a larger one is a leap: a sensor sticks where it is, what leaps and stays is the process"""
MOST_ROWS = int(np.iinfo(np.int32).max)
CODES = np.array(sorted(ERROR_CODES))
NEAR_REST = 0.02
"""of the usual range"""


class ChannelHealth:
    """Of each device and channel a CELL, of each counter a COUNTER."""

    def __init__(self, limits: Limits) -> None:
        of = limits.of
        self._low, self._high = (np.array([getattr(one, key) for one in of]) for key in ("low", "high"))
        self._least, self._most = (np.array([getattr(one, key) for one in of]) for key in ("least", "most"))
        self._leap = np.array([max(one.leap, one.step) for one in of])
        measured = np.array([one.kind == "measured" for one in of])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.where(self._low > 0, (self._high / self._low) ** FAR_RANGES, np.inf)
            self._far_low, self._far_high = self._low / ratio, self._high * ratio
        room = 0.5 * (self._high - self._low)
        lowest = np.where(self._low > 0, np.maximum(self._low - room, self._far_low), self._low - room)
        self._wide_low = np.where(measured, lowest, -np.inf)
        self._wide_high = np.where(measured, self._high + room, np.inf)
        self._hop = np.array([ORDINARY * one.step for one in of])
        self._stuck_after = np.array([one.stuck_after or np.inf for one in of])
        self._missing_after = np.array([one.missing_after or np.inf for one in of])
        most = max((len(one.resting) for one in of), default=0)
        self._resting = np.array([[*one.resting, *[np.nan] * (most - len(one.resting))] for one in of])  # (C, R)
        self._flags = np.array([c for c, one in enumerate(of) if one.states], np.int64)
        most = max((len(one.states) for one in of), default=0)
        known = [[*of[c].states, *[np.nan] * (most - len(of[c].states))] for c in self._flags.tolist()]
        self._states = np.array(known).reshape(len(known), most)  # (C', S)
        self._near = NEAR_REST * (self._high - self._low)
        self.counters = [c for c, one in enumerate(of) if one.kind == "counter"]
        self._rules = [
            ChannelRule(
                index=c,
                name=limits.channels[c],
                unit=f" {limits.units[c]}" if limits.units[c] else "",
                limits=one,
                conversions=conversions(limits.units[c]),
                low=float(self._wide_low[c]),
                high=float(self._wide_high[c]),
                leap=float(self._leap[c]),
                period_s=limits.period_s,
            )
            for c, one in enumerate(of)
        ]
        self.conversions = [len(rule.conversions) for rule in self._rules]
        self.cells = self._blank(0)
        self.counts = np.zeros((0, len(self.counters)), COUNTER)

    def _blank(self, devices: int) -> NDArray[Any]:
        cells = np.zeros((devices, len(self._rules)), CELL)
        for key in ("last", "last_s", "run_s"):
            cells[key] = np.nan
        return cells

    def reserve(self, devices: int) -> None:
        """Make room for so many devices in all."""
        room = len(self.cells)
        if devices > room:
            more = room_for(devices, room) - room
            self.cells = np.concatenate([self.cells, self._blank(more)])
            self.counts = np.concatenate([self.counts, np.zeros((more, len(self.counters)), COUNTER)])

    def keep(self, numbers: NDArray[np.int64]) -> None:
        """Let go of all devices but these (K,), which are numbered anew in that order."""
        self.cells, self.counts = self.cells[numbers], self.counts[numbers]

    def push(self, who: NDArray[np.int64], times: Floats, values: Floats) -> tuple[Floats, list[Change], Counter[str]]:
        """Readings of devices `who` (n,) at times (n,), rising for each device, with values (n, C).

        Returns the values to feed (n, C), the issues that open or close, and how many values were masked, by kind.
        """
        masked: Counter[str] = Counter()
        if len(who) == 0:
            return values, [], masked
        batch = group(who)
        t, v = times[batch.order], values[batch.order]
        cells = take(self.cells, batch.numbers)  # (G, C)
        past = _past(batch, t, v, cells, self._hop)
        look = self._judge(batch, v, past, cells)
        walked = batch.any((look.code != OK) | look.leaving) | (cells["kind"] != OK) | (cells["unit"] > 0)
        _remember(batch, t, v, past, cells)
        fed = v.copy()
        changes: list[Change] = []
        for g, c in np.argwhere(walked).tolist():
            rows = range(int(batch.first[g]), int(batch.last[g]) + 1)
            number, cell = int(batch.numbers[g]), cells[g, c]
            changes += walk(self._rules[c], number, cell, rows, t, v[:, c], look.of(c), fed[:, c], masked)
        put(self.cells, batch.numbers, cells)
        for k, c in enumerate(self.counters):
            states = self.counts[batch.numbers, k]  # a copy
            changes += continue_counter(self._rules[c], states, batch, t, v[:, c], look.prev[:, c], fed[:, c])
            self.counts[batch.numbers, k] = states
        out = np.empty_like(fed)
        out[batch.order] = fed
        return out, changes, masked

    def _judge(self, batch: Groups, v: Floats, past: "Past", cells: NDArray[Any]) -> Look:
        """What the rules say of each value (n, C) by itself."""
        outside = (v < self._wide_low) | (v > self._wide_high)  # false for NaN, as all that follow
        beyond = (v < self._least) | (v > self._most)
        leaving = np.zeros_like(outside)
        if outside.any():
            beyond[outside] |= (past.began[outside] != SMOOTH) & np.isin(v[outside], CODES)
            far = (past.jump > FAR_LEAPS * self._leap) | (v < self._far_low) | (v > self._far_high)
            least = np.where(np.abs(v) > np.abs(past.prev), self._high - self._low, 0.0)  # a fall ends at 0
            far &= past.jump > np.maximum(3.0 * self._leap, least)
            leaving = outside & far & (past.prev >= self._wide_low) & (past.prev <= self._wide_high)
        frozen = past.run >= self._stuck_after
        if frozen.any():
            allowed = self._stuck_after * 2.0 ** batch.spread(cells["lenient"])
            frozen &= (past.run >= allowed) & (past.began != LEAPT) & (v > self._low) & (v < self._high)
            i, c = np.nonzero(frozen)
            frozen[i, c] = ~np.any(np.abs(v[i, c, None] - self._resting[c]) <= self._near[c, None], axis=1)
        gone = past.missing >= self._missing_after
        code = np.zeros(v.shape, np.int8)
        if len(self._flags):
            told = v[:, self._flags]
            new = ~((told[:, :, None] == self._states).any(axis=2) | np.isnan(told))
            if new.any():
                new &= batch.spread(cells["lenient"])[:, self._flags] != NO_STATE
                code[:, self._flags] = NEW_STATE * new
        for rule, name in ((gone, SILENT), (frozen, STUCK), (beyond, OUT_OF_RANGE)):
            code[rule] = name
        return Look(past.prev, past.prev_s, past.run, past.run_s, code, leaving)

    def open_issues(self, numbers: Sequence[int]) -> list[Change]:
        """What is open of some devices."""
        changes = []
        for i, c in np.argwhere(self.cells["kind"][list(numbers)] != OK).tolist():
            number = numbers[i]
            cell = self.cells[number, c]
            value = float(cell["last"] if cell["kind"] == UNIT_JUMP else cell["evidence"])
            changes.append(told_open(self._rules[c], number, cell, value, int(cell["run"])))
        return changes


class Past(NamedTuple):
    """What came before each value (n, C), and the run of equal values that it stands in.

    prev, prev_s: the value before and its time; jump: how far from it; run: equal values in a row so far, since run_s,
    and how that began; missing: readings since a value.
    """

    prev: Floats
    prev_s: Floats
    jump: Floats
    run: NDArray[np.int64]
    run_s: Floats
    began: NDArray[np.int8]
    missing: NDArray[np.int64]


def _past(batch: Groups, t: Floats, v: Floats, cells: NDArray[Any], hop: Floats) -> Past:
    """The past of values v (n, C) at times t (n,), in order of devices, whose cells (G, C) are of before the batch."""
    valid = ~np.isnan(v)
    if batch.single:
        prev, prev_s = cells["last"].copy(), cells["last_s"].copy()
        jump = np.abs(v - prev)
        change = valid & (v != prev)
        run = np.where(change, 1, cells["run"].astype(np.int64) + valid)
        run_s = np.where(change, t[:, None], cells["run_s"])
        began = np.where(change, _how(jump, prev, hop), cells["began"])
        missing = np.where(valid, 0, cells["missing"].astype(np.int64) + 1)
        return Past(prev, prev_s, jump, run, run_s, began, missing)
    row, start = np.arange(len(t))[:, None], batch.first[batch.of][:, None]
    newest = np.maximum.accumulate(np.where(valid, row, -1), axis=0)
    before = np.concatenate([np.full((1, v.shape[1]), -1), newest[:-1]])
    here, at = before >= start, np.maximum(before, 0)  # the value before stands in this batch
    prev = np.where(here, np.take_along_axis(v, at, axis=0), batch.spread(cells["last"]))
    prev_s = np.where(here, t[at], batch.spread(cells["last_s"]))
    jump = np.abs(v - prev)
    changed = np.maximum.accumulate(np.where(valid & (v != prev), row, -1), axis=0)
    fresh, at = changed >= start, np.maximum(changed, 0)  # the run began in this batch
    count = np.cumsum(valid, axis=0)
    since = np.where(fresh, np.take_along_axis(count, at, axis=0) - 1, (count - valid)[start[:, 0]])
    run = np.where(fresh, 0, batch.spread(cells["run"])) + count - since
    run_s = np.where(fresh, t[at], batch.spread(cells["run_s"]))
    how = np.take_along_axis(_how(jump, prev, hop), at, axis=0)
    began = np.where(fresh, how, batch.spread(cells["began"]))
    missing = np.where(newest >= start, row - newest, batch.spread(cells["missing"]) + row - start + 1)
    return Past(prev, prev_s, jump, run, run_s, began, missing)


def _how(jump: Floats, prev: Floats, hop: Floats) -> NDArray[np.int8]:
    """How a run would begin with each value."""
    return np.where(jump > hop, LEAPT, np.where(np.isnan(prev), FIRST, SMOOTH)).astype(np.int8)


def _remember(batch: Groups, t: Floats, v: Floats, past: Past, cells: NDArray[Any]) -> None:
    """Bring the past in cells (G, C) up to each device's last row."""
    missing = batch.at_last(past.missing)
    at = batch.last[:, None] - missing  # the row of the newest value
    ever = at >= batch.first[:, None]
    at = np.maximum(at, 0)
    cells["last"] = np.where(ever, np.take_along_axis(v, at, axis=0), cells["last"])
    cells["last_s"] = np.where(ever, t[at], cells["last_s"])
    cells["run_s"], cells["began"] = batch.at_last(past.run_s), batch.at_last(past.began)
    cells["run"] = np.minimum(batch.at_last(past.run), MOST_ROWS)
    cells["missing"] = np.minimum(missing, MOST_ROWS)
