"""The picture of an evaluation: channels beside what was expected, the surprise, labels and events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from anomgan.matching import Matching, Span
from anomgan.records import Floats, TimeSeries
from anomgan_cli.plot_style import (
    ALARM,
    EXPECTED,
    FALSE_ALARM,
    INK,
    OBSERVED,
    SHADE,
    Form,
    Moments,
    clock,
    figure,
    head,
    image,
    keys_below,
    label_times,
    level,
    named,
    styled,
)

MAX_CHANNELS = 8
Rows = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What `evaluation_plot` draws. values, expected, contribution (T, C) in the order of channels; scores (T,);
    low, high (T, C): the edges of what is likely where `expected` was imputed, NaN elsewhere; None = nowhere."""

    series: TimeSeries
    channels: tuple[str, ...]
    expected: Rows
    contribution: Rows
    scores: Floats
    threshold: float
    truth: Sequence[Span]
    found: Sequence[Span]
    matching: Matching
    title: str
    figures: str
    low: Rows | None = None
    high: Rows | None = None


def evaluation_plot(picture: Picture, form: Form = "png") -> bytes:
    """Channels with what was expected, the surprise with its threshold, true labels and the events raised.

    Of more than eight channels those are drawn that contributed most to the highest scores.
    """
    series, times = picture.series, clock(picture.series.times)
    shown = _leading(picture.scores, picture.contribution)
    heights = [0.56] * len(shown) + [1.2, 0.16]
    with styled():
        drawn = figure(1.25 + sum(heights))
        axes = drawn.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        for axis in axes[:-1]:
            axis.tick_params(axis="x", length=0)
            for span in picture.truth:
                axis.axvspan(*clock(np.array([span.start_s, span.end_s])), color=SHADE, linewidth=0, zorder=0)
        for axis, c in zip(axes, shown, strict=False):
            name = picture.channels[c]
            observed = series.values[:, series.channels.index(name)] if name in series.channels else None
            unit = series.units[series.channels.index(name)] if observed is not None else ""
            if picture.low is not None and picture.high is not None:
                axis.fill_between(times, picture.low[:, c], picture.high[:, c], color=EXPECTED, alpha=0.3, linewidth=0)
            _draw_channel(axis, times, observed, picture.expected[:, c])
            named(axis, name, unit)
        _draw_scores(axes[-2], times, picture.scores, picture.threshold)
        false = set(picture.matching.false_alarms)
        for i, span in enumerate(picture.found):
            colour = FALSE_ALARM if i in false else ALARM
            ends = clock(np.array([span.start_s, span.end_s]))
            axes[-1].axvspan(*ends, color=colour, linewidth=1.0)  # the border keeps a short one visible
        axes[-1].set_yticks([])
        axes[-1].spines["left"].set_visible(False)
        named(axes[-1], "events raised")
        axes[-1].set_xlim(times[0], times[-1])
        label_times(axes[-1], series.times[0])
        drawn.align_ylabels(axes)
        head(drawn, picture.title, picture.figures)
        keys_below(drawn, _keys(bool(false), imputed=picture.low is not None))
        return image(drawn, form)


def _leading(scores: Floats, contribution: Rows) -> list[int]:
    """The channels to draw, in the model's order: all, or those that made the oddest tenth of the rows odd."""
    count = contribution.shape[1]
    known = np.flatnonzero(np.isfinite(scores))
    if count <= MAX_CHANNELS or len(known) == 0:
        return list(range(min(count, MAX_CHANNELS)))
    oddest = known[np.argsort(scores[known])[-max(1, len(known) // 10) :]]
    return sorted(int(c) for c in np.argsort(-contribution[oddest].mean(axis=0))[:MAX_CHANNELS])


def _draw_channel(axis: Axes, times: Moments, observed: Rows | None, expected: Rows) -> None:
    """One channel as measured (None where the file lacks it) and as expected."""
    axis.plot(times, expected, color=EXPECTED, linewidth=1.1)
    if observed is not None:
        axis.plot(times, observed, color=OBSERVED, linewidth=0.7)
    axis.yaxis.set_major_locator(MaxNLocator(2))


def _draw_scores(axis: Axes, times: Moments, scores: Floats, threshold: float) -> None:
    """The surprise over time and the threshold, named where it runs."""
    axis.plot(times, scores, color=INK, linewidth=0.8)
    level(axis, threshold, "threshold", ALARM)
    axis.set_ylim(bottom=0.0)
    named(axis, "surprise", "−log₁₀ p")


def _keys(false_alarms: bool, *, imputed: bool) -> list[Artist]:
    """The legend: what is not named where it is drawn."""
    keys: list[Artist] = [
        Line2D([], [], color=OBSERVED, linewidth=1.0, label="measured"),
        Line2D([], [], color=EXPECTED, linewidth=1.2, label="expected"),
        Patch(color=SHADE, label="labelled anomalous"),
        Patch(color=ALARM, label="event on a label"),
    ]
    if imputed:
        keys.insert(2, Patch(color=EXPECTED, alpha=0.3, linewidth=0, label="imputed, 90 %"))
    return [*keys, Patch(color=FALSE_ALARM, label="false alarm")] if false_alarms else keys
