"""The discriminator's private update: what a single real window can move, and that noise hides it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomgan.config import ArchitectureName, SynthesizerConfig
from anomgan.gan.losses import LOSSES
from anomgan.gan.networks import ARCHITECTURES, Discriminator, Networks
from anomgan.gan.private import Private
from anomgan.gan.shape import Shape
from anomgan.gan.train import Normal, train

SHAPE = Shape(channels=2, window=16, latent=3, width=4, hiding=True)
EXPECTED = 4.0
CPU = torch.device("cpu")
LOSS = LOSSES["non-saturating"]


def windows(count: int, seed: int, loudness: float = 1.0) -> Tensor:
    return loudness * torch.randn(count, 2, 16, generator=torch.Generator().manual_seed(seed))


def judge(architecture: ArchitectureName = "conv") -> Discriminator:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        return Discriminator(SHAPE, architecture, normalised=False)


def drawing(x: Tensor) -> Callable[[], tuple[Tensor, Tensor]]:
    return lambda: (x, x.new_empty(len(x), 0))


def moved(
    real: Tensor, most: float, noise: float = 0.0, seed: int = 1, architecture: ArchitectureName = "conv"
) -> Tensor:
    """By how much one update with a learning rate of 1 and these real windows moves the weights, times the expected
    number of windows: the sum of clipped gradients."""
    discriminator = judge(architecture)
    before = nn.utils.parameters_to_vector(discriminator.parameters()).detach().clone()
    private = Private(drawing(real), EXPECTED, noise, most, seed)
    private.guard(discriminator, torch.optim.SGD(discriminator.parameters(), lr=1.0), normalised=False)
    x, _ = private.real(CPU)
    logit = discriminator(torch.cat([x, windows(6, 99)]))[0]
    torch.autograd.backward(LOSS.discriminator(logit[: len(x)], logit[len(x) :]))
    private.step()
    return EXPECTED * (before - nn.utils.parameters_to_vector(discriminator.parameters()).detach())


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
@pytest.mark.parametrize("others", [0, 1, 5])
def test_one_window_moves_the_sum_of_gradients_by_no_more_than_the_clip(
    architecture: ArchitectureName, others: int
) -> None:
    rest, one = windows(others, 3), windows(1, 4, loudness=50.0)
    for most in (0.01, 0.5):
        without, with_it = (moved(x, most, architecture=architecture) for x in (rest, torch.cat([rest, one])))
        assert 0.9 * most < (with_it - without).norm() <= most * (1.0 + 1e-3)
    free = [moved(x, 1e9, architecture=architecture) for x in (rest, torch.cat([rest, one]))]
    assert (free[1] - free[0]).norm() > 1.0  # it would have moved them more


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_without_a_clip_that_bites_the_update_is_that_of_the_loss(architecture: ArchitectureName) -> None:
    real, fake, discriminator = windows(int(EXPECTED), 3), windows(6, 99), judge(architecture)
    logit = discriminator(torch.cat([real, fake]))[0]
    torch.autograd.backward(LOSS.discriminator(logit[: len(real)], logit[len(real) :]))
    slope = torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in discriminator.parameters()]
    )
    torch.testing.assert_close(moved(real, 1e9, architecture=architecture), EXPECTED * slope, atol=1e-5, rtol=1e-4)


def test_how_many_windows_were_drawn_scales_nothing() -> None:
    """A sum over three windows and three others is the sum over all six; generated ones are the same in all."""
    none, first, second, both = (
        moved(x, 0.1) for x in (windows(0, 1), windows(3, 5), windows(3, 6), torch.cat([windows(3, 5), windows(3, 6)]))
    )
    torch.testing.assert_close(first + second - none, both, atol=1e-5, rtol=1e-3)


def test_the_noise_is_as_loud_as_it_is_said_and_the_secret_seed_s() -> None:
    calm = moved(windows(3, 5), 0.5)
    first, again, other = (moved(windows(3, 5), 0.5, noise=8.0, seed=seed) - calm for seed in (1, 1, 2))
    assert first.std() == pytest.approx(8.0 * 0.5, rel=0.1)
    assert abs(first.mean()) < 0.5
    assert torch.equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


def test_after_an_update_the_discriminator_is_plain_and_its_layers_have_a_norm_of_one() -> None:
    discriminator = judge()
    private = Private(drawing(windows(3, 5)), EXPECTED, 1.0, 1.0, 1)
    private.guard(discriminator, torch.optim.SGD(discriminator.parameters(), lr=0.01), normalised=True)
    for _ in range(5):
        x, _ = private.real(CPU)
        torch.autograd.backward(discriminator(torch.cat([x, windows(6, 99)]))[0].mean())
        private.step()
    assert private.updates == 5
    for layer in discriminator.modules():
        assert not layer._forward_hooks
        assert not layer._backward_hooks
        if isinstance(layer, nn.Conv1d | nn.Linear):
            assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) == pytest.approx(1.0, abs=0.1)
    torch.autograd.backward(discriminator(windows(2, 8))[0].mean())
    assert all(not hasattr(p, "grad_sample") for p in discriminator.parameters())


def play(real: Tensor, most: float, noise: float = 0.0, architecture: ArchitectureName = "conv") -> Networks:
    config = SynthesizerConfig(latent=3, width=4, batch=4, device="cpu", architecture=architecture)
    reach = np.array([[-3.0, -3.0], [3.0, 3.0]], np.float32)

    def stand_in(dice: np.random.Generator, count: int) -> Normal:
        return Normal.unconditioned(dice.standard_normal((count, 2, 16)).astype(np.float32))

    private = Private(drawing(real), EXPECTED, noise, most, 1)
    held = stand_in(np.random.default_rng(5), 8)
    return train(stand_in, held, reach, SHAPE, config, 12, private=private).networks


def weights(network: nn.Module) -> Tensor:
    return torch.cat([p.flatten() for p in network.parameters()])


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_only_the_discriminator_is_shown_real_windows(architecture: ArchitectureName) -> None:
    """Where its gradients of them are clipped to nothing, whatever they are changes not a bit of the generator."""
    first, second = (play(x, 1e-30, architecture=architecture) for x in (windows(4, 1), windows(4, 2, loudness=30.0)))
    assert torch.equal(weights(first.generator), weights(second.generator))
    assert torch.equal(weights(first.encoder), weights(second.encoder))
    other = play(windows(4, 2, loudness=30.0), 1.0, architecture=architecture)
    assert not torch.equal(weights(first.discriminator), weights(other.discriminator))
    assert not torch.equal(weights(first.generator), weights(other.generator))
