"""How a detector comes about: choose sizes, learn the scale, train the networks, remember, calibrate.

What is not configured is chosen from the data by these rules (`choose`), T being the rows of the longest series:

- window: a twelfth of T, rounded down to a multiple of 8, from 16 to 64;
- stride: a thirty-second of the window, at least 1: a window is looked at some thirty times while it passes;
- steps: one for every four rows of all series, from 400 to 2,000; training also stops early;
- max_gap_s: ten sampling periods; max_hold: a quarter of the window.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from anomgan.calibrate import Tail, fit_tail, fuse, separation, surprise
from anomgan.config import DetectorConfig
from anomgan.errors import DataError
from anomgan.gan.disturb import disturb
from anomgan.gan.networks import Shape
from anomgan.gan.train import Networks, TrainingResult, TrainingStep, train
from anomgan.records import Floats, TimeSeries
from anomgan.scaling import Scaler, fit_scaler, scale
from anomgan.score import WITNESSES, Memory, Usual, look, remember, usual_errors
from anomgan.windows import WindowRule, due_ends, gather_windows, hold_missing, segment_starts

MAX_CALIBRATION = 8192
MAX_HEALTH = 512
MIN_CALIBRATION = 64
MIN_WINDOWS = 8
MAX_CHANNELS = 100
MAX_MISSING = 0.5
Windows = NDArray[np.float32]


def choose(config: DetectorConfig, longest: int, rows: int, period_s: float) -> DetectorConfig:
    """The configuration with every None replaced by the rules above; `rows` are those of all series."""
    window = config.window or min(64, max(16, longest // 12 // 8 * 8))
    filled = {
        "window": window,
        "stride": config.stride or max(1, window // 32),
        "steps": config.steps or min(2000, max(400, rows // 4)),
        "max_gap_s": config.max_gap_s or 10.0 * period_s,
        "max_hold": window // 4 if config.max_hold is None else config.max_hold,
    }
    return config.model_copy(update=filled)


def window_rule(config: DetectorConfig) -> WindowRule:
    """The window rule of a resolved configuration."""
    if config.window is None or config.stride is None or config.max_gap_s is None or config.max_hold is None:
        raise ValueError("the configuration is not resolved; see `choose`")
    return WindowRule(config.window, config.stride, config.max_gap_s, config.max_hold)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """All that scoring needs, and how it came about.

    tails by witness and "fused"; weights by witness.
    """

    config: DetectorConfig
    channels: tuple[str, ...]
    units: tuple[str, ...]
    period_s: float
    scaler: Scaler
    networks: Networks
    memory: Memory
    usual: Usual
    tails: dict[str, Tail]
    weights: dict[str, float]
    summary: dict[str, Any]


def fit(
    series: Sequence[TimeSeries],
    config: DetectorConfig,
    *,
    progress: bool = False,
    on_step: Callable[[TrainingStep], None] | None = None,
) -> Fitted:
    """Learn what is normal from series of the same channels; nothing here sees a label.

    The first part of each series trains, its last `holdout` calibrates. Raises DataError for too little data or series
    that do not agree, TrainingDiverged when a loss is not finite.
    """
    first = _agree(series)
    period_s = float(np.median([one.period_s for one in series]))
    config = choose(config, max(map(len, series)), sum(map(len, series)), period_s)
    rule = window_rule(config)

    # ---- scale, and cut into training and held-out windows
    scaler = fit_scaler(np.concatenate([one.values for one in series]))
    cuts = [_cut(one, scaler, rule, config.holdout) for one in series]
    # a missing cell reads as the centre while training, and as missing when calibrating, as it will when scoring
    pool = _Pool([np.nan_to_num(cut.rows, nan=0.0) for cut in cuts], [cut.train_ends for cut in cuts], rule.window)
    later = _Pool([cut.rows for cut in cuts], [cut.held_ends for cut in cuts], rule.window)
    if len(pool) < MIN_WINDOWS or len(later) < MIN_WINDOWS:
        raise DataError(
            f"{sum(map(len, series))} rows give {len(pool)} training and {len(later)} calibration windows of "
            f"{rule.window} rows without gaps and at most half missing; at least {MIN_WINDOWS} of each are needed: "
            f"give more rows, or a shorter window (the shortest is 16)"
        )
    held = later.spaced(MAX_CALIBRATION)
    overlap = max(1, round(rule.window * len(held) / len(later)))  # so many neighbours share rows

    # ---- train
    shape = Shape(len(first.channels), rule.window, config.latent, config.width)
    health = np.nan_to_num(held[_spaced(len(held), MAX_HEALTH)], nan=0.0)  # a missing cell reads as the centre
    with _Progress(config.steps or 0, show=progress) as bar:
        watch = bar.watching(on_step)
        result = train(pool.sample, health, shape, config, config.steps or 0, watch)

    # ---- remember and calibrate
    memory = remember(result.networks, torch.from_numpy(pool.spaced(config.memory)))
    windows = torch.from_numpy(held)
    usual = usual_errors(result.networks, windows)
    seen = look(result.networks, memory, usual, windows)
    raw = {name: getattr(seen, name).double().numpy() for name in WITNESSES}
    tails = {name: fit_tail(values, overlap) for name, values in raw.items()}
    weights = _weights(result.networks, memory, usual, health, config.seed)
    each = np.stack([surprise(tails[name], raw[name]) for name in WITNESSES])
    tails["fused"] = fit_tail(fuse(each, np.array([weights[name] for name in WITNESSES])), overlap)
    return Fitted(
        config,
        first.channels,
        first.units,
        period_s,
        scaler,
        result.networks,
        memory,
        usual,
        tails,
        weights,
        _summary(series, scaler, pool, held, result),
    )


def _weights(networks: Networks, memory: Memory, usual: Usual, held: Windows, seed: int) -> dict[str, float]:
    """Each witness's separation of held-out windows (N, C, L) from themselves disturbed; 1 for all where none can."""
    normal = torch.from_numpy(held)
    disturbed = disturb(normal, torch.Generator().manual_seed(seed))
    calm, odd = (look(networks, memory, usual, windows) for windows in (normal, disturbed))
    weights = {
        name: separation(getattr(calm, name).double().numpy(), getattr(odd, name).double().numpy())
        for name in WITNESSES
    }
    return weights if any(weights.values()) else dict.fromkeys(WITNESSES, 1.0)


