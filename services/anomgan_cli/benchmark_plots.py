"""Pictures of a benchmark: means with their intervals, series by series, promised against given; as a file's bytes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anomgan_benchmark.detectors import PLAIN, REFERENCE
from anomgan_benchmark.export import OVERALL
from anomgan_benchmark.peers import Peers, standing
from anomgan_benchmark.promise import FACTOR, Reliability
from anomgan_benchmark.summary import MAIN, Lead, Line, Mean, Summary
from anomgan_benchmark.table import reference_of
from anomgan_cli.plot_style import (
    COLOURS,
    GRID,
    INK,
    LINE,
    MARKERS,
    MUTED,
    ONE_COLUMN,
    TINY,
    Form,
    figure,
    head,
    image,
    keys_below,
    lanes,
    powers,
    styled,
)

BAND = "#e9edf1"
LANE = 0.11
ROOM = 0.88
"""so far to the right there is none for a name"""
NONE_SEEN = "none seen: upper end of the interval"


def means_plot(summary: Summary, peers: Peers, form: Form = "png") -> bytes:
    """Mean VUS-PR by suite and detector with its interval; peers that have every series as grey rings."""
    groups = dict(summary.suites)
    if len(groups) > 1 and summary.overall:
        groups[OVERALL] = summary.overall
    names = list(dict.fromkeys(name for lines in groups.values() for name in lines))
    rings = {suite: _rings(lines, peers) for suite, lines in groups.items()}
    count = len(names) + any(rings.values())
    height = max(0.5, LANE * (count + 1))
    with styled():
        drawn = figure(1.15 + height * len(groups))
        axis = drawn.subplots()
        for row, (suite, lines) in enumerate(groups.items()):
            if suite == OVERALL:
                axis.axhspan(row - 0.5, row + 0.5, color="#f4f6f8", linewidth=0, zorder=0)
            elif row:
                axis.axhline(row - 0.5, color=GRID, linewidth=0.8)
            at = [row + (lane - (count - 1) / 2) * LANE / height for lane in range(count)]
            for i, name in enumerate(names):
                if name in lines and lines[name].series:
                    _draw_mean(axis, at[i], lines[name].means[MAIN], i)
            if rings[suite]:
                _draw_rings(axis, at[-1], rings[suite])
        lanes(axis, [_label(suite, lines) for suite, lines in groups.items()])
        axis.set_xlim(0.0, 1.0)
        axis.grid(axis="x")
        axis.set_xlabel("VUS-PR, mean over series with its 95 % bootstrap interval")
        keys = [
            Line2D([], [], color=COLOURS[i % 8], marker=MARKERS[i % 8], markersize=4, linewidth=1.2, label=name)
            for i, name in enumerate(names)
        ]
        if any(rings.values()):
            ring = Line2D([], [], color=MUTED, marker="o", markerfacecolor="none", markersize=4, linewidth=0)
            ring.set_label("peers on the same series, the best named")
            keys.append(ring)
        head(drawn, "How well anomalies are ranked above normal rows")
        keys_below(drawn, keys)
        return image(drawn, form)


def _rings(lines: Mapping[str, Line], peers: Peers) -> Sequence[Lead]:
    """The peers that have every series of a suite, the best first."""
    ours = reference_of(lines)
    return () if ours is None else standing(peers, ours).whole


def _draw_mean(axis: Axes, y: float, mean: Mean, i: int) -> None:
    colour = COLOURS[i % 8]
    axis.plot([mean.low, mean.high], [y, y], color=colour, linewidth=1.4, alpha=0.75, solid_capstyle="round")
    axis.plot(mean.mean, y, color=colour, marker=MARKERS[i % 8], markersize=4)


def _draw_rings(axis: Axes, y: float, peers: Sequence[Lead]) -> None:
    across = [one.of_name for one in peers]
    axis.plot(across, [y] * len(across), color=MUTED, marker="o", markerfacecolor="none", markersize=4.5, linewidth=0)
    to_the_left = max(across) > ROOM
    at, offset, side = (min(across), -6, "right") if to_the_left else (max(across), 6, "left")
    axis.annotate(
        peers[0].name,
        (at, y),
        (offset, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=TINY,
        color=MUTED,
    )


def series_plot(summary: Summary, form: Form = "png") -> bytes | None:
    """Each series: the GAN's VUS-PR over that of the baseline that does best on it; None without both."""
    points: dict[str, list[tuple[float, float]]] = {}
    for suite, lines in summary.suites.items():
        plain = [lines[name].values[MAIN][suite] for name in PLAIN if name in lines]
        for series, value in lines[REFERENCE].values[MAIN][suite].items() if REFERENCE in lines else ():
            rivals = [of[series] for of in plain if series in of]
            if rivals and not math.isnan(value):
                points.setdefault(suite, []).append((max(rivals), value))
    if not points:
        return None
    every = [point for of_suite in points.values() for point in of_suite]
    with styled():
        drawn = figure(ONE_COLUMN + 0.75, ONE_COLUMN)
        axis = drawn.subplots()
        axis.plot([0, 1], [0, 1], color=LINE, linewidth=0.8)
        for i, (suite, of_suite) in enumerate(points.items()):
            across, up = np.array(of_suite).T
            label = f"{suite} ({len(of_suite)})"
            axis.scatter(
                across, up, s=14, alpha=0.8, color=COLOURS[i % 8], marker=MARKERS[i % 8], edgecolors="white",
                linewidths=0.4, label=label,
            )  # fmt: skip
        axis.set_xlim(0, 1.02)
        axis.set_ylim(0, 1.02)
        axis.set_aspect("equal")
        axis.grid()
        axis.set_xlabel("VUS-PR of the best baseline, chosen with the labels")
        axis.set_ylabel(f"VUS-PR of {REFERENCE}")
        above = sum(value > rival for rival, value in every)
        head(drawn, f"{REFERENCE} above the best baseline: {above} of {len(every)} series")
        axis.text(0.03, 0.97, f"{REFERENCE} better", transform=axis.transAxes, va="top", color=MUTED, fontsize=TINY)
        axis.text(0.97, 0.03, "baseline better", transform=axis.transAxes, ha="right", color=MUTED, fontsize=TINY)
        keys_below(drawn, axis.get_legend_handles_labels()[0])
        return image(drawn, form)


