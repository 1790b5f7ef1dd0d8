"""What is looked at while the game is played, and what is left of it when it is over."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from anomgan.gan.attempts import complete, from_nothing
from anomgan.gan.networks import Encoder, Generator, Networks
from anomgan.manifold import NEIGHBOURS, manifold

MOST = 256
"""held-out windows that generated ones are held against at each look"""


@dataclass(frozen=True, slots=True)
class TrainingHealth:
    """One look at the game. Accuracies are shares of a batch; diversity is the mean distance between generated
    windows relative to that between real ones (near 0 = mode collapse); coverage and density of generated windows are
    against held-out ones (`manifold`); reconstruction_error is the mean absolute error on held-out normal windows, in
    scaled units, or the energy score where cells are hidden. All but the first four are of the averaged generator."""

    step: int
    steps: int
    seconds: float
    discriminator_loss: float
    generator_loss: float
    accuracy_real: float
    accuracy_generated: float
    diversity: float
    collapsed: bool
    coverage: float
    density: float
    reconstruction_error: float
    best_reconstruction_error: float


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What `on_step` gets after every step; `health` only when it was looked at."""

    step: int
    steps: int
    health: TrainingHealth | None


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Networks folded and in eval mode on the CPU; stopped is one of finished, early, interrupted."""

    networks: Networks
    health: tuple[TrainingHealth, ...]
    steps: int
    best_step: int
    seconds: float
    stopped: str
    device: str


@torch.inference_mode()
def held_out_error(generator: Generator, encoder: Encoder, held: Tensor, y: Tensor, seed: int) -> float:
    """Of held-out windows: the mean absolute error of what is rebuilt; the energy score where cells are hidden, the
    same ones at each look."""
    if generator.shape.hiding:
        return float(complete(generator, encoder, held, y, torch.Generator().manual_seed(seed)).error)
    return float((generator(encoder(held, y), y) - held).abs().mean())


class Fixed:
    """Held-out windows (N, C, L) and, at every look, the same dice for the generated ones beside them, so that what
    changes is the generator."""

    def __init__(self, held: Tensor, y: Tensor, seed: int) -> None:
        self._held, self._y, self._seed = held, y, seed

    @torch.inference_mode()
    def coverage_and_density(self, generator: Generator, encoder: Encoder) -> tuple[float, float]:
        """Of the windows that these networks make; NaN for too few held-out ones."""
        if len(self._held) <= NEIGHBOURS:
            return math.nan, math.nan
        dice = torch.Generator().manual_seed(self._seed)
        made = from_nothing(generator, encoder, self._y, dice)
        real, generated = (windows.flatten(1).double().cpu().numpy() for windows in (self._held, made))
        found = manifold(real, generated)
        return found.coverage, found.density


@torch.no_grad()
def spread(windows: Tensor) -> float:
    """Mean distance between neighbours in a shuffled batch (B, C, L)."""
    return float((windows - windows.roll(1, 0)).flatten(1).square().mean(1).sqrt().mean())
