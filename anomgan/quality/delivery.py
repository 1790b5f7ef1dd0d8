"""How a fleet's readings arrive: twice, out of order, late, from a wrong clock, in bursts, or not at all.

Devices whose readings come in order and promptly, as nearly all do, are taken in by vectors over the whole batch; the
others are walked through reading by reading (see `arrival`, which has the rules). Silence is what nobody says: it is
asked for by the clock.

A device is silent after ten sampling periods, three of the longest usual gaps between readings (see `limits`) or a
minute, whichever is longest, or three times what its messages hold: one that sends a hundred readings at a time is
heard once in a hundred periods. A device that was silent longer than that and came back is given twice as long for a
day, up to 32 times, so that one which speaks rarely is not told every time. One that falls silent when it did the day
before is expected back when it came back then: it sleeps.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.config import QualityConfig
from anomgan.groups import Groups, group, take
from anomgan.growth import room_for
from anomgan.quality.arrival import (
    DAY_S,
    END_OF_TIME_S,
    FATES,
    RECENT,
    SILENT,
    SKEW,
    DeliveryRule,
    blank_devices,
    open_issue,
    told_open,
    walk,
)
from anomgan.quality.issues import Change
from anomgan.quality.limits import Limits
from anomgan.records import Floats

LEAST_SILENCE_S = 60.0
PERIODS, GAPS, SPANS = 10.0, 3.0, 3.0
SLACK = 0.1
"""of a night"""


class DeliveryHealth:
    """Of each device a DEVICE."""

    def __init__(self, limits: Limits, config: QualityConfig) -> None:
        silent_after_s = config.silent_after_s
        if silent_after_s is None:
            silent_after_s = max(LEAST_SILENCE_S, PERIODS * limits.period_s, GAPS * limits.gap_s)
        self.rule = DeliveryRule(config.late_s, config.skew_s, silent_after_s, limits.period_s)
        self.judge_clocks = config.judge_clocks
        self.devices: NDArray[Any] = blank_devices(0)

    def reserve(self, devices: int) -> None:
        """Make room for so many devices in all."""
        room = len(self.devices)
        if devices > room:
            self.devices = np.concatenate([self.devices, blank_devices(room_for(devices, room) - room)])

    def keep(self, numbers: NDArray[np.int64]) -> None:
        """Let go of all devices but these (K,), which are numbered anew in that order."""
        self.devices = self.devices[numbers]

    def push(
        self, who: NDArray[np.int64], times: Floats, arrivals: Floats, *, catching_up: bool = False
    ) -> tuple[NDArray[np.int8], list[Change]]:
        """Readings of devices `who` (n,) in order of arrival, with times (n,) and arrivals (n,).

        Readings of one message share its arrival. Catching up, what waited for us comes in, or comes again: then a
        delay says nothing but that a clock is ahead. Returns what becomes of each (n,), by code, and the issues that
        open or close.
        """
        fates = np.zeros(len(who), np.int8)
        changes: list[Change] = []
        if len(who) == 0:
            return fates, changes
        batch = group(who)
        t, a = times[batch.order], arrivals[batch.order]
        d = a - t
        if catching_up or not self.judge_clocks:
            ahead = d - batch.spread(self.devices["offset_s"][batch.numbers]) < -self.rule.skew_s
            d[~ahead | (not self.judge_clocks)] = np.nan
        clean = self._take_clean(batch, t, a, d)
        for g in np.flatnonzero(~clean).tolist():
            rows, number = slice(int(batch.first[g]), int(batch.last[g]) + 1), int(batch.numbers[g])
            device = self.devices[number]
            fates[batch.order[rows]], changed = walk(
                self.rule, number, device, t[rows], a[rows], d[rows], again=catching_up
            )
            changes += changed
        return fates, changes

    def _take_clean(self, batch: Groups, t: Floats, a: Floats, d: Floats) -> NDArray[np.bool_]:
        """(G,) True for the devices whose readings came as they should; those are taken in here."""
        rule, known = self.rule, take(self.devices, batch.numbers)
        rising = (np.abs(t) < END_OF_TIME_S) & (t > batch.spread(known["newest_s"]))
        spans, tail = np.zeros(len(known)), np.ones(len(t), bool)
        if not batch.single:
            spans, tail = _messages(batch, t, a, d, rule.period_s)
            same = batch.of[1:] == batch.of[:-1]
            rising[1:] &= (t[1:] > t[:-1]) | ~same
        expected_s = np.where(np.isnan(known["span_at_s"]), spans, known["span_s"])
        delay = d - batch.spread(known["offset_s"])
        overdue = delay > batch.spread(rule.overdue_after(expected_s))
        off = tail & (np.abs(delay) > 0.5 * rule.skew_s)
        odd = batch.any(~rising | overdue | off | (delay < -rule.skew_s))
        troubles = ~np.isnan(known["start_s"])
        troubles[:, SKEW] = False  # it is over only when the offset changes
        odd |= troubles.any(axis=1) | known["rate"].any(axis=1) | (known["samples"] > 0) | (known["overdue"] > 0)
        self._remember(batch, t, a, known, spans, ~odd)
        return ~odd

    def _remember(
        self, batch: Groups, t: Floats, a: Floats, known: NDArray[Any], spans: Floats, clean: NDArray[np.bool_]
    ) -> None:
        """Bring the clean devices (G,) up to their last row."""
        who, devices = batch.numbers[clean], self.devices
        turn = np.zeros(len(t), np.int64) if batch.single else np.arange(len(t)) - batch.first[batch.of]
        size = batch.last - batch.first + 1
        kept = batch.spread(clean) & (turn >= batch.spread(size) - RECENT)
        place = (batch.spread(known["count"]) + turn) % RECENT
        devices["recent"][batch.numbers[batch.of[kept]], place[kept]] = t[kept]
        heard_s = a if batch.single else np.maximum.reduceat(a, batch.first)
        came_s = a if batch.single else a[batch.first]
        slept = clean & (came_s - known["heard_s"] > self.rule.silent_after_s)
        devices["quiet_s"][batch.numbers[slept]] = np.stack([known["heard_s"], came_s], axis=1)[slept]
        devices["count"][who] += size[clean]
        devices["newest_s"][who] = t[batch.last][clean]
        devices["heard_s"][who] = np.fmax(known["heard_s"], heard_s)[clean]
        outdated = ~(heard_s - known["span_at_s"] <= DAY_S) | (spans >= known["span_s"])
        renewed = clean & outdated
        devices["span_s"][batch.numbers[renewed]] = spans[renewed]
        devices["span_at_s"][batch.numbers[renewed]] = heard_s[renewed]

    def silent(self, now_s: float, listening_since_s: float, known: int) -> list[Change]:
        """Of the first `known` devices, those that have just become silent."""
        devices = self.devices[:known]
        heard_s = np.fmax(devices["heard_s"], listening_since_s)
        patience_s = np.where(now_s - devices["patience_at_s"] <= DAY_S, devices["patience_s"], 0.0)
        after_s = np.maximum(np.maximum(self.rule.silent_after_s, SPANS * devices["span_s"]), patience_s)
        quiet = np.isnan(devices["start_s"][:, SILENT]) & (now_s - heard_s > after_s)
        if quiet.any():
            asleep_s, awake_s = devices["quiet_s"].T + DAY_S
            slack_s = np.maximum(after_s, SLACK * (awake_s - asleep_s))
            quiet &= ~((heard_s >= asleep_s - slack_s) & (now_s <= awake_s + slack_s))
        return [
            open_issue(number, self.devices[number], SILENT, float(heard_s[number]), now_s, now_s)
            for number in np.flatnonzero(quiet).tolist()
        ]

    def open_issues(self, numbers: Sequence[int]) -> list[Change]:
        """What is open of some devices."""
        found = np.argwhere(~np.isnan(self.devices["start_s"][list(numbers)])).tolist()
        return [told_open(numbers[i], self.devices[numbers[i]], kind) for i, kind in found]


def _messages(batch: Groups, t: Floats, a: Floats, d: Floats, period_s: float) -> tuple[Floats, NDArray[np.bool_]]:
    """(G,) the longest span of a message, and (n,) where one ends: its newest reading; the others waited in it.

    Readings that waited for us, with a delay of NaN, are no message's.
    """
    row = np.arange(len(t))
    tail = np.append((batch.of[1:] != batch.of[:-1]) | (a[1:] != a[:-1]) | np.isnan(d[1:]), True)
    opening = np.maximum.accumulate(np.where(np.append(True, tail[:-1]), row, 0))
    held_s = np.where(tail & (opening < row), t - t[opening] + period_s, 0.0)
    return np.maximum.reduceat(held_s, batch.first), tail


def refused(fates: NDArray[np.int8]) -> Counter[str]:
    """How many readings were refused, by what became of them."""
    if not fates.any():
        return Counter()
    found = np.bincount(fates, minlength=len(FATES)).tolist()
    return +Counter({f"dropped.{name}": count for name, count in zip(FATES[1:], found[1:], strict=True)})
