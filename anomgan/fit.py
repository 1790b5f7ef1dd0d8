"""How a detector comes about: choose sizes, learn roles and scale, train the networks, learn what is normal, calibrate.

What is not configured is chosen from the data by these rules (`choose`), T being the rows of the longest series:

- window: a sixth of T, rounded down to a multiple of 8, from 16 to 64;
- stride: a thirty-second of the window, at least 1: a window is looked at some thirty times while it passes;
- steps: one for every four rows of all series, from 400 to 2,000; training also stops early;
- max_gap_s: ten sampling periods; max_hold: a quarter of the window.

Nothing that calibrates has been learned from: the networks and a first idea of what is normal come from the first part
of each series, the held-out rest says how odd normal windows look to them. Only then what is normal is learned once
more, from all of it, since the newest rows tell most of the rows to come. Where windows are many, and the held-out ones
look no odder than those learned from, as with a fleet, no window is known by heart, and all of them say how odd normal
windows look at last: how rare they are decides on the threshold, and a quarter of the time is little to tell that from.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.account import account
from anomgan.calibrate import Tail, alarms_per_exceedance, fit_tail, fuse, separation, surprise
from anomgan.config import DecideConfig, DetectorConfig
from anomgan.errors import DataError
from anomgan.gan import train as game
from anomgan.gan.disturb import disturb
from anomgan.gan.networks import Networks
from anomgan.gan.shape import Shape
from anomgan.gan.train import TrainingResult, TrainingStep, train
from anomgan.gaussian import Gaussian
from anomgan.pool import Pool, Windows, agree, cut_series, spaced
from anomgan.progress import TrainingBar
from anomgan.quality.audit import suspicious
from anomgan.quality.limits import Limits, learn_limits
from anomgan.records import Floats, TimeSeries
from anomgan.roles import measured_channels
from anomgan.scaling import Scaler, fit_scaler
from anomgan.score import WITNESSES, Normal, fit_normal, look
from anomgan.windows import WindowRule

MAX_WINDOWS = 4096
"""held-out windows that say what is normal and how well each witness tells it"""
MAX_CALIBRATION = 32_768
"""held-out windows whose oddness is measured: a fleet's tail is made by few devices in few hours"""
MAX_HEALTH = 512
TRAINING_SHARE = 3
"""training windows per calibration window among those that say what is normal, as they are among all rows"""
STEADY = 0.75
"""as odd as that, held-out windows are no odder than those learned from"""
IN_A_ROW = DecideConfig().open_after
"""anomalous verdicts that make an alarm where nothing else is configured"""
STRETCH = 4
"""windows' lengths in a stretch of neighbouring windows that tells how odd ones cluster"""
MIN_WINDOWS = 8


