"""What the generator missed in the cells that are known is carried over to those that are hidden.

A latent of a few dozen numbers cannot say everything about a window. Where it is off in a known cell, it is off in the
hidden cells beside it, less so the further away: the error is taken for a first-order autoregressive (Ornstein &
Uhlenbeck 1930) process, whose expected value between two known cells d and e steps away is, ρ being its memory,

    (ρ^d (1 - ρ^2e) a + ρ^e (1 - ρ^2d) b) / (1 - ρ^2(d + e)),

and ρ^d a where only one is known. ρ = 1 draws the error along a line, ρ = 0 forgets it at once. Each channel's memory,
and how much of an error is carried rather than noise (its share), are those of MEMORIES and SHARES that complete
held-out windows best. So is how much the draws' spread is widened: by their distance from a known cell, such that
NOMINAL of held-out cells lie in the band that should hold NOMINAL of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from anomgan.gan.attempts import draw
from anomgan.gan.hide import NEVER, distances, hide, shown
from anomgan.gan.networks import Networks
from anomgan.gan.train import Normal

MEMORIES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.995, 1.0)
SHARES = (0.25, 0.5, 0.75, 1.0)
NOMINAL = 0.9
FAR = (1, 2, 4, 8, 16)
"""distances from which a cell's band is widened in its own way"""
DRAWS = 16
ROUNDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """memory, share (C,): how an error is carried; widening (C, len(FAR) + 1): of the draws' distance from their
    median, by how far a cell is from a known one of its channel, the last for where there is none."""

    memory: Tensor
    share: Tensor
    widening: Tensor


def fit_carry(networks: Networks, held: Normal, seed: int, rounds: int = ROUNDS) -> Carry:
    """Learn it from held-out windows (N, C, L), each under so many of the masks that the networks were trained with."""
    dice = torch.Generator().manual_seed(seed)
    x, y = (torch.from_numpy(part) for part in held[:2])
    channels = x.shape[1]
    x, y = x.repeat(rounds, 1, 1), y.repeat(rounds, 1)
    known = hide(x, dice)
    draws = raw_draws(networks, x, known, y, DRAWS, dice)  # (S, N, C, L)
    middle = draws.median(0).values
    error = torch.where(known, x - middle, 0.0)
    off = {}
    for memory in MEMORIES:
        path = carried(error, known, torch.full((channels,), memory))
        for share in SHARES if memory else (0.0,):
            left = torch.where(known, 0.0, (x - middle - share * path).abs()).mean((0, 2))  # (C,)
            off[memory, share] = left
    best = torch.stack(list(off.values())).argmin(0)  # (C,)
    chosen = torch.tensor(list(off))[best]  # (C, 2)
    memories, shares = chosen[:, 0].float(), chosen[:, 1].float()
    carry = Carry(memories, shares, torch.ones(channels, len(FAR) + 1))
    draws = with_carry(carry, draws, x, known)
    middle = draws.median(0).values
    half = (draws - middle).abs().quantile(NOMINAL, dim=0).clamp_min(1e-4)  # (N, C, L)
    ratio = (x - middle).abs() / half
    far = farness(known)
    widening = torch.ones(channels, len(FAR) + 1)
    for c in range(channels):
        for step in range(len(FAR) + 1):
            cells = ratio[:, c][(far[:, c] == step) & ~known[:, c]]
            if len(cells) >= 50:
                widening[c, step] = cells.quantile(NOMINAL).clamp(0.1, 10.0)
    return Carry(memories, shares, widening)


@torch.inference_mode()
def raw_draws(networks: Networks, x: Tensor, known: Tensor, y: Tensor, count: int, dice: torch.Generator) -> Tensor:
    """(S, N, C, L) windows that go with the known cells of x (N, C, L), as the networks make them."""
    seen = shown(x, known)
    return torch.stack([draw(networks.generator, networks.encoder, seen, y, dice) for _ in range(count)])


def with_carry(carry: Carry, draws: Tensor, x: Tensor, known: Tensor) -> Tensor:
    """Draws (S, N, C, L) with their own error in the known cells carried over, and those cells as they are known."""
    scale = carry.share[:, None]
    middle = draws.median(0).values
    path = scale * carried(torch.where(known, x - middle, 0.0), known, carry.memory)
    far = farness(known)
    wide = carry.widening.gather(1, far.permute(1, 0, 2).flatten(1)).view(far.shape[1], far.shape[0], -1)
    wide = wide.permute(1, 0, 2)  # (N, C, L)
    return torch.where(known, x, middle + path + wide * (draws - middle))


def carried(error: Tensor, known: Tensor, memory: Tensor) -> Tensor:
    """Errors (N, C, L) of known cells -> expected errors (N, C, L), for memories (C,)."""
    length = known.shape[2]
    before, after = distances(known)
    index = torch.arange(length).expand(known.shape)
    a = error.gather(2, (index - before).clamp_min(0))
    b = error.gather(2, (index + after).clamp_max(length - 1))
    rho = memory.clamp(max=1.0 - 1e-6).double()[:, None]
    p, q = rho ** before.double(), rho ** after.double()
    whole = (1.0 - (p * q).square()).clamp_min(1e-12)
    told = (p * (1.0 - q.square()) * a + q * (1.0 - p.square()) * b) / whole
    return torch.where(known, error, told.float())


def farness(known: Tensor) -> Tensor:
    """(N, C, L) which of FAR a cell's distance from the nearest known cell reaches; one more where there is none."""
    nearest = torch.minimum(*distances(known))
    steps = torch.zeros_like(nearest, dtype=torch.long)
    for step, far in enumerate(FAR):
        steps[nearest >= far] = step
    steps[nearest >= NEVER] = len(FAR)
    return steps
