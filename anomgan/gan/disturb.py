"""Normal windows made a little worse: worn ones to learn completing from, disturbed ones to learn telling apart."""

import torch
from torch import Tensor

NOISE = 0.05
MISSING_SHARE = 0.1


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
    """Normal windows (B, C, L), each disturbed in about a third of its channels from a random step onwards.

    One of: a level shift, the same channel of another window (the correlation breaks), a frozen value, noise.
    """
    batch, channels, length = x.shape
    rand = torch.rand(batch, 4, generator=dice)
    kind = (4 * rand[:, 0]).long()[:, None, None]  # (B, 1, 1)
    start = (length * 0.9 * rand[:, 1]).long()
    late = torch.arange(length)[None, None, :] >= start[:, None, None]  # (B, 1, L)
    chosen = torch.rand(batch, channels, generator=dice) < 0.3
    chosen[torch.arange(batch), torch.randint(channels, (batch,), generator=dice)] = True
    where = late & chosen[:, :, None]  # (B, C, L)
    sign = 1.0 - 2.0 * (torch.rand(batch, channels, 1, generator=dice) < 0.5).float()
    size = (0.3 + 2.0 * rand[:, 2, None, None]) * sign  # (B, C, 1)
    other = x.roll(1, 0)
    frozen = x.gather(2, start.to(x.device)[:, None, None].expand(-1, channels, 1)).expand_as(x)
    noisy = x + (0.3 + rand[:, 3, None, None]).to(x) * torch.randn(x.shape, generator=dice).to(x)
    options = torch.stack([x + size.to(x), other, frozen, noisy])  # (4, B, C, L)
    disturbed = options.gather(0, kind.to(x.device).expand_as(x)[None])[0]
    return torch.where(where.to(x.device), disturbed, x)
