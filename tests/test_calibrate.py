"""Calibration: the surprise is the probability it claims to be, also beyond the data; and it always ranks."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.calibrate import (
    CLUSTERS_ABOVE,
    MAX_SHAPE,
    MIN_SHAPE,
    PRIOR_SHAPE,
    USUAL_SHARE,
    USUAL_WEIGHT,
    Tail,
    alarms_per_exceedance,
    budget_threshold,
    fit_tail,
    fuse,
    separation,
    surprise,
)
from anomgan.errors import ConfigError, DataError
from anomgan.records import Floats

finite = st.floats(-1e6, 1e6)


def normal_quantile(p: float) -> float:
    """The value that N(0, 1) exceeds with probability p, by bisection on erfc."""
    low, high = 0.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * math.erfc(middle / math.sqrt(2)) > p else (low, middle)
    return low


LAWS: dict[str, tuple[Callable[[np.random.Generator, int], Floats], Callable[[float], float]]] = {
    "normal": (lambda rng, n: rng.normal(size=n), normal_quantile),
    "exponential": (lambda rng, n: rng.exponential(size=n), lambda p: -math.log(p)),
    "pareto": (lambda rng, n: 1 + rng.pareto(4.0, n), lambda p: p ** (-1 / 4)),
    "bounded": (lambda rng, n: 1 - rng.uniform(size=n) ** 0.25, lambda p: 1 - p**0.25),  # P(X > x) = (1 - x)^4
    "shifted": (lambda rng, n: 1e4 + 1e-2 * rng.exponential(size=n), lambda p: 1e4 - 1e-2 * math.log(p)),
}


def claims(law: str, p: float, size: int, samples: int) -> Floats:
    """The surprises that tails fitted to so many samples give the value exceeded with probability p."""
    draw, quantile = LAWS[law]
    at = np.array([quantile(p)])
    tails = [fit_tail(draw(np.random.default_rng(seed), size)) for seed in range(samples)]
    return np.array([surprise(tail, at)[0] for tail in tails])


@pytest.mark.parametrize("law", list(LAWS))
@pytest.mark.parametrize("p", [0.5, 0.2, 0.1, 0.05, 1e-2])
def test_within_the_data_the_surprise_is_the_probability_it_claims(law: str, p: float) -> None:
    assert float(np.median(claims(law, p, 2000, 20))) == pytest.approx(-math.log10(p), abs=0.05)


@pytest.mark.parametrize("law", ["exponential", "pareto", "shifted"])
@pytest.mark.parametrize("p", [1e-3, 1e-4, 1e-5])
def test_beyond_the_data_it_is_right_within_a_factor_of_two(law: str, p: float) -> None:
    """2,000 values hold two beyond p = 1e-3 and none beyond 1e-4: there, only the Pareto tail speaks."""
    assert abs(float(np.median(claims(law, p, 2000, 20))) + math.log10(p)) < math.log10(2.0)


@pytest.mark.parametrize("law", ["normal", "bounded"])
@pytest.mark.parametrize("p", [1e-3, 1e-4])
def test_a_tail_lighter_than_exponential_is_right_within_a_decade(law: str, p: float) -> None:
    short = -math.log10(p) - claims(law, p, 2000, 20)
    assert abs(float(np.median(short))) < 1.0
    assert (short < 1.0).all()


def test_where_little_is_known_a_far_value_is_less_of_a_proof() -> None:
    """The more of the values tell the same, the nearer the shape is to that of the prior."""
    values = np.random.default_rng(0).exponential(size=2000)
    tails = [fit_tail(values, overlap) for overlap in (1, 10, 100, 10_000)]
    far = np.array([values.max() + 20.0])
    told = [surprise(tail, far)[0] for tail in tails]
    assert told == sorted(told, reverse=True)
    assert tails[-1].shape == pytest.approx(PRIOR_SHAPE, abs=1e-3)
    assert tails[0].shape < PRIOR_SHAPE / 4


@pytest.mark.parametrize("law", ["normal", "exponential", "shifted"])
@pytest.mark.parametrize("size", [64, 200])
def test_small_samples_are_right_within_a_decade(law: str, size: int) -> None:
    assert abs(float(np.median(claims(law, 1e-3, size, 40))) - 3.0) < 0.7
    assert np.quantile(claims(law, 1e-3, size, 40), 0.1) > 1.8


def ladder(values: Floats) -> Floats:
    """Values from far below to far above a sample."""
    low, high = float(np.min(values)), float(np.max(values))
    room = max(high - low, 1e-3 * max(abs(low), abs(high)), 1.0)
    return np.concatenate([np.linspace(low - room, high, 200), high + room * np.logspace(-3, 4, 100)])


@given(st.lists(finite, min_size=2, max_size=200))
def test_surprise_is_finite_never_falls_and_always_rises_beyond_the_body(values: list[float]) -> None:
    """Whatever the sample: ties, constants, two values."""
    tail = fit_tail(np.array(values))
    at = ladder(np.array(values))
    told = surprise(tail, at)
    assert np.isfinite(told).all()
    assert (told >= 0).all()
    assert np.all(np.diff(told) >= -1e-12)
    beyond = told[at > max(max(values), tail.body[-1])]
    assert np.all(np.diff(beyond) > 0)
    assert tail.scale > 0
    assert MIN_SHAPE <= tail.shape <= MAX_SHAPE
    assert tail.scale + tail.shape * tail.reach > 0
    assert np.all(np.diff(tail.body) > 0)
    assert np.all(np.diff(tail.log_survival) < 0)


@given(st.lists(finite, min_size=2, max_size=100), st.randoms())
def test_the_order_of_the_sample_does_not_matter_and_it_is_left_alone(values: list[float], random: object) -> None:
    shuffled = values[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    array = np.array(shuffled)
    a, b = fit_tail(array), fit_tail(np.array(values))
    assert array.tolist() == shuffled
    np.testing.assert_array_equal(a.body, b.body)
    np.testing.assert_array_equal(a.log_survival, b.log_survival)
    assert (a.scale, a.shape) == pytest.approx((b.scale, b.shape))


@given(st.lists(finite, min_size=2, max_size=200))
def test_below_the_body_it_fades_out_and_still_ranks(values: list[float]) -> None:
    tail = fit_tail(np.array(values))
    room = tail.body[-1] - tail.body[0] + tail.scale
    at = tail.body[0] + room * np.linspace(-20.0, 0.0, 101)
    told = surprise(tail, at)
    assert np.all(np.diff(told) > 0)
    assert told[0] < 1e-6
    assert told[-1] == pytest.approx(-tail.log_survival[0])


def test_a_constant_statistic_is_not_surprising_until_it_moves() -> None:
    tail = fit_tail(np.full(100, 7.0))
    assert surprise(tail, np.array([7.0]))[0] < 1.1
    assert surprise(tail, np.array([7.1]))[0] > 6.0


def test_unknown_stays_unknown() -> None:
    tail = fit_tail(np.arange(10.0))
    assert np.isnan(surprise(tail, np.array([np.nan, 3.0]))).tolist() == [True, False]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan], [1.0, np.inf]])
def test_calibration_needs_finite_values(values: list[float]) -> None:
    with pytest.raises(DataError):
        fit_tail(np.array(values))


def test_the_pareto_tail_continues_where_the_body_ends() -> None:
    tail = fit_tail(np.random.default_rng(0).exponential(size=500))
    edge = tail.body[-1]
    below, above = surprise(tail, np.array([edge - 1e-9, edge + 1e-9]))
    assert above == pytest.approx(below, abs=1e-6)


def test_an_exponential_tail_and_a_barely_heavy_one_agree() -> None:
    body, log_survival = np.array([0.0, 1.0]), np.array([-0.1, -1.0])
    at = np.linspace(1.0, 30.0, 50)
    flat, heavy, light = (surprise(Tail(body, log_survival, 2.0, shape, 100.0), at) for shape in (0.0, 1e-9, -1e-9))
    np.testing.assert_allclose(flat, heavy, rtol=1e-6)
    np.testing.assert_allclose(flat, light, rtol=1e-6)
    np.testing.assert_allclose(flat, 1.0 + (at - 1.0) / 2.0 / math.log(10))


def naive_surprise(tail: Tail, value: float) -> float:
    """Above the body: the generalised Pareto law as it is written, then an exponential one at the same slope."""
    beyond, end = value - float(tail.body[-1]), tail.reach if tail.shape < 0 else math.inf
    survival = (1 + tail.shape * min(beyond, end) / tail.scale) ** (-1 / tail.shape)
    rest = max(beyond - end, 0.0) / (tail.scale + tail.shape * tail.reach)
    return -float(tail.log_survival[-1]) - math.log10(survival) + rest / math.log(10)


@pytest.mark.parametrize("shape", [-0.5, -0.2, 0.1, 0.5])
def test_above_the_body_it_is_the_pareto_law_and_one_that_ends_goes_on_as_an_exponential(shape: float) -> None:
    tail = Tail(np.array([0.0, 1.0]), np.array([-0.1, -1.0]), 2.0, shape, 3.0)
    at = np.linspace(1.0, 40.0, 1000)
    told = surprise(tail, at)
    np.testing.assert_allclose(told, [naive_surprise(tail, value) for value in at.tolist()], rtol=1e-9)
    assert np.all(np.diff(told) > 0)
    assert np.abs(np.diff(told, 2)).max() < 0.01  # no step and no kink where one law takes over from the other


def test_what_lies_beyond_the_end_of_a_tail_has_a_probability_and_keeps_its_rank() -> None:
    draw, quantile = LAWS["bounded"]
    values = draw(np.random.default_rng(0), 5000)
    tail = fit_tail(values)
    assert tail.shape < -0.1
    told = surprise(tail, np.array([quantile(1e-3), values.max(), 1.0, 1.01, 1.1, 2.0, 1e6]))
    assert told[0] == pytest.approx(3.0, abs=0.3)
    assert np.all(np.diff(told) > 0)
    assert np.isfinite(told).all()


# ---------------------------------------------------------------- separation and fusion


def naive_separation(normal: Floats, disturbed: Floats) -> float:
    wins = [1.0 if d > n else 0.5 if d == n else 0.0 for d in disturbed for n in normal]
    return max(0.0, 2 * sum(wins) / len(wins) - 1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_separation_is_twice_the_share_of_pairs_in_order_less_one(normal: list[int], disturbed: list[int]) -> None:
    a, b = np.array(normal, float), np.array(disturbed, float)
    assert separation(a, b) == pytest.approx(naive_separation(a, b))


def test_the_fused_statistic_rises_with_every_witness_that_has_a_say() -> None:
    calm = np.array([[1.0], [1.0], [1.0]])
    weights = np.array([1.0, 0.5, 0.0])
    for witness in range(3):
        louder = calm.copy()
        louder[witness] += 2.0
        assert (fuse(louder, weights) > fuse(calm, weights)).item() == (weights[witness] > 0)


def test_fusing_keeps_unknown_unknown() -> None:
    assert np.isnan(fuse(np.array([[1.0, np.nan], [1.0, 1.0]]), np.ones(2))).tolist() == [False, True]


# ---------------------------------------------------------------- clusters


def naive_alarms(surprises: list[Floats], apart: int, in_a_row: int) -> float:
    """Window by window: an alarm is told at the `in_a_row`-th exceedance in a row, once until `apart` calm ones."""
    high = np.quantile(np.concatenate(surprises), CLUSTERS_ABOVE)
    exceeding = alarms = 0
    for stretch in surprises:
        calm, run, told = apart, 0, False
        for value in stretch:
            if value > high:
                exceeding += 1
                if calm >= apart:
                    told = False
                run, calm = run + 1, 0
                if run >= in_a_row and not told:
                    alarms, told = alarms + 1, True
            else:
                run, calm = 0, calm + 1
    return (alarms + USUAL_SHARE * USUAL_WEIGHT) / (exceeding + USUAL_WEIGHT)


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=60), min_size=1, max_size=5),
    st.integers(1, 20),
    st.integers(1, 4),
)
def test_an_alarm_is_a_cluster_with_so_many_exceedances_in_a_row(
    drawn: list[list[int]], apart: int, in_a_row: int
) -> None:
    surprises = [np.array(stretch, float) for stretch in drawn]
    naive = naive_alarms(surprises, apart, in_a_row)
    assert alarms_per_exceedance(surprises, apart, in_a_row) == pytest.approx(naive)


def raw_share(surprises: list[Floats], apart: int, in_a_row: int) -> float:
    """The share without the prior."""
    exceeding = sum(int((one > np.quantile(np.concatenate(surprises), CLUSTERS_ABOVE)).sum()) for one in surprises)
    drawn = alarms_per_exceedance(surprises, apart, in_a_row)
    return (drawn * (exceeding + USUAL_WEIGHT) - USUAL_SHARE * USUAL_WEIGHT) / exceeding


def test_windows_that_know_nothing_of_each_other_hardly_cluster_and_runs_do() -> None:
    rng = np.random.default_rng(0)
    alone = rng.exponential(size=4000)
    runs = np.repeat(alone, 10)
    assert raw_share([alone], 1, 1) > 0.95
    assert raw_share([runs], 10, 1) == pytest.approx(0.1 * raw_share([alone], 1, 1), rel=0.05)
    assert raw_share([alone], 1, 2) < 0.05
    assert raw_share([runs], 10, 10) == raw_share([runs], 10, 1)


@pytest.mark.parametrize("stretch", [[1.0], [1.0] * 50, [0.0, 1.0]])
def test_too_little_to_tell_clusters_from_gives_a_share_all_the_same(stretch: list[float]) -> None:
    assert 1 / 8 <= alarms_per_exceedance([np.array(stretch)], 4, 1) <= 1


def test_where_alarms_cluster_fewer_are_alarms_of_their_own() -> None:
    assert budget_threshold(1.0, 6.048, 0.1) == pytest.approx(budget_threshold(1.0, 6.048) - 1.0)
    assert budget_threshold(1.0, 604_800.0, 0.01) == 0.5


# ---------------------------------------------------------------- the alarm budget


@pytest.mark.parametrize(
    ("alarms", "seconds", "threshold"),
    [
        (1.0, 604_800.0, 0.5),  # a window a week may always alarm; the threshold still asks for something odd
        (1.0, 6.048, 5.0),
        (10.0, 6.048, 4.0),
        (0.1, 6.048, 6.0),
        (7.0, 60.0, math.log10(1440.0)),  # one a day, a window a minute
        (1e9, 1.0, 0.5),
    ],
)
def test_the_threshold_follows_from_the_budget_and_the_window_rate(
    alarms: float, seconds: float, threshold: float
) -> None:
    assert budget_threshold(alarms, seconds) == pytest.approx(threshold)


@pytest.mark.parametrize("alarms", [0.0, -1.0, float("nan")])
def test_a_budget_is_above_zero(alarms: float) -> None:
    with pytest.raises(ConfigError, match="budget"):
        budget_threshold(alarms, 1.0)


def test_extreme_budgets_and_rates_give_finite_thresholds() -> None:
    for alarms in (5e-324, 1e308):
        for seconds in (1e-300, 1e300):
            assert math.isfinite(budget_threshold(alarms, seconds))


def test_normal_devices_stay_within_their_budget() -> None:
    """A thousand device-weeks of a window an hour: false alarms come to about what was asked for."""
    rng = np.random.default_rng(0)
    tail = fit_tail(rng.exponential(size=4000))
    threshold = budget_threshold(alarms_per_week=1.0, seconds_per_window=3600.0)
    alarms = np.count_nonzero(surprise(tail, rng.exponential(size=168 * 1000)) >= threshold)
    assert 300 < alarms < 2000
