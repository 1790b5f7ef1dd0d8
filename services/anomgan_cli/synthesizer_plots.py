"""The report of a synthesizer's training: its game, and held-out rows beside generated and completed ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from anomgan.game import game_of
from anomgan.records import Floats, TimeSeries
from anomgan.synthesis.aligned import aligned, conditions_of, stretches
from anomgan.synthesis.carry import NOMINAL
from anomgan.synthesis.imputed import Imputed
from anomgan.synthesis.marginals import to_scores
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan_cli.game_plots import HITS, LOSSES, Curve, Panel, draw_game
from anomgan_cli.plot_style import (
    EXPECTED,
    INK,
    MUTED,
    NORMAL,
    OBSERVED,
    Form,
    figure,
    head,
    image,
    keys_below,
    named,
    styled,
)
from anomgan_cli.synthesizer_shown import bands

MOST_CHANNELS = 6
SHOWN = 3
"""windows' lengths of rows that are drawn"""
MADE = 8
"""generated devices whose values are counted"""
BINS = 24
BAND_ALPHA = 0.28
LIKENESS = Panel(
    "1 = as held-out windows",
    (
        Curve("coverage", "coverage", OBSERVED),
        Curve("density", "density", EXPECTED),
        Curve("diversity", "diversity", INK),
    ),
)
DIVERSITY = Panel("Diversity, 1 = as real", (Curve("", "diversity", INK),))
"""where too few held-out windows share no rows to be covered"""
ERROR = Panel("Held-out energy score", (Curve("", "reconstruction_error", OBSERVED),))


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """real: held-out rows without a gap, the model's channels first; every (N, C) all rows there are; made (D, T, C)
    under the conditions of `real`; completed: `real` after some of it was hidden."""

    real: TimeSeries
    every: Floats
    made: Floats
    completed: Imputed


def synthesizer_report(maker: Synthesizer, series: Sequence[TimeSeries], form: Form = "png") -> bytes:
    """Curves of the game; then of each channel held-out rows, generated ones, real and generated values, and held-out
    rows of which parts were hidden and completed."""
    summary = maker.summary
    game = game_of(summary["course"], maker.config.loss)
    examples = examples_of(maker, series)
    moving = [c for c, one in enumerate(maker.parts.marginals) if one.values[0] < one.values[-1]]
    channels = (moving or list(range(len(maker.channels))))[:MOST_CHANNELS]
    heights = (1.45, 0.62 + 0.58 * len(channels))
    with styled():
        drawn = figure(0.62 + sum(heights))
        upper, lower = drawn.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
        covered = any(value is not None for value in summary["course"]["coverage"])
        draw_game(upper, (LOSSES, HITS, LIKENESS if covered else DIVERSITY, ERROR), summary)
        _draw_examples(lower, maker, examples, channels)
        plural = "" if summary["series"] == 1 else "s"
        title = f"Synthesizer trained on {summary['rows']:,} rows of {summary['series']} device{plural}"
        below = " ".join([game.sentence, *(f"The band {name} {words}." for name, words in bands(maker)[:1])])
        head(drawn, title if game.balance == "unknown" else f"{title}: {game.balance} game", below)
        return image(drawn, form)


# ---------------------------------------------------------------- examples


def examples_of(maker: Synthesizer, series: Sequence[TimeSeries]) -> Examples:
    """SHOWN windows' rows of the held-out part without a gap, those that move most, and what the model makes beside."""
    learned, width = maker.parts, len(maker.channels)
    window = maker.config.window or 0
    alike = [aligned(learned, one, None) for one in series]
    found: list[tuple[float, TimeSeries]] = []
    for one in alike:
        cut = round(len(one) * (1.0 - maker.config.holdout))
        for rows in stretches(maker.config, one):
            for begin in range(max(rows.start, cut), rows.stop, window):
                part = one[begin : min(begin + SHOWN * window, rows.stop)]
                found.append((moves(to_scores(learned.marginals, part.values[:, :width])), part))
    real = max(found, key=lambda pair: pair[0])[1]
    told = dict(conditions_of(learned.conditions, real, None))
    made = maker.generate(len(real), float(real.times[0]), given=told, devices=[str(i) for i in range(MADE)])
    values = real.values.copy()
    values[:, :width][hidden_cells(len(real), width, window)] = np.nan
    every = np.concatenate([one.values[:, :width] for one in alike])
    return Examples(real, every, np.stack([one.values for one in made]), maker.impute(replace(real, values=values)))


