"""Baselines against their definitions, window by window. Their common laws stand in `contract`."""

import sys

import numpy as np
import pytest
from contract import normal_series, with_fault

from anomgan.baselines import BASELINES, PCA, IsolationForest, NearestNeighbours, ZScore
from anomgan.errors import ConfigError, DataError
from anomgan.records import Floats
from anomgan.scaling import Scaler, scale

TRAIN, TEST = normal_series(300, seed=1), with_fault(normal_series(120, seed=2), 60, 80)


def windows(scaler: Scaler, values: Floats, length: int) -> Floats:
    """Every window of scaled values, flat (N, L C), channel by channel."""
    rows = scale(scaler, values).astype(np.float64)
    return np.array([rows[end - length : end].T.ravel() for end in range(length, len(rows) + 1)])


def test_the_zscore_is_the_mean_over_the_window_of_the_largest_deviation() -> None:
    scorer = ZScore.fit(TRAIN, window=5)
    largest = np.abs(scale(scorer.scaler, TEST.values)).max(axis=1)
    expected = [largest[end - 5 : end].mean() for end in range(5, len(TEST) + 1)]
    np.testing.assert_allclose(scorer.score(TEST)[4:], expected, rtol=1e-5)


def test_pca_is_the_mean_square_that_the_leading_components_leave() -> None:
    scorer = PCA.fit(TRAIN, window=4, variance=0.9)
    normal, seen = windows(scorer.scaler, TRAIN.values, 4), windows(scorer.scaler, TEST.values, 4)
    _, spread, components = np.linalg.svd(normal - normal.mean(axis=0), full_matrices=False)
    kept = int(np.searchsorted(np.cumsum(spread**2) / np.sum(spread**2), 0.9)) + 1
    assert scorer.basis.shape == (12, kept)
    off = seen - normal.mean(axis=0)
    residual = off - off @ components[:kept].T @ components[:kept]
    np.testing.assert_allclose(scorer.score(TEST)[3:], (residual**2).mean(axis=1), rtol=1e-6)


def test_pca_always_leaves_a_direction_to_look_in() -> None:
    flat = np.repeat(np.sin(np.arange(200.0))[:, None], 2, axis=1)
    assert PCA.fit(flat, window=1, variance=1.0).basis.shape == (2, 1)


@pytest.mark.parametrize("remember", [20_000, 40])
def test_nearest_neighbours_is_the_mean_distance_to_the_nearest_normal_windows(remember: int) -> None:
    scorer = NearestNeighbours.fit(TRAIN, window=3, neighbours=4, remember=remember)
    normal, seen = windows(scorer.scaler, TRAIN.values, 3), windows(scorer.scaler, TEST.values, 3)
    chosen = np.unique(np.linspace(0, len(normal) - 1, min(len(normal), remember)).round().astype(int))
    expected = [np.sort(np.linalg.norm(normal[chosen] - window, axis=1))[:4].mean() for window in seen]
    np.testing.assert_allclose(scorer.score(TEST)[2:], expected, rtol=1e-5, atol=1e-6)


def test_a_normal_window_is_its_own_nearest_neighbour() -> None:
    scores = NearestNeighbours.fit(TRAIN, window=3, neighbours=1).score(TRAIN)
    np.testing.assert_allclose(scores[2:], 0.0, atol=1e-6)


def test_long_series_are_scored_in_parts_that_do_not_show() -> None:
    long = normal_series(1500, seed=3)
    for kind in BASELINES.values():
        scorer = kind.fit(TRAIN)
        np.testing.assert_allclose(scorer.score(long)[400:], scorer.score(long[391:])[9:], rtol=1e-6, atol=1e-9)


def test_a_window_of_no_rows_is_refused() -> None:
    with pytest.raises(DataError, match="at least one row"):
        ZScore.fit(TRAIN, window=0)


def test_series_with_other_channels_are_refused() -> None:
    other = normal_series(100, seed=4)
    with pytest.raises(DataError, match="disagree"):
        PCA.fit([TRAIN, type(other)(other.times, other.values, ("x", "y", "z"))])


def test_the_isolation_forest_ranks_windows_by_the_mean_depth_at_which_they_are_alone() -> None:
    scorer = IsolationForest.fit(TRAIN, window=3, trees=20, seed=1)
    seen = windows(scorer.scaler, TEST.values, 3).astype(np.float32)
    depth = np.zeros(len(seen))
    for tree in scorer.forest.estimators_:
        leaves = tree.apply(seen)
        sizes = tree.tree_.n_node_samples[leaves].astype(float)
        rest = np.where(
            sizes > 2, 2 * (np.log(np.maximum(sizes - 1, 1)) + np.euler_gamma) - 2 * (sizes - 1) / sizes, sizes > 1
        )
        depth += tree.decision_path(seen).sum(axis=1).A1 - 1 + rest
    n = scorer.forest.max_samples_
    expected = 2.0 ** -(depth / 20 / (2 * (np.log(n - 1.0) + np.euler_gamma) - 2 * (n - 1.0) / n))
    np.testing.assert_allclose(scorer.score(TEST)[2:], expected, rtol=1e-6)


def test_the_same_seed_grows_the_same_forest() -> None:
    one, same, other = (IsolationForest.fit(TRAIN, trees=10, seed=seed).score(TEST) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other, equal_nan=True)


def test_without_scikit_learn_the_forest_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearn", "sklearn.ensemble"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'anomgan\[benchmark\]'"):
        IsolationForest.fit(TRAIN)
