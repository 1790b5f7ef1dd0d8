"""All that passes over a broker, with quality of service, retain flag and time of arrival, over paho-mqtt."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.subscribeoptions import SubscribeOptions

from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_connection import SLICE, Connection
from anomgan.adapters.ports import Recorded
from anomgan.config import BrokerConfig
from anomgan.errors import ConfigError, Refused, ServerError

HOLD_S = 0.25
"""how long a message is held back for one that came before it: one of QoS 2 takes two more packets to be complete"""
LONGEST_FILTER = 65_535
WINDOW = 1_000
"""messages that a broker may send unacknowledged (MQTT 5), beyond what fits into the queue"""


class MqttTap:
    """What is published on some topics, as it is: subscribed to with QoS 2, so that each keeps its own.

    Messages come in the order in which the broker sent them. MQTT 5 tells whether a message was published to be
    retained; in 3.1.1 the broker tells that only of those that it had kept before. At most about `queue` messages, or
    `queue_bytes` of payload, wait to be taken; then reading pauses and nothing is acknowledged. What comes all the same
    is, at QoS 0, counted in `overflowed`, and no more than the broker sends unacknowledged. `unreadable`: those whose
    topic is no UTF-8. Leaves no session behind: what passes while the connection is lost is missed.
    """

    def __init__(
        self, config: BrokerConfig, topics: Sequence[str], queue: int = 200_000, queue_bytes: int = 256_000_000
    ) -> None:
        for topic in topics:
            check_filter(topic)
        self.overflowed = self.unreadable = 0
        self.config = config.model_copy(update={"client_id": ""})
        self._topics = list(dict.fromkeys(topics))
        self._limit, self._bytes_limit = queue, queue_bytes
        self._bytes_in = self._bytes_out = 0  # each changed by one thread alone
        self._waiting: deque[tuple[float, Recorded]] = deque()
        self._held: list[tuple[float, Recorded]] = []
        self._arrived = threading.Event()
        self._acknowledged: list[tuple[int, int]] = []
        self._count = 0
        self._epoch_ns = time.time_ns() - time.monotonic_ns()  # one and the same: clocks that are set change no gap
        self._full_since: float | None = None
        self._connection = Connection(
            self.config,
            Wish(window=WINDOW),
            on_connected=self._subscribe,
            each_turn=self._acknowledge,
            may_read=self._may_read,
            progress=lambda: self._count,
        )
        self._connection.client.on_message = self._take
        self._connection.client.on_subscribe = self._subscribed
        self._connection.start()

    @property
    def reason(self) -> str:
        """Why there is no connection; "" while there is one."""
        return self._connection.reason

    @property
    def connections(self) -> int:
        """How often it has connected; more than once: something was missed."""
        return self._connection.generation

    def receive(self, timeout_s: float) -> list[Recorded]:
        """What has come and can be followed by nothing earlier any more; waits for something to come."""
        if not self._waiting and not self._held:
            self._connection.check()
            self._arrived.clear()
            if not self._waiting:
                self._arrived.wait(timeout_s)
        elif timeout_s > 0:
            self._connection.check()
            time.sleep(min(HOLD_S, timeout_s))
        return self._release(time.monotonic() - HOLD_S)

    def rest(self) -> list[Recorded]:
        """All that has come and was held back."""
        return self._release(float("inf"))

    def close(self) -> None:
        """Leave; safe to call twice."""
        self._connection.close()

    def _release(self, until_s: float) -> list[Recorded]:
        held, waiting = self._held, self._waiting
        for _ in range(len(waiting)):
            held.append(waiting.popleft())
            self._bytes_out += len(held[-1][1].payload)
        held.sort(key=lambda one: one[0])
        count = next((n for n, (came_s, _) in enumerate(held) if came_s > until_s), len(held))
        released, self._held = [message for _, message in held[:count]], held[count:]
        if self._full_since is not None:
            self._connection.wake()
        return released

    # In the network thread.

    def _subscribe(self) -> None:
        self._acknowledged.clear()  # of an earlier connection, which meant others by these numbers
        wanted: list[Any] = [(topic, 2) for topic in self._topics]
        if self.config.version == 5:
            wanted = [(topic, SubscribeOptions(2, retainAsPublished=True)) for topic in self._topics]
        self._connection.client.subscribe(wanted)

    def _subscribed(self, client: Any, userdata: Any, mid: int, codes: Sequence[Any], properties: Any) -> None:
        refused = [topic for topic, code in zip(self._topics, codes, strict=False) if code.is_failure]
        where = self._connection.where
        self._connection.settle(Refused(f"{where}: no leave to subscribe to {', '.join(refused)}") if refused else None)

    def _take(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        self._count += 1
        if message.qos:
            self._acknowledged.append((message.mid, message.qos))
        elif self._full(SLICE):
            self.overflowed += 1
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.unreadable += 1
            return
        came_s = message.timestamp  # of its first packet; monotonic
        time_ns = self._epoch_ns + round(came_s * 1e9)
        self._bytes_in += len(message.payload)
        self._waiting.append((came_s, Recorded(time_ns, topic, bytes(message.payload), message.qos, message.retain)))

    def _acknowledge(self) -> None:
        if self._waiting:
            self._arrived.set()
        if self._full():  # so that the broker, too, waits
            return
        for mid, qos in self._acknowledged:
            self._connection.client.ack(mid, qos)
        self._acknowledged.clear()

    def _full(self, more: int = 0) -> bool:
        return len(self._waiting) >= self._limit + more or self._bytes_in - self._bytes_out >= self._bytes_limit

    def _may_read(self) -> bool:
        if not self._full():
            self._full_since = None
            return True
        self._full_since = self._full_since or time.monotonic()
        return time.monotonic() - self._full_since >= self.config.keepalive_s / 2


def open_tap(config: BrokerConfig, topics: Sequence[str], version: int | None) -> MqttTap:
    """A tap in the version asked for; left out, in MQTT 5 or, where the broker may not speak it, in 3.1.1."""
    if version is not None:
        return MqttTap(config.model_copy(update={"version": version}), topics)
    try:
        return MqttTap(config.model_copy(update={"version": 5}), topics)
    except ServerError as error:
        if not error.other_version:
            raise
        return MqttTap(config.model_copy(update={"version": 3}), topics)


def check_filter(topic: str) -> None:
    """ConfigError for a topic filter that MQTT does not allow."""
    levels = topic.split("/")
    wrong = (
        "it is empty"
        if not topic
        else "# stands alone, at the end"
        if any("#" in level and (level != "#" or number < len(levels) - 1) for number, level in enumerate(levels))
        else "+ stands alone between slashes"
        if any("+" in level and level != "+" for level in levels)
        else "it is too long, or has a NUL in it"
        if "\0" in topic or len(topic.encode("utf-8", "replace")) > LONGEST_FILTER
        else ""
    )
    if wrong:
        raise ConfigError(f"--topic {topic!r}: {wrong}")
