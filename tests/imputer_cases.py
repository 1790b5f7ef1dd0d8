"""A device with five channels and a mode, a fault of its sensors, and a small detector and synthesizer of it."""

from dataclasses import replace

import numpy as np
import pytest

from anomgan.config import DetectorConfig, SynthesizerConfig
from anomgan.detector import Detector
from anomgan.records import TimeSeries, series_from_array
from anomgan.synthesis.synthesizer import Synthesizer

CHANNELS = ("flow", "pressure", "speed", "current", "power", "mode")
WINDOW = 16
BEGINS, ENDS = 120, 150
SIZE = 6.0
"""of the fault; that of the noise is 0.3"""


def plant(rows: int, seed: int, device: str = "pump") -> TimeSeries:
    """Five coupled waves with noise, and a mode that is 0 and 1 by turns."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * (np.arange(rows) / 24 + rng.uniform())
    waves = [np.sin(phase + c) + 10.0 * c for c in range(5)]
    values = np.stack([*waves, (np.arange(rows) // 60 % 2).astype(float)], axis=1)
    values[:, :5] += 0.3 * rng.normal(size=(rows, 5))
    return replace(series_from_array(values, channels=CHANNELS), device=device)


def with_fault(healthy: TimeSeries, *channels: str) -> TimeSeries:
    """The same with channels that show too much for a while."""
    values = healthy.values.copy()
    for name in channels:
        values[BEGINS:ENDS, CHANNELS.index(name)] += SIZE
    return replace(healthy, values=values)


@pytest.fixture(scope="session")
def judge() -> Detector:
    """The detector."""
    small = DetectorConfig(window=WINDOW, stride=2, steps=100, latent=6, width=8, batch=16, device="cpu")
    return Detector.fit(plant(700, 0), small)


@pytest.fixture(scope="session")
def maker() -> Synthesizer:
    """The synthesizer."""
    config = SynthesizerConfig(window=WINDOW, width=12, latent=8, steps=200, batch=32, device="cpu")
    return Synthesizer.fit(plant(700, 0), config)


@pytest.fixture(scope="session")
def healthy() -> TimeSeries:
    """Rows that neither has seen."""
    return plant(260, 1)
