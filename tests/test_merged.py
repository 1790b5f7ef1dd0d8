"""Several brokers as one source: in order, once, fair to each, and acknowledged where it came from."""

import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.adapters.memory import MemorySource
from anomgan.adapters.merged import MergedSource
from anomgan.adapters.ports import Message


def merged(*names: str) -> tuple[MergedSource, dict[str, MemorySource]]:
    arrived = threading.Event()
    sources = {name: MemorySource(broker=name, on_arrival=arrived.set) for name in names}
    return MergedSource(sources, arrived), sources


def feed(source: MemorySource, count: int) -> None:
    for number in range(count):
        source.feed("t", b"%d" % number)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_everything_arrives_once_and_each_broker_s_in_order(counts: list[int], limits: list[int]) -> None:
    source, parts = merged(*(f"b{number}" for number in range(len(counts))))
    for part, count in zip(parts.values(), counts, strict=True):
        feed(part, count)
    got: list[Message] = []
    for limit in [*limits, 1000, 1000]:
        some = source.receive(limit, 0.0)
        waited = sum(counts) - len(got)
        assert len(some) == min(limit, waited)  # never less than there is
        got += some
    for (name, _), count in zip(parts.items(), counts, strict=True):
        assert [int(message.payload) for message in got if message.broker == name] == list(range(count))


def test_a_broker_with_much_to_say_keeps_no_other_from_being_heard() -> None:
    source, parts = merged("loud", "quiet", "calm")
    feed(parts["loud"], 10_000)
    feed(parts["quiet"], 30)
    feed(parts["calm"], 30)
    first = [message.broker for message in source.receive(90, 0.0)]
    assert {name: first.count(name) for name in parts} == {"loud": 30, "quiet": 30, "calm": 30}
    assert [message.broker for message in source.receive(90, 0.0)] == ["loud"] * 90


def test_several_with_much_to_say_have_equal_shares_every_time() -> None:
    source, parts = merged("a", "b", "c")
    for part in parts.values():
        feed(part, 1000)
    for _ in range(5):
        names = [message.broker for message in source.receive(90, 0.0)]
        assert {name: names.count(name) for name in parts} == {"a": 30, "b": 30, "c": 30}


def test_where_there_is_room_for_one_they_take_turns() -> None:
    source, parts = merged("a", "b", "c")
    for part in parts.values():
        feed(part, 10)
    names = [source.receive(1, 0.0)[0].broker for _ in range(9)]
    assert {name: names.count(name) for name in parts} == {"a": 3, "b": 3, "c": 3}


def test_an_acknowledgement_goes_to_the_broker_that_the_message_came_from() -> None:
    source, parts = merged("a", "b")
    for part in parts.values():
        feed(part, 3)
    messages = source.receive(10, 0.0)
    assert len({message.token for message in messages}) == 3  # the brokers number them alike
    source.acknowledge([message for message in messages if message.broker == "a"])
    assert [len(part.unacknowledged) for part in parts.values()] == [0, 3]
    source.acknowledge(messages)
    assert [len(part.unacknowledged) for part in parts.values()] == [0, 0]
    source.acknowledge([])


@pytest.mark.parametrize("name", ["a", "b"])
def test_whoever_waits_is_woken_by_any_of_them(name: str) -> None:
    source, parts = merged("a", "b")
    got: list[Message] = []
    waiter = threading.Thread(target=lambda: got.extend(source.receive(10, 60.0)))
    waiter.start()
    parts[name].feed("t", b"1")
    waiter.join(20.0)
    assert not waiter.is_alive()
    assert [message.broker for message in got] == [name]


def test_nothing_is_an_empty_list_when_time_runs_out() -> None:
    source, parts = merged("a", "b")
    assert source.receive(10, 0.01) == []
    parts["a"].feed("t", b"1")
    assert len(source.receive(10, 0.0)) == 1
    looks: list[int] = []
    take = parts["b"].receive

    def look(limit: int, timeout_s: float) -> list[Message]:
        looks.append(limit)
        return take(limit, timeout_s)

    parts["b"].receive = look  # type: ignore[method-assign]  # watched, not replaced
    assert source.receive(10, 0.2) == []
    assert len(looks) <= 4  # it waits, and does not ask again and again


def test_losses_are_added_up_and_liveness_is_that_of_each() -> None:
    source, parts = merged("a", "b")
    parts["a"].overflowed, parts["b"].overflowed = 3, 4
    parts["b"].connected = False
    assert source.overflowed == 7
    assert [(one.broker, one.connected) for one in source.liveness()] == [("a", True), ("b", False)]


def test_all_are_left_even_where_one_cannot_be() -> None:
    source, parts = merged("a", "b")

    def fail() -> None:
        raise OSError("no goodbye")

    parts["b"].close = fail  # type: ignore[method-assign]  # one that cannot
    with pytest.raises(OSError, match="no goodbye"), closing(source):
        pass
    assert parts["a"]._closed
