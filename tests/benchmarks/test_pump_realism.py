"""How far the simulated pump is from a real one: SKAB's water circulation bench, where it lies beside the checkout.

The bench runs at one duty, so the pump does here: no daily swing, no large consumers. The first 400 rows of each
recording are normal. Both are compared channel by channel, each in its own mean and spread, for levels follow from the
size of a machine and say nothing; the yardstick is how far the bench's recordings are from each other.

- marginal: the first Wasserstein distance of the values, in standard deviations;
- autocorrelation: root mean square difference over lags of 1 to 60 s;
- cross-correlation: mean absolute difference over the pairs of channels, at once.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from figures import SKAB, table

from anomgan.adapters.files import read_series
from anomgan.records import Floats
from anomgan.simulate import parse_scenario, simulate

PAIRS = {
    "Volume Flow RateRMS": "flow",
    "Pressure": "discharge_pressure",
    "Current": "motor_current",
    "Temperature": "motor_temperature",
    "Accelerometer1RMS": "vibration",
}
ROWS, LAGS = 400, 60
BENCH = SKAB.parents[1]
pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(not BENCH.is_dir(), reason="the recordings are not beside this checkout"),
]


def recordings() -> list[Floats]:
    """(400, 5) of each file whose clock ran through."""
    found = []
    for path in sorted(Path(BENCH).glob("valve[12]/*.csv")):
        series = read_series(path, time="datetime", ignore=("anomaly", "changepoint"), rows=slice(0, ROWS))
        found.append(series.values[:, [series.channels.index(name) for name in PAIRS]])
    return found


def pumps(count: int) -> list[Floats]:
    """(400, 5) of each simulated pump, an hour after its start."""
    clock = {"period_s": 1.0, "duration_s": 3600.0 + ROWS, "seed": 0}
    settings = {"flow_m3h": 1.9, "head_m": 8.0, "swing": 0.0, "batches_per_day": 0}
    devices = [{"kind": "pump", "name": "pump-", "count": count, "site": "bench", "settings": settings}]
    scenario = parse_scenario({"clock": clock, "devices": devices}, "bench")
    return [
        one.values[:, [one.channels.index(name) for name in PAIRS.values()]] for one in simulate(scenario, 3600, ROWS)
    ]


def standardised(values: Floats) -> Floats:
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0))


def marginal(one: Floats, other: Floats) -> Floats:
    """By channel (C,)."""
    return np.asarray(np.abs(np.sort(one, axis=0) - np.sort(other, axis=0)).mean(axis=0))


def autocorrelations(z: Floats) -> Floats:
    """By lag and channel (LAGS, C)."""
    return np.stack([(z[lag:] * z[:-lag]).mean(axis=0) for lag in range(1, LAGS + 1)])


def rhythm(one: Floats, other: Floats) -> Floats:
    """By channel (C,)."""
    return np.asarray(np.sqrt(np.square(autocorrelations(one) - autocorrelations(other)).mean(axis=0)))


def company(one: Floats, other: Floats) -> Floats:
    """(C,) over each channel's pairs."""
    apart = np.abs(one.T @ one / len(one) - other.T @ other / len(other))
    return np.asarray(apart.sum(axis=0) / (len(PAIRS) - 1))


def test_the_pump_beside_a_real_bench() -> None:
    real, made = ([standardised(one) for one in some] for some in (recordings(), pumps(10)))
    assert len(real) > 10
    rows = []
    measures = (marginal, rhythm, company)
    apart = [np.mean([measure(a, b) for a in real for b in made], axis=0) for measure in measures]
    among = [np.mean([measure(a, b) for a, b in combinations(real, 2)], axis=0) for measure in measures]
    for c, (theirs, ours) in enumerate(PAIRS.items()):
        cells = [f"{apart[i][c]:.2f} ({among[i][c]:.2f})" for i in range(3)]
        rows.append([f"{ours} beside {theirs}", *cells])
    rows.append(["mean", *(f"{apart[i].mean():.2f} ({among[i].mean():.2f})" for i in range(3))])
    assert np.isfinite(apart).all()
    table(
        f"Distance of {len(made)} simulated pumps from {len(real)} recordings of a real bench (in brackets: of those "
        "from each other)",
        ["channel", "marginal", "autocorrelation", "cross-correlation"],
        rows,
    )
