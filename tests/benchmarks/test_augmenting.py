"""A detector of a tenth of the training rows, with and without what the synthesizer adds to them.

    make bench ARGS="-k augmenting"

ONLY=name,name   suites; left out: all eight
EACH=number      series of each suite, evenly spaced; left out: 2, of SMD, whose series are long, 1
STEPS=number     fewer training steps of the synthesizer

The labelled data lie beside the checkout; without them the benchmark skips. Of each series the first and the newest
tenth of the training part are taken, at least 128 rows, since the synthesizer does not learn from less. On each, a
detector learns from the tenth alone, beside copies of its stretches with a little noise, and beside as many rows of
`Synthesizer.augment`, whose synthesizer has learned from that tenth too. All detectors of a tenth have the window that
its own rows ask for. `all rows` is a detector of the whole training part: what there is to be gained. Figures are
VUS-PR on the test part.
"""

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from figures import SKAB, table

from anomgan.config import DetectorConfig, SynthesizerConfig
from anomgan.detector import Detector
from anomgan.errors import DataError
from anomgan.evaluation import evaluate
from anomgan.pool import spaced
from anomgan.records import Floats, TimeSeries
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan.vus import dominant_period
from anomgan_benchmark.layouts import LabelledSeries
from anomgan_benchmark.suites import EIGHT, open_suite

DATA = SKAB.parents[2]
SHARE, FEWEST = 0.1, 128
TIMES = 3
"""so many times the tenth are added to it"""
JITTER = 0.05
"""of a channel's standard deviation"""
FEW_VALUES = 16
"""a channel with no more different values is a state, which noise would make a measurement"""
SAME = 0.01
"""of VUS-PR: a smaller difference is none"""
WAYS = ("the tenth", "+ copies", "+ augment", "all rows")


def chosen(suite: str) -> Iterator[tuple[str, LabelledSeries]]:
    """Series with labels of both kinds."""
    listing = open_suite(suite, DATA)
    names = list(listing)
    count = int(os.environ.get("EACH", "1" if suite == "smd" else "2"))
    for i in spaced(len(names), count):
        series = listing[names[i]]()
        if series.has_both_kinds:
            yield names[i], series


def tenths(train: TimeSeries) -> dict[str, TimeSeries]:
    rows = max(FEWEST, round(SHARE * len(train)))
    return {"first": train[:rows], "newest": train[-rows:]}


def copies(tenth: TimeSeries, rows: int, piece: int, seed: int) -> TimeSeries:
    """At least so many rows: stretches of the tenth from anywhere, with noise, apart by gaps in time."""
    rng = np.random.default_rng(seed)
    piece = min(piece, len(tenth))
    begins = rng.integers(0, len(tenth) - piece + 1, -(-rows // piece))
    values = np.concatenate([tenth.values[begin : begin + piece] for begin in begins])
    many = np.array([len(np.unique(column)) > FEW_VALUES for column in tenth.values.T])
    values = values + JITTER * many * tenth.values.std(0) * rng.standard_normal(values.shape)
    index = np.arange(len(values))
    times = tenth.period_s * (index + 20 * (index // piece))
    return TimeSeries(times, values, tenth.channels)


def vus_pr(detector: Detector, series: LabelledSeries) -> float:
    first: Floats = np.concatenate([series.train.values[:, 0], series.test.values[:, 0]])
    return evaluate(detector.score(series.test), series.labels, window=dominant_period(first)).vus_pr


def measured(series: LabelledSeries, tenth: TimeSeries, seed: int) -> list[float]:
    """VUS-PR of the WAYS but for the last."""
    steps = os.environ.get("STEPS")
    alone = Detector.fit(tenth, DetectorConfig(seed=seed))
    maker = Synthesizer.fit(tenth, SynthesizerConfig(steps=int(steps) if steps else None, seed=seed))
    more = maker.augment(tenth, TIMES * len(tenth), seed=seed)
    piece = int(np.argmax(np.diff(more.times, append=np.inf) > 1.5 * tenth.period_s)) + 1
    config = DetectorConfig(seed=seed, window=alone.config.window)
    beside = [Detector.fit([tenth, added], config) for added in (copies(tenth, len(more), piece, seed), more)]
    return [vus_pr(one, series) for one in (alone, *beside)]


def told(name: str, several: Floats) -> list[str]:
    """A row of means of VUS-PR (N, 4), and how often the third is better and worse than the first."""
    gained = several[:, 2] - several[:, 0]
    better, worse = int((gained > SAME).sum()), int((gained < -SAME).sum())
    return [name, *(f"{value:.3f}" for value in several.mean(0)), f"{gained.mean():+.3f}", f"{better} / {worse}"]


@pytest.mark.bench
def test_augmenting_a_tenth_of_the_training_rows() -> None:
    if not DATA.is_dir():
        pytest.skip(f"no labelled data: {DATA} is missing")
    only = os.environ.get("ONLY")
    rows: list[list[str]] = []
    every: list[Floats] = []
    for suite in only.split(",") if only else EIGHT:
        found: list[list[float]] = []
        try:
            for name, series in chosen(suite):
                whole = vus_pr(Detector.fit(series.train), series)
                for seed, (where, tenth) in enumerate(tenths(series.train).items()):
                    began = time.perf_counter()
                    found.append([*measured(series, tenth, seed), whole])
                    figures = ", ".join(f"{way} {value:.3f}" for way, value in zip(WAYS, found[-1], strict=True))
                    spent = time.perf_counter() - began
                    print(f"{suite} {name}, {where} {len(tenth)} rows: {figures}; {spent:.0f} s", flush=True)  # noqa: T201
        except DataError as error:
            print(f"{suite} is left out: {error}", flush=True)  # noqa: T201 a benchmark prints
        if found:
            every.append(np.array(found))
            rows.append(told(f"{suite} ({len(found) // 2} series)", every[-1]))
    assert rows
    assert np.isfinite(np.concatenate(every)).all()
    means = np.mean([one.mean(0) for one in every], axis=0)
    rows.append(["mean of suites", *(f"{value:.3f}" for value in means), "", ""])
    rows.append(told("all tenths", np.concatenate(every)))
    table("VUS-PR of a detector", ["learned from", *WAYS, "gain of augment", "better / worse"], rows)
