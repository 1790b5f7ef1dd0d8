"""Architecture `mlp`, the vanilla GAN: fully connected layers, which know nothing of what comes before or after what.

Goodfellow et al. 2014, "Generative adversarial nets", section 5, with leaky rectifiers in place of maxout and dropout.
The layers are as long as the activations of `conv` are together, so that weights grow with the window's square: the
baseline for short windows.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from anomgan.errors import ConfigError
from anomgan.gan.shape import SLOPE, Shape

MOST_UNITS = 4096


class MlpEncoder(nn.Module):
    """Seen window (B, C or 2C, L) -> (B, W L/4)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        first, _, last = _units(shape)
        self.blocks = nn.Sequential(
            nn.Flatten(),
            _dense(shape.seen * shape.window, first),
            _dense(first, last),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C or 2C, L) -> (B, W L/4)."""
        h: Tensor = self.blocks(x)
        return h


class MlpGenerator(nn.Module):
    """Latent and conditions (B, Z + K) -> window (B, C, L), unbounded."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        first, _, last = _units(shape)
        self.blocks = nn.Sequential(
            _dense(shape.given, last),
            _dense(last, first),
            nn.Linear(first, shape.channels * shape.window),
        )

    def forward(self, z: Tensor) -> Tensor:
        """z (B, Z + K) -> (B, C, L)."""
        x: Tensor = self.blocks(z).view(-1, self.shape.channels, self.shape.window)
        return x


class MlpDiscriminator(nn.Module):
    """Window (B, C, L) -> activations viewed as (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8), and no logits of its own."""

    def __init__(self, shape: Shape, *, normalised: bool) -> None:
        super().__init__()
        self.layers = shape.layers
        units = (shape.channels * shape.window, *_units(shape))
        self.blocks = nn.ModuleList([_dense(inputs, outputs, normalised) for inputs, outputs in pairwise(units)])

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """x (B, C, L) -> activations from the shallowest to the deepest; ()."""
        h, layers = x.flatten(1), []
        for block, (channels, length) in zip(self.blocks, self.layers, strict=True):
            h = block(h)
            layers.append(h.view(-1, channels, length))
        return tuple(layers), ()


def _units(shape: Shape) -> tuple[int, ...]:
    """The lengths of the layers; ConfigError for layers too long to be connected fully."""
    units = tuple(channels * length for channels, length in shape.layers)
    if max(units) > MOST_UNITS:
        raise ConfigError(
            f"architecture = 'mlp': a window of {shape.window} rows and a width of {shape.width} make layers of "
            f"{max(units)} numbers, more than {MOST_UNITS}; take a shorter window or the architecture 'conv'"
        )
    return units


def _dense(inputs: int, outputs: int, normalised: bool = False) -> nn.Module:
    linear = nn.Linear(inputs, outputs)
    return nn.Sequential(spectral_norm(linear) if normalised else linear, nn.LeakyReLU(SLOPE))
