"""One device's recordings as another device's: what differs between the two is changed, all else stays.

A window x of device a is encoded, and generated as a's and as b's; the difference of the two is what it takes to get
from a to b, and is added to x:

    T(x) = x + G(E(x, a), b) - G(E(x, a), a)

So what the generator knows of the device is exchanged, and what it does not, noise and faults among it, is kept. The
networks learn it from unpaired recordings (`gan.attempts.translate`). Windows overlap by three quarters, and their
differences are averaged under a Hann window, so that there are no seams.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.gan.attempts import see
from anomgan.gan.networks import Networks

BATCH = 256
Scores = NDArray[np.float32]


@torch.inference_mode()
def carry_across(
    networks: Networks,
    rows: Scores,
    own: Scores,
    other: Scores,
) -> Scores:
    """Rows (T, C) of normal scores without NaN, recorded under conditions `own` (T, K), as they were under `other`."""
    shape = networks.shape
    length, hop = shape.window, shape.window // 4
    count = -(-(len(rows) + length - hop) // hop)
    before, after = length - hop, (count - 1) * hop + length - (len(rows) + length - hop)
    padded = np.pad(rows, ((before, after), (0, 0)), mode="edge")
    here, there = (np.pad(one, ((before, after), (0, 0)), mode="edge") for one in (own, other))
    hann = np.hanning(length + 2)[1:-1, None]  # (L, 1), nowhere 0
    summed, weight = np.zeros(padded.shape), np.zeros((len(padded), 1))
    for at in range(0, count, BATCH):
        begins = [k * hop for k in range(at, min(count, at + BATCH))]
        x = torch.from_numpy(np.stack([padded[begin : begin + length].T for begin in begins]))  # (N, C, L)
        a, b = (torch.from_numpy(np.stack([one[i + length - 1] for i in begins])) for one in (here, there))
        z = networks.encoder(see(x, shape), a)
        moved = (networks.generator(z, b) - networks.generator(z, a)).numpy()
        for n, begin in enumerate(begins):
            summed[begin : begin + length] += hann * moved[n].T
            weight[begin : begin + length] += hann
    told = rows + (summed / weight)[before : before + len(rows)]
    return told.astype(np.float32)
