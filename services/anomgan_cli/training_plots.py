"""The report of a training: its curves, its calibration on windows it has not seen, its latents, and some examples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from anomgan.detector import Detector
from anomgan.game import game_of
from anomgan.records import Floats, TimeSeries
from anomgan_cli.game_plots import HITS, LOSSES, Curve, Panel, draw_game
from anomgan_cli.plot_style import (
    DASHES,
    EXPECTED,
    INK,
    MUTED,
    OBSERVED,
    SHADE,
    SMALL,
    Form,
    figure,
    head,
    image,
    keys_below,
    lanes,
    level,
    named,
    powers,
    short,
    styled,
)

MOST_EXAMPLES, MOST_CHANNELS = 3, 6
GAME: tuple[Panel, ...] = (
    LOSSES,
    HITS,
    Panel("Diversity, 1 = as real", (Curve("", "diversity", INK),)),
    Panel("Held-out error", (Curve("", "reconstruction_error", OBSERVED),)),
)
EXAMPLES = ((0.5, "Ordinary"), (0.99, "Odd: 1 in 100"), (1.0, "The oddest"))
SAMPLED = 1.0 / 3.0**0.5
"""the standard deviation of what latents are drawn from, uniform between -1 and 1"""


def training_report(detector: Detector, series: Sequence[TimeSeries], form: Form = "png") -> bytes:
    """Curves of the game, promised against measured probability, latents and normal errors, and held-out windows of
    the longest series beside what the generator makes of them."""
    summary = detector.summary
    game = game_of(summary["course"], detector.config.loss)
    examples = held_out_examples(detector, max(series, key=len))
    rows = min(int(detector.parts.measured.sum()), MOST_CHANNELS) if examples else 0
    heights = (1.45, 2.05, 0.5 + 0.5 * rows) if examples else (1.45, 2.05)
    with styled():
        drawn = figure(0.62 + sum(heights))
        parts = drawn.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        draw_game(parts[0], GAME, summary)
        left, middle, right = parts[1].subplots(1, 3, width_ratios=(1.15, 0.9, 1.1))
        _draw_reliability(left, summary["reliability"])
        _draw_latents(middle, summary["latent_spread"])
        _draw_errors(right, detector)
        if examples:
            _draw_examples(parts[2], detector, examples, rows)
        plural = "" if summary["series"] == 1 else "s"
        title = f"Training on {summary['rows']:,} rows of {summary['series']} device{plural}: {game.balance} game"
        head(drawn, title if game.balance != "unknown" else title.partition(":")[0], game.sentence)
        return image(drawn, form)


# ---------------------------------------------------------------- what it knows of normal


def _draw_reliability(axis: Axes, told: Mapping[str, Any]) -> None:
    """Promised against measured, both logarithmic; nothing where windows were too few."""
    axis.set_title("Promised against measured")
    if not told["windows"]:
        _nothing(axis, "too few held-out windows\nthat share no row")
        return
    promised, measured = np.array(told["promised"]), np.array(told["measured"])
    low, high = np.array(told["low"]), np.array(told["high"])
    bottom = min(promised.min(), measured[measured > 0].min(initial=1.0)) / 2.5
    ends = np.array([bottom, 1.0])
    axis.plot(ends, ends, color=MUTED, linewidth=0.8, linestyle=DASHES)
    axis.vlines(promised, np.maximum(low, bottom), np.maximum(high, bottom), color=OBSERVED, alpha=0.45, linewidth=1.4)
    seen = measured > 0
    axis.plot(promised[seen], measured[seen], "o", color=OBSERVED, markersize=3.5)
    powers(axis)
    axis.set(xlim=ends, ylim=ends)
    axis.grid()
    axis.set_xlabel("promised probability")
    axis.set_ylabel("share of held-out windows")


def _draw_latents(axis: Axes, spreads: Sequence[float]) -> None:
    """How widely normal windows spread over each latent, beside how widely they are drawn."""
    ordered = sorted(spreads, reverse=True)
    axis.bar(range(len(ordered)), ordered, width=0.75, color=OBSERVED)
    level(axis, SAMPLED, "as drawn")
    axis.set_ylim(0.0, max([SAMPLED, *ordered]) * 1.18)
    axis.set_xticks([])
    axis.set_title("Spread of the latents")
    axis.set_xlabel(f"{len(ordered)} latents, the widest first")
    axis.set_ylabel("standard deviation")


def _draw_errors(axis: Axes, detector: Detector) -> None:
    """Each channel's error on normal windows, as a share of its usual range; the largest at the top."""
    found = []
    for name, error, limits in zip(
        detector.channels, detector.summary["normal_error"], detector.parts.limits.of, strict=True
    ):
        if error is not None and limits.high > limits.low:
            size = limits.high - limits.low
            found.append((error[2] / size, error[0] / size, name))
    found = sorted(found, reverse=True)[:8]
    axis.set_title("Normal error")
    if not found:
        _nothing(axis, "no channel has a range")
        return
    for y, (far, half, _) in enumerate(found):
        axis.barh(y, far, 0.62, color=OBSERVED, alpha=0.3)
        axis.barh(y, half, 0.62, color=OBSERVED)
    lanes(axis, [short(name, 22) for *_, name in found])
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.grid(axis="x")
    axis.set_xlabel("share of the usual range\n(dark: half, light: 99 % of readings)", fontsize=SMALL)


