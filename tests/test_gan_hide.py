"""Hidden cells: every kind of mask occurs, and what the networks see is the line through what is known."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from anomgan.gan.hide import EVERYTHING, NEVER, NOTHING, distances, hide, shown


def masks(count: int = 4000, channels: int = 3, length: int = 32) -> Tensor:
    return hide(torch.zeros(count, channels, length), torch.Generator().manual_seed(0))


def test_every_kind_of_hole_that_a_user_may_have_occurs_often() -> None:
    known = masks()
    count = len(known)
    nothing = known.flatten(1).all(1).float().mean().item()
    everything = (~known).flatten(1).all(1).float().mean().item()
    assert nothing > 0.8 * NOTHING
    assert everything > 0.8 * EVERYTHING
    whole_channels = ((~known).all(2).any(1) & known.any(2).any(1)).sum().item()
    past = (known[:, :, 0].all(1) & ~known[:, :, -1].any(1)).sum().item()
    gap = ((known[:, :, 0] & known[:, :, -1] & ~known.all(2)).any(1)).sum().item()
    every_fourth = (known[:, :, ::4].all(2) & (known.float().mean(2) == 0.25)).any(1).sum().item()
    for often in (whole_channels, past, gap):
        assert often > 0.05 * count
    assert every_fourth > 0.005 * count


def test_the_same_dice_hide_the_same_cells() -> None:
    assert torch.equal(masks(50), masks(50))


def naive_line(row: list[float], known: list[bool]) -> list[float]:
    at = [i for i, there in enumerate(known) if there]
    if not at:
        return [0.0] * len(row)
    return np.interp(range(len(row)), at, [row[i] for i in at]).tolist()


@given(st.data(), st.integers(1, 24))
def test_unknown_cells_are_seen_on_the_line_between_their_known_neighbours(data: st.DataObject, length: int) -> None:
    row = data.draw(st.lists(st.floats(-5, 5, width=32), min_size=length, max_size=length))
    known = data.draw(st.lists(st.booleans(), min_size=length, max_size=length))
    seen = shown(torch.tensor(row)[None, None], torch.tensor(known)[None, None])[0]
    np.testing.assert_allclose(seen[0], naive_line(row, known), atol=1e-4)
    assert seen[1].bool().tolist() == known


def test_what_is_hidden_does_not_leak_into_what_is_seen() -> None:
    dice = torch.Generator().manual_seed(1)
    x = torch.randn(200, 3, 32, generator=dice)
    known = hide(x, dice)
    other = torch.where(known, x, 100.0 * torch.randn(x.shape, generator=dice))
    torch.testing.assert_close(shown(x, known), shown(other, known), rtol=0, atol=0)


def test_distances_count_steps_to_the_known_cells_on_either_side() -> None:
    known = torch.tensor([[[False, True, False, False, True, False]]])
    before, after = distances(known)
    assert before[0, 0].tolist() == [NEVER, 0, 1, 2, 0, 1]
    assert after[0, 0].tolist() == [1, 0, 2, 1, 0, NEVER]
