"""Channels' distributions from private data: histograms with noise, over ranges that are known without the data.

Twice, for a range is mostly wider than what a channel does: first over the range, then over what of it holds more than
the noise. Each block of time has one vote, shared among its rows. A count that noise alone explains is taken for none.
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
SEEN = 2.0
"""standard deviations of the noise from which a count is more than noise"""
SURE = 4.0
"""the same for where a channel goes at all"""
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
            "value from elsewhere than the data, for these tell too"
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
    rows = np.bincount(blocks.block, minlength=blocks.count)
    votes = 1.0 / np.maximum(rows, most_rows)[blocks.block]  # (T,)
    most = sqrt(values.shape[1])  # of a block, whose votes in each channel are 1 at most
    edges = [_bins(one) for one in ranges]
    for turn in range(ROUNDS):
        counts = [
            noised(_histogram(column, votes, edge), noise_multiplier, most, rng)
            for column, edge in zip(values.T, edges, strict=True)
        ]
        if turn < ROUNDS - 1:
            floor = SURE * noise_multiplier * most
            edges = [_closer(*told, floor) for told in zip(ranges, edges, counts, strict=True)]
    floor = SEEN * noise_multiplier * most
    tail = 0.5 / (blocks.count * most_rows)
    return tuple(_marginal(*told, floor, tail) for told in zip(ranges, edges, counts, strict=True))


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


def _histogram(column: Floats, votes: Floats, edges: Floats) -> Floats:
    """(len(edges) - 1,) votes of the values (T,) that are known; those beyond the edges count in the last bins."""
    known = ~np.isnan(column)
    place = np.searchsorted(edges, column[known], "right") - 1
    counts = np.bincount(place.clip(0, len(edges) - 2), votes[known], len(edges) - 1)
    return np.asarray(counts, np.float64)


def _closer(one: Range, edges: Floats, counts: Floats, floor: float) -> Floats:
    """Bins over the part of a range where counts are above the floor."""
    seen = np.flatnonzero(counts > floor)
    if _discrete(one, edges) or len(seen) == 0:
        return edges
    low, high = edges[seen[0]], edges[seen[-1] + 1]
    if len(one) == 3:  # bins begin and end between values
        low, high = (one[0] + one[2] * (round((end - one[0]) / one[2]) - 0.5) for end in (low, high))
        if round((high - low) / one[2]) <= BINS:
            return np.arange(low, high + one[2] / 2.0, one[2])
    return np.linspace(low, high, BINS + 1)


def _marginal(one: Range, edges: Floats, counts: Floats, floor: float, tail: float) -> Marginal:
    """The distribution that noisy counts tell of; even over all bins, where there is nothing but noise."""
    told = np.where(counts > floor, counts, 0.0)
    if not told.any():
        told = np.ones_like(counts)
    used = np.flatnonzero(told)
    told, edges = told[used[0] : used[-1] + 1], edges[used[0] : used[-1] + 2]
    shares = np.concatenate([[0.0], np.cumsum(told) / told.sum()])
    low, high = np.interp([0.05, 0.95], shares, edges)
    spread = float(high - low) / 3.29 or float(edges[-1] - edges[0])
    if _discrete(one, edges):
        middle = (edges[1:] + edges[:-1])[told > 0] / 2.0
        values = np.repeat(middle, 2)
        shares = np.stack([shares[:-1][told > 0], shares[1:][told > 0]], 1).ravel()
    else:
        values = edges.clip(one[0], one[1])
    scores = np.array([_NORMAL.inv_cdf(float(np.clip(share, tail, 1.0 - tail))) for share in shares])
    return Marginal(scores, values, spread, _decimals(one))


def _decimals(one: Range) -> int:
    """As many as the step has, or as a small part of the range needs."""
    if len(one) == 3:
        exact = (p for p in range(MOST_DECIMALS + 1) if all(abs(round(v, p) - v) < 1e-9 * one[2] for v in one[::2]))
        return next(exact, -1)
    places = FINE - ceil(log10(one[1] - one[0]))
    return max(0, places) if places <= MOST_DECIMALS else -1
