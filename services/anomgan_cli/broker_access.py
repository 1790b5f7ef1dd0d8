"""How the commands that take a BROKER are told where it is and how to get in: user, password, TLS."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--username", default="", help="User at the broker."),
    click.option("--password-env", default="", metavar="NAME", help="Environment variable that holds the password."),
    click.option("--password-file", default="", metavar="FILE", help="File that holds the password."),
    click.option("--tls", is_flag=True, help="Connect with TLS."),
    click.option("--ca-file", default="", metavar="FILE", help="Whom to trust; left out: the system's authorities."),
    click.option("--cert-file", default="", metavar="FILE", help="A client certificate, with --key-file."),
    click.option("--key-file", default="", metavar="FILE", help="The certificate's key."),
)


def access_options(command: Command) -> Command:
    """Options that go by the names of `[broker]`'s keys."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def parse_broker(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any]:
    """`plant.example:1884` -> host and port; the port may be left out."""
    if value is None:
        return {}
    host, colon, port = value.rpartition(":")
    if not colon or host.endswith(":") or value.endswith("]"):  # a bare name, or a bare IPv6 address
        host, port = value, "1883"
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} is not HOST or HOST:PORT")
    return {"host": host.strip("[]"), "port": int(port)}
