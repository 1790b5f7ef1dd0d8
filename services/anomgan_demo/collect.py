"""The first stretch, heard over MQTT as any training data would be: messages in, one series per device out."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.ports import Message
from anomgan.assemble import series_by_device
from anomgan.errors import AnomganError
from anomgan.records import Reading, Source, TimeSeries
from anomgan.wire.dialects import Decoder

SILENCE_S = 10.0


def collect(
    source: MqttSource, decoder: Decoder, published: Callable[[], int | None]
) -> tuple[int, dict[Source, TimeSeries]]:
    """Listen until everything that was published has come; how many messages that were, and a series per device.

    `published` gives their number once it is known. AnomganError when the rest does not come.
    """
    count, readings = 0, list[Reading]()
    heard_s = time.monotonic()
    while published() is None or count < (published() or 0):
        messages = source.receive(2000, 0.1)
        if messages:
            heard_s = time.monotonic()
            count += len(messages)
            readings += read(decoder, messages)
            source.acknowledge(messages)
        elif time.monotonic() - heard_s > SILENCE_S:
            raise AnomganError(f"training data: {count} messages came, of {published()} published, then none")
    return count, series_by_device(readings)


def read(decoder: Decoder, messages: list[Message]) -> list[Reading]:
    """The readings of messages; what cannot be read raises, for here every message is our own."""
    now_s = time.time()
    return [
        reading for message in messages for reading in decoder.decode(message.topic, message.payload, now_s).readings
    ]


def published_count(summary: Path) -> int | None:
    """How many messages the simulator says it published, once it has ended and said so."""
    if not summary.exists():
        return None
    return int(json.loads(summary.read_bytes())["messages_published"])
