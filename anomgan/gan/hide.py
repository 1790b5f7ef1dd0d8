"""Normal windows of which cells are hidden, to learn completing from: any mask that a user may come with.

The kinds are drawn alike often: single cells, a stretch of time in some channels, whole channels, all but every 2nd to
8th row, and the end (what comes next). Some windows are hidden wholly, some not at all.
"""

import torch
from torch import Tensor

NOTHING, EVERYTHING = 0.1, 0.1
MOST_APART = 8
KINDS = 5


def hide(x: Tensor, dice: torch.Generator) -> Tensor:
    """Windows (B, C, L) -> (B, C, L) bool, True where a cell is shown."""
    batch, channels, length = x.shape
    rows = torch.arange(length)
    kind = torch.randint(KINDS, (batch, 1, 1), generator=dice)
    share = torch.rand(batch, 1, 1, generator=dice)
    some = torch.rand(batch, channels, 1, generator=dice) < torch.rand(batch, 1, 1, generator=dice)  # (B, C, 1)

    points = torch.rand(batch, channels, length, generator=dice) >= share
    begin = ((1.0 - share) * length * torch.rand(batch, 1, 1, generator=dice)).long()
    stretch = ~((rows >= begin) & (rows < begin + share * length) & some)
    whole = ~some.expand(-1, -1, length)
    apart = torch.randint(2, MOST_APART + 1, (batch, channels, 1), generator=dice)
    offset = torch.randint(MOST_APART, (batch, 1, 1), generator=dice)
    comb = ((rows + offset) % apart == 0) | ~some
    past = (rows < share * length).expand(-1, channels, -1)
    shown = torch.stack([points, stretch, whole, comb, past]).gather(0, kind.expand_as(points)[None])[0]

    extreme = torch.rand(batch, 1, 1, generator=dice)
    shown = (shown | (extreme < NOTHING)) & (extreme < 1.0 - EVERYTHING)
    return shown.to(x.device)


def shown(x: Tensor, known: Tensor) -> Tensor:
    """Windows (B, C, L) and where they are known -> what the encoder sees (B, 2C, L): unknown cells read 0."""
    return torch.cat([torch.where(known, x, 0.0), known.to(x)], 1)
