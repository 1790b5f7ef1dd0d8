"""A page of plots of a device kind: how its channels go, at which rhythms, and which go together; as a file's bytes."""

from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, DayLocator, HourLocator, MinuteLocator
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.mlab import psd
from matplotlib.ticker import Locator, MaxNLocator, NullLocator

from anomgan.records import Floats, TimeSeries
from anomgan_cli.plot_style import (
    DISCRIMINATOR,
    EXPECTED,
    INK,
    OBSERVED,
    TINY,
    Form,
    figure,
    head,
    image,
    keys_below,
    named,
    styled,
)
from anomgan_simulator.portrait import Portrait

OTHER = "#e3bb7c"
PAIR, DEVICES = (OBSERVED, OTHER), ("one device", "another")
TICKS: dict[str, tuple[Callable[[], Locator], str]] = {
    "week": (DayLocator, "%a"),
    "day": (partial(HourLocator, (0, 6, 12, 18)), "%H h"),
    "hour": (partial(MinuteLocator, (0, 20, 40)), "%H:%M"),
}
RHYTHMS = ((2.0, "2 s"), (60.0, "1 min"), (3600.0, "1 h"), (86_400.0, "1 d"))
SPECTRA = (("week", 1024, OBSERVED), ("day", 1024, EXPECTED), ("hour", 512, DISCRIMINATOR))
WIDTHS = (1.5, 1.2, 1.2, 1.0)


def kind_plot(of: Portrait, form: Form = "png") -> bytes:
    """One row a channel: a week, a day, an hour of two devices and the first one's spectrum; below, correlations."""
    channels = of.kind.channels
    rows = len(channels)
    above, below = 0.56 * rows + 1.0, 0.19 * rows + 1.2
    with styled():
        drawn = figure(above + below)
        top, bottom = drawn.subfigures(2, 1, squeeze=False, height_ratios=(above, below))[:, 0]
        grid = top.subplots(rows, 4, width_ratios=WIDTHS, squeeze=False)
        for c, channel in enumerate(channels):
            line = grid[c]
            for axis, (stretch, series) in zip(line, of.stretches.items(), strict=False):
                _draw_course(axis, stretch, series, c, since=channel.counter, last=c == rows - 1)
            _draw_spectrum(line[3], of.stretches, c, last=c == rows - 1)
            name = f"{channel.name}, since the first" if channel.counter else channel.name
            named(line[0], name, channel.unit)
        titles = ("A week", "A Tuesday", "Tuesday, 9 to 10", "Power by period")
        for axis, title in zip(grid[0], titles, strict=True):
            axis.set_title(title)
        top.align_ylabels(grid[:, 0])
        periods = [Line2D([], [], color=colour, label=f"power, {name}") for name, _, colour in SPECTRA]
        devices = [Line2D([], [], color=colour, label=name) for name, colour in zip(DEVICES, PAIR, strict=True)]
        keys_below(top, [*devices, *periods])
        head(drawn, f"{of.kind.name}: two healthy devices with the default settings")
        _draw_correlations(bottom, of.stretches)
        return image(drawn, form)


def _draw_course(axis: Axes, stretch: str, series: list[TimeSeries], c: int, *, since: bool, last: bool) -> None:
    """`since`: by how much it has risen, for registers stand at different counts."""
    for one, colour in zip(series[::-1], PAIR[::-1], strict=True):
        times = np.round(one.times * 1e6).astype("datetime64[us]")
        axis.plot(times, one.values[:, c] - (one.values[0, c] if since else 0.0), color=colour, linewidth=0.5)
    axis.yaxis.set_major_locator(MaxNLocator(3))
    axis.tick_params(labelsize=TINY)
    locator, form = TICKS[stretch]
    axis.xaxis.set_major_locator(locator())
    axis.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    axis.tick_params(axis="x", labelbottom=last)
    axis.margins(x=0.0)


def _draw_spectrum(axis: Axes, stretches: dict[str, list[TimeSeries]], c: int, *, last: bool) -> None:
    """Welch's power spectral density of each stretch where it knows best, by period."""
    for name, length, colour in SPECTRA:
        one = stretches[name][0]
        values = one.values[:, c]
        if np.ptp(values) > 0.0:
            told = psd(values, NFFT=length, Fs=1.0 / one.period_s, detrend="linear", noverlap=length // 2)
            power, frequency = (np.asarray(one, np.float64) for one in told)
            some = (frequency > 0.0) & (power > 0.0)
            axis.loglog(1.0 / frequency[some], power[some], color=colour, linewidth=0.8)
    if not axis.lines:
        axis.text(0.5, 0.5, "stands still", transform=axis.transAxes, ha="center", va="center", fontsize=TINY)
        axis.set_xscale("log")
    axis.set_xlim(150_000.0, 1.6)  # slow to the left, as a spectrum is read
    axis.set_xticks([period for period, _ in RHYTHMS], [words for _, words in RHYTHMS])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_minor_locator(NullLocator())
    axis.tick_params(labelsize=TINY, labelleft=False)
    axis.tick_params(axis="x", labelbottom=last)


def _draw_correlations(part: SubFigure, stretches: dict[str, list[TimeSeries]]) -> None:
    """Within the hour and over the week: what hangs together at once, and what only by time of day."""
    axes = part.subplots(1, 2)
    names = stretches["week"][0].channels
    for axis, name, title in zip(axes, ("hour", "week"), ("within the hour", "over the week"), strict=True):
        shown = correlations(stretches[name][0].values)
        axis.imshow(shown, vmin=-1.0, vmax=1.0, cmap="RdBu_r")
        for i, j in np.ndindex(shown.shape):
            if np.isfinite(shown[i, j]) and i != j:
                ink = "white" if abs(shown[i, j]) > 0.6 else INK
                words = f"{shown[i, j]:.1f}".replace("0.", ".").replace("-.0", ".0")
                axis.text(j, i, words, ha="center", va="center", fontsize=5.5, color=ink)
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=TINY)
        axis.set_yticks(range(len(names)), names, fontsize=TINY)
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set_title(f"Correlations {title}")


def correlations(values: Floats) -> Floats:
    """(T, C) -> (C, C), NaN for a channel that stands still."""
    moving = np.ptp(values, axis=0) > 0.0
    shown: Floats = np.full((values.shape[1], values.shape[1]), np.nan)
    shown[np.ix_(moving, moving)] = np.corrcoef(values[:, moving], rowvar=False)
    return shown
