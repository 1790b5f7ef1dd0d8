"""Exact intervals of counts and shares, against scipy's distributions and by what they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anomgan.rates import poisson_interval, share_interval


@pytest.mark.parametrize("count", [0, 1, 2, 7, 60, 1234, 20_000])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_of_a_count_is_garwoods(count: int, level: float) -> None:
    outside = (1 - level) / 2
    low, high = poisson_interval(count, level)
    assert low == pytest.approx(stats.chi2.ppf(outside, 2 * count) / 2 if count else 0.0, rel=1e-9, abs=1e-12)
    assert high == pytest.approx(stats.chi2.ppf(1 - outside, 2 * count + 2) / 2, rel=1e-9)


@given(total=st.integers(1, 400), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.95]))
def test_the_interval_of_a_share_is_cloppers_and_pearsons(total: int, share: float, level: float) -> None:
    hits, outside = round(share * total), (1 - level) / 2
    low, high = share_interval(hits, total, level)
    assert low == pytest.approx(stats.beta.ppf(outside, hits, total - hits + 1) if hits else 0.0, abs=1e-9)
    assert high == pytest.approx(stats.beta.ppf(1 - outside, hits + 1, total - hits) if hits < total else 1.0, abs=1e-9)


def test_of_nothing_seen_nothing_is_known() -> None:
    assert share_interval(0, 0) == (0.0, 1.0)
