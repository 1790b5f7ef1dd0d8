"""Servers that are notified: an HTTP webhook and a mail server, real sockets, which keep what they are told."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook(ThreadingHTTPServer):
    """Answers every POST and GET with `status`; `heard` holds (path, body)."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.status = 200
        self.heard: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", port), _Post)


class _Post(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        """Keep what is said."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heard.append((self.path, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 the same

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the same
        """Say nothing."""


class Mailbox(socketserver.ThreadingTCPServer):
    """As much of RFC 5321 as a client needs; `answer` is what it says to recipients, `heard` holds whole mails."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.answer = b"250 ok"
        self.heard: list[str] = []
        super().__init__(("127.0.0.1", 0), _Smtp)


class _Smtp(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        """One connection."""
        self.wfile.write(b"220 mailbox\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.heard.append(mail.decode())
            answer = self.server.answer if word == b"RCPT" else b"221 bye" if word == b"QUIT" else b"250 ok"
            self.wfile.write(answer + b"\r\n")
            if word == b"QUIT":
                return


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """The server at work in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10.0)
