"""Anomaly detection for IoT sensor streams with a generative adversarial network.

    from anomgan import Detector, DetectorConfig, StreamDetector, evaluate, read_csv

    series = read_csv("pump.csv", time="datetime", label="anomaly")
    train, test = series.split(0.4)
    detector = Detector.fit(train, DetectorConfig(seed=0))
    scores = detector.score(test)
    print(evaluate(scores, test.labels))
    detector.save("pump.safetensors")

The words, one for each thing:

reading         what one device measured at one time: channel -> value
channel         one measured quantity of a device
window          so many consecutive readings of one device; the stride is how many readings lie between two of them
generator       latent -> window; the encoder goes the other way; the discriminator tells real from not
witness         one way to look at a window: discriminator, reconstruction, pattern
surprise        -log10 of the probability that a normal window looks this odd; 3 = one in a thousand
alarm budget    how many false alarms a device may raise in a week; the threshold follows from it
synthesizer     learns to make and complete a device's data; a condition is what they depend on
imputer         a synthesizer beside a detector: says what an event should have looked like
verdict         what is said of one device at one time; unknown (NaN) in warm-up, after a gap, with too much missing
event           a run of anomalous verdicts
band            where a channel's readings lie in normal windows around what is expected
onset           when a channel left its band to stay outside
gap             a step so long that windows start anew after it
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomgan.adapters.files import read_csv, read_series
    from anomgan.baselines import PCA, NearestNeighbours, ZScore
    from anomgan.config import DecideConfig, DetectorConfig, SynthesizerConfig
    from anomgan.detector import Detector
    from anomgan.errors import AnomganError
    from anomgan.evaluation import Evaluation, evaluate
    from anomgan.examination import Examination
    from anomgan.imputer import Imputer
    from anomgan.matching import match_events
    from anomgan.records import Event, Reading, TimeSeries, Verdict
    from anomgan.stream import StreamDetector
    from anomgan.synthesis.synthesizer import Synthesizer

# Loaded when first asked for, so that what needs no torch does not wait for it.
_HOMES = {
    "AnomganError": "anomgan.errors",
    "DecideConfig": "anomgan.config",
    "Detector": "anomgan.detector",
    "DetectorConfig": "anomgan.config",
    "Evaluation": "anomgan.evaluation",
    "Event": "anomgan.records",
    "Examination": "anomgan.examination",
    "Imputer": "anomgan.imputer",
    "NearestNeighbours": "anomgan.baselines",
    "PCA": "anomgan.baselines",
    "Reading": "anomgan.records",
    "StreamDetector": "anomgan.stream",
    "Synthesizer": "anomgan.synthesis.synthesizer",
    "SynthesizerConfig": "anomgan.config",
    "TimeSeries": "anomgan.records",
    "Verdict": "anomgan.records",
    "ZScore": "anomgan.baselines",
    "evaluate": "anomgan.evaluation",
    "match_events": "anomgan.matching",
    "read_csv": "anomgan.adapters.files",
    "read_series": "anomgan.adapters.files",
}

__all__ = [
    "PCA",
    "AnomganError",
    "DecideConfig",
    "Detector",
    "DetectorConfig",
    "Evaluation",
    "Event",
    "Examination",
    "Imputer",
    "NearestNeighbours",
    "Reading",
    "StreamDetector",
    "Synthesizer",
    "SynthesizerConfig",
    "TimeSeries",
    "Verdict",
    "ZScore",
    "evaluate",
    "match_events",
    "read_csv",
    "read_series",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anomgan' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
