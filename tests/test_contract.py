"""Every law of `contract` over the GAN and every baseline; then the laws that only the GAN can break."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from contract import LAWS, TOLERANCE, Scorer, Subject, normal_series, with_fault

from anomgan.baselines import BASELINES
from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import Floats, Reading, TimeSeries
from anomgan.stream import StreamDetector

Series = TimeSeries | Floats | Sequence[TimeSeries]
CONFIG = DetectorConfig(window=16, steps=120, latent=4, width=8, seed=0)
QUICK = CONFIG.model_copy(update={"steps": 40})
TRAIN, TEST = normal_series(600, seed=1), normal_series(300, seed=2)


def fit_quickly(series: Series) -> Detector:
    return Detector.fit(series, QUICK)


@pytest.fixture(scope="module")
def gan() -> Detector:
    return Detector.fit(TRAIN, CONFIG)


FITTERS: dict[str, Callable[[Series], Scorer]] = {"gan": fit_quickly} | {
    name: kind.fit for name, kind in BASELINES.items()
}


@pytest.fixture(scope="module", params=FITTERS)
def subject(request: pytest.FixtureRequest) -> Subject:
    fit = FITTERS[request.param]
    fitted = request.getfixturevalue("gan") if request.param == "gan" else fit(TRAIN)
    return Subject(fit, fitted, TRAIN, TEST)


BROKEN = {("iforest", "a_constant_channel_that_moves_at_last_counts")}
"""(detector, law): a forest never cuts where normal data do not vary."""


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[Subject], None], subject: Subject, request: pytest.FixtureRequest) -> None:
    if (request.node.callspec.params["subject"], law.__name__) in BROKEN:
        with pytest.raises(AssertionError):
            law(subject)
    else:
        law(subject)


def test_a_saved_and_loaded_detector_scores_the_same(gan: Detector, tmp_path: Path) -> None:
    gan.save(tmp_path / "pump.safetensors")
    loaded = Detector.load(tmp_path / "pump.safetensors")
    faulty = with_fault(TEST, 100, 150)
    np.testing.assert_array_equal(loaded.score(faulty), gan.score(faulty))
    assert (loaded.threshold, loaded.channels, loaded.config) == (gan.threshold, gan.channels, gan.config)


def test_a_batch_of_windows_scores_as_one_by_one(gan: Detector) -> None:
    windows = np.stack([TEST.values[at : at + 16].T for at in range(0, 280, 7)])  # (N, C, L)
    batch = gan.score_windows(windows)
    alone = np.array([gan.score_windows(window[None])[0] for window in windows])
    np.testing.assert_allclose(batch, alone, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("chunk", [1, 7, 400])
def test_the_stream_scores_as_offline_and_other_devices_change_nothing(gan: Detector, chunk: int) -> None:
    faulty, stream = with_fault(TEST[:120], 60, 80), StreamDetector(gan)
    readings = [
        reading
        for time_s, values in zip(faulty.times, faulty.values, strict=True)
        for reading in (
            Reading("pump", float(time_s), dict(zip(faulty.channels, values, strict=True))),
            Reading("noise", float(time_s), dict.fromkeys(faulty.channels, time_s % 5)),
        )
    ]
    told: dict[float, float] = {}
    for at in range(0, len(readings), chunk):
        told |= {v.time_s: v.surprise for v in stream.push(readings[at : at + chunk]) if v.device == "pump"}
    known = {t: s for t, s in told.items() if np.isfinite(s)}
    offline = dict(zip(faulty.times, gan.score(faulty), strict=True))
    assert len(known) == np.isfinite(gan.score(faulty)).sum()
    for time_s, surprise in known.items():
        assert surprise == pytest.approx(offline[time_s], abs=1e-5, rel=1e-5)
