"""Plain detectors with the contract of `Detector`: the marks that a learned one has to beat.

Each is fitted on normal data and scores rows causally: (T,), higher is more anomalous, NaN in warm-up and across
gaps. They share the detector's rules for scale (`scaling`), gaps and missing values (`windows`); a window of which
more than half is missing has no score. Their scores are distances, not probabilities.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import ConfigError, DataError
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.scaling import Scaler, fit_scaler, scale
from anomgan.windows import WindowRule, due_ends, gather_windows, hold_missing, segment_starts

Series = TimeSeries | Floats
Windows = NDArray[np.float32]

MAX_MISSING = 0.5
GAP_PERIODS = 10.0
_CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class ZScore:
    """The largest deviation of a channel from its median, in spreads, averaged over the last `window` rows."""

    scaler: Scaler
    rule: WindowRule
    channels: tuple[str, ...]

    @classmethod
    def fit(cls, series: Series | Sequence[TimeSeries], *, window: int = 10) -> Self:
        """Learn median and spread of every channel from normal series or an array (T, C) or (T,)."""
        scaler, rule, several = _prepare(series, window)
        return cls(scaler, rule, several[0].channels)

    def score(self, series: Series) -> Floats:
        """Mean of the largest absolute scaled value (T,)."""

        def statistic(windows: Windows) -> Floats:
            return np.asarray(np.abs(windows).max(axis=1).mean(axis=1), dtype=np.float64)

        return _score(self.scaler, self.rule, self.channels, series, statistic)


@dataclass(frozen=True, slots=True, eq=False)
class PCA:
    """The squared distance of a window from the plane that holds most of the variance of normal windows.

    Jackson & Mudholkar, Technometrics 21(3), 1979: the Q statistic. basis (C L, K) is orthonormal, centre (C L,).
    """

    scaler: Scaler
    rule: WindowRule
    channels: tuple[str, ...]
    centre: Floats
    basis: Floats

    @classmethod
    def fit(cls, series: Series | Sequence[TimeSeries], *, window: int = 10, variance: float = 0.9) -> Self:
        """Learn the plane that holds the share `variance` of the variance of normal windows."""
        scaler, rule, several = _prepare(series, window)
        flat = _normal_windows(scaler, rule, several).reshape(-1, window * len(several[0].channels)).astype(np.float64)
        centre = flat.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(flat - centre, rowvar=False).reshape(flat.shape[1], -1))
        share = np.cumsum(values[::-1]) / max(values.sum(), np.finfo(np.float64).tiny)
        kept = min(int(np.searchsorted(share, variance)) + 1, max(1, flat.shape[1] - 1))
        return cls(scaler, rule, several[0].channels, centre, vectors[:, ::-1][:, :kept])

    def score(self, series: Series) -> Floats:
        """Mean squared residual (T,)."""

        def statistic(windows: Windows) -> Floats:
            off = windows.reshape(len(windows), -1) - self.centre
            return np.asarray(((off - off @ self.basis @ self.basis.T) ** 2).mean(axis=1))

        return _score(self.scaler, self.rule, self.channels, series, statistic)


@dataclass(frozen=True, slots=True, eq=False)
class NearestNeighbours:
    """The mean distance of a window to its nearest normal windows (Ramaswamy et al., SIGMOD 2000).

    memory (M, C L) holds the normal windows, squares (M,) their squared lengths.
    """

    scaler: Scaler
    rule: WindowRule
    channels: tuple[str, ...]
    memory: Floats
    squares: Floats
    neighbours: int

    @classmethod
    def fit(
        cls, series: Series | Sequence[TimeSeries], *, window: int = 10, neighbours: int = 5, remember: int = 20_000
    ) -> Self:
        """Remember normal windows, at most `remember` of them, evenly spaced."""
        scaler, rule, several = _prepare(series, window)
        windows = _normal_windows(scaler, rule, several)
        spaced = np.unique(np.linspace(0, len(windows) - 1, min(len(windows), remember)).round().astype(int))
        memory = windows[spaced].reshape(len(spaced), -1).astype(np.float64)
        return cls(scaler, rule, several[0].channels, memory, (memory**2).sum(axis=1), min(neighbours, len(memory)))

    def score(self, series: Series) -> Floats:
        """Mean Euclidean distance (T,)."""

        def statistic(windows: Windows) -> Floats:
            flat = windows.reshape(len(windows), -1).astype(np.float64)
            # |a - b|² = |a|² - 2ab + |b|²: one matrix product, where a search tree degenerates in so many dimensions
            squared = (flat**2).sum(axis=1)[:, None] - 2.0 * (flat @ self.memory.T) + self.squares  # (N, M)
            nearest = np.partition(squared, self.neighbours - 1, axis=1)[:, : self.neighbours]
            return np.asarray(np.sqrt(np.maximum(nearest, 0.0)).mean(axis=1))  # rounding may leave -1e-14

        return _score(self.scaler, self.rule, self.channels, series, statistic)


@dataclass(frozen=True, slots=True, eq=False)
class IsolationForest:
    """How few random cuts set a window apart from normal windows (Liu, Ting & Zhou, ICDM 2008), by scikit-learn.

    No cut falls where normal data do not vary, so a channel that was constant never counts, however far it moves.
    Needs the extra `benchmark`; ConfigError says so where it is missing.
    """

    scaler: Scaler
    rule: WindowRule
    channels: tuple[str, ...]
    forest: Any

    @classmethod
    def fit(cls, series: Series | Sequence[TimeSeries], *, window: int = 10, trees: int = 100, seed: int = 0) -> Self:
        """Grow trees on normal windows; the same seed gives the same forest."""
        require_scikit_learn()
        from sklearn.ensemble import IsolationForest as Forest  # type: ignore[import-untyped]  # it has no stubs

        scaler, rule, several = _prepare(series, window)
        windows = _normal_windows(scaler, rule, several)
        forest = Forest(n_estimators=trees, random_state=seed).fit(windows.reshape(len(windows), -1))
        return cls(scaler, rule, several[0].channels, forest)

    def score(self, series: Series) -> Floats:
        """2^(-mean depth / the depth expected of normal windows) (T,), between 0 and 1."""

        def statistic(windows: Windows) -> Floats:
            return np.asarray(-self.forest.score_samples(windows.reshape(len(windows), -1)), dtype=np.float64)

        return _score(self.scaler, self.rule, self.channels, series, statistic)


def require_scikit_learn() -> None:
    """ConfigError that says how to install it where the isolation forest's library is missing."""
    try:
        import sklearn.ensemble  # type: ignore[import-untyped]  # noqa: F401 only whether it is there
    except ImportError:
        raise ConfigError("the isolation forest needs scikit-learn: pip install 'anomgan[benchmark]'") from None


