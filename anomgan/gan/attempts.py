"""What generator and encoder make of windows that are not shown whole, and how far off it is.

A detector's networks rebuild: the window is worn (`disturb.wear`), and what comes back should be the window itself.
A synthesizer's complete: cells are hidden (`hide.hide`), and what comes back should be likely, which is another thing:
of all the windows that go with what is shown, each as often as it occurs. So two are made, and held to the energy score
(Gneiting & Raftery 2007, eq. 22), which only the right distribution makes smallest:

    E‖X - x‖ - E‖X - X'‖ / 2

An absolute error alone would have all draws alike, in the middle. Half of it is of each cell, whose values it gets
right but not which go together, half of the window as a whole, which does that, but is little moved by a single cell.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anomgan.gan.disturb import wear
from anomgan.gan.hide import hide, shown
from anomgan.gan.networks import Encoder, Generator

TINY = 1e-12
"""keeps a slope to the root of nothing"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Windows (B, C, L) for the discriminator to judge, and the error of what was made."""

    windows: Tensor
    error: Tensor


def rebuild(generator: Generator, encoder: Encoder, x: Tensor, y: Tensor, dice: torch.Generator) -> Attempt:
    """Worn windows made whole: Huber's error of G(E(worn x), y)."""
    rebuilt = generator(encoder(wear(x, dice)), y)
    return Attempt(rebuilt, functional.smooth_l1_loss(rebuilt, x, beta=0.5))


def complete(generator: Generator, encoder: Encoder, x: Tensor, y: Tensor, dice: torch.Generator) -> Attempt:
    """Windows of which cells were hidden, completed: what was shown stays, so that the discriminator sees the seams."""
    known = hide(x, dice)
    seen = shown(x, known)
    first, second = (draw(generator, encoder, seen, y, dice) for _ in range(2))
    return Attempt(torch.where(known, x, first), energy_score(first, second, x))


def draw(generator: Generator, encoder: Encoder, seen: Tensor, y: Tensor, dice: torch.Generator) -> Tensor:
    """One window (B, C, L) that goes with what is seen (B, 2C, L) and the conditions (B, K)."""
    noise = torch.randn(len(seen), generator.shape.latent, generator=dice).to(seen)
    grain = torch.randn(len(seen), generator.shape.channels, seen.shape[2], generator=dice).to(seen)
    window: Tensor = generator(encoder(seen, noise), y, grain)
    return window


def energy_score(first: Tensor, second: Tensor, x: Tensor) -> Tensor:
    """(‖X - x‖ + ‖X' - x‖) / 2 - ‖X - X'‖ / 2 for two draws X, X' of each window (B, C, L)."""
    score: Tensor = 0.5 * (_apart(first, x) + _apart(second, x)) - 0.5 * _apart(first, second)
    return score


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """How far windows (B, C, L) are apart: the mean of their cells' distances and of their own, per root of a cell."""
    off = one - other
    own = (off.square().mean((1, 2)) + TINY).sqrt()  # (B,)
    distance: Tensor = 0.5 * off.abs().mean() + 0.5 * own.mean()
    return distance


ATTEMPTS: dict[bool, Callable[[Generator, Encoder, Tensor, Tensor, torch.Generator], Attempt]] = {
    False: rebuild,
    True: complete,
}
"""By whether the shape hides cells."""
