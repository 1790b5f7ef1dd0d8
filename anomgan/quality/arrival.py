"""How one device's readings arrive, one after another: what becomes of each, and what that says of the device.

A reading's delay is its arrival minus its own time. What is usual for a device is its offset: 0 until SAMPLES arrivals
in a row, over `skew_s` at least, or FEW_SAMPLES over ten times as long, agree on another one to within half of
`skew_s`. Then the clock is off by that much, and its readings are judged by what is left.

- duplicate: its time is one of the newest RECENT times;
- ahead: more than `skew_s` before its own time, by the device's offset: a single wrong time would make all that follow
  late. It is not used, nor are those after it until they have shown that the clock is off for good;
- out of order, late: its time is before the newest one; late if it came more than `late_s` after its own time;
- else it is taken. If it is overdue by more than `late_s`, and by three times what a message of the device holds, and
  readings come at least twice as fast as they were made, that is a buffered burst: true readings, only late. Nobody
  keeps them for longer than a month: those are a replay.

Refused readings are counted; those that come twice, out of order or late are an issue while they are more than BEGIN
of the device's readings, by an exponential mean over 128.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from anomgan.quality.issues import WHOLE_DEVICE, Change, span
from anomgan.records import Floats, IssueKind, IssueState

TAKEN, DUPLICATE, OUT_OF_ORDER, LATE, AHEAD, BAD_TIME = range(6)
FATES = ("taken", "duplicate", "out_of_order", "late", "clock_ahead", "bad_time")
"""by code: what becomes of a reading"""
KINDS: tuple[IssueKind, ...] = ("silent", "duplicate", "out_of_order", "late", "clock_skew", "buffered_burst")
SILENT, SKEW, BURST = 0, 4, 5
SAYS = ("", "have the time of one before", "come after later ones", "come late, after later ones")
"""of readings that are duplicate, out of order, late, by kind"""
RECENT = 32
SAMPLES, FEW_SAMPLES, LONGER = 16, 3, 10.0
MEMORY = 1 / 128
BEGIN, END, FORGET = 0.25, 0.02, 0.001
FEW_OVERDUE = 5
FASTER = 2.0
DAY_S = 86_400.0
LONGEST_KEPT_S = 30 * DAY_S
END_OF_TIME_S = 1e11
"""the year 5138; what is no number is not before it"""
MOST_PATIENCE = 32.0

DEVICE = np.dtype(
    [
        ("newest_s", "<f8"),  # the newest time taken; the newest ones in a ring, and how many there were
        ("recent", "<f8", (RECENT,)),
        ("count", "<i8"),
        ("heard_s", "<f8"),  # the newest arrival
        ("span_s", "<f8"),  # the longest span of one message, and when it was seen
        ("span_at_s", "<f8"),
        ("patience_s", "<f8"),  # how long it may be silent by its own habit, and when that was learned
        ("patience_at_s", "<f8"),
        ("quiet_s", "<f8", (2,)),  # from when until when it was silent last
        ("offset_s", "<f8"),  # of its clock; the samples that speak for another one
        ("samples", "<i4"),
        ("sampled_s", "<f8"),
        ("least_s", "<f8"),
        ("most_s", "<f8"),
        ("rate", "<f8", (3,)),  # of duplicate, out of order, late; since when
        ("rising_s", "<f8", (3,)),
        ("refused", "<i8", (4,)),  # duplicate, out of order, late, ahead
        ("overdue", "<i4"),  # readings in a row; the first one's time and arrival; the largest delay
        ("overdue_s", "<f8"),
        ("overdue_at_s", "<f8"),
        ("delay_s", "<f8"),
        ("due_s", "<f8"),  # when its health is to be told again though nothing changed
        ("start_s", "<f8", (len(KINDS),)),  # of the open issues, NaN = none; when they showed last
        ("end_s", "<f8", (len(KINDS),)),
    ]
)


@dataclass(frozen=True, slots=True)
class DeliveryRule:
    """The configuration's numbers, with None chosen."""

    late_s: float
    skew_s: float
    silent_after_s: float
    period_s: float

    def overdue_after(self, span_s: Any) -> Any:
        """How late a reading may come where a message holds readings of `span_s` (a number or an array)."""
        return np.maximum(self.late_s, 3.0 * span_s)


def blank_devices(count: int) -> Any:
    """DEVICEs of which nothing is known yet."""
    blank = np.zeros(count, DEVICE)
    blank["newest_s"] = -np.inf
    for key in ("recent", "heard_s", "span_at_s", "patience_at_s", "quiet_s", "due_s", "start_s"):
        blank[key] = np.nan
    return blank


