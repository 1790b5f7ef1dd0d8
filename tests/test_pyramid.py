"""The pyramid: block means written out with loops, anchored at the newest row."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from naive import naive_pyramid

from anomgan.pyramid import block_sizes, pyramid

WINDOWS = (2, 16, 24, 40, 64)


@pytest.mark.parametrize(
    ("window", "sizes"),
    [
        (2, (1,)),
        (3, (1,)),
        (4, (1, 2)),
        (6, (1, 2, 3)),
        (16, (1, 2, 4, 8)),
        (24, (1, 2, 4, 8, 12)),
        (40, (1, 2, 4, 8, 16, 20)),
        (64, (1, 2, 4, 8, 16, 32)),
    ],
)
def test_blocks_double_up_to_half_the_window(window: int, sizes: tuple[int, ...]) -> None:
    assert block_sizes(window) == sizes


@pytest.mark.parametrize("window", range(2, 130))
def test_block_sizes_rise_from_one_row_to_half_the_window_and_at_most_double(window: int) -> None:
    sizes = block_sizes(window)
    assert (sizes[0], sizes[-1]) == (1, window // 2)
    assert all(a < b <= 2 * a for a, b in pairwise(sizes))


@pytest.mark.parametrize("window", WINDOWS)
def test_every_number_is_the_mean_of_its_block(window: int) -> None:
    x = np.random.default_rng(window).normal(size=(5, 3, window))
    told = pyramid(torch.from_numpy(x))
    assert told.shape == (5, 3, 2 * len(block_sizes(window)))
    expected = [[naive_pyramid(channel) for channel in one] for one in x]
    np.testing.assert_allclose(told, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("window", WINDOWS)
def test_it_is_anchored_at_the_newest_row(window: int) -> None:
    """What lies before the blocks of a size cannot change them, and the newest row is in one block of each size."""
    x = torch.randn(1, 1, window, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = pyramid(x)[0, 0]
    for level, size in enumerate(block_sizes(window)):
        older = x.clone()
        older[:, :, : window - 2 * size] += 1.0
        assert torch.equal(pyramid(older)[0, 0, : 2 * level + 2], before[: 2 * level + 2])
    newest = x.clone()
    newest[:, :, -1] += 1.0
    assert (pyramid(newest)[0, 0] != before).tolist() == [False, True] * len(block_sizes(window))


@pytest.mark.parametrize("window", WINDOWS)
def test_every_row_of_the_window_tells(window: int) -> None:
    for row in range(window):
        x = torch.zeros(1, 1, window)
        x[0, 0, row] = 1.0
        assert pyramid(x).any()


def test_channels_and_windows_are_kept_apart() -> None:
    x = torch.zeros(3, 4, 16)
    x[1, 2] = 1.0
    told = pyramid(x)
    assert (told[1, 2] == 1).all()
    told[1, 2] = 0.0
    assert not told.any()
