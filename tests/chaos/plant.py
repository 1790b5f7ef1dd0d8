"""The plant: what its devices measure, row by row, and what an undisturbed detector makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from contract import normal_series, with_fault

from anomgan.config import DecideConfig, DetectorConfig
from anomgan.decide import FleetDecisions
from anomgan.detector import Detector
from anomgan.records import Event, Reading, TimeSeries, Verdict
from anomgan.stream import StreamDetector

START_S = 1.7e9
PERIOD_S = 1.0
MOST_ROWS = 6000
"""a device's readings in the longest run; they are made beforehand, 144 kB a device"""
TELEMETRY = "plant/{device}/telemetry"


def train(path: Path) -> None:
    """A small model of such a device that judges every reading, in a file."""
    config = DetectorConfig(window=16, stride=1, steps=100, latent=4, width=8, batch=16, seed=0, device="cpu")
    Detector.fit([normal_series(300, seed=seed) for seed in range(3)], config).save(path)


class Plant:
    """`devices` devices of one seed; everything about them follows from it."""

    def __init__(self, devices: int, seed: int) -> None:
        self.names = [f"d{number:03d}" for number in range(devices)]
        self._series = [device_series(seed, number) for number in range(devices)]

    def reading(self, device: int, row: int) -> Reading:
        """What a device measures in a row."""
        series = self._series[device]
        values = dict(zip(series.channels, series.values[row].tolist(), strict=True))
        return Reading(self.names[device], START_S + row * PERIOD_S, values)

    def message(self, device: int, row: int) -> tuple[str, bytes]:
        """The same as a device sends it."""
        reading = self.reading(device, row)
        topic = TELEMETRY.format(device=reading.device)
        return topic, orjson.dumps({"ts": reading.time_s, **reading.values})

    def readings(self, rows: int) -> Iterator[Reading]:
        """All readings of the first rows, in the order of their times."""
        return (self.reading(device, row) for row in range(rows) for device in range(len(self.names)))


def device_series(seed: int, number: int) -> TimeSeries:
    """Normal operation with a fault of 5 to 40 rows now and then, at three digits as sensors send them."""
    random = np.random.default_rng([seed, number])
    series = normal_series(MOST_ROWS, seed=int(random.integers(2**31)))
    row = int(random.integers(30, 300))
    while row < MOST_ROWS:
        end = row + int(random.integers(5, 40))
        series = with_fault(series, row, end)
        row = end + int(random.integers(100, 400))
    return TimeSeries(series.times, series.values.round(3), series.channels)


def row_of(time_s: float) -> int:
    """The row whose time that is."""
    return round((time_s - START_S) / PERIOD_S)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a detector says that nothing happens to: its verdicts, each event as it stands last, and all it has told
    of them."""

    verdicts: list[Verdict]
    events: dict[str, Event]
    told: list[Event]


def undisturbed(model: Path, plant: Plant, rows: int) -> Undisturbed:
    """The first rows of the plant, judged in one piece."""
    detector = Detector.load(model)
    verdicts = StreamDetector(detector, model=model.stem).push(plant.readings(rows))
    decisions = FleetDecisions(detector.decide_rule(DecideConfig()))
    told = decisions.update(verdicts)
    events = {event.id: event for event in (*told, *decisions.open_events())}
    return Undisturbed(verdicts, events, told)