def walk(
    rule: DeliveryRule, number: int, device: Any, t: Floats, a: Floats, d: Floats, *, again: bool
) -> tuple[list[int], list[Change]]:
    """The readings of one device, by time, arrival and delay (n,): what becomes of each, and what opens or closes.

    A delay that is NaN says nothing. again: the broker may send again what it has sent before, which says nothing
    either.
    """
    if np.isnan(device["span_at_s"]):
        _learn_span(rule, device, t, a, d)
    fates: list[int] = []
    changes: list[Change] = []
    newest_of_message = np.append(a[1:] != a[:-1], True)
    readings = zip(t.tolist(), a.tolist(), d.tolist(), newest_of_message.tolist(), strict=True)
    for time_s, at_s, delay, newest in readings:
        changes += _heard(rule, number, device, at_s)
        fate = _fate(rule, device, time_s, delay)
        fates.append(fate)
        if fate == BAD_TIME:
            continue
        if fate != TAKEN:
            device["refused"][fate - 1] += 1
        if not again:
            changes += _rates(number, device, fate, at_s)
        if newest and fate != DUPLICATE and not math.isnan(delay):
            changes += _sample(rule, number, device, delay, at_s)
        if fate == TAKEN:
            if not math.isnan(delay):
                changes += _burst(rule, number, device, time_s, at_s, delay)
            device["newest_s"] = time_s
            device["recent"][device["count"] % RECENT] = time_s
            device["count"] += 1
    _learn_span(rule, device, t, a, d)
    return fates, changes


def _fate(rule: DeliveryRule, device: Any, time_s: float, delay: float) -> int:
    if not abs(time_s) < END_OF_TIME_S:
        return BAD_TIME
    if np.any(device["recent"] == time_s):
        return DUPLICATE
    delay -= float(device["offset_s"])
    if delay < -rule.skew_s:
        return AHEAD
    behind = float(device["newest_s"]) - time_s
    if behind < 0:
        return TAKEN
    return LATE if (behind if math.isnan(delay) else delay) > rule.late_s else OUT_OF_ORDER


def _rates(number: int, device: Any, fate: int, now_s: float) -> list[Change]:
    """Let the shares of what comes twice, out of order and late follow; open and close what they mean."""
    changes = []
    for kind in (DUPLICATE, OUT_OF_ORDER, LATE):
        rate, hit = float(device["rate"][kind - 1]), fate == kind
        if rate == 0.0 and not hit:
            continue
        if rate == 0.0:
            device["rising_s"][kind - 1] = now_s
        rate += MEMORY * (hit - rate)
        device["end_s"][kind] = now_s if hit else device["end_s"][kind]
        if not math.isnan(device["start_s"][kind]):
            if rate < END:
                reason = f"hardly any of its readings {SAYS[kind]} any more"
                changes.append(_close(number, device, kind, now_s, reason))
                rate = 0.0
        elif rate > BEGIN and math.isnan(device["start_s"][SKEW]):  # a wrong clock explains the rest
            changes.append(open_issue(number, device, kind, float(device["rising_s"][kind - 1]), now_s, now_s))
        device["rate"][kind - 1] = rate if rate >= FORGET else 0.0
    return changes


def _sample(rule: DeliveryRule, number: int, device: Any, delay: float, at_s: float) -> list[Change]:
    """One more arrival that tells how far the clock is off."""
    near = 0.5 * rule.skew_s
    if abs(delay - float(device["offset_s"])) <= near:
        device["samples"] = 0
        return []
    low, high = min(float(device["least_s"]), delay), max(float(device["most_s"]), delay)
    if device["samples"] == 0 or high - low > near:
        device["samples"], device["sampled_s"], device["least_s"], device["most_s"] = 1, at_s, delay, delay
        return []
    device["samples"] += 1
    device["least_s"], device["most_s"] = low, high
    lasted_s = at_s - float(device["sampled_s"])
    many = device["samples"] >= SAMPLES and lasted_s >= rule.skew_s
    if not many and (device["samples"] < FEW_SAMPLES or lasted_s < LONGER * rule.skew_s):
        return []
    device["offset_s"], device["samples"] = low, 0
    off, is_open = abs(low) > rule.skew_s, not math.isnan(device["start_s"][SKEW])
    if off and not is_open:
        return [open_issue(number, device, SKEW, float(device["sampled_s"]), at_s, at_s)]
    device["end_s"][SKEW] = at_s
    return [_close(number, device, SKEW, at_s, "its clock is right again")] if is_open and not off else []


