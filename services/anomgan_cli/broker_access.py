"""How the commands that take a BROKER are told where it is and how to get in: user, password, TLS."""

import re
from collections.abc import Callable
from ipaddress import IPv6Address
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
ACCESS = ("--username", "--password-env", "--password-file", "--tls", "--ca-file", "--cert-file", "--key-file")
"""what they are called"""


def access_options(command: Command) -> Command:
    """Options that go by the names of `[broker]`'s keys."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def parse_broker(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any]:
    """`plant.example:1884` -> host and port; no port where none is said. IPv6: `::1` or `[::1]:1884`."""
    if value is None:
        return {}
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::(.*))?", value)
    host, port = bracketed.groups() if bracketed else (value, None)
    if bracketed or value.count(":") > 1:
        if not _is_ipv6(host):
            raise click.BadParameter(
                f"{value!r} is not HOST or HOST:PORT; an IPv6 address is written ::1 or [::1]:1883"
            )
    elif ":" in value:
        host, _, port = value.partition(":")
    if not host or (port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536)):
        raise click.BadParameter(f"{value!r} is not HOST or HOST:PORT")
    return {"host": host} if port is None else {"host": host, "port": int(port)}


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