def _agree(series: Sequence[TimeSeries]) -> TimeSeries:
    """The first series, after checking that all have its channels and that there is something to learn."""
    if not series:
        raise DataError("there is no series to learn from")
    first = series[0]
    for one in series[1:]:
        if one.channels != first.channels:
            raise DataError(f"series disagree on their channels: {first.channels} and {one.channels}")
    if not 1 <= len(first.channels) <= MAX_CHANNELS:
        raise DataError(f"{len(first.channels)} channels; a detector takes 1 to {MAX_CHANNELS}")
    if all(not np.isfinite(one.values).any() for one in series):
        raise DataError("there is not a single value to learn from")
    return first


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """One series scaled and held (T, C), and the ends of its training windows (N,) and of its held-out ones (M,)."""

    rows: Windows
    train_ends: NDArray[np.int64]
    held_ends: NDArray[np.int64]


def _cut(one: TimeSeries, scaler: Scaler, rule: WindowRule, holdout: float) -> _Cut:
    """Training windows end before the cut and held-out ones begin after it, or, in a short series, end after it."""
    starts = segment_starts(one.times, rule)
    rows = hold_missing(scale(scaler, one.values), starts, rule)
    every = WindowRule(rule.window, 1, rule.max_gap_s, rule.max_hold)
    ends = due_ends(starts, every)
    ends = ends[_missing_share(rows, ends, rule.window) <= MAX_MISSING]
    cut = round(len(one) * (1.0 - holdout))
    clean = ends[ends - rule.window + 1 >= cut]
    return _Cut(rows, ends[ends < cut], clean if len(clean) >= MIN_CALIBRATION else ends[ends >= cut])


def _missing_share(rows: Windows, ends: NDArray[np.int64], window: int) -> Floats:
    """(N,) the share of missing cells in each window."""
    absent = np.concatenate([[0.0], np.cumsum(np.isnan(rows).mean(axis=1))])
    share: Floats = (absent[ends + 1] - absent[ends + 1 - window]) / window
    return share


def _spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` indices below `count`, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


class _Pool:
    """Windows of several series, cut out when asked for."""

    def __init__(self, rows: Sequence[Windows], ends: Sequence[NDArray[np.int64]], window: int) -> None:
        offsets = np.cumsum([0, *(len(part) for part in rows)])[:-1]
        self._rows = np.concatenate(rows)
        self._ends = np.concatenate([part + offset for part, offset in zip(ends, offsets, strict=True)])
        self._window = window

    def __len__(self) -> int:
        return len(self._ends)

    def sample(self, rng: np.random.Generator, count: int) -> Windows:
        """Windows (count, C, L) drawn with replacement."""
        return gather_windows(self._rows, rng.choice(self._ends, count), self._window)

    def spaced(self, most: int) -> Windows:
        """At most `most` windows, evenly spaced."""
        return gather_windows(self._rows, self._ends[_spaced(len(self), most)], self._window)


class _Progress:
    """The progress bar: steps, time left, and the last look at the game."""

    def __init__(self, steps: int, *, show: bool) -> None:
        self._bar = tqdm(total=steps, desc="training", unit="step", disable=not show, leave=True, dynamic_ncols=True)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def watching(self, on_step: Callable[[TrainingStep], None] | None) -> Callable[[TrainingStep], None]:
        """`on_step`, with the bar moved on."""

        def watch(step: TrainingStep) -> None:
            self._bar.update(1)
            if step.health is not None:
                self._bar.set_postfix(
                    reconstruction=f"{step.health.reconstruction_error:.3f}",
                    diversity=f"{step.health.diversity:.2f}",
                    refresh=False,
                )
            if on_step is not None:
                on_step(step)

        return watch


def _summary(
    series: Sequence[TimeSeries], scaler: Scaler, pool: _Pool, held: Windows, result: TrainingResult
) -> dict[str, Any]:
    """What `inspect` tells about the training: JSON types only."""
    channels = series[0].channels
    last = asdict(result.health[-1]) if result.health else {}
    return {
        "series": len(series),
        "rows": sum(map(len, series)),
        "first_time_s": float(min(one.times[0] for one in series)),
        "last_time_s": float(max(one.times[-1] for one in series)),
        "training_windows": len(pool),
        "calibration_windows": len(held),
        "constant_channels": [name for name, flat in zip(channels, scaler.constant, strict=True) if flat],
        "steps": result.steps,
        "best_step": result.best_step,
        "seconds": round(result.seconds, 3),
        "stopped": result.stopped,
        "device": result.device,
        "last_health": last,
    }
