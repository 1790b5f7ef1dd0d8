"""A small HTTP server for those who watch a service: GET alone, bounded in all that a client can ask for.

It runs on threads of its own and calls one function that answers from memory, so that no client can block or end the
service: at most MOST_AT_ONCE connections, each at most MOST_S old, and at most MOST_BYTES of a request are read.
"""

import http.server
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from anomgan.errors import ConfigError

log = logging.getLogger(__name__)
MOST_AT_ONCE = 8
MOST_S = 10.0
MOST_BYTES = 8192


class Page(NamedTuple):
    """An answer."""

    status: int
    kind: str
    body: bytes


class StatusServer:
    """Serves what `answer` gives for a path (None: 404) from its making until `close`; `port` is the one it got."""

    def __init__(self, host: str, port: int, answer: Callable[[str], Page | None]) -> None:
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._answer = answer
        self._closing = threading.Event()
        try:
            self._listener = socket.create_server((host, port), family=_family(host), backlog=MOST_AT_ONCE)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"monitor: cannot listen on {host}:{port}: {error}") from None
        self._listener.settimeout(0.5)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="status server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End; safe to call twice."""
        self._closing.set()
        self._thread.join(2.0)
        self._listener.close()
        self._drop(older_than_s=-1.0)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, address = self._listener.accept()
            except TimeoutError:
                self._drop(MOST_S)
                continue
            except OSError as error:  # too many open files, or a client that left at once
                log.warning("status server: %s", error)
                self._closing.wait(0.5)
                continue
            self._drop(MOST_S)
            with self._lock:
                full = len(self._open) >= MOST_AT_ONCE
                if not full:
                    self._open[client] = time.monotonic()
            if full:
                client.close()
            else:
                threading.Thread(target=self._serve, args=(client, address), name="status", daemon=True).start()

    def _drop(self, older_than_s: float) -> None:
        """Hang up on those who take too long."""
        now = time.monotonic()
        with self._lock:
            for client, since in self._open.items():
                if now - since > older_than_s:
                    try:
                        client.shutdown(socket.SHUT_RDWR)  # wakes its thread, which closes it
                    except OSError:
                        continue  # it has hung up itself

    def _serve(self, client: socket.socket, address: Any) -> None:
        client.settimeout(MOST_S)
        try:
            with client.makefile("rb", buffering=0) as reader:
                head = _read_head(reader)
            page = _page(head, self._answer)
            client.sendall(page)
            client.shutdown(socket.SHUT_WR)
        except OSError as error:
            log.debug("status server: %s went away: %s", address, error)
        finally:
            with self._lock:
                self._open.pop(client, None)
            client.close()


def _read_head(reader: Any) -> bytes:
    """What a client sends up to the empty line; cut off after MOST_BYTES."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head and len(head) < MOST_BYTES:
        more = reader.read(MOST_BYTES - len(head))
        if not more:
            break
        head += more
    return head


def _page(head: bytes, answer: Callable[[str], Page | None]) -> bytes:
    """The whole answer to a request."""
    line = head.split(b"\n", 1)[0].strip().split(b" ")
    ended = b"\r\n\r\n" in head or b"\n\n" in head
    if len(line) != 3 or not line[2].startswith(b"HTTP/1."):
        return _written(Page(400, "text/plain", b"this is no HTTP request\n"))
    if not ended:
        return _written(Page(431, "text/plain", b"the request is too large\n"))
    if line[0] not in (b"GET", b"HEAD"):
        return _written(Page(405, "text/plain", b"GET alone\n"))
    path = line[1].decode("ascii", "replace").split("?", 1)[0]
    page = answer(path) or Page(404, "text/plain", b"there are /metrics, /healthz and /readyz\n")
    return _written(page, with_body=line[0] == b"GET")


def _written(page: Page, *, with_body: bool = True) -> bytes:
    reason = http.server.BaseHTTPRequestHandler.responses.get(page.status, ("", ""))[0]
    head = (
        f"HTTP/1.1 {page.status} {reason}\r\nContent-Type: {page.kind}\r\nContent-Length: {len(page.body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (page.body if with_body else b"")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
