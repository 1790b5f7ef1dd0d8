"""A socket for paho that asks the system for all that lies ready, not for a byte.

paho reads a packet in three pieces or more, each with a system call for which it lets other threads run. With hundreds
of small messages waiting that is a third of what a message costs. Nothing of the protocol is done here.
"""

import ssl
from typing import Any

import paho.mqtt.client as paho

AHEAD = 65_536
"""bytes asked for at once"""


class ReadAhead:
    """A connected, non-blocking socket whose bytes are read ahead: as much of a socket as paho and `select` use."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ahead = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        """At most so many bytes, b"" at the end; raises what the socket does."""
        if self._at == len(self._ahead):
            if size >= AHEAD:
                received: bytes = self._sock.recv(size)
                return received
            self._ahead, self._at = self._sock.recv(AHEAD), 0
        piece = self._ahead[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def pending(self) -> int:
        """How many bytes can be had without the system, which does not know of them."""
        inside = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        return len(self._ahead) - self._at + inside

    def send(self, data: bytes) -> int:
        """How many bytes were taken."""
        sent: int = self._sock.send(data)
        return sent

    def fileno(self) -> int:
        """For `select`."""
        number: int = self._sock.fileno()
        return number

    def shutdown(self, how: int) -> None:
        """Stop reading, writing or both."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def read_ahead(client: paho.Client, userdata: Any, sock: Any) -> None:
    """For `on_socket_open`: from here on the client reads ahead."""
    client._sock = ReadAhead(sock)  # type: ignore[assignment]  # paho takes one nowhere else
