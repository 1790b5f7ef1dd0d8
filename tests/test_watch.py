"""How a broker stands: away, silent since its last message or its connection, and heard."""

from math import inf

import pytest

from anomgan.adapters.memory import MemorySource
from anomgan_detector.watch import standing


@pytest.fixture
def source() -> MemorySource:
    source = MemorySource(broker="north")
    source.since_s = 1000.0
    return source


def times_at(source: MemorySource, now_s: float) -> tuple[float, float, float]:
    (one,) = standing(source.liveness(), now_s)
    assert (one.name, one.connected) == ("north", source.connected)
    return one.away_s, one.silent_s, one.unheard_s


def test_silence_counts_from_the_last_message_or_from_the_connection(source: MemorySource) -> None:
    assert times_at(source, 1601.0) == (0.0, 601.0, inf)
    source.last_message_s = 1500.0
    assert times_at(source, 1601.0) == (0.0, 101.0, 101.0)
    source.since_s = 1550.0  # it has connected again since
    assert times_at(source, 1601.0) == (0.0, 51.0, 101.0)


def test_a_broker_is_away_since_its_connection_was_lost(source: MemorySource) -> None:
    source.connected, source.last_message_s = False, 900.0
    assert times_at(source, 1601.0) == (601.0, 601.0, 701.0)


def test_a_clock_set_back_is_no_silence(source: MemorySource) -> None:
    source.last_message_s = 1500.0
    assert times_at(source, 10.0) == (0.0, 0.0, 0.0)
