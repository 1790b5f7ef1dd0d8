"""Generator, Encoder, Discriminator: what they are whatever their architecture.

An architecture gives each of them a body; ARCHITECTURES names them. What stands around the body is here: how a latent
is bounded, what the generator can reach, what the discriminator's logit is read off and how conditions come in.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from anomgan.config import ArchitectureName
from anomgan.gan.conv import ConvDiscriminator, ConvEncoder, ConvGenerator
from anomgan.gan.hide import nearness
from anomgan.gan.mlp import MlpDiscriminator, MlpEncoder, MlpGenerator
from anomgan.gan.progressive import ProgressiveDiscriminator, ProgressiveEncoder, ProgressiveGenerator
from anomgan.gan.pyramid import PyramidDiscriminator, PyramidEncoder, PyramidGenerator
from anomgan.gan.shape import KERNEL, SLOPE, Shape


@dataclass(frozen=True, slots=True)
class Architecture:
    """The bodies of three networks, made from their sizes.

    encoder: (B, C or 2C, L) -> anything of 2W L/8 numbers; generator: (B, Z + K) -> (B, C, L), unbounded;
    discriminator: (B, C, L) -> activations of the sizes of `Shape.layers`, and logits (B,) of its own, if any. A body
    with a buffer called `grown` is told how much of its growth is done, 0 to 1 (`grow`).
    """

    encoder: Callable[[Shape], nn.Module]
    generator: Callable[[Shape], nn.Module]
    discriminator: Callable[..., nn.Module]


ARCHITECTURES: dict[ArchitectureName, Architecture] = {
    "mlp": Architecture(MlpEncoder, MlpGenerator, MlpDiscriminator),
    "conv": Architecture(ConvEncoder, ConvGenerator, ConvDiscriminator),
    "pyramid": Architecture(PyramidEncoder, PyramidGenerator, PyramidDiscriminator),
    "progressive": Architecture(ProgressiveEncoder, ProgressiveGenerator, ProgressiveDiscriminator),
}


class Encoder(nn.Module):
    """Window (B, C, L), conditions (B, K) -> latent (B, Z) in (-1, 1), the range that the generator was trained on.

    Where the shape hides cells, the window comes with where it is known, (B, 2C, L) by `shown`, and the latent is one
    of many: the same noise (B, Z) gives the same one, none gives the middle one.
    """

    def __init__(self, shape: Shape, architecture: ArchitectureName = "conv") -> None:
        super().__init__()
        self.hiding = shape.hiding
        self.body = ARCHITECTURES[architecture].encoder(shape)
        inputs = shape.deep * shape.window // 8 + shape.conditions
        self.head = nn.Linear(inputs, shape.latent * (2 if shape.hiding else 1))

    def forward(self, x: Tensor, y: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        """x (B, C or 2C, L), y (B, K), noise (B, Z) -> z (B, Z)."""
        h = self.body(x).flatten(1)
        h = self.head(h if y is None or y.shape[1] == 0 else torch.cat([h, y], 1))
        if self.hiding:
            h, log_spread = h.chunk(2, 1)  # (B, Z) each
            if noise is not None:
                h = h + log_spread.clamp(max=2.0).exp() * noise
        return torch.tanh(h)


class Generator(nn.Module):
    """Latent (B, Z) and conditions (B, K) -> window (B, C, L) within centre ± reach, each (C, 1).

    It cannot make what no normal window reaches. Without such a bound it carries on along a line into levels that it
    never saw, and rebuilds a fault as faithfully as a normal window.

    A latent of a few numbers cannot say what every single row is. So where the shape hides cells, a window has a level
    and a slope of its own, to which the body adds the rest, and it is finished beside two things: noise of its own for
    every cell, the grain (Karras et al. 2019, "A style-based generator architecture", section 3.2), and the line
    through the cells that are shown, of which it keeps as much as it trusts (a gate as in Srivastava et al. 2015,
    "Highway networks", eq. 2). What is added then is counted in the channel's usual step from row to row, `fine`, which
    may be a thousandth of its reach.
    """

    centre: Tensor
    reach: Tensor
    fine: Tensor

    def __init__(self, shape: Shape, architecture: ArchitectureName = "conv") -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("centre", torch.zeros(shape.channels, 1))
        self.register_buffer("reach", torch.ones(shape.channels, 1))
        self.body = ARCHITECTURES[architecture].generator(shape)
        self.finish = _finish(shape) if shape.hiding else None
        self.level = nn.Linear(shape.given, 2 * shape.channels) if shape.hiding else None
        if shape.hiding:
            self.register_buffer("fine", torch.ones(shape.scales, shape.channels))

    def forward(
        self, z: Tensor, y: Tensor | None = None, grain: Tensor | None = None, seen: Tensor | None = None
    ) -> Tensor:
        """z (B, Z), y (B, K), grain (B, C, L) of standard normal noise, seen (B, 2C, L) -> x (B, C, L).

        No grain is a flat one, and where nothing is seen, nothing is shown.
        """
        z = z if y is None or y.shape[1] == 0 else torch.cat([z, y], 1)
        h = self.body(z)
        if self.finish is None or self.level is None:
            return self._bounded(h)
        level, slope = self.level(z)[:, :, None].chunk(2, 1)  # (B, C, 1) each
        x = self._bounded(h + level + slope * torch.linspace(-1.0, 1.0, h.shape[2], device=h.device))
        flat, unit = torch.zeros_like(x), self.unit(y)
        line, known = (flat, flat) if seen is None else seen.chunk(2, 1)  # (B, C, L) each
        steps = functional.pad(torch.asinh(line.diff(dim=2) / unit), (1, 0))
        beside = [x, flat if grain is None else grain, line, known, steps, nearness(known > 0)]
        added, trust = self.finish(torch.cat(beside, 1)).chunk(2, 1)
        x = x + torch.sigmoid(trust) * known.amax(2, keepdim=True) * (line - x) + unit * added
        return torch.clamp(x, self.centre - self.reach, self.centre + self.reach)

    def unit(self, y: Tensor | None) -> Tensor:
        """(B or 1, C, 1) how far a channel's rows usually are from the next, at the scale that y (B, K) tells."""
        if self.shape.scales == 1 or y is None:
            return self.fine[:1, :, None]
        return (y[:, -self.shape.scales :] @ self.fine)[:, :, None]

    def _bounded(self, h: Tensor) -> Tensor:
        """(B, C, L) within the reach."""
        x: Tensor = self.centre + self.reach * torch.tanh(h / self.reach)
        return x


