"""How an adversarial game went: its course as a few columns, and its health in words.

The health is what the monitors of training know: how often the discriminator judged windows rightly, how much generated
windows vary beside real ones, and how steadily. It is told of the second half of the game, for the first is learning.

- collapsed: generated windows hardly vary (diversity below COLLAPSED_BELOW at the end);
- oscillating: from look to look the discriminator's hits, or the diversity, jump by more than chance in a batch does;
- one-sided: the discriminator is practically always right, so the generator learns little from it;
- narrow: the generator makes less than half of the variety of real windows;
- balanced: none of these.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anomgan.records import Floats

COLLAPSED_BELOW = 0.1
NARROW_BELOW = 0.5
ALWAYS_RIGHT = 0.97
HIT_JUMPS, DIVERSITY_JUMPS = 0.12, 0.3
"""the standard deviation from look to look beyond which it is no chance: a batch of 64 has 0.06 and about 0.15"""
FEWEST_LOOKS = 6
MOST_POINTS = 200
CURVES = (
    "discriminator_loss", "generator_loss", "accuracy_real", "accuracy_generated", "diversity", "reconstruction_error",
)  # fmt: skip
"""what of each look at the game is kept, beside its step"""

Balance = Literal["balanced", "narrow", "one-sided", "oscillating", "collapsed", "unknown"]
Course = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Game:
    """The health of a game: in one word, in a sentence, and the figures behind it (NaN = not known): hits, the share of
    windows that the discriminator judged rightly; diversity; and how far both jump from look to look."""

    balance: Balance
    sentence: str
    hits: float = math.nan
    diversity: float = math.nan
    hit_jumps: float = math.nan
    diversity_jumps: float = math.nan


def course_of(looks: Sequence[Any], most: int = MOST_POINTS) -> dict[str, list[float]]:
    """Looks at a game (`gan.train.TrainingHealth`) as columns of at most `most` points, the first and the last among
    them; numbers of four digits."""
    at = sorted({round(i) for i in np.linspace(0, len(looks) - 1, min(len(looks), most)).tolist()})
    course: dict[str, list[float]] = {"step": [int(looks[i].step) for i in at]}
    for name in CURVES:
        course[name] = [float(f"{getattr(looks[i], name):.4g}") for i in at]
    return course


def game_of(course: Course, loss: str = "hinge") -> Game:
    """The health of a game from its course; a critic (`wgan-gp`) has no zero, so that its hits say nothing."""
    count = len(course.get("step", ()))
    if count < FEWEST_LOOKS:
        why = "The game was looked at too seldom to say" if count else "The model file keeps no course of its game"
        return Game("unknown", f"{why}.")
    late = slice(count // 2, None)
    real, made, diversity = (
        np.asarray(course[name], np.float64)[late] for name in ("accuracy_real", "accuracy_generated", "diversity")
    )
    hits = (real + made) / 2.0
    figures = Game("balanced", "", float(hits.mean()), float(diversity.mean()), _jumps(hits), _jumps(diversity))
    if loss == "wgan-gp":
        figures = Game("balanced", "", math.nan, figures.diversity, math.nan, figures.diversity_jumps)
    balance = _balance(figures, float(diversity[-1]))
    shown = (
        ""
        if math.isnan(figures.hits)
        else f" The discriminator judged {_percent(figures.hits)} of the windows rightly."
    )
    sentences: dict[Balance, str] = {
        "balanced": "Generator and discriminator kept each other in check: generated windows vary "
        f"{figures.diversity:.2f} times as much as real ones.{shown}",
        "narrow": f"Generated windows vary only {figures.diversity:.2f} times as much as real ones: the generator "
        f"shows a part of what normal is.{shown}",
        "one-sided": f"The discriminator judged {_percent(figures.hits)} of the windows rightly, so the generator "
        f"learned little from it; generated windows vary {figures.diversity:.2f} times as much as real ones.",
        "oscillating": "The players overthrew each other again and again: "
        + (
            f"the discriminator's hits jump by {_percent(figures.hit_jumps)}"
            if figures.hit_jumps > HIT_JUMPS
            else f"the diversity of generated windows jumps by {figures.diversity_jumps:.2f}"
        )
        + " from look to look.",
        "collapsed": f"The generator collapsed: its windows vary {float(diversity[-1]):.2f} times as much as real "
        "ones, all alike. What it says of a window is worth little.",
    }
    return Game(
        balance, sentences[balance], figures.hits, figures.diversity, figures.hit_jumps, figures.diversity_jumps
    )


def _balance(figures: Game, last_diversity: float) -> Balance:
    if last_diversity < COLLAPSED_BELOW:
        return "collapsed"
    if figures.hit_jumps > HIT_JUMPS or figures.diversity_jumps > DIVERSITY_JUMPS:
        return "oscillating"
    if figures.hits >= ALWAYS_RIGHT:
        return "one-sided"
    return "narrow" if figures.diversity < NARROW_BELOW else "balanced"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _jumps(values: Floats) -> float:
    """The standard deviation around a course that may slope: from the differences of neighbours."""
    return float(np.diff(values).std() / math.sqrt(2.0))
