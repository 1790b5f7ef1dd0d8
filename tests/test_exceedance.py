"""What is promised of held-out windows is held against what they do, and no window calibrates itself."""

import math

import numpy as np
import pytest

from anomgan.exceedance import FOLDS, exceedances, held_out_surprises
from anomgan.records import Floats

WEIGHTS = {"one": 0.8, "other": 0.5}


def said(count: int, seed: int = 0) -> dict[str, Floats]:
    """Two statistics of independent normal windows."""
    rng = np.random.default_rng(seed)
    return {"one": rng.gamma(3.0, size=count), "other": np.abs(rng.normal(size=count))}


def test_an_honest_calibration_lies_on_the_diagonal() -> None:
    table = exceedances(held_out_surprises(said(20_000), WEIGHTS, 1), 1)
    assert table["windows"] == 20_000
    assert table["surprise"][0] == 0.5
    assert table["promised"][-1] * 20_000 >= 1.0
    inside = [low <= p <= high for p, low, high in zip(table["promised"], table["low"], table["high"], strict=True)]
    assert np.mean(inside) > 0.8
    rare = [i for i, p in enumerate(table["promised"]) if p > 1e-3]
    for i in rare:
        assert table["measured"][i] == pytest.approx(table["promised"][i], rel=0.35)


def test_a_fold_is_judged_by_the_others() -> None:
    """The last fifth is odd: had it a part in its own calibration, it would find itself less so."""
    count = 2000
    statistics = said(count)
    for values in statistics.values():
        values[-count // FOLDS :] += 6.0
    surprises = held_out_surprises(statistics, WEIGHTS, 1)
    assert np.median(surprises[-count // FOLDS :]) > 3.0
    assert np.median(surprises[: -count // FOLDS]) < 1.0


def test_neighbours_of_a_fold_that_share_its_rows_take_no_part() -> None:
    count, overlap = 1000, 20
    before = said(count)
    changed = {name: values.copy() for name, values in before.items()}
    low, high = count // FOLDS, 2 * count // FOLDS
    for values in changed.values():
        values[low - overlap : low] += 50.0
        values[high : high + overlap] += 50.0
    one, other = (held_out_surprises(of, WEIGHTS, overlap) for of in (before, changed))
    np.testing.assert_array_equal(one[low:high], other[low:high])
    assert not np.array_equal(one[:low], other[:low])


@pytest.mark.parametrize(("count", "overlap"), [(2, 1), (9, 1), (630, 64)])
def test_of_too_few_windows_nothing_is_told(count: int, overlap: int) -> None:
    surprises = held_out_surprises(said(count), WEIGHTS, overlap)
    assert len(surprises) == 0
    table = exceedances(surprises, overlap)
    assert (table["windows"], table["surprise"], table["low"]) == (0, [], [])


def naive_clusters(surprises: Floats, level: float, overlap: int) -> int:
    clusters, last = 0, -math.inf
    for i, surprise in enumerate(surprises):
        if surprise >= level:
            clusters += i - last > overlap
            last = i
    return clusters


@pytest.mark.parametrize("overlap", [1, 3, 40])
def test_exceedances_that_share_rows_are_one_cluster(overlap: int) -> None:
    surprises = np.random.default_rng(1).exponential(0.5, 500)
    table = exceedances(surprises, overlap)
    for i, level in enumerate(table["surprise"]):
        assert table["reached"][i] == (surprises >= level).sum()
        assert table["clusters"][i] == naive_clusters(surprises, level, overlap)
        assert table["low"][i] <= table["measured"][i] <= table["high"][i] <= 1.0
