"""Whether generated windows are simply the training windows: how near they are to those."""

from dataclasses import dataclass

import numpy as np

from anomgan.manifold import squared
from anomgan.records import Floats

NEAR = 0.05
"""of held-out windows are this near to a training window, or nearer"""
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near generated windows are to training windows, against how near held-out real ones are.

    ratio: of the median distances; 1 = as near as real data are, near 0 = copies. copies: the share of generated
    windows that is nearer than all but 5 % of the held-out ones; about 0.05 where nothing is copied.
    """

    ratio: float
    copies: float


def nearness(train: Floats, held_out: Floats, generated: Floats) -> Nearness:
    """Distances to the nearest of the training windows (N, D); these may share rows, to show copies at any offset.

    The ratio is that of Meehan, Chaudhuri & Dasgupta, AISTATS 2020, in its plainest form. A generator that repeats its
    training data excels in every other figure; here it does not.
    """
    theirs, ours = nearest(held_out, train), nearest(generated, train)
    middle = float(np.median(theirs))
    ratio = float(np.median(ours)) / middle if middle > 0.0 else float("nan")
    return Nearness(ratio, float((ours < np.quantile(theirs, NEAR)).mean()))


def nearest(windows: Floats, among: Floats) -> Floats:
    """Euclidean distance (N,) of each window (N, D) to the nearest `among` (M, D), per value: divided by sqrt(D)."""
    least = [squared(windows[i : i + _CHUNK], among).min(axis=1) for i in range(0, len(windows), _CHUNK)]
    return np.asarray(np.sqrt(np.concatenate(least) / windows.shape[1]))
