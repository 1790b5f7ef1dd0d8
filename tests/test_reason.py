"""The plain sentence on simulated faults: the verb that fits, and the channel that led comes first, with its lead."""

import re
from typing import Any

import pytest

from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.records import TimeSeries
from anomgan.simulate import parse_scenario, simulate

START, END = 1000.0, 1200.0
CLOCK = {"period_s": 1.0, "duration_s": 1400.0, "day_s": 900.0, "seed": 4}
DEVICES = [{"kind": "pump", "name": "pump-", "count": 2, "site": "north"}]


def run(*faults: dict[str, Any], duration_s: float = 1400.0) -> TimeSeries:
    """The first pump, with these faults."""
    clock = CLOCK | {"duration_s": duration_s}
    known = [{"device": "pump-1", "start_s": START, "end_s": END} | fault for fault in faults]
    return simulate(parse_scenario({"clock": clock, "devices": DEVICES, "faults": known}, "plant.toml"))[0]


@pytest.fixture(scope="module")
def detector() -> Detector:
    config = DetectorConfig(window=64, stride=2, steps=400, width=16, latent=8, batch=32, device="cpu")
    return Detector.fit(simulate(parse_scenario({"clock": CLOCK, "devices": DEVICES}, "plant.toml"), 0, 1400), config)


def sentence(detector: Detector, *faults: dict[str, Any]) -> str:
    """What is said of the first event of the fault."""
    series = run(*faults)[int(START) - 200 :]
    events = [event for event in detector.events(series) if event.end_s >= series.times[0] + 200]
    return events[0].reason


@pytest.mark.parametrize("lead_s", [8, 14])
@pytest.mark.parametrize(
    ("first", "second"),
    [("discharge_pressure", "flow"), ("flow", "discharge_pressure"), ("vibration", "motor_current")],
)
def test_the_channel_that_led_is_named_first_with_its_lead(
    detector: Detector, first: str, second: str, lead_s: int
) -> None:
    told = sentence(
        detector,
        {"kind": "bias", "channels": [first], "severity": -9.0},
        {"kind": "bias", "channels": [second], "severity": -9.0, "start_s": START + lead_s},
    )
    assert told.startswith(f"{first} fell to "), told
    found = re.search(r"was expected, (\d+) s before (\w+);", told)
    assert found is not None, told
    assert found[2] == second
    assert abs(int(found[1]) - lead_s) <= 3


def test_at_the_same_time_no_lead_is_claimed(detector: Detector) -> None:
    told = sentence(detector, {"kind": "bias", "channels": ["discharge_pressure", "flow"], "severity": -9.0})
    assert " before " not in told


@pytest.mark.parametrize(
    ("kind", "channel", "severity", "words"),
    [
        ("bias", "vibration", 9.0, "vibration rose to"),
        ("bias", "speed", -9.0, "speed fell to"),
        ("noise", "motor_current", 9.0, "motor_current swings between"),
    ],
)
def test_the_verb_fits_the_fault(detector: Detector, kind: str, channel: str, severity: float, words: str) -> None:
    told = sentence(detector, {"kind": kind, "channels": [channel], "severity": severity})
    assert words in told


def test_the_unit_is_said(detector: Detector) -> None:
    assert re.search(
        r"fell to [\d.]+ m³/h where",
        sentence(detector, {"kind": "bias", "channels": ["flow"], "severity": -9.0}),
    )
