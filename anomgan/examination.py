"""What a detector says of some windows, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """What the detector says of N windows; surprises are -log10 p, NaN where more than half of a window is missing.

    surprise, discriminator, reconstruction, pattern (N,) float64; logit (N,) the discriminator's output, high for real;
    expected, odd_expected, odd (N, C) in the channels' units, NaN for states, of which nothing is expected;
    contribution (N, C), 0 for states, rows sum to 1. course (N, C, 5) as in `course`, seconds and units instead of rows
    and scaled values; beyond (N,) whether any channel has one.
    """

    surprise: Floats
    discriminator: Floats
    reconstruction: Floats
    pattern: Floats
    logit: Floats
    expected: NDArray[np.float32]
    contribution: NDArray[np.float32]
    odd: NDArray[np.float32]
    odd_expected: NDArray[np.float32]
    course: NDArray[np.float32]
    beyond: NDArray[np.bool_]


def blank(count: int, channels: int) -> Examination:
    """What is said of `count` windows of which nothing is known."""
    each, rows = np.full(count, np.nan), np.full((count, channels), np.nan, np.float32)
    course = np.full((count, channels, 5), np.nan, np.float32)
    return Examination(each, each, each, each, each, rows, rows, rows, rows, course, np.zeros(count, np.bool_))
