"""How a synthesizer comes about with differential privacy (Dwork & Roth 2014, definition 2.4).

The promise: with or without what one block of time of one device recorded, whatever comes of the training is about as
likely; no event's probability changes by more than a factor of e^epsilon, but for a probability of delta. A stretch of
as many rows that begins anywhere lies in two blocks at most, and has twice the epsilon at 1 + e^epsilon times the delta
(Dwork & Roth 2014, theorem 2.2).

Real data are looked at three times, and nowhere else:

- their distributions, by histograms with noise (`private_marginals`), for a fifth of epsilon;
- their correlations, with noise (`rhythm`), for a fifth. Drawn from these are the windows that the generator learns to
  complete, that choose the best step and that calibrate: stand-ins for real ones;
- by the discriminator's updates (`gan.private`), for the rest, which is more than three fifths, as what looks cost is
  less than the sum of what each costs alone. The discriminator is shown one real window of each block that is drawn.

A step's noise hides nothing from who can foretell it, so it has nothing to do with `seed`, and neither has which blocks
are drawn: the same seed does not give the same model here.

Not covered, and told with the model (`NOT_COVERED`): what is known of a recording beside its values.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from math import exp, inf, nan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anomgan.config import SynthesizerConfig
from anomgan.errors import ConfigError, DataError
from anomgan.game import course_of
from anomgan.gan.private import Private, need_opacus
from anomgan.gan.shape import Shape
from anomgan.gan.train import Normal, TrainingHealth, TrainingStep, train
from anomgan.pool import agree
from anomgan.progress import TrainingBar
from anomgan.records import TimeSeries
from anomgan.synthesis.blocks import Records, cut_blocks
from anomgan.synthesis.budget import Look, noise_for, spent
from anomgan.synthesis.carry import fit_carry
from anomgan.synthesis.fit import MAX_HELD, Learned, choose, filled, known_ends
from anomgan.synthesis.marginals import to_scores
from anomgan.synthesis.private_marginals import ROUNDS, check_ranges, private_marginals
from anomgan.synthesis.rhythm import StandIns, private_correlations
from anomgan.windows import WindowRule

SHARE = 0.2
"""of epsilon, for distributions and for correlations, each alone"""
LEAST_BLOCKS = 64
BEYOND = 0.5
"""how far a score may be beyond the ends of its channel's distribution"""
NOT_COVERED = (
    "a whole device, or habits of its that many blocks show",
    "that there is a recording of it, from when to when, how often it was read, its channels' names, units and ranges",
    "who can foretell the noise: it comes from PyTorch's and NumPy's generators, seeded by the operating system",
)
"""what epsilon is not of"""


