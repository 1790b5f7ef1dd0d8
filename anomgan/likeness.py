"""How odd a window would be if a remembered one were normal: the distances of `score`, from that window instead.

A remembered window stands at e in a space whose normal points vary around 0 with the identity as covariance (whitened,
as in `gaussian`). A window at p that is like it, or like a weaker form of it, lies near a e for some a between 0 and 1;
p - a e then varies as (1 + a²) times normal points do, for both have noise of their own. So |p - a e| / sqrt(1 + a²)
says of p what the distance from normal says of a normal window, and the same calibration makes it a surprise. The
nearest a is by projection. It is never further than 0 is, so never odder than without the remembered window; and what
is odd in another direction stays as odd as it was.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomgan.calibrate import fuse, surprise
from anomgan.fit import Fitted
from anomgan.gaussian import Gaussian
from anomgan.records import Floats
from anomgan.score import SPACES, WITNESSES, newest_span, points_of


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where N windows lie: by space whitened points (N, W), whose length is their distance; level (N, C)."""

    points: Mapping[str, Floats]
    level: Floats


@torch.inference_mode()
def places(parts: Fitted, windows: NDArray[np.float32]) -> Places:
    """Where scaled windows (N, C, L) lie, NaN = missing; states are left out."""
    points, x = points_of(parts.networks, torch.from_numpy(windows[:, parts.measured]))
    whitened = {space: _whitened(parts.normal[space], points[space]).double().numpy() for space in SPACES}
    return Places(whitened, x[:, :, -newest_span(x.shape[2]) :].mean(2).double().numpy())


def _whitened(normal: Gaussian, points: Tensor) -> Tensor:
    """Points (N, F) -> (N, K + F), whose squares add up to the squared distance."""
    off = points - normal.mean
    along = off @ normal.directions
    beside = off - along @ normal.directions.T
    return torch.cat([along / normal.variances.sqrt(), beside / normal.rest.sqrt()], 1) / math.sqrt(points.shape[1])


def apart(window: Places, remembered: Places, *, weaker: bool) -> dict[str, Floats]:
    """One window (N = 1) from M remembered ones: by witness, the statistics (M,) around each.

    `weaker`: or around the nearest weaker form of it; otherwise a is 1.
    """
    told: dict[str, Floats] = {}
    share: Floats = np.zeros(len(remembered.level))
    for space in SPACES:
        p, e = window.points[space], remembered.points[space]  # (1, W), (M, W)
        nearest = np.clip((e @ p[0]) / np.maximum(np.square(e).sum(1), 1e-12), 0.0, 1.0)
        share = nearest if weaker else np.ones(len(e))
        told[space] = np.linalg.norm(p - share[:, None] * e, axis=1) / np.sqrt(1.0 + np.square(share))
    # the last space is the pattern, in which a level is a direction
    off = np.abs(window.level - share[:, None] * remembered.level).max(1) / np.sqrt(1.0 + np.square(share))
    told["level"] = np.minimum(off, np.abs(window.level).max())
    return told


def surprises_around(parts: Fitted, window: Places, remembered: Places, *, weaker: bool = True) -> Floats:
    """The surprise (M,) of one window if each of M remembered ones, and its weaker forms, were normal."""
    said = apart(window, remembered, weaker=weaker)
    each = np.stack([surprise(parts.tails[name], said[name]) for name in WITNESSES])
    weights = np.array([parts.weights[name] for name in WITNESSES])
    return surprise(parts.tails["fused"], fuse(each, weights))
