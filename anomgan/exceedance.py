"""Promised probabilities against measured shares: how many held-out normal windows reach a surprise.

Each fold of the held-out windows is judged by a calibration that the other folds made, so that no window says how odd
itself is: what is measured is the way of calibrating, on windows that it has not seen. A fold is a run of neighbours;
beside it as many windows as share rows with it are left out. Windows share rows, so the interval is that of
clusters: exceedances with fewer windows between them than share rows are one (the runs of Smith & Weissman 1994).
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from anomgan.calibrate import Tail, fit_tail, fuse, surprise
from anomgan.rates import poisson_interval
from anomgan.records import Floats

FOLDS = 5
FEWEST_APART = 10
"""windows that share no row, below which nothing can be measured"""
FIRST_SURPRISE, SURPRISE_STEP = 0.5, 0.25


def held_out_surprises(said: Mapping[str, Floats], weights: Mapping[str, float], overlap: int) -> Floats:
    """By witness its statistic (N,) of held-out windows in order -> their surprises (N,), each by the other folds.

    About `overlap` neighbours share rows. (0,) where the windows are too few to tell.
    """
    count = len(next(iter(said.values())))
    if count < FEWEST_APART * overlap or count < 2 * FOLDS:
        return np.empty(0)
    cuts = np.linspace(0, count, FOLDS + 1).round().astype(int)
    index = np.arange(count)
    judged = []
    for low, high in pairwise(cuts):
        others = (index < low - overlap) | (index >= high + overlap)
        judge = _calibrated({name: values[others] for name, values in said.items()}, weights, overlap)
        judged.append(judge({name: values[low:high] for name, values in said.items()}))
    return np.concatenate(judged)


def _calibrated(
    said: Mapping[str, Floats], weights: Mapping[str, float], overlap: int
) -> Callable[[Mapping[str, Floats]], Floats]:
    """What a calibration from these statistics says of others, as `fit` makes one."""
    tails = {name: fit_tail(values, overlap) for name, values in said.items()}
    amounts = np.array([weights[name] for name in said])

    def fused(of: Mapping[str, Floats]) -> Floats:
        return fuse(np.stack([surprise(tails[name], of[name]) for name in said]), amounts)

    whole: Tail = fit_tail(fused(said), overlap, prior_shape=0.0)
    return lambda of: surprise(whole, fused(of))


def exceedances(surprises: Floats, overlap: int) -> dict[str, Any]:
    """Surprises (N,) of normal windows in order -> columns over the surprises that at least one window is promised to
    reach: promised and measured share, the latter's 95 % interval, windows and clusters. JSON types."""
    count = len(surprises)
    table: dict[str, Any] = {"windows": count, "overlap": overlap, "apart": count // max(overlap, 1)}
    columns: dict[str, list[float]] = {
        name: [] for name in ("surprise", "promised", "measured", "low", "high", "reached", "clusters")
    }
    size = float(overlap)
    highest = math.log10(count) if count else 0.0
    for step in range(max(0, int((highest - FIRST_SURPRISE) // SURPRISE_STEP) + 1)):
        level = FIRST_SURPRISE + step * SURPRISE_STEP
        at = np.flatnonzero(surprises >= level)
        clusters = 1 + int((np.diff(at) > overlap).sum()) if len(at) else 0
        size = len(at) / clusters if clusters else size
        low, high = (min(end * size / count, 1.0) for end in poisson_interval(clusters))
        row = (level, 10.0**-level, len(at) / count, low, high, len(at), clusters)
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value if name in ("reached", "clusters") else float(f"{value:.4g}"))
    return table | columns
