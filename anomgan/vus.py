"""Volume under the surface: how well scores rank labelled rows when labels have soft borders.

Labels of time series are cut by hand, so a score that rises a little early or falls a little late should not
be punished as a false alarm. VUS widens every labelled run by a buffer whose weight falls off with distance,
computes the area under the precision-recall (or ROC) curve, and averages it over all buffer widths from 0 to
a window. No prediction is adjusted with the labels.

    Paparrizos, Boniol, Palpanas, Tsay, Elmore, Franklin: Volume Under the Surface. PVLDB 15(11), 2022.
    Boniol, Krishna, Bruel et al.: VUS: effective and efficient accuracy measures for time-series anomaly
    detection. The VLDB Journal 34, 2025.

With w the buffer, d(t) the distance in rows from t to the nearest labelled run, the softened label is

    e_w(t) = 1                    inside a run, or where the buffers of two runs meet
           = sqrt(1 - d(t) / w)   where d(t) <= w/2
           = 0                    elsewhere

and at threshold h, with S = {t: score(t) >= h}, r the number of labelled rows and b = sum of e_w over the
rows of S outside the runs:

    TP = sum of e_w over S       precision = TP / |S|       recall = min(1, TP / (r + b/2)) * existence
    FP = |S| - TP                false-positive rate = FP / (T - r - b/2)

`existence` is the share of the widened runs (merged where they touch) that hold at least one row of S.
"""

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats

DEFAULT_WINDOW = 125
"""The largest buffer where no period is found, as TSB-AD has it."""
_THRESHOLDS = 250
_FIRST_LAG, _LAST_LAG, _LONGEST = 3, 400, 303
_PERIOD_ROWS = 20_000


def vus(labels: NDArray[np.bool_], scores: Floats, window: int, thresholds: int = _THRESHOLDS) -> tuple[float, float]:
    """(VUS-PR, VUS-ROC) of scores (T,) against labels (T,); needs both kinds of row and no NaN.

    Agrees with TSB-AD's `generate_curve(version="opt", thre=250)`: thresholds are `thresholds` order statistics
    of the scores, evenly spaced in rank; the mean runs over buffers 0, 1, ..., window.
    """
    rows = len(labels)
    levels = np.sort(scores)[::-1][np.linspace(0, rows - 1, thresholds).astype(int)]
    # A row is flagged at every threshold from `first` on, so sums over flagged rows are cumulative histograms.
    first = np.searchsorted(-levels, -scores)  # (T,)
    flagged = _cumulative(first, None, thresholds)  # (K,) rows flagged at each threshold

    starts, ends = labelled_runs(labels)  # (R,), (R,) inclusive
    labelled = int(labels.sum())
    inside = _cumulative(first[labels], None, thresholds)  # (K,)
    nearest, second = _distances(starts, ends, rows)
    near = np.flatnonzero(~labels & (nearest <= window // 2))
    nearest, second, near_first = nearest[near], second[near], first[near]

    areas_pr, areas_roc = np.empty(window + 1), np.empty(window + 1)
    for w in range(window + 1):
        half = w // 2
        reached = nearest <= half
        # e_w is at least sqrt(1/2) in a buffer, so two buffers that meet always add up to 1.
        weights = np.where(second[reached] <= half, 1.0, np.sqrt(1.0 - nearest[reached] / max(w, 1)))
        buffered = _cumulative(near_first[reached], weights, thresholds)  # (K,)
        true_positives = inside + buffered
        positives = labelled + buffered / 2
        recall = np.minimum(true_positives / positives, 1.0) * _existence(first, starts, ends, half, thresholds)
        precision = true_positives / flagged
        false_rate = (flagged - true_positives) / (rows - positives)
        areas_pr[w] = np.dot(np.diff(recall, prepend=0.0), precision)
        heights, widths = np.r_[0.0, recall, 1.0], np.diff(np.r_[0.0, false_rate, 1.0])
        areas_roc[w] = np.dot(widths, (heights[1:] + heights[:-1]) / 2)
    return float(areas_pr.mean()), float(areas_roc.mean())


def dominant_period(channel: Floats) -> int:
    """The period, in rows, that TSB-AD takes as the VUS window: the highest peak of the autocorrelation.

    channel (T,): the first channel of the series, training and test part together; its first 20,000 rows are
    used. Lags 4 to 399 are searched; where there is no peak, the highest lies below lag 6 or beyond lag 303, or the
    channel is constant or has missing values, the answer is 125.
    """
    values = np.asarray(channel, dtype=np.float64)[:_PERIOD_ROWS]
    if len(values) == 0 or not np.all(np.isfinite(values)) or np.ptp(values) == 0.0:
        return DEFAULT_WINDOW
    correlation = _autocorrelation(values)[_FIRST_LAG:]
    peaks = np.flatnonzero((correlation[1:-1] > correlation[:-2]) & (correlation[1:-1] > correlation[2:])) + 1
    if len(peaks) == 0:
        return DEFAULT_WINDOW
    lag = int(peaks[np.argmax(correlation[peaks])]) + _FIRST_LAG
    return lag if 2 * _FIRST_LAG <= lag <= _LONGEST else DEFAULT_WINDOW


def labelled_runs(labels: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last row (inclusive) of every run of True in labels (T,)."""
    edges = np.diff(np.asarray(labels, dtype=np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def _cumulative(bins: NDArray[np.intp], weights: Floats | None, size: int) -> Floats:
    """Sum of weights (1 each where None) in bins 0..k, for every k below `size`."""
    return np.cumsum(np.bincount(bins, weights=weights, minlength=size), dtype=np.float64)


def _distances(starts: NDArray[np.intp], ends: NDArray[np.intp], rows: int) -> tuple[Floats, Floats]:
    """Distance in rows from every row to the nearest and to the second nearest run (inf where there is none)."""
    row = np.arange(rows)
    passed = np.searchsorted(starts, row, side="right")  # (T,) runs that began at or before the row
    before = np.r_[-np.inf, -np.inf, ends.astype(float)]
    after = np.r_[starts.astype(float), np.inf, np.inf]
    around = np.stack(
        [row - before[passed + 1], row - before[passed], after[passed] - row, after[passed + 1] - row]
    )  # (4, T)
    around.sort(axis=0)
    return around[0], around[1]


def _existence(
    first: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp], half: int, size: int
) -> Floats:
    """Share of the runs, widened by `half` rows and merged where they touch, with a flagged row; per threshold (K,)."""
    apart = starts[1:] - ends[:-1] > 2 * half
    lows = np.maximum(starts[np.r_[True, apart]] - half, 0)
    highs = np.minimum(ends[np.r_[apart, True]] + half, len(first) - 1)
    bounds = np.stack([lows, highs + 1], axis=1).ravel()
    earliest = np.minimum.reduceat(np.r_[first, size], bounds)[::2]  # the threshold at which each is first hit
    return _cumulative(earliest, None, size) / len(lows)


def _autocorrelation(values: Floats) -> Floats:
    """Biased sample autocorrelation at lags 0 to 400 (fewer for a shorter series), by the Fourier transform."""
    centred = values - values.mean()
    size = 1 << (2 * len(centred)).bit_length()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[: min(_LAST_LAG + 1, len(values))]
    return np.asarray(covariance / covariance[0])
