"""Pictures of a benchmark, as PNG bytes: means with their intervals, series by series, promised against given."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from anomgan_benchmark.detectors import PLAIN, REFERENCE
from anomgan_benchmark.export import OVERALL
from anomgan_benchmark.peers import Peers, standing
from anomgan_benchmark.promise import FACTOR, Reliability
from anomgan_benchmark.summary import MAIN, Lead, Line, Mean, Summary
from anomgan_benchmark.table import reference_of
from anomgan_cli.plots import INK, STYLE, png

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b8a000", "#7a5195")
"""Okabe & Ito's, for all who see colours differently"""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
GREY, PALE = "#8a8a8a", "#e8e8e8"
LANE = 0.11
ROOM = 0.88
"""so far to the right there is none for a name"""
NONE_SEEN = "none seen: upper end of the interval"


def means_png(summary: Summary, peers: Peers) -> bytes:
    """Mean VUS-PR by suite and detector with its interval; peers that have every series as grey rings."""
    groups = dict(summary.suites)
    if len(groups) > 1 and summary.overall:
        groups[OVERALL] = summary.overall
    names = list(dict.fromkeys(name for lines in groups.values() for name in lines))
    rings = {suite: _rings(lines, peers) for suite, lines in groups.items()}
    lanes = len(names) + any(rings.values())
    height = max(0.62, LANE * (lanes + 1))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 1.2 + height * len(groups)), layout="constrained")
        axis = figure.subplots()
        for row, (suite, lines) in enumerate(groups.items()):
            if suite == OVERALL:
                axis.axhspan(row - 0.5, row + 0.5, color="#f4f4f4", linewidth=0, zorder=0)
            elif row:
                axis.axhline(row - 0.5, color=PALE, linewidth=0.8)
            at = [row + (lane - (lanes - 1) / 2) * LANE / height for lane in range(lanes)]
            for i, name in enumerate(names):
                if name in lines and lines[name].series:
                    _draw_mean(axis, at[i], lines[name].means[MAIN], i)
            if rings[suite]:
                _draw_rings(axis, at[-1], rings[suite])
        axis.set_yticks(range(len(groups)), [_label(suite, lines) for suite, lines in groups.items()])
        axis.set_ylim(len(groups) - 0.5, -0.5)
        axis.set_xlim(0.0, 1.0)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x", color=PALE, linewidth=0.8)
        axis.set_axisbelow(True)
        axis.set_xlabel("VUS-PR, mean over series with its 95 % bootstrap interval")
        keys = [
            Line2D([], [], color=COLOURS[i % 8], marker=MARKERS[i % 8], markersize=5, linewidth=1.2, label=name)
            for i, name in enumerate(names)
        ]
        if any(rings.values()):
            ring = Line2D([], [], color=GREY, marker="o", markerfacecolor="none", markersize=5, linewidth=0)
            ring.set_label("peers on the same series, the best named")
            keys.append(ring)
        figure.legend(handles=keys, loc="outside lower center", ncols=min(len(keys), 6), fontsize=8.5)
        return png(figure)


def _rings(lines: Mapping[str, Line], peers: Peers) -> Sequence[Lead]:
    """The peers that have every series of a suite, the best first."""
    ours = reference_of(lines)
    return () if ours is None else standing(peers, ours).whole


def _draw_mean(axis: Axes, y: float, mean: Mean, i: int) -> None:
    colour = COLOURS[i % 8]
    axis.plot([mean.low, mean.high], [y, y], color=colour, linewidth=1.4, alpha=0.75, solid_capstyle="round")
    axis.plot(mean.mean, y, color=colour, marker=MARKERS[i % 8], markersize=5)


def _draw_rings(axis: Axes, y: float, peers: Sequence[Lead]) -> None:
    across = [one.of_name for one in peers]
    axis.plot(across, [y] * len(across), color=GREY, marker="o", markerfacecolor="none", markersize=4.5, linewidth=0)
    to_the_left = max(across) > ROOM
    at, offset, side = (min(across), -6, "right") if to_the_left else (max(across), 6, "left")
    axis.annotate(
        peers[0].name, (at, y), (offset, 0), textcoords="offset points", ha=side, va="center", fontsize=7, color=GREY
    )


