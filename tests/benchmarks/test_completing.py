"""What is missing, filled in by the synthesizer and by what one would do without it, side by side.

    make bench ARGS="-k completing"

Real recordings lie beside the checkout (SKAB, SMD, BATADAL); without them the benchmark skips. The first 80 % of the
normal rows are learned from, the rest is holed: single cells, and gaps of 16 and 64 rows, and brought to a half, a
quarter and an eighth of its rate. Errors are mean absolute ones in standard deviations of the training data, of
channels that move. STEPS=number: fewer training steps.
"""

import csv
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from figures import SKAB, table
from numpy.typing import NDArray

from anomgan.config import SynthesizerConfig
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.synthesis.synthesizer import Synthesizer

DATA = SKAB.parents[2]
MOST_ROWS = 12_000
HOLES = ("10 % cells", "30 % cells", "50 % cells", "30 % in gaps of 16", "30 % in gaps of 64")
FACTORS = (2, 4, 8)
NEIGHBOURS, KNOWN_ROWS = 5, 4000


def skab() -> Floats:
    return _columns(DATA / "SKAB" / "anomaly-free" / "anomaly-free.csv", slice(1, 9), ";")


def smd() -> Floats:
    return np.asarray(np.load(DATA / "SMD8" / "npz" / "machine-3-4.npz")["train"], np.float64)


def batadal() -> Floats:
    return _columns(DATA / "BATADAL" / "data" / "dataset03.csv", slice(1, 44), ",")


DATA_SETS: dict[str, Callable[[], Floats]] = {"SKAB": skab, "SMD 3-4": smd, "BATADAL": batadal}


def _columns(path: Path, columns: slice, separator: str) -> Floats:
    with path.open(newline="") as file:
        rows = list(csv.reader(file, delimiter=separator))[1:]
    return np.array([[float(cell) for cell in row[columns]] for row in rows])


def holes(kind: str, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """(T, C) True where a cell is taken away."""
    share, _, length = kind.partition(" % in gaps of ")
    if not length:
        return np.asarray(rng.random(size) < int(kind.partition(" ")[0]) / 100)
    hidden = np.zeros(size, bool)
    for column in hidden.T:
        while column.mean() < int(share) / 100:
            begin = rng.integers(0, size[0] - int(length))
            column[begin : begin + int(length)] = True
    return hidden


def linear(values: Floats) -> Floats:
    index = np.arange(len(values))
    known = ~np.isnan(values)
    return np.stack([np.interp(index, index[k], v[k]) for v, k in zip(values.T, known.T, strict=True)], axis=1)


def last(values: Floats) -> Floats:
    index = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    at = np.maximum.accumulate(index, axis=0)
    return np.where(at < 0, linear(values), np.take_along_axis(values, at.clip(0), axis=0))


def neighbours(train: Floats, values: Floats, spread: Floats) -> Floats:
    from sklearn.impute import KNNImputer

    some = train[:: max(1, len(train) // KNOWN_ROWS)] / spread
    told: Floats = KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True).fit(some).transform(values / spread)
    return told * spread


def fourier(slow: Floats, factor: int, rows: int) -> Floats:
    from scipy.signal import resample

    whole: Floats = resample(slow, len(slow) * factor, axis=0)[:rows]
    return whole


def cubic(slow: Floats, factor: int, rows: int) -> Floats:
    from scipy.interpolate import CubicSpline

    told: Floats = CubicSpline(factor * np.arange(len(slow)), slow)(np.arange(rows))
    return told


def log_spectrum(values: Floats) -> Floats:
    """(F, C) in dB, of the upper frequencies too."""
    from scipy.signal import welch

    power: Floats = 10.0 * np.log10(welch(values, nperseg=64, axis=0)[1][1:] + 1e-9)
    return power


@pytest.fixture(scope="module", params=list(DATA_SETS))
def learned(request: pytest.FixtureRequest) -> tuple[str, Floats, TimeSeries, Synthesizer]:
    name = str(request.param)
    if not DATA.is_dir():
        pytest.skip(f"no recordings beside the checkout: {DATA.name} is missing")
    values = DATA_SETS[name]()[:MOST_ROWS]
    cut = round(0.8 * len(values))
    steps = os.environ.get("STEPS")
    config = SynthesizerConfig(steps=int(steps) if steps else None)
    maker = Synthesizer.fit(series_from_array(values[:cut]), config)
    return name, values[:cut], series_from_array(values[cut:]), maker


@pytest.mark.bench
def test_completing_beside_lines_last_values_and_neighbours(
    learned: tuple[str, Floats, TimeSeries, Synthesizer],
) -> None:
    name, train, test, maker = learned
    spread = np.maximum(train.std(0), 1e-9)
    moving = (train.std(0) > 0) & (test.values.std(0) > 0)
    rng = np.random.default_rng(0)
    rows = []
    for kind in HOLES:
        hidden = holes(kind, test.values.shape, rng)
        holed = np.where(hidden, np.nan, test.values)
        found = maker.impute(replace(test, values=holed))
        others = (linear(holed), last(holed), neighbours(train, holed, spread))
        counted = hidden & moving
        off = [(np.abs(one - test.values) / spread)[counted].mean() for one in (found.series.values, *others)]
        inside = ((test.values >= found.low) & (test.values <= found.high))[counted].mean()
        rows.append([kind, *(f"{value:.3f}" for value in off), f"{100 * inside:.0f} %"])
        assert np.isfinite(found.series.values).all()
    table(
        f"{name}: error of what was missing; {maker.summary['seconds']:.0f} s of training",
        ["missing", "synthesizer", "linear", "last value", "nearest 5", "in the 90 % band"],
        rows,
    )


@pytest.mark.bench
def test_completing_slow_readings_beside_splines(learned: tuple[str, Floats, TimeSeries, Synthesizer]) -> None:
    name, train, test, maker = learned
    spread = np.maximum(train.std(0), 1e-9)
    moving = (train.std(0) > 0) & (test.values.std(0) > 0)
    rows = []
    for factor in FACTORS:
        slow = test[::factor]
        count = (len(slow) - 1) * factor + 1
        found = maker.upsample(slow, factor)
        truth = test.values[:count]
        between = np.arange(count) % factor > 0
        line = np.full_like(truth, np.nan)
        line[::factor] = slow.values
        several = {
            "synthesizer, middle": found.series.values,
            "synthesizer, one": found.one,
            "linear": linear(line),
            "cubic": cubic(slow.values, factor, count),
            "Fourier": fourier(slow.values, factor, count),
        }
        for way, values in several.items():
            off = (np.abs(values - truth) / spread)[between][:, moving].mean()
            dull = np.abs(log_spectrum(values / spread) - log_spectrum(truth / spread))[:, moving].mean()
            rows.append([f"1/{factor}", way, f"{off:.3f}", f"{dull:.1f} dB"])
    table(f"{name}: slow readings at full rate", ["rate", "way", "error", "spectrum off"], rows)
