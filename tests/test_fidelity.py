"""Each measure of generated data knows the same from another, and sees what it was made to see."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from anomgan.baselines import PCA
from anomgan.errors import DataError
from anomgan.fidelity import (
    autocorrelation_difference,
    correlations,
    cross_correlation_difference,
    detection_on_real,
    discriminative_score,
    halves,
    kolmogorov_smirnov,
    last_value_error,
    log_spectral_distance,
    manifold,
    nearness,
    prediction_error,
    wasserstein,
    welch,
)
from anomgan.fidelity.discriminative import CLASSIFIERS
from anomgan.fidelity.sample import Pieces, as_series, pieces_of, windows_of
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.scaling import Scaler

AS_IT_IS = Scaler(np.zeros(2), np.ones(2), np.zeros(2, np.bool_))


def machine(rows: int, seed: int) -> Floats:
    """(rows, 2): a rhythm of 20 rows with slowly wandering noise, and the same halved with noise of its own."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(rows)
    for t, drawn in enumerate(rng.normal(size=rows)):
        noise[t] = 0.8 * noise[t - 1] + 0.3 * drawn
    first = np.sin(2 * np.pi * (np.arange(rows) / 20 + rng.uniform())) + noise
    return np.stack([first, 0.5 * first + 0.2 * rng.normal(size=rows)], axis=1)


def cut(values: Floats, length: int, stride: int) -> Floats:
    """Flat windows (N, C length)."""
    windows = windows_of((values,), length, stride)
    return windows.reshape(len(windows), -1)


REAL, SAME = machine(2000, 0), machine(2000, 1)
SHUFFLED = np.random.default_rng(2).permutation(REAL)
WHITE = np.random.default_rng(3).normal(REAL.mean(axis=0), REAL.std(axis=0), REAL.shape)
APART = np.stack([REAL[:, 0], SAME[:, 1]], axis=1)
"""two channels that know nothing of each other"""


# ---------------------------------------------------------------- marginals


def test_values_that_are_moved_are_as_far_as_they_were_moved() -> None:
    values = np.random.default_rng(0).normal(size=500)
    assert wasserstein(values, values) == 0.0
    assert wasserstein(values, values + 1.5) == pytest.approx(1.5)
    assert kolmogorov_smirnov(values, values) == 0.0
    assert kolmogorov_smirnov(values, values + 100.0) == 1.0


def test_distances_of_samples_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=300), rng.exponential(size=170).round(1)  # with ties, of another size
    assert wasserstein(one, other) == pytest.approx(wasserstein_distance(one, other))
    assert kolmogorov_smirnov(one, other) == pytest.approx(ks_2samp(one, other).statistic)


def test_marginals_do_not_see_the_order() -> None:
    assert wasserstein(REAL[:, 0], SHUFFLED[:, 0]) == pytest.approx(0.0)


# ---------------------------------------------------------------- dynamics


def naive_correlation(rows: Floats, i: int, j: int, lag: int) -> float:
    a, b = rows[:, i] - np.nanmean(rows[:, i]), rows[:, j] - np.nanmean(rows[:, j])
    products = [x * y for x, y in zip(a[: len(a) - lag], b[lag:], strict=True) if np.isfinite(x * y)]
    return float(np.mean(products) / np.nanstd(rows[:, i]) / np.nanstd(rows[:, j]))


def test_correlations_are_those_of_the_naive_twin_also_where_values_are_missing() -> None:
    rows = REAL[:200].copy()
    rows[np.random.default_rng(0).random(rows.shape) < 0.1] = np.nan
    found = correlations((rows,), 5)
    for lag, i, j in np.ndindex(found.shape):
        assert found[lag, i, j] == pytest.approx(naive_correlation(rows, i, j, lag))


def test_the_memory_of_an_autoregression_is_its_coefficient_to_the_power_of_the_lag() -> None:
    noise = np.random.default_rng(0).normal(size=(50_000, 1))
    for t in range(1, len(noise)):
        noise[t] += 0.7 * noise[t - 1]
    assert correlations((noise,), 4)[:, 0, 0] == pytest.approx(0.7 ** np.arange(5), abs=0.03)


