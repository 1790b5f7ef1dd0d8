"""The tables of the MQTT brokers: `[broker]`, the default, and `[[brokers]]`, further ones by name."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from anomgan.config.table import Table

FOR_EVER_S = 4_294_967_295
"""what MQTT 5 takes for no expiry at all"""


class BrokerConfig(Table):
    """`[broker]`: where the MQTT broker is and how to get in."""

    host: str = Field("localhost", min_length=1)
    port: int = Field(1883, ge=1, le=65535)
    version: Literal[3, 5] = 3
    """3 = MQTT 3.1.1, 5 = MQTT 5"""
    client_id: str = ""
    """fixed id = persistent session; "" = a name made from the program's"""
    session_expiry_s: int = Field(FOR_EVER_S, ge=1, le=FOR_EVER_S)
    """version 5: how long the broker is asked to keep the session of a client that is away; 3.1.1 cannot ask"""
    username: str = ""
    password_env: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: int = Field(30, ge=5, le=65535)
    connect_timeout_s: float = Field(10.0, gt=0)

    @model_validator(mode="after")
    def _nothing_is_meant_in_vain(self) -> Self:
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(self, key) and not self.tls:
                raise ValueError(f"{key} is given, yet without tls = true nothing is encrypted")
        if self.key_file and not self.cert_file:
            raise ValueError("key_file is given without the cert_file that it belongs to")
        for key in ("password_env", "password_file"):
            if getattr(self, key) and not self.username:
                raise ValueError(f"{key} is given without a username")
        return self


class NamedBrokerConfig(BrokerConfig):
    """`[[brokers]]`: one more broker, under the name that `[[fleets]]` give in their `broker`."""

    name: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    """also the site of devices whose topic names none"""


def broker_name(config: BrokerConfig) -> str:
    """The name of a broker; "" for `[broker]`."""
    return config.name if isinstance(config, NamedBrokerConfig) else ""


def broker_table(config: BrokerConfig) -> str:
    """What to call its table when a key of it is wrong."""
    return f"brokers.{config.name}" if isinstance(config, NamedBrokerConfig) else "broker"


def broker_mistakes(brokers: Sequence[NamedBrokerConfig], default: BrokerConfig | None) -> Iterator[str]:
    """What is wrong with the brokers of a file, taken together; `default` is `[broker]` where it was given."""
    first: dict[str, int] = {}
    sessions: dict[tuple[str, int, str], str] = {}
    if default is not None and default.client_id:
        sessions[default.host, default.port, default.client_id] = "broker"
    for number, one in enumerate(brokers):
        if one.name in first:
            yield f"brokers.{number}.name: {one.name!r} is the name of brokers.{first[one.name]} already"
        first.setdefault(one.name, number)
        session = (one.host, one.port, one.client_id)
        if one.client_id and session in sessions:
            yield (
                f"brokers.{number}.client_id: {sessions[session]} is the same broker with the same id; "
                "two clients of one id throw each other out"
            )
        sessions.setdefault(session, f"brokers.{number}")


def unknown_broker(where: str, name: str, brokers: Sequence[NamedBrokerConfig]) -> str:
    """What to say where a name is that of no broker; "" where it is one's."""
    known = [one.name for one in brokers]
    if name in known:
        return ""
    if not known:
        return f"{where}: there is no [[brokers]] called {name!r}; without this key it is [broker]"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known names: {', '.join(known)}"
    return f"{where}: there is no [[brokers]] called {name!r}; {hint}"
