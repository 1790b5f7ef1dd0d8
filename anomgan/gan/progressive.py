"""Architecture `progressive`: networks that first make and judge short, coarse windows, then grow to full ones.

Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and variation", section 2 and
figure 2. Windows of L/8 rows come first, then of L/4, L/2 and L: each new layer is faded in beside the doubled output
of the layers below it while these go on learning, and has then as long again to settle. The buffer `grown` says how
much of this is done; it is kept with the weights, so that an interrupted game leaves networks that fit together.
Equalised learning rates and pixel normalisation (section 4) are left out: these few layers learn without.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from anomgan.gan.conv import down, evenly_scaled
from anomgan.gan.shape import KERNEL, SLOPE, Shape

STAGES = 4
"""of growth, alike long: the shortest windows, and three doublings"""


class ProgressiveEncoder(nn.Module):
    """Seen window (B, C or 2C, L) -> (B, 2W, L/8)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.descent = _Descent(shape.seen, shape, normalised=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C or 2C, L) -> (B, 2W, L/8)."""
        h: Tensor = self.descent(x)[-1]
        return h


class ProgressiveDiscriminator(nn.Module):
    """Window (B, C, L) -> activations (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8), and no logits of its own."""

    def __init__(self, shape: Shape, *, normalised: bool) -> None:
        super().__init__()
        self.descent = _Descent(shape.channels, shape, normalised=normalised)

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """x (B, C, L) -> activations from the shallowest to the deepest; ()."""
        return self.descent(x), ()


class ProgressiveGenerator(nn.Module):
    """Latent and conditions (B, Z + K) -> window (B, C, L), unbounded; before it is grown, of runs of equal rows."""

    grown: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("grown", torch.ones(()))
        widths = (shape.deep, shape.deep, shape.width, shape.width)
        self.stem = nn.Linear(shape.given, shape.deep * shape.window // 8)
        self.first = nn.Sequential(nn.LeakyReLU(SLOPE), _even(shape.deep, shape.deep))
        self.blocks = nn.ModuleList(
            [nn.Sequential(_even(inputs, outputs), _even(outputs, outputs)) for inputs, outputs in pairwise(widths)]
        )
        self.to_window = nn.ModuleList([nn.Conv1d(width, shape.channels, 1) for width in widths])
        evenly_scaled(self)

    def forward(self, z: Tensor) -> Tensor:
        """z (B, Z + K) -> (B, C, L)."""
        h = self.first(self.stem(z).view(-1, self.shape.deep, self.shape.window // 8))  # (B, 2W, L/8)
        x: Tensor = self.to_window[0](h)
        for block, to_window, share in zip(self.blocks, self.to_window[1:], faded_in(self.grown), strict=True):
            x = _double(x)
            if share > 0.0:
                h = block(_double(h))
                x = torch.lerp(x, to_window(h), share) if share < 1.0 else to_window(h)
        return x


class _Descent(nn.Module):
    """Window (B, inputs, L) -> (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8); before it is grown, of its means only."""

    grown: Tensor

    def __init__(self, inputs: int, shape: Shape, *, normalised: bool) -> None:
        super().__init__()
        self.register_buffer("grown", torch.ones(()))
        widths = (shape.width, *(channels for channels, _ in shape.layers))
        self.from_window = nn.ModuleList([_point(inputs, width, normalised) for width in widths])
        self.blocks = nn.ModuleList([down(one, two, normalised) for one, two in pairwise(widths)])
        evenly_scaled(self)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """x (B, inputs, L) -> activations from the shallowest to the deepest."""
        shares = faded_in(self.grown)[::-1]  # of the full windows' layer first; none is behind the one before it
        h = self.from_window[0](x) if shares[0] > 0.0 else x
        layers = []
        for block, from_window, share in zip(self.blocks, self.from_window[1:], shares, strict=True):
            x = functional.avg_pool1d(x, 2)
            if share == 0.0:
                h = from_window(x)
            else:
                h = torch.lerp(from_window(x), block(h), share) if share < 1.0 else block(h)
            layers.append(h)
        return tuple(layers)


def faded_in(grown: Tensor) -> list[float]:
    """How much of each doubling's layer there is, 0 to 1, the shortest windows' first: a stage is half fading in, half
    settling."""
    at = STAGES * float(grown)
    return [min(1.0, max(0.0, 2.0 * (at - stage))) for stage in range(1, STAGES)]


def _double(x: Tensor) -> Tensor:
    """(B, C, l) -> (B, C, 2l), each row twice."""
    return x.repeat_interleave(2, 2)


def _even(inputs: int, outputs: int) -> nn.Module:
    """Keep the length: (B, inputs, l) -> (B, outputs, l)."""
    return nn.Sequential(nn.Conv1d(inputs, outputs, KERNEL, padding=KERNEL // 2), nn.LeakyReLU(SLOPE))


def _point(inputs: int, outputs: int, normalised: bool) -> nn.Module:
    """A window's rows one by one: (B, inputs, l) -> (B, outputs, l)."""
    conv = nn.Conv1d(inputs, outputs, 1)
    return nn.Sequential(spectral_norm(conv) if normalised else conv, nn.LeakyReLU(SLOPE))
