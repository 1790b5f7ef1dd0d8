"""Many connections to one broker, made, kept and made again by one thread: the caller's, in `turn`."""

import heapq
import logging
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from anomgan.adapters.mqtt_client import MOST_BYTES, MOST_IN_FLIGHT, Wish, authenticate, connect, make_client, stated
from anomgan.adapters.mqtt_member import FIRST_DELAY_S, LONGEST_DELAY_S, Member
from anomgan.adapters.mqtt_pulse import Backoff
from anomgan.adapters.mqtt_tls import exposed_password, read_certificate, tls_context
from anomgan.adapters.mqtt_words import describe, explain, explain_closing, loss, no_answer, refusal
from anomgan.adapters.open_files import allow_open_files
from anomgan.config import BrokerConfig
from anomgan.errors import ConfigError, Refused, ServerError, Unreachable

log = logging.getLogger(__name__)

AT_ONCE = 50
"""connections being made at a time: brokers have about a hundred places in their queue for new ones"""
STEADY_S = 5.0
"""a connection that held for so long was no failed attempt"""
TURN_S = 0.1


class Switchboard:
    """The members, and which of them are connected; those that are wanted come back by themselves.

    failure: why the last attempt to connect failed or the last connection ended. most_qos, most_in_flight, most_bytes:
    what the broker takes of each (MQTT 5 tells, 3.1.1 does not). turns: how many there were. came, gone: told when a
    member has got or lost its connection.
    """

    def __init__(
        self,
        config: BrokerConfig,
        wishes: Sequence[Wish],
        *,
        came: Callable[[Member], None],
        gone: Callable[[Member], None],
    ) -> None:
        self.where = describe(config)
        self.config = config
        self.failure: ServerError | None = None
        self.most_qos, self.most_in_flight, self.most_bytes = 2, MOST_IN_FLIGHT, MOST_BYTES
        self._came = came
        self._gone = gone
        self._complaint = self._tls_said = ""
        self._started = self._closed = False
        allow_open_files(len(wishes))
        if warning := exposed_password(config):
            log.warning("%s: %s", self.where, warning)
        self._tls = tls_context(config) if config.tls else None
        self._selector = selectors.DefaultSelector()
        self.members = [Member(n, wish, make_client(config, wish, self._tls)) for n, wish in enumerate(wishes)]
        for member in self.members:
            self._wire(member)
        self._waiting: deque[Member] = deque()
        self._later: list[tuple[float, int]] = []
        self._connecting: dict[int, Member] = {}  # whose connection the broker has not answered, the oldest first
        self._pause_until_s = 0.0
        self._backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S)
        self._corked: list[Member] = []
        self._keepalive_s = float(config.keepalive_s)
        self.turns = self._next = 0
        self._checked_s = time.monotonic()

    @property
    def complete(self) -> bool:
        """Whether all that should be connected are."""
        return all(member.connected for member in self.members if member.wanted)

    def join(self, member: Member) -> None:
        """Let a member connect, when it is its turn."""
        if not member.wanted:
            member.wanted = True
            self._waiting.append(member)

    def start(self, stopped: Callable[[], bool]) -> None:
        """Connect them all, unless told to stop; ends when nothing happens for as long as one connection may take."""
        there, since_s = -1, time.monotonic()
        while not self.complete and not stopped():
            self.turn(TURN_S)
            now_there, now_s = sum(member.connected for member in self.members), time.monotonic()
            if now_there != there:
                there, since_s = now_there, now_s
            patience_s = self.config.connect_timeout_s if there else 0.0
            stuck = now_s - since_s > patience_s and self.failure is not None
            if stuck or isinstance(self.failure, Refused) or now_s - since_s > 2 * self.config.connect_timeout_s:
                failure = self.failure or no_answer(self.config, self.config.connect_timeout_s, connected=False)
                self.close()
                hint = f" ({there} clients got a connection; how many does the broker allow?)" if there else ""
                raise type(failure)(f"{failure}{hint}")
        self._started = True
        self.failure = None

    def turn(self, wait_s: float) -> None:
        """Connect who wants to, read and write what lies ready, waiting at most so long for it, and keep alive."""
        self.turns += 1
        for member in self._corked:
            member.cork(False)
        self._corked.clear()
        self._connect_some(time.monotonic())
        if self._waiting and len(self._connecting) < AT_ONCE:
            wait_s = min(wait_s, max(self._pause_until_s - time.monotonic(), 0.0))
        for key, mask in self._selector.select(wait_s):
            member = key.data
            if mask & selectors.EVENT_READ:
                member.read()
            if mask & selectors.EVENT_WRITE or member.client.want_write():  # paho answers what it has read
                self.watch(member, member.write())
        self._give_up(time.monotonic())
        self._keep_alive(time.monotonic())

    def watch(self, member: Member, writing: bool) -> None:
        """Let the selector look for room to write, or no longer."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        sock = member.client.socket()
        if sock is not None and wanted != member.watched:
            member.watched = wanted
            self._selector.modify(sock, wanted, member)

    def publishing(self, member: Member) -> None:
        """Note that a member is about to publish; from the second time in a turn on, its messages are gathered."""
        if member.turn == self.turns and not member.corked:
            member.cork(True)
            self._corked.append(member)
        member.turn = self.turns

    def close(self) -> None:
        """End what is left of the connections; safe to call twice."""
        self._closed = True
        for member in self.members:
            member.wanted = False
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

    def _connect_some(self, now_s: float) -> None:
        while self._later and self._later[0][0] <= now_s:
            self._waiting.append(self.members[heapq.heappop(self._later)[1]])
        while self._waiting and len(self._connecting) < AT_ONCE and now_s >= self._pause_until_s:
            member = self._waiting.popleft()
            if not member.wanted or member.client.socket() is not None:
                continue
            self._tls_said = ""
            try:
                if self._started:  # both may have been renewed since
                    authenticate(member.client, self.config)
                    if self._tls is not None:
                        read_certificate(self._tls, self.config)
                member.client.on_log = self._hear_tls if self._tls is not None else None
                connect(member.client, self.config, member.wish)
            except (ConfigError, OSError, UnicodeError) as error:
                if isinstance(error, ConfigError):
                    self._fail(ServerError(f"{self.where}: {error}"))
                else:
                    self._fail(explain(self.where, error, self.config))
                self._waiting.appendleft(member)  # nobody gets through now: one tries for all
                self._pause_until_s = time.monotonic() + self._backoff.pause_s()
                return
            self._backoff.reset()
            member.since_s = time.monotonic()
            self._connecting[member.number] = member

    def _give_up(self, now_s: float) -> None:
        """End the attempts that have had no answer for as long as one may take."""
        timeout_s = self.config.connect_timeout_s
        silent = list(takewhile(lambda member: now_s - member.since_s >= timeout_s, self._connecting.values()))
        for member in silent:
            self._settle(member)
            self._fail(no_answer(self.config, timeout_s, connected=False))
            member.drop()

    def _keep_alive(self, now_s: float) -> None:
        """Visit all members eight times in a keepalive, a few at a time: paho pings, and ends what has gone silent."""
        due = int(len(self.members) * (now_s - self._checked_s) / (self._keepalive_s / 8))
        if not due:
            return
        self._checked_s = now_s
        for _ in range(min(due, len(self.members))):
            member = self.members[self._next]
            self._next = (self._next + 1) % len(self.members)
            if member.client.socket() is not None:
                member.client.loop_misc()
                if member.client.socket() is not None:
                    self.watch(member, member.client.want_write())

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
            self._fail(Refused(f"{self.where}: {refusal(self.config, member.wish, code, properties)}"))
            return
        member.connected, member.since_s = True, time.monotonic()
        self.most_qos = stated(properties, "MaximumQoS", 2)
        self.most_in_flight = stated(properties, "ReceiveMaximum", MOST_IN_FLIGHT)
        self.most_bytes = stated(properties, "MaximumPacketSize", MOST_BYTES)
        self._keepalive_s = float(client.keepalive or self.config.keepalive_s)  # MQTT 5: the broker may want another
        self._complaint = ""
        self._came(member)

    def _disconnected(self, client: Any, member: Member, flags: Any, code: ReasonCode, properties: Any) -> None:
        was_connected, member.connected = member.connected, False
        was_connecting = self._settle(member)
        self._gone(member)
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
            self._fail(explain_closing(self.where, self._tls_said, self.config))
        heapq.heappush(self._later, (now_s + member.backoff.pause_s(), member.number))

    def _settle(self, member: Member) -> bool:
        """No answer is awaited any more; whether one was."""
        return self._connecting.pop(member.number, None) is not None

    def _unsubscribed(self, client: Any, member: Member, mid: int, codes: Any, properties: Any) -> None:
        member.left = member.left or mid == member.farewell

    def _hear_tls(self, client: Any, member: Member, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:  # paho keeps to itself why reading failed, and says it only here
            self._tls_said = text

    def _fail(self, failure: ServerError) -> None:
        """Remember why there is no connection, and log it once for every reason."""
        self.failure = failure
        if self._started and not self._closed and str(failure) != self._complaint:
            self._complaint = str(failure)
            log.warning("%s", failure)
