"""How rare each window of a training set is: how far it lies from its nearest others.

A window of a rare operating mode has few like it, so its K-th neighbour is far (Loftsgaarden & Quesenberry 1965:
density falls with that distance). Neighbours share no rows with it, else its own shadow one row later would be nearest.
"""

import numpy as np
from numpy.typing import NDArray

from anomgan.manifold import squared
from anomgan.records import Floats

NEIGHBOURS = 5


def rarity(windows: NDArray[np.float32], at: NDArray[np.int64]) -> Floats:
    """Windows (N, C, L), each ending at row `at` (N,) of rows in one line -> (N,) the distance of its K-th neighbour
    that shares no rows with it, per value; of the farthest there is, where fewer do."""
    flat = windows.reshape(len(windows), -1).astype(np.float64)
    far = np.sqrt(squared(flat, flat) / flat.shape[1])
    length = windows.shape[2]
    far[np.abs(at[:, None] - at[None, :]) < length] = np.inf
    ordered = np.sort(far, axis=1)
    reached = np.isfinite(ordered).sum(1)  # (N,)
    which = np.minimum(NEIGHBOURS, reached) - 1
    told = np.where(reached > 0, ordered[np.arange(len(far)), which.clip(0)], 0.0)
    return np.asarray(told)
