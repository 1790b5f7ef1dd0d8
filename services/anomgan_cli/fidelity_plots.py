"""A page of plots of generated data beside real data: stretches, values, memory, rhythms, company, and windows."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from anomgan.fidelity import FidelityReport, correlations, welch
from anomgan.fidelity.sample import Pieces, column, pieces_of, spaced, squashed, windows_of
from anomgan.records import Floats, TimeSeries
from anomgan.scaling import Scaler, fit_scaler
from anomgan_cli.plot_style import (
    EXPECTED,
    INK,
    MUTED,
    OBSERVED,
    TINY,
    Form,
    figure,
    head,
    image,
    keys_below,
    named,
    powers,
    styled,
)

REAL, MADE = OBSERVED, EXPECTED
MOST_CHANNELS, MOST_NAMES, MOST_WINDOWS = 8, 12, 400
STRETCH_WINDOWS = 6
BINS = 40
LONGEST_STRETCH = 256
OCTAVE = 4
TITLES = ("Real", "Generated", "Values", "Autocorrelation", "Power")
NAME_LENGTH = 20


def fidelity_plot(
    report: FidelityReport, held_out: Sequence[TimeSeries], made: Sequence[TimeSeries], form: Form = "png"
) -> bytes:
    """A row a channel, of more than eight those that are least like; below, correlations and windows in their plane."""
    scaler = fit_scaler(np.concatenate([one.values for one in held_out]))
    real, generated = (pieces_of(some, scaler, report.window) for some in (held_out, made))
    shown = _least_like(report)
    period_s, units = held_out[0].period_s, held_out[0].units
    above, below = 0.62 * len(shown) + 0.85, 2.3
    with styled():
        drawn = figure(above + below + 0.5)
        top, bottom = drawn.subfigures(2, 1, squeeze=False, height_ratios=(above, below))[:, 0]
        grid = top.subplots(len(shown), 5, width_ratios=(1.35, 1.35, 0.85, 1.2, 1.1), squeeze=False)
        both = [correlations(one, report.window) for one in (real, generated)]
        length = _stretch_for_spectrum(real, generated)
        spectra = [welch(one, length) for one in (real, generated)]
        for i, c in enumerate(shown):
            line, last = grid[i], i == len(shown) - 1
            for axis, pieces, colour in zip(line, (real, generated), (REAL, MADE), strict=False):
                _draw_stretch(axis, pieces, scaler, c, STRETCH_WINDOWS * report.window, period_s, colour)
            low, high = np.array([axis.get_ylim() for axis in line[:2]]).T
            for axis in line[:2]:
                axis.set_ylim(low.min(), high.max())
            line[1].tick_params(axis="y", labelleft=False)
            _draw_values(line[2], *(column(one, c) * scaler.spread[c] + scaler.centre[c] for one in (real, generated)))
            _draw_memory(line[3], [one[:, c, c] for one in both], period_s)
            _draw_rhythms(line[4], [power[:, c] for power in spectra], length * period_s)
            name = _short(report.channels[c])
            named(line[0], f"{name}\n{units[c]}" if units[c] else name)
            for axis in line:
                axis.tick_params(labelsize=TINY)
                axis.tick_params(axis="x", labelbottom=last)
                axis.tick_params(axis="y", pad=1.5)
        for axis, title, below_it in zip(grid[0], TITLES, ("s", "s", "", "lag, s", "period, s"), strict=True):
            axis.set_title(title)
            grid[-1, list(grid[0]).index(axis)].set_xlabel(below_it, fontsize=TINY)
        top.align_ylabels(grid[:, 0])
        _draw_together(bottom, report, [one[0] for one in both], real, generated)
        head(drawn, *_words(report, len(shown)))
        return image(drawn, form)


def _words(report: FidelityReport, shown: int) -> tuple[str, str]:
    """Title, and what is to be known of it."""
    made, real = report.synthetic, report.floor
    title = (
        f"Generated beside real: {_percent(made.discriminative.accuracy)} of windows told apart "
        f"(real beside real: {_percent(real.discriminative.accuracy)})"
    )
    few = f"The {shown} of {len(report.channels)} channels that are least like. "
    return title, (
        f"{few if shown < len(report.channels) else ''}{made.rows:,} generated rows, {report.held_out_rows:,} real "
        f"ones that the generator has not seen; windows of {report.window} rows. In brackets what real data get: "
        f"coverage {made.manifold.coverage:.2f} ({real.manifold.coverage:.2f}), density {made.manifold.density:.2f} "
        f"({real.manifold.density:.2f}), one-step error of who learned from them {made.prediction:.3g} "
        f"({real.prediction:.3g}). Nearer to the training data than 95 % of the real: {_percent(made.nearness.copies)}."
    )


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _least_like(report: FidelityReport) -> list[int]:
    """The channels to draw, in their order: all, or those whose mean rank over the measures is worst."""
    made = report.synthetic
    count = len(report.channels)
    if count <= MOST_CHANNELS:
        return list(range(count))
    ranks = [np.argsort(np.argsort(one)) for one in (made.wasserstein, made.autocorrelation, made.cross, made.spectrum)]
    return sorted(int(c) for c in np.argsort(-np.mean(ranks, axis=0), kind="stable")[:MOST_CHANNELS])


def _short(name: str) -> str:
    """What tells names apart may stand at either end."""
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half]}…{name[1 - half :]}"


# ---------------------------------------------------------------- one channel


def _draw_stretch(axis: Axes, pieces: Pieces, scaler: Scaler, c: int, rows: int, period_s: float, colour: str) -> None:
    """The middle of the longest piece, in the channel's unit."""
    longest = max(pieces, key=len)
    rows = min(rows, len(longest))
    begin = (len(longest) - rows) // 2
    values = longest[begin : begin + rows, c] * scaler.spread[c] + scaler.centre[c]
    axis.plot(np.arange(rows) * period_s, values, color=colour, linewidth=0.7)
    axis.yaxis.set_major_locator(MaxNLocator(2))
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.margins(x=0.0)


