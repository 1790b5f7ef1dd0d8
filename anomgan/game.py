"""How an adversarial game went: its course as a few columns, and its health in words.

The health is what the monitors of training know: how often the discriminator judged windows rightly, how much generated
windows vary beside real ones, and how steadily. It is told of the second half of the game, for the first is learning.

- collapsed: generated windows hardly vary (diversity below COLLAPSED_BELOW at the end), or look like real ones but
  like few of them (density DENSE, coverage below COVERED_COLLAPSED at the end);
- oscillating: from look to look the discriminator's hits, or the diversity, jump by more than chance in a batch does;
- one-sided: the discriminator is practically always right, so the generator learns little from it;
- narrow: the generator makes less than half of the variety of real windows, or windows like real ones but like less
  than COVERED_NARROW of them;
- balanced: none of these.

Coverage alone says nothing of balance: windows that are a little off cover none, however well they vary, and those of a
detector's generator usually are, for it is to rebuild rather than to make up. It speaks where density says that windows
are not off. What may help is said with it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from anomgan.records import Floats

COLLAPSED_BELOW = 0.1
NARROW_BELOW = 0.5
ALWAYS_RIGHT = 0.97
HIT_JUMPS, DIVERSITY_JUMPS = 0.12, 0.3
"""the standard deviation from look to look beyond which it is no chance: a batch of 64 has 0.06 and about 0.15"""
DENSE = 0.5
"""the density from which generated windows count as like real ones: those of the same distribution have 1"""
COVERED_COLLAPSED, COVERED_NARROW = 0.05, 0.3
"""the coverage below which; all alike cover 5 of at most 256, one of four modes alone a quarter, all of it over 0.9"""
FEWEST_LOOKS = 6
MOST_POINTS = 200
CURVES = (
    "discriminator_loss", "generator_loss", "accuracy_real", "accuracy_generated", "diversity", "reconstruction_error",
)  # fmt: skip
"""what of each look at the game is kept, beside its step"""
AGAINST_HELD_OUT = ("coverage", "density")
"""is kept too, None where too few windows are held out; courses of before 0.4 lack them"""

Balance = Literal["balanced", "narrow", "one-sided", "oscillating", "collapsed", "unknown"]
Course = Mapping[str, Sequence[float | None]]

ADVICE: Mapping[Balance, str] = {
    "narrow": "What may help: minibatch_statistics = true{or_critic}; and augmentation = 0.3 where windows are few.",
    "one-sided": "What may help: a discriminator_learning_rate a quarter of learning_rate, and minibatch_statistics = "
    "false; augmentation = 0.3 where windows are few.",
    "oscillating": "What may help: a discriminator_learning_rate other than learning_rate, a gradient_penalty of 1 "
    'beside normalisation = "spectral", and a larger ema_decay, such as 0.999.',
    "collapsed": "What may help: a lower learning_rate, minibatch_statistics = true{or_critic}; and augmentation = 0.3 "
    "where windows are few.",
}
"""what to change in the configuration, by what ails the game"""


@dataclass(frozen=True, slots=True)
class Game:
    """The health of a game: in one word, in a sentence, what may help, if anything need, and the figures behind it (NaN
    = not known): hits, the share of windows that the discriminator judged rightly; diversity; how far both jump from
    look to look; and coverage and density against held-out windows."""

    balance: Balance
    sentence: str
    hits: float = math.nan
    diversity: float = math.nan
    hit_jumps: float = math.nan
    diversity_jumps: float = math.nan
    coverage: float = math.nan
    density: float = math.nan
    advice: str = ""


def course_of(looks: Sequence[Any], most: int = MOST_POINTS) -> dict[str, list[float | None]]:
    """Looks at a game (`gan.train.TrainingHealth`) as columns of at most `most` points, the first and the last among
    them; numbers of four digits, None for NaN."""
    at = sorted({round(i) for i in np.linspace(0, len(looks) - 1, min(len(looks), most)).tolist()})
    course: dict[str, list[float | None]] = {"step": [int(looks[i].step) for i in at]}
    for name in (*CURVES, *AGAINST_HELD_OUT):
        values = [float(getattr(looks[i], name)) for i in at]
        course[name] = [None if math.isnan(value) else float(f"{value:.4g}") for value in values]
    return course


def game_of(course: Course, loss: str = "hinge") -> Game:
    """The health of a game from its course; a critic (`wgan-gp`) has no zero, so that its hits say nothing."""
    count = len(course.get("step", ()))
    if count < FEWEST_LOOKS:
        why = "The game was looked at too seldom to say" if count else "The model file keeps no course of its game"
        return Game("unknown", f"{why}.")
    late = slice(count // 2, None)
    real, made, diversity, coverage, density = (
        np.array(course.get(name, [None] * count)[late], np.float64)  # None becomes NaN
        for name in ("accuracy_real", "accuracy_generated", "diversity", *AGAINST_HELD_OUT)
    )
    hits = np.full(len(real), np.nan) if loss == "wgan-gp" else (real + made) / 2.0
    figures = Game(
        "balanced", "", float(hits.mean()), float(diversity.mean()), _jumps(hits), _jumps(diversity),
        float(coverage.mean()), float(density.mean()),
    )  # fmt: skip
    balance = _balance(figures, float(diversity[-1]), float(coverage[-1]), float(density[-1]))
    few = f"{_percent(figures.coverage)} of held-out normal windows have a generated one as near as their neighbours"
    shown = (
        ""
        if math.isnan(figures.hits)
        else f" The discriminator judged {_percent(figures.hits)} of the windows rightly."
    )
    sentences: dict[Balance, str] = {
        "balanced": "Generator and discriminator kept each other in check: generated windows vary "
        f"{figures.diversity:.2f} times as much as real ones.{shown}",
        "narrow": (
            f"Generated windows vary only {figures.diversity:.2f} times as much as real ones"
            if figures.diversity < NARROW_BELOW
            else f"Only {few}"
        )
        + f": the generator shows a part of what normal is.{shown}",
        "one-sided": f"The discriminator judged {_percent(figures.hits)} of the windows rightly, so the generator "
        f"learned little from it; generated windows vary {figures.diversity:.2f} times as much as real ones.",
        "oscillating": "The players overthrew each other again and again: "
        + (
            f"the discriminator's hits jump by {_percent(figures.hit_jumps)}"
            if figures.hit_jumps > HIT_JUMPS
            else f"the diversity of generated windows jumps by {figures.diversity_jumps:.2f}"
        )
        + " from look to look.",
        "collapsed": "The generator collapsed: "
        + (
            f"its windows vary {float(diversity[-1]):.2f} times as much as real ones, all alike"
            if diversity[-1] < COLLAPSED_BELOW
            else f"at the end {_percent(float(coverage[-1]))} of held-out normal windows have a generated one beside "
            "them"
        )
        + ". What it says of a window is worth little.",
    }
    advice = ADVICE.get(balance, "").format(or_critic="" if loss == "wgan-gp" else ' or loss = "wgan-gp"')
    return replace(figures, balance=balance, sentence=sentences[balance], advice=advice)


def _balance(figures: Game, last_diversity: float, last_coverage: float, last_density: float) -> Balance:
    """NaN is below and above nothing, so that what is not known has no say."""
    if last_diversity < COLLAPSED_BELOW or (last_density >= DENSE and last_coverage < COVERED_COLLAPSED):
        return "collapsed"
    if figures.hit_jumps > HIT_JUMPS or figures.diversity_jumps > DIVERSITY_JUMPS:
        return "oscillating"
    if figures.hits >= ALWAYS_RIGHT:
        return "one-sided"
    part = figures.density >= DENSE and figures.coverage < COVERED_NARROW
    return "narrow" if figures.diversity < NARROW_BELOW or part else "balanced"


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %"


def _jumps(values: Floats) -> float:
    """The standard deviation around a course that may slope: from the differences of neighbours."""
    return float(np.diff(values).std() / math.sqrt(2.0))
