"""How many channel values a CPU core simulates and writes to Parquet, for each kind of device and several periods."""

import shutil
import threading
from functools import partial
from pathlib import Path

import pytest
from figures import stopwatch, table

from anomgan.config import parse_config
from anomgan.simulate import KINDS, ScenarioConfig
from anomgan.simulate.dataset import plan_dataset
from anomgan_simulator.dataset import DatasetTotals, write_dataset

AIM = 1_000_000
PERIODS_S = (1.0, 10.0, 60.0, 300.0)
SHORT, LONG = 256, 1280
"""rows: what the longer run takes more than the shorter one is the price of rows, without that of beginning"""
LEAST_S = 2.0
"""CPU time that the difference has to be; else the longer run is made four times as long"""
pytestmark = pytest.mark.bench


def make(folder: Path, kind: str, period_s: float, devices: int, rows: int) -> DatasetTotals:
    faults = {"spacing_s": [20 * period_s, 40 * period_s], "duration_s": [10 * period_s, 60 * period_s]}
    tables = {
        "clock": {"period_s": period_s, "duration_s": rows * period_s},
        "devices": [{"kind": kind, "name": "device-", "count": devices, "site": "plant"}],
        "random_faults": faults,
    }
    plan = plan_dataset(parse_config(ScenarioConfig, tables, kind), kind, None, None)
    return write_dataset(plan, folder, "parquet", threading.Event())


def rate(folder: Path, kind: str, period_s: float, devices: int) -> float:
    """Values of a CPU second, all threads counted."""

    def spent(rows: int) -> tuple[int, float]:
        name = f"{kind}-{period_s:g}-{devices}-{rows}"
        totals, took = stopwatch(partial(make, folder / name, kind, period_s, devices, rows))
        shutil.rmtree(folder / name)
        return totals.values, took.cpu_s

    rows, (few, less_s) = LONG, spent(SHORT)
    many, more_s = spent(rows)
    while more_s - less_s < LEAST_S:
        rows *= 4
        many, more_s = spent(rows)
    return (many - few) / (more_s - less_s)


@pytest.mark.parametrize("devices", [50, 500])
def test_simulate_to_parquet(devices: int, tmp_path: Path) -> None:
    make(tmp_path / "warm", "pump", 1.0, 2, SHORT)  # imports, first use of polars
    rows = []
    for kind in KINDS:
        rates = [rate(tmp_path, kind, period_s, devices) for period_s in PERIODS_S]
        rows.append([kind, *(f"{found / 1e6:.2f}" for found in rates)])
    table(
        f"Million channel values a CPU-second to Parquet, {devices} devices of a kind; aim: {AIM / 1e6:g}",
        ["kind", *(f"a row each {period_s:g} s" for period_s in PERIODS_S)],
        rows,
    )
