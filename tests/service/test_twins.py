"""The laws of MessageSource, run over the real broker and its in-memory twin alike."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from servers import Mosquitto, eventually

from anomgan.adapters.memory import MemorySource
from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.ports import Message, MessageSource


@dataclass(frozen=True)
class Line:
    """A source, what feeds it, and what a crash and a new start of its owner do to it."""

    source: MessageSource
    feed: Callable[[str, bytes], None]
    come_back: Callable[[], MessageSource]


@pytest.fixture(params=["memory", "mosquitto"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    if request.param == "memory":
        source = MemorySource()

        def come_back() -> MessageSource:
            source.reconnect()
            return source

        yield Line(source, source.feed, come_back)
        return
    server: Mosquitto = request.getfixturevalue("mosquitto_server")
    config = server.config.model_copy(update={"client_id": "detector"})
    with closing(MqttPublisher(server.config)) as publisher:
        sources = [MqttSource(config, [("plant/#", 1)])]

        def start_again() -> MessageSource:
            sources[-1].close()
            sources.append(MqttSource(config, [("plant/#", 1)]))
            return sources[-1]

        def feed(topic: str, payload: bytes) -> None:
            publisher.publish(topic, payload)
            assert publisher.flush(10.0)

        yield Line(sources[0], feed, start_again)
        for one in sources:
            one.close()


def take(source: MessageSource, count: int) -> list[Message]:
    """`count` messages, or the test fails."""
    messages: list[Message] = []

    def enough() -> bool:
        messages.extend(source.receive(count - len(messages), 0.1))
        return len(messages) == count

    eventually(enough, f"{count} messages arrive")
    return messages


def test_messages_arrive_in_order_with_topic_and_payload(line: Line) -> None:
    sent = [(f"plant/p{i}", bytes([i])) for i in range(20)]
    for topic, payload in sent:
        line.feed(topic, payload)
    got = take(line.source, 20)
    assert [(message.topic, message.payload) for message in got] == sent
    assert not any(message.retained for message in got)
    assert line.source.receive(5, 0.05) == []


def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(line: Line) -> None:
    for i in range(6):
        line.feed("plant/p1", bytes([i]))
    first = take(line.source, 6)
    line.source.acknowledge([first[0], first[3]])
    again = line.come_back()
    second = take(again, 4)
    assert [message.payload[0] for message in second] == [1, 2, 4, 5]
    again.acknowledge(second)
    assert line.come_back().receive(5, 0.2) == []


def test_acknowledging_nothing_or_twice_or_late_is_harmless(line: Line) -> None:
    line.feed("plant/p1", b"1")
    first = take(line.source, 1)
    line.source.acknowledge([])
    line.source.acknowledge(first)
    line.source.acknowledge(first)
    again = line.come_back()
    line.feed("plant/p1", b"2")
    second = take(again, 1)
    again.acknowledge(first)
    assert [message.payload for message in second] == [b"2"]


def test_a_closed_source_can_be_closed_again(line: Line) -> None:
    line.source.close()
    line.source.close()
