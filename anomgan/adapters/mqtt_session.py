"""An MQTT session that outlives lost connections, but not its owner."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager

from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.mqtt_client import Wish
from anomgan.adapters.mqtt_connection import Connection
from anomgan.config import BrokerConfig
from anomgan.errors import ServerError

log = logging.getLogger(__name__)


@contextmanager
def passing_session(
    config: BrokerConfig, subscriptions: list[tuple[str, int]], name: str, queue: int = 50_000
) -> Iterator[MqttSource]:
    """A source whose broker keeps what comes while the connection is lost; forgotten by the broker at the end.

    Raises Unreachable or Refused where there is no connection at the start.
    """
    own = config.model_copy(update={"client_id": f"{name}-{secrets.token_hex(5)}"})
    source = MqttSource(own, subscriptions, queue)
    try:
        with closing(source):
            yield source
    finally:
        try:
            forget_session(own)
        except ServerError as error:
            log.warning("the broker could not be told to forget the session %s: %s", own.client_id, error)


def forget_session(config: BrokerConfig) -> None:
    """Let a broker drop what it keeps for a client id; raises Unreachable or Refused."""
    connection = Connection(config, Wish(config.client_id), on_connected=lambda: connection.settle())
    connection.start()
    connection.close()
