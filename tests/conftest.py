"""What many tests share: one thread for torch, and one small detector trained once."""

import hypothesis
import pytest
import torch
from examples import normal_series

from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import TimeSeries

WINDOW = 16
STRIDE = 2


def pytest_configure() -> None:
    """Small networks run faster on one thread, and the same on every machine; a busy machine fails no example."""
    torch.set_num_threads(1)
    too_slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("anomgan", deadline=None, suppress_health_check=too_slow)
    hypothesis.settings.load_profile("anomgan")


@pytest.fixture(scope="session")
def config() -> DetectorConfig:
    """Small networks, few steps."""
    return DetectorConfig(window=WINDOW, stride=STRIDE, steps=100, latent=4, width=8, batch=16, device="cpu")


@pytest.fixture(scope="session")
def train_series() -> TimeSeries:
    """Six hundred normal rows of three channels."""
    return normal_series(600, seed=0)


@pytest.fixture(scope="session")
def detector(train_series: TimeSeries, config: DetectorConfig) -> Detector:
    """Trained on `train_series`; nobody may change it."""
    return Detector.fit(train_series, config)


@pytest.fixture
def series() -> TimeSeries:
    """Two hundred normal rows that the detector has not seen."""
    return normal_series(200, seed=1)
