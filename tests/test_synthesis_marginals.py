"""Normal scores: there and back without loss, whatever a channel's distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anomgan.errors import DataError
from anomgan.records import Floats
from anomgan.synthesis.marginals import Marginal, fit_marginal, fit_marginals, to_scores, to_values

ROWS = 4000
DICE = np.random.default_rng(0)
SAMPLES: dict[str, Floats] = {
    "bell": DICE.normal(20.0, 3.0, ROWS),
    "skewed": DICE.exponential(2.0, ROWS),
    "valve": (DICE.random(ROWS) < 0.1).astype(float),
    "mode": DICE.integers(0, 5, ROWS).astype(float),
    "mostly zero": np.where(DICE.random(ROWS) < 0.6, 0.0, DICE.gamma(2.0, 1.0, ROWS).round(2)),
}


def there(one: Marginal, column: Floats) -> Floats:
    return to_scores([one], column[:, None])[:, 0].astype(np.float64)


def back(one: Marginal, scores: Floats) -> Floats:
    return to_values([one], scores[:, None])[:, 0]


@pytest.mark.parametrize("name", SAMPLES)
def test_training_values_come_back(name: str) -> None:
    column = SAMPLES[name]
    one = fit_marginal(column)
    np.testing.assert_allclose(back(one, there(one, column)), column, atol=2e-5)


@pytest.mark.parametrize("name", ["bell", "skewed"])
def test_scores_of_a_continuous_channel_are_standard_normal(name: str) -> None:
    scores = there(fit_marginal(SAMPLES[name]), SAMPLES[name])
    assert abs(scores.mean()) < 0.02
    assert abs(scores.std() - 1.0) < 0.02
    assert np.mean(np.abs(scores) < 1.0) == pytest.approx(0.683, abs=0.02)


@pytest.mark.parametrize("name", SAMPLES)
def test_normal_numbers_become_the_channel_s_own_distribution(name: str) -> None:
    column = SAMPLES[name]
    made = back(fit_marginal(column), np.random.default_rng(1).standard_normal(ROWS))
    shares = np.linspace(0.01, 0.99, 50)
    off = np.abs(np.quantile(made, shares) - np.quantile(column, shares)) / column.std()
    assert np.median(off) < 0.05
    for atom in (0.0, 1.0):
        assert np.mean(made == atom) == pytest.approx(np.mean(column == atom), abs=0.03)
    assert made.min() >= column.min()
    assert made.max() <= column.max()


def test_what_is_made_has_the_channel_s_decimals() -> None:
    made = back(fit_marginal(SAMPLES["mostly zero"]), np.random.default_rng(2).standard_normal(500))
    np.testing.assert_array_equal(made, made.round(2))
    assert fit_marginal(SAMPLES["bell"]).decimals == -1


def test_a_value_beyond_the_extremes_is_read_as_so_many_spreads_further() -> None:
    one = fit_marginal(SAMPLES["bell"])
    top = SAMPLES["bell"].max()
    inside, beyond = there(one, np.array([top, top + 2.0 * one.spread]))
    assert beyond - inside == pytest.approx(2.0, rel=1e-3)
    assert one.spread == pytest.approx(3.0, rel=0.05)


def test_missing_stays_missing_and_an_infinity_is_missing() -> None:
    one = fit_marginal(SAMPLES["bell"])
    assert np.isnan(there(one, np.array([np.nan, np.inf, -np.inf]))).all()
    assert np.isnan(back(one, np.array([np.nan]))).all()


def test_a_constant_channel_is_constant_whatever_is_drawn() -> None:
    one = fit_marginal(np.full(50, 7.25))
    np.testing.assert_array_equal(back(one, np.array([-9.0, 0.0, 9.0])), 7.25)
    assert there(one, np.array([7.25]))[0] == pytest.approx(0.0, abs=1e-6)
    assert there(one, np.array([8.25]))[0] > 0.5


def test_a_channel_without_a_value_is_named() -> None:
    values = np.column_stack([SAMPLES["bell"], np.full(ROWS, np.nan)])
    with pytest.raises(DataError, match="'flow'"):
        fit_marginals(values, ["level", "flow"])


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6).map(lambda v: round(v, 3))))
def test_scores_rise_with_values_and_come_back_for_any_sample(column: Floats) -> None:
    one = fit_marginal(column)
    scores = there(one, np.sort(column))
    assert np.all(np.diff(scores) >= 0.0)
    reach = max(np.ptp(column), 1e-9)
    np.testing.assert_allclose(back(one, there(one, column)), column, atol=1e-5 * reach + 1e-3)