BASELINES = {"zscore": ZScore, "pca": PCA, "knn": NearestNeighbours, "iforest": IsolationForest}
"""By the names that commands use."""


# ---------------------------------------------------------------- what they share


def _prepare(series: Series | Sequence[TimeSeries], window: int) -> tuple[Scaler, WindowRule, list[TimeSeries]]:
    """Scale, window rule and the series one by one; DataError where there is nothing to learn from."""
    if window < 1:
        raise DataError(f"a window has at least one row, not {window}")
    several = [series] if isinstance(series, TimeSeries | np.ndarray) else list(series)
    ready = [one if isinstance(one, TimeSeries) else series_from_array(one) for one in several]
    if not ready or all(np.isnan(one.values).all() for one in ready):
        raise DataError("there is not a single value to learn from")
    if max(map(len, ready)) <= window:
        raise DataError(f"{max(map(len, ready))} rows are too few to learn windows of {window} rows from")
    for one in ready[1:]:
        if one.channels != ready[0].channels:
            raise DataError(f"series disagree on their channels: {ready[0].channels} and {one.channels}")
    period_s = float(np.median([one.period_s for one in ready]))
    rule = WindowRule(window, 1, GAP_PERIODS * period_s, window // 4)
    return fit_scaler(np.concatenate([one.values for one in ready])), rule, ready


def _rows(scaler: Scaler, rule: WindowRule, series: TimeSeries) -> tuple[Windows, NDArray[np.int64]]:
    """Scaled rows (T, C), missing cells reading as the centre, and the ends (N,) of the windows that have a score."""
    starts = segment_starts(series.times, rule)
    rows = hold_missing(scale(scaler, series.values), starts, rule)
    ends = due_ends(starts, rule)
    absent = np.r_[0.0, np.cumsum(np.isnan(rows).mean(axis=1))]
    ends = ends[(absent[ends + 1] - absent[ends + 1 - rule.window]) / rule.window <= MAX_MISSING]
    return np.nan_to_num(rows, nan=0.0), ends


def _normal_windows(scaler: Scaler, rule: WindowRule, several: Sequence[TimeSeries]) -> Windows:
    """Every normal window (N, C, L); DataError where there are fewer than two."""
    parts = [gather_windows(*_rows(scaler, rule, one), rule.window) for one in several if len(one) >= rule.window]
    if sum(map(len, parts)) < 2:
        rows = sum(map(len, several))
        raise DataError(f"{rows} rows give fewer than two windows of {rule.window} rows without gaps")
    return np.concatenate(parts)


def _score(
    scaler: Scaler,
    rule: WindowRule,
    channels: tuple[str, ...],
    series: Series,
    statistic: Callable[[Windows], Floats],
) -> Floats:
    """A statistic of windows (N, C, L) -> (N,) at the row that completes each; NaN elsewhere (T,)."""
    one = series if isinstance(series, TimeSeries) else series_from_array(series)
    if one.values.shape[1] != len(channels):
        raise DataError(f"{one.values.shape[1]} channels where {len(channels)} were fitted: {', '.join(channels)}")
    scores = np.full(len(one), np.nan)
    if len(one) < rule.window:
        return scores
    rows, ends = _rows(scaler, rule, one)
    for at in range(0, len(ends), _CHUNK):
        some = ends[at : at + _CHUNK]
        scores[some] = statistic(gather_windows(rows, some, rule.window))
    return scores