def test_shuffled_rows_have_lost_their_memory_and_the_same_machine_has_not() -> None:
    real, same, shuffled = (correlations((one,), 20) for one in (REAL, SAME, SHUFFLED))
    assert autocorrelation_difference(real, real).max() == 0.0
    assert autocorrelation_difference(real, same).max() < 0.1
    assert autocorrelation_difference(real, shuffled).min() > 0.3


def test_channels_that_forgot_each_other_show_in_the_cross_correlation_alone() -> None:
    real, apart = (correlations((one,), 20) for one in (REAL, APART))
    own, pairs = autocorrelation_difference(real, apart), cross_correlation_difference(real, apart)
    assert own.max() < 0.1
    assert pairs[0, 1] == pairs[1, 0] > 0.3
    assert np.diagonal(pairs).tolist() == [0.0, 0.0]


def test_a_pair_that_has_another_delay_is_seen() -> None:
    noise = np.random.default_rng(0).normal(size=3000)
    at_once, later = (np.stack([noise, np.roll(noise, lag)], axis=1) for lag in (0, 3))
    real, made = (correlations((one,), 4) for one in (at_once, later))
    assert cross_correlation_difference(real, made)[0, 1] == pytest.approx(np.sqrt(2 / 9), abs=0.05)  # two of nine lags


def test_a_channel_that_stands_still_goes_with_nothing() -> None:
    still = np.stack([REAL[:, 0], np.full(len(REAL), 3.0)], axis=1)
    found = correlations((still,), 3)
    assert np.isfinite(found).all()
    assert found[0].tolist() == pytest.approx(np.array([[1.0, 0.0], [0.0, 0.0]]))


def test_no_lag_spans_a_gap() -> None:
    halves_apart: Pieces = (REAL[:1000], REAL[1000:])
    assert correlations(halves_apart, 1)[0] == pytest.approx(correlations((REAL,), 1)[0])
    jumps = tuple(np.full((1, 1), (-1.0) ** i) for i in range(10))  # pieces of one row: there is no step at all
    assert correlations(jumps, 1)[1, 0, 0] == 0.0


# ---------------------------------------------------------------- spectrum


def test_power_stands_at_the_frequency_it_has_and_adds_up_to_the_variance() -> None:
    wave = np.sqrt(2.0) * np.sin(2 * np.pi * np.arange(640) / 8)[:, None]
    power = welch((wave,), 64)
    assert power.shape == (32, 1)
    assert int(np.argmax(power[:, 0])) + 1 == 64 // 8
    assert power.sum() == pytest.approx(1.0, rel=0.01)
    white = np.random.default_rng(0).normal(size=(20_000, 1))
    assert welch((white,), 64).sum() == pytest.approx(1.0, rel=0.1)


def test_twice_the_power_is_three_decibels() -> None:
    real = welch((REAL,), 64)
    assert log_spectral_distance(real, real).tolist() == [0.0, 0.0]
    assert log_spectral_distance(real, welch((np.sqrt(2.0) * REAL,), 64)) == pytest.approx(3.01, abs=0.01)


def test_white_noise_of_the_same_spread_is_seen_by_the_spectrum() -> None:
    real, same, white = (welch((one,), 64) for one in (REAL, SAME, WHITE))
    assert log_spectral_distance(real, same).max() < 2.0
    assert log_spectral_distance(real, white)[0] > 4.0


def test_a_spectrum_of_too_little_is_refused() -> None:
    with pytest.raises(DataError, match="no 64 consecutive rows"):
        welch((REAL[:40], REAL[:40]), 64)


# ---------------------------------------------------------------- classifiers and predictors