def choose(config: DetectorConfig, longest: int, rows: int, period_s: float) -> DetectorConfig:
    """The configuration with every None replaced by the rules above; `rows` are those of all series."""
    window = config.window or min(64, max(16, longest // 6 // 8 * 8))
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

    measured (C,) marks the channels that are judged, the others are states; normal by space; tails by witness and
    "fused"; weights by witness; alarm_share, how many alarms a window above the threshold stands for; limits, beyond
    which not the process but its sensor is sick.
    """

    config: DetectorConfig
    channels: tuple[str, ...]
    units: tuple[str, ...]
    period_s: float
    measured: NDArray[np.bool_]
    scaler: Scaler
    networks: Networks
    normal: dict[str, Gaussian]
    tails: dict[str, Tail]
    weights: dict[str, float]
    alarm_share: float
    summary: dict[str, Any]
    limits: Limits


def fit(
    series: Sequence[TimeSeries],
    config: DetectorConfig,
    *,
    progress: bool = False,
    on_step: Callable[[TrainingStep], None] | None = None,
    excluded: Sequence[str] = (),
) -> Fitted:
    """Learn what is normal from series of the same channels; nothing here sees a label.

    The first part of each series trains, its last `holdout` calibrates; `excluded` says in words what the caller has
    left out of them. Raises DataError for too little data or series that do not agree, TrainingDiverged when a loss is
    not finite.
    """
    first = agree(series)
    period_s = float(np.median([one.period_s for one in series]))
    config = choose(config, max(map(len, series)), sum(map(len, series)), period_s)
    rule = window_rule(config)

    # ---- roles and scale; cut into training and held-out windows of the measured channels
    values = np.concatenate([one.values for one in series])
    measured, scaler = measured_channels(values), fit_scaler(values)
    cuts = [cut_series(one, scaler, measured, rule, config.holdout) for one in series]
    # a missing cell reads as the centre while training, and as missing when calibrating, as it will when scoring
    pool = Pool([np.nan_to_num(cut.rows, nan=0.0) for cut in cuts], [cut.train_ends for cut in cuts], rule.window)
    later = Pool([cut.rows for cut in cuts], [cut.held_ends for cut in cuts], rule.window)
    if len(pool) < MIN_WINDOWS or len(later) < MIN_WINDOWS:
        raise DataError(
            f"{sum(map(len, series))} rows give {len(pool)} training and {len(later)} calibration windows of "
            f"{rule.window} rows without gaps and at most half missing; at least {MIN_WINDOWS} of each are needed: "
            f"give more rows, or a shorter window (the shortest is 16)"
        )
    held = later.spaced(MAX_WINDOWS)
    calibrating = min(len(later), MAX_CALIBRATION)
    overlap = max(1, round(rule.window * calibrating / len(later)))  # so many neighbours share rows

    # ---- train
    shape = Shape(int(measured.sum()), rule.window, config.latent, config.width, statistics=config.minibatch_statistics)
    # a missing cell reads as the centre
    looked = np.nan_to_num(held[spaced(len(held), MAX_HEALTH)], nan=0.0)
    health = game.Normal.unconditioned(looked, -(-rule.window * len(looked) // len(later)))
    with TrainingBar(config.steps or 0, show=progress) as bar:
        watch = bar.watching(on_step)
        result = train(
            lambda rng, count: game.Normal.unconditioned(pool.sample(rng, count)),
            health,
            pool.reach(),
            shape,
            config,
            config.steps or 0,
            watch,
        )
    networks = result.networks

    # ---- what normal windows look like to the networks, and how odd later ones look
    learned, later_ones = torch.from_numpy(pool.spaced(TRAINING_SHARE * len(held))), torch.from_numpy(held)
    normal = fit_normal(networks, learned)
    whole = fit_normal(networks, torch.cat([learned, later_ones]))
    calm = _said(networks, normal, later.chunks(calibrating))
    tails = {name: fit_tail(values, overlap) for name, values in calm.items()}
    faulty = disturb(later_ones.nan_to_num(0.0), torch.Generator().manual_seed(config.seed))
    weights = _weights(_said(networks, normal, [held]), _said(networks, normal, [faulty.numpy()]))

    def fused(said: dict[str, Floats]) -> Floats:
        each = np.stack([surprise(tails[name], said[name]) for name in WITNESSES])
        return fuse(each, np.array([weights[name] for name in WITNESSES]))

    told = account(
        series, result, scaler, measured, held[spaced(len(held), MAX_HEALTH)], calm, weights, overlap, excluded
    )

    # ---- how odd they look all in all, and how odd ones come together
    odd, heard, against = fused(calm), later, normal
    if len(later) > MAX_CALIBRATION:
        rows = [cut.rows for cut in cuts]
        earlier = Pool(rows, [cut.train_ends for cut in cuts], rule.window)
        if _no_odder(odd, fused(_said(networks, normal, earlier.chunks(MAX_CALIBRATION)))):
            every = [np.concatenate([cut.train_ends, cut.held_ends]) for cut in cuts]
            heard, against = Pool(rows, every, rule.window), whole
            odd = fused(_said(networks, whole, heard.chunks(MAX_CALIBRATION)))
            overlap = max(1, round(rule.window * MAX_CALIBRATION / len(heard)))
    tails["fused"] = fit_tail(odd, overlap, prior_shape=0.0)
    apart = max(1, rule.window // rule.stride)
    stretches = heard.stretches(rule.stride, STRETCH * apart, MAX_CALIBRATION)
    together = [fused(_said(networks, against, [stretch])) for stretch in stretches]
    alarm_share = alarms_per_exceedance(together, apart, IN_A_ROW)
    return Fitted(
        config,
        first.channels,
        first.units,
        period_s,
        measured,
        scaler,
        networks,
        whole,
        tails,
        weights,
        alarm_share,
        _summary(series, scaler, measured, pool, calibrating, result) | told,
        learn_limits(series),
    )


def _said(networks: Networks, normal: Normal, several: Iterable[Windows]) -> dict[str, Floats]:
    """By witness, what it says of each window (N,)."""
    looks = [look(networks, normal, torch.from_numpy(windows)) for windows in several]
    return {name: np.concatenate([getattr(one, name).double().numpy() for one in looks]) for name in WITNESSES}


def _no_odder(later: Floats, earlier: Floats) -> bool:
    """Whether later windows look as odd as those learned from, in the upper tenth and in the upper hundredth."""
    above = [(float(np.mean(earlier >= np.quantile(later, 1.0 - share))), share) for share in (0.1, 0.01)]
    return all(found >= STEADY * share for found, share in above)


def _weights(calm: dict[str, Floats], odd: dict[str, Floats]) -> dict[str, float]:
    """Each witness's separation of held-out windows from themselves made faulty; 1 for all where none can."""
    weights = {name: separation(calm[name], odd[name]) for name in WITNESSES}
    return weights if any(weights.values()) else dict.fromkeys(WITNESSES, 1.0)


def _summary(
    series: Sequence[TimeSeries],
    scaler: Scaler,
    measured: NDArray[np.bool_],
    pool: Pool,
    calibrating: int,
    result: TrainingResult,
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
        "calibration_windows": calibrating,
        "state_channels": [name for name, judged in zip(channels, measured, strict=True) if not judged],
        "constant_channels": [name for name, flat in zip(channels, scaler.constant, strict=True) if flat],
        "steps": result.steps,
        "best_step": result.best_step,
        "seconds": round(result.seconds, 3),
        "stopped": result.stopped,
        "device": result.device,
        "last_health": last,
        "suspicious": suspicious(series),
    }
