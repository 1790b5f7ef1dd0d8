"""From a host and a port to a running page: the socket first, so that its address is known before anything runs."""

import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from anomgan.errors import ConfigError, ServerError

MIN_TOKEN = 16
TOKEN_VARIABLE = "ANOMGAN_DASHBOARD_TOKEN"  # noqa: S105 a name, not a secret


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises ServerError that says why not."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ServerError(f"dashboard: {host!r} is not a host of this machine ({error.strerror})") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ServerError(f"dashboard: cannot listen on {host}:{port}: {error.strerror}; try another --port") from None
    return listening


def url_of(listening: socket.socket) -> str:
    """The address to type into a browser."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: Starlette, listening: socket.socket, on_start: Callable[[uvicorn.Server], None] | None = None) -> None:
    """Run until a signal (in the main thread) or until `should_exit` of the server given to `on_start` is set."""
    config = uvicorn.Config(
        app,
        log_config=None,  # the process that runs us decides how it logs
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    if on_start is not None:
        on_start(server)
    server.run(sockets=[listening])


def require_token(host: str, token: str) -> None:
    """Raise ConfigError where a page that others can reach has no token, or one that can be guessed."""
    if not token and not is_loopback(host):
        raise ConfigError(
            f"dashboard: {host} can be reached from other machines; set {TOKEN_VARIABLE} to a secret of at least "
            f"{MIN_TOKEN} characters, or listen on 127.0.0.1"
        )
    if token and len(token) < MIN_TOKEN:
        raise ConfigError(f"{TOKEN_VARIABLE}: at least {MIN_TOKEN} characters, this one has {len(token)}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host; a name other than localhost counts as reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