def series_png(summary: Summary) -> bytes | None:
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
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 6.2), layout="constrained")
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        for i, (suite, of_suite) in enumerate(points.items()):
            across, up = np.array(of_suite).T
            label = f"{suite} ({len(of_suite)})"
            axis.scatter(
                across, up, s=26, alpha=0.8, color=COLOURS[i % 8], marker=MARKERS[i % 8], edgecolors="white",
                linewidths=0.4, label=label,
            )  # fmt: skip
        axis.set_xlim(0, 1.02)
        axis.set_ylim(0, 1.02)
        axis.set_aspect("equal")
        axis.grid(color=PALE, linewidth=0.8)
        axis.set_axisbelow(True)
        axis.set_xlabel("VUS-PR of the best baseline on the series, chosen with the labels")
        axis.set_ylabel(f"VUS-PR of {REFERENCE}")
        above = sum(value > rival for rival, value in every)
        axis.set_title(f"{REFERENCE} is above the best baseline on {above} of {len(every)} series")
        axis.text(0.03, 0.97, f"{REFERENCE} better", transform=axis.transAxes, va="top", color=INK, fontsize=8.5)
        axis.text(0.97, 0.03, "baseline better", transform=axis.transAxes, ha="right", color=INK, fontsize=8.5)
        figure.legend(loc="outside lower center", ncols=4, fontsize=8.5)
        return png(figure)


def _label(suite: str, lines: Mapping[str, Line]) -> str:
    return f"{suite}\n{max(line.series for line in lines.values())} series"


def reliability_png(results: Sequence[Reliability]) -> bytes:
    """Claimed against observed probability, and alarms promised against given, with 95 % intervals; log axes."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 5.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        for i, result in enumerate(results):
            aside = 1.07 ** (i - (len(results) - 1) / 2)  # so that intervals at the same claim stand side by side
            for row in result.odds:
                _draw_given(left, row.claimed * aside, (row.low, row.observed, row.high), i)
            for alarms in result.alarms:
                _draw_given(right, alarms.promised * aside, (alarms.low, alarms.given, alarms.high), i)
        _hold_against_diagonal(left)
        left.set_title("Probability", pad=10)
        left.set_xlabel("claimed: a normal window looks at least so odd")
        left.set_ylabel("observed share of normal windows")
        _hold_against_diagonal(right)
        right.set_title("False alarms of a device in a week", pad=10)
        right.set_xlabel("promised: the alarm budget")
        right.set_ylabel("given, on normal data")
        for axis in (right.xaxis, right.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        keys: list[Artist] = [
            Line2D(
                [], [], color=COLOURS[i % 8], marker=MARKERS[i % 8], markersize=5, linewidth=1.4, label=_watched(one)
            )
            for i, one in enumerate(results)
        ]
        keys.append(Line2D([], [], color=GREY, linewidth=0.8, label="as promised"))
        keys.append(Patch(color=PALE, label=f"within a factor of {FACTOR:g}"))
        if any(not row.events for one in results for row in one.alarms) or any(
            not row.windows for one in results for row in one.odds
        ):
            keys.append(
                Line2D(
                    [], [], color=INK, marker="v", markersize=5, markerfacecolor="none", linewidth=0, label=NONE_SEEN
                )
            )
        figure.legend(handles=keys, loc="outside lower center", ncols=len(keys) if len(keys) < 4 else 3, fontsize=8.5)
        return png(figure)


def _draw_given(axis: Axes, x: float, ends: tuple[float, float, float], i: int) -> None:
    """A value and its interval; where nothing was seen, only the upper end of the interval."""
    low, value, high = ends
    colour = COLOURS[i % 8]
    if value > 0:
        axis.plot([x, x], [low, high], color=colour, linewidth=1.4, alpha=0.75, solid_capstyle="round")
        axis.plot(x, value, color=colour, marker=MARKERS[i % 8], markersize=5)
    else:
        axis.plot(x, high, color=colour, marker="v", markersize=5, markerfacecolor="none")


def _hold_against_diagonal(axis: Axes) -> None:
    """Both axes logarithmic and alike, around all that is drawn; the diagonal and the band around it."""
    axis.set_xscale("log")
    axis.set_yscale("log")
    drawn = np.concatenate([line.get_xydata() for line in axis.lines])
    ends = np.array([drawn.min() / 1.6, drawn.max() * 1.6])
    axis.fill_between(ends, ends / FACTOR, ends * FACTOR, color=PALE, linewidth=0, zorder=0)
    axis.plot(ends, ends, color=GREY, linewidth=0.8, zorder=1)
    axis.set(xlim=ends, ylim=ends, aspect="equal")


def _watched(one: Reliability) -> str:
    """`pump: 50 devices, 214.3 device-weeks`."""
    return f"{one.name}: {one.devices} device{'' if one.devices == 1 else 's'}, {one.weeks:.1f} device-weeks"
