"""What a window looks like at every scale at once, in few numbers.

Faults come in all lengths, and a distance over one span sees one of them: short spans miss slow drifts, long ones drown
a spike in sixty quiet rows. The dyadic pyramid holds, for block sizes 1, 2, 4, ... up to half the window, the means of
the two newest blocks of that size: single rows at the newest end, halves of the window at the other. (After Burt &
Adelson 1983, "The Laplacian Pyramid", but causal: anchored at the newest row.)
"""

from functools import cache

import torch
from torch import Tensor


def block_sizes(length: int) -> tuple[int, ...]:
    """1, 2, 4, ... below half of `length` rows, then that half itself; `length` >= 2."""
    sizes = [1]
    while 2 * sizes[-1] < length // 2:
        sizes.append(2 * sizes[-1])
    return tuple(sizes) if length // 2 == sizes[-1] else (*sizes, length // 2)


def pyramid(x: Tensor) -> Tensor:
    """Windows (N, C, L) -> (N, C, P): P = two per block size, the older block before the newer one."""
    return x @ _means(x.shape[2]).to(x)


@cache
def _means(length: int) -> Tensor:
    """(L, P) the weights of every mean: one product is quicker than a dozen small means."""
    weights = torch.zeros(length, 2 * len(block_sizes(length)), dtype=torch.float64)
    for level, size in enumerate(block_sizes(length)):
        weights[length - 2 * size : length - size, 2 * level] = 1.0 / size
        weights[length - size :, 2 * level + 1] = 1.0 / size
    return weights
