"""One connection to an MQTT broker, kept alive by a thread of its own.

paho is driven through its interface for external event loops instead of its own thread: that reads all that lies
ready before it asks the system to wait again, and writes a whole batch of acknowledgements at once, for half of the
CPU time per message (27 against 55 microseconds). It also means that nothing that goes wrong in here ends unseen.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from anomgan.adapters.mqtt_bell import Bell
from anomgan.adapters.mqtt_client import MOST_BYTES, MOST_IN_FLIGHT, Wish, authenticate, connect, make_client, stated
from anomgan.adapters.mqtt_pulse import Backoff, Pulse
from anomgan.adapters.mqtt_read_ahead import read_ahead
from anomgan.adapters.mqtt_tls import exposed_password, read_certificate, tls_context
from anomgan.adapters.mqtt_words import about_session, describe, explain, explain_closing, loss, no_answer, refused
from anomgan.config import BrokerConfig
from anomgan.errors import ConfigError, ServerError, Unreachable

log = logging.getLogger(__name__)

SLICE = 200
"""packets read before acknowledgements and pings get their turn"""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 30.0
STEADY_S = 5.0
"""a connection that held for so long was no failed attempt"""
FAREWELL_S = 3.0


class Connection:
    """A broker connection that comes back by itself. `start` connects or raises; the callbacks run in its thread.

    connected     whether messages can flow now
    changed_s     when that changed last, on the monotonic clock
    generation    counts the connections made, so that what belongs to an earlier one can be told apart
    reason        why there is no connection, in words; "" while there is one
    forgotten     how often the broker had lost a persistent session, and with it what was published meanwhile
    most_qos, most_in_flight, most_bytes   what the broker takes of us (MQTT 5 tells, 3.1.1 does not)
    client        paho's client; its callbacks other than those for connecting are the owner's
    """

    def __init__(
        self,
        config: BrokerConfig,
        wish: Wish,
        *,
        on_connected: Callable[[], None],
        each_turn: Callable[[], None] = lambda: None,
        may_read: Callable[[], bool] = lambda: True,
        progress: Callable[[], int] = lambda: 0,
    ) -> None:
        self.config = config
        self.where = describe(config)
        self.connected = False
        self.generation = self.forgotten = 0
        self.reason = "not connected yet"
        self.most_qos, self.most_in_flight, self.most_bytes = 2, MOST_IN_FLIGHT, MOST_BYTES
        self._wish = wish
        self._known = wish.known
        self._on_connected = on_connected
        self._each_turn = each_turn
        self._may_read = may_read
        self._progress = progress
        self._failure: ServerError | None = None
        self._settled = threading.Event()
        self._closing = False
        self._complaint = self._tls_said = ""
        self._explained = False
        self._brief = 0
        self._since_s = self.changed_s = time.monotonic()
        self._pulse = Pulse(self._since_s)
        self._farewell: int | None = None
        self._left = False
        self._tls = tls_context(config) if config.tls else None
        self.client = make_client(config, wish, self._tls)
        self.client.on_socket_open = read_ahead
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_unsubscribe = self._unsubscribed
        self._bell = Bell()
        self._thread = threading.Thread(target=self._run, name=f"mqtt {config.host}:{config.port}", daemon=True)

    def start(self, may_be_away: bool = False) -> None:
        """Connect within the configured time or raise Unreachable or Refused; from then on stay connected.

        may_be_away: a broker that cannot be reached now is none to raise for; it is tried until it can.
        """
        if warning := exposed_password(self.config):
            log.warning("%s: %s", self.where, warning)
        self._thread.start()
        if not self._settled.wait(self.config.connect_timeout_s):
            self.settle(no_answer(self.config, self.config.connect_timeout_s, self.connected))
        if self._failure is None:
            return
        if may_be_away and isinstance(self._failure, Unreachable):
            log.error("%s; it is tried again and again", self._failure)
            return
        self.close(patience_s=0.5)
        raise self._failure

    @property
    def closed(self) -> bool:
        """Whether it has been told to leave."""
        return self._closing

    def settle(self, failure: ServerError | None = None) -> None:
        """Called in the thread: the connection is ready for use, or will not be. `start` waits for the first word."""
        if not self._settled.is_set():
            self._failure = failure
            self._settled.set()
        elif failure is not None:
            self._complain(str(failure))

    def wake(self) -> None:
        """Tell the thread that there is something to write."""
        if self._bell.wanted and not self._bell.ring():
            self.check()

    def check(self) -> None:
        """Raise ServerError where the thread is gone without having been told to go."""
        if not self._closing and not self._thread.is_alive():
            raise ServerError(f"{self.where}: the network thread has ended; see the log for why")

    def close(self, patience_s: float = FAREWELL_S + 1.0) -> None:
        """Say goodbye and leave; safe to call twice. Takes a few seconds at most, even where the broker is silent."""
        if self._closing:
            return
        self._closing = True
        self._bell.ring()
        self._thread.join(patience_s)

    # In the thread.

    def _run(self) -> None:
        try:
            self._connect()
            backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S)
            while not self._closing:
                if self.client.socket() is not None:
                    self._turn(min(1.0, self.config.keepalive_s / 4))
                    if self.connected and time.monotonic() - self._since_s >= STEADY_S:
                        backoff.reset()
                else:
                    self._bell.sleep(backoff.pause_s(), lambda: self._closing)  # what there is to write must wait too
                    self._connect()
            self._leave()
        finally:
            self.connected = False
            self._bell.close()

    def _connect(self) -> None:
        """One attempt to open the connection; the broker's own answer comes later, in `_connected`."""
        if self._closing:
            return
        self._explained, self._tls_said = False, ""
        try:
            if self.generation:  # both may have been renewed since
                authenticate(self.client, self.config)
                if self._tls is not None:
                    read_certificate(self._tls, self.config)
            self.client.on_log = self._hear_tls if self._tls is not None else None
            connect(self.client, self.config, self._wish)
        except ConfigError as error:
            self._fail(ServerError(f"{self.where}: {error}"))
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that IDNA cannot encode
            self._fail(explain(self.where, error, self.config))
        self._since_s = time.monotonic()
        self._pulse = Pulse(self._since_s)

    def _turn(self, wait_s: float) -> None:
        """Wait for something to do, then read, acknowledge, write, and keep alive."""
        client = self.client
        sock: Any = client.socket()
        readable = self._closing or self._may_read()
        self._bell.wanted = True
        self._each_turn()
        pending = readable and sock.pending() > 0
        sources = [sock, self._bell.heard] if readable else [self._bell.heard]
        sinks = [sock] if client.want_write() else []
        ready, writable, _ = select.select(sources, sinks, [], 0.0 if pending else wait_s)
        self._bell.wanted = False
        if self._bell.heard in ready:
            self._bell.still()
        if sock in ready or pending:
            for _ in range(SLICE):
                before = self._progress()
                client.loop_read()
                if self._progress() == before:
                    break
            self._each_turn()
        if sock in ready or pending or not readable:
            self._pulse.heard(time.monotonic())
        if writable or client.want_write():
            client.loop_write()
        client.loop_misc()  # sends the ping
        self._watch()

    def _watch(self) -> None:
        """Give up a connection that has gone silent: packets may get lost without either end hearing of it."""
        now = time.monotonic()
        sock: Any = self.client.socket()
        silent_s = self.client.keepalive if self.connected else self.config.connect_timeout_s
        gone = self._pulse.stopped(now, silent_s) if self.connected else now - self._since_s >= silent_s
        if sock is None or not gone:
            return
        silence = no_answer(self.config, round(now - self._pulse.heard_s), self.connected)
        if self.connected:
            self.reason = str(silence)
        else:
            self._fail(silence)
        with suppress(OSError):  # the system may have noticed at the same time
            sock.shutdown(socket.SHUT_RDWR)
        while self.client.socket() is not None:
            self.client.loop_read()  # finds the end, and tells `_disconnected`

    def _leave(self) -> None:
        """Publish the status, make sure the broker has read all that was written, and disconnect.

        Closing a socket on which unread messages lie makes the kernel discard what the broker has not read yet, and
        with it acknowledgements; so an answer to a last question is awaited first.
        """
        deadline = time.monotonic() + FAREWELL_S
        if self.connected:
            if self._wish.status_topic:
                self._tell(b"offline")
            self._each_turn()
            _, self._farewell = self.client.unsubscribe("anomgan/farewell")
        while self.connected and not self._left and time.monotonic() < deadline:
            self._turn(0.1)
        self.client.disconnect()
        while self.client.socket() is not None and time.monotonic() < deadline:
            self._turn(0.1)

    def _tell(self, status: bytes) -> None:
        self.client.publish(self._wish.status_topic, status, qos=min(1, self.most_qos), retain=True)

    def _hear_tls(self, client: Any, userdata: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:  # paho keeps to itself why reading failed, and says it only here
            self._tls_said = text

    def _unsubscribed(self, client: Any, userdata: Any, mid: int, codes: Any, properties: Any) -> None:
        self._left = self._left or mid == self._farewell

    def _connected(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        client.on_log = None
        if code.is_failure:
            self._fail(refused(self.config, self._wish, code, properties))
            return
        self.generation += 1
        self.connected = True
        self.reason = self._complaint = ""
        self._since_s = self.changed_s = time.monotonic()
        self._pulse = Pulse(self._since_s)
        self.most_qos = stated(properties, "MaximumQoS", 2)
        self.most_in_flight = stated(properties, "ReceiveMaximum", MOST_IN_FLIGHT)
        self.most_bytes = stated(properties, "MaximumPacketSize", MOST_BYTES)
        if self.generation > 1:
            log.info("%s: connected again", self.where)
        if self._wish.persistent:
            self.forgotten += self._known and not flags.session_present
            for words in about_session(self.config, self._wish, self._known, flags.session_present, properties):
                log.warning("%s: %s", self.where, words)
            self._known = True
        if self._wish.status_topic:
            self._tell(b"online")
        self._on_connected()

    def _disconnected(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        was_connected, self.connected = self.connected, False
        if self._closing:
            return
        if was_connected:
            self.changed_s = time.monotonic()
            self._brief = self._brief + 1 if self.changed_s - self._since_s < STEADY_S else 0
            self.reason = self.reason or f"{self.where}: {loss(self._wish, code, properties, self._brief)}"
            self._complain(self.reason)
        elif not self._explained:
            self._fail(explain_closing(self.where, self._tls_said, self.config))

    def _fail(self, failure: ServerError) -> None:
        """An attempt to connect has come to nothing."""
        self.reason, self._explained = str(failure), True
        self.settle(failure)

    def _complain(self, reason: str) -> None:
        """Log why there is no connection, once for every reason."""
        if reason != self._complaint:
            self._complaint = reason
            log.warning("%s", reason)
