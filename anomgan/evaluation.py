"""How good scores are against labels: ranking (VUS, AUC, best F1) and alarms (events, delay, false alarms per day).

Nothing is point-adjusted. A row without a score (warm-up, gap) counts as the lowest score, so unscored anomalies cost.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomgan.errors import DataError
from anomgan.matching import Interval, Span, match_events
from anomgan.records import Floats
from anomgan.vus import DEFAULT_WINDOW, labelled_runs, vus

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Alarms:
    """What the scores do at one threshold; precision, recall and F1 count rows, without any adjustment."""

    threshold: float
    precision: float
    recall: float
    f1: float
    true_events: int
    events_found: int
    false_alarms: int
    false_alarms_per_day: float
    median_delay_s: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores against labels. `window` is the VUS buffer; ranking figures are NaN where rows of one kind only exist."""

    rows: int
    anomalous: int
    unscored: int
    window: int
    vus_pr: float
    vus_roc: float
    auc_pr: float
    auc_roc: float
    best_f1: float
    best_f1_threshold: float
    alarms: Alarms | None = None

    @property
    def chance(self) -> float:
        """The AUC-PR of random scores: the share of anomalous rows."""
        return self.anomalous / self.rows

    def as_dict(self) -> dict[str, object]:
        """The same for JSON: undefined figures are None."""
        figures: dict[str, object] = asdict(self)
        if self.alarms is not None:
            figures["alarms"] = {key: _defined(value) for key, value in asdict(self.alarms).items()}
        return {key: _defined(value) for key, value in figures.items()} | {"chance": self.chance}

    def __str__(self) -> str:
        """An aligned table."""
        unscored = f", {self.unscored} without a score" if self.unscored else ""
        lines = [
            ("rows", f"{self.rows}, {self.anomalous} anomalous ({self.chance:.1%}){unscored}"),
            ("VUS-PR", f"{_figure(self.vus_pr)}  buffer up to {self.window} rows"),
            ("VUS-ROC", _figure(self.vus_roc)),
            ("AUC-PR", f"{_figure(self.auc_pr)}  random scores: {self.chance:.3f}"),
            ("AUC-ROC", _figure(self.auc_roc)),
            (
                "best F1",
                f"{_figure(self.best_f1)}  at threshold {self.best_f1_threshold:.4g}, chosen with the labels",
            ),
        ]
        if (alarms := self.alarms) is not None:
            lines += [
                ("threshold", f"{alarms.threshold:.4g}"),
                ("  precision", f"{_figure(alarms.precision)}  of the flagged rows"),
                ("  recall", f"{_figure(alarms.recall)}  of the anomalous rows"),
                ("  F1", _figure(alarms.f1)),
                ("  events found", f"{alarms.events_found} of {alarms.true_events}"),
                ("  false alarms", f"{alarms.false_alarms}  ({_figure(alarms.false_alarms_per_day)} a day)"),
                ("  median delay", "-" if math.isnan(alarms.median_delay_s) else f"{alarms.median_delay_s:g} s"),
            ]
        return "\n".join(f"{name:<15} {value}" for name, value in lines)


def evaluate(
    scores: ArrayLike,
    labels: ArrayLike | None,
    *,
    window: int = DEFAULT_WINDOW,
    threshold: float | None = None,
    events: Sequence[Span] | None = None,
    times: Floats | None = None,
    tolerance_s: float = 0.0,
) -> Evaluation:
    """Score (T,) against labels (T,), True or 1 = anomalous; higher scores are more anomalous.

    window: the largest VUS buffer in rows; `vus.dominant_period(values[:, 0])` is TSB-AD's choice.
    threshold: gives the figures of `alarms`; a row is flagged where its score reaches it. `events` are those a
    detector opened at that threshold (device and site are not looked at); left out, every run of flagged rows
    is one. times (T,) in seconds, increasing; left out, rows are 1 s apart. tolerance_s: how long after its
    end a true event may still be found. Raises DataError for wrong shapes, infinite scores or no label.
    """
    truth, ranked, unscored = _check(scores, labels)
    if window < 0:
        raise DataError(f"the VUS window is a number of rows, not {window}")
    undefined = float("nan")
    ranking = (undefined,) * 6
    if 0 < truth.sum() < len(truth):
        ranking = (*vus(truth, ranked, window), average_precision(truth, ranked), auc_roc(truth, ranked),
                   *best_f1(truth, ranked))  # fmt: skip
    alarms = None
    if threshold is not None:
        flagged = np.asarray(scores, dtype=np.float64) >= threshold  # a row without a score is never flagged
        alarms = _alarms(truth, flagged, threshold, events, times, tolerance_s)
    return Evaluation(len(truth), int(truth.sum()), unscored, window, *ranking, alarms=alarms)


