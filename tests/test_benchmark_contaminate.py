"""Training parts with faults in them: so many rows, from labelled rows, in stretches, always the same."""

from dataclasses import replace

import numpy as np
import pytest
from examples import normal_series

from anomgan_benchmark.contaminate import STRETCH, contaminate
from anomgan_benchmark.layouts import LabelledSeries

ROWS = 1000


@pytest.fixture
def series() -> LabelledSeries:
    """Labelled rows are the only ones above 100, and numbered."""
    test = normal_series(500, seed=1)
    labels = np.zeros(500, dtype=bool)
    labels[100:150] = labels[300:310] = True
    values = np.where(labels[:, None], 1000.0 + np.arange(500)[:, None], test.values)
    return LabelledSeries(normal_series(ROWS, seed=0), replace(test, values=values, labels=labels))


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.5])
def test_so_many_rows_come_from_labelled_rows_in_stretches(series: LabelledSeries, share: float) -> None:
    mixed = contaminate(series, share)
    changed = np.any(mixed.train.values != series.train.values, axis=1)
    assert changed.sum() == pytest.approx(share * ROWS, rel=0.05)
    np.testing.assert_array_equal(changed, mixed.train.values[:, 0] > 100.0)
    at = np.flatnonzero(changed)
    numbers = mixed.train.values[at, 0] - 1000.0
    assert series.labels[numbers.astype(int)].all()
    following = (np.diff(at) == 1) & (at[:-1] % STRETCH != STRETCH - 1)
    assert (np.diff(numbers)[following] == 1).all()
    assert mixed.test is series.test


def test_nothing_is_put_in_unless_asked_for(series: LabelledSeries) -> None:
    np.testing.assert_array_equal(contaminate(series, 0.0).train.values, series.train.values)


def test_it_is_the_same_every_time(series: LabelledSeries) -> None:
    first, second = contaminate(series, 0.02), contaminate(series, 0.02)
    np.testing.assert_array_equal(first.train.values, second.train.values)
