"""`anomgan homeassistant CONFIG`: what is retained for Home Assistant, and taking it away."""

import json
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

from anomgan_cli.terminal import say

QUIET_S = 1.0
"""without a further retained message, until all have come"""


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--remove", metavar="PATTERN", default=None, help="Take these devices away, such as 'pump-*', or '*'.")
def homeassistant(config: Path, remove: str | None) -> None:
    """List the devices that CONFIG's brokers keep for Home Assistant, or take some away.

    A device that a running detector still hears comes back when Home Assistant starts anew; to be rid of all for good,
    set [homeassistant] enabled = false first.
    """
    from anomgan.adapters.files import read_config
    from anomgan.adapters.mqtt import MqttPublisher, MqttSource
    from anomgan.config import ServiceConfig
    from anomgan.errors import Unreachable
    from anomgan.wire.homeassistant import NODE

    settings = read_config(config, ServiceConfig)
    names: list[str] = []
    for told in settings.told_brokers().values():
        broker = told.model_copy(update={"client_id": ""})  # the service's own id would throw out the service
        found: dict[str, list[str]] = {}
        with closing(MqttSource(broker, [(f"{settings.homeassistant.prefix}/+/{NODE}/+/config", 1)])) as source:
            while messages := source.receive(1000, QUIET_S):
                source.acknowledge(messages)
                for message in messages:
                    name, states = _read(message.payload)
                    if message.retained and name:
                        found.setdefault(name, []).extend([message.topic, *states])
        chosen = {name: topics for name, topics in found.items() if remove is None or fnmatchcase(name, remove)}
        if remove is not None:
            with closing(MqttPublisher(broker)) as publisher:
                for topic in sorted({topic for topics in chosen.values() for topic in topics}):
                    publisher.publish(topic, b"", retain=True)
                if not publisher.flush(broker.connect_timeout_s):
                    where = f"MQTT broker {broker.host}:{broker.port}"
                    raise Unreachable(f"{where}: not everything was taken away; try again")
        names += chosen
    for name in sorted(names):
        say(name)
    say(f"{len(names)} devices{' taken away' if remove is not None else ''}")


def _read(payload: bytes) -> tuple[str, list[str]]:
    """The device in a discovery message and the topics of its states; ("", []) for anything else."""
    from anomgan.wire.homeassistant import states_beside

    try:
        document: Any = json.loads(payload)
        return str(document["device"]["name"]), states_beside(document.get("state_topic", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", []
