"""What generator and encoder make of windows that are not shown whole, and how far off it is.

A detector's networks rebuild: the window is worn (`disturb.wear`), and what comes back should be the window itself.
A synthesizer's complete: cells are hidden (`hide.hide`), and what comes back should be likely, which is another thing:
of all the windows that go with what is shown, each as often as it occurs. So two are made, and held to the energy score
(Gneiting & Raftery 2007, eq. 22), which only the right distribution makes smallest:

    E‖X - x‖ - E‖X - X'‖ / 2

An absolute error alone would have all draws alike, in the middle. Half of it is of each cell, and of how cells differ
from earlier ones and of random mixtures of the channels (`views`), so that what belongs together goes together; half is
of the window and of its steps as a whole, which are little moved by a single cell.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anomgan.gan.disturb import wear
from anomgan.gan.hide import hide, shown
from anomgan.gan.networks import Encoder, Generator
from anomgan.gan.shape import Shape

SMALLEST_UNIT = 0.1
"""a channel that hardly moves in a batch is not counted in anything smaller"""
STEPS = (1, 4)
"""rows between cells whose difference is looked at"""

TINY = 1e-12
"""keeps a slope to the root of nothing"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Windows (B, C, L) for the discriminator to judge under conditions (B, K), and the error of what was made."""

    windows: Tensor
    conditions: Tensor
    error: Tensor


def rebuild(generator: Generator, encoder: Encoder, x: Tensor, y: Tensor, dice: torch.Generator) -> Attempt:
    """Worn windows made whole: Huber's error of G(E(worn x), y)."""
    rebuilt = generator(encoder(wear(x, dice), y), y)
    return Attempt(rebuilt, y, functional.smooth_l1_loss(rebuilt, x, beta=0.5))


def complete(generator: Generator, encoder: Encoder, x: Tensor, y: Tensor, dice: torch.Generator) -> Attempt:
    """Windows of which cells were hidden, completed: what was shown stays, so that all see the seams."""
    known = hide(x, dice)
    seen = shown(x, known)
    first, second = (torch.where(known, x, draw(generator, encoder, seen, y, dice)) for _ in range(2))
    mix = torch.randn(x.shape[1], x.shape[1], generator=dice).to(x) / x.shape[1] ** 0.5
    return Attempt(first, y, energy_score(first, second, x, mix, generator.unit(y)))


def translate(
    generator: Generator, encoder: Encoder, x: Tensor, y: Tensor, crossed: slice, dice: torch.Generator
) -> Attempt:
    """Windows as they would be under other conditions, and the absolute error of what comes back from there.

    The `crossed` columns of the conditions are exchanged within the batch, so that no pairs of windows are needed: Zhu
    et al. 2017, "Unpaired image-to-image translation using cycle-consistent adversarial networks", eq. 2, with one
    generator for all conditions as in Choi et al. 2018, "StarGAN", eq. 4.
    """
    other = y.clone()
    other[:, crossed] = y[torch.randperm(len(y), generator=dice).to(y.device)][:, crossed]
    moved = generator(encoder(see(x, generator.shape), y), other, grain_for(generator.shape, x, dice))
    back = generator(encoder(see(moved, generator.shape), other), y)
    return Attempt(moved, other, functional.l1_loss(back, x))


def see(x: Tensor, shape: Shape) -> Tensor:
    """What the encoder sees of windows (B, C, L) that are shown whole."""
    return shown(x, torch.ones_like(x, dtype=torch.bool)) if shape.hiding else x


def draw(generator: Generator, encoder: Encoder, seen: Tensor, y: Tensor, dice: torch.Generator) -> Tensor:
    """One window (B, C, L) that goes with what is seen (B, 2C, L) and the conditions (B, K)."""
    noise = torch.randn(len(seen), generator.shape.latent, generator=dice).to(seen)
    grain = torch.randn(len(seen), generator.shape.channels, seen.shape[2], generator=dice).to(seen)
    window: Tensor = generator(encoder(seen, y, noise), y, grain, seen)
    return window


def uniform_latents(shape: Shape, like: Tensor, dice: torch.Generator) -> Tensor:
    """Latents (B, Z) as the generator is trained on them beside those of windows."""
    return (2.0 * torch.rand(len(like), shape.latent, generator=dice) - 1.0).to(like)


def from_nothing(generator: Generator, encoder: Encoder, y: Tensor, dice: torch.Generator) -> Tensor:
    """Windows (B, C, L) under conditions (B, K) of which nothing is known: of uniform latents, or, where cells can be
    hidden, of what the encoder makes of windows of which all are."""
    shape = generator.shape
    if not shape.hiding:
        window: Tensor = generator(uniform_latents(shape, y, dice), y)
        return window
    return draw(generator, encoder, y.new_zeros(len(y), shape.seen, shape.window), y, dice)


def grain_for(shape: Shape, like: Tensor, dice: torch.Generator) -> Tensor | None:
    """A grain for windows like these (B, C, L), where the generator takes one."""
    return torch.randn(like.shape, generator=dice).to(like) if shape.hiding else None


def energy_score(first: Tensor, second: Tensor, x: Tensor, mix: Tensor, unit: Tensor) -> Tensor:
    """(‖X - x‖ + ‖X' - x‖) / 2 - ‖X - X'‖ / 2 for two draws X, X' of each window (B, C, L).

    mix (C, C): mixtures of the channels to look at, as the sliced energy distance does. unit (B or 1, C, 1): what steps
    from row to row are counted in, so that a smooth channel's small ones count as much as its levels.
    """
    level = x.square().mean((0, 2)).sqrt().clamp_min(SMALLEST_UNIT)[:, None]  # (C, 1)

    def apart(one: Tensor, other: Tensor) -> Tensor:
        """Half the mean distance of cells in all views, half that of windows over the root of their cells."""
        seen = views(one - other, level, unit, mix)
        cells = torch.stack([view.abs().mean() for view in seen])
        whole = torch.stack([(view.square().mean((1, 2)) + TINY).sqrt().mean() for view in seen[:2]])
        return 0.5 * cells.mean() + 0.5 * whole.mean()

    score: Tensor = 0.5 * (apart(first, x) + apart(second, x)) - 0.5 * apart(first, second)
    return score


def views(x: Tensor, level: Tensor, unit: Tensor, mix: Tensor) -> list[Tensor]:
    """Windows (B, C, L), how their cells differ from those of some rows before, in what rows so far apart usually
    differ, and mixtures of the channels of both."""
    steps = [(x[:, :, step:] - x[:, :, :-step]) / (unit * step**0.5) for step in STEPS]
    x = x / level
    return [x, *steps, torch.matmul(mix, x), torch.matmul(mix, steps[0])]


ATTEMPTS: dict[bool, Callable[[Generator, Encoder, Tensor, Tensor, torch.Generator], Attempt]] = {
    False: rebuild,
    True: complete,
}
"""By whether the shape hides cells."""
