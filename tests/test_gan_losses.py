"""The losses against the papers' formulas written again in numpy, the penalty against finite differences."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomgan.config import LossName
from anomgan.gan.losses import LOSSES, gradient_penalty

Logits = NDArray[np.float64]
RNG = np.random.default_rng(0)
REAL, FAKE = 3 * RNG.normal(size=50), 3 * RNG.normal(size=50)


def sigmoid(x: Logits) -> Logits:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


ORACLE: dict[str, tuple[Callable[[Logits, Logits], float], Callable[[Logits], float]]] = {
    "hinge": (
        lambda r, f: float(np.mean(np.maximum(0, 1 - r)) + np.mean(np.maximum(0, 1 + f))),
        lambda f: float(-np.mean(f)),
    ),
    "wgan-gp": (lambda r, f: float(np.mean(f) - np.mean(r)), lambda f: float(-np.mean(f))),
    "non-saturating": (
        lambda r, f: float(-np.mean(np.log(sigmoid(r))) - np.mean(np.log(1 - sigmoid(f)))),
        lambda f: float(-np.mean(np.log(sigmoid(f)))),
    ),
    "minimax": (
        lambda r, f: float(-np.mean(np.log(sigmoid(r))) - np.mean(np.log(1 - sigmoid(f)))),
        lambda f: float(np.mean(np.log(1 - sigmoid(f)))),
    ),
    "least-squares": (
        lambda r, f: float(0.5 * np.mean((r - 1) ** 2) + 0.5 * np.mean((f + 1) ** 2)),
        lambda f: float(0.5 * np.mean(f**2)),
    ),
}


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_loss_is_its_formula(name: LossName) -> None:
    loss, (discriminator, generator) = LOSSES[name], ORACLE[name]
    real, fake = torch.from_numpy(REAL), torch.from_numpy(FAKE)
    assert loss.discriminator(real, fake).item() == pytest.approx(discriminator(REAL, FAKE))
    assert loss.generator(fake).item() == pytest.approx(generator(FAKE))


@pytest.mark.parametrize("name", list(LOSSES))
def test_the_discriminator_gains_by_telling_apart_and_the_generator_by_deceiving(name: LossName) -> None:
    loss = LOSSES[name]
    high, low = torch.full((4,), 3.0), torch.full((4,), -3.0)
    assert loss.discriminator(high, low) < loss.discriminator(low, high)
    undecided = torch.zeros(4)
    assert loss.generator(undecided) < loss.generator(low)
    if name != "least-squares":  # there the generator wants no more than that the discriminator cannot tell
        assert loss.generator(high) < loss.generator(undecided)


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("size", [1e3, 1e30])
def test_immense_logits_give_finite_losses_and_gradients(name: LossName, size: float) -> None:
    real = torch.tensor([size, -size], requires_grad=True)
    fake = torch.tensor([-size, size], requires_grad=True)
    if name == "least-squares" and size > 1e15:
        pytest.skip("a square beyond 32 bits is infinite; training says that it diverged")
    total = LOSSES[name].discriminator(real, fake) + LOSSES[name].generator(fake)
    torch.autograd.backward(total)
    assert torch.isfinite(total)
    for logit in (real, fake):
        assert logit.grad is not None
        assert torch.isfinite(logit.grad).all()


def test_the_critic_alone_pays_a_gradient_penalty_of_its_own() -> None:
    assert {name for name, loss in LOSSES.items() if loss.penalty > 0} == {"wgan-gp"}


def critic(x: Tensor) -> Tensor:
    """A smooth critic with a slope that differs from place to place."""
    weight = torch.linspace(-1, 1, x[0].numel(), dtype=x.dtype).view_as(x[0])
    return (x.sin() * weight + 0.1 * x.square()).sum((1, 2))


def test_the_gradient_penalty_is_that_of_finite_differences() -> None:
    real, fake = torch.randn(4, 2, 3, dtype=torch.float64), torch.randn(4, 2, 3, dtype=torch.float64)
    mix = torch.rand(4, 1, 1, dtype=torch.float64)
    between, eps = mix * real + (1 - mix) * fake, 1e-6
    expected = []
    for x in between:
        slope = []
        for k in range(x.numel()):
            nudge = torch.zeros(x.numel(), dtype=torch.float64)
            nudge[k] = eps
            up, down = x + nudge.view_as(x), x - nudge.view_as(x)
            slope.append(((critic(up[None]) - critic(down[None])) / (2 * eps)).item())
        expected.append((np.linalg.norm(slope) - 1.0) ** 2)
    assert gradient_penalty(critic, real, fake, mix).item() == pytest.approx(np.mean(expected), rel=1e-6)


def test_a_critic_of_slope_one_pays_no_penalty() -> None:
    def straight(x: Tensor) -> Tensor:
        return x[:, 0, 0]

    real, fake, mix = torch.randn(4, 2, 3), torch.randn(4, 2, 3), torch.rand(4, 1, 1)
    assert gradient_penalty(straight, real, fake, mix).item() == pytest.approx(0.0, abs=1e-12)


def test_the_penalty_pulls_on_the_critic_and_not_on_the_windows() -> None:
    slope = torch.tensor(3.0, requires_grad=True)
    real = torch.randn(4, 2, 3, requires_grad=True)
    penalty = gradient_penalty(lambda x: slope * x[:, 0, 0], real, torch.randn(4, 2, 3), torch.rand(4, 1, 1))
    torch.autograd.backward(penalty)
    assert slope.grad is not None
    assert slope.grad.item() == pytest.approx(4.0)  # d (s - 1)² / ds at 3
    assert real.grad is None


def test_a_flat_critic_has_a_finite_penalty_gradient() -> None:
    """‖0‖ has no slope in exact arithmetic: a critic that is flat somewhere must not turn the weights into NaN."""
    slope = torch.tensor(0.0, requires_grad=True)
    windows = torch.randn(4, 2, 3)
    penalty = gradient_penalty(lambda x: slope * x.sum((1, 2)), windows, windows, torch.rand(4, 1, 1))
    torch.autograd.backward(penalty)
    assert slope.grad is not None
    assert torch.isfinite(slope.grad)
