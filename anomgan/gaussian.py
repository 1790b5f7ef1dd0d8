"""How far points lie from normal ones where directions do not weigh alike: the Mahalanobis distance (1936).

The covariance is drawn towards a multiple of the identity (as in Ledoit & Wolf 2004). Unshrunk, the directions in
which normal data hardly varies decide everything, and of those a few hundred overlapping windows tell least; without a
covariance, what moves together counts many times. A shrinkage of one mean variance stands between the two.

Directions in which normal points vary by less than a hundredth of the mean are not told apart: they share one variance,
so that the distance costs F K operations, not F², and the model file stays small.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SHRINKAGE = 1.0
FLOOR = 0.01
NEGLIGIBLE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """Normal points: mean (F,), orthonormal directions (F, K), the variance (K,) in each, `rest` () in all others."""

    mean: Tensor
    directions: Tensor
    variances: Tensor
    rest: Tensor


def fit_gaussian(points: Tensor) -> Gaussian:
    """The shrunk Gaussian of normal points (N, F), in units in which 1 is much; float32."""
    exact = points.double()
    mean = exact.mean(0)
    off = exact - mean
    spectrum, basis = torch.linalg.eigh(off.T @ off / len(off))  # ascending
    average = spectrum.clamp_min(0.0).mean()
    own = spectrum > NEGLIGIBLE * average
    own[-1] = True  # one direction at least
    shrunk = SHRINKAGE * average + FLOOR
    return Gaussian(mean.float(), basis[:, own].float(), (spectrum[own] + shrunk).float(), shrunk.float())


def distance(normal: Gaussian, points: Tensor) -> Tensor:
    """Points (N, F) -> (N,): the root of the mean squared deviation per dimension, in standard deviations."""
    off = points - normal.mean  # (N, F)
    along = off @ normal.directions  # (N, K)
    beside = off - along @ normal.directions.T  # not |off|² - |along|²: that would cancel to a few digits
    squares = (along.square() / normal.variances).sum(1) + beside.square().sum(1) / normal.rest
    return (squares / points.shape[1]).sqrt()


def shares(normal: Gaussian, points: Tensor) -> Tensor:
    """Points (N, F) -> (N, F): what each coordinate adds to the squared distance, which is their sum; some are < 0."""
    off = points - normal.mean
    along = off @ normal.directions
    pull = (along * (1.0 / normal.variances - 1.0 / normal.rest)) @ normal.directions.T + off / normal.rest  # S⁻¹ off
    return off * pull / points.shape[1]


def own_variance(normal: Gaussian) -> Tensor:
    """The variance (F,) of each coordinate on normal points: without the shrinkage, to a hundredth of the mean."""
    told_apart = (normal.directions.square() * (normal.variances - normal.rest)).sum(1)
    return told_apart + NEGLIGIBLE * normal.rest
