"""Normal windows made a little worse: worn ones to learn completing from, disturbed ones to learn telling apart."""

import torch
from torch import Tensor

NOISE = 0.05
MISSING_SHARE = 0.1
SMALLEST, LARGEST = 0.2, 4.0
KINDS = 7


def wear(x: Tensor, dice: torch.Generator) -> Tensor:
    """Normal windows (B, C, L) as the encoder gets them: mild noise, and now and then one channel missing (0)."""
    batch, channels, _ = x.shape
    worn = x + NOISE * torch.randn(x.shape, generator=dice).to(x)
    if channels == 1:
        return worn
    which = torch.randint(channels, (batch,), generator=dice)
    hit = torch.rand(batch, generator=dice) < MISSING_SHARE
    keep = torch.ones(batch, channels, 1)
    keep[torch.arange(batch)[hit], which[hit]] = 0.0
    return worn * keep.to(x)


def disturb(x: Tensor, dice: torch.Generator) -> Tensor:
    """Normal windows (B, C, L), each disturbed in one channel or in about half of them.

    Half of them are disturbed as a whole, as windows in the middle of a long fault are, the others from a random row
    onwards. One of seven kinds: a level shift, another window's values (the correlation breaks), a frozen value, noise,
    another amplitude, a drift, half the speed. Sizes are 0.2 to 4 scaled units, small ones as often as large.
    """
    batch, channels, length = x.shape
    rand = torch.rand(batch, 4, generator=dice)
    kind = (KINDS * rand[:, 0]).long()[:, None, None].to(x.device)  # (B, 1, 1)
    start = (0.95 * length * (2.0 * rand[:, 1] - 1.0)).long()  # (B,), negative: before the window
    several = rand[:, 2, None] < 0.5
    chosen = several & (torch.rand(batch, channels, generator=dice) < 0.5)
    chosen[torch.arange(batch), torch.randint(channels, (batch,), generator=dice)] = True
    late = torch.arange(length)[None, None, :] >= start[:, None, None]  # (B, 1, L)
    where = (late & chosen[:, :, None]).to(x.device)  # (B, C, L)

    sign = 1.0 - 2.0 * (torch.rand(batch, channels, 1, generator=dice) < 0.5).float()
    size = (SMALLEST * (LARGEST / SMALLEST) ** rand[:, 3, None, None] * sign).to(x)  # (B, C, 1)
    mean = x.mean(2, keepdim=True)
    begin = start.clamp_min(0)[:, None, None].to(x.device)
    ramp = ((torch.arange(length)[None, None, :] - start[:, None, None]).clamp_min(0) / length).to(x)  # (B, 1, L)
    slow = (length // 2 + torch.arange(length) // 2).to(x.device)
    options = torch.stack(
        [
            x + size,
            x[torch.randperm(batch, generator=dice).to(x.device)],
            x.gather(2, begin.expand(-1, channels, 1)).expand_as(x),
            x + 0.6 * size.abs() * torch.randn(x.shape, generator=dice).to(x),
            mean + (x - mean) * torch.exp(size.clamp(-1.5, 1.5)),
            x + 2.0 * size * ramp,
            x[:, :, slow],
        ]
    )  # (7, B, C, L)
    disturbed = options.gather(0, kind.expand_as(x)[None])[0]
    return torch.where(where, disturbed, x)
