"""The in-memory twins keep the laws of their ports. The laws that real servers keep too: tests/service."""

import threading

import numpy as np
import pytest

from anomgan.adapters.memory import MemoryPublisher, MemorySource, MemoryStore
from anomgan.adapters.ports import Batch, MessageSource, Publisher, Store
from anomgan.errors import Refused, Unreachable
from anomgan.records import Event, Verdict

NONE = np.zeros(0, dtype=np.float32)


def verdict(time_s: float, surprise: float = 1.0, device: str = "p1") -> Verdict:
    return Verdict(device, "", time_s, surprise, 4.0, False, 1.0, 1.0, 1.0, (), NONE, NONE, NONE)


def event(state: str = "open") -> Event:
    return Event("e1", "p1", "", state, 1.0, 2.0, 6.0, 1.5, "minor", (), (), (), (), "")  # type: ignore[arg-type]  # a valid state


def test_twins_fit_their_ports() -> None:
    source: MessageSource = MemorySource()
    store: Store = MemoryStore()
    publisher: Publisher = MemoryPublisher()
    for port in (source, store, publisher):
        port.close()
        port.close()


def test_messages_arrive_in_order_and_no_more_than_the_limit() -> None:
    source = MemorySource([("a", b"1"), ("b", b"2"), ("c", b"3")])
    assert [message.topic for message in source.receive(2, 0.0)] == ["a", "b"]
    assert [message.payload for message in source.receive(2, 0.0)] == [b"3"]
    assert source.receive(2, 0.0) == []


def test_unacknowledged_messages_come_again_in_order_before_newer_ones() -> None:
    source = MemorySource([("a", b"1"), ("b", b"2"), ("c", b"3")])
    first = source.receive(3, 0.0)
    source.acknowledge(first[1:2])
    source.feed("d", b"4")
    assert [message.topic for message in source.unacknowledged] == ["a", "c"]
    source.reconnect()
    again = source.receive(9, 0.0)
    assert [message.topic for message in again] == ["a", "c", "d"]
    source.acknowledge([*again, *again, *first])
    assert [message.topic for message in source.acknowledged] == ["b", "a", "c", "d"]
    source.reconnect()
    assert source.receive(9, 0.0) == []


@pytest.mark.parametrize("wake", ["feed", "close"])
def test_who_waits_is_woken(wake: str) -> None:
    source = MemorySource()
    got: list[int] = []
    waiter = threading.Thread(target=lambda: got.append(len(source.receive(1, 30.0))))
    waiter.start()
    if wake == "feed":
        source.feed("a", b"1", retained=True)
    else:
        source.close()
    waiter.join(10.0)
    assert got == [1 if wake == "feed" else 0]


def test_a_repeated_write_changes_nothing_and_a_later_one_overwrites() -> None:
    store = MemoryStore()
    batch = Batch([verdict(1.0), verdict(2.0), verdict(1.0, device="p2")], [event()], {"received": 3})
    store.write(batch)
    store.write(batch)
    assert len(store.verdicts) == 3
    store.write(Batch([verdict(1.0, surprise=5.0)], [event("closed")], {"received": 4}))
    assert store.verdicts["", "p1", 1.0].surprise == 5.0
    assert store.events["e1"].state == "closed"
    assert store.counters == {"received": 4}
    assert "3 verdicts, 1 events" in store.check()


def test_a_failing_write_keeps_nothing_and_the_next_succeeds() -> None:
    store = MemoryStore()
    store.fail_next(2)
    for _ in range(2):
        with pytest.raises(Unreachable):
            store.write(Batch([verdict(1.0)]))
    assert not store.verdicts
    store.write(Batch([verdict(1.0)]))
    assert len(store.verdicts) == 1
    store.fail_next(1, Refused("memory store: full"))
    with pytest.raises(Refused, match="full"):
        store.check()


def test_published_messages_are_kept_and_retained_ones_can_be_cleared() -> None:
    publisher = MemoryPublisher()
    publisher.publish("a", b"1", retain=True)
    publisher.publish("b", b"2")
    assert publisher.published == [("a", b"1"), ("b", b"2")]
    assert publisher.retained == {"a": b"1"}
    publisher.publish("a", b"", retain=True)
    assert publisher.retained == {}
    assert publisher.flush(1.0)


def test_a_publisher_without_broker_raises_and_keeps_nothing() -> None:
    publisher = MemoryPublisher()
    publisher.connected = False
    with pytest.raises(Unreachable):
        publisher.publish("a", b"1")
    assert not publisher.published
    assert not publisher.flush(0.0)
