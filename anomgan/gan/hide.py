"""Normal windows of which cells are hidden, to learn completing from: any mask that a user may come with.

The kinds are drawn alike often: single cells, a stretch of time in some channels, whole channels, all but every 2nd to
8th row, the end (what comes next), and the end but for every FACTOR-th row of it or one in a quarter of a window (what
comes between). Some windows are hidden wholly, some not at all.
"""

import torch
from torch import Tensor

NOTHING, EVERYTHING = 0.05, 0.2
MOST_APART = 8
KINDS = 6
FACTOR = 4
"""rows of one scale to a row of the next coarser one"""
BEHIND = 0.75
"""of the windows whose end is hidden but for some rows, the share that shows all before it"""
NEVER = 1 << 20


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
    behind = past & (torch.rand(batch, 1, 1, generator=dice) < BEHIND)
    wide = torch.where(torch.rand(batch, 1, 1, generator=dice) < 0.5, FACTOR, length // 4)
    between = behind | ((rows + torch.randint(length, (batch, 1, 1), generator=dice)) % wide == 0)
    shown = torch.stack([points, stretch, whole, comb, past, between]).gather(0, kind.expand_as(points)[None])[0]

    extreme = torch.rand(batch, 1, 1, generator=dice)
    shown = (shown | (extreme < NOTHING)) & (extreme < 1.0 - EVERYTHING)
    return shown.to(x.device)


def shown(x: Tensor, known: Tensor) -> Tensor:
    """Windows (B, C, L) and where they are known -> what the networks see (B, 2C, L): unknown cells lie on the line
    between their known neighbours, beyond the last one at its height, and at 0 where a channel has none."""
    length = x.shape[2]
    before, after = distances(known)
    index = torch.arange(length, device=x.device).expand(x.shape)
    a = x.gather(2, (index - before).clamp_min(0))
    b = x.gather(2, (index + after).clamp_max(length - 1))
    first, last = before >= NEVER, after >= NEVER
    way = torch.where(known | last, 0.0, before / (before + after).clamp_min(1))
    line = torch.where(first, b, a + way * (b - a))
    return torch.cat([torch.where(first & last, 0.0, line), known.to(x)], 1)


def nearness(known: Tensor) -> Tensor:
    """(B, C, L) 1 where a cell is known, 1/2 beside one, and so on; 0 where there is none."""
    nearest = torch.minimum(*distances(known))
    return torch.where(nearest >= NEVER, 0.0, 1.0 / (1.0 + nearest))


def distances(known: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, L) steps to the last known cell up to each cell, and to the next one from it; NEVER for none."""
    length = known.shape[2]
    index = torch.arange(length, device=known.device).expand(known.shape)
    last = torch.where(known, index, -1).cummax(2).values
    following = torch.where(known, index, length).flip(2).cummin(2).values.flip(2)
    before = torch.where(last < 0, NEVER, index - last)
    after = torch.where(following == length, NEVER, following - index)
    return before, after
