"""Messages from an MQTT broker (3.1.1 or 5), over paho-mqtt."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho

from anomgan.adapters.mqtt_client import Wish, subscribe
from anomgan.adapters.mqtt_connection import SLICE, Connection
from anomgan.adapters.mqtt_publisher import MqttPublisher
from anomgan.adapters.mqtt_tls import exposed_password
from anomgan.adapters.mqtt_words import SPOKEN
from anomgan.adapters.ports import Liveness, Message
from anomgan.config import BrokerConfig, broker_name
from anomgan.errors import Refused

log = logging.getLogger(__name__)

__all__ = ["MqttPublisher", "MqttSource", "check_broker"]


class MqttSource:
    """A MessageSource over MQTT: at least once, acknowledged only when told, kept by the broker while away.

    With a `client_id` the session is persistent, and `former` are the filters that an earlier program may have left in
    it: those that are no longer wanted are unsubscribed from. At most `queue` messages wait between network and caller;
    when they are that many, reading pauses and the broker keeps the rest. After half a keepalive without anybody
    taking messages, reading goes on for the connection's sake, and QoS 0 messages that find the queue full are dropped
    and counted in `overflowed` (QoS 1 and 2 are bounded by the broker's own window of unacknowledged messages).
    `status_topic` holds a retained `online` or `offline`, the latter also when this process dies. `on_arrival` is
    called in the network's thread when messages have come. `may_be_away`: the broker need not be there yet.
    """

    def __init__(
        self,
        config: BrokerConfig,
        subscriptions: Sequence[tuple[str, int]],
        queue: int = 20_000,
        status_topic: str = "",
        clock: Callable[[], float] = time.time,
        *,
        former: Sequence[str] = (),
        on_arrival: Callable[[], None] = lambda: None,
        may_be_away: bool = False,
    ) -> None:
        self.overflowed = 0
        self.last_message_s: float | None = None
        self._name = broker_name(config)
        self._subscriptions = list(subscriptions)
        self._gone = sorted(set(former) - {wanted for wanted, _ in subscriptions}) if config.client_id else []
        self._limit = queue
        self._clock = clock
        self._on_arrival = on_arrival
        self._waiting: deque[Message] = deque()
        self._arrived = threading.Event()
        self._acknowledged: deque[list[tuple[int, int, int]]] = deque()
        self._count = self._told = self._taken = self._dealt_with = 0
        self._full_since: float | None = None
        self._warned = ""
        wish = Wish(config.client_id, bool(config.client_id), bool(former), queue, status_topic)
        self._connection = Connection(
            config,
            wish,
            on_connected=self._subscribe,
            each_turn=self._hand_over,
            may_read=self._may_read,
            progress=lambda: self._count,
        )
        self._connection.client.on_message = self._take
        self._connection.client.on_subscribe = self._subscribed
        self._connection.start(may_be_away)

    @property
    def connected(self) -> bool:
        """Whether messages can arrive now."""
        return self._connection.connected

    @property
    def reason(self) -> str:
        """Why there is no connection; "" while there is one."""
        return self._connection.reason

    def liveness(self) -> list[Liveness]:
        """How the connection stands now: one. What waits for us to take or to acknowledge it is no silence."""
        connection = self._connection
        since_s = self._clock() - (time.monotonic() - connection.changed_s)
        heard_s = self._clock() if self._waiting or self._taken > self._dealt_with else self.last_message_s
        made, forgotten = connection.generation, connection.forgotten
        standing = (connection.connected, connection.reason, since_s, heard_s, made, forgotten)
        return [Liveness(self._name, connection.where, *standing)]

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
        self._taken += len(messages)
        if self._full_since is not None and len(waiting) < self._limit:
            self._connection.wake()
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are dealt with; those of a connection that is gone it will send again anyway."""
        self._dealt_with += len(messages)
        tokens: list[Any] = [message.token for message in messages if message.token is not None]
        if tokens:
            self._acknowledged.append(tokens)
            self._connection.wake()

    def close(self) -> None:
        """Send the acknowledgements given so far and leave; safe to call twice."""
        self._connection.close()

    # In the network thread.

    def _subscribe(self) -> None:
        """Every time, for the broker may have forgotten; first what is no longer wanted, so that it has gone then."""
        client = self._connection.client
        if self._gone:
            client.unsubscribe(self._gone)
        if self._subscriptions:
            subscribe(client, self._connection.config, self._subscriptions)
        else:
            self._connection.settle()

    def _subscribed(self, client: Any, userdata: Any, mid: int, codes: Sequence[Any], properties: Any) -> None:
        answers = list(zip(self._subscriptions, codes, strict=False))
        where = self._connection.where
        refused = [topic for (topic, _), code in answers if code.is_failure]
        if refused:
            self._connection.settle(Refused(f"{where}: no leave to subscribe to {', '.join(refused)}"))
            return
        lower = [f"{topic} (QoS {code.value})" for (topic, qos), code in answers if code.value < qos]
        if lower and self._warned != (warning := f"{where}: it grants less than asked for: {', '.join(lower)}"):
            self._warned = warning
            log.warning("%s", warning)
        self._connection.settle()

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
        self._waiting.append(Message(topic, bytes(message.payload), token, message.retain, self._name))

    def _hand_over(self) -> None:
        if self._count != self._told:
            self._told = self._count
            self.last_message_s = self._clock()
            self._arrived.set()
            self._on_arrival()
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


def check_broker(config: BrokerConfig) -> str:
    """Connect, say in one line what is there, and leave; raises Unreachable or Refused with where and why."""
    anonymous = config.model_copy(update={"client_id": ""})  # the service's own id would throw out the service
    source = MqttSource(anonymous, [])
    (found,) = source.liveness()
    source.close()
    how = [SPOKEN[config.version], *(["TLS"] if config.tls else [])]
    how += [f"user {config.username!r}"] if config.username else []
    return f"{found.where}: connected ({', '.join(how)}){exposed_password(config) and '; ' + exposed_password(config)}"
