"""Architecture `conv`, the default: strided 1D convolutions, three halvings of the window and three doublings.

Radford, Metz & Chintala 2016, "Unsupervised representation learning with deep convolutional generative adversarial
networks", section 3, in one dimension and without batch normalisation: a window is judged alone.
"""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from anomgan.gan.shape import KERNEL, SLOPE, Shape


class ConvEncoder(nn.Module):
    """Seen window (B, C or 2C, L) -> (B, 2W, L/8)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            down(shape.seen, shape.width),
            down(shape.width, shape.deep),
            down(shape.deep, shape.deep),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C or 2C, L) -> (B, 2W, L/8)."""
        h: Tensor = self.blocks(x)
        return h


class ConvGenerator(nn.Module):
    """Latent and conditions (B, Z + K) -> window (B, C, L), unbounded."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.stem = nn.Linear(shape.given, shape.deep * shape.window // 8)
        self.blocks = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            up(shape.deep, shape.deep),
            nn.LeakyReLU(SLOPE),
            up(shape.deep, shape.width),
            nn.LeakyReLU(SLOPE),
            up(shape.width, shape.channels),
        )

    def forward(self, z: Tensor) -> Tensor:
        """z (B, Z + K) -> (B, C, L)."""
        h = self.stem(z).view(-1, self.shape.deep, self.shape.window // 8)  # (B, 2W, L/8)
        x: Tensor = self.blocks(h)  # (B, C, L)
        return x


class ConvDiscriminator(nn.Module):
    """Window (B, C, L) -> activations (B, W, L/2), (B, 2W, L/4), (B, 2W, L/8), and no logits of its own."""

    def __init__(self, shape: Shape, *, normalised: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            [
                down(shape.channels, shape.width, normalised),
                down(shape.width, shape.deep, normalised),
                down(shape.deep, shape.deep, normalised),
            ]
        )

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """x (B, C, L) -> activations from the shallowest to the deepest; ()."""
        layers = []
        for block in self.blocks:
            x = block(x)
            layers.append(x)
        return tuple(layers), ()


def down(inputs: int, outputs: int, normalised: bool = False) -> nn.Module:
    """Halve the length: (B, inputs, L) -> (B, outputs, L/2)."""
    conv = nn.Conv1d(inputs, outputs, KERNEL, stride=2, padding=KERNEL // 2)
    return nn.Sequential(spectral_norm(conv) if normalised else conv, nn.LeakyReLU(SLOPE))


def up(inputs: int, outputs: int) -> nn.Module:
    """Double the length: (B, inputs, L) -> (B, outputs, 2L)."""
    return nn.ConvTranspose1d(inputs, outputs, 4, stride=2, padding=1)


def evenly_scaled(network: nn.Module) -> None:
    """Initial weights that keep activations as large from layer to layer (He et al. 2015, "Delving deep into
    rectifiers", eq. 15); PyTorch's own shrink them, so that a deep network's input hardly matters at first. Normalised
    layers are as large as they are."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear) and not nn.utils.parametrize.is_parametrized(layer):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
