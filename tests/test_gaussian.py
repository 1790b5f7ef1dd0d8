"""The Gaussian against the Mahalanobis distance written down with the full covariance."""

import numpy as np
import pytest
import torch
from naive import explicit_distance
from torch import Tensor

from anomgan.gaussian import FLOOR, NEGLIGIBLE, SHRINKAGE, Gaussian, distance, fit_gaussian, shares
from anomgan.records import Floats


def spread_points(count: int, spreads: Floats, seed: int) -> Tensor:
    """Points (count, F) around a centre that is not 0, with these standard deviations along oblique directions, which
    are the same for every seed."""
    dimensions = len(spreads)
    basis = np.linalg.qr(np.random.default_rng(99).normal(size=(dimensions, dimensions)))[0]
    along = np.random.default_rng(seed).normal(size=(count, dimensions)) * spreads
    return torch.from_numpy(along @ basis.T + 3.0).float()


@pytest.mark.parametrize("dimensions", [1, 2, 7, 40])
def test_with_every_direction_kept_it_is_the_mahalanobis_distance(dimensions: int) -> None:
    spreads = np.geomspace(1.0, 2.0, dimensions)
    normal, asked = (spread_points(300, spreads, seed) for seed in (0, 1))
    fitted = fit_gaussian(normal)
    assert fitted.directions.shape == (dimensions, dimensions)
    np.testing.assert_allclose(distance(fitted, 4.0 * asked), explicit_distance(normal, 4.0 * asked), rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
def test_directions_that_are_not_told_apart_cost_less_than_a_hundredth(scale: float) -> None:
    spreads = scale * np.array([3.0, 2.0, 1.0, *np.geomspace(0.2, 1e-4, 30)])
    normal = spread_points(500, spreads, seed=0)
    fitted = fit_gaussian(normal)
    assert 3 <= fitted.directions.shape[1] < 20
    everywhere = torch.from_numpy(np.random.default_rng(1).normal(size=(200, 33))).float()
    for asked in (spread_points(200, spreads, seed=2), scale * everywhere, 100.0 * everywhere):
        np.testing.assert_allclose(distance(fitted, asked), explicit_distance(normal, asked), rtol=0.01)


def test_the_directions_kept_are_orthonormal_and_those_of_a_hundredth_of_the_mean_variance() -> None:
    normal = spread_points(500, np.array([3.0, 1.0, 0.5, 0.1, 0.01]), seed=0)
    fitted = fit_gaussian(normal)
    torch.testing.assert_close(fitted.directions.T @ fitted.directions, torch.eye(3), rtol=0, atol=1e-5)
    own = fitted.variances - fitted.rest
    average = normal.double().var(0, correction=0).mean().item()
    assert own.min() > NEGLIGIBLE * average
    assert fitted.rest.item() == pytest.approx(SHRINKAGE * average + FLOOR, rel=1e-5)
    along = (normal - fitted.mean) @ fitted.directions
    torch.testing.assert_close(along.var(0, correction=0), own, rtol=1e-4, atol=1e-5)
    assert {value.dtype for value in (fitted.mean, fitted.directions, fitted.variances, fitted.rest)} == {torch.float32}


@pytest.mark.parametrize("dimensions", [1, 5, 33])
def test_shares_add_up_to_the_squared_distance(dimensions: int) -> None:
    spreads = np.geomspace(3.0, 0.01, dimensions)
    normal, asked = spread_points(200, spreads, seed=0), 3.0 * spread_points(100, spreads, seed=1)
    fitted = fit_gaussian(normal)
    told = shares(fitted, asked)
    assert told.shape == asked.shape
    np.testing.assert_allclose(told.sum(1), distance(fitted, asked).square(), rtol=1e-4)


def test_what_moves_alone_has_all_the_share() -> None:
    fitted = fit_gaussian(spread_points(500, np.ones(6), seed=0))
    moved = fitted.mean.repeat(6, 1) + 10.0 * torch.eye(6)
    told = shares(fitted, moved)
    assert told.argmax(1).tolist() == list(range(6))
    np.testing.assert_allclose(told.diagonal() / told.sum(1), 1.0, rtol=1e-5)


def test_a_break_of_what_moves_together_is_further_than_moving_together() -> None:
    common = torch.randn(500, 1, generator=torch.Generator().manual_seed(0)).expand(-1, 2)
    fitted = fit_gaussian(common + 0.05 * torch.randn(500, 2, generator=torch.Generator().manual_seed(1)))
    together, apart = distance(fitted, fitted.mean + torch.tensor([[2.0, 2.0], [2.0, -2.0]]))
    assert apart > 1.5 * together


def test_points_that_never_vary_have_the_floor_for_a_variance() -> None:
    fitted = fit_gaussian(torch.full((50, 4), 7.0))
    asked = torch.tensor([[7.0] * 4, [8.0] * 4, [7.0, 7.0, 7.0, 9.0]])
    np.testing.assert_allclose(distance(fitted, asked), [0.0, 1.0 / FLOOR**0.5, 1.0 / FLOOR**0.5], rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_more_dimensions_than_points_are_enough(count: int) -> None:
    normal = torch.randn(count, 40, generator=torch.Generator().manual_seed(count))
    fitted = fit_gaussian(normal)
    assert fitted.directions.shape[1] <= max(1, count)
    asked = torch.randn(20, 40, generator=torch.Generator().manual_seed(9))
    np.testing.assert_allclose(distance(fitted, asked), explicit_distance(normal, asked), rtol=0.01)


def test_far_points_keep_their_rank() -> None:
    fitted = fit_gaussian(spread_points(200, np.geomspace(3.0, 1e-3, 20), seed=0))
    away = torch.randn(20, generator=torch.Generator().manual_seed(0))
    told = distance(fitted, fitted.mean + torch.logspace(-2, 8, 200)[:, None] * away)
    assert torch.isfinite(told).all()
    assert (told.diff() > 0).all()


def test_the_centre_is_no_distance_away() -> None:
    fitted = fit_gaussian(spread_points(200, np.geomspace(3.0, 1e-3, 20), seed=0))
    assert distance(fitted, fitted.mean[None]).item() == 0.0


ONE_LARGE = np.concatenate([[100.0], np.full(999, 0.1)])
"""a thousand dimensions of which one varies a lot: what lies beside it must not be lost to what lies along it"""


def test_rounding_does_not_show() -> None:
    fitted = fit_gaussian(spread_points(300, ONE_LARGE, seed=0))
    exact = Gaussian(*(getattr(fitted, key).double() for key in Gaussian.__slots__))
    asked = spread_points(200, ONE_LARGE, seed=1)
    np.testing.assert_allclose(distance(fitted, asked), distance(exact, asked.double()), rtol=3e-6)


def test_a_point_is_as_far_alone_as_among_others() -> None:
    fitted = fit_gaussian(spread_points(300, ONE_LARGE, seed=0))
    asked = spread_points(200, ONE_LARGE, seed=1)
    alone = torch.cat([distance(fitted, point[None]) for point in asked])
    torch.testing.assert_close(distance(fitted, asked), alone, rtol=3e-6, atol=0)


def test_the_points_are_left_alone() -> None:
    points = spread_points(50, np.ones(3), seed=0)
    kept = points.clone()
    fitted = fit_gaussian(points)
    distance(fitted, points)
    shares(fitted, points)
    assert torch.equal(points, kept)
