"""A broker that falls silent is told of once, and once more when it is heard again."""

import logging

import pytest

from anomgan.adapters.memory import MemorySource
from anomgan_detector.watch import BrokerWatch

AFTER_S = 600.0


@pytest.fixture
def source() -> MemorySource:
    source = MemorySource(broker="north")
    source.since_s = 1000.0
    return source


def silent_at(source: MemorySource, now_s: float) -> tuple[float, bool]:
    (standing,) = BrokerWatch(source.liveness, AFTER_S).standing(now_s)
    return standing.silent_s, standing.silent


def test_silence_counts_from_the_last_message_or_from_the_connection(source: MemorySource) -> None:
    assert silent_at(source, 1600.0) == (600.0, False)
    assert silent_at(source, 1601.0) == (601.0, True)
    source.last_message_s = 1500.0
    assert silent_at(source, 1601.0) == (101.0, False)
    source.since_s = 1550.0  # it has connected again since
    assert silent_at(source, 1601.0) == (51.0, False)


def test_a_broker_that_is_away_is_another_alarm_and_a_clock_set_back_is_no_silence(source: MemorySource) -> None:
    source.connected = False
    assert silent_at(source, 1e9) == (0.0, False)
    source.connected = True
    assert silent_at(source, 10.0) == (0.0, False)


def test_a_change_is_logged_once(source: MemorySource, caplog: pytest.LogCaptureFixture) -> None:
    watch = BrokerWatch(source.liveness, AFTER_S)
    with caplog.at_level(logging.INFO):
        for now_s in range(1000, 1700):
            watch.watch(float(now_s))
        assert [record.getMessage() for record in caplog.records] == ["memory broker: connected, but silent for 601 s"]
        source.last_message_s = 1700.0
        for now_s in range(1700, 1800):
            watch.watch(float(now_s))
        assert [record.getMessage() for record in caplog.records][1:] == ["memory broker: no longer silent"]


def test_it_does_not_look_more_often_than_needed_and_goes_on_where_the_clock_is_set_back(source: MemorySource) -> None:
    looks: list[float] = []

    def look() -> list[object]:
        looks.append(now_s)
        return []

    watch = BrokerWatch(look, AFTER_S)  # type: ignore[arg-type]  # nobody to judge
    for step in range(40):
        now_s = 1000.0 + step / 10
        watch.watch(now_s)
    assert len(looks) == 4
    now_s = 500.0
    watch.watch(now_s)
    watch.watch(now_s + 0.5)
    assert len(looks) == 5
