"""The witnesses: what the networks say of a window, as raw statistics that `calibrate` gives a meaning.

- discriminator: minus its logit, high where a window looks generated or disturbed;
- reconstruction: the window against generator(encoder(window)); each channel's error is divided by what is usual for
  that channel on normal data. Three spans of it: the whole window, its newest eighth (`newest`), and the largest single
  error in that eighth over the largest usual for its channel (`largest`): a fault of one channel drowns in the mean of
  many, and a channel that jumps every day must not hide the one that never does;
- neighbour: the distance, in the discriminator's feature space, to the nearest remembered normal windows.

A missing cell is completed by the generator (one more pass, only for windows that miss something) and counts nothing.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from anomgan.gan.train import Networks

WITNESSES = ("discriminator", "reconstruction", "newest", "largest", "neighbour")
"""the statistics that are calibrated and fused, by their names in `Look`"""
NEIGHBOURS = 3
NEWEST_SHARE = 8
CHUNK = 512
USUAL_FLOOR = 0.05
PEAK_QUANTILE = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Normal windows in feature space: features (M, F), less their centre (F,), divided by their spread (F,)."""

    features: Tensor
    centre: Tensor
    spread: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """The errors of each channel on normal windows: error (C,) their root mean square, peak (C,) the size that the
    largest of a window's newest errors exceeds once in a hundred windows."""

    error: Tensor
    peak: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the networks say of N windows.

    discriminator, reconstruction, newest, largest, neighbour (N,): raw statistics; missing (N,): share of absent cells.
    error (N, C): the newest rows' squared error over the usual one. expected (N, C): the generator's newest row.
    odd, odd_expected (N, C): the oddest of the newest rows of each channel, and what was expected there. All scaled.
    """

    discriminator: Tensor
    reconstruction: Tensor
    newest: Tensor
    largest: Tensor
    neighbour: Tensor
    missing: Tensor
    error: Tensor
    expected: Tensor
    odd: Tensor
    odd_expected: Tensor


@torch.inference_mode()
def look(networks: Networks, memory: Memory, usual: Usual, windows: Tensor) -> Look:
    """What the networks say of scaled windows (N, C, L), NaN = missing, against each channel's usual errors."""
    parts = [_look(networks, memory, usual, chunk) for chunk in torch.split(windows, CHUNK)]
    return Look(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Look)))


def _look(networks: Networks, memory: Memory, usual: Usual, windows: Tensor) -> Look:
    absent = windows.isnan()  # (N, C, L)
    x = complete(networks, windows, absent)
    rebuilt = networks.generator(networks.encoder(x))  # (N, C, L)
    logit, features = networks.discriminator(x)  # (N,), (N, F)
    square = ((x - rebuilt) / usual.error[:, None]).square().masked_fill(absent, 0.0)  # (N, C, L)
    span = newest_span(x.shape[2])
    newest = square[:, :, -span:]  # (N, C, S)
    error = newest.mean(2)  # (N, C)
    largest, oddest = newest.max(2, keepdim=True)  # (N, C, 1) each
    over_peak = largest[:, :, 0].sqrt() * (usual.error / usual.peak)  # (N, C)
    return Look(
        discriminator=-logit,
        reconstruction=square.mean((1, 2)).sqrt(),
        newest=error.mean(1).sqrt(),
        largest=over_peak.amax(1),
        neighbour=neighbour_distance(memory, features),
        missing=absent.float().mean((1, 2)),
        error=error,
        expected=rebuilt[:, :, -1],
        odd=windows[:, :, -span:].gather(2, oddest)[:, :, 0],
        odd_expected=rebuilt[:, :, -span:].gather(2, oddest)[:, :, 0],
    )


def newest_span(window: int) -> int:
    """How many rows of a window are its newest."""
    return max(2, window // NEWEST_SHARE)


def complete(networks: Networks, windows: Tensor, absent: Tensor) -> Tensor:
    """Windows (N, C, L) with missing cells replaced by what the generator makes of the rest."""
    if not bool(absent.any()):
        return windows
    x = torch.where(absent, 0.0, windows)
    rows = absent.flatten(1).any(1)
    rebuilt = networks.generator(networks.encoder(x[rows]))
    x[rows] = torch.where(absent[rows], rebuilt, x[rows])
    return x


def neighbour_distance(memory: Memory, features: Tensor) -> Tensor:
    """Features (N, F) -> the mean distance (N,) to the nearest remembered ones.

    The nearest are found by a fast matrix product, whose rounding depends on N; their distances are then taken
    exactly, so that a window scores the same alone and in a batch.
    """
    points = (features - memory.centre) / memory.spread  # (N, F)
    rough = torch.cdist(points, memory.features, compute_mode="use_mm_for_euclid_dist")  # (N, M)
    nearest = rough.topk(min(NEIGHBOURS, rough.shape[1]), dim=1, largest=False, sorted=False).indices  # (N, K)
    between = points[:, None, :] - memory.features[nearest]  # (N, K, F)
    return between.square().sum(2).sqrt().mean(1)


@torch.inference_mode()
def remember(networks: Networks, windows: Tensor) -> Memory:
    """The memory of normal windows (M, C, L), scaled, without NaN."""
    features = torch.cat([networks.discriminator(chunk)[1] for chunk in torch.split(windows, CHUNK)])  # (M, F)
    centre, spread = features.mean(0), features.std(0, correction=0).clamp_min(1e-3)
    return Memory((features - centre) / spread, centre, spread)


@torch.inference_mode()
def usual_errors(networks: Networks, windows: Tensor) -> Usual:
    """Each channel's usual errors on normal windows (N, C, L), NaN = missing; both with a floor."""
    square, largest = torch.zeros(windows.shape[1]), []
    for chunk in torch.split(windows, CHUNK):
        absent = chunk.isnan()
        x = complete(networks, chunk, absent)
        error = (x - networks.generator(networks.encoder(x))).masked_fill(absent, 0.0)  # (N, C, L)
        square += error.square().mean(2).sum(0)
        largest.append(error[:, :, -newest_span(windows.shape[2]) :].abs().amax(2))  # (N, C)
    usual = (square / len(windows)).sqrt().clamp_min(USUAL_FLOOR)
    peak = torch.quantile(torch.cat(largest), PEAK_QUANTILE, dim=0)
    return Usual(usual, torch.maximum(peak, usual))


def score_on_one_thread() -> None:
    """For a process that scores small batches all day: they gain nothing from more threads, and idle ones spin."""
    torch.set_num_threads(1)
