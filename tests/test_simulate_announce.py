"""A run announces its devices and how far it is: on the truth's root, retained, and in the truth's file."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from anomgan.adapters.memory import MemoryPublisher
from anomgan.errors import Unreachable
from anomgan.judging import decode_truth
from anomgan.judging.told import Run
from anomgan.simulate import Network, Scenario, Tick, parse_scenario, ticks
from anomgan.simulate.scenario import OutputConfig
from anomgan_simulator.announce import Announcement, announcement_topic, devices_of
from anomgan_simulator.pace import Pace
from anomgan_simulator.play import play

PLANT = """
clock = { period_s = 10.0, duration_s = 1000 }
devices = [
    { kind = "pump", name = "pump-", count = 2, site = "north" },
    { kind = "cold_store", name = "cold-", site = "south" },
]
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse_scenario(tomllib.loads(PLANT), "plant.toml")


class Told:
    """What a run of some rows announces; the clock goes on by `each_s` whenever it is asked."""

    def __init__(self, scenario: Scenario, rows: list[Tick], each_s: float = 0.0, output: OutputConfig | None = None):
        self.publisher, self.file, self.time_s = MemoryPublisher(), list[Any](), 0.0
        self.each_s = each_s
        self.run = Announcement(
            devices_of(scenario), scenario.period_s, self.publisher, output or OutputConfig(), self.now, self.add
        )
        self.rows = self.run.over(rows)

    def now(self) -> float:
        """The clock, a little later."""
        self.time_s += self.each_s
        return self.time_s

    def add(self, record: Any) -> None:
        """A line of the file."""
        self.file.append(record)

    def spans(self) -> Iterator[tuple[float, float, bool]]:
        """(start, until, ended) of what was published."""
        for topic, payload in self.publisher.published:
            assert topic == "anomgan/truth"
            told = decode_truth(payload)
            assert isinstance(told, Run)
            yield told.start_s, told.until_s, told.ended


def test_a_run_tells_its_devices_at_its_start_and_its_end_and_passes_its_rows_on(scenario: Scenario) -> None:
    rows = list(ticks(scenario, 20, 5))
    told = Told(scenario, rows)
    assert list(told.rows) == rows
    told.run.end()
    start_s = scenario.start_s + 200.0
    assert list(told.spans()) == [(start_s, start_s, False), (start_s, start_s + 50.0, True)]
    assert told.file == [json.loads(payload) for _, payload in told.publisher.published]
    assert set(told.publisher.retained) == {"anomgan/truth"}
    record = decode_truth(told.publisher.retained["anomgan/truth"])
    assert isinstance(record, Run)
    assert {source: part.kind for part in record.parts for source in part.sources()} == {
        source: kind.name for source, kind in scenario.kinds.items()
    }


def test_between_them_it_tells_every_five_seconds_how_far_it_is_but_not_the_file(scenario: Scenario) -> None:
    told = Told(scenario, list(ticks(scenario, 0, 10)), each_s=2.5)
    list(told.rows)
    told.run.end()
    played = [until_s - scenario.start_s for _, until_s, _ in told.spans()]
    assert played == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    assert len(told.file) == 2


def test_a_run_that_is_stopped_counts_the_rows_that_were_played(scenario: Scenario) -> None:
    told = Told(scenario, list(ticks(scenario, 0, 10)))
    for _ in range(4):
        next(told.rows)  # the fourth is not played any more
    told.run.close()
    assert list(told.spans())[-1] == (scenario.start_s, scenario.start_s + 30.0, True)


def test_rows_before_the_first_are_passed_on_and_are_none_of_the_run(scenario: Scenario) -> None:
    rows, publisher = list(ticks(scenario, 0, 10)), MemoryPublisher()
    run = Announcement(devices_of(scenario), 10.0, publisher, OutputConfig(), lambda: 0.0, None, 4)
    assert list(run.over(rows)) == rows
    run.end()
    spans = [(record["start_s"], record["until_s"]) for record in map(json.loads, dict(publisher.published).values())]
    assert spans == [(scenario.start_s + 40.0, scenario.start_s + 100.0)]


def test_a_broker_that_is_gone_is_told_no_end(scenario: Scenario) -> None:
    told = Told(scenario, list(ticks(scenario, 0, 3)))
    next(told.rows)
    told.publisher.connected = False
    told.run.close()
    assert len(told.publisher.published) == 1
    assert [record["ended"] for record in told.file] == [False, True]


def test_a_run_that_ended_as_it_should_tells_it_once(scenario: Scenario) -> None:
    told = Told(scenario, list(ticks(scenario, 0, 3)))
    list(told.rows)
    told.run.end()
    told.run.close()
    assert [ended for _, _, ended in told.spans()] == [False, True]
    assert [record["ended"] for record in told.file] == [False, True]


def test_an_end_that_cannot_be_told_is_an_error_and_not_kept_quiet(scenario: Scenario) -> None:
    told = Told(scenario, list(ticks(scenario, 0, 3)))
    list(told.rows)
    told.publisher.connected = False
    with pytest.raises(Unreachable):
        told.run.end()
    told.run.close()
    assert [record["ended"] for record in told.file] == [False, True]


def test_a_run_that_never_began_has_no_end(scenario: Scenario) -> None:
    told = Told(scenario, [])
    assert list(told.rows) == []
    told.run.end()
    told.run.close()
    assert (told.publisher.published, told.file) == ([], [])


def test_the_end_comes_after_what_was_under_way_and_after_the_ends_of_incidents() -> None:
    late = """
        network = { delay_s = 25.0 }
        incidents = [{ kind = "bad_link", device = "pump-1", start_s = 900, loss = 0.0 }]
    """
    slow = parse_scenario(tomllib.loads(PLANT + late), "plant.toml")
    assert slow.network is not None
    told, network = Told(slow, list(ticks(slow))), Network(slow.network)
    pace = Pace(0, told.now, lambda time_s: False)
    play(told.rows, told.publisher, slow.config.output, pace, slow.start_s, told.now, told.add, network=network)
    told.run.end()
    *before, (topic, payload) = told.publisher.published
    assert (topic, json.loads(payload)["ended"]) == ("anomgan/truth", True)
    assert len([topic for topic, _ in before if topic.endswith("telemetry")]) == 300
    assert [record["state"] for record in told.file] == ["run", "begin", "end", "run"]


@pytest.mark.parametrize(
    ("truth", "topic"),
    [
        ("anomgan/truth/{device}", "anomgan/truth"),
        ("plant/{site}/truth/{device}", "plant"),
        ("truth", "truth"),
        ("{site}/truth", ""),
        ("", ""),
    ],
)
def test_it_goes_to_what_the_truths_topic_has_before_its_first_placeholder(truth: str, topic: str) -> None:
    assert announcement_topic(OutputConfig(truth=truth)) == topic


def test_where_no_truth_is_published_the_file_still_has_it(scenario: Scenario) -> None:
    told = Told(scenario, list(ticks(scenario, 0, 3)), output=OutputConfig(truth=""))
    list(told.rows)
    told.run.end()
    assert told.publisher.published == []
    assert len(told.file) == 2
