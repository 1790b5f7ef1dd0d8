"""How a synthesizer comes about: choose sizes, learn the channels' distributions, train the networks, calibrate.

What is not configured is chosen from the data by these rules (`choose`), T being the rows of the longest series:

- window: a sixth of T, rounded down to a multiple of 8, from 16 to 64;
- steps: one for every three rows of all series, from 3,000 to 5,000; training also stops early;
- max_gap_s: ten sampling periods;
- cycle_weight: 5 where `device` is a condition, else 0.

The networks are those of `anomgan.gan`, trained by its one loop, on windows of which cells are hidden.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.config import SynthesizerConfig
from anomgan.errors import DataError
from anomgan.gan.networks import Networks
from anomgan.gan.shape import Shape
from anomgan.gan.train import TrainingStep, train
from anomgan.pool import agree
from anomgan.progress import TrainingBar
from anomgan.records import TimeSeries
from anomgan.synthesis.account import account
from anomgan.synthesis.carry import Carry, fit_carry
from anomgan.synthesis.conditions import DEVICE, Condition, fit_conditions, of_series, place
from anomgan.synthesis.marginals import Marginal, fit_marginals, to_scores
from anomgan.synthesis.scales import MAX_MISSING, Recording, Scales
from anomgan.windows import WindowRule, due_ends, segment_starts

MIN_WINDOWS = 8
MAX_HELD = 512
CYCLE = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """All that making and completing windows needs, and how it came about."""

    config: SynthesizerConfig
    channels: tuple[str, ...]
    units: tuple[str, ...]
    period_s: float
    conditions: tuple[Condition, ...]
    marginals: tuple[Marginal, ...]
    networks: Networks
    carry: Carry
    summary: dict[str, Any]


def choose(config: SynthesizerConfig, longest: int, rows: int, period_s: float) -> SynthesizerConfig:
    """The configuration with every None replaced by the rules above; `rows` are those of all series."""
    chosen = {
        "window": config.window or min(64, max(16, longest // 6 // 8 * 8)),
        "steps": config.steps or min(5000, max(3000, rows // 3)),
        "max_gap_s": config.max_gap_s or 10.0 * period_s,
    }
    if config.cycle_weight is None:
        chosen["cycle_weight"] = CYCLE if DEVICE in config.conditions else 0.0
    return config.model_copy(update=chosen)


def learn(
    series: Sequence[TimeSeries],
    config: SynthesizerConfig,
    *,
    progress: bool = False,
    on_step: Callable[[TrainingStep], None] | None = None,
) -> Learned:
    """Learn what normal windows of these series look like, under what conditions.

    The first part of each series trains, its last `holdout` chooses the best step and calibrates. DataError for too
    little data, series that do not agree, or a condition that they do not have; TrainingDiverged for a non-finite loss.
    """
    first = agree(series)
    period_s = float(np.median([one.period_s for one in series]))
    config = choose(config, max(map(len, series)), sum(map(len, series)), period_s)
    window, max_gap_s = config.window or 0, config.max_gap_s or 0.0
    conditions = fit_conditions(config.conditions, series)
    columns = [i for i, name in enumerate(first.channels) if name not in config.conditions]
    channels = tuple(first.channels[i] for i in columns)
    if not channels:
        raise DataError(f"every channel is a condition ({', '.join(config.conditions)}), so that none is left to learn")
    marginals = fit_marginals(np.concatenate([one.values[:, columns] for one in series]), channels)

    rule = WindowRule(window, 1, max_gap_s, 0)
    recordings = []
    for one in series:
        starts = segment_starts(one.times, rule)
        scores = to_scores(marginals, one.values[:, columns])
        missing, cut = np.isnan(scores).mean(1), trained_rows(config, len(one))
        recordings.append(Recording(filled(scores, starts), of_series(conditions, one), missing, starts, cut))
    scales = Scales(recordings, window)
    pool, later = scales.early[0], scales.late[0]
    if len(pool) < MIN_WINDOWS or len(later) < MIN_WINDOWS:
        raise DataError(
            f"{sum(map(len, series))} rows give {len(pool)} training and {len(later)} held-out windows of {window} "
            f"rows without gaps and at most {100 * MAX_MISSING:.0f} % missing; at least {MIN_WINDOWS} of each are "
            f"needed: give more rows, or a shorter window (the shortest is 16)"
        )

    held = scales.held(MAX_HELD)
    held = held._replace(overlap=-(-window * len(held.windows) // len(later)))
    shape = Shape(
        len(channels),
        window,
        config.latent,
        config.width,
        conditions=held.conditions.shape[1],
        hiding=True,
        scales=len(scales),
        statistics=config.minibatch_statistics,
    )
    reach = np.quantile(np.concatenate([one.scores for one in recordings]), [0.0, 1.0], axis=0).astype(np.float32)
    steps = config.steps or 0
    with TrainingBar(steps, show=progress) as bar:
        result = train(
            scales.sample,
            held,
            reach,
            shape,
            config,
            steps,
            bar.watching(on_step),
            crossed=place(conditions, DEVICE),
            fine=scales.steps,
        )
    carry = fit_carry(result.networks, scales.finest(MAX_HELD), config.seed)
    summary = {
        "series": len(series),
        "rows": sum(map(len, series)),
        "first_time_s": float(min(one.times[0] for one in series)),
        "last_time_s": float(max(one.times[-1] for one in series)),
        "training_windows": len(pool),
        "held_out_windows": len(later),
        "steps": result.steps,
        "best_step": result.best_step,
        "seconds": round(result.seconds, 3),
        "stopped": result.stopped,
        "device": result.device,
        "last_health": known(asdict(result.health[-1])) if result.health else {},
        **account(series, result, scales.finest(MAX_HELD), marginals, config.seed),
    }
    units = tuple(first.units[i] for i in columns)
    return Learned(config, channels, units, period_s, conditions, marginals, result.networks, carry, summary)


def known(figures: dict[str, Any]) -> dict[str, Any]:
    """Without those that nobody could tell."""
    return {name: value for name, value in figures.items() if value == value}  # NaN is not itself


def trained_rows(config: SynthesizerConfig, rows: int) -> int:
    """How many of the first rows of a series train; the others are held out. With an epsilon, all do."""
    return rows if config.epsilon is not None else round(rows * (1.0 - config.holdout))


def known_ends(scores: NDArray[np.float32], starts: NDArray[np.int64], rule: WindowRule) -> NDArray[np.int64]:
    """(N,) the newest rows of the windows of scores (T, C) that have no gap and of which enough is known."""
    ends = due_ends(starts, rule)
    missing = np.concatenate([[0.0], np.cumsum(np.isnan(scores).mean(1))])
    known: NDArray[np.int64] = ends[(missing[ends + 1] - missing[ends + 1 - rule.window]) / rule.window <= MAX_MISSING]
    return known


def filled(scores: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """(T, C) with what is missing drawn along a line between its neighbours, or held at the ends, in each segment."""
    whole = scores.copy()
    edges = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), len(whole)]
    for begin, end in itertools.pairwise(edges):
        part = whole[begin:end]
        index = np.arange(len(part))
        for c in range(part.shape[1]):
            known = ~np.isnan(part[:, c])
            part[:, c] = np.interp(index, index[known], part[known, c]) if known.any() else 0.0
    return whole
