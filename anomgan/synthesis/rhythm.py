"""How channels go together and after each other in private data, and windows that go alike: stand-ins for real ones.

The generator learns to complete windows, but may be shown no private one. So it is shown draws of a Gaussian process
with the data's own correlations of every channel with every other at every lag within a window, released once with
noise; what real windows are beyond that, it learns from the discriminator. Channels being normal scores, a Gaussian
process has the right distributions too.

What noise alone would make of the correlations is known, so that as much of what was released is given up: of its
principal components those stay that are larger than any of noise, and what they leave of a cell's variance is white.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from anomgan.records import Floats
from anomgan.synthesis.blocks import Blocks, Rows, noised

SEEN = 4.0
"""standard deviations of the noise that a channel's power is taken for at least"""


def private_correlations(
    rows: Rows, blocks: Blocks, lags: int, noise_multiplier: float, rng: np.random.Generator
) -> Floats:
    """Products of scores (T, C) at lags 0 to lags - 1, (lags, C, C), each block's scaled to a length of 1, their sum
    over blocks with noise."""
    total = np.zeros((lags, rows.shape[1], rows.shape[1]))
    own, last = np.zeros_like(total), -1
    edges = np.flatnonzero(np.diff(blocks.starts, prepend=-1, append=-1))
    for begin, end in itertools.pairwise(edges):
        if blocks.block[begin] != last:
            total += _short(own)
            own, last = np.zeros_like(total), int(blocks.block[begin])
        part = rows[begin:end].astype(np.float64)
        for lag in range(min(lags, len(part))):
            own[lag] += part[: len(part) - lag].T @ part[lag:]
    return noised(total + _short(own), noise_multiplier, 1.0, rng)


class StandIns:
    """Draws of a Gaussian process with the correlations (L, C, C) that were released of blocks of so many rows; every
    cell's variance is 1."""

    def __init__(
        self, correlations: Floats, block_rows: int, noise_multiplier: float, rng: np.random.Generator
    ) -> None:
        self._lags, self._channels = correlations.shape[:2]
        pairs = (block_rows - np.arange(self._lags)) / block_rows  # a block has fewer the longer the lag
        scale = np.sqrt(np.maximum(np.diagonal(correlations[0]), SEEN * noise_multiplier))
        units = np.outer(scale, scale) * pairs[:, None, None]
        chance = noised(np.zeros_like(correlations), noise_multiplier, 1.0, rng)
        told, told_by_chance = (_covariance(one / units) for one in (correlations, chance))
        values, vectors = np.linalg.eigh(told)
        kept = values > np.linalg.eigvalsh(told_by_chance)[-1]
        mixing = vectors[:, kept] * np.sqrt(values[kept])  # (L C, components)
        explained = (mixing**2).sum(1)
        self._mixing = mixing / np.sqrt(np.maximum(explained, 1.0))[:, None]
        self._white = np.sqrt(np.maximum(1.0 - explained, 0.0))

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        """Windows (count, C, L) of normal scores."""
        cells = rng.standard_normal((count, self._mixing.shape[1])) @ self._mixing.T
        cells += self._white * rng.standard_normal(cells.shape)
        windows = cells.reshape(count, self._lags, self._channels).transpose(0, 2, 1)
        return np.ascontiguousarray(windows, dtype=np.float32)


def _short(products: Floats) -> Floats:
    """Scaled to a length of 1, where they are longer."""
    short: Floats = products / max(1.0, float(np.linalg.norm(products)))
    return short


def _covariance(correlations: Floats) -> Floats:
    """(L, C, C) products of channels at lags -> (L C, L C) of all cells of a window."""
    lags, channels = correlations.shape[:2]
    whole = np.zeros((lags, channels, lags, channels))
    for row in range(lags):
        for later in range(row, lags):
            whole[row, :, later] = correlations[later - row]
            whole[later, :, row] = correlations[later - row].T
    flat = whole.reshape(lags * channels, -1)
    covariance: Floats = (flat + flat.T) / 2.0
    return covariance
