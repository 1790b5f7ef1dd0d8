"""Architecture `pyramid`: windows as Laplacian pyramids, the coarse trend first, then a band at each finer level.

Denton et al. 2015, "Deep generative image models using a Laplacian pyramid of adversarial networks", eq. 1 to 5. With
d halving a window and u doubling it, level k of a window is I_k = d(I_{k-1}) and its band h_k = I_k - u(I_{k+1}).
The generator makes the coarsest level, then each band of a latent of its own and of what it has made so far:
I_k = u(I_{k+1}) + G_k(z_k, u(I_{k+1})). A critic of each level judges bands beside the coarse level that they lie on.
Unlike there, the levels are trained together, so that each learns to go with what the coarser ones make.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from anomgan.gan.conv import down, evenly_scaled
from anomgan.gan.shape import KERNEL, SLOPE, Shape

BANDS = 3
"""the coarsest level is three halvings down"""


def halve(x: Tensor) -> Tensor:
    """d: (B, C, L) -> (B, C, L/2), means of two."""
    return functional.avg_pool1d(x, 2)


def double(x: Tensor) -> Tensor:
    """u: (B, C, L) -> (B, C, 2L), on a line."""
    return functional.interpolate(x, scale_factor=2.0, mode="linear")


def laplacian(x: Tensor) -> list[Tensor]:
    """Window (B, C, L) -> bands (B, C, L), (B, C, L/2), (B, C, L/4), and the coarsest level (B, C, L/8)."""
    parts = []
    for _ in range(BANDS):
        coarse = halve(x)
        parts.append(x - double(coarse))
        x = coarse
    return [*parts, x]


def levels_of(parts: list[Tensor]) -> list[Tensor]:
    """The inverse of `laplacian`: bands and coarsest level -> levels, the window (B, C, L) first."""
    levels = [parts[-1]]
    for band in reversed(parts[:-1]):
        levels.insert(0, band + double(levels[0]))
    return levels


class PyramidEncoder(nn.Module):
    """Seen window (B, C or 2C, L) -> (B, 2W, L/8)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.descent = _Descent(shape.seen, shape, normalised=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C or 2C, L) -> (B, 2W, L/8)."""
        h: Tensor = self.descent(laplacian(x))[-1]
        return h


class PyramidGenerator(nn.Module):
    """Latent and conditions (B, Z + K) -> window (B, C, L), unbounded; each level has its share of the latent."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        shares = [len(share) for share in torch.arange(shape.latent).tensor_split(BANDS + 1)]  # the coarsest first
        coarse = shape.window >> BANDS
        self.coarse = nn.Sequential(
            nn.Linear(shares[0] + shape.conditions, shape.deep * coarse),
            nn.LeakyReLU(SLOPE),
            nn.Unflatten(1, (shape.deep, coarse)),
            nn.Conv1d(shape.deep, shape.width, KERNEL, padding=KERNEL // 2),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(shape.width, shape.channels, KERNEL, padding=KERNEL // 2),
        )
        self.bands = nn.ModuleList(
            [_Band(share + shape.conditions, shape, coarse << (i + 1)) for i, share in enumerate(shares[1:])]
        )
        evenly_scaled(self)

    def forward(self, z: Tensor) -> Tensor:
        """z (B, Z + K) -> (B, C, L)."""
        own, y = z[:, : self.shape.latent], z[:, self.shape.latent :]
        first, *others = own.tensor_split(BANDS + 1, 1)
        x: Tensor = self.coarse(torch.cat([first, y], 1))  # (B, C, L/8)
        for band, share in zip(self.bands, others, strict=True):
            x = double(x)
            x = x + band(torch.cat([share, y], 1), x)
        return x


class PyramidDiscriminator(nn.Module):
    """Window (B, C, L) -> activations (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8), and a logit (B,) of each level."""

    def __init__(self, shape: Shape, *, normalised: bool) -> None:
        super().__init__()
        self.descent = _Descent(shape.channels, shape, normalised=normalised)
        inputs = [2 * shape.channels] * BANDS + [shape.channels]
        self.critics = nn.ModuleList([_Critic(one, shape.width, normalised) for one in inputs])

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """x (B, C, L) -> activations from the shallowest to the deepest; the levels' logits, the finest first."""
        parts = laplacian(x)
        levels = levels_of(parts)
        beside = [*(torch.cat([level, double(below)], 1) for level, below in pairwise(levels))]
        logits = [critic(level) for critic, level in zip(self.critics, [*beside, levels[-1]], strict=True)]
        return self.descent(parts), tuple(logits)


class _Descent(nn.Module):
    """From the finest band down, each halved and joined by the next one: the way the pyramid was built."""

    def __init__(self, channels: int, shape: Shape, *, normalised: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                down(channels, shape.width, normalised),
                down(shape.width + channels, shape.deep, normalised),
                down(shape.deep + channels, shape.deep, normalised),
            ]
        )
        join = nn.Conv1d(shape.deep + channels, shape.deep, 1)
        self.join = nn.Sequential(spectral_norm(join) if normalised else join, nn.LeakyReLU(SLOPE))
        evenly_scaled(self)

    def forward(self, parts: list[Tensor]) -> tuple[Tensor, ...]:
        """Bands and coarsest level -> (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8)."""
        layers: list[Tensor] = []
        for block, part in zip(self.blocks, parts, strict=False):
            layers.append(block(torch.cat([layers[-1], part], 1) if layers else part))
        layers[-1] = self.join(torch.cat([layers[-1], parts[-1]], 1))
        return tuple(layers)


class _Band(nn.Module):
    """Its share of the latent (B, z) and what it lies on (B, C, l) -> a band (B, C, l)."""

    def __init__(self, given: int, shape: Shape, length: int) -> None:
        super().__init__()
        self.planes, self.length = max(2, shape.width // 4), length
        self.noise = nn.Linear(given, self.planes * length) if given else None
        inputs = shape.channels + (self.planes if given else 0)
        self.blocks = nn.Sequential(
            nn.Conv1d(inputs, shape.deep, KERNEL, padding=KERNEL // 2),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(shape.deep, shape.width, KERNEL, padding=KERNEL // 2),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(shape.width, shape.channels, KERNEL, padding=KERNEL // 2),
        )

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """z (B, z), x (B, C, l) -> (B, C, l)."""
        if self.noise is not None:
            x = torch.cat([x, self.noise(z).view(-1, self.planes, self.length)], 1)
        band: Tensor = self.blocks(x)
        return band


class _Critic(nn.Module):
    """A level beside the coarser one (B, 2C, l), or the coarsest alone (B, C, l) -> logit (B,)."""

    def __init__(self, inputs: int, width: int, normalised: bool) -> None:
        super().__init__()
        conv = nn.Conv1d(inputs, width, KERNEL, padding=KERNEL // 2)
        self.blocks = nn.Sequential(
            spectral_norm(conv) if normalised else conv, nn.LeakyReLU(SLOPE), down(width, 2 * width, normalised)
        )
        head = nn.Linear(2 * width, 1)
        self.head = spectral_norm(head) if normalised else head
        evenly_scaled(self)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C or 2C, l) -> (B,)."""
        logit: Tensor = self.head(self.blocks(x).mean(2))[:, 0]
        return logit
