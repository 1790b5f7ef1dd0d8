"""What a training leaves behind for people to look at, in a model file's header: JSON types only."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.exceedance import exceedances, held_out_surprises
from anomgan.game import course_of
from anomgan.gan.networks import Networks
from anomgan.gan.train import TrainingResult
from anomgan.records import Floats, TimeSeries
from anomgan.scaling import Scaler, unscale

MOST_DEVICES = 100
"""that are named; of more the count says the rest"""
QUANTILES = (0.5, 0.95, 0.99)


def account(
    series: Sequence[TimeSeries],
    result: TrainingResult,
    scaler: Scaler,
    measured: NDArray[np.bool_],
    held: NDArray[np.float32],
    said: Mapping[str, Floats],
    weights: Mapping[str, float],
    overlap: int,
    excluded: Sequence[str],
) -> dict[str, Any]:
    """Devices, what was left out, the course of the game, the spread of the latents, each channel's normal error, and
    promised against measured probability.

    held (N, C, L) are scaled held-out windows of the measured channels, NaN = missing; `said` by witness
    its statistic of all held-out windows in order, of which about `overlap` neighbours share rows.
    """
    rebuilt, spread = _rebuilt(result.networks, held)
    return {
        "devices": [[one.device, len(one), float(one.times[0]), float(one.times[-1])] for one in series[:MOST_DEVICES]],
        "excluded": list(excluded),
        "course": course_of(result.health),
        "latent_spread": [float(f"{value:.4g}") for value in spread],
        "normal_error": _normal_errors(scaler, measured, held, rebuilt),
        "reliability": exceedances(held_out_surprises(said, weights, overlap), overlap),
    }


@torch.inference_mode()
def _rebuilt(networks: Networks, held: NDArray[np.float32]) -> tuple[NDArray[np.float32], Floats]:
    """What the generator makes of windows (N, C, L), and the standard deviation (Z,) of each latent over them.

    A missing cell is read as the centre.
    """
    latents = networks.encoder(torch.from_numpy(np.nan_to_num(held, nan=0.0)))  # (N, Z)
    return networks.generator(latents).numpy(), latents.double().std(0, correction=0).numpy()


def _normal_errors(
    scaler: Scaler, measured: NDArray[np.bool_], held: NDArray[np.float32], rebuilt: NDArray[np.float32]
) -> list[list[float] | None]:
    """Of each channel the QUANTILES of how far the generator is off on normal windows, in its unit; None for states."""
    found: list[list[float] | None] = [None] * len(measured)
    for row, c in enumerate(np.flatnonzero(measured)):
        if not np.isfinite(scaler.centre[c]):
            continue
        own = Scaler(scaler.centre[c : c + 1], scaler.spread[c : c + 1], scaler.constant[c : c + 1])
        off = np.abs(unscale(own, held[:, row, :, None]) - unscale(own, rebuilt[:, row, :, None]))
        known = off[np.isfinite(off)]
        if len(known):
            found[c] = [float(f"{value:.4g}") for value in np.quantile(known, QUANTILES)]
    return found
