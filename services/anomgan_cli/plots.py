"""Pictures of an evaluation and of a training, as PNG bytes. matplotlib without its global state."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from anomgan.adapters.files import is_date
from anomgan.matching import Matching, Span
from anomgan.records import Floats, TimeSeries

if TYPE_CHECKING:
    from anomgan.gan.train import TrainingHealth

MAX_CHANNELS = 8
INK, PAPER_RED = "#333333", "#f5dcd6"
OBSERVED, EXPECTED, SCORE, HIT, FALSE_ALARM = "#3b4a5a", "#e69f00", "#0072b2", "#c8402c", "#999999"
Moments = NDArray[Any]
Rows = NDArray[np.floating[Any]]
DASHES = (0, (4, 3))
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#bbbbbb",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "text.color": INK,
    "legend.frameon": False,
    "lines.solid_joinstyle": "round",
}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What `evaluation_png` draws. values, expected, contribution (T, C) in the order of channels; scores (T,)."""

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


def evaluation_png(picture: Picture) -> bytes:
    """Channels with what was expected, the surprise with its threshold, true labels and the events raised.

    Of more than eight channels those are drawn that contributed most to the highest scores.
    """
    series, clock = picture.series, _clock(picture.series.times)
    shown = _leading(picture.scores, picture.contribution)
    heights = [0.75] * len(shown) + [1.7, 0.22]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 1.15 + sum(heights)), layout="constrained")
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        for axis in axes[:-1]:
            axis.tick_params(axis="x", length=0)
            for span in picture.truth:
                axis.axvspan(*_clock(np.array([span.start_s, span.end_s])), color=PAPER_RED, linewidth=0, zorder=0)
        for axis, c in zip(axes, shown, strict=False):
            name = picture.channels[c]
            observed = series.values[:, series.channels.index(name)] if name in series.channels else None
            unit = series.units[series.channels.index(name)] if observed is not None else ""
            _draw_channel(axis, clock, f"{name}\n[{unit}]" if unit else name, observed, picture.expected[:, c])
        _draw_scores(axes[-2], clock, picture.scores, picture.threshold)
        false = set(picture.matching.false_alarms)
        for i, span in enumerate(picture.found):
            colour = FALSE_ALARM if i in false else HIT
            ends = _clock(np.array([span.start_s, span.end_s]))
            axes[-1].axvspan(*ends, color=colour, linewidth=1.2)  # the border keeps a short one visible
        _lane(axes[-1], "events")
        axes[-1].set_xlim(clock[0], clock[-1])
        _label_times(axes[-1], series.times)
        figure.align_ylabels(axes)
        figure.suptitle(picture.title, x=0.01, ha="left", fontsize=10.5)
        figure.legend(handles=_keys(), loc="outside lower center", ncols=7, fontsize=8.0, handlelength=1.6)
        return png(figure)


def training_png(course: "Sequence[TrainingHealth]") -> bytes:
    """The adversarial game over the steps: losses, accuracies, diversity, held-out reconstruction."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5), layout="constrained")
        grid = figure.subplots(2, 2, sharex=True)
        steps = [look.step for look in course]
        panels = (
            ("loss", (("discriminator", "discriminator_loss"), ("generator", "generator_loss"))),
            ("share judged rightly", (("real windows", "accuracy_real"), ("generated windows", "accuracy_generated"))),
            ("diversity of generated windows (1 = as real ones)", (("", "diversity"),)),
            ("error on held-out windows", (("now", "reconstruction_error"), ("best", "best_reconstruction_error"))),
        )
        for axis, (title, lines) in zip(grid.flat, panels, strict=True):
            for (name, key), colour in zip(lines, (SCORE, EXPECTED), strict=False):
                axis.plot(steps, [getattr(look, key) for look in course], color=colour, linewidth=1.3, label=name)
            axis.set_title(title)
            axis.set_ylim(bottom=0.0)
            if len(lines) > 1:
                axis.legend()
        for axis in grid[1]:
            axis.set_xlabel("step")
        return png(figure)


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _leading(scores: Floats, contribution: Rows) -> list[int]:
    """The channels to draw, in the model's order: all, or those that made the oddest tenth of the rows odd."""
    count = contribution.shape[1]
    known = np.flatnonzero(np.isfinite(scores))
    if count <= MAX_CHANNELS or len(known) == 0:
        return list(range(min(count, MAX_CHANNELS)))
    oddest = known[np.argsort(scores[known])[-max(1, len(known) // 10) :]]
    return sorted(int(c) for c in np.argsort(-contribution[oddest].mean(axis=0))[:MAX_CHANNELS])


def _draw_channel(axis: Axes, times: Moments, name: str, observed: Rows | None, expected: Rows) -> None:
    """One channel as measured (None where the file lacks it) and as expected, its name in front."""
    if observed is not None:
        axis.plot(times, observed, color=OBSERVED, linewidth=0.8)
    axis.plot(times, expected, color=EXPECTED, linewidth=1.0)
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axis.yaxis.set_major_locator(MaxNLocator(2))
    axis.yaxis.set_tick_params(labelsize=7.5)


def _draw_scores(axis: Axes, times: Moments, scores: Floats, threshold: float) -> None:
    """The surprise over time and the threshold."""
    axis.plot(times, scores, color=SCORE, linewidth=1.0)
    axis.axhline(threshold, color=INK, linewidth=0.8, linestyle=DASHES)
    axis.set_ylim(bottom=0.0)
    axis.set_ylabel("surprise\n$-\\log_{10} p$", rotation=0, ha="right", va="center")


def _lane(axis: Axes, name: str) -> None:
    """A row of coloured spans without a scale."""
    axis.set_yticks([])
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
    axis.spines["left"].set_visible(False)


def _clock(times: Floats) -> Moments:
    """Event time as matplotlib wants it: dates where there are dates, else seconds."""
    return np.round(times * 1e6).astype("datetime64[us]") if is_date(times[0]) else times


def _label_times(axis: Axes, times: Floats) -> None:
    if is_date(times[0]):
        locator = AutoDateLocator(minticks=5)  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # the same
    else:
        axis.set_xlabel("seconds")


def _keys() -> list[Artist]:
    """The legend, the same in every picture."""
    return [
        Line2D([], [], color=OBSERVED, linewidth=1.0, label="measured"),
        Line2D([], [], color=EXPECTED, linewidth=1.2, label="expected"),
        Line2D([], [], color=SCORE, linewidth=1.2, label="surprise"),
        Line2D([], [], color=INK, linewidth=0.8, linestyle=DASHES, label="threshold"),
        Patch(color=PAPER_RED, label="labelled anomalous"),
        Patch(color=HIT, label="event raised"),
        Patch(color=FALSE_ALARM, label="false alarm"),
    ]