def _burst(rule: DeliveryRule, number: int, device: Any, time_s: float, at_s: float, delay: float) -> list[Change]:
    """A reading that is taken: whether it is one of many that were held back."""
    delay -= float(device["offset_s"])
    is_open = not math.isnan(device["start_s"][BURST])
    if not rule.overdue_after(float(device["span_s"])) < delay < LONGEST_KEPT_S:
        count, device["overdue"] = int(device["overdue"]), 0
        if not is_open:
            return []
        lasted = span(float(device["end_s"][BURST] - device["start_s"][BURST]))
        reason = f"{count} readings of {lasted} came at once, up to {span(float(device['delay_s']))} late"
        return [_close(number, device, BURST, at_s, reason)]
    if device["overdue"] == 0:
        device["overdue_s"], device["overdue_at_s"], device["delay_s"] = time_s, at_s, delay
    device["overdue"] += 1
    device["delay_s"] = max(float(device["delay_s"]), delay)
    device["end_s"][BURST] = time_s
    made_s, came_s = time_s - float(device["overdue_s"]), at_s - float(device["overdue_at_s"])
    if is_open or device["overdue"] < FEW_OVERDUE or made_s < FASTER * came_s:
        return []
    return [open_issue(number, device, BURST, float(device["overdue_s"]), time_s, at_s)]


def _heard(rule: DeliveryRule, number: int, device: Any, at_s: float) -> list[Change]:
    """An arrival ends a silence, and teaches how long this device may be silent."""
    gap_s = at_s - float(device["heard_s"])
    if gap_s > rule.silent_after_s:
        device["quiet_s"] = device["heard_s"], at_s
    device["heard_s"] = np.fmax(device["heard_s"], at_s)
    if math.isnan(device["start_s"][SILENT]):
        return []
    lately = at_s - float(device["patience_at_s"]) <= DAY_S
    patience_s = 2.0 * max(rule.silent_after_s, float(device["patience_s"]) if lately else 0.0)
    patience_s = min(patience_s, MOST_PATIENCE * rule.silent_after_s)
    device["patience_s"] = patience_s if math.isnan(gap_s) else max(min(patience_s, 2.0 * gap_s), 0.0)
    device["patience_at_s"] = at_s
    device["end_s"][SILENT] = at_s
    silence = span(at_s - float(device["start_s"][SILENT]))
    return [_close(number, device, SILENT, at_s, f"it was silent for {silence}")]


def _learn_span(rule: DeliveryRule, device: Any, t: Floats, a: Floats, d: Floats) -> None:
    """What one message holds, where a device begins to send more at a time: at most twice as much as before."""
    times = t[(a == a[-1]) & (np.abs(t) < END_OF_TIME_S) & ~np.isnan(d)]
    if len(times) < 2 or times.max() == times.min():
        return
    span_s, fresh = float(times.max() - times.min()) + rule.period_s, bool(np.isnan(device["span_at_s"]))
    span_s = span_s if fresh else min(span_s, 2.0 * max(float(device["span_s"]), rule.period_s))
    if fresh or span_s >= float(device["span_s"]):
        device["span_s"], device["span_at_s"] = span_s, a[-1]


# ---------------------------------------------------------------- telling


def open_issue(number: int, device: Any, kind: int, start_s: float, end_s: float, noticed_s: float) -> Change:
    """An issue of the whole device opens."""
    device["start_s"][kind], device["end_s"][kind] = start_s, end_s
    return told_open(number, device, kind)._replace(noticed_s=noticed_s)


def told_open(number: int, device: Any, kind: int) -> Change:
    """An open issue as it stands."""
    start_s, end_s = float(device["start_s"][kind]), float(device["end_s"][kind])
    if kind == SILENT:
        reason = f"nothing was heard for {span(end_s - start_s)}"
    elif kind == SKEW:
        offset = float(device["offset_s"])
        side = "behind, or its readings are held back that long" if offset > 0 else "ahead"
        reason = f"its clock is {span(abs(offset))} {side}"
    elif kind == BURST:
        reason = f"readings held back for up to {span(float(device['delay_s']))} come at once"
    else:
        reason = f"more than {BEGIN:.0%} of its readings {SAYS[kind]}; they are not used"
    return _change(number, device, kind, "open", end_s, reason)


def _close(number: int, device: Any, kind: int, noticed_s: float, reason: str) -> Change:
    change = _change(number, device, kind, "closed", noticed_s, reason)
    device["start_s"][kind] = np.nan
    return change


def _change(number: int, device: Any, kind: int, state: IssueState, noticed_s: float, reason: str) -> Change:
    start_s, end_s = float(device["start_s"][kind]), float(device["end_s"][kind])
    return Change(noticed_s, number, WHOLE_DEVICE, KINDS[kind], state, start_s, end_s, reason)
