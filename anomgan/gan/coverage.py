"""How much of what is real the generator makes, and how much of what it makes is real: coverage and density.

Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", eq. 5 and 6. Around each real window
lies a ball that reaches to its K-th nearest real neighbour. Coverage is the share of balls with a generated window in
them; density is how many balls a generated window lies in, over K: 1 where it lies as real ones do, less where it lies
apart, more where it sticks to the commonest. A collapsed generator may be dense; it does not cover.
"""

import torch
from torch import Tensor

NEIGHBOURS = 5
MOST = 256


@torch.inference_mode()
def coverage_and_density(real: Tensor, made: Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Windows (N, C, L) and (M, C, L) -> coverage in 0 to 1, density from 0 up; NaN for too few real windows."""
    if len(real) <= neighbours or len(made) == 0:
        return float("nan"), float("nan")
    real, made = real.flatten(1), made.flatten(1)  # (N, CL), (M, CL)
    reach = torch.cdist(real, real).kthvalue(neighbours + 1, dim=1).values  # (N,), the nearest being itself
    inside = torch.cdist(real, made) <= reach[:, None]  # (N, M)
    return float(inside.any(1).float().mean()), float(inside.float().sum(0).mean() / neighbours)
