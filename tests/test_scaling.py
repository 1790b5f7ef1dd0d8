"""Scaling: normal data comes out near 1, nothing is drowned, nothing overflows, and every odd channel has its rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.records import Floats
from anomgan.scaling import Scaler, fit_scaler, scale, unscale, usable

NOISE = np.random.default_rng(0).normal(size=2000)


def scaler_of(column: Floats) -> Scaler:
    return fit_scaler(np.asarray(column, np.float64)[:, None])


def at(scaler: Scaler, value: float) -> float:
    return float(scale(scaler, np.array([value]))[0])


@pytest.mark.parametrize("centre", [0.0, -3.0, 1e6, 1e9])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_normal_noise_comes_out_with_unit_spread_at_any_offset(centre: float, size: float) -> None:
    column = centre + size * NOISE
    scaler = scaler_of(column)
    scaled = scale(scaler, column[:, None])
    assert abs(np.median(scaled)) < 0.05
    assert 0.6 < np.std(scaled) < 1.1
    assert not scaler.constant[0]


@pytest.mark.parametrize("wrong", [1e3, 1e6, -1e30, np.inf, 1e300])
def test_a_few_wrong_values_do_not_widen_the_scale(wrong: float) -> None:
    column = NOISE.copy()
    column[::400] = wrong
    assert scaler_of(column).spread[0] == pytest.approx(scaler_of(NOISE).spread[0], rel=0.05)


def test_one_wrong_value_does_not_make_a_constant_channel_deaf() -> None:
    column = np.full(1000, 20.0)
    column[500] = 65_535.0
    assert abs(at(scaler_of(column), 25.0)) > 1.0


@pytest.mark.parametrize("value", [0.0, 5.0, -2e6, 1e-300])
def test_a_constant_channel_counts_when_it_moves_at_last(value: float) -> None:
    scaler = scaler_of(np.full(100, value))
    assert scaler.constant[0]
    assert at(scaler, value) == 0.0
    assert at(scaler, value + 0.2 * abs(value) + 0.5) > 1.0
    assert at(scaler, value - 0.2 * abs(value) - 0.5) < -1.0


def test_a_two_valued_channel_keeps_its_values_apart_and_small() -> None:
    scaler = scaler_of(np.arange(1000) % 2)
    assert abs(at(scaler, 0.0) - at(scaler, 1.0)) > 0.5
    assert abs(at(scaler, 1.0)) < 3.0
    rare = scaler_of(np.arange(1000) % 400 == 0)
    assert 0.5 < abs(at(rare, 1.0) - at(rare, 0.0)) < 5.0


def test_rounding_in_a_nearly_constant_channel_is_no_deviation() -> None:
    column = np.where(np.arange(1000) % 3 == 0, np.nextafter(5.0, 6.0), 5.0)
    assert abs(at(scaler_of(column), np.nextafter(5.0, 6.0))) < 1.0
    coarse = np.round(NOISE * 0.3)  # steps of 1, most of them 0
    assert abs(at(scaler_of(coarse), 1.0)) <= np.arcsinh(2.0)


def test_a_channel_without_a_value_reads_as_missing_for_ever() -> None:
    scaler = fit_scaler(np.stack([NOISE, np.full_like(NOISE, np.nan)], axis=1))
    scaled = scale(scaler, np.array([[0.0, 7.0]]))
    assert np.isfinite(scaled[0, 0])
    assert np.isnan(scaled[0, 1])


def test_a_scaler_of_no_rows_reads_everything_as_missing() -> None:
    assert np.isnan(scale(fit_scaler(np.empty((0, 2))), np.zeros((3, 2)))).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e308, -1e39])
def test_infinite_and_immense_values_are_missing(value: float) -> None:
    assert np.isnan(usable(np.array([value]))).all()
    assert np.isnan(at(scaler_of(NOISE), value))


def test_missing_values_are_left_out() -> None:
    column = NOISE.copy()
    column[::3] = np.nan
    assert scaler_of(column).spread[0] == pytest.approx(1.0, rel=0.1)


@given(st.lists(st.floats(-1e38, 1e38), min_size=1, max_size=30), st.floats(allow_nan=True, allow_infinity=True))
def test_scaled_values_are_finite_or_missing_whatever_was_learned(column: list[float], value: float) -> None:
    scaler = scaler_of(np.array(column))
    scaled = scale(scaler, np.array([[value]]))
    assert np.isfinite(scaler.spread[0])
    assert scaler.spread[0] > 0
    assert scaled.dtype == np.float32
    assert np.isnan(scaled[0, 0]) == np.isnan(usable(np.array(value)))
    assert not np.isinf(scaled).any()


@given(st.floats(-1e30, 1e30), st.floats(1e-6, 1e6), st.floats(-1e6, 1e6))
def test_unscale_is_the_inverse(value: float, spread: float, centre: float) -> None:
    scaler = Scaler(np.array([centre]), np.array([spread]), np.array([False]))
    back = unscale(scaler, scale(scaler, np.array([value])))
    size = abs(value - centre) + spread
    assert abs(back[0] - value) <= 2e-5 * size + 1e-9 * abs(centre)


def test_a_larger_deviation_ranks_higher() -> None:
    scaler = scaler_of(NOISE)
    ladder = scale(scaler, np.logspace(-3, 37, 200)[:, None])[:, 0]
    assert np.all(np.diff(ladder) > 0)
