"""Channels' distributions from private data: histograms with noise, over ranges that are known without the data.

Twice, for a range is mostly wider than what a channel does: first over the range, then over where there is more than
noise, and a bin on either side. Each block of time has one vote, shared among its rows. Noise would have a distribution
function fall here and there: taken is the middle between the least one above it and the greatest below that do not.
"""

from collections.abc import Mapping, Sequence
from math import ceil, log10, sqrt
from statistics import NormalDist

import numpy as np

from anomgan.errors import ConfigError
from anomgan.records import Floats
from anomgan.synthesis.blocks import Blocks, noised
from anomgan.synthesis.marginals import MOST_DECIMALS, Marginal

BINS = 64
ROUNDS = 2
SEEN = 4.0
"""standard deviations of the noise from which a count is more than noise"""
PARTS = 8
"""of a bin"""
FINE = 4
"""decimals of a range's width, where it has no step"""
Range = tuple[float, float] | tuple[float, float, float]
_NORMAL = NormalDist()


def check_ranges(ranges: Mapping[str, Range], channels: Sequence[str]) -> None:
    """ConfigError names the channels without a range, and ranges without a channel."""
    lacking = [name for name in channels if name not in ranges]
    strays = [name for name in ranges if name not in channels]
    if lacking:
        raise ConfigError(
            f"ranges: {', '.join(lacking)} without one; with an epsilon each channel needs its lowest and highest "
            "value from elsewhere than the data, for these tell too (`--range NAME=LOW:HIGH`)"
        )
    if strays:
        raise ConfigError(f"ranges: there is no channel {', '.join(strays)}; there are {', '.join(channels)}")


def private_marginals(
    values: Floats,
    ranges: Sequence[Range],
    blocks: Blocks,
    most_rows: int,
    noise_multiplier: float,
    rng: np.random.Generator,
) -> tuple[Marginal, ...]:
    """One for each channel of values (T, C), from ROUNDS looks at all blocks, which have at most `most_rows` rows.

    A block of more rows shares its vote among them.
    """
    most = sqrt(values.shape[1])  # of a block, whose votes in each channel are 1 at most
    noise = noise_multiplier * most
    edges = [_bins(one) for one in ranges]
    for turn in range(ROUNDS):
        counts = [noised(one, noise_multiplier, most, rng) for one in histograms(values, edges, blocks, most_rows)]
        if turn < ROUNDS - 1:
            edges = [_closer(*told, SEEN * noise) for told in zip(ranges, edges, counts, strict=True)]
    tail = 0.5 / (blocks.count * most_rows)
    return tuple(_marginal(*told, tail) for told in zip(ranges, edges, counts, strict=True))


def histograms(values: Floats, edges: Sequence[Floats], blocks: Blocks, most_rows: int) -> list[Floats]:
    """Of each channel of values (T, C) the votes (len(edges) - 1,) between its edges, of a block at most 1 in all.

    Values beyond the edges count in the outermost bins; missing ones do not.
    """
    rows = np.bincount(blocks.block, minlength=blocks.count)
    votes = 1.0 / np.maximum(rows, most_rows)[blocks.block]  # (T,)
    told = []
    for column, edge in zip(values.T, edges, strict=True):
        known, bins = ~np.isnan(column), len(edge) - 1
        place = (np.searchsorted(edge, column[known], "right") - 1).clip(0, bins - 1)
        told.append(np.bincount(place, votes[known], bins).astype(np.float64))
    return told


def _bins(one: Range) -> Floats:
    """The edges of equal bins over a range; a bin a value, where it has few."""
    low, high = one[0], one[1]
    if len(one) == 3 and round((high - low) / one[2]) < BINS:
        count = round((high - low) / one[2]) + 1
        return np.asarray(low + one[2] * (np.arange(count + 1) - 0.5), np.float64)
    return np.linspace(low, high, BINS + 1)


def _discrete(one: Range, edges: Floats) -> bool:
    """Whether each bin is one value."""
    return len(one) == 3 and bool(np.isclose(edges[1] - edges[0], one[2]))


def _closer(one: Range, edges: Floats, counts: Floats, floor: float) -> Floats:
    """Bins over the part of a range where counts are above the floor, and a bin on either side."""
    seen = np.flatnonzero(counts > floor)
    if _discrete(one, edges) or len(seen) == 0:
        return edges
    low, high = edges[max(0, seen[0] - 1)], edges[min(len(counts), seen[-1] + 2)]
    if len(one) == 3:  # bins begin and end between values
        low, high = (one[0] + one[2] * (round((end - one[0]) / one[2]) - 0.5) for end in (low, high))
        if round((high - low) / one[2]) <= BINS:
            return np.arange(low, high + one[2] / 2.0, one[2])
    return np.linspace(low, high, BINS + 1)


def _marginal(one: Range, edges: Floats, counts: Floats, tail: float) -> Marginal:
    """The distribution that noisy counts tell of; an even one, where these are less than nothing."""
    rising = np.cumsum(counts if counts.sum() > 0.0 else np.ones_like(counts))
    rising = (np.maximum.accumulate(rising) + np.minimum.accumulate(rising[::-1])[::-1]) / 2.0
    shares = np.concatenate([[0.0], (rising / rising[-1]).clip(0.0, 1.0)])
    told = np.diff(shares) > 0.0
    low, high = np.interp([0.05, 0.95], shares, edges)
    spread = float(high - low) / 3.29 or float(edges[-1] - edges[0])
    if _discrete(one, edges):
        values = np.repeat((edges[1:] + edges[:-1])[told] / 2.0, 2)
        shares = np.stack([shares[:-1][told], shares[1:][told]], 1).ravel()
    else:
        values = np.interp(np.arange(PARTS * len(counts) + 1) / PARTS, np.arange(len(edges)), edges)
        shares = np.interp(values, edges, shares)  # even within a bin, which scores are not
        values = values.clip(one[0], one[1])
    scores = np.array([_NORMAL.inv_cdf(float(np.clip(share, tail, 1.0 - tail))) for share in shares])
    return Marginal(scores, values, spread, _decimals(one))


def _decimals(one: Range) -> int:
    """As many as the step has, or as a small part of the range needs."""
    if len(one) == 3:
        exact = (p for p in range(MOST_DECIMALS + 1) if all(abs(round(v, p) - v) < 1e-9 * one[2] for v in one[::2]))
        return next(exact, -1)
    places = FINE - ceil(log10(one[1] - one[0]))
    return max(0, places) if places <= MOST_DECIMALS else -1