def average_precision(labels: NDArray[np.bool_], scores: Floats) -> float:
    """AUC-PR as the sum of precision times the step in recall, over all distinct thresholds."""
    hits, flagged, _ = _operating_points(labels, scores)
    return float(np.dot(np.diff(hits, prepend=0) / labels.sum(), hits / flagged))


def auc_roc(labels: NDArray[np.bool_], scores: Floats) -> float:
    """The probability that an anomalous row scores higher than a normal one; ties count half."""
    hits, flagged, _ = _operating_points(labels, scores)
    true_rate, false_rate = hits / labels.sum(), (flagged - hits) / (~labels).sum()
    heights = true_rate + np.r_[0.0, true_rate[:-1]]
    return float(np.dot(np.diff(false_rate, prepend=0.0), heights / 2))


def best_f1(labels: NDArray[np.bool_], scores: Floats) -> tuple[float, float]:
    """(the highest row-wise F1 over all thresholds, the threshold that gives it), chosen with the labels."""
    hits, flagged, thresholds = _operating_points(labels, scores)
    f1 = 2 * hits / (flagged + labels.sum())
    best = int(np.argmax(f1))
    return float(f1[best]), float(thresholds[best])


def intervals(flags: NDArray[np.bool_], times: Floats, device: str = "", site: str = "") -> list[Interval]:
    """Every run of True in flags (T,) as an interval from its first to its last time."""
    starts, ends = labelled_runs(flags)
    return [Interval(float(times[a]), float(times[b]), device, site) for a, b in zip(starts, ends, strict=True)]


def _operating_points(labels: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Per distinct threshold, highest first: flagged anomalous rows, flagged rows, the threshold; (K,) each."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.r_[np.diff(ranked) != 0, True])
    hits = np.cumsum(labels[order], dtype=np.float64)[last]
    return hits, (last + 1).astype(np.float64), ranked[last]


def _check(scores: ArrayLike, labels: ArrayLike | None) -> tuple[NDArray[np.bool_], Floats, int]:
    """Labels as bool, scores with the lowest for NaN, and how many were NaN; DataError where they do not fit."""
    if labels is None:
        raise DataError("there are no labels to evaluate against")
    marks, values = np.asarray(labels), np.array(scores, dtype=np.float64)
    if values.ndim != 1 or values.shape != marks.shape or len(values) == 0:
        raise DataError(f"scores of shape {values.shape} for labels of shape {marks.shape}; both must be (T,)")
    if not np.all((marks == 0) | (marks == 1)):
        raise DataError(f"row {int(np.argmin((marks == 0) | (marks == 1)))}: a label is 0 or 1")
    if np.any(np.isinf(values)):
        raise DataError(f"row {int(np.argmax(np.isinf(values)))}: the score is infinite")
    missing = np.isnan(values)
    values[missing] = 0.0 if missing.all() else values[~missing].min()
    return marks.astype(bool), values, int(missing.sum())


def _alarms(
    truth: NDArray[np.bool_],
    flagged: NDArray[np.bool_],
    threshold: float,
    events: Sequence[Span] | None,
    times: Floats | None,
    tolerance_s: float,
) -> Alarms:
    """The figures at one threshold."""
    clock = np.arange(len(truth), dtype=np.float64) if times is None else np.asarray(times, dtype=np.float64)
    if clock.shape != truth.shape:
        raise DataError(f"{len(clock)} times for {len(truth)} scores")
    found = intervals(flagged, clock) if events is None else [Interval(e.start_s, e.end_s) for e in events]
    true_events = intervals(truth, clock)
    matching = match_events(true_events, found, tolerance_s)
    period_s = float(np.median(np.diff(clock))) if len(clock) > 1 else 1.0
    normal_days = int((~truth).sum()) * period_s / _DAY_S
    hits = int((truth & flagged).sum())
    precision, recall = _ratio(hits, int(flagged.sum())), _ratio(hits, int(truth.sum()))
    return Alarms(
        threshold=threshold,
        precision=precision,
        recall=recall,
        f1=_ratio(2 * hits, int(flagged.sum()) + int(truth.sum())),
        true_events=len(true_events),
        events_found=len(matching.pairs),
        false_alarms=len(matching.false_alarms),
        false_alarms_per_day=_ratio(len(matching.false_alarms), normal_days),
        median_delay_s=matching.median_delay_s,
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _defined(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
