"""A paho client, and what MQTT 3.1.1 and MQTT 5 do differently: how to connect, to subscribe, to read answers."""

import secrets
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from anomgan.adapters.secrets import read_secret
from anomgan.config import BrokerConfig, broker_table

MOST_IN_FLIGHT, MOST_BYTES = 65_535, 268_435_455
"""what the protocol allows"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants of its broker.

    persistent: a session that outlives connections; known: the broker should have it already; window: how many
    messages the broker may send unacknowledged (MQTT 5); status_topic: where it tells `offline` when we are gone.
    """

    client_id: str = ""
    persistent: bool = False
    known: bool = False
    window: int = MOST_IN_FLIGHT
    status_topic: str = ""


def make_client(config: BrokerConfig, wish: Wish, tls: ssl.SSLContext | None) -> paho.Client:
    """A paho client that leaves connecting again, acknowledging and bounding to its owner; raises ConfigError."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=wish.client_id or f"anomgan-{secrets.token_hex(5)}",
        clean_session=None if config.version == 5 else not wish.persistent,
        protocol=MQTTProtocolVersion.MQTTv5 if config.version == 5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    # The owner bounds what is in flight; paho's own bound costs a search per ack.
    client.max_inflight_messages_set(0)
    client.connect_timeout = config.connect_timeout_s
    client.on_socket_register_write = lambda *_: None  # tells paho that somebody else writes
    if tls is not None:
        client.tls_set_context(tls)
    if wish.status_topic:
        client.will_set(wish.status_topic, b"offline", qos=1, retain=True)
    authenticate(client, config)
    return client


def authenticate(client: paho.Client, config: BrokerConfig) -> None:
    """Take the password as it is now, for it may change while a service runs; ConfigError where it cannot be had."""
    if config.username:
        key = f"{broker_table(config)}.password"
        client.username_pw_set(config.username, read_secret(key, config.password_env, config.password_file) or None)


def connect(client: paho.Client, config: BrokerConfig, wish: Wish) -> None:
    """Open the connection and ask for a session; raises OSError, UnicodeError.

    In MQTT 5 a persistent session has to be asked for, and what the broker may have unacknowledged is said.
    """
    if config.version == 3:
        client.connect(config.host, config.port, config.keepalive_s)
        return
    wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it without types
    wanted.ReceiveMaximum = max(1, min(wish.window, MOST_IN_FLIGHT))
    if wish.persistent:
        wanted.SessionExpiryInterval = config.session_expiry_s
    client.connect(config.host, config.port, config.keepalive_s, clean_start=not wish.persistent, properties=wanted)


def subscribe(client: paho.Client, config: BrokerConfig, wanted: Sequence[tuple[str, int]]) -> None:
    """Ask for every (filter, QoS). In MQTT 5 what is retained comes only with a subscription that is new."""
    if config.version == 3:
        client.subscribe(list(wanted))
        return
    once = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
    client.subscribe([(one, SubscribeOptions(qos, retainHandling=once)) for one, qos in wanted])


def stated(properties: Properties | None, name: str, otherwise: int) -> int:
    """A number among the properties of an answer."""
    return int(getattr(properties, name, otherwise))
