"""One detector on one series: fit on the training part, score the test part causally, hold it against the labels.

Ranking figures (VUS, AUC-PR, best F1) are those of `anomgan.evaluation`, never point-adjusted, a row without a score
being the least anomalous one; the VUS buffer is the dominant period of the first channel, training and test part
together, as TSB-AD chooses it. Events are those raised at the alarm budget; a true event counts as found where one
overlaps it. Times are CPU seconds of the process that does it: one thread each.
"""

import time
from dataclasses import asdict, dataclass

import numpy as np

from anomgan.config import DetectorConfig
from anomgan.evaluation import evaluate, intervals
from anomgan.matching import match_events
from anomgan.records import Floats, TimeSeries
from anomgan.vus import dominant_period
from anomgan_benchmark.hit_rate import Hits, segment_hits
from anomgan_benchmark.layouts import LabelledSeries
from anomgan_benchmark.said import Examine, Fit, Said


@dataclass(frozen=True, slots=True)
class Figures:
    """What one detector does on one series; NaN = undefined. `false_alarms` over `normal_windows`: rows that have a
    score and no label, one window ending at each."""

    train_rows: int
    rows: int
    channels: int
    period_s: float
    anomalous: int
    unscored: int
    vus_window: int
    vus_pr: float
    vus_roc: float
    auc_pr: float
    auc_roc: float
    best_f1: float
    true_events: int
    events_found: int
    false_alarms: int
    normal_windows: int
    median_delay_s: float
    fit_s: float
    score_s: float
    windows: int
    hits: tuple[Hits, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def timed_fit(fit: Fit, train: TimeSeries, config: DetectorConfig) -> tuple[Examine, float]:
    """The fitted detector and the CPU seconds that fitting took."""
    start_s = time.process_time()
    examine = fit(train, config)
    return examine, time.process_time() - start_s


def measure(examine: Examine, fit_s: float, series: LabelledSeries) -> dict[str, tuple[Figures, Floats]]:
    """Figures and scores (T,) of a fitted detector on a series, by every name that it answers under."""
    start_s = time.process_time()
    told = examine(series.test)
    score_s = time.process_time() - start_s
    return {name: (_figures(said, series, fit_s, score_s), said.scores) for name, said in told.items()}


def _figures(said: Said, series: LabelledSeries, fit_s: float, score_s: float) -> Figures:
    test, labels = series.test, series.labels
    window = dominant_period(np.concatenate([series.train.values[:, 0], test.values[:, 0]]))
    ranking = evaluate(said.scores, labels, window=window)
    events = said.events() if said.events else []
    matching = match_events(intervals(labels, test.times) if said.events else [], events)
    return Figures(
        train_rows=len(series.train),
        rows=len(test),
        channels=len(test.channels),
        period_s=test.period_s,
        anomalous=ranking.anomalous,
        unscored=ranking.unscored,
        vus_window=window,
        vus_pr=ranking.vus_pr,
        vus_roc=ranking.vus_roc,
        auc_pr=ranking.auc_pr,
        auc_roc=ranking.auc_roc,
        best_f1=ranking.best_f1,
        true_events=len(matching.pairs) + len(matching.missed),
        events_found=len(matching.pairs),
        false_alarms=len(matching.false_alarms),
        normal_windows=int((np.isfinite(said.scores) & ~labels).sum()),
        median_delay_s=matching.median_delay_s,
        fit_s=fit_s,
        score_s=score_s,
        windows=said.windows,
        hits=tuple(segment_hits(said.contribution, said.scores, events, test.times, series.segments)),
    )
