"""One connection to an MQTT broker, kept alive by a thread of its own.

paho is driven through its interface for external event loops instead of its own thread: that reads all that lies
ready before it asks the system to wait again, and writes a whole batch of acknowledgements at once, for half of the
CPU time per message (27 against 55 microseconds). It also means that nothing that goes wrong in here ends unseen.
"""

import logging
import secrets
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from anomgan.adapters.secrets import read_secret
from anomgan.config import BrokerConfig
from anomgan.errors import ConfigError, Refused, ServerError, Unreachable

log = logging.getLogger(__name__)

SLICE = 200
"""packets read before acknowledgements and pings get their turn"""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 15.0
FAREWELL_S = 3.0


class Connection:
    """A broker connection that comes back by itself. `start` connects or raises; the callbacks run in its thread.

    connected   whether messages can flow now
    generation  counts the connections made, so that what belongs to an earlier one can be told apart
    reason      why there is no connection, in words; "" while there is one
    client      paho's client; its callbacks other than those for connecting are the owner's
    """

    def __init__(
        self,
        config: BrokerConfig,
        client_id: str,
        *,
        persistent: bool,
        status_topic: str = "",
        on_connected: Callable[[], None],
        each_turn: Callable[[], None] = lambda: None,
        may_read: Callable[[], bool] = lambda: True,
        progress: Callable[[], int] = lambda: 0,
    ) -> None:
        self.config = config
        self.where = f"MQTT broker {config.host}:{config.port}"
        self.connected = False
        self.generation = 0
        self.reason = "not connected yet"
        self._status_topic = status_topic
        self._on_connected = on_connected
        self._each_turn = each_turn
        self._may_read = may_read
        self._progress = progress
        self._failure: ServerError | None = None
        self._settled = threading.Event()
        self._closing = False
        self._idle = False
        self._left = threading.Event()
        self.client = self._make_client(client_id, persistent)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._thread = threading.Thread(target=self._run, name=f"mqtt {config.host}:{config.port}", daemon=True)

    def _make_client(self, client_id: str, persistent: bool) -> paho.Client:
        config = self.config
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or f"anomgan-{secrets.token_hex(5)}",
            clean_session=not persistent,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.max_inflight_messages_set(
            0
        )  # the owner bounds what is in flight; paho's own bound costs a search per ack
        client.connect_timeout = config.connect_timeout_s
        if config.username:
            password = read_secret("broker.password", config.password_env, config.password_file)
            client.username_pw_set(config.username, password or None)
        if config.tls:
            client.tls_set_context(tls_context(config))
        if self._status_topic:
            client.will_set(self._status_topic, b"offline", qos=1, retain=True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_unsubscribe = lambda *_: self._left.set()
        client.on_socket_register_write = lambda *_: None  # tells paho that somebody else writes
        return client

    def start(self) -> None:
        """Connect within the configured time or raise Unreachable or Refused; from then on stay connected."""
        self._thread.start()
        settled = self._settled.wait(self.config.connect_timeout_s)
        if settled and self._failure is None:
            return
        self.close(patience_s=0.5)
        raise self._failure or Unreachable(f"{self.where}: no answer within {self.config.connect_timeout_s:g} s")

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
            log.error("%s", failure)

    def wake(self) -> None:
        """Tell the thread that there is something to write."""
        if self._idle:
            try:
                self._wake_out.send(b"w")
            except BlockingIOError:
                pass  # the pipe is full of reasons to wake already
            except OSError:
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
        self._idle = True
        self.wake()
        self._thread.join(patience_s)

    # In the thread.

    def _run(self) -> None:
        try:
            self._connect()
            delay_s = FIRST_DELAY_S
            while not self._closing:
                if self.client.socket() is not None:
                    self._turn(min(1.0, self.config.keepalive_s / 4))
                    if self.connected:
                        delay_s = FIRST_DELAY_S
                else:
                    self._pause(delay_s)
                    self._connect()
                    delay_s = min(delay_s * 2, LONGEST_DELAY_S)
            self._leave()
        finally:
            self.connected = False
            self._wake_in.close()
            self._wake_out.close()

    def _connect(self) -> None:
        """One attempt to open the connection; the broker's own answer comes later, in `_connected`."""
        if self._closing:
            return
        try:
            self.client.connect(self.config.host, self.config.port, self.config.keepalive_s)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that IDNA cannot encode
            failure = explain(self.where, error, self.config)
            self.reason = str(failure)
            if not self._settled.is_set():
                self.settle(failure)

    def _pause(self, wait_s: float) -> None:
        """Wait before the next attempt, unless woken."""
        self._idle = True
        ready, _, _ = select.select([self._wake_in], [], [], wait_s)
        self._idle = False
        if ready:
            self._wake_in.recv(4096)

    def _turn(self, wait_s: float) -> None:
        """Wait for something to do, then read, acknowledge, write, and keep alive."""
        client = self.client
        sock: Any = client.socket()
        readable = self._closing or self._may_read()
        self._idle = True
        self._each_turn()
        pending = readable and self.config.tls and sock.pending() > 0
        sources = [sock, self._wake_in] if readable else [self._wake_in]
        sinks = [sock] if client.want_write() else []
        ready, writable, _ = select.select(sources, sinks, [], 0.0 if pending else wait_s)
        self._idle = False
        if self._wake_in in ready:
            self._wake_in.recv(4096)
        if sock in ready or pending:
            for _ in range(SLICE):
                before = self._progress()
                client.loop_read()
                if self._progress() == before:
                    break
            self._each_turn()
        if writable or client.want_write():
            client.loop_write()
        client.loop_misc()

    def _leave(self) -> None:
        """Publish the status, make sure the broker has read all that was written, and disconnect.

        Closing a socket on which unread messages lie makes the kernel discard what the broker has not read yet, and
        with it acknowledgements; so an answer to a last question is awaited first.
        """
        deadline = time.monotonic() + FAREWELL_S
        if self.connected:
            if self._status_topic:
                self.client.publish(self._status_topic, b"offline", qos=1, retain=True)
            self._each_turn()
            self.client.unsubscribe("anomgan/farewell")
        while self.connected and not self._left.is_set() and time.monotonic() < deadline:
            self._turn(0.1)
        self.client.disconnect()
        while self.client.socket() is not None and time.monotonic() < deadline:
            self._turn(0.1)

    def _connected(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        if code.is_failure:
            user = f" for user {self.config.username!r}" if self.config.username else ""
            words = "bad user name or password" if code.value in (134, 135) else str(code).lower()
            self.reason = f"{self.where}: {words}{user}"
            self.settle(Refused(self.reason))
            return
        self.generation += 1
        self.connected = True
        self.reason = ""
        if self.generation > 1:
            log.info("%s: connected again", self.where)
        if self._status_topic:
            self.client.publish(self._status_topic, b"online", qos=1, retain=True)
        self._on_connected()

    def _disconnected(self, client: Any, userdata: Any, flags: Any, code: ReasonCode, properties: Any) -> None:
        was_connected, self.connected = self.connected, False
        if self._closing:
            return
        self.reason = self.reason or f"{self.where}: connection lost ({str(code).lower()})"
        if was_connected:
            log.warning("%s", self.reason)
        elif not self._settled.is_set():
            self.settle(Unreachable(f"{self.where}: it closed the connection at once; is this an MQTT broker?"))


def tls_context(config: BrokerConfig) -> ssl.SSLContext:
    """The TLS settings of a broker; ConfigError names the file that cannot be used."""
    key = "broker.ca_file"
    try:
        context = ssl.create_default_context(cafile=config.ca_file or None)
        key = "broker.cert_file"
        if config.cert_file:
            context.load_cert_chain(config.cert_file, config.key_file or None)
    except ssl.SSLError as error:
        raise ConfigError(f"{key}: not usable as PEM: {error.reason or error}") from None
    except OSError as error:
        name = config.ca_file if key == "broker.ca_file" else f"{config.cert_file} or {config.key_file}"
        raise ConfigError(f"{key}: cannot read {name}: {error.strerror}") from None
    return context


def explain(where: str, error: OSError | UnicodeError, config: BrokerConfig) -> ServerError:
    """A failed attempt to connect, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(f"{where}: its certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return Refused(f"{where}: no TLS connection: {error.reason or error}; does it speak TLS on this port?")
    if isinstance(error, socket.gaierror | UnicodeError):
        return Unreachable(f"{where}: there is no host of that name")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"{where}: connection refused; is it running?")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{where}: no answer within {config.connect_timeout_s:g} s")
    return Unreachable(f"{where}: {error.strerror or error}")
