"""The adversarial losses: one formula per function, on logits of real and of generated windows.

`discriminator` losses take real (B,) and fake (B,) logits; `generator` losses take fake (B,) logits. All return a
scalar to minimise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anomgan.config import LossName


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))). Lim & Ye 2017, "Geometric GAN"; Miyato et al. 2018, eq. 16."""
    return functional.relu(1.0 - real).mean() + functional.relu(1.0 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """-E D(G(z)). Miyato et al. 2018, eq. 17."""
    return -fake.mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E D(G(z)) - E D(x), without its penalty. Gulrajani et al. 2017, eq. 3, first two terms."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E D(G(z)). Arjovsky et al. 2017, "Wasserstein GAN"."""
    return -fake.mean()


def non_saturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E log σ(D(x)) - E log(1 - σ(D(G(z)))). Goodfellow et al. 2014, eq. 1."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """-E log σ(D(G(z))). Goodfellow et al. 2014, section 3."""
    return functional.softplus(-fake).mean()


def minimax_generator(fake: Tensor) -> Tensor:
    """E log(1 - σ(D(G(z)))): what the discriminator loses is what the generator wins. Goodfellow et al. 2014, eq. 1.

    Its slope dies where the discriminator is sure; section 3 there says why `non_saturating_generator` is better.
    """
    return -functional.softplus(fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E (D(x) - 1)² / 2 + E (D(G(z)) + 1)² / 2. Mao et al. 2017, "Least squares GAN", eq. 8: a = -1, b = 1."""
    return 0.5 * (real - 1.0).square().mean() + 0.5 * (fake + 1.0).square().mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """E D(G(z))² / 2. Mao et al. 2017, eq. 8: c = 0."""
    return 0.5 * fake.square().mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """E (‖∇D(x̂)‖ - 1)² at x̂ = mix·x + (1 - mix)·G(z), mix (B, 1, 1) uniform. Gulrajani et al. 2017, eq. 3."""
    between = (mix * real + (1.0 - mix) * fake).detach().requires_grad_(True)  # (B, C, L)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    steepness = torch.linalg.vector_norm(slope.flatten(1), dim=1)  # (B,); unlike a square root it has a slope at 0
    penalty: Tensor = (steepness - 1.0).square().mean()
    return penalty


@dataclass(frozen=True, slots=True)
class AdversarialLoss:
    """A pair of losses and the weight of the gradient penalty that belongs to them (0 = none)."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    penalty: float = 0.0


LOSSES: dict[LossName, AdversarialLoss] = {
    "non-saturating": AdversarialLoss(non_saturating_discriminator, non_saturating_generator),
    "minimax": AdversarialLoss(non_saturating_discriminator, minimax_generator),
    "least-squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "hinge": AdversarialLoss(hinge_discriminator, hinge_generator),
    "wgan-gp": AdversarialLoss(wasserstein_discriminator, wasserstein_generator, penalty=10.0),
}
