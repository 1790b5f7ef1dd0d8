"""One device's recordings as another device's: what differs between the two is changed, all else stays.

A window x of device a is encoded, and generated as a's and as b's. What the generator knows of it is exchanged, and
what it misses, noise and faults among it, is kept, as large in b's spreads as it was in a's:

    T(x) = G(E(x, a), b) + s (x - G(E(x, a), a))

s is how much wider a channel of b is within a window than the same one of a, as the generator makes them. All this is
in the channels' own units: what lies beyond all that was learned from, or between what two devices ever read, has next
to no normal scores to be told apart in, and just there faults are. A channel that stands only at few values, such as a
valve, stays at one of them.

The networks learn it from unpaired recordings (`gan.attempts.translate`). Windows overlap by three quarters, and what
is made of them is averaged under a Hann window, so that there are no seams.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.gan.attempts import from_nothing, see
from anomgan.gan.networks import Networks
from anomgan.pool import spaced
from anomgan.records import Floats
from anomgan.synthesis.fit import Learned, filled
from anomgan.synthesis.marginals import Marginal, to_scores, to_values

BATCH = 256
DRAWS = 256
"""windows that tell how wide a device's channels are"""
Scores = NDArray[np.float32]


@torch.inference_mode()
def carry_across(
    learned: Learned,
    values: Floats,
    own: Scores,
    other: Scores,
    stretches: Sequence[slice],
    on_rows: Callable[[int, int], None] | None = None,
) -> Floats:
    """Values (T, C) in units, recorded under conditions `own` (T, K), as they were under `other`; NaN stays NaN.

    No window spans two `stretches`. `on_rows` hears how many rows of how many are done.
    """
    narrow, wide = _spreads(learned, own), _spreads(learned, other)
    wider = np.divide(wide, narrow, out=np.ones_like(wide), where=(wide > 0) & (narrow > 0))
    scores = to_scores(learned.marginals, values)
    told = np.empty_like(values)
    for some in stretches:
        whole = filled(scores[some], np.zeros(some.stop - some.start, np.int64))
        made = _rebuilt(learned.networks, whole, own[some], other[some])
        here, there = (to_values(learned.marginals, one) for one in made)
        told[some] = there + wider * (values[some] - here)
        if on_rows is not None:
            on_rows(some.stop, len(values))
    return settled(learned.marginals, values, told)


def settled(marginals: Sequence[Marginal], values: Floats, told: Floats) -> Floats:
    """What is told (T, C) of values (T, C), as the channels have it: with their decimals, and, where a channel stands
    at few values and the value is one of them, at the nearest of them."""
    columns = []
    for one, known, column in zip(marginals, values.T, told.T, strict=True):
        held = np.unique(one.values)
        if len(one.values) == 2 * len(held):  # every knot is an atom
            nearest = held[np.abs(column[:, None] - held).argmin(1)]
            column = np.where(np.isin(known, held), nearest, column)
        columns.append(column if one.decimals < 0 else np.round(column, one.decimals))
    return np.stack(columns, axis=1)


def _spreads(learned: Learned, under: Scores) -> Floats:
    """(C,) in units: how wide a channel is within a window that is made under conditions (T, K), the median of many."""
    networks = learned.networks
    dice = torch.Generator().manual_seed(0)
    y = torch.from_numpy(under[np.resize(spaced(len(under), DRAWS), DRAWS)])
    made = from_nothing(networks.generator, networks.encoder, y, dice).numpy()  # (N, C, L)
    values = to_values(learned.marginals, np.moveaxis(made, 1, 2))  # (N, L, C)
    return np.asarray(np.median(values.std(1), axis=0))


def _rebuilt(networks: Networks, rows: Scores, own: Scores, other: Scores) -> tuple[Scores, Scores]:
    """What the generator makes of rows (T, C) without NaN, as `own` and as `other`."""
    shape = networks.shape
    length, hop = shape.window, shape.window // 4
    count = -(-(len(rows) + length - hop) // hop)
    before, after = length - hop, (count - 1) * hop + length - (len(rows) + length - hop)
    padded, here, there = (np.pad(one, ((before, after), (0, 0)), mode="edge") for one in (rows, own, other))
    hann = np.hanning(length + 2)[1:-1, None]  # (L, 1), nowhere 0
    summed, weight = np.zeros((2, *padded.shape)), np.zeros((len(padded), 1))
    for at in range(0, count, BATCH):
        begins = [k * hop for k in range(at, min(count, at + BATCH))]
        x = torch.from_numpy(np.stack([padded[begin : begin + length].T for begin in begins]))  # (N, C, L)
        a, b = (torch.from_numpy(np.stack([one[i + length - 1] for i in begins])) for one in (here, there))
        z = networks.encoder(see(x, shape), a)
        made = np.stack([networks.generator(z, y).numpy() for y in (a, b)])  # (2, N, C, L)
        for n, begin in enumerate(begins):
            summed[:, begin : begin + length] += hann * np.moveaxis(made[:, n], 1, 2)
            weight[begin : begin + length] += hann
    mine, theirs = (summed / weight)[:, before : before + len(rows)].astype(np.float32)
    return mine, theirs
