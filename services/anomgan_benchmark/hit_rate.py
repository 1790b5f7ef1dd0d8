"""HitRate@P%: whether a detector points at the channels that people named (Su et al., KDD 2019).

    HitRate@P% = |the first floor(P% |GT|) channels that are in GT| / |GT|

GT are the channels labelled for a segment; a detector ranks the channels by their contribution over the segment, the
mean over its rows weighted by their score. A ranking by chance is expected to hit min(floor(P% |GT|), C) / C.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.matching import Span
from anomgan.records import Floats
from anomgan_benchmark.layouts import Segment

LEVELS = (100, 150)


@dataclass(frozen=True, slots=True)
class Hits:
    """One segment: the hit rate and that expected of chance, at each of LEVELS; whether an event overlaps it."""

    rates: tuple[float, ...]
    chance: tuple[float, ...]
    found: bool


def segment_hits(
    contribution: NDArray[Any] | None,
    scores: Floats,
    events: Sequence[Span],
    times: Floats,
    segments: Sequence[Segment],
) -> list[Hits]:
    """Every segment's hits, from contribution (T, C) and scores (T,); none where the detector tells no contribution.

    A segment without a scored row is ranked by chance, and gets what chance expects.
    """
    if contribution is None:
        return []
    hits = []
    for segment in segments:
        rows = slice(segment.start, segment.end + 1)
        weight = mean_contribution(contribution[rows], scores[rows])
        chance = tuple(expected_hit_rate(len(segment.channels), contribution.shape[1], p) for p in LEVELS)
        rates = chance if weight is None else tuple(hit_rate(weight, segment.channels, p) for p in LEVELS)
        start_s, end_s = times[segment.start], times[segment.end]
        hits.append(Hits(rates, chance, any(e.start_s <= end_s and e.end_s >= start_s for e in events)))
    return hits


def mean_contribution(contribution: NDArray[Any], scores: Floats) -> Floats | None:
    """Rows (T, C) and their scores (T,) -> (C,), weighted by the scores; None where no row has a score."""
    known = np.isfinite(scores) & np.isfinite(contribution).all(axis=1)
    if not known.any():
        return None
    weight = scores[known]
    if weight.sum() <= 0.0:
        weight = np.ones_like(weight)
    result: Floats = weight @ contribution[known].astype(np.float64) / weight.sum()
    return result


def hit_rate(weight: Floats, channels: Sequence[int], percent: int) -> float:
    """The share of the labelled channels among the first floor(percent |GT|) by weight (C,), ties in their order."""
    first = np.argsort(-weight, kind="stable")[: percent * len(channels) // 100]
    return len(set(first.tolist()) & set(channels)) / len(channels)


def expected_hit_rate(labelled: int, channels: int, percent: int) -> float:
    """The mean hit rate of a random ranking of so many channels."""
    return min(percent * labelled // 100, channels) / channels
