"""What each part of the detector is worth: its witnesses one by one and left out one by one, and the adversary.

The witnesses come from one fit, so that they differ in nothing else.
"""

from collections.abc import Mapping

import numpy as np

from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import Floats, TimeSeries
from anomgan.windows import carried, segment_starts
from anomgan_benchmark.gan import NAME, said_by
from anomgan_benchmark.said import Examine, Said


def fit_ablation(train: TimeSeries, config: DetectorConfig) -> Examine:
    """One detector, asked whole (under the name it has alone) and in parts, and the discriminator's bare output."""
    detector = Detector.fit(train, config)
    witnesses = tuple(detector.parts.weights)

    def examine(test: TimeSeries) -> Mapping[str, Said]:
        told = {NAME: said_by(detector, test)}
        for name in witnesses:
            told[f"{name} alone"] = _ranking(detector.listening_to(name).score(test))
            others = (other for other in witnesses if other != name)
            told[f"without {name}"] = _ranking(detector.listening_to(*others).score(test))
        ends, seen = detector.examine(test)
        newest = carried(ends, segment_starts(test.times, detector.rule))
        told["discriminator's output alone"] = _ranking(np.append(-seen.logit, np.nan)[newest])
        return told

    return examine


def fit_not_adversarial(train: TimeSeries, config: DetectorConfig) -> Examine:
    """The same networks trained to reconstruct and nothing else, with every witness that needs no discriminator."""
    detector = Detector.fit(train, config.model_copy(update={"adversarial_weight": 0.0}))
    detector = detector.listening_to(*(name for name in detector.parts.weights if name != "discriminator"))

    def examine(test: TimeSeries) -> Mapping[str, Said]:
        return {"not adversarial": _ranking(detector.score(test))}

    return examine


def _ranking(scores: Floats) -> Said:
    """Scores without a calibrated threshold."""
    return Said(scores=scores, windows=len(scores), events=None)
