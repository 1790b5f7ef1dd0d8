"""A detector service over the in-memory twins, and the means to feed and run it."""

import json
import threading
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from examples import CHANNELS, normal_series

from anomgan.adapters.memory import MemoryPublisher, MemorySource, MemoryStore
from anomgan.adapters.mqtt_carrier import MQTT, MqttCarrier
from anomgan.config import FleetConfig, ServiceConfig, parse_config
from anomgan.detector import Detector
from anomgan.records import Event, Reading, TimeSeries
from anomgan_detector.compose import open_journal
from anomgan_detector.courier import Courier
from anomgan_detector.fleet import Fleet
from anomgan_detector.loaded import SynthesizerFile, read_synthesizer
from anomgan_detector.service import DetectorService

NOW = 1_800_000_000.0
START = 1_700_000_000.0
NUMBERS = count()


class Impatient(threading.Event):
    """A stop event on which nobody waits: it remembers how long they would have, and may be set by the n-th wait."""

    def __init__(self, stop_at: int = 10**9) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._stop_at = stop_at

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        self.waits.append(timeout or 0.0)
        if len(self.waits) >= self._stop_at:
            self.set()
        return self.is_set()


@pytest.fixture(scope="session")
def model(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "pump.safetensors"
    detector.save(path)
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the journals are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def beside(fleet: FleetConfig) -> SynthesizerFile | None:
    """The synthesizer of a table, where it names one that is there."""
    return read_synthesizer(fleet.synthesizer) if Path(fleet.synthesizer).is_file() else None


class Plant:
    """A service with its twins, and the means to feed and run it."""

    def __init__(self, model: Path, fleets: Sequence[dict[str, Any]] = ({},), stores: int = 1, **tables: Any) -> None:
        table = {"model": str(model), "topic": "plant/{device}/telemetry"}
        document = {
            "fleets": [{**table, **fleet} for fleet in fleets],
            "store": {"sqlite": {"path": "unused"}},
            "decide": {"open_after": 1, "close_after": 2},
            "journal": {"path": f"journal-{next(NUMBERS)}.db"},
            **tables,
        }
        self.config = parse_config(ServiceConfig, document, "service.toml")
        self.source, self.publisher = MemorySource(), MemoryPublisher()
        self.stores = [MemoryStore() for _ in range(stores)]
        self.heard: list[Event] = []
        self.fleets = [
            Fleet(fleet, self.config.input, self.config.decide, synthesizer=beside(fleet))
            for fleet in self.config.fleets
        ]
        self.journal = open_journal(self.config.journal)
        carrier = MqttCarrier(self.publisher, self.config.publish.qos)
        self.courier = Courier(MQTT, open_journal(self.config.journal), carrier, lambda: NOW)  # never started
        self.service = DetectorService(
            self.config,
            self.fleets,
            self.source,
            self.stores,
            self.journal,
            [self.courier],
            lambda: NOW,
            self.heard.extend,
        )
        self.stop = Impatient()

    @property
    def store(self) -> MemoryStore:
        """The first store."""
        return self.stores[0]

    def feed(self, readings: Iterable[Reading]) -> None:
        """Let readings arrive as flat JSON."""
        for reading in readings:
            topic = f"plant/{reading.device}/telemetry"
            self.source.feed(topic, json.dumps({"ts": reading.time_s, **reading.values}).encode())

    def drain(self) -> None:
        """Turns until one acknowledges nothing."""
        self.source.close()  # the twin then no longer waits for messages
        while self.service.turn(self.stop):
            pass
        while self.courier.carry_some():
            pass


def faulty_series(rows: int = 80) -> TimeSeries:
    """Normal, then three channels far off, then normal again; times that a wire accepts."""
    series = normal_series(rows, 1)
    values = series.values.copy()
    values[40:50] += 20.0
    return TimeSeries(series.times + START, values, CHANNELS)
