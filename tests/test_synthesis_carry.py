"""Errors carried over from known to hidden cells: the expected path of an autoregressive process."""

import numpy as np
import pytest
import torch
from torch import Tensor

from anomgan.synthesis.carry import FAR, Carry, carried, farness, with_carry

LENGTH = 12


def naive_carried(error: list[float], known: list[bool], memory: float) -> list[float]:
    """The conditional mean of a stationary Gaussian process with covariance memory^|i - j|, given the known cells."""
    at = [i for i, there in enumerate(known) if there]
    if not at:
        return [0.0] * len(error)
    index = np.arange(len(error))
    whole = memory ** np.abs(index[:, None] - index[None, :]).astype(float)
    told = whole[:, at] @ np.linalg.solve(whole[np.ix_(at, at)], np.array([error[i] for i in at]))
    return [float(value) for value in told]


def some_known(seed: int) -> tuple[Tensor, Tensor]:
    dice = torch.Generator().manual_seed(seed)
    known = torch.rand(6, 2, LENGTH, generator=dice) < 0.4
    return torch.randn(6, 2, LENGTH, generator=dice), known


@pytest.mark.parametrize("memory", [0.3, 0.8, 0.95])
def test_an_error_is_carried_as_an_autoregressive_process_expects(memory: float) -> None:
    error, known = some_known(3)
    told = carried(torch.where(known, error, 0.0), known, torch.full((2,), memory))
    for n in range(6):
        for c in range(2):
            wanted = naive_carried(error[n, c].tolist(), known[n, c].tolist(), memory)
            np.testing.assert_allclose(told[n, c], wanted, atol=1e-4)


def test_full_memory_draws_the_line_and_none_forgets_at_once() -> None:
    error, known = torch.tensor([[[2.0, 0.0, 0.0, 0.0, 6.0]]]), torch.tensor([[[True, False, False, False, True]]])
    np.testing.assert_allclose(carried(error, known, torch.ones(1))[0, 0], [2.0, 3.0, 4.0, 5.0, 6.0], atol=1e-3)
    np.testing.assert_allclose(carried(error, known, torch.zeros(1))[0, 0], [2.0, 0.0, 0.0, 0.0, 6.0], atol=1e-6)


def test_known_cells_are_kept_in_every_draw_and_draws_are_widened_by_distance() -> None:
    x, known = some_known(5)
    draws = torch.randn(9, 6, 2, LENGTH, generator=torch.Generator().manual_seed(1))
    widening = torch.arange(1.0, len(FAR) + 2).repeat(2, 1)
    plain = with_carry(Carry(torch.zeros(2), torch.zeros(2), torch.ones(2, len(FAR) + 1)), draws, x, known)
    wide = with_carry(Carry(torch.zeros(2), torch.zeros(2), widening), draws, x, known)
    torch.testing.assert_close(plain[:, known], x[known].expand(9, -1), rtol=0, atol=0)
    torch.testing.assert_close(plain[:, ~known], draws[:, ~known])
    middle = draws.median(0).values
    factor = farness(known) + 1.0
    torch.testing.assert_close(wide[:, ~known], (middle + factor * (draws - middle))[:, ~known])


def test_farness_is_the_distance_s_class() -> None:
    known = torch.zeros(1, 1, 40, dtype=torch.bool)
    known[0, 0, 0] = True
    steps = farness(known)[0, 0].tolist()
    assert [steps[far] for far in FAR] == list(range(len(FAR)))
    assert farness(torch.zeros_like(known))[0, 0].tolist() == [len(FAR)] * 40
