"""Data quality in the service: what is sick never reaches the model as normal, silence is told by time that passes."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detector_plant import folder, model
from examples import CHANNELS, normal_series

from anomgan.adapters.memory import MemorySource, MemoryStore
from anomgan.adapters.mqtt_carrier import MQTT
from anomgan.config import ServiceConfig, parse_config
from anomgan.errors import ConfigError
from anomgan_detector.compose import open_journal, posts_of
from anomgan_detector.renewal import Renewal
from anomgan_detector.service import TICK_S, DetectorService

__all__ = ["folder", "model"]  # fixtures

START = 1_700_000_000.0


def config_of(folder: Path, model: Path, fleet: dict[str, Any] | None = None, **tables: Any) -> ServiceConfig:
    document = {
        "fleets": [{"model": str(model), "topic": "plant/{device}/telemetry", **(fleet or {})}],
        "store": {"sqlite": {"path": "unused"}},
        "journal": {"path": str(folder / "journal.db")},
        **tables,
    }
    return parse_config(ServiceConfig, document, "service.toml")


class Hall:
    """A service with a clock that is set by hand."""

    def __init__(self, config: ServiceConfig, store: MemoryStore | None = None, now_s: float = START) -> None:
        self.now_s = now_s
        self.source, self.store, self.journal = MemorySource(), store or MemoryStore(), open_journal(config.journal)
        self.source.close()  # so that it waits for nothing
        self.fleets = posts_of(Renewal(config, time.time))
        self.service = DetectorService(
            config, self.fleets, self.source, [self.store], self.journal, [], lambda: self.now_s
        )
        self.service.recall()

    def second(self, values: dict[str, float] | None, device: str = "p1") -> None:
        """A second passes, with a reading or none."""
        self.now_s += 1.0
        if values is not None:
            body = json.dumps({"ts": self.now_s - 0.1, **values}).encode()
            self.source.feed(f"plant/{device}/telemetry", body)
        self.service.turn(NEVER)


class Never:
    """A stop that is never set."""

    def wait(self, timeout: float | None = None) -> bool:
        """Nobody stops."""
        raise AssertionError("a store failed")


NEVER: Any = Never()
ROWS = [dict(zip(CHANNELS, row, strict=True)) for row in normal_series(300, 3).values.tolist()]


def test_a_sick_value_is_missing_for_the_model_and_the_issue_is_stored(tmp_path: Path, model: Path) -> None:
    hall = Hall(config_of(tmp_path, model, quality={"ranges": {CHANNELS[0]: [-50, 50]}}))
    for row in ROWS[:40]:
        hall.second(row)
    hall.second(ROWS[40] | {CHANNELS[0]: 1000.0})
    hall.second(ROWS[41] | {CHANNELS[0]: 1000.0})
    (issue,) = hall.store.issues.values()
    assert (issue.kind, issue.channel, issue.state, issue.model) == ("out_of_range", CHANNELS[0], "open", "pump")
    assert hall.store.health["", "p1"].issues == (issue,)
    told = [verdict for verdict in hall.store.verdicts.values() if verdict.time_s > START + 40.5]
    assert told
    assert all(np.isnan(verdict.values[0]) for verdict in told)
    assert hall.service.counters()["masked_values.out_of_range"] == 2
    assert hall.store.events == {}
    (_, last) = hall.journal.letters(MQTT, 100)
    assert (last.topic, last.retain, json.loads(last.body)["ok"]) == ("anomgan/p1/health", True, False)


def test_silence_is_told_though_no_message_comes_and_also_after_a_crash(tmp_path: Path, model: Path) -> None:
    hall = Hall(config_of(tmp_path, model, journal={"path": str(tmp_path / "journal.db"), "snapshot_s": 1e9}))
    for row in ROWS[:30]:
        hall.second(row)
    for _ in range(40):
        hall.second(None)
    state = hall.service._snapshot(None)
    hall.journal.close()
    again = Hall(config_of(tmp_path, model), hall.store, hall.now_s)
    assert {name: part for name, part in again.service._snapshot(None).items() if "counters" not in name} == {
        name: part for name, part in state.items() if "counters" not in name
    }
    for _ in range(40):
        again.second(None)
    (issue,) = hall.store.issues.values()
    assert (issue.kind, issue.state, issue.start_s) == ("silent", "open", START + 30.0)
    again.second(ROWS[30])
    (issue,) = hall.store.issues.values()
    assert issue.state == "closed"


def test_time_without_messages_is_journaled_now_and_then_and_not_while_the_broker_is_away(
    tmp_path: Path, model: Path
) -> None:
    hall = Hall(config_of(tmp_path, model, journal={"path": str(tmp_path / "journal.db"), "snapshot_s": 1e9}))
    for row in ROWS[:3]:
        hall.second(row)
    before, writes = len(list(hall.journal.turns())), hall.store.writes
    for _ in range(20):
        hall.second(None)
    assert len(list(hall.journal.turns())) == before + 20 / TICK_S
    assert hall.store.writes == writes
    hall.source.connected = False
    for _ in range(200):
        hall.second(None)
    assert len(list(hall.journal.turns())) == before + 20 / TICK_S
    hall.source.connected = True
    for _ in range(50):
        hall.second(None)
    assert hall.store.issues == {}  # nobody was silent while nobody listened


def test_channels_that_no_fleet_has_are_refused_by_name(tmp_path: Path, model: Path) -> None:
    with pytest.raises(ConfigError, match=r"quality.ranges: no fleet has a channel 'presure'"):
        posts_of(Renewal(config_of(tmp_path, model, quality={"ranges": {"presure": [0, 16]}}), time.time))
    with pytest.raises(ConfigError, match=r"fleets.quality, model .*: no channel is called 'presure'"):
        posts_of(Renewal(config_of(tmp_path, model, {"quality": {"leave_alone": ["presure"]}}), time.time))
    with pytest.raises(ConfigError, match=r"quality.ranges: the range of 'x', 16 to 0, is empty"):
        config_of(tmp_path, model, quality={"ranges": {"x": [16, 0]}})


def test_a_fleet_s_own_table_takes_the_place_of_the_shared_one(tmp_path: Path, model: Path) -> None:
    shared = {"ranges": {CHANNELS[0]: [0, 1e-6]}}
    hall = Hall(config_of(tmp_path, model, {"quality": {}}, quality=shared))
    for row in ROWS[:20]:
        hall.second(row)
    assert hall.store.issues == {}
