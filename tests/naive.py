"""What the package computes fast, written down the plain way."""

import numpy as np
from torch import Tensor

from anomgan.gaussian import FLOOR, SHRINKAGE
from anomgan.records import Floats


def naive_pyramid(window: Floats) -> list[float]:
    """One channel (L,), block by block."""
    told = []
    size = 1
    while True:
        size = min(size, len(window) // 2)
        for first in (len(window) - 2 * size, len(window) - size):
            total = 0.0
            for row in range(first, first + size):
                total += float(window[row])
            told.append(total / size)
        if size == len(window) // 2:
            return told
        size *= 2


def explicit_distance(normal: Tensor, points: Tensor) -> Floats:
    """With the shrunk covariance of `normal` as a whole matrix, all in float64."""
    known, asked = normal.double().numpy(), points.double().numpy()
    mean = known.mean(axis=0)
    covariance = (known - mean).T @ (known - mean) / len(known)
    average = np.trace(covariance) / len(covariance)
    shrunk = covariance + (SHRINKAGE * average + FLOOR) * np.eye(len(covariance))
    told = [np.sqrt((point - mean) @ np.linalg.solve(shrunk, point - mean) / len(mean)) for point in asked]
    return np.array(told)
