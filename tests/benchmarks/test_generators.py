"""Generators side by side, all through one report: this project's, the two baselines, and those of other libraries.

    make bench ARGS="-k generators"

SERIES=folder    normal series, CSV or Parquet, one data set each; left out: SKAB's normal recording, where it lies
                 beside the checkout, and a simulated pump
PEERS=python     a Python that has the other libraries (see `peer_generators`); left out: this one
EFFORT=number    how long those are trained, 1 (left out) = `peer_generators.STEPS`
ONLY=name,name   of `generators`, or a part of their names

Each data set is cut into blocks of time, dealt out in turn: one half to learn from, the other held out, so that both
have seen every drift. The row `real` has the half that was learned from in the generator's place.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from figures import SKAB, table
from peer_generators import STEPS

from anomgan.adapters.files import read_series
from anomgan.baselines import PCA
from anomgan.config import SynthesizerConfig
from anomgan.fidelity import FidelityReport, Figures, detection_on_real, halves, make_report
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.simulate import parse_scenario, simulate
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan.synthesis_baselines import BlockBootstrap, VectorAutoregression

WINDOW, BLOCKS, ROWS = 32, 20, 10_000
PUMP_ROWS, TEST_ROWS, PUMP_PERIOD_S = 8000, 4000, 10.0
STRIDE = 4
HERE = Path(__file__).parent
NORMAL = SKAB.parents[1] / "anomaly-free" / "anomaly-free.csv"
Made = Floats
"""(rows, C), or windows (N, L, C) of who knows no longer ones"""
Generator = Callable[[Sequence[TimeSeries], int, int], Made]
"""(series to learn from, rows wanted, seed) -> generated values, channels in order, in their units"""


class Missing(Exception):
    """A library that is not there."""


def own(train: Sequence[TimeSeries], rows: int, seed: int) -> Made:
    made: Made = Synthesizer.fit(train, SynthesizerConfig(seed=seed)).generate(rows, seed=seed)[0].values
    return made


def bootstrap(train: Sequence[TimeSeries], rows: int, seed: int) -> Made:
    return BlockBootstrap.fit(train).generate(np.random.default_rng(seed), rows)


def autoregression(train: Sequence[TimeSeries], rows: int, seed: int) -> Made:
    return VectorAutoregression.fit(train).generate(np.random.default_rng(seed), rows)


def peer(name: str, folder: Path, train: Sequence[TimeSeries], rows: int, seed: int) -> Made:
    """Windows of another library's generator, by its own Python."""
    windows = np.concatenate([cut(one.values) for one in train])
    given, made = folder / f"{name}.npz", folder / f"{name}.npy"
    steps = max(1, round(STEPS[name] * float(os.environ.get("EFFORT", "1"))))
    np.savez(given, windows=windows, count=rows // WINDOW, steps=steps, seed=seed)
    done = run_peer(name, str(given), str(made))
    if done.returncode != 0:
        raise Missing((done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1][:80])
    return np.asarray(np.load(made), np.float64)


def run_peer(*arguments: str) -> subprocess.CompletedProcess[str]:
    python = os.environ.get("PEERS", sys.executable)
    return subprocess.run([python, str(HERE / "peer_generators.py"), *arguments], capture_output=True, text=True)


def cut(values: Floats) -> Floats:
    """(N, L, C), without a missing value."""
    if len(values) < WINDOW:
        return np.empty((0, WINDOW, values.shape[1]))
    windows = np.lib.stride_tricks.sliding_window_view(values, WINDOW, axis=0)[::STRIDE].transpose(0, 2, 1)
    return np.asarray(windows[np.isfinite(windows).all(axis=(1, 2))])


def generators(folder: Path) -> dict[str, Generator]:
    """Name -> who generates."""
    return {
        "anomgan": own,
        "block bootstrap": bootstrap,
        "vector autoregression": autoregression,
        "TimeGAN (from the paper)": partial(peer, "timegan", folder),
        "TimeGAN (tsgm)": partial(peer, "timegan-tsgm", folder),
        "DoppelGANger (gretel-synthetics)": partial(peer, "doppelganger", folder),
        "PAR (deepecho)": partial(peer, "par", folder),
    }


def pump() -> tuple[TimeSeries, TimeSeries]:
    """A simulated pump an hour after its start: healthy rows, and later ones with faults."""
    healthy_s = 3600.0 + PUMP_ROWS * PUMP_PERIOD_S
    clock = {"period_s": PUMP_PERIOD_S, "duration_s": healthy_s + TEST_ROWS * PUMP_PERIOD_S, "seed": 0}
    devices = [{"kind": "pump", "name": "pump-", "count": 1, "site": "works"}]
    faults = {"first_s": healthy_s, "spacing_s": [4000, 8000], "duration_s": [400, 1200], "quiet_s": 600}
    scenario = parse_scenario({"clock": clock, "devices": devices, "random_faults": faults}, "pump")
    whole = next(iter(simulate(scenario, round(3600 / PUMP_PERIOD_S), PUMP_ROWS + TEST_ROWS)))
    return whole[:PUMP_ROWS], whole[PUMP_ROWS:]


def data_sets() -> dict[str, tuple[TimeSeries, TimeSeries | None]]:
    """Name -> normal rows and, where there are some, labelled ones with faults."""
    folder = os.environ.get("SERIES")
    if folder:
        paths = sorted(path for path in Path(folder).iterdir() if path.suffix in (".csv", ".parquet"))
        return {path.stem: (read_series(path), None) for path in paths}
    recorded = {"SKAB, normal": (read_series(NORMAL, time="datetime"), None)} if NORMAL.exists() else {}
    return {"simulated pump": pump()} | recorded


def as_given(made: Made, like: TimeSeries) -> list[TimeSeries]:
    """One series, or one for each window, so that nothing is said to follow on another."""
    several = made if made.ndim == 3 else made[None]
    return [series_from_array(one, like.period_s, like.channels) for one in several]


def figures_of(report: FidelityReport, *, floor: bool = False) -> list[str]:
    told = report.floor if floor else report.synthetic
    near = "-" if floor else f"{told.nearness.copies:.0%}"
    return [
        f"{told.discriminative.score:.3f}",
        f"{told.prediction:.3f}",
        f"{told.wasserstein.mean():.3f}",
        f"{told.autocorrelation.mean():.3f}",
        f"{told.cross.mean():.3f}",
        f"{told.spectrum.mean():.2f}",
        f"{told.manifold.density:.2f}",
        f"{told.manifold.coverage:.2f}",
        near,
    ]


HEADER = [
    *("generator", "discriminative", "train on it", "marginal", "autocorr.", "cross-corr.", "spectrum dB"),
    *("density", "coverage", "copies", "VUS-PR of PCA", "s"),
]


@pytest.mark.bench
def test_generators_beside_each_other(tmp_path: Path) -> None:
    for line in run_peer("check").stdout.splitlines():
        name, tab, why = line.partition("\t")
        if tab:  # other libraries say other things
            print(f"{name}: {why or 'there'}")  # noqa: T201 a benchmark prints
    only = os.environ.get("ONLY", "").split(",")
    for name, (series, test) in data_sets().items():
        train, held_out = halves(series, BLOCKS)
        rows: list[list[str]] = []
        floor: Figures | None = None
        for generator, generate in generators(tmp_path).items():
            if only != [""] and not any(one in generator for one in only):
                continue
            began = time.perf_counter()
            try:
                made = generate(train, ROWS, 0)
            except Missing as missing:
                rows.append([generator, str(missing), *[""] * (len(HEADER) - 2)])
                continue
            spent = time.perf_counter() - began
            given = as_given(made, series)
            report = make_report(train, held_out, given, window=WINDOW, stretch=WINDOW, floor=floor)
            floor = report.floor
            if not rows:
                rows.append(["real", *figures_of(report, floor=True), "", ""])
            found = ""
            if test is not None:
                vus = detection_on_real(train, given, test, PCA.fit)
                found, rows[0][-2] = f"{vus.synthetic:.3f}", f"{vus.real:.3f}"
            rows.append([generator, *figures_of(report), found, f"{spent:.0f}"])
            print(f"{name}: {rows[-1]}", flush=True)  # noqa: T201 the rest takes minutes
        assert rows
        table(f"{name}: {len(series)} rows of {len(series.channels)} channels", HEADER, rows)
