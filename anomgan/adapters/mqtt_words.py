"""What brokers answer and what goes wrong on the way to them, in words."""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from anomgan.adapters.mqtt_client import Wish, stated
from anomgan.config import BrokerConfig, broker_name
from anomgan.errors import Refused, ServerError, Unreachable
from anomgan.shown import printable

SPOKEN = {3: "MQTT 3.1.1", 5: "MQTT 5"}
WRONG_VERSION, WRONG_PASSWORD, NOT_AUTHORISED, TAKEN_OVER = 132, 134, 135, 142
LONGEST_WORDS = 200
SUSPICIOUS = 3


def describe(config: BrokerConfig) -> str:
    """How a broker is called in messages."""
    name, address = broker_name(config), f"{config.host}:{config.port}"
    return f"MQTT broker {name} ({address})" if name else f"MQTT broker {address}"


def explain(where: str, error: OSError | UnicodeError, config: BrokerConfig) -> ServerError:
    """A failed attempt to connect, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(f"{where}: its certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):  # what the other end says
        return Refused(f"{where}: it refuses the TLS connection{certificate_wanted(error.reason, config)}")
    if isinstance(error, ssl.SSLError):
        return Refused(f"{where}: no TLS connection: {error.reason or error}; does it speak TLS on this port?")
    if isinstance(error, socket.gaierror | UnicodeError):
        return Unreachable(f"{where}: there is no host of that name")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"{where}: connection refused; is it running?")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{where}: no answer within {config.connect_timeout_s:g} s")
    return Unreachable(f"{where}: {error.strerror or error}")


def explain_closing(where: str, tls_said: str, config: BrokerConfig) -> ServerError:
    """What it means that a broker closes before it has answered; `tls_said` is what TLS had to say, "" for nothing."""
    if config.tls:
        alert = re.search(r"\[SSL: (\w+)\]", tls_said)
        kind, why = (Refused, alert[1]) if alert else (Unreachable, "")
        said = f"{where}: it closed the TLS connection at once{certificate_wanted(why, config)}"
        return kind(said, other_version=not alert)
    spoken = f"{SPOKEN[config.version]}? {other_version(config)}"
    said = f"{where}: it closed the connection at once; is this an MQTT broker that speaks {spoken}"
    return Unreachable(said, other_version=True)


def certificate_wanted(alert: str, config: BrokerConfig) -> str:
    """The reason of TLS in words, and the usual one for it."""
    why = f" ({alert.replace('_', ' ').lower()})" if alert else ""
    return f"{why}; does it want {'another' if config.cert_file else 'a'} client certificate (cert_file)?"


def own_words(properties: Properties | None) -> str:
    """The reason in the broker's own words, in parentheses; "" where it gives none."""
    given: Any = getattr(properties, "ReasonString", "")
    said = printable(str(given)[:LONGEST_WORDS])
    return f" ({said})" if said else ""


def words_of(code: ReasonCode, properties: Properties | None) -> str:
    """A reason code, and the broker's own words where it has any."""
    return str(code).lower() + own_words(properties)


def refusal(config: BrokerConfig, wish: Wish, code: ReasonCode, properties: Properties | None) -> str:
    """Why a broker does not let us in."""
    if code.value == WRONG_VERSION:
        return f"it does not speak {SPOKEN[config.version]}; {other_version(config)}"
    if code.value not in (WRONG_PASSWORD, NOT_AUTHORISED):
        return words_of(code, properties) + (f", for client id {wish.client_id!r}" if wish.client_id else "")
    said = own_words(properties)
    if not config.username:
        return f"not authorised without a user name{said}"
    return f"bad user name or password for user {config.username!r}{said}"


def refused(config: BrokerConfig, wish: Wish, code: ReasonCode, properties: Properties | None) -> Refused:
    """The same as an error."""
    said = f"{describe(config)}: {refusal(config, wish, code, properties)}"
    return Refused(said, other_version=code.value == WRONG_VERSION)


def loss(wish: Wish, code: ReasonCode, properties: Properties | None, brief: int) -> str:
    """Why a connection has ended; `brief`: how many in a row did soon after they began."""
    hint = ""
    if code.value == TAKEN_OVER:
        hint = f"; another client uses the client id {wish.client_id!r}"
    elif wish.client_id and brief >= SUSPICIOUS:  # many brokers do not tell
        hint = f", soon after it began, {brief} times now; does another client use the client id {wish.client_id!r}?"
    return f"connection lost ({words_of(code, properties)}){hint}"


def no_answer(config: BrokerConfig, time_s: float, connected: bool) -> Unreachable:
    """What to say of silence; some brokers are silent when they are spoken to in MQTT 5."""
    hint = "" if connected or config.version == 3 else f"; does it speak {SPOKEN[5]}? {other_version(config)}"
    return Unreachable(f"{describe(config)}: no answer within {time_s:g} s{hint}", other_version=bool(hint))


def other_version(config: BrokerConfig) -> str:
    """How to speak the other version."""
    other = 3 if config.version == 5 else 5
    return f"version = {other} is {SPOKEN[other]}"


def about_session(config: BrokerConfig, wish: Wish, known: bool, present: bool, properties: Any) -> Iterator[str]:
    """What to warn of when a persistent session begins; `known`: the broker should have had it."""
    if known and not present:
        yield f"it has forgotten the session of client id {wish.client_id!r}; what was published meanwhile is lost"
    granted_s = stated(properties, "SessionExpiryInterval", config.session_expiry_s)
    if granted_s < config.session_expiry_s and not known:
        yield f"it keeps the session of a client that is away for {granted_s} s only"
