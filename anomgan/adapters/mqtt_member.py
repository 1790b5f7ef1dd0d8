"""One of the many clients of a process that has a connection to the broker for each of its devices."""

import socket
from contextlib import suppress
from typing import Any

from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_pulse import Backoff

FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0
FAREWELL = "anomgan/farewell"
CORK: int | None = getattr(socket, "TCP_CORK", None)
"""Linux has it"""


class Member:
    """A client and how it stands. What it does on the network happens when its owner lets it.

    wanted: whether it should be connected; since_s: when it was, or began to be. open: the message ids of QoS 1 and 2
    that are not acknowledged; again: those of them that were published over an earlier connection. unwritten: QoS 0
    messages that the system has not taken yet. left: the broker has read all that was written before the farewell.
    asks: it wants to hear of acknowledgements. watched: what the selector looks for. brief: how many connections in a
    row ended soon. turn: the owner's when it published last; corked: the system holds back segments that are not full.
    """

    __slots__ = (
        "again",
        "asks",
        "backoff",
        "brief",
        "client",
        "connected",
        "corked",
        "farewell",
        "left",
        "number",
        "open",
        "since_s",
        "turn",
        "unwritten",
        "wanted",
        "watched",
        "wish",
    )

    def __init__(self, number: int, wish: Wish, client: Any) -> None:
        self.number = number
        self.wish = wish
        self.client = client
        self.wanted = self.connected = self.left = self.asks = self.corked = False
        self.since_s = 0.0
        self.unwritten = self.brief = self.watched = 0
        self.turn = -1
        self.open: set[int] = set()
        self.again: set[int] = set()
        self.farewell: int | None = None
        self.backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S)

    def read(self) -> None:
        """Take what lies ready."""
        client = self.client
        client.loop_read()
        sock = client.socket()
        while sock is not None and hasattr(sock, "pending") and sock.pending() > 0:  # in TLS's own buffer
            client.loop_read()
            sock = client.socket()

    def write(self) -> bool:
        """Write what the system takes; whether anything is left."""
        self.client.loop_write()
        if self.client.want_write():
            return True
        self.unwritten = 0
        return False

    def cork(self, on: bool) -> None:
        """Let the system gather small messages into full segments, for 0.2 s at most, or send what it has gathered.

        Of many small messages most of the time goes to handing over each by itself, at both ends.
        """
        sock = self.client.socket()
        self.corked = on
        if sock is not None and CORK is not None:
            with suppress(OSError):  # the connection may just have ended
                sock.setsockopt(socket.IPPROTO_TCP, CORK, int(on))

    def drop(self) -> None:
        """End the connection without a word, as a power cut does; the broker sends the last will."""
        sock = self.client.socket()
        if sock is None:
            return
        with suppress(OSError):  # the broker may have ended it at the same time
            sock.shutdown(socket.SHUT_RDWR)
        while self.client.socket() is not None:
            self.client.loop_read()  # finds the end

    def take_leave(self) -> None:
        """Ask a last question, whose answer says that the broker has read everything before it."""
        self.left = False
        _, self.farewell = self.client.unsubscribe(FAREWELL)