def _draw_values(axis: Axes, real: Floats, made: Floats) -> None:
    """How often which values are, between the outermost thousandths of both; the same bins."""
    low, high = np.quantile(np.concatenate([real, made]), [0.001, 0.999])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    for values, colour, filled in ((real, REAL, True), (made, MADE, False)):
        share = np.histogram(values, edges)[0] / len(values)
        if filled:
            axis.stairs(share, edges, fill=True, color=colour, alpha=0.35, linewidth=0.0)
        else:
            axis.stairs(share, edges, color=colour, linewidth=0.9)
    axis.set_xticks([])  # the scale is that of the stretches beside it
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)


def _draw_memory(axis: Axes, both: Sequence[Floats], period_s: float) -> None:
    for memory, colour in zip(both, (REAL, MADE), strict=True):
        axis.plot(np.arange(len(memory)) * period_s, memory, color=colour, linewidth=0.9)
    axis.set_ylim(min(-0.1, *(float(one.min()) for one in both)), 1.05)
    axis.yaxis.set_major_locator(MaxNLocator(2))
    axis.xaxis.set_major_locator(MaxNLocator(3))
    axis.margins(x=0.0)


def _draw_rhythms(axis: Axes, both: Sequence[Floats], length_s: float) -> None:
    """Power against period, slow to the left, four points an octave at most."""
    for power, colour in zip(both, (REAL, MADE), strict=True):
        power = power[:-1]  # the last one, of two rows, is half a frequency
        number = np.arange(1, len(power) + 1)
        group = np.unique(np.floor(OCTAVE * np.log2(number)), return_inverse=True)[1]  # as the eye has it
        size = np.bincount(group)
        mean = np.bincount(group, power) / size
        seen = mean > 0.0
        axis.loglog((length_s / (np.bincount(group, number) / size))[seen], mean[seen], color=colour, linewidth=0.9)
    if not axis.lines or not any(len(np.atleast_1d(line.get_xdata())) for line in axis.lines):
        axis.text(0.5, 0.5, "stands still", transform=axis.transAxes, ha="center", va="center", fontsize=TINY)
    powers(axis)
    axis.set_xlim(length_s, length_s / len(both[0]))
    axis.tick_params(axis="y", labelleft=False, length=0)


def _stretch_for_spectrum(*samples: Pieces) -> int:
    """A power of two that the longest piece of each has, eight times over where there is so much."""
    most = min(min(max(map(len, one)), max(8, sum(map(len, one)) // 8), LONGEST_STRETCH) for one in samples)
    return 1 << (most.bit_length() - 1)


# ---------------------------------------------------------------- all channels


def _draw_together(
    part: SubFigure, report: FidelityReport, both: Sequence[Floats], real: Pieces, generated: Pieces
) -> None:
    axes = part.subplots(1, 4, width_ratios=(1.0, 1.0, 1.0, 1.15))
    titles = ("Correlations, real", "Generated", "Difference")
    for axis, shown, title in zip(axes, (*both, both[1] - both[0]), titles, strict=False):
        if len(report.channels) > 1:
            _draw_matrix(axis, shown, report.channels if axis is axes[0] else (), title, len(report.channels))
        else:
            axis.set_axis_off()
    _draw_plane(axes[3], report.window, real, generated)
    keys_below(
        part,
        [
            Line2D([], [], color=REAL, linewidth=1.4, label="real, not seen by the generator"),
            Line2D([], [], color=MADE, linewidth=1.4, label="generated"),
        ],
    )


def _draw_matrix(axis: Axes, shown: Floats, names: Sequence[str], title: str, count: int) -> None:
    axis.imshow(shown, vmin=-1.0, vmax=1.0, cmap="RdBu_r")
    if count <= MOST_CHANNELS:
        for i, j in np.ndindex(shown.shape):
            if i != j:
                words = f"{shown[i, j]:.1f}".replace("-0.0", "0.0").replace("0.", ".")
                ink = "white" if abs(shown[i, j]) > 0.6 else INK
                axis.text(j, i, words, ha="center", va="center", fontsize=5.0, color=ink)
    axis.set_xticks([])
    shown_names = [_short(name) for name in names] if len(names) <= MOST_NAMES else []
    axis.set_yticks(range(len(shown_names)), shown_names)
    axis.tick_params(length=0, labelsize=6.0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_title(title)


def _draw_plane(axis: Axes, window: int, real: Pieces, generated: Pieces) -> None:
    """Windows in the plane in which the real ones vary most (Jolliffe, Principal Component Analysis, 2002)."""
    flat = []
    for pieces in (real, generated):
        windows = squashed(windows_of(pieces, window, max(1, window // 2)))
        flat.append(windows[spaced(len(windows), MOST_WINDOWS)].reshape(-1, windows.shape[1] * window))
    centre = flat[0].mean(axis=0)
    _, sizes, axes_of = np.linalg.svd(flat[0] - centre, full_matrices=False)
    share = (sizes**2)[:2].sum() / max(float((sizes**2).sum()), np.finfo(np.float64).tiny)
    for one, colour in zip(flat, (REAL, MADE), strict=True):
        at = (one - centre) @ axes_of[:2].T
        axis.plot(at[:, 0], at[:, 1], ".", color=colour, markersize=2.6, alpha=0.55, markeredgewidth=0.0)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_title("Windows")
    axis.set_xlabel(f"plane of most variance: {_percent(share)}", fontsize=TINY, color=MUTED)
