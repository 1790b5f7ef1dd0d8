"""Messages from and to an MQTT broker (3.1.1), over paho-mqtt."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho

from anomgan.adapters.mqtt_connection import SLICE, Connection
from anomgan.adapters.ports import Message
from anomgan.config import BrokerConfig
from anomgan.errors import DataError, Refused, Unreachable

LOST = -1
"""stands in the queue of finished message ids for: a new connection, what QoS 0 had under way is gone"""


class MqttSource:
    """A MessageSource over MQTT: at least once, acknowledged only when told, kept by the broker while away.

    With a `client_id` the session is persistent. At most `queue` messages wait between network and caller; when they
    are that many, reading pauses and the broker keeps the rest. After half a keepalive without anybody taking
    messages, reading goes on for the connection's sake, and QoS 0 messages that find the queue full are dropped and
    counted in `overflowed` (QoS 1 and 2 are bounded by the broker's own window of unacknowledged messages).
    `status_topic` holds a retained `online` or `offline`, the latter also when this process dies.
    """

    def __init__(
        self,
        config: BrokerConfig,
        subscriptions: Sequence[tuple[str, int]],
        queue: int = 20_000,
        status_topic: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.overflowed = 0
        self.last_message_s: float | None = None
        self._subscriptions = list(subscriptions)
        self._limit = queue
        self._clock = clock
        self._waiting: deque[Message] = deque()
        self._arrived = threading.Event()
        self._acknowledged: deque[list[tuple[int, int, int]]] = deque()
        self._count = self._told = 0
        self._full_since: float | None = None
        self._connection = Connection(
            config,
            config.client_id,
            persistent=bool(config.client_id),
            status_topic=status_topic,
            on_connected=self._subscribe,
            each_turn=self._hand_over,
            may_read=self._may_read,
            progress=lambda: self._count,
        )
        self._connection.client.on_message = self._take
        self._connection.client.on_subscribe = self._subscribed
        self._connection.start()

    @property
    def connected(self) -> bool:
        """Whether messages can arrive now."""
        return self._connection.connected

    @property
    def reason(self) -> str:
        """Why there is no connection; "" while there is one."""
        return self._connection.reason

    @property
    def waiting(self) -> int:
        """How many messages have come and wait to be taken."""
        return len(self._waiting)

    def receive(self, limit: int, timeout_s: float) -> list[Message]:
        """Up to `limit` messages, waiting at most `timeout_s` for the first; [] when there was none."""
        waiting = self._waiting
        deadline = time.monotonic() + timeout_s
        while not waiting:
            self._connection.check()
            self._arrived.clear()
            remaining_s = deadline - time.monotonic()
            if waiting or remaining_s <= 0:  # asked again: they may have come before the clearing
                break
            self._arrived.wait(remaining_s)  # no proof: word of messages that are already taken may come late
        messages = [waiting.popleft() for _ in range(min(limit, len(waiting)))]
        if self._full_since is not None and len(waiting) < self._limit:
            self._connection.wake()
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are dealt with; those of a connection that is gone it will send again anyway."""
        tokens: list[Any] = [message.token for message in messages if message.token is not None]
        if tokens:
            self._acknowledged.append(tokens)
            self._connection.wake()

    def close(self) -> None:
        """Send the acknowledgements given so far and leave; safe to call twice."""
        self._connection.close()

    # In the network thread.

    def _subscribe(self) -> None:
        if self._subscriptions:
            self._connection.client.subscribe(self._subscriptions)
        else:
            self._connection.settle()

    def _subscribed(self, client: Any, userdata: Any, mid: int, codes: Sequence[Any], properties: Any) -> None:
        refused = [topic for (topic, _), code in zip(self._subscriptions, codes, strict=False) if code.is_failure]
        where = self._connection.where
        self._connection.settle(Refused(f"{where}: no leave to subscribe to {', '.join(refused)}") if refused else None)

    def _take(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        self._count += 1
        qos = message.qos
        if qos == 0 and len(self._waiting) >= self._limit + SLICE:
            self.overflowed += 1
            return
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode("utf-8", "surrogateescape")  # cannot be read, yet wants to be acknowledged
        token = (self._connection.generation, message.mid, qos) if qos else None
        self._waiting.append(Message(topic, bytes(message.payload), token, message.retain))

    def _hand_over(self) -> None:
        if self._count != self._told:
            self._told = self._count
            self.last_message_s = self._clock()
            self._arrived.set()
        while self._acknowledged:
            for generation, mid, qos in self._acknowledged.popleft():
                if generation == self._connection.generation:
                    self._connection.client.ack(mid, qos)

    def _may_read(self) -> bool:
        if len(self._waiting) < self._limit:
            self._full_since = None
            return True
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        return now - self._full_since >= self._connection.config.keepalive_s / 2


class MqttPublisher:
    """A Publisher over MQTT. At most `in_flight` messages are unacknowledged; `publish` waits while they are that many.

    QoS 1 and 2 survive a lost connection: they are sent again when it is back. `lost` counts the QoS 0 messages that
    were under way when a connection ended. Safe to use from several threads.
    """

    def __init__(
        self,
        config: BrokerConfig,
        client_id: str = "",
        *,
        status_topic: str = "",
        in_flight: int = 1000,
        patience_s: float = 30.0,
    ) -> None:
        self.lost = 0
        self._in_flight = in_flight
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._open: dict[int, int] = {}  # message id -> QoS; touched only under the lock
        self._finished: deque[int] = deque()  # filled by the network thread, which never takes the lock
        self._progress = threading.Event()
        self._connection = Connection(
            config,
            client_id,
            persistent=False,
            status_topic=status_topic,
            on_connected=self._ready,
        )
        self._connection.client.on_publish = self._published
        self._connection.start()

    @property
    def connected(self) -> bool:
        """Whether messages can leave now."""
        return self._connection.connected

    @property
    def reason(self) -> str:
        """Why there is no connection; "" while there is one."""
        return self._connection.reason

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Hand one message over, waiting for room; Unreachable where there is none within `patience_s`.

        DataError for a topic that MQTT does not allow.
        """
        connection = self._connection
        with self._lock:
            self._settle()
            if len(self._open) >= self._in_flight or not connection.connected:
                self._await_room()
            try:
                info = connection.client.publish(topic, payload, qos, retain)
            except ValueError as error:
                raise DataError(f"topic {topic[:200]!r}: {error}") from None
            if info.rc == paho.MQTT_ERR_QUEUE_SIZE or (qos == 0 and info.rc != paho.MQTT_ERR_SUCCESS):
                raise Unreachable(f"{connection.where}: message not sent ({paho.error_string(info.rc)})")
            self._open[info.mid] = qos
        connection.wake()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published is acknowledged; False when time ran out."""
        with self._lock:
            return self._wait(lambda: not self._open, timeout_s)

    def close(self) -> None:
        """Wait a little for what is under way, then leave; safe to call twice."""
        if self._connection.connected:
            self.flush(self._connection.config.connect_timeout_s)
        self._connection.close()

    def _await_room(self) -> None:
        connection = self._connection
        if self._wait(lambda: connection.connected and len(self._open) < self._in_flight, self._patience_s):
            return
        if connection.reason:
            raise Unreachable(connection.reason)
        raise Unreachable(f"{connection.where}: {len(self._open)} messages unacknowledged for {self._patience_s:g} s")

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        connection = self._connection
        deadline = time.monotonic() + timeout_s
        while True:
            self._progress.clear()
            self._settle()
            if condition():
                return True
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return False
            if connection.closed:
                raise Unreachable(f"{connection.where}: closed")
            connection.check()
            self._progress.wait(min(remaining_s, 1.0))

    def _settle(self) -> None:
        """Take what the network thread has finished off the list of what is under way."""
        while self._finished:
            mid = self._finished.popleft()
            if mid != LOST:
                self._open.pop(mid, None)
                continue
            gone = [mid for mid, qos in self._open.items() if qos == 0]
            self.lost += len(gone)
            for mid in gone:
                del self._open[mid]

    # In the network thread.

    def _ready(self) -> None:
        self._finished.append(LOST)
        self._progress.set()
        self._connection.settle()

    def _published(self, client: Any, userdata: Any, mid: int, code: Any, properties: Any) -> None:
        self._finished.append(mid)
        self._progress.set()


def check_broker(config: BrokerConfig) -> str:
    """Connect, say in one line what is there, and leave; raises Unreachable or Refused with where and why."""
    anonymous = config.model_copy(update={"client_id": ""})  # the service's own id would throw out the service
    MqttSource(anonymous, []).close()
    how = [*(["TLS"] if config.tls else []), *([f"user {config.username!r}"] if config.username else [])]
    return f"MQTT broker {config.host}:{config.port}: connected" + (f" ({', '.join(how)})" if how else "")
