"""A recording of MQTT messages played back: the same bytes on the same topics, in the same order and rhythm."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path

import orjson

from anomgan.adapters.files import write_bytes
from anomgan.adapters.mqtt import MqttPublisher
from anomgan.adapters.ports import Publisher, Recorded
from anomgan.adapters.signals import stopping
from anomgan.config import BrokerConfig
from anomgan.errors import ConfigError
from anomgan_simulator.pace import Pace
from anomgan_simulator.play import REPORT_S, await_all

Rename = tuple[str, str]
"""how topics begin that are changed, and how they begin then"""


@dataclass(slots=True)
class CaptureTotals:
    """What was played back. late_s: the worst delay of a message behind its time; stopped: before the end."""

    messages_published: int = 0
    payload_bytes: int = 0
    topics: set[str] = field(default_factory=set)
    lost: int = 0
    seconds: float = 0.0
    late_s: float = 0.0
    stopped: bool = False


def play_capture(
    messages: Iterable[Recorded],
    publisher: Publisher,
    pace: Pace,
    renames: Sequence[Rename],
    now: Callable[[], float],
    report: Callable[[CaptureTotals], None] | None = None,
) -> CaptureTotals:
    """Publish every message when it is due, and wait until the broker has them all; stops early when the pace says so.

    Raises Unreachable where the broker is gone or keeps back acknowledgements, DataError where the recording is torn
    in its middle.
    """
    totals = CaptureTotals()
    begun_s = reported_s = now()
    before = 0
    for message in messages:
        if not pace.await_turn(message.time_ns / 1e9):
            totals.stopped = True
            break
        if before == 2 and message.qos != 2:  # a broker passes it on after its second packet: others would overtake it
            await_all(publisher)
        before = message.qos
        topic = renamed(message.topic, renames)
        publisher.publish(topic, message.payload, qos=message.qos, retain=message.retain)
        totals.messages_published += 1
        totals.payload_bytes += len(message.payload)
        totals.topics.add(topic)
        totals.late_s, totals.seconds = pace.late_s, now() - begun_s
        if report is not None and now() - reported_s >= REPORT_S:
            reported_s = now()
            report(totals)
    await_all(publisher)
    totals.seconds = now() - begun_s
    return totals


def renamed(topic: str, renames: Sequence[Rename]) -> str:
    """The topic with its beginning replaced by the first rule that fits; ConfigError where nothing is left of it."""
    for old, new in renames:
        if topic.startswith(old):
            topic = new + topic.removeprefix(old)
            if not topic:
                raise ConfigError(f"--rename {old}={new}: nothing is left of the topic {old!r}")
            return topic
    return topic


def run_capture(
    messages: Iterable[Recorded],
    broker: BrokerConfig,
    speed: float,
    renames: Sequence[Rename] = (),
    *,
    summary: Path | None = None,
    report: Callable[[CaptureTotals], None] | None = None,
) -> CaptureTotals:
    """Play to a broker until the end, or SIGINT or SIGTERM. summary: file for the totals as JSON.

    Raises what is wrong with the first message or the broker before anything is published.
    """
    ahead = iter(messages)
    first = list(islice(ahead, 1))
    for message in first:
        renamed(message.topic, renames)
    with stopping() as stop, closing(MqttPublisher(broker, broker.client_id)) as publisher:
        pace = Pace(speed, time.monotonic, stop.wait)
        totals = play_capture(chain(first, ahead), publisher, pace, renames, time.monotonic, report)
        totals.lost = publisher.lost
    if summary is not None:
        told = asdict(totals) | {"topics": len(totals.topics)}
        write_bytes(summary, orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return totals


def describe_capture(totals: CaptureTotals) -> str:
    """How a replay ended."""
    rate = totals.messages_published / totals.seconds if totals.seconds > 0 else 0.0
    return (
        f"{'stopped: ' if totals.stopped else ''}{totals.messages_published:,} messages on {len(totals.topics):,} "
        f"topics, {totals.payload_bytes:,} bytes, in {totals.seconds:.1f} s ({rate:.0f}/s), "
        f"{totals.late_s:.2f} s late at worst"
    )
