"""The picture of a privacy report: how near synthetic windows come to training data, and what attackers can do."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from anomgan.privacy import Attack, PrivacyReport
from anomgan.privacy.words import verdict
from anomgan.records import Floats
from anomgan_cli.plot_style import (
    ALARM,
    COLOURS,
    DASHES,
    EXPECTED,
    LINE,
    OBSERVED,
    SMALL,
    Form,
    figure,
    head,
    image,
    keys_below,
    powers,
    styled,
)

LOWEST = 1e-3
"""of a logarithmic axis of rates"""


def privacy_plot(report: PrivacyReport, form: Form = "png") -> bytes:
    """Distances and distance ratios to training data, of synthetic windows and of held-out ones; the attacks' ROC."""
    with styled():
        drawn = figure(3.3)
        near, ratio, attacks = drawn.subplots(1, 3)
        _draw_shares(near, report.closest.synthetic, report.closest.held_out)
        near.set_title("Distance to the closest\ntraining window")
        near.set_xlabel("root mean square, in spreads")
        near.set_ylabel("share of windows")
        _draw_shares(ratio, report.ratio.synthetic, report.ratio.held_out)
        ratio.set_xlim(0.0, 1.0)
        ratio.set_title("The same, relative to\nthe second closest")
        ratio.set_xlabel("ratio, 0 = a copy")
        for one, colour in zip(report.attacks, (ALARM, *COLOURS[2:4], COLOURS[5]), strict=False):
            _draw_attack(attacks, one, colour)
        _finish_attacks(attacks, min(len(one.others) for one in report.attacks))
        head(drawn, f"Does it give anything away? Windows of {report.length} rows", verdict(report))
        keys_below(drawn, _keys())
        return image(drawn, form)


def _draw_shares(axis: Axes, synthetic: Floats, held_out: Floats) -> None:
    """Cumulative shares; a line far to the left of held-out windows is a leak."""
    for values, colour, width in ((held_out, EXPECTED, 1.6), (synthetic, OBSERVED, 1.1)):
        rising = np.sort(values[~np.isnan(values)])
        axis.step(rising, np.arange(1, len(rising) + 1) / len(rising), where="post", color=colour, linewidth=width)
    axis.set_xlim(left=0.0)
    axis.set_ylim(0.0, 1.02)
    axis.grid(visible=True)


def _draw_attack(axis: Axes, one: Attack, colour: str) -> None:
    """Training windows found over others accused, both as shares."""
    scores = np.concatenate([one.members, one.others])
    inside = np.arange(len(scores)) < len(one.members)
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)  # ties are accused together
    found = np.cumsum(inside[order])[last] / len(one.members)
    accused = np.cumsum(~inside[order])[last] / len(one.others)
    axis.step(accused, found, where="post", color=colour, label=f"{one.name}, {one.auc.value:.2f}")


def _finish_attacks(axis: Axes, others: int) -> None:
    """Both axes logarithmic, as leaks of a few windows are seen at few false alarms alone."""
    low = max(LOWEST, 1.0 / max(others, 1))
    axis.plot([low, 1.0], [low, 1.0], color=LINE, linestyle=DASHES)
    powers(axis)
    axis.set_xlim(low, 1.0)
    axis.set_ylim(low, 1.0)
    axis.grid(visible=True)
    axis.set_title("Attacks and the\narea under their ROC")
    axis.set_xlabel("others accused")
    axis.set_ylabel("training windows found")
    axis.legend(loc="lower right", fontsize=SMALL, frameon=True, edgecolor="none", framealpha=0.85)


def _keys() -> list[Artist]:
    return [
        Line2D([], [], color=OBSERVED, label="synthetic windows"),
        Line2D([], [], color=EXPECTED, linewidth=1.6, label="held-out windows: real, and not copied"),
        Line2D([], [], color=LINE, linestyle=DASHES, label="guessing"),
    ]
