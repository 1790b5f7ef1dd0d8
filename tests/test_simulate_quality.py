"""What sensors are made to do wrong is what data quality calls it: the two were written apart from each other."""

import numpy as np
import pytest
from quality_cases import prompt

from anomgan.quality import FleetQuality, learn_limits
from anomgan.records import TimeSeries
from anomgan.simulate import parse_scenario, simulate

HOUR = 3600.0
CASES = (("flow", "dropout", "silent"), ("discharge_pressure", "unit_jump", "unit_jump"), ("speed", "stuck", "stuck"),
         ("suction_pressure", "unit_jump", "unit_jump"), ("motor_temperature", "unit_jump", "unit_jump"))  # fmt: skip


@pytest.fixture(scope="module")
def pump() -> TimeSeries:
    """A pump at ten seconds; eight hours of it are normal, then each case has its own half hour."""
    faults = [
        {"device": "pump-1", "kind": kind, "channels": [channel], "start_s": (8 + n) * HOUR, "end_s": (8.5 + n) * HOUR}
        for n, (channel, kind, _) in enumerate(CASES)
    ]
    document = {
        "clock": {"period_s": 10.0, "duration_s": (8 + len(CASES)) * HOUR, "day_s": 4 * HOUR},
        "output": {"topic": "{device}"},
        "devices": [{"kind": "pump", "name": "pump-"}],
        "faults": faults,
    }
    return simulate(parse_scenario(document, "plant"))[0]


def test_dropouts_unit_jumps_and_stuck_sensors_are_told_by_name_and_when_they_were(pump: TimeSeries) -> None:
    normal, one = pump[:2880], pump[2880:]
    quality = FleetQuality(learn_limits([normal]))
    sent = prompt(one, np.random.default_rng(0), one.device)
    issues = []
    for start in range(0, len(sent), 500):
        part = sent[start : start + 500]
        issues += quality.screen([arrival.reading for arrival in part], [arrival.at_s for arrival in part]).issues
    told = [(issue.channel, issue.kind) for issue in issues if issue.state == "open"]
    assert told == [(channel, name) for channel, _, name in CASES]
