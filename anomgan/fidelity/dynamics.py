"""Whether a channel remembers itself, and the channels each other, as the real ones do."""

import numpy as np

from anomgan.fidelity.sample import Pieces
from anomgan.records import Floats

STILL = 1e-9
"""spreads; a channel that varies less stands still, and is correlated with nothing"""


def correlations(pieces: Pieces, lags: int) -> Floats:
    """Correlation of channel i with channel j `k` rows later: (K + 1, C, C) for lags k = 0 to K.

    r_ij(k) = mean of z_i(t) z_j(t + k) over the pairs of rows that are there, z standardised over the whole sample
    (Box & Jenkins, Time Series Analysis, 1970, ch. 11). A channel that stands still has 0 with all, itself too; so
    has a lag that no piece is long enough for.
    """
    rows = np.concatenate(pieces)
    there = np.isfinite(rows)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, rows, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(there, rows - mean, 0.0) ** 2).sum(axis=0) / count)
    moving = spread > STILL
    scale = np.where(moving, spread, np.inf)
    total = np.zeros((lags + 1, rows.shape[1], rows.shape[1]))
    pairs = np.zeros_like(total)
    for piece in pieces:
        known = np.isfinite(piece).astype(np.float64)
        z = np.where(known > 0, (piece - mean) / scale, 0.0)
        for k in range(min(lags + 1, len(piece))):
            total[k] += z[: len(z) - k].T @ z[k:]
            pairs[k] += known[: len(z) - k].T @ known[k:]
    return total / np.maximum(pairs, 1.0)


def autocorrelation_difference(real: Floats, other: Floats) -> Floats:
    """Of two results of `correlations`: root mean square difference of each channel's own, over lags 1 to K (C,).

    0 = the same memory. The ACF score of Wiese et al., Quantitative Finance 20(9), 2020, per channel and as a
    mean instead of a norm, so that it does not grow with the number of lags.
    """
    apart = np.diagonal(real[1:] - other[1:], axis1=1, axis2=2)  # (K, C)
    return np.asarray(np.sqrt((apart**2).mean(axis=0)))


def cross_correlation_difference(real: Floats, other: Floats) -> Floats:
    """Of two results of `correlations`: root mean square difference of each pair, over lags -K to K (C, C).

    Symmetric, 0 on the diagonal, where the autocorrelation has its own figure. 0 = the channels go together as they do.
    """
    squared = (real - other) ** 2
    both = squared.sum(axis=0) + squared[1:].sum(axis=0).T  # r_ij(-k) = r_ji(k)
    apart = np.sqrt(both / (2 * len(squared) - 1))
    np.fill_diagonal(apart, 0.0)
    return np.asarray(apart)
