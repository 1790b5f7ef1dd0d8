"""The energy score: smallest for the right distribution, and for nothing else."""

import pytest
import torch
from torch import Tensor

from anomgan.gan.attempts import energy_score

MANY, CHANNELS, LENGTH = 20_000, 2, 6
MIX = torch.randn(CHANNELS, CHANNELS, generator=torch.Generator().manual_seed(5))
UNIT = torch.ones(1, CHANNELS, 1)


def noise(seed: int, scale: float = 1.0, level: float = 0.0, together: float = 0.0, smooth: float = 0.0) -> Tensor:
    """Windows of Gaussian noise; `together` of it is common to the channels, `smooth` of it to the rows."""
    dice = torch.Generator().manual_seed(seed)
    own = torch.randn(MANY, CHANNELS, LENGTH, generator=dice)
    common = torch.randn(MANY, 1, LENGTH, generator=dice)
    slow = torch.randn(MANY, CHANNELS, 1, generator=dice)
    rest = 1.0 - together - smooth
    return level + scale * (together**0.5 * common + smooth**0.5 * slow + rest**0.5 * own)


def score(truth: dict[str, float], told: dict[str, float]) -> float:
    return energy_score(noise(1, **told), noise(2, **told), noise(3, **truth), MIX, UNIT).item()


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": 0.3},
        {"scale": 0.5},
        {"scale": 1.6},
        {"scale": 0.01},
        {"together": 0.8},
        {"smooth": 0.8},
    ],
)
def test_any_wrong_distribution_scores_worse_than_the_right_one(wrong: dict[str, float]) -> None:
    assert score({}, wrong) > score({}, {}) + 0.003
    assert score(wrong, {}) > score(wrong, wrong) + 0.003


def test_draws_that_are_all_alike_in_the_middle_score_worse_though_their_error_is_less() -> None:
    truth, middle = noise(3), torch.zeros(MANY, CHANNELS, LENGTH)
    assert (middle - truth).abs().mean() < (noise(1) - truth).abs().mean()
    assert energy_score(middle, middle, truth, MIX, UNIT) > energy_score(noise(1), noise(2), truth, MIX, UNIT)


def test_the_truth_told_for_certain_scores_nothing_and_has_a_slope() -> None:
    x = noise(3)[:50]
    told = x.clone().requires_grad_(True)
    found = energy_score(told, x, x, MIX, UNIT)
    assert found.item() == pytest.approx(0.0, abs=1e-5)
    torch.autograd.backward(found)
    assert told.grad is not None
    assert torch.isfinite(told.grad).all()
