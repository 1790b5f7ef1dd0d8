"""The band around what is expected: it ends where a channel is beyond its own error, and nowhere else."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anomgan.band import edges, outside
from anomgan.course import LIMIT, Usual, band_of, courses
from anomgan.motion import SINCE
from anomgan.scaling import Scaler, scale, unscale

SCALER = Scaler(np.array([40.0, 1e6, 0.0]), np.array([5.0, 0.5, 2.0]), np.zeros(3, np.bool_))
MEASURED = np.array([True, True, False])
USUAL = Usual(torch.tensor([0.02, -0.3]), torch.tensor([0.1, 0.25]))
BAND = band_of(USUAL, SCALER, MEASURED)


def test_the_edges_are_the_limits_of_the_scaled_residual_in_units() -> None:
    expected = np.array([[43.0, 1e6 + 7, 1.0]])
    low, high = edges(BAND, expected)
    for channel in range(2):
        centre, spread = SCALER.centre[channel], SCALER.spread[channel]
        scaled = math.asinh((expected[0, channel] - centre) / spread)
        mean, deviation = float(USUAL.mean[channel]), float(USUAL.spread[channel])
        assert low[0, channel] == pytest.approx(
            centre + spread * math.sinh(scaled + mean - LIMIT * deviation), rel=1e-9
        )
        assert high[0, channel] == pytest.approx(
            centre + spread * math.sinh(scaled + mean + LIMIT * deviation), rel=1e-9
        )


def test_a_state_has_no_band_and_what_is_not_known_is_not_outside() -> None:
    nothing = np.array([[np.nan, 1e6, 5.0], [42.0, np.nan, 5.0]])
    low, high = edges(BAND, nothing)
    assert np.isnan(low[:, 2]).all()
    assert np.isnan(high[0, 0])
    assert not outside(BAND, nothing, np.array([[1e9, np.nan, 1e9], [np.nan, 1e9, 1e9]])).any()


@given(st.lists(st.floats(-6.0, 6.0), min_size=2, max_size=2), st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=2))
def test_outside_the_band_is_beyond_the_error_by_the_rule_of_courses(residual: list[float], level: list[float]) -> None:
    """One newest row that stands off for itself is in `courses` exactly where it is outside the band."""
    expected_scaled = np.array([*level, 0.0], np.float32)
    observed_scaled = expected_scaled + np.array([*residual, 0.0], np.float32)
    distance = np.abs(np.abs(np.array(residual) - USUAL.mean.numpy()) - LIMIT * USUAL.spread.numpy())
    if distance.min() < 1e-3:
        return  # float32 decides
    expected, observed = (unscale(SCALER, one[None]).astype(np.float64) for one in (expected_scaled, observed_scaled))
    window, off = torch.zeros(1, 2, 16), torch.zeros(1, 2, 16)
    off[:] = USUAL.mean[:, None]
    off[0, :, -2:] = torch.tensor(residual)[:, None]
    beyond = ~courses(USUAL, window, off, 2)[0, :, SINCE].isnan().numpy()
    assert outside(BAND, expected, observed)[0, :2].tolist() == beyond.tolist()


def test_the_band_holds_what_is_expected_when_the_residual_is_centred() -> None:
    centred = band_of(Usual(torch.zeros(2), USUAL.spread), SCALER, MEASURED)
    for expected in (-1e3, 39.0, 40.0, 1e5):
        low, high = edges(centred, np.array([expected, 1e6, 0.0]))
        assert low[0] < expected < high[0]
        assert scale(SCALER, np.array([low[0], 1e6, 0.0]))[0] < scale(SCALER, np.array([high[0], 1e6, 0.0]))[0]
