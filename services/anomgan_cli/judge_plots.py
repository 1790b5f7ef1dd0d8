"""Pictures of a judgement, as PNG bytes: faults and events over time, recall by kind, how soon faults are found."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from anomgan.judging import FaultRow, KindRow, Report, ToldEvent
from anomgan.records import Source
from anomgan_cli.plot_style import (
    ALARM,
    ASIDE,
    DASHES,
    FALSE_ALARM,
    GRID,
    INK,
    MUTED,
    OBSERVED,
    SMALL,
    clock,
    figure,
    head,
    image,
    keys_below,
    label_times,
    lanes,
    level,
    short,
    styled,
)

FOUND, MISSED, FALSE = OBSERVED, ALARM, FALSE_ALARM
MOST_LANES = MOST_KINDS = 40
LANE_IN = 0.2
HIGH_IN = 2.8
"""of the chart of the share; the delays stand beside it where they are no higher, else below"""
LEAST_WIDTH = 0.003
"""of the picture: what is shorter is drawn so long, so that it can be seen"""


def pictures(report: Report) -> dict[str, bytes]:
    """By file name; those for which there is something to draw."""
    found: dict[str, bytes] = {}
    if report.rows or report.false_alarms:
        found["timeline.png"] = timeline_png(report)
    if report.kinds:
        found["recall.png"] = recall_png(report)
    if report.total.found:
        found["delay.png"] = delay_png(report)
    return found


def timeline_png(report: Report) -> bytes:
    """A lane per device: faults as blocks, events below them; where devices are many, those with most to tell."""
    devices = _devices(report)
    shown = devices[:MOST_LANES]
    at = {source: lane for lane, source in enumerate(shown)}
    moments = [time_s for row in report.rows for time_s in (row.fault.start_s, row.fault.end_s)]
    moments += [time_s for event in report.false_alarms for time_s in (event.start_s, event.end_s)]
    moments += [time_s for event in report.found_by for time_s in (event.start_s, event.end_s)]
    first_s, last_s = min(moments), min(max(moments), report.now_s or max(moments))
    least_s = (last_s - first_s or 1.0) * LEAST_WIDTH
    with styled():
        drawn = figure(1.3 + LANE_IN * max(len(shown), 3))
        axis = drawn.subplots()

        begins: list[float] = []
        ends: list[float] = []
        heights: list[tuple[float, float]] = []
        colours: list[str] = []

        def bar(source: Source, span: tuple[float, float], up: float, high: float, colour: str) -> None:
            if source in at:
                begins.append(max(span[0], first_s))
                ends.append(max(min(span[1], last_s), span[0] + least_s))
                heights.append((at[source] + up - high / 2, at[source] + up + high / 2))
                colours.append(colour)

        for lane in range(len(shown)):
            axis.axhline(lane, color=GRID, linewidth=0.8, zorder=0)
        lanes(axis, [short("/".join(filter(None, source))) for source in shown])
        for row in report.rows:
            colour = ASIDE if row.aside else MISSED if row.event is None else FOUND
            bar(row.fault.source, (row.fault.start_s, row.fault.end_s), -0.14, 0.36, colour)
        for event, source in _events(report):
            bar(source, (event.start_s, event.end_s), 0.28, 0.2, INK)
        for event in report.false_alarms:
            bar((event.site or "", event.device), (event.start_s, event.end_s), 0.28, 0.2, FALSE)
        # All at once, so that one decision says whether the axis has dates or seconds.
        left_s, right_s = first_s - 5 * least_s, last_s + 5 * least_s
        times = clock(np.array([left_s, right_s, *begins, *ends]))
        axis.set_xlim(times[0], times[1])
        across = axis.convert_xunits(times[2:]).reshape(2, -1)  # type: ignore[no-untyped-call]  # matplotlib's
        corners = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, x1, (y0, y1) in zip(*across, heights, strict=True)]
        axis.add_collection(PolyCollection(corners, facecolors=colours, linewidths=0))
        label_times(axis, left_s)
        hidden = len(devices) - len(shown)
        more = f"{hidden} more devices with less to tell are not shown." if hidden else ""
        total = report.total
        head(drawn, f"{total.found} of {total.faults} faults found, {len(report.false_alarms)} false alarms", more)
        keys: list[Artist] = [
            Patch(color=FOUND, label="fault, found"),
            Patch(color=MISSED, label="fault, missed"),
            Patch(color=INK, label="event on a fault"),
            Patch(color=FALSE, label="false alarm"),
        ]
        if any(row.aside for row in report.rows):
            keys.insert(2, Patch(color=ASIDE, label="fault that does not count (going on, warm-up)"))
        keys_below(drawn, keys)
        return image(drawn)


def recall_png(report: Report) -> bytes:
    """Recall by kind of fault and of device, with exact 95 % intervals."""
    every = (("By kind of fault", report.kinds), ("By kind of device", report.device_kinds))
    groups = [(_of(title, rows), _most(rows)) for title, rows in every if rows]
    heights = [len(rows) + 0.8 for _, rows in groups]
    with styled():
        drawn = figure(1.1 + 0.22 * sum(heights))
        axes = np.atleast_1d(drawn.subplots(len(groups), 1, sharex=True, height_ratios=heights))
        for axis, (title, rows) in zip(axes, groups, strict=True):
            _draw_recall(axis, rows, report.total)
            axis.set_title(title)
        axes[-1].set_xlabel("share of the faults that were found, with its 95 % interval")
        axes[-1].xaxis.set_major_formatter(PercentFormatter(1.0))
        keys_below(drawn, [Line2D([], [], color=MUTED, linewidth=0.8, linestyle=DASHES, label="all faults together")])
        return image(drawn)


def delay_png(report: Report) -> bytes:
    """How soon: the share of all faults found within a time, and the delays of each kind."""
    counted = [row for row in report.rows if not row.aside]
    unit, unit_s = _unit(row.told_after_s or row.delay_s or 0.0 for row in counted)
    starts = np.sort([row.delay_s / unit_s for row in counted if row.delay_s is not None])
    told = np.sort([row.told_after_s / unit_s for row in counted if row.told_after_s is not None])
    kinds = [row.kind for row in _most(report.kinds)]
    with styled():
        below = 0.9 + LANE_IN * len(kinds)
        if below > HIGH_IN:
            drawn = figure(HIGH_IN + below)
            whole, by_kind = drawn.subplots(2, 1, height_ratios=(HIGH_IN, below))
        else:
            drawn = figure(HIGH_IN)
            whole, by_kind = drawn.subplots(1, 2, width_ratios=(1.0, 1.15))
        longest = float(max(starts[-1], told[-1] if len(told) else 0.0, 1.0 / unit_s)) * 1.05
        for times, colour, label in ((starts, FOUND, "begin of the event"), (told, INK, "event told")):
            if len(times):
                share = np.arange(1, len(times) + 1) / len(counted)
                across, up = np.r_[0.0, times, longest], np.r_[0.0, share, share[-1]]
                whole.step(across, up, where="post", color=colour, linewidth=1.3, label=label)
        level(whole, report.total.recall or 0.0, "recall")
        whole.set(xlim=(0.0, longest), ylim=(0.0, 1.05))
        whole.yaxis.set_major_formatter(PercentFormatter(1.0))
        whole.set_title("Share of all faults found within a time")
        whole.legend(loc="lower right")
        _draw_delays(by_kind, counted, kinds, unit_s)
        by_kind.set_title(_of("Delay until the event begins; bar = median", report.kinds))
        by_kind.set(xlim=(-0.02 * longest, longest))
        for axis in (whole, by_kind):
            axis.set_xlabel(f"{unit} of event time since the fault began")
            axis.grid(axis="x")
        return image(drawn)


def _draw_recall(axis: Axes, rows: Sequence[KindRow], total: KindRow) -> None:
    """A point with its interval a kind, the number of faults beside it."""
    axis.axvline(total.recall or 0.0, color=MUTED, linewidth=0.8, linestyle=DASHES, zorder=0)
    for y, row in enumerate(rows):
        axis.plot([row.recall_low, row.recall_high], [y, y], color=FOUND, linewidth=1.3, alpha=0.6)
        axis.plot(row.recall or 0.0, y, "o", color=FOUND, markersize=4)
        axis.text(1.03, y, f"{row.found} of {row.faults}", va="center", fontsize=SMALL)
    lanes(axis, [short(row.kind) for row in rows])
    axis.set_xlim(-0.02, 1.02)
    axis.grid(axis="x")


def _most(rows: Sequence[KindRow]) -> Sequence[KindRow]:
    """The kinds of which there are most, in their order."""
    least = sorted(range(len(rows)), key=lambda index: -rows[index].faults)[:MOST_KINDS]
    return [rows[index] for index in sorted(least)]


def _of(title: str, rows: Sequence[KindRow]) -> str:
    return title if len(rows) <= MOST_KINDS else f"{title}: the {MOST_KINDS} most frequent of {len(rows):,}"


def _unit(times_s: Iterable[float]) -> tuple[str, float]:
    """What to count delays in, and its seconds."""
    longest_s = max(times_s, default=0.0)
    return ("seconds", 1.0) if longest_s < 600 else ("minutes", 60.0) if longest_s < 14_400 else ("hours", 3600.0)


def _draw_delays(axis: Axes, rows: Sequence[FaultRow], kinds: Sequence[str], unit_s: float) -> None:
    """A dot a found fault, by kind; the bar is the median."""
    for y, kind in enumerate(kinds):
        delays = [row.delay_s / unit_s for row in rows if row.fault.kind == kind and row.delay_s is not None]
        missed = sum(row.event is None for row in rows if row.fault.kind == kind)
        if delays:
            axis.plot(delays, [y] * len(delays), "o", color=FOUND, markersize=4, alpha=0.55, markeredgewidth=0)
            axis.plot(float(np.median(delays)), y, "|", color=INK, markersize=10, markeredgewidth=1.3)
        if missed:
            axis.text(1.01, y, f"{missed} missed", transform=axis.get_yaxis_transform(), va="center",
                      color=MISSED, fontsize=SMALL)  # fmt: skip
    lanes(axis, [short(kind) for kind in kinds])


def _devices(report: Report) -> list[Source]:
    """Devices with something to show, by name; where they are too many, those with most missed and false first."""
    weight: dict[Source, int] = {}
    for row in report.rows:
        weight[row.fault.source] = weight.get(row.fault.source, 0) + (3 if row.event is None else 1)
    for event in report.false_alarms:
        source = (event.site or "", event.device)
        weight[source] = weight.get(source, 0) + 3
    chosen = sorted(weight, key=lambda source: -weight[source])
    return sorted(chosen[:MOST_LANES], key=_natural) + chosen[MOST_LANES:]


def _natural(source: Source) -> tuple[str, str, int]:
    """pump-2 before pump-10."""
    site, device = source
    stem = device.rstrip("0123456789")
    return site, stem, int(device[len(stem) :] or 0)


def _events(report: Report) -> list[tuple[ToldEvent, Source]]:
    """The events on faults, each with the device whose fault it found; a repeat with its own."""
    places = {(row.event.key, row.fault.source): row.event for row in report.rows if row.event is not None}
    found = [(event, source) for (_, source), event in places.items()]
    known = {event.key for event, _ in found}
    sites = {row.fault.device: row.fault.site for row in report.rows}
    return found + [
        (event, (event.site or sites.get(event.device, ""), event.device))
        for event in report.found_by
        if event.key not in known
    ]