def moves(scores: NDArray[np.float32]) -> float:
    """How far normal scores (T, C) go to and fro, more of more rows."""
    known = np.isfinite(scores)
    middle = np.where(known, scores, 0.0).sum(0) / np.maximum(1, known.sum(0))
    return float(np.abs(np.where(known, scores - middle, 0.0)).sum())


def hidden_cells(rows: int, channels: int, window: int) -> NDArray[np.bool_]:
    """(T, C) half a window of each channel in every one and a half, later from channel to channel."""
    period = 3 * window // 2
    at = np.arange(rows)[:, None] - (np.arange(channels) * period // max(1, min(channels, MOST_CHANNELS)))[None]
    return np.asarray(at % period >= window)


def _draw_examples(part: SubFigure, maker: Synthesizer, examples: Examples, channels: Sequence[int]) -> None:
    """A row a channel, whose scale its axes share."""
    grid = part.subplots(
        len(channels), 4, sharey="row", squeeze=False, gridspec_kw={"width_ratios": (1.0, 1.0, 0.4, 1.0)}
    )
    elapsed = examples.real.times - examples.real.times[0]
    at = maker.period_s * np.arange(len(elapsed))
    for title, axis in zip(("Held-out rows", "Generated", "All values", "Completed"), grid[0], strict=True):
        axis.set_title(title)
    for axes, c in zip(grid, channels, strict=True):
        real, made = examples.real.values[:, c], examples.made[:, :, c]
        axes[0].plot(elapsed, real, color=OBSERVED, linewidth=0.9)
        axes[1].plot(at, made[0], color=NORMAL, linewidth=0.9)
        _draw_values(axes[2], examples.every[:, c], made)
        _draw_completed(axes[3], examples, c)
        named(axes[0], maker.channels[c], maker.units[c])
        for axis in axes:
            axis.yaxis.set_major_locator(MaxNLocator(2))
            axis.margins(x=0.0)
            axis.tick_params(labelbottom=axis in grid[-1] and axis is not axes[2])
    for column, words in enumerate(("seconds", "seconds", "share", "seconds")):
        grid[-1, column].set_xlabel(words)
    keys = [
        Line2D([], [], color=OBSERVED, label="real"),
        Line2D([], [], color=NORMAL, label="generated"),
        Line2D([], [], color=EXPECTED, label="filled in where it was hidden"),
        Patch(color=EXPECTED, alpha=BAND_ALPHA, linewidth=0, label=f"its {100 * NOMINAL:.0f} % band"),
        Line2D([], [], color=MUTED, linewidth=0.8, label="what was hidden"),
    ]
    keys_below(part, keys)


def _draw_values(axis: Axes, real: Floats, made: Floats) -> None:
    """How often each value comes, lying on its side beside the courses."""
    known = real[np.isfinite(real)]
    both = np.concatenate([known, made.ravel()])
    edges = np.linspace(both.min(), both.max() if both.max() > both.min() else both.min() + 1.0, BINS + 1)
    for values, colour in ((known, OBSERVED), (made.ravel(), NORMAL)):
        shares = np.histogram(values, edges)[0] / max(1, len(values))
        axis.stairs(shares, edges, orientation="horizontal", color=colour, linewidth=1.0)
    axis.set_xlim(left=0.0)
    axis.set_xticks([])


def _draw_completed(axis: Axes, examples: Examples, c: int) -> None:
    """What was known, what was hidden, and what was made of that with its band."""
    found, real = examples.completed, examples.real
    begun = real.times[0]
    elapsed, hidden = found.series.times - begun, found.hidden[:, c]
    beside = hidden.copy()  # the line runs up to what is known
    beside[1:] |= hidden[:-1]
    beside[:-1] |= hidden[1:]

    def only(where: NDArray[np.bool_], values: Floats) -> Floats:
        return np.where(where, values, np.nan)

    axis.fill_between(
        elapsed,
        only(beside, found.low[:, c]),
        only(beside, found.high[:, c]),
        color=EXPECTED,
        alpha=BAND_ALPHA,
        linewidth=0,
    )
    axis.plot(real.times - begun, real.values[:, c], color=MUTED, linewidth=0.6)
    axis.plot(elapsed, only(beside, found.series.values[:, c]), color=EXPECTED, linewidth=1.2)
    axis.plot(elapsed, only(~hidden, found.series.values[:, c]), color=OBSERVED, linewidth=0.9)
