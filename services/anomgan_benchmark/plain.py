"""The baselines, given the alarm budget that the detector has: the same tail, threshold and rule for events.

A baseline's score is a distance. How far normal rows stand off is told by the last quarter of the training rows, scored
by a fit on the first three quarters; the test part is scored by a fit on all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from anomgan.baselines import PCA, IsolationForest, NearestNeighbours, ZScore
from anomgan.calibrate import Tail, budget_threshold, fit_tail, surprise
from anomgan.config import DecideConfig, DetectorConfig
from anomgan.decide import decide_all, for_windows, is_anomalous
from anomgan.explain import contributions
from anomgan.records import Event, Floats, TimeSeries, Verdict
from anomgan.scaling import scale
from anomgan.windows import WindowRule
from anomgan_benchmark.said import Examine, Said

CALIBRATION_SHARE = 0.25


class Baseline(Protocol):
    """What the classes of `anomgan.baselines` share."""

    @property
    def rule(self) -> WindowRule:
        """How its windows are cut."""
        ...

    def score(self, series: TimeSeries) -> Floats:
        """Scores (T,), NaN in warm-up."""
        ...


def fit_zscore(train: TimeSeries, config: DetectorConfig) -> Examine:
    """The largest deviation; each channel's squared deviation is its contribution."""
    fitted = ZScore.fit(train)
    examine = _calibrated("zscore", fitted, train, config, ZScore.fit)

    def with_contribution(test: TimeSeries) -> Mapping[str, Said]:
        said = examine(test)["zscore"]
        off = np.nan_to_num(scale(fitted.scaler, test.values))  # a missing cell is not odd
        return {"zscore": Said(said.scores, said.windows, said.events, contributions(off**2))}

    return with_contribution


def fit_pca(train: TimeSeries, config: DetectorConfig) -> Examine:
    """Distance from the plane of most variance."""
    return _calibrated("pca", PCA.fit(train), train, config, PCA.fit)


def fit_knn(train: TimeSeries, config: DetectorConfig) -> Examine:
    """Distance to the nearest normal windows."""
    return _calibrated("knn", NearestNeighbours.fit(train), train, config, NearestNeighbours.fit)


def fit_iforest(train: TimeSeries, config: DetectorConfig) -> Examine:
    """Isolation forest."""

    def fit(series: TimeSeries) -> IsolationForest:
        return IsolationForest.fit(series, seed=config.seed)

    return _calibrated("iforest", fit(train), train, config, fit)


def _calibrated(
    name: str, fitted: Baseline, train: TimeSeries, config: DetectorConfig, refit: Callable[[TimeSeries], Baseline]
) -> Examine:
    """The fitted baseline with a tail learned from held-out normal rows."""
    cut = len(train) - round(CALIBRATION_SHARE * len(train))
    held_out = refit(train[:cut]).score(train[cut:])
    tail = fit_tail(held_out[np.isfinite(held_out)], overlap=fitted.rule.window)

    def examine(test: TimeSeries) -> Mapping[str, Said]:
        scores = fitted.score(test)
        return {
            name: Said(
                scores=scores,
                windows=int(np.isfinite(scores).sum()),
                events=lambda: budget_events(test, scores, tail, fitted.rule, config.alarms_per_week),
            )
        }

    return examine


def budget_events(
    series: TimeSeries, scores: Floats, tail: Tail, rule: WindowRule, alarms_per_week: float
) -> Sequence[Event]:
    """The events of scores (T,) at an alarm budget, by the detector's own rule; NaN is unknown, never anomalous."""
    threshold = budget_threshold(alarms_per_week, series.period_s * rule.stride)
    told = surprise(tail, scores)
    nothing, all_of_it = np.full(1, np.nan, np.float32), np.ones(1, np.float32)
    verdicts = (
        Verdict(
            device=series.device,
            site="",
            time_s=float(time_s),
            surprise=float(value),
            threshold=threshold,
            anomalous=is_anomalous(float(value), threshold),
            discriminator=float("nan"),
            reconstruction=float("nan"),
            pattern=float("nan"),
            channels=("score",),
            values=nothing,
            expected=nothing,
            contribution=all_of_it,
        )
        for time_s, value in zip(series.times, told, strict=True)
    )
    return decide_all(for_windows(DecideConfig(), rule.window // rule.stride), verdicts)
