"""The witnesses: what the networks say of a window, as raw statistics that `calibrate` gives a meaning.

Each is a distance from normal windows, zero at their centre; the first three are Mahalanobis distances (`gaussian`) of
pyramids (`pyramid`), which see faults of every length:

- discriminator: of its activations in all layers and of its output. The output alone saturates, or inverts, far from
  everything it was trained on; how it came to it does not;
- reconstruction: of the residual, the window less generator(encoder(window)): what normal windows cannot be like;
- pattern: of the window itself: what normal windows could be like, and hardly ever are;
- level: the largest mean deviation of a channel from its centre over the newest eighth of the window. A fault of one
  channel drowns in a distance over many.

A missing cell is completed by the generator (one more pass, only for windows that miss something) and has no residual.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from anomgan.course import courses, usual
from anomgan.gan.networks import Networks
from anomgan.gan.shape import Shape
from anomgan.gaussian import Gaussian, distance, fit_gaussian, shares
from anomgan.pyramid import block_sizes, pyramid

WITNESSES = ("discriminator", "reconstruction", "pattern", "level")
"""the statistics that are calibrated and fused, by their names in `Look`"""
SPACES = ("discriminator", "reconstruction", "pattern")
"""the witnesses that are distances in a space of their own"""
NEWEST_SHARE = 8
MOST_MASKED = 2
CHUNK = 512

Normal = Mapping[str, Gaussian]
"""by space, where normal windows lie in it"""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the networks say of N windows of C channels.

    discriminator, reconstruction, pattern, level (N,): raw statistics; missing (N,): share of absent cells.
    logit (N,): the discriminator's output, high for real.
    error (N, C) >= 0: what each channel adds to the squared distances of reconstruction and pattern, by the share of it
    that is not missing.
    expected (N, C): the generator's newest row. odd, odd_expected (N, C): the row of the newest eighth in which a
    channel is furthest from what the generator makes of it, and what was expected there. All scaled.
    course (N, C, 5): since when and how a channel is beyond its own normal error (`course`), NaN where it is not.
    """

    discriminator: Tensor
    reconstruction: Tensor
    pattern: Tensor
    level: Tensor
    missing: Tensor
    logit: Tensor
    error: Tensor
    expected: Tensor
    odd: Tensor
    odd_expected: Tensor
    course: Tensor


@torch.inference_mode()
def look(networks: Networks, normal: Normal, windows: Tensor) -> Look:
    """What the networks say of scaled windows (N, C, L), NaN = missing."""
    parts = [_look(networks, normal, chunk) for chunk in torch.split(windows, CHUNK)]
    return Look(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Look)))


def _look(networks: Networks, normal: Normal, windows: Tensor) -> Look:
    x, absent = complete(networks, windows)
    rebuilt = networks.generator(networks.encoder(x))  # (N, C, L)
    residual = _residual(x, rebuilt, absent)
    points = _points(networks, x, residual)
    span = newest_span(x.shape[2])
    newest = slice(-span, None)
    oddest = residual[:, :, newest].abs().argmax(2, keepdim=True)  # (N, C, 1)
    added = sum(shares(normal[space], points[space]) for space in ("reconstruction", "pattern"))  # (N, C P)
    error = torch.as_tensor(added).reshape(*x.shape[:2], -1).sum(2).clamp_min(0.0)  # (N, C)
    return Look(
        **{space: distance(normal[space], points[space]) for space in SPACES},
        level=x[:, :, newest].mean(2).abs().amax(1),
        missing=torch.zeros(len(x)) if absent is None else absent.float().mean((1, 2)),
        logit=points["discriminator"][:, -1],
        error=error if absent is None else error * (1.0 - absent.float().mean(2)),
        expected=rebuilt[:, :, -1],
        odd=windows[:, :, newest].gather(2, oddest)[:, :, 0],
        odd_expected=rebuilt[:, :, newest].gather(2, oddest)[:, :, 0],
        course=_courses(networks, normal, windows, x, residual, span),
    )