def _label(suite: str, lines: Mapping[str, Line]) -> str:
    return f"{suite}\n{max(line.series for line in lines.values())} series"


def reliability_plot(results: Sequence[Reliability], form: Form = "png") -> bytes:
    """Claimed against observed probability, and alarms promised against given, with 95 % intervals; log axes."""
    with styled():
        drawn = figure(4.1)
        left, right = drawn.subplots(1, 2)
        for i, result in enumerate(results):
            aside = 1.07 ** (i - (len(results) - 1) / 2)  # so that intervals at the same claim stand side by side
            for row in result.odds:
                _draw_given(left, row.claimed * aside, (row.low, row.observed, row.high), i)
            for alarms in result.alarms:
                _draw_given(right, alarms.promised * aside, (alarms.low, alarms.given, alarms.high), i)
        _hold_against_diagonal(left)
        left.set_title("Is a surprise as rare as it says?")
        left.set_xlabel("claimed probability that a normal window looks so odd")
        left.set_ylabel("observed share of normal windows")
        _hold_against_diagonal(right)
        right.set_title("Is the alarm budget kept?")
        right.set_xlabel("promised false alarms of a device in a week")
        right.set_ylabel("given, on normal data")
        keys: list[Artist] = [
            Line2D(
                [], [], color=COLOURS[i % 8], marker=MARKERS[i % 8], markersize=4, linewidth=1.2, label=_watched(one)
            )
            for i, one in enumerate(results)
        ]
        keys.append(Line2D([], [], color=MUTED, linewidth=0.8, label="as promised"))
        keys.append(Patch(color=BAND, label=f"within a factor of {FACTOR:g}"))
        if any(not row.events for one in results for row in one.alarms) or any(
            not row.windows for one in results for row in one.odds
        ):
            keys.append(
                Line2D(
                    [], [], color=INK, marker="v", markersize=4, markerfacecolor="none", linewidth=0, label=NONE_SEEN
                )
            )
        keys_below(drawn, keys)
        return image(drawn, form)


def _draw_given(axis: Axes, x: float, ends: tuple[float, float, float], i: int) -> None:
    """A value and its interval; where nothing was seen, only the upper end of the interval."""
    low, value, high = ends
    colour = COLOURS[i % 8]
    if value > 0:
        axis.plot([x, x], [low, high], color=colour, linewidth=1.4, alpha=0.75, solid_capstyle="round")
        axis.plot(x, value, color=colour, marker=MARKERS[i % 8], markersize=4)
    else:
        axis.plot(x, high, color=colour, marker="v", markersize=4, markerfacecolor="none")


def _hold_against_diagonal(axis: Axes) -> None:
    """Both axes logarithmic and alike, around all that is drawn; the diagonal and the band around it."""
    powers(axis)
    drawn = np.concatenate([line.get_xydata() for line in axis.lines])
    ends = np.array([drawn.min() / 1.6, drawn.max() * 1.6])
    axis.fill_between(ends, ends / FACTOR, ends * FACTOR, color=BAND, linewidth=0, zorder=0)
    axis.plot(ends, ends, color=MUTED, linewidth=0.8, zorder=1)
    axis.set(xlim=ends, ylim=ends, aspect="equal")


def _watched(one: Reliability) -> str:
    """`pump: 50 devices, 210 device-weeks`."""
    return f"{one.name}: {one.devices} device{'' if one.devices == 1 else 's'}, {one.weeks:.2g} device-weeks"
