"""How long it takes to learn 400 rows of 8 channels, as a user's first CSV has."""

from functools import partial

import pytest
from figures import SKAB, normal_series, stopwatch, table

from anomgan.adapters.files import read_csv
from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import TimeSeries

ROWS = 400
AIM_S = 20.0
pytestmark = pytest.mark.bench


def data() -> list[tuple[str, TimeSeries | None]]:
    """What is learned; None where it is not there."""
    recorded = None
    if SKAB.exists():
        recorded = read_csv(SKAB, time="datetime", ignore=["anomaly", "changepoint"], rows=slice(None, ROWS))
    return [("synthetic", normal_series(ROWS)), ("SKAB valve1/0", recorded)]


def test_training() -> None:
    rows = []
    for name, series in data():
        if series is None:
            rows.append([name, f"missing: {SKAB}", "", "", "", ""])
            continue
        detector, spent = stopwatch(partial(Detector.fit, series, DetectorConfig(seed=0, device="cpu")))
        steps = detector.summary["steps"]
        rows.append(
            [
                name,
                f"{steps}",
                f"{steps / spent.cpu_s:.1f}",
                f"{spent.cpu_s:.1f}",
                f"{spent.wall_s:.1f}",
                f"{AIM_S / spent.cpu_s:.2f}",
            ]
        )
    table(
        f"Training on {ROWS} rows of 8 channels, one thread; aim: under {AIM_S:g} s on one core",
        ["data", "steps", "steps/CPU-s", "CPU s", "wall s", "aim / CPU s"],
        rows,
    )
