"""What holds for every device kind: no two are alike, and a run is the same however it is cut."""

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from anomgan.simulate import KINDS, Scenario, parse_scenario, simulate

ROWS, PERIOD_S = 600, 20.0
FRIDAY = datetime(2024, 6, 21, 5, 30, tzinfo=UTC)
"""until nearly nine o'clock, so that machines start, the sun rises and people come"""


@cache
def plant(name: str) -> Scenario:
    """Two devices; each fault of the machine stands in the second's plan, and others come by chance."""
    share_s = ROWS * PERIOD_S / len(KINDS[name].process_faults)
    faults = [
        {"device": "it-2", "kind": fault.name, "start_s": (i + 0.2) * share_s, "end_s": (i + 0.7) * share_s}
        for i, fault in enumerate(KINDS[name].process_faults)
    ]
    clock = {"start": FRIDAY, "period_s": PERIOD_S, "duration_s": ROWS * PERIOD_S, "seed": 9}
    devices = [{"kind": name, "name": "it-", "count": 2, "site": "s"}]
    tables = {"clock": clock, "devices": devices, "faults": faults, "random_faults": {"quiet_s": 0.0}}
    return parse_scenario(tables, "plant.toml")


@pytest.mark.parametrize("name", KINDS)
def test_two_devices_differ_in_every_channel_and_are_the_same_in_pieces_to_the_last_bit(name: str) -> None:
    whole = simulate(plant(name))
    assert np.all((whole[0].values != whole[1].values).any(axis=0))
    for start, rows in ((0, 100), (100, 57), (157, 143), (130, 300), (200, 300), (599, 1)):
        for piece, series in zip(simulate(plant(name), start, rows), whole, strict=True):
            assert piece.values.tobytes() == series.values[start : start + rows].tobytes()
            assert np.array_equal(piece.labels, series.labels[start : start + rows])
    assert all(0 < series.labels.sum() < ROWS for series in whole)
