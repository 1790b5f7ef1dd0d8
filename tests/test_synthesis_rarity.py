"""How rare windows are: rare modes are far from their neighbours, and a window is not its own shadow's."""

import numpy as np
from numpy.typing import NDArray

from anomgan.synthesis.rarity import NEIGHBOURS, rarity

LENGTH = 8


def windows(levels: list[float], seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    noise = 0.1 * rng.standard_normal((len(levels), 2, LENGTH))
    return (np.array(levels)[:, None, None] + noise).astype(np.float32)


def naive(several: NDArray[np.float32], at: NDArray[np.int64]) -> list[float]:
    told = []
    for n, one in enumerate(several):
        others = [
            float(np.sqrt(np.mean((one.astype(float) - other.astype(float)) ** 2)))
            for m, other in enumerate(several)
            if abs(int(at[m]) - int(at[n])) >= LENGTH
        ]
        told.append(sorted(others)[min(NEIGHBOURS, len(others)) - 1] if others else 0.0)
    return told


def test_it_is_the_distance_of_the_fifth_neighbour_that_shares_no_rows() -> None:
    several, at = windows([0.0] * 30 + [1.0] * 10), np.arange(0, 120, 3)
    np.testing.assert_allclose(rarity(several, at), naive(several, at), atol=1e-6)


def test_windows_of_a_mode_with_few_of_them_are_rarer() -> None:
    several, at = windows([0.0] * 200 + [3.0] * 3), LENGTH * np.arange(203)
    found = rarity(several, at)
    assert found[200:].min() > 5.0 * found[:200].max()


def test_where_all_windows_share_rows_none_is_rare() -> None:
    np.testing.assert_array_equal(rarity(windows([0.0] * 5), np.arange(5)), 0.0)
    np.testing.assert_array_equal(rarity(windows([0.0]), np.arange(1)), 0.0)
