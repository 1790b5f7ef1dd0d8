"""A process whose rhythm and strength wander, and generators of it that leak or do not."""

import numpy as np

from anomgan.privacy import Sample, sliding_windows
from anomgan.records import Floats, series_from_array
from anomgan.scaling import fit_scaler

LENGTH = 16
RUN = 64
"""rows that a copying generator takes at a time"""


def process(rows: int, rng: np.random.Generator, channels: int = 3) -> Floats:
    """(rows, channels), stationary, no two stretches alike."""
    phase = 2 * np.pi * (np.cumsum((1 + 0.05 * rng.normal(size=rows)) / 24) + rng.uniform())
    strength = 1 + 0.3 * np.sin(2 * np.pi * (np.arange(rows) / 311 + rng.uniform()))
    pure = np.stack([(c + 1) * strength * np.sin(phase + c) + 10 * c for c in range(channels)], axis=1)
    return np.asarray(pure + 0.1 * rng.normal(size=pure.shape))


def copied(rows: Floats, count: int, rng: np.random.Generator, noise: float = 0.01) -> Floats:
    """Stretches of the rows one after another, with a little noise."""
    starts = rng.integers(0, len(rows) - RUN, -(-count // RUN))
    made = np.concatenate([rows[start : start + RUN] for start in starts])[:count]
    return np.asarray(made + noise * rng.normal(size=made.shape))


def samples(train: Floats, *others: Floats, length: int = LENGTH) -> list[Sample]:
    """Windows of each, in the scale of the first."""
    scaler = fit_scaler(train)
    return [sliding_windows(series_from_array(rows), scaler, length) for rows in (train, *others)]
