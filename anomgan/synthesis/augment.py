"""More of what a training set has too little of: variations of its windows, the rare ones above all.

A window is drawn with a probability that grows with its rarity (`rarity`), at least half of it is hidden, and the
synthesizer completes it and goes on from there. So what is made has a real mode's beginning, and a course of its own.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.gan.hide import hide
from anomgan.pool import spaced
from anomgan.records import Floats, TimeSeries
from anomgan.synthesis.conditions import columns_of, of_series
from anomgan.synthesis.filling import completed, continue_rows
from anomgan.synthesis.fit import Learned, filled
from anomgan.synthesis.marginals import to_scores, to_values
from anomgan.synthesis.rarity import rarity
from anomgan.synthesis.scales import told_scale
from anomgan.windows import WindowRule, due_ends, gather_windows, segment_starts

PIECE = 2
"""windows' lengths of rows in a piece"""
SHOWN_AT_MOST = 0.5
MOST = 2000
"""windows that are looked at for how rare they are"""
BATCH = 64


class _Real(NamedTuple):
    """Windows (N, C, L) as normal scores; of their newest rows the conditions (N, K), the values of the columns among
    those (N, M), and where they stand (N,) were all series one behind the other."""

    windows: NDArray[np.float32]
    conditions: NDArray[np.float32]
    columns: Floats
    at: NDArray[np.int64]


def vary(
    learned: Learned,
    series: Sequence[TimeSeries],
    rows: int,
    power: float,
    seed: int,
    on_pieces: Callable[[int, int], None] | None = None,
) -> TimeSeries:
    """At least `rows` rows in pieces of PIECE windows, apart by gaps in time.

    A window is drawn with a probability as its rarity to the `power`. The channels are the model's, and behind them the
    columns that it is conditioned on. DataError where the series have no window without a gap.
    """
    window = learned.networks.shape.window
    x, y, columns, at = _real(learned, series)
    rng, dice = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    weights = rarity(x, at) ** power
    chances = weights / weights.sum() if weights.sum() > 0 else None
    length = PIECE * window
    count = -(-rows // length)
    drawn = rng.choice(len(x), count, p=chances)
    pieces: list[Floats] = []
    for begin in range(0, count, BATCH):
        some = drawn[begin : begin + BATCH]
        real, under = torch.from_numpy(x[some]), torch.from_numpy(y[some])
        known = hide(real, dice)
        known &= known.float().mean((1, 2), keepdim=True) <= SHOWN_AT_MOST
        varied = completed(learned.networks, real, known, under, dice)
        made = continue_rows(learned.networks, varied, np.repeat(y[some][:, None], length, 1), dice)
        values = to_values(learned.marginals, made)  # (D, T, C)
        pieces += list(np.concatenate([values, np.repeat(columns[some][:, None], length, 1)], axis=2))
        if on_pieces is not None:
            on_pieces(len(pieces), count)
    gap_s = 2.0 * (learned.config.max_gap_s or 10.0 * learned.period_s)
    own_s = learned.period_s * np.arange(length)
    times = np.concatenate([k * (own_s[-1] + gap_s) + own_s for k in range(count)])
    told = columns_of(learned.conditions)
    names, units = (*learned.channels, *told), (*learned.units, *("" for _ in told))
    return TimeSeries(times, np.concatenate(pieces), names, None, units, "augmented")


def _real(learned: Learned, series: Sequence[TimeSeries]) -> _Real:
    """At most MOST windows without a gap, evenly spaced; DataError for none."""
    window, width = learned.networks.shape.window, len(learned.channels)
    rule = WindowRule(window, 1, learned.config.max_gap_s or 0.0, 0)
    most, before = -(-MOST // len(series)), 0
    found: list[_Real] = []
    for one in series:
        starts = segment_starts(one.times, rule)
        ends = due_ends(starts, rule)
        if len(ends):
            ends = ends[spaced(len(ends), most)]
            scores = filled(to_scores(learned.marginals, one.values[:, :width]), starts)
            windows = gather_windows(scores, ends, window)
            told = told_scale(of_series(learned.conditions, one)[ends], 0, learned.networks.shape.scales)
            columns = one.values[ends][:, [one.channels.index(name) for name in columns_of(learned.conditions)]]
            found.append(_Real(windows, told, columns, ends + before))
        before += len(one) + window
    if not found:
        raise DataError(f"no {window} consecutive rows without a gap to make variations of")
    return _Real(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
