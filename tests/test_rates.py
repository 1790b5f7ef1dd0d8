"""Exact intervals of counts and shares, against scipy's distributions and by what they mean."""

import math

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


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
@pytest.mark.parametrize("count", [0, 1, 3, 100, 10**5, 10**6, 10**8])
def test_the_interval_of_none_few_and_a_huge_count_is_scipys(count: int, level: float) -> None:
    outside = (1 - level) / 2
    low, high = poisson_interval(count, level)
    assert low == pytest.approx(stats.chi2.ppf(outside, 2 * count) / 2 if count else 0.0, rel=1e-9, abs=1e-12)
    assert high == pytest.approx(stats.chi2.isf(outside, 2 * count + 2) / 2, rel=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
@pytest.mark.parametrize("total", [1, 2, 10, 1000, 10**6, 10**8])
@pytest.mark.parametrize("seen", ["none", "one", "half", "all but one", "all"])
def test_the_interval_of_a_share_of_none_some_and_all_is_scipys(seen: str, total: int, level: float) -> None:
    hits = {"none": 0, "one": 1, "half": total // 2, "all but one": total - 1, "all": total}[seen]
    outside = (1 - level) / 2
    low, high = share_interval(hits, total, level)
    assert 0.0 <= low <= hits / total <= high <= 1.0
    assert low == pytest.approx(stats.beta.ppf(outside, hits, total - hits + 1) if hits else 0.0, rel=1e-7)
    assert 1.0 - high == pytest.approx(
        stats.beta.ppf(outside, total - hits, hits + 1) if hits < total else 0.0, rel=1e-7, abs=1e-15
    )
    assert (1.0 - high, 1.0 - low) == pytest.approx(share_interval(total - hits, total, level), rel=1e-7, abs=1e-15)


def test_a_rate_of_a_moment_is_wide_and_finite() -> None:
    from anomgan.judging.report import make_report
    from anomgan.judging.told import ToldEvent

    def rates(alarms: int, weeks: float) -> tuple[float | None, ...]:
        report = make_report(
            now_s=0.0, rows=[], hits=[], first_hits=0, during=[""] * alarms, incidents=0, set_aside=0, muted=0,
            false_alarms=[ToldEvent("a", "", "p", "closed", 0.0, 0.0)] * alarms, devices=1,
            devices_from="", weeks=weeks,
        )  # fmt: skip
        return report.alarms_per_week, report.alarms_per_week_low, report.alarms_per_week_high

    assert rates(1, 1e-12) == pytest.approx((1e12, stats.chi2.ppf(0.025, 2) / 2e-12, stats.chi2.ppf(0.975, 4) / 2e-12))
    assert rates(0, 1e-12) == pytest.approx((0.0, 0.0, -math.log(0.025) * 1e12))
    assert rates(3, 0.0) == (None, None, None)