def _courses(networks: Networks, normal: Normal, windows: Tensor, x: Tensor, residual: Tensor, span: int) -> Tensor:
    """The course (N, C, 5) of every channel that is beyond its own error for itself.

    One faulty channel makes the generator expect the wrong thing of the others. So the channel that is furthest off
    is taken for missing and the rest is looked at again, until nothing else is off or MOST_MASKED are.
    """
    known = usual(normal["reconstruction"], x.shape[1])
    course = courses(known, x, residual, span)
    odd = (~course[:, :, 0].isnan()).any(1).nonzero()[:, 0]
    if len(odd) == 0:
        return course
    masked, found = windows[odd].clone(), course[odd]
    left = residual[odd]
    settled = torch.zeros(found.shape[:2], dtype=torch.bool)
    for _ in range(MOST_MASKED):
        still = (~found[:, :, 0].isnan() & ~settled).any(1)
        if not bool(still.any()):
            break
        size = ((left - known.mean[:, None]) / known.spread[:, None]).square()[:, :, -span:].mean(2)
        worst = torch.where(found[:, :, 0].isnan() | settled, -1.0, size).argmax(1)
        rows = still.nonzero()[:, 0]
        settled[rows, worst[rows]] = True
        masked[rows, worst[rows]] = torch.nan
        whole, absent = complete(networks, masked[rows])
        left[rows] = _residual(whole, networks.generator(networks.encoder(whole)), absent)
        again = courses(known, x[odd[rows]], left[rows], span)
        found[rows] = torch.where(settled[rows][:, :, None], found[rows], again)
    course[odd] = found
    return course


@torch.inference_mode()
def points_of(networks: Networks, windows: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Scaled windows (N, C, L), NaN = missing -> where they lie in each space, (N, F) each, and they completed."""
    x, absent = complete(networks, windows)
    residual = _residual(x, networks.generator(networks.encoder(x)), absent)
    return _points(networks, x, residual), x


def _points(networks: Networks, x: Tensor, residual: Tensor) -> dict[str, Tensor]:
    """Windows (N, C, L) and their residuals -> where they lie in each space, (N, F) each."""
    logits, layers = networks.discriminator(x)
    return {
        "discriminator": torch.cat([*(pyramid(layer).flatten(1) for layer in layers), logits.mean(1, keepdim=True)], 1),
        "reconstruction": pyramid(residual).flatten(1),
        "pattern": pyramid(x).flatten(1),
    }


@torch.inference_mode()
def fit_normal(networks: Networks, windows: Tensor) -> dict[str, Gaussian]:
    """Where normal windows (N, C, L), scaled, NaN = missing, lie in each space."""
    parts: dict[str, list[Tensor]] = {space: [] for space in SPACES}
    for chunk in torch.split(windows, CHUNK):
        for space, points in points_of(networks, chunk)[0].items():
            parts[space].append(points)
    return {space: fit_gaussian(torch.cat(points)) for space, points in parts.items()}


def space_sizes(shape: Shape) -> dict[str, int]:
    """F, the number of dimensions of each space."""
    levels = shape.channels * 2 * len(block_sizes(shape.window))
    return {
        "discriminator": sum(channels * 2 * len(block_sizes(length)) for channels, length in shape.layers) + 1,
        "reconstruction": levels,
        "pattern": levels,
    }


def newest_span(window: int) -> int:
    """How many rows of a window are its newest."""
    return max(2, window // NEWEST_SHARE)


def complete(networks: Networks, windows: Tensor) -> tuple[Tensor, Tensor | None]:
    """Windows with missing cells replaced by what the generator makes of the rest, and where those are; None where
    nothing is missing."""
    absent = windows.isnan()  # (N, C, L)
    if not bool(absent.any()):
        return windows, None
    x = torch.where(absent, 0.0, windows)
    rows = absent.flatten(1).any(1)
    rebuilt = networks.generator(networks.encoder(x[rows]))
    x[rows] = torch.where(absent[rows], rebuilt, x[rows])
    return x, absent


@torch.inference_mode()
def rebuilt(networks: Networks, windows: Tensor) -> Tensor:
    """Scaled windows (N, C, L), NaN = missing -> generator(encoder(window)), with what is missing completed first."""
    x, _ = complete(networks, windows)
    told: Tensor = networks.generator(networks.encoder(x))
    return told


def _residual(x: Tensor, rebuilt: Tensor, absent: Tensor | None) -> Tensor:
    """What the generator could not make of windows; a cell that is missing has none."""
    return x - rebuilt if absent is None else (x - rebuilt).masked_fill(absent, 0.0)


def score_on_one_thread() -> None:
    """For a process that scores small batches all day: they gain nothing from more threads, and idle ones spin."""
    torch.set_num_threads(1)