class Discriminator(nn.Module):
    """Window (B, C, L) -> logits (B, H), high for real, and activations (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8).

    Spectral normalisation (Miyato et al. 2018, eq. 8) bounds each layer's Lipschitz constant. The first logit is read
    off the last block's activations averaged over the window, beside those of its newest end; others are the body's
    own. Conditions come in by projection (Miyato & Koyama 2018, eq. 3).
    """

    usual: Tensor

    def __init__(self, shape: Shape, architecture: ArchitectureName = "conv", *, normalised: bool) -> None:
        super().__init__()
        self.body = ARCHITECTURES[architecture].discriminator(shape, normalised=normalised)
        head = nn.Linear(shape.features + shape.statistics, 1)
        self.head = spectral_norm(head) if normalised else head
        self.project: nn.Module | None = None
        if shape.conditions:
            project = nn.Linear(shape.conditions, shape.features, bias=False)
            self.project = spectral_norm(project) if normalised else project
        self.statistics = shape.statistics
        if shape.statistics:
            self.register_buffer("usual", torch.zeros(()))

    def forward(self, x: Tensor, y: Tensor | None = None, groups: int = 1) -> tuple[Tensor, tuple[Tensor, ...]]:
        """x (B, C, L), y (B, K) -> logits (B, H), activations from the shallowest to the deepest.

        With minibatch statistics (Karras et al. 2018, section 3) a window is judged beside those of its group, one of
        `groups` equal parts of the batch; once trained, alone: beside what batches of real windows usually are.
        """
        layers, others = self.body(x)
        features = _features(layers)
        seen = torch.cat([features, self._variation(features, groups)], 1) if self.statistics else features
        logit = self.head(seen)  # (B, 1)
        if self.project is not None and y is not None:
            logit = logit + (self.project(y) * features).sum(1, keepdim=True)
        return torch.cat([logit, *(other[:, None] for other in others)], 1), layers

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """From now on a window is judged as if it stood beside these real ones (N, C, L)."""
        if self.statistics:
            layers, _ = self.body(x)
            self.usual.copy_(self._variation(_features(layers), 1)[0, 0])

    def _variation(self, features: Tensor, groups: int) -> Tensor:
        """(B, 1) the mean standard deviation of the features (B, F) over the window's group."""
        if not self.training:
            return self.usual.expand(len(features), 1)
        parts = features.view(groups, -1, features.shape[1])  # (groups, B / groups, F)
        spread = (parts.var(1, correction=0) + 1e-8).sqrt().mean(1)  # (groups,)
        return spread.repeat_interleave(parts.shape[1])[:, None]


@dataclass(slots=True)
class Networks:
    """The three networks that are kept."""

    shape: Shape
    generator: Generator
    encoder: Encoder
    discriminator: Discriminator


def fold_spectral_norm(module: nn.Module) -> None:
    """Bake the normalised weights in, in place: scoring then computes no norms and files hold plain tensors."""
    for layer in module.modules():
        if nn.utils.parametrize.is_parametrized(layer):
            nn.utils.parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def grow(module: nn.Module, share: float) -> bool:
    """Tell the bodies that grow how much of it is done, 0 to 1; whether there is one."""
    growing = [buffer for name, buffer in module.named_buffers() if name.rpartition(".")[2] == "grown"]
    for buffer in growing:
        buffer.fill_(share)
    return bool(growing)


def _features(layers: tuple[Tensor, ...]) -> Tensor:
    """(B, F) the last activations averaged over the window, beside those of its newest end."""
    return torch.cat([layers[-1].mean(2), layers[-1][:, :, -1]], 1)


def _finish(shape: Shape) -> nn.Module:
    """A window, its grain, the line through what is shown, where it is shown, the line's steps and how near that is
    (B, 6C, L) -> what is to be added to the window, and how far the line is to be trusted (B, 2C, L)."""

    def wide(inputs: int, outputs: int, apart: int) -> nn.Module:
        return nn.Conv1d(inputs, outputs, KERNEL, padding=apart * (KERNEL // 2), dilation=apart)

    middle = 3 * shape.width
    return nn.Sequential(
        wide(6 * shape.channels, middle, 1),
        nn.LeakyReLU(SLOPE),
        wide(middle, middle, 3),
        nn.LeakyReLU(SLOPE),
        wide(middle, 2 * shape.channels, 1),
    )