def _nothing(axis: Axes, words: str) -> None:
    axis.text(0.5, 0.5, words, transform=axis.transAxes, ha="center", va="center", color=MUTED)
    axis.set_xticks([])
    axis.set_yticks([])


# ---------------------------------------------------------------- examples


def held_out_examples(detector: Detector, series: TimeSeries) -> list[tuple[str, Floats, Floats, float]]:
    """Windows of a series' held-out part, from ordinary to odd: (what it is, measured (C, L), rebuilt (C, L), its
    surprise); [] where none is whole."""
    length, cut = detector.rule.window, round(len(series) * (1.0 - detector.config.holdout))
    ends, seen = detector.examine(series)
    whole = (ends - length + 1 >= cut) & np.isfinite(seen.surprise)
    ends, surprise = ends[whole], seen.surprise[whole]
    order = np.argsort(surprise)
    found = []
    for share, words in EXAMPLES if len(ends) >= MOST_EXAMPLES else ():
        at = order[round(share * (len(order) - 1))]
        rows = slice(ends[at] - length + 1, ends[at] + 1)
        aligned = dict(zip(series.channels, series.values[rows].T, strict=True))
        measured = np.stack([aligned.get(name, np.full(length, np.nan)) for name in detector.channels])
        found.append((words, measured, detector.rebuild(measured[None])[0], float(surprise[at])))
    return found


def _draw_examples(
    part: SubFigure, detector: Detector, examples: Sequence[tuple[str, Floats, Floats, float]], rows: int
) -> None:
    """A column a window, a row a channel; channels share their scale."""
    channels = np.flatnonzero(detector.parts.measured)[:rows]
    grid = part.subplots(rows, len(examples), sharex=True, sharey="row", squeeze=False)
    elapsed = np.arange(detector.rule.window) * detector.period_s
    errors = detector.summary["normal_error"]
    for column, (words, measured, rebuilt, surprise) in zip(grid.T, examples, strict=True):
        column[0].set_title(f"{words}, surprise {surprise:.1f}", fontsize=7.5)
        for axis, c in zip(column, channels, strict=True):
            if errors[c] is not None:
                axis.fill_between(
                    elapsed, rebuilt[c] - errors[c][2], rebuilt[c] + errors[c][2], color=SHADE, linewidth=0
                )
            axis.plot(elapsed, rebuilt[c], color=EXPECTED, linewidth=1.1)
            axis.plot(elapsed, measured[c], color=OBSERVED, linewidth=0.9)
            axis.yaxis.set_major_locator(MaxNLocator(2))
            axis.margins(x=0.0)
        column[-1].set_xlabel("seconds in the window")
    for axis, c in zip(grid[:, 0], channels, strict=True):
        named(axis, detector.channels[c], detector.units[c])
    keys = [
        Line2D([], [], color=OBSERVED, label="measured"),
        Line2D([], [], color=EXPECTED, label="what the generator makes of it"),
        Patch(color=SHADE, label="within the normal error of 99 %"),
    ]
    keys_below(part, keys)
