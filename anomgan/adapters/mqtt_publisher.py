"""Messages to an MQTT broker (3.1.1 or 5), over paho-mqtt."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho

from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_connection import Connection
from anomgan.config import BrokerConfig
from anomgan.errors import DataError, Unreachable

LOST = -1
"""stands in the queue of finished message ids for: a new connection, what QoS 0 had under way is gone"""

HEAD_BYTES = 10
"""of a packet, beside topic and payload, at most"""


class MqttPublisher:
    """A Publisher over MQTT. At most `in_flight` messages are unacknowledged; `publish` waits while they are that many.

    QoS 1 and 2 survive a lost connection: they are sent again when it is back. `lost` counts the QoS 0 messages that
    were under way when a connection ended. A broker that takes less (MQTT 5 says so) gets no more in flight, and no
    higher QoS. `may_be_away`: it need not be there yet. Safe to use from several threads.
    """

    def __init__(
        self,
        config: BrokerConfig,
        client_id: str = "",
        *,
        status_topic: str = "",
        in_flight: int = 1000,
        patience_s: float = 30.0,
        may_be_away: bool = False,
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
            Wish(client_id, status_topic=status_topic),
            on_connected=self._ready,
        )
        self._connection.client.on_publish = self._published
        self._connection.start(may_be_away)

    @property
    def connected(self) -> bool:
        """Whether messages can leave now."""
        return self._connection.connected

    @property
    def reason(self) -> str:
        """Why there is no connection; "" while there is one."""
        return self._connection.reason

    @property
    def _room(self) -> int:
        return min(self._in_flight, self._connection.most_in_flight)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Hand one message over, waiting for room; Unreachable where there is none within `patience_s`.

        DataError for a topic that MQTT does not allow, and for more than the broker takes: it would end the connection,
        get the message again with the next one, and so on for ever.
        """
        connection = self._connection
        if not topic:
            raise DataError("topic '': it is empty")
        with self._lock:
            self._settle()
            if len(self._open) >= self._room or not connection.connected:
                self._await_room()
            qos = min(qos, connection.most_qos)
            try:
                if len(topic.encode()) + len(payload) + HEAD_BYTES > connection.most_bytes:
                    raise DataError(f"topic {topic[:200]!r}: {len(payload)} bytes, more than {connection.where} takes")
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
        if self._wait(lambda: connection.connected and len(self._open) < self._room, self._patience_s):
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
