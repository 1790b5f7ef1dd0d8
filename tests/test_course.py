"""Courses: since when a channel is off, against a naive twin; stuck and swinging told from what is usual."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anomgan.course import CHANCE, LIMIT, Usual, courses, usual
from anomgan.gaussian import fit_gaussian, own_variance
from anomgan.motion import BEFORE, HIGH, LOW, MOTION, MOVES, SINCE, STUCK, SWINGS
from anomgan.pyramid import pyramid

LENGTH, NEWEST = 32, 4
NORMAL = Usual(torch.tensor([0.0]), torch.tensor([1.0]))


def course(x: np.ndarray, residual: np.ndarray | None = None, newest: int = NEWEST) -> np.ndarray:
    """The course (5,) of one channel (L,); the residual is the channel itself where none is given."""
    line = torch.from_numpy(np.asarray(x, np.float32))[None, None]
    off = line if residual is None else torch.from_numpy(np.asarray(residual, np.float32))[None, None]
    return np.asarray(courses(NORMAL, line, off, newest)[0, 0])


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=LENGTH) * 0.3


def naive_onset(off: np.ndarray) -> int | None:
    """The earliest row beyond the limit from which on half of the rows are."""
    beyond = np.abs(off) > LIMIT
    if not beyond[-NEWEST:].any():
        return None
    return next((i for i in range(len(off)) if beyond[i] and 2 * beyond[i:].sum() >= len(off) - i), None)


@given(arrays(np.float32, LENGTH, elements=st.sampled_from([0.0, 3.9, 4.1, -4.1, -9.0])))
def test_the_onset_is_that_of_the_naive_twin(off: np.ndarray) -> None:
    found, expected = course(off), naive_onset(off)
    if expected is None:
        assert np.isnan(found).all()
        return
    assert LENGTH - 1 - found[SINCE] == expected
    assert (found[LOW], found[HIGH]) == (off[expected:].min(), off[expected:].max())
    level = off[max(0, expected - NEWEST) : expected]
    assert found[BEFORE] == pytest.approx(level.mean(), abs=1e-5) if len(level) else math.isnan(found[BEFORE])


def test_a_channel_within_its_error_has_no_course() -> None:
    assert np.isnan(course(noise())).all()


def test_a_single_odd_row_that_is_over_is_no_onset() -> None:
    x = noise()
    x[20] = 50.0
    assert np.isnan(course(x)).all()


def test_a_channel_that_went_and_stays_only_moves() -> None:
    x = noise()
    x[20:] += 10.0
    found = course(x)
    assert (found[SINCE], found[MOTION]) == (11.0, MOVES)
    assert abs(found[BEFORE]) < 1.0


def test_a_lively_channel_that_stands_still_is_stuck() -> None:
    x = noise()
    x[18:] = 0.1
    residual = np.where(np.arange(LENGTH) >= 20, 10.0, 0.0)
    assert course(x, residual)[MOTION] == STUCK


def test_a_sluggish_channel_that_stands_still_is_not_stuck() -> None:
    """It changed twice in eighteen rows before: standing for fourteen is nothing."""
    x = np.repeat([0.0, 0.1, 0.2], [6, 6, 20])
    residual = np.where(np.arange(LENGTH) >= 20, 10.0, 0.0)
    assert 14 * math.log1p(-2 / 18) > math.log(CHANCE)
    assert course(x, residual)[MOTION] == MOVES


def test_a_channel_that_never_changed_in_the_window_is_not_called_stuck_by_it() -> None:
    assert course(np.full(LENGTH, 9.0))[MOTION] == MOVES


def test_off_to_both_sides_by_turns_swings_and_once_each_does_not() -> None:
    x = noise()
    x[20:] = np.where(np.arange(12) % 4 < 2, 9.0, -9.0)
    assert course(x)[MOTION] == SWINGS
    x[20:] = np.where(np.arange(12) < 6, 9.0, -9.0) + noise(1)[20:]
    assert course(x)[MOTION] == MOVES


def test_what_is_usual_is_what_normal_residuals_show() -> None:
    """Two channels of different noise, one of them off its centre; the shrinkage of the distance is taken out again."""
    random = np.random.default_rng(0)
    residuals = torch.from_numpy(random.normal(size=(4000, 2, LENGTH)) * [[0.05], [0.4]] + [[0.0], [0.2]]).float()
    gaussian = fit_gaussian(pyramid(residuals).flatten(1))
    known = usual(gaussian, 2)
    np.testing.assert_allclose(known.mean, [0.0, 0.2], atol=0.03)
    assert known.spread[1] == pytest.approx(0.4, rel=0.1)
    assert 0.04 < float(known.spread[0]) < 0.12  # no less than a tenth of the mean one is told apart
    assert (own_variance(gaussian) > 0).all()
