"""Whether a detector that learned from generated data alone finds real faults, as one that learned from real data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from anomgan.errors import DataError
from anomgan.evaluation import evaluate
from anomgan.fidelity.sample import Given, as_series, check_channels
from anomgan.records import Floats, TimeSeries
from anomgan.vus import dominant_period


class Scores(Protocol):
    """A fitted detector: `Detector` and every one of `anomgan.baselines` is one."""

    def score(self, series: TimeSeries, /) -> Floats:
        """(T,), higher is more anomalous, NaN in warm-up."""
        ...


Fit = Callable[[Sequence[TimeSeries]], Scores]


@dataclass(frozen=True, slots=True)
class Detection:
    """VUS-PR on a labelled real test: learned from generated and from real data; chance is what random scores get."""

    synthetic: float
    real: float
    chance: float


def detection_on_real(real_train: Given, synthetic: Given, test: TimeSeries, fit: Fit) -> Detection:
    """Fit the same detector twice, on generated and on real normal data, and score a labelled real test with each.

    Train on synthetic, test on real (Esteban, Hyland & Rätsch, 2017, arXiv:1706.02633) for detection, by VUS-PR (see
    `anomgan.vus`), with TSB-AD's window. Raises DataError where the test has no labels, labels of one kind only, or
    other channels.
    """
    made, real = as_series(synthetic, "the synthetic data"), as_series(real_train, "the real training data")
    if test.labels is None or not 0 < test.labels.sum() < len(test):
        raise DataError("the labelled test: it needs rows of both kinds, normal and anomalous")
    for channels, what in ((made[0].channels, "the synthetic data"), (test.channels, "the labelled test")):
        check_channels(channels, real[0].channels, what, "the real training data")
    window = dominant_period(test.values[:, 0])
    found = [evaluate(fit(learn).score(test), test.labels, window=window) for learn in (made, real)]
    return Detection(found[0].vus_pr, found[1].vus_pr, found[0].chance)