def test_two_draws_of_one_machine_are_not_told_apart_and_a_shuffled_one_always_is() -> None:
    same = discriminative_score((REAL[:800],), (SAME[:800],), 8)
    assert same.score < 0.1
    shuffled = discriminative_score((REAL[:800],), (SHUFFLED[:800],), 8)
    assert shuffled.score > 0.4
    assert shuffled.classifier in ("trees", "network")
    assert shuffled.score == pytest.approx(abs(shuffled.accuracy - 0.5))


def test_windows_that_share_rows_do_not_leak_from_learning_into_judging() -> None:
    """Forty stretches of thirty rows, each at a level of its own, are all there is to know: nothing tells the first
    half of them from the second, but a classifier that has learned from windows of every stretch knows the levels."""
    rng = np.random.default_rng(0)
    one, other = np.split(rng.normal(size=(40, 1, 1)) + 0.01 * rng.normal(size=(40, 30, 1)), 2)
    assert discriminative_score((one.reshape(-1, 1),), (other.reshape(-1, 1),), 8).score < 0.15

    leaky = [np.concatenate([cut(stretch, 8, 1) for stretch in some]) for some in (one, other)]
    both, truth = np.concatenate(leaky), np.repeat([0, 1], [len(windows) for windows in leaky])
    order = np.random.default_rng(2).permutation(len(both))
    learn, judge = np.split(order, 2)
    found = CLASSIFIERS["trees"](both[learn], truth[learn], both[judge], 0)
    assert (found == truth[judge]).mean() > 0.8


def test_too_little_for_a_classifier_is_refused_in_words() -> None:
    with pytest.raises(DataError, match=r"60 real and 1200 generated rows are too few for a classifier"):
        discriminative_score((REAL[:60],), (SAME[:1200],), 16)


def test_who_learned_from_the_same_machine_foretells_it_and_who_learned_from_shuffled_rows_does_not() -> None:
    test: Pieces = (machine(1000, 5),)
    same, shuffled = (prediction_error((one,), test, 8) for one in (SAME, SHUFFLED))
    best = 0.5 * (0.3 + np.hypot(0.2, 0.15)) * np.sqrt(2 / np.pi)  # mean |noise| of the two channels
    assert same == pytest.approx(best, rel=0.15)
    assert shuffled > 1.5 * same
    assert same < last_value_error(test, 8)


def test_a_single_channel_is_foretold_too() -> None:
    assert prediction_error((SAME[:, :1],), (REAL[:, :1],), 8) < last_value_error((REAL[:, :1],), 8)


def labelled(seed: int) -> TimeSeries:
    values = machine(600, seed)
    values[300:330, 0] += 4.0
    labels = np.zeros(600, np.bool_)
    labels[300:330] = True
    return TimeSeries(np.arange(600.0), values, ("c0", "c1"), labels)


def test_a_detector_learns_from_the_same_machine_what_it_does_from_real_data_and_from_noise_less() -> None:
    real, test = series_from_array(REAL), labelled(7)
    same, white = (detection_on_real(real, made, test, PCA.fit) for made in (SAME, WHITE))
    assert same.real == white.real
    assert same.synthetic == pytest.approx(same.real, abs=0.1)
    assert same.synthetic > 5 * same.chance == pytest.approx(5 * 0.05)


@pytest.mark.parametrize("labels", [None, np.zeros(600, np.bool_)])
def test_a_test_without_both_kinds_of_rows_is_refused(labels: NDArray[np.bool_] | None) -> None:
    test = TimeSeries(np.arange(600.0), machine(600, 7), ("c0", "c1"), labels)
    with pytest.raises(DataError, match="rows of both kinds"):
        detection_on_real(REAL, SAME, test, PCA.fit)


# ---------------------------------------------------------------- neighbours


def test_the_same_machine_lies_where_it_does_and_white_noise_does_not() -> None:
    real, same, white = (cut(one, 16, 16) for one in (REAL, SAME, WHITE))
    found = manifold(real, same)
    assert min(found.precision, found.recall, found.coverage) > 0.8
    assert found.density == pytest.approx(1.0, abs=0.2)
    lost = manifold(real, white)
    assert max(lost.precision, lost.density) < 0.4


