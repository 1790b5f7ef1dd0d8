"""What is compared: stretches of rows without a gap, in spreads of the real data, and the windows cut from them.

A sample is a tuple of pieces (T_i, C), each a stretch of consecutive rows: a gap starts another piece, so that no
window and no lag spans one. Values are (x - centre) / spread with centre and spread of the real data (`scaling`), so
every channel counts the same whatever its unit. A missing value is held for a quarter window, as the detector does;
what is missing longer is NaN, and a window that holds one is left out.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.scaling import Scaler, usable
from anomgan.windows import WindowRule, hold_missing, segment_starts

Series = TimeSeries | Floats
Given = Series | Sequence[TimeSeries]
"""one series, a bare array (T, C) or (T,), or several series with the same channels"""
Pieces = tuple[Floats, ...]

GAP_PERIODS = 10.0


def as_series(given: Given, what: str) -> list[TimeSeries]:
    """One by one; DataError, which says `what` they are, where there is none or their channels differ."""
    several = [given] if isinstance(given, TimeSeries | np.ndarray) else list(given)
    ready = [one if isinstance(one, TimeSeries) else series_from_array(one) for one in several]
    if not ready:
        raise DataError(f"{what}: not a single series")
    for one in ready[1:]:
        check_channels(one.channels, ready[0].channels, what, "its first series")
    gone = np.all([np.isnan(usable(one.values)).all(axis=0) for one in ready], axis=0)
    if gone.any():
        raise DataError(f"{what}: channel {ready[0].channels[int(np.argmax(gone))]!r} has not a single value")
    return ready


def check_channels(channels: Sequence[str], wanted: Sequence[str], what: str, whose: str) -> None:
    """DataError that names what is missing or too much, or says that only the order differs."""
    if tuple(channels) == tuple(wanted):
        return
    missing, besides = ([n for n in a if n not in b] for a, b in ((wanted, channels), (channels, wanted)))
    said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(besides)} besides"] * bool(besides)
    raise DataError(f"{what}: {' and '.join(said) or 'has the channels in another order'}, compared with {whose}")


def pieces_of(several: Sequence[TimeSeries], scaler: Scaler, window: int) -> Pieces:
    """The rows of series in spreads, cut at their gaps; missing values held for a quarter window."""
    pieces = []
    for one in several:
        rule = WindowRule(window, 1, GAP_PERIODS * one.period_s, window // 4)
        starts = segment_starts(one.times, rule)
        scaled = (usable(one.values) - scaler.centre) / scaler.spread
        rows = hold_missing(scaled.astype(np.float32), starts, rule).astype(np.float64)
        pieces += np.split(rows, np.flatnonzero(np.diff(starts)) + 1)
    return tuple(pieces)


def rows_in(pieces: Pieces) -> int:
    """How many rows there are."""
    return sum(map(len, pieces))


def column(pieces: Pieces, channel: int) -> Floats:
    """The values of one channel that are there (n,)."""
    values = np.concatenate([piece[:, channel] for piece in pieces])
    return np.asarray(values[np.isfinite(values)])


def windows_of(pieces: Pieces, length: int, stride: int) -> Floats:
    """Whole windows (N, C, L), every `stride` rows of each piece; those with a missing value are left out."""
    channels = pieces[0].shape[1]
    cut = [
        np.lib.stride_tricks.sliding_window_view(piece, length, axis=0)[::stride]
        for piece in pieces
        if len(piece) >= length
    ]
    windows = np.concatenate([np.empty((0, channels, length)), *cut])
    return np.asarray(windows[np.isfinite(windows).all(axis=(1, 2))])


def squashed(windows: Floats) -> Floats:
    """arcsinh of values in spreads: linear near normal, logarithmic far out, as the detector sees them."""
    return np.asarray(np.arcsinh(windows))


def spaced(count: int, wanted: int) -> NDArray[np.intp]:
    """At most `wanted` of `count` indices, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(np.intp))


def halves(series: Given, blocks: int = 10) -> tuple[list[TimeSeries], list[TimeSeries]]:
    """Real data in two halves that have seen the same times: blocks of time, taken in turn.

    Cut at one moment, the halves of a machine that slowly drifts differ by the drift, and no generator is to blame.
    Raises DataError where a block would have fewer than two rows.
    """
    several = as_series(series, "the real data")
    if len(several) > 1:
        blocks = max(2, blocks // len(several) // 2 * 2)
    one: list[TimeSeries] = []
    other: list[TimeSeries] = []
    for whole in several:
        if len(whole) < 2 * blocks:
            raise DataError(f"the real data: {len(whole)} rows are too few to be cut into {blocks} blocks")
        edges = np.linspace(0, len(whole), blocks + 1).round().astype(int)
        for i, (start, stop) in enumerate(pairwise(edges)):
            (one if i % 2 == 0 else other).append(whole[int(start) : int(stop)])
    return one, other
