"""While one of several brokers is away, its devices are neither silent nor forgotten; the others go on as ever."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from detector_plant import START, folder, model
from examples import CHANNELS, normal_values

from anomgan.adapters.memory import MemorySource, MemoryStore
from anomgan.adapters.merged import MergedSource
from anomgan.adapters.ports import Letter, Turn
from anomgan.config import ServiceConfig, parse_config
from anomgan_detector.compose import open_journal
from anomgan_detector.fleet import Fleet
from anomgan_detector.roster import LOOK_EVERY_S
from anomgan_detector.service import TICK_S, DetectorService

__all__ = ["folder", "model"]  # fixtures

ROWS = [dict(zip(CHANNELS, row, strict=True)) for row in normal_values(300, 3).tolist()]
FORGET_S = 4320.0


class Halls:
    """A service with two brokers and a clock that is set by hand."""

    def __init__(
        self, model: Path, store: MemoryStore | None = None, now_s: float = START, path: str = "j.db", **tables: Any
    ) -> None:
        document = {
            "brokers": [{"name": "north", "host": "n"}, {"name": "south", "host": "s"}],
            "fleets": [
                {"model": str(model), "topic": "plant/{device}/telemetry", "broker": name}
                for name in ("north", "south")
            ],
            "store": {"sqlite": {"path": "unused"}},
            "journal": {"path": path, "snapshot_s": 1e9},
            "input": {"forget_days": FORGET_S / 86_400.0, "flush_s": 0.001},
            **tables,
        }
        config = parse_config(ServiceConfig, document, "service.toml")
        self.now_s, self.store, self.journal = now_s, store or MemoryStore(), open_journal(config.journal)
        self.brokers = {name: MemorySource(broker=name) for name in ("north", "south")}
        self.fleets = [Fleet(fleet, config.input, config.decide) for fleet in config.fleets]
        source = MergedSource(self.brokers, NEVER)
        self.service = DetectorService(config, self.fleets, source, [self.store], self.journal, [], lambda: self.now_s)
        self.service.recall()

    def pass_(self, seconds: float, step_s: float = 1.0, speaks: Callable[[str], bool] = lambda name: True) -> None:
        """Time passes in which a device of each broker that is there and `speaks` is heard in each step."""
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            for name, source in self.brokers.items():
                if source.connected and speaks(name):
                    row = ROWS[round(self.now_s) % len(ROWS)]
                    source.feed("plant/p1/telemetry", json.dumps({"ts": self.now_s - 0.1, **row}).encode())
            self.service.turn(NEVER)

    def silences(self) -> list[tuple[str, str]]:
        """(site, state) of the silences that were told."""
        return [(one.site, one.state) for one in self.store.issues.values() if one.kind == "silent"]

    def letters(self, addressee: str) -> list[Letter]:
        """What waits for an addressee."""
        return self.journal.letters(addressee, 10_000)


class Never:
    """An event that is never set, on which nobody waits: nothing fails, and messages are there or not."""

    def wait(self, timeout: float | None = None) -> bool:
        """Nothing comes."""
        return False

    def clear(self) -> None:
        """Nothing to clear."""


NEVER: Any = Never()


def test_devices_of_a_broker_that_is_away_are_not_silent_and_those_of_the_other_are(model: Path) -> None:
    halls = Halls(model)
    halls.pass_(60, 2.0)
    halls.brokers["north"].connected = False
    halls.pass_(300, 5.0)
    assert halls.silences() == []
    halls.pass_(300, 5.0, speaks=lambda name: False)  # nobody brings a message, and south's devices are asked for
    assert halls.silences() == [("south", "open")]
    halls.brokers["north"].connected = True
    halls.pass_(30)
    assert halls.silences() == [("south", "closed")]
    assert halls.service.counters()["issues.silent"] == 1
    halls.pass_(150, 5.0, speaks=lambda name: name == "south")
    assert halls.silences() == [("south", "closed"), ("north", "open")]  # it is asked for again


def test_devices_of_a_broker_that_is_away_are_not_forgotten_and_those_of_the_other_are(model: Path) -> None:
    halls = Halls(model)
    halls.pass_(60, 2.0)
    halls.brokers["north"].connected = False
    halls.pass_(FORGET_S + 2 * LOOK_EVERY_S, 60.0, speaks=lambda name: False)
    assert [fleet.devices for fleet in halls.fleets] == [1, 0]
    assert halls.service.counters()["devices_forgotten"] == 1
    assert all(one.body for one in halls.letters("mqtt:north"))
    assert halls.letters("mqtt:south")[-1].body == b""
    halls.brokers["north"].connected = True
    halls.pass_(FORGET_S + 2 * LOOK_EVERY_S, 60.0, speaks=lambda name: name == "south")
    assert [fleet.devices for fleet in halls.fleets] == [0, 1]


def test_home_assistant_keeps_devices_of_a_broker_that_is_away(model: Path) -> None:
    halls = Halls(model, homeassistant={"enabled": True, "forget_days": 0.05})
    halls.pass_(60, 2.0)
    halls.brokers["north"].connected = False
    halls.pass_(3 * LOOK_EVERY_S, 600.0, speaks=lambda name: False)
    gone = {
        name: [one for one in halls.letters(f"mqtt:{name}") if not one.body and "homeassistant" in one.topic]
        for name in halls.brokers
    }
    assert (len(gone["north"]), len(gone["south"]) > 0) == (0, True)


def test_without_any_broker_no_turn_is_made(model: Path) -> None:
    halls = Halls(model)
    halls.pass_(10)
    turns = len(list(halls.journal.turns()))
    for source in halls.brokers.values():
        source.connected = False
    halls.pass_(100)
    assert len(list(halls.journal.turns())) == turns
    halls.brokers["south"].connected = True
    halls.pass_(20, speaks=lambda name: False)
    made: list[Turn] = list(halls.journal.turns())[turns:]
    assert [one.away for one in made] == [("north",)] * round(20 / TICK_S)


@pytest.mark.parametrize("crash_s", [100, 700])
def test_turns_made_again_after_a_crash_know_who_was_away(model: Path, crash_s: int) -> None:
    steady, crashed = Halls(model, path="steady.db"), Halls(model, path="crashed.db")

    def go_on(halls: Halls, second: int) -> None:
        halls.brokers["north"].connected = not 60 <= second < 660
        halls.pass_(5, 5.0, speaks=lambda name: second < 700 or name == "south")

    for second in range(0, 900, 5):
        go_on(steady, second)
    for second in range(0, crash_s, 5):
        go_on(crashed, second)
    crashed.journal.close()
    after = Halls(model, crashed.store, crashed.now_s, path="crashed.db")
    for second in range(crash_s, 900, 5):
        go_on(after, second)
    assert after.store.verdicts.keys() == steady.store.verdicts.keys()
    assert after.store.issues == steady.store.issues
    assert steady.silences() == [("north", "open")]
    states = [halls.service._snapshot(None) for halls in (steady, after)]
    assert states[0] == states[1]
