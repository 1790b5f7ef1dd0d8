"""Messages to an MQTT broker from thousands of connections, or from one, in the caller's own thread.

A thread for each client, as paho has it, ends at some hundreds. Here one selector watches all sockets, and the caller
lends its thread: while it publishes, and while it waits. For one connection that is faster, too, than a thread beside
it: a QoS 0 message needs no change of threads.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho

from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_member import Member
from anomgan.adapters.mqtt_publisher import HEAD_BYTES
from anomgan.adapters.mqtt_switchboard import TURN_S, Switchboard
from anomgan.config import BrokerConfig
from anomgan.errors import DataError, Unreachable

MOST_UNWRITTEN = 1000
"""messages of QoS 0 that wait for the system to take them, of one client"""
GLANCE_S = 0.01
"""who has no time to wait looks after the connections no more often"""
FAREWELL_S, FAREWELL_EACH_S = 3.0, 0.002


class MqttFleet:
    """One MQTT client for each wish, which come back by themselves; `absent` ones are to join later.

    At most `in_flight` messages of QoS 1 and 2 are unacknowledged, in all; `publish` waits while they are that many, or
    while its client has no connection. QoS 1 and 2 survive a lost connection. `lost` counts the QoS 0 messages that did
    not, and what was not acknowledged when its client was told to leave, until it comes back and sends it again.
    `stopped` ends the waiting for connections: for those of the beginning, and for one that a message needs, which then
    is lost. Not for several threads. Raises Unreachable or Refused where they cannot all connect.
    """

    def __init__(
        self,
        config: BrokerConfig,
        wishes: Sequence[Wish],
        *,
        absent: frozenset[int] = frozenset(),
        in_flight: int = 1000,
        patience_s: float = 30.0,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.lost = 0
        self._stopped = stopped
        self._in_flight = in_flight
        self._patience_s = patience_s
        self._open = 0
        self._closed = False
        self._waited_s = 0.0
        self._board = Switchboard(config, wishes, came=self._came, gone=self._gone)
        for member in self._board.members:
            if member.number not in absent:
                self._board.join(member)
        self._board.start(stopped)

    @property
    def connected(self) -> bool:
        """Whether messages can leave now in the name of the first client, as they do unless another is named."""
        return self._board.members[0].connected

    @property
    def complete(self) -> bool:
        """Whether all that should be connected are."""
        return self._board.complete

    @property
    def unacknowledged(self) -> int:
        """Messages of QoS 1 and 2 that the broker has not confirmed, of those who have not left."""
        return self._open

    def join(self, number: int) -> None:
        """Let a client connect; `publish` waits until it is there."""
        member = self._board.members[number]
        if not member.wanted:
            self.lost -= len(member.open)
            self._open += len(member.open)
            self._board.join(member)

    def leave(self, number: int, *, goodbye: bool) -> None:
        """End a connection once all it has sent is acknowledged; without a goodbye the broker sends the last will.

        So it does where the broker acknowledges nothing for `patience_s`. Who is told to stop stays connected.
        """
        member = self._board.members[number]

        def settled() -> bool:
            return not (member.open or member.client.want_write())

        if member.connected:
            self._wait(lambda: settled() or not member.connected or self._stopped(), self._patience_s)
            if self._stopped() and not settled():
                return
        self._let_go(member)
        if goodbye and member.connected and settled():
            if member.wish.status_topic:
                self._say(member, b"offline")
            self._part([member], FAREWELL_S)
        else:
            member.drop()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, by: int = 0) -> None:
        """Hand one message over in the name of a client; Unreachable where that is not possible within `patience_s`.

        DataError for a topic that MQTT does not allow, and for more than the broker takes.
        """
        member = self._board.members[by]
        full = self._open >= self._in_flight or len(member.open) >= self._board.most_in_flight
        if (full or not member.connected or member.unwritten >= MOST_UNWRITTEN) and not self._await_room(member):
            self.lost += 1
            return
        if not topic:
            raise DataError("topic '': it is empty")
        try:
            if len(topic.encode()) + len(payload) + HEAD_BYTES > self._board.most_bytes:
                raise DataError(f"topic {topic[:200]!r}: {len(payload)} bytes, more than {self._board.where} takes")
            self._hand_over(member, topic, payload, qos, retain)
        except ValueError as error:
            raise DataError(f"topic {topic[:200]!r}: {error}") from None

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published is acknowledged, or at least written; False when time ran out."""

        def unwritten() -> bool:
            return any(member.connected and member.client.want_write() for member in self._board.members)

        return self._wait(lambda: not self._open and not unwritten(), timeout_s)

    def wait(self, time_s: float, stopped: Callable[[], bool]) -> bool:
        """Look after the connections for a while; True when stopped meanwhile."""
        now_s = time.monotonic()
        if time_s <= 0 and now_s - self._waited_s < GLANCE_S:
            return stopped()
        self._waited_s, until_s = now_s, now_s + time_s
        while True:
            left_s = until_s - time.monotonic()
            self._board.turn(min(max(left_s, 0.0), TURN_S))
            if stopped():
                return True
            if time.monotonic() >= until_s:
                return False

    def close(self) -> None:
        """Say that all are offline, see that the broker has read it, and leave; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        for member in self._board.members:
            self._let_go(member)
        there = [member for member in self._board.members if member.connected]
        for member in there:
            if member.wish.status_topic and len(member.open) < self._board.most_in_flight:
                self._say(member, b"offline")
            elif member.wish.status_topic:  # there is no room for its word, so let the broker say it
                member.drop()
        self._part([member for member in there if member.connected], FAREWELL_S + FAREWELL_EACH_S * len(there))
        self._board.close()

    def _hand_over(self, member: Member, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        client, qos = member.client, min(qos, self._board.most_qos)
        if qos and not member.asks:  # not always: of QoS 0 it would tell each time, at a cost
            member.asks, client.on_publish = True, self._acknowledged
        self._board.publishing(member)
        info = client.publish(topic, payload, qos, retain)
        if info.rc == paho.MQTT_ERR_QUEUE_SIZE:
            raise Unreachable(f"{self._board.where}: message not sent ({paho.error_string(info.rc)})")
        waits = client.want_write()
        if qos:
            member.open.add(info.mid)
            self._count(member, 1)
        elif info.rc != paho.MQTT_ERR_SUCCESS:  # the connection has just ended, and paho forgets what was to be written
            self.lost += 1
        elif waits:
            member.unwritten += 1
        if waits:
            self._board.watch(member, True)

    def _say(self, member: Member, status: bytes) -> None:
        self._hand_over(member, member.wish.status_topic, status, 1, True)

    def _let_go(self, member: Member) -> None:
        """It is not wanted any more; what is not acknowledged by now may never be."""
        if member.wanted:
            member.wanted = False
            self._open -= len(member.open)
            self.lost += len(member.open)

    def _count(self, member: Member, change: int) -> None:
        """A message of QoS 1 or 2 is under way, or arrived: of a client that has left it is lost until then."""
        if member.wanted:
            self._open += change
        else:
            self.lost += change

    def _part(self, members: Sequence[Member], patience_s: float) -> None:
        """Disconnect once the broker has read all: to close on unread answers would discard what it has not."""
        for member in members:
            member.take_leave()
        self._wait(lambda: all(member.left or not member.connected for member in members), patience_s)
        for member in members:
            member.client.disconnect()
        self._wait(lambda: all(member.client.socket() is None for member in members), 1.0)

    def _await_room(self, member: Member) -> bool:
        """Whether there is; not where told to stop while there is no connection. Unreachable after `patience_s`."""
        few = self._in_flight * 3 // 4  # not one by one, which would cost a system call each

        def ready() -> bool:
            room = self._open <= few and len(member.open) < self._board.most_in_flight
            return member.connected and room and member.unwritten < MOST_UNWRITTEN

        if self._wait(lambda: ready() or (self._stopped() and not member.connected), self._patience_s):
            return member.connected
        if self._board.failure is not None and not member.connected:
            raise type(self._board.failure)(str(self._board.failure))
        raise Unreachable(f"{self._board.where}: {self._open} messages unacknowledged for {self._patience_s:g} s")

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            self._board.turn(min(left_s, TURN_S))
        return True

    # Called while the connections have their turn.

    def _came(self, member: Member) -> None:
        member.again = set(member.open)
        self._greet(member)

    def _greet(self, member: Member) -> None:
        """Say that it is here, once all is acknowledged that paho sends again: that takes the room which the broker
        grants, and an `offline` may be among it."""
        if not member.again and member.wanted and member.wish.status_topic:
            self._say(member, b"online")

    def _gone(self, member: Member) -> None:
        self.lost += member.unwritten
        member.unwritten = 0

    def _acknowledged(self, client: Any, member: Member, mid: int, code: Any, properties: Any) -> None:
        if mid in member.open:
            member.open.remove(mid)
            self._count(member, -1)
            if member.again:
                member.again.discard(mid)
                self._greet(member)
        if not member.open:
            member.asks, client.on_publish = False, None
