"""The detector of this package, with its defaults."""

from collections.abc import Mapping

import numpy as np

from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import TimeSeries
from anomgan.windows import carried, segment_starts
from anomgan_benchmark.said import Examine, Said

NAME = "gan"
"""what its figures are called"""


def fit_gan(train: TimeSeries, config: DetectorConfig) -> Examine:
    """Train on normal rows; what the configuration leaves open follows from the data."""
    detector = Detector.fit(train, config)

    def examine(test: TimeSeries) -> Mapping[str, Said]:
        return {NAME: said_by(detector, test)}

    return examine


def said_by(detector: Detector, test: TimeSeries) -> Said:
    """What a detector says of a test series."""
    ends, seen = detector.examine(test)
    newest = carried(ends, segment_starts(test.times, detector.rule))  # -1, in warm-up, is the NaN at the end
    unknown = np.full((1, len(detector.channels)), np.nan, np.float32)
    return Said(
        scores=np.append(seen.surprise, np.nan)[newest],
        windows=len(ends),
        events=lambda: detector.events(test),
        contribution=np.concatenate([seen.contribution, unknown])[newest],
    )
