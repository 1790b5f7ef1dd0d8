"""How an adversarial game went, as curves: what every report of a training begins with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from anomgan_cli.plot_style import DASHES, DISCRIMINATOR, EXPECTED, LINE, NORMAL, OBSERVED, TINY


@dataclass(frozen=True, slots=True)
class Curve:
    """A name, "" = needs none; the column of the game's course; a colour."""

    name: str
    key: str
    colour: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves with one axis; share: they are shares from 0 to 1."""

    title: str
    curves: tuple[Curve, ...]
    share: bool = False


LOSSES = Panel(
    "Losses",
    (Curve("discriminator", "discriminator_loss", DISCRIMINATOR), Curve("generator", "generator_loss", NORMAL)),
)
HITS = Panel(
    "Judged rightly",
    (Curve("real", "accuracy_real", OBSERVED), Curve("generated", "accuracy_generated", EXPECTED)),
    share=True,
)


def draw_game(part: SubFigure, panels: Sequence[Panel], summary: Mapping[str, Any]) -> None:
    """The panels side by side, over the steps of a training's summary; a dashed line at the best step."""
    course = summary["course"]
    for axis, panel in zip(part.subplots(1, len(panels)), panels, strict=True):
        ends = []
        for curve in panel.curves:
            axis.plot(
                course["step"],
                [float("nan") if value is None else value for value in course[curve.key]],
                color=curve.colour,
                linewidth=1.0,
                marker="." if len(course["step"]) < 2 else "",
            )
            if curve.name and course[curve.key]:
                ends.append(Line2D([], [], color=curve.colour, label=curve.name))
        axis.axvline(summary["best_step"], color=LINE, linewidth=0.8, linestyle=DASHES, zorder=0)
        axis.set_title(panel.title)
        axis.set_xlabel("step")
        axis.grid(axis="y")
        axis.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 2.5, 5, 10]))
        axis.yaxis.set_major_locator(MaxNLocator(4))
        if panel.share:
            axis.set_ylim(0.0, 1.04)
            axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        else:
            low, high = axis.get_ylim()
            axis.set_ylim(min(low, 0.0), high)
        if ends:
            axis.legend(handles=ends, loc="lower right" if panel.share else "best", fontsize=TINY, handlelength=1.0)