def test_a_generator_that_collapsed_has_precision_and_no_recall_nor_coverage() -> None:
    real = cut(REAL, 16, 16)
    one = real[np.argmin(np.abs(real).sum(axis=1))] + 0.01 * np.random.default_rng(0).normal(size=real.shape)
    collapsed = manifold(real, one)
    assert collapsed.precision == 1.0
    assert collapsed.recall < 0.1
    assert collapsed.coverage < 0.2


def test_manifold_figures_of_points_on_a_line() -> None:
    """Real at 0, 1, ... 9 with k = 1: balls of radius 1. Generated at 0.5, 0.6 and 100, 100.1."""
    real, made = np.arange(10.0)[:, None], np.array([[0.5], [0.6], [100.0], [100.1]])
    found = manifold(real, made, neighbours=1)
    assert found.precision == 0.5
    assert found.recall == 0.0  # their balls have a radius of 0.1
    assert found.density == 1.0  # each of two lies in two balls: 4 / (1 * 4)
    assert found.coverage == 0.2


def test_copies_of_the_training_data_are_as_near_as_nothing_real_is() -> None:
    train, held = cut(REAL, 16, 1), cut(SAME, 16, 16)
    copied = nearness(train, held, cut(REAL[5:], 16, 16))
    assert copied.ratio == pytest.approx(0.0, abs=1e-6)
    assert copied.copies == 1.0
    fresh = nearness(train, held, cut(machine(2000, 9), 16, 16))
    assert fresh.ratio == pytest.approx(1.0, abs=0.1)
    assert fresh.copies == pytest.approx(0.05, abs=0.07)
    assert nearness(train, held, cut(WHITE, 16, 16)).ratio > 1.5


def test_too_few_windows_have_no_neighbours() -> None:
    with pytest.raises(DataError, match="5 real and 200 generated windows that share no row are too few"):
        manifold(np.zeros((5, 4)), np.zeros((200, 4)))


# ---------------------------------------------------------------- samples


def test_a_gap_starts_another_piece_and_a_short_hole_is_held() -> None:
    times = np.r_[np.arange(50.0), 500.0 + np.arange(30.0)]
    values = np.tile(np.arange(80.0)[:, None], (1, 2))
    values[10:13] = np.nan
    values[60:70, 0] = np.nan
    pieces = pieces_of([TimeSeries(times, values, ("a", "b"))], AS_IT_IS, 16)
    assert [len(piece) for piece in pieces] == [50, 30]
    assert pieces[0][9:14, 0].tolist() == [9.0, 9.0, 9.0, 9.0, 13.0]
    assert np.isnan(pieces[1][14:20, 0]).all()  # held for a quarter of 16 rows
    assert len(windows_of(pieces, 16, 1)) == 35
    assert np.isfinite(windows_of(pieces, 4, 1)).all()


def test_halves_take_blocks_in_turn_and_every_row_once() -> None:
    series = series_from_array(np.arange(100.0)[:, None])
    one, other = halves(series)
    assert [(float(part.times[0]), len(part)) for part in one] == [
        (0.0, 10),
        (20.0, 10),
        (40.0, 10),
        (60.0, 10),
        (80.0, 10),
    ]
    assert sorted(t for part in one + other for t in part.times) == list(range(100))
    with pytest.raises(DataError, match="15 rows are too few"):
        halves(series[:15])


def test_series_of_different_channels_or_with_a_dead_one_are_refused_by_name() -> None:
    a, b = series_from_array(REAL, channels=("a", "b")), series_from_array(REAL, channels=("a", "c"))
    with pytest.raises(DataError, match="the data: lacks b and has c besides, compared with its first series"):
        as_series([a, b], "the data")
    dead = REAL.copy()
    dead[:, 1] = np.nan
    with pytest.raises(DataError, match="the data: channel 'c1' has not a single value"):
        as_series(dead, "the data")
    with pytest.raises(DataError, match="not a single series"):
        as_series([], "the data")
