"""Messages to an MQTT broker from thousands of connections, or from one, in the caller's own thread.

A thread for each client, as paho has it, ends at some hundreds. Here one selector watches all sockets, and the caller
lends its thread: while it publishes, and while it waits. For one connection that is faster, too, than a thread beside
it: a QoS 0 message needs no change of threads.
"""

import heapq
import logging
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from anomgan.adapters.mqtt_client import MOST_BYTES, MOST_IN_FLIGHT, Wish, authenticate, connect, make_client, stated
from anomgan.adapters.mqtt_member import FIRST_DELAY_S, LONGEST_DELAY_S, Member
from anomgan.adapters.mqtt_publisher import HEAD_BYTES
from anomgan.adapters.mqtt_pulse import Backoff
from anomgan.adapters.mqtt_tls import exposed_password, read_certificate, tls_context
from anomgan.adapters.mqtt_words import describe, explain, explain_closing, loss, no_answer, refusal
from anomgan.adapters.open_files import allow_open_files
from anomgan.config import BrokerConfig
from anomgan.errors import ConfigError, DataError, Refused, ServerError, Unreachable

log = logging.getLogger(__name__)

AT_ONCE = 50
"""connections being made at a time: brokers have about a hundred places in their queue for new ones"""
STEADY_S = 5.0
"""a connection that held for so long was no failed attempt"""
TURN_S = 0.1
MOST_UNWRITTEN = 1000
FAREWELL_S = 3.0


