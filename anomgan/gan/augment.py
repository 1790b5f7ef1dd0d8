"""Discriminator augmentation: real and generated windows are changed alike before they are judged.

Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training", eq. 3 and 4: with few windows the
discriminator knows them by heart; changed at random it cannot. Both players see changed windows, and the changes have a
slope, so that the generator learns windows, not changed ones.
"""

import torch
from torch import Tensor

MOST_MOVED, MOST_STRETCHED, BLANKED = 0.5, 0.2, 0.25


def augment(x: Tensor, share: float, dice: torch.Generator) -> Tensor:
    """Windows (B, C, L) of which a `share` has its channels moved by up to MOST_MOVED scaled units, its deviations from
    its mean stretched by up to MOST_STRETCHED, or a stretch of BLANKED of its rows set to the mean."""
    batch, channels, length = x.shape
    chosen = torch.rand(3, batch, 1, 1, generator=dice) < share
    move, stretch, blank = chosen.to(x.device)
    moved = MOST_MOVED * (2.0 * torch.rand(batch, channels, 1, generator=dice) - 1.0).to(x)
    wider = torch.exp(MOST_STRETCHED * (2.0 * torch.rand(batch, channels, 1, generator=dice) - 1.0)).to(x)
    start = (torch.rand(batch, 1, 1, generator=dice) * (1.0 - BLANKED) * length).long()
    rows = torch.arange(length)
    inside = ((rows >= start) & (rows < start + BLANKED * length)).to(x.device)
    mean = x.mean(2, keepdim=True)
    x = torch.where(stretch, mean + (x - mean) * wider, x)
    x = torch.where(move, x + moved, x)
    return torch.where(blank & inside, x.mean(2, keepdim=True), x)
