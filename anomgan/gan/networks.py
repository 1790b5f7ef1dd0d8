"""Generator, Encoder, Discriminator: 1D convolutions over windows (B, C, L), L a multiple of 8.

Sizes stand in one dataclass. B batch, C channels, L window length, Z latent, W width, F features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

KERNEL = 5
SLOPE = 0.2


@dataclass(frozen=True, slots=True)
class Shape:
    """All sizes of the three networks; raises ValueError for a window that three halvings do not divide."""

    channels: int
    window: int
    latent: int
    width: int

    def __post_init__(self) -> None:
        if self.window < 16 or self.window % 8:
            raise ValueError(f"the window length must be a multiple of 8 from 16 up, not {self.window}")

    @property
    def deep(self) -> int:
        """Channels of the later blocks."""
        return 2 * self.width

    @property
    def features(self) -> int:
        """F, the length of the vector that the discriminator's logit is read off."""
        return 2 * self.deep


class Encoder(nn.Module):
    """Window (B, C, L) -> latent (B, Z) in (-1, 1): the latent cannot leave the range the generator was trained on."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            _down(shape.channels, shape.width),
            _down(shape.width, shape.deep),
            _down(shape.deep, shape.deep),
        )
        self.head = nn.Linear(shape.deep * shape.window // 8, shape.latent)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, L) -> z (B, Z)."""
        h = self.blocks(x)  # (B, 2W, L/8)
        z: Tensor = torch.tanh(self.head(h.flatten(1)))  # (B, Z)
        return z


class Generator(nn.Module):
    """Latent (B, Z) -> window (B, C, L) within centre ± reach, each (C, 1).

    It cannot make what no normal window reaches. Without such a bound it carries on along a line into levels that it
    never saw, and rebuilds a fault as faithfully as a normal window.
    """

    centre: Tensor
    reach: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("centre", torch.zeros(shape.channels, 1))
        self.register_buffer("reach", torch.ones(shape.channels, 1))
        self.stem = nn.Linear(shape.latent, shape.deep * shape.window // 8)
        self.blocks = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            _up(shape.deep, shape.deep),
            nn.LeakyReLU(SLOPE),
            _up(shape.deep, shape.width),
            nn.LeakyReLU(SLOPE),
            _up(shape.width, shape.channels),
        )

    def forward(self, z: Tensor) -> Tensor:
        """z (B, Z) -> x (B, C, L)."""
        h = self.stem(z).view(-1, self.shape.deep, self.shape.window // 8)  # (B, 2W, L/8)
        x: Tensor = self.centre + self.reach * torch.tanh(self.blocks(h) / self.reach)  # (B, C, L)
        return x


class Discriminator(nn.Module):
    """Window (B, C, L) -> logit (B,), high for real, and activations (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8).

    Spectral normalisation (Miyato et al. 2018, eq. 8) bounds each layer's Lipschitz constant. The logit is read off the
    last block's activations averaged over the window, beside those of its newest end.
    """

    def __init__(self, shape: Shape, *, normalised: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                _down(shape.channels, shape.width, normalised),
                _down(shape.width, shape.deep, normalised),
                _down(shape.deep, shape.deep, normalised),
            ]
        )
        head = nn.Linear(shape.features, 1)
        self.head = spectral_norm(head) if normalised else head

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """x (B, C, L) -> logit (B,), activations from the shallowest to the deepest."""
        layers = []
        for block in self.blocks:
            x = block(x)
            layers.append(x)
        features = torch.cat([x.mean(2), x[:, :, -1]], 1)  # (B, F)
        return self.head(features).squeeze(1), tuple(layers)


def fold_spectral_norm(module: nn.Module) -> None:
    """Bake the normalised weights in, in place: scoring then computes no norms and files hold plain tensors."""
    for layer in module.modules():
        if nn.utils.parametrize.is_parametrized(layer):
            nn.utils.parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _down(inputs: int, outputs: int, normalised: bool = False) -> nn.Module:
    """Halve the length: (B, inputs, L) -> (B, outputs, L/2)."""
    conv = nn.Conv1d(inputs, outputs, KERNEL, stride=2, padding=KERNEL // 2)
    return nn.Sequential(spectral_norm(conv) if normalised else conv, nn.LeakyReLU(SLOPE))


def _up(inputs: int, outputs: int) -> nn.Module:
    """Double the length: (B, inputs, L) -> (B, outputs, 2L)."""
    return nn.ConvTranspose1d(inputs, outputs, 4, stride=2, padding=1)