class MqttFleet:
    """One MQTT client for each wish, which come back by themselves; `absent` ones are to join later.

    At most `in_flight` messages of QoS 1 and 2 are unacknowledged, in all; `publish` waits while they are that many, or
    while its client has no connection. QoS 1 and 2 survive a lost connection; `lost` counts the QoS 0 messages that did
    not. Not for several threads. Raises Unreachable or Refused where they cannot all connect.
    """

    def __init__(
        self,
        config: BrokerConfig,
        wishes: Sequence[Wish],
        *,
        absent: frozenset[int] = frozenset(),
        in_flight: int = 1000,
        patience_s: float = 30.0,
    ) -> None:
        self.lost = 0
        self.where = describe(config)
        self._config = config
        self._in_flight = in_flight
        self._patience_s = patience_s
        self._open = 0
        self._most_qos, self._most_in_flight, self._most_bytes = 2, MOST_IN_FLIGHT, MOST_BYTES
        self._closed = False
        self._complaint = self._tls_said = ""
        self._failure: ServerError | None = None
        self._started = False
        allow_open_files(len(wishes))
        if warning := exposed_password(config):
            log.warning("%s: %s", self.where, warning)
        self._tls = tls_context(config) if config.tls else None
        self._selector = selectors.DefaultSelector()
        self._members = [Member(n, wish, make_client(config, wish, self._tls)) for n, wish in enumerate(wishes)]
        for member in self._members:
            self._wire(member)
        self._waiting: deque[Member] = deque()
        self._later: list[tuple[float, int]] = []
        self._connecting = 0
        self._pause_until_s = 0.0
        self._backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S)
        self._rounds = 0
        self._checked_s = time.monotonic()
        for number in range(len(self._members)):
            if number not in absent:
                self.join(number)
        self._start()

    @property
    def connected(self) -> bool:
        """Whether all that should be connected are."""
        return all(member.connected for member in self._members if member.wanted)

    @property
    def unacknowledged(self) -> int:
        """Messages of QoS 1 and 2 that the broker has not confirmed."""
        return self._open

    def join(self, number: int) -> None:
        """Let a client connect; `publish` waits until it is there."""
        member = self._members[number]
        if not member.wanted:
            member.wanted = True
            self._waiting.append(member)

    def leave(self, number: int, *, goodbye: bool) -> None:
        """End a client's connection once all it has sent is acknowledged, with a word or without (then the broker sends
        the last will)."""
        member = self._members[number]
        if member.connected:
            self._wait(
                lambda: not (member.open or member.client.want_write()) or not member.connected, self._patience_s
            )
        member.wanted = False
        if goodbye and member.connected:
            if member.wish.status_topic:
                self._say(member, b"offline")
            self._part([member], FAREWELL_S)
        else:
            member.drop()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, by: int = 0) -> None:
        """Hand one message over in the name of a client; Unreachable where that is not possible within `patience_s`.

        DataError for a topic that MQTT does not allow, and for more than the broker takes.
        """
        member = self._members[by]
        full = self._open >= self._in_flight or len(member.open) >= self._most_in_flight
        if full or not member.connected or member.unwritten >= MOST_UNWRITTEN:
            self._await_room(member)
        if not topic:
            raise DataError("topic '': it is empty")
        if len(topic) * 4 + len(payload) + HEAD_BYTES > self._most_bytes:
            raise DataError(f"topic {topic[:200]!r}: {len(payload)} bytes, more than {self.where} takes")
        try:
            self._hand_over(member, topic, payload, qos, retain)
        except ValueError as error:
            raise DataError(f"topic {topic[:200]!r}: {error}") from None

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published is acknowledged, or at least written; False when time ran out."""
        return self._wait(lambda: not self._open and not any(m.client.want_write() for m in self._members), timeout_s)

    def wait(self, time_s: float, stopped: Callable[[], bool]) -> bool:
        """Look after the connections for a while; True when stopped meanwhile."""
        until_s = time.monotonic() + time_s
        while True:
            left_s = until_s - time.monotonic()
            self.turn(min(max(left_s, 0.0), TURN_S))
            if stopped():
                return True
            if time.monotonic() >= until_s:
                return False

    def turn(self, wait_s: float) -> None:
        """Connect who wants to, read and write what lies ready, waiting at most so long for it, and keep alive."""
        self._connect_some(time.monotonic())
        if self._waiting and self._connecting < AT_ONCE:
            wait_s = min(wait_s, max(self._pause_until_s - time.monotonic(), 0.0))
        for key, mask in self._selector.select(wait_s):
            member: Member = key.data
            if mask & selectors.EVENT_READ:
                member.read()
            if mask & selectors.EVENT_WRITE and member.client.socket() is not None:
                self._watch(member, member.write())
        self._keep_alive(time.monotonic())

    def close(self) -> None:
        """Say that all are offline, see that the broker has read it, and leave; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        there = [member for member in self._members if member.connected]
        for member in self._members:
            member.wanted = False
        for member in there:
            if member.wish.status_topic:
                self._say(member, b"offline")
        self._part(there, FAREWELL_S + 0.002 * len(there))
        for member in self._members:
            member.drop()
        self._selector.close()

    def _wire(self, member: Member) -> None:
        client = member.client
        client.user_data_set(member)
        client.on_socket_register_write = None  # publishing writes at once
        client.on_connect = self._answered
        client.on_disconnect = self._disconnected
        client.on_unsubscribe = self._unsubscribed
        client.on_socket_open = self._opened
        client.on_socket_close = self._closing

    def _start(self) -> None:
        """Connect them all; ends when nothing more happens for as long as one connection may take."""
        there, since_s = -1, time.monotonic()
        while not self.connected:
            self.turn(TURN_S)
            now_there, now_s = sum(member.connected for member in self._members), time.monotonic()
            if now_there != there:
                there, since_s = now_there, now_s
            patience_s = self._config.connect_timeout_s if there else 0.0
            stuck = now_s - since_s > patience_s and self._failure is not None
            if stuck or isinstance(self._failure, Refused) or now_s - since_s > 2 * self._config.connect_timeout_s:
                failure = self._failure or no_answer(self._config, self._config.connect_timeout_s, connected=False)
                self.close()
                if there:
                    wanted = len([member for member in self._members if member.wish.client_id])
                    raise type(failure)(
                        f"{failure} ({there} of {wanted} clients got a connection; how many does the broker allow?)"
                    )
                raise failure
        self._started = True
        self._failure = None

    def _connect_some(self, now_s: float) -> None:
        while self._later and self._later[0][0] <= now_s:
            self._waiting.append(self._members[heapq.heappop(self._later)[1]])
        while self._waiting and self._connecting < AT_ONCE and now_s >= self._pause_until_s:
            member = self._waiting.popleft()
            if not member.wanted or member.client.socket() is not None:
                continue
            self._tls_said = ""
            try:
                if self._started:  # both may have been renewed since
                    authenticate(member.client, self._config)
                    if self._tls is not None:
                        read_certificate(self._tls, self._config)
                member.client.on_log = self._hear_tls if self._tls is not None else None
                connect(member.client, self._config, member.wish)
            except (ConfigError, OSError, UnicodeError) as error:
                if isinstance(error, ConfigError):
                    self._fail(ServerError(f"{self.where}: {error}"))
                else:
                    self._fail(explain(self.where, error, self._config))
                self._waiting.appendleft(member)  # nobody gets through now: one tries for all
                self._pause_until_s = time.monotonic() + self._backoff.pause_s()
                return
            self._backoff.reset()
            member.connecting, member.since_s = True, time.monotonic()
            self._connecting += 1

    def _keep_alive(self, now_s: float) -> None:
        """Visit all members eight times in a keepalive, a few at a time: paho pings, and ends what has gone silent."""
        due = int(len(self._members) * (now_s - self._checked_s) / (self._config.keepalive_s / 8))
        if not due:
            return
        self._checked_s = now_s
        for _ in range(min(due, len(self._members))):
            member = self._members[self._rounds]
            self._rounds = (self._rounds + 1) % len(self._members)
            if member.connecting and now_s - member.since_s >= self._config.connect_timeout_s:
                self._fail(no_answer(self._config, self._config.connect_timeout_s, connected=False))
                member.drop()
            elif member.client.socket() is not None:
                member.client.loop_misc()
                if member.client.socket() is not None:
                    self._watch(member, member.client.want_write())

    def _watch(self, member: Member, writing: bool) -> None:
        """Let the selector look for room to write, or no longer."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        sock = member.client.socket()
        if sock is not None and wanted != member.watched:
            member.watched = wanted
            self._selector.modify(sock, wanted, member)

    def _hand_over(self, member: Member, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        client, qos = member.client, min(qos, self._most_qos)
        if qos and not member.asks:  # not before: of QoS 0 it would tell each time, at a cost
            member.asks, client.on_publish = True, self._acknowledged
        info = client.publish(topic, payload, qos, retain)
        if info.rc == paho.MQTT_ERR_QUEUE_SIZE:
            raise Unreachable(f"{self.where}: message not sent ({paho.error_string(info.rc)})")
        if qos:
            member.open.add(info.mid)
            self._open += 1
        elif info.rc != paho.MQTT_ERR_SUCCESS:
            self.lost += 1
        if client.want_write():
            member.unwritten += 0 if qos else 1
            self._watch(member, True)

    def _say(self, member: Member, status: bytes) -> None:
        self._hand_over(member, member.wish.status_topic, status, 1, True)

    def _part(self, members: Sequence[Member], patience_s: float) -> None:
        """Disconnect once the broker has read all: to close on unread answers would discard what it has not."""
        for member in members:
            member.take_leave()
        self._wait(lambda: all(member.left or not member.connected for member in members), patience_s)
        for member in members:
            member.client.disconnect()
        self._wait(lambda: all(member.client.socket() is None for member in members), 1.0)

    def _await_room(self, member: Member) -> None:
        few = self._in_flight * 3 // 4  # not one by one, which would cost a system call each

        def ready() -> bool:
            room = self._open <= few and len(member.open) < self._most_in_flight
            return member.connected and room and member.unwritten < MOST_UNWRITTEN

        if self._wait(ready, self._patience_s):
            return
        if self._failure is not None and not member.connected:
            raise type(self._failure)(str(self._failure))
        raise Unreachable(f"{self.where}: {self._open} messages unacknowledged for {self._patience_s:g} s")

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            self.turn(min(left_s, TURN_S))
        return True

    # Called by paho.

    def _opened(self, client: Any, member: Member, sock: Any) -> None:
        member.watched = selectors.EVENT_READ
        self._selector.register(sock, member.watched, member)

    def _closing(self, client: Any, member: Member, sock: Any) -> None:
        with suppress(KeyError):
            self._selector.unregister(sock)

    def _answered(self, client: Any, member: Member, flags: Any, code: ReasonCode, properties: Any) -> None:
        client.on_log = None
        self._settle(member)
        if code.is_failure:
            self._fail(Refused(f"{self.where}: {refusal(self._config, member.wish, code, properties)}"))
            return
        member.connected, member.since_s = True, time.monotonic()
        self._most_qos = stated(properties, "MaximumQoS", 2)
        self._most_in_flight = stated(properties, "ReceiveMaximum", MOST_IN_FLIGHT)
        self._most_bytes = stated(properties, "MaximumPacketSize", MOST_BYTES)
        self._complaint = ""
        if member.wish.status_topic:
            self._say(member, b"online")

    def _disconnected(self, client: Any, member: Member, flags: Any, code: ReasonCode, properties: Any) -> None:
        was_connected, member.connected = member.connected, False
        was_connecting = member.connecting
        self._settle(member)
        self.lost += member.unwritten
        member.unwritten = 0
        if not member.wanted:
            return
        now_s = time.monotonic()
        steady = was_connected and now_s - member.since_s >= STEADY_S
        member.brief = 0 if steady else member.brief + 1
        if steady:
            member.backoff.reset()
        if was_connected:
            self._fail(Unreachable(f"{self.where}: {loss(member.wish, code, properties, member.brief)}"))
        elif was_connecting:
            self._fail(explain_closing(self.where, self._tls_said, self._config))
        heapq.heappush(self._later, (now_s + member.backoff.pause_s(), member.number))

    def _settle(self, member: Member) -> None:
        self._connecting -= member.connecting
        member.connecting = False

    def _unsubscribed(self, client: Any, member: Member, mid: int, codes: Any, properties: Any) -> None:
        member.left = member.left or mid == member.farewell

    def _acknowledged(self, client: Any, member: Member, mid: int, code: Any, properties: Any) -> None:
        if mid in member.open:
            member.open.remove(mid)
            self._open -= 1

    def _hear_tls(self, client: Any, member: Member, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:  # paho keeps to itself why reading failed, and says it only here
            self._tls_said = text

    def _fail(self, failure: ServerError) -> None:
        """Remember why there is no connection, and log it once for every reason."""
        self._failure = failure
        if self._started and not self._closed and str(failure) != self._complaint:
            self._complaint = str(failure)
            log.warning("%s", failure)
