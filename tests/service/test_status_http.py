"""The status server with real sockets: answers, and no client that is slow, large, rude or many can hold it up."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from servers import eventually, free_port

from anomgan.adapters import status_http
from anomgan.adapters.status_http import MOST_AT_ONCE, MOST_BYTES, Page, StatusServer
from anomgan.errors import ConfigError


def answer(path: str) -> Page | None:
    return Page(200, "text/plain", b"x" * 100_000) if path == "/metrics" else None


@pytest.fixture
def server() -> Iterator[StatusServer]:
    with closing(StatusServer("127.0.0.1", 0, answer)) as one:
        yield one


def ask(server: StatusServer, raw: bytes) -> bytes:
    """Everything that is answered to some bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20.0) as client:
        client.sendall(raw)
        parts = []
        while part := client.recv(65536):
            parts.append(part)
        return b"".join(parts)


def test_a_page_arrives_whole_and_an_unknown_one_is_404(server: StatusServer) -> None:
    url = f"http://127.0.0.1:{server.port}"
    with urllib.request.urlopen(f"{url}/metrics?x=1", timeout=10.0) as page:  # noqa: S310 the scheme is ours
        assert page.headers["Content-Type"] == "text/plain"
        assert page.read() == b"x" * 100_000
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{url}/secrets", timeout=10.0)  # noqa: S310 the scheme is ours


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\xff\xfe\r\n\r\n", b"400"),
        (b"GET /" + b"\xff" * 100 + b" HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /" + b"a" * MOST_BYTES + b" HTTP/1.1\r\n\r\n", b"4"),
        (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * MOST_BYTES, b"431"),
    ],
)
def test_what_is_no_small_get_is_refused(server: StatusServer, raw: bytes, status: bytes) -> None:
    try:
        said = ask(server, raw)
    except ConnectionResetError:  # it had said so while we were still talking
        said = b"HTTP/1.1 " + status
    assert said.startswith(b"HTTP/1.1 " + status), said[:80]
    assert ask(server, b"GET /metrics HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_clients_that_say_nothing_are_hung_up_on_and_others_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_http, "MOST_S", 0.5)
    with closing(StatusServer("127.0.0.1", 0, answer)) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3 * MOST_AT_ONCE)]

        def answered() -> bool:
            try:
                return ask(server, b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")
            except ConnectionResetError:
                return False

        eventually(answered, "an answer")
        for client in silent:
            client.close()


def test_a_port_that_is_taken_or_no_address_is_an_error_in_words(server: StatusServer) -> None:
    for host, port in (("127.0.0.1", server.port), ("no such host.", free_port())):
        with pytest.raises(ConfigError, match="monitor: cannot listen on"):
            StatusServer(host, port, answer)