def learn_privately(
    series: Sequence[TimeSeries],
    config: SynthesizerConfig,
    *,
    progress: bool = False,
    on_step: Callable[[TrainingStep], None] | None = None,
    entropy: Callable[[], int] = lambda: secrets.randbits(128),
) -> "Learned":
    """Learn what windows of these series look like, within `config.epsilon`.

    `entropy` seeds all that has to be unforeseeable. ConfigError for channels without a range and where Opacus is not
    installed; DataError for too little data or series that do not agree; TrainingDiverged for a non-finite loss.
    """
    need_opacus()
    first = agree(series)
    channels = first.channels
    check_ranges(config.ranges, channels)
    period_s = float(np.median([one.period_s for one in series]))
    spans = [round(float(one.times[-1] - one.times[0]) / period_s) + 1 for one in series]
    config = choose(config, max(spans), sum(spans), period_s)
    window, steps, epsilon, delta = config.window or 0, config.steps or 0, config.epsilon or inf, config.delta
    unit = config.protected_rows or 2 * window
    config = config.model_copy(update={"protected_rows": unit})
    rule = WindowRule(window, 1, config.max_gap_s or 0.0, 0)
    blocks = cut_blocks(series, unit * period_s, rule)
    if blocks.count < LEAST_BLOCKS:
        raise DataError(
            f"{sum(spans)} rows are {blocks.count} blocks of {unit} rows, each to be hidden among the others; at least "
            f"{LEAST_BLOCKS} are needed, and thousands make better models"
        )
    if delta * blocks.count >= 1.0:
        raise ConfigError(
            f"delta = {delta:g} with {blocks.count} blocks: a promise that may fail for one of them is none"
        )
    rng = np.random.default_rng(entropy())

    # ---- distributions and correlations, with noise
    looks = [Look(noise_for(SHARE * epsilon, delta, 1.0, times), 1.0, times) for times in (ROUNDS, 1)]
    ranges = [config.ranges[name] for name in channels]
    bounds = np.array([one[:2] for one in ranges]).T
    values = np.concatenate([one.values for one in series]).clip(*bounds)
    marginals = private_marginals(values, ranges, blocks, unit, looks[0].noise_multiplier, rng)
    reach = np.array([(one.scores[0], one.scores[-1]) for one in marginals], np.float32).T  # (2, C)
    scores = to_scores(marginals, values).clip(reach[0] - BEYOND, reach[1] + BEYOND)
    ends = known_ends(scores, blocks.starts, rule)
    rows = filled(scores, blocks.starts)
    correlations = private_correlations(rows, blocks, window, looks[1].noise_multiplier, rng)
    stand_ins = StandIns(correlations, unit, looks[1].noise_multiplier, rng)

    # ---- the game
    records = Records(rows, ends, blocks, window)
    rate = min(1.0, config.batch / len(records))
    noise = noise_for(epsilon, delta, rate, steps, looks)

    def draw() -> tuple[Tensor, Tensor]:
        windows = torch.from_numpy(records.draw(rate, rng))
        return windows, windows.new_empty(len(windows), 0)

    def stand_in(dice: np.random.Generator, count: int) -> Normal:
        return Normal.unconditioned(stand_ins.draw(dice, count))

    held = stand_in(np.random.default_rng(config.seed), MAX_HELD)
    private = Private(draw, rate * len(records), noise, config.max_grad_norm, entropy() % 2**63)
    shape = Shape(len(channels), window, config.latent, config.width, hiding=True)
    with TrainingBar(steps, show=progress) as bar:
        watch = bar.watching(on_step)
        result = train(
            stand_in,
            held,
            reach,
            shape,
            config,
            steps,
            lambda step: watch(_public(step)),
            fine=np.abs(np.diff(held.windows, axis=2)).mean((0, 2))[None],
            private=private,
        )
    carry = fit_carry(result.networks, held, config.seed)
    looks.append(Look(noise, rate, private.updates))
    summary = {
        "series": len(series),
        "rows": sum(spans),
        "training_windows": len(records),
        "steps": result.steps,
        "best_step": result.best_step,
        "seconds": round(result.seconds, 3),
        "stopped": result.stopped,
        "device": result.device,
        "last_health": _finite(asdict(result.health[-1])) if result.health else {},
        "course": course_of([_hidden(look) for look in result.health]),
        "privacy": {
            "epsilon": round(spent(looks, delta), 4),
            "delta": delta,
            "unit_rows": unit,
            "unit_s": unit * period_s,
            "units": len(records),
            "max_grad_norm": config.max_grad_norm,
            "looks": [look._asdict() for look in looks],
            "accountant": f"Rényi, Opacus {version('opacus')}",
            "not_covered": list(NOT_COVERED),
        },
    }
    return Learned(config, channels, first.units, period_s, (), marginals, result.networks, carry, summary)


def guarantee(summary: Mapping[str, Any]) -> str:
    """What a model's training promises, as a sentence; "" where it promises nothing."""
    told = summary.get("privacy")
    if not told:
        return ""
    epsilon, delta, missing = told["epsilon"], told["delta"], "; ".join(told["not_covered"])
    return (
        f"differential privacy: epsilon {epsilon:.2f} at delta {delta:g} for each block of {told['unit_rows']} rows "
        f"({told['unit_s']:g} s) of a device; a stretch as long that begins anywhere lies in two of them: epsilon "
        f"{2.0 * epsilon:.2f} at delta {(1.0 + exp(epsilon)) * delta:.2g}. Not covered: {missing}"
    )


def _public(step: TrainingStep) -> TrainingStep:
    """A look at the game without what it says of real windows themselves."""
    return replace(step, health=step.health and _hidden(step.health))


def _hidden(health: TrainingHealth) -> TrainingHealth:
    return replace(health, discriminator_loss=nan, accuracy_real=nan)


def _finite(health: dict[str, Any]) -> dict[str, Any]:
    private = ("discriminator_loss", "accuracy_real")
    return {name: value for name, value in health.items() if name not in private}
