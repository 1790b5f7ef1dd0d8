"""The service's connections to its brokers: one source over all of them, and a carrier to each that is told things.

Of several brokers, one that cannot be reached when the service starts is tried until it can; the others do not wait.
One that refuses us, and a single one that is away, end the start with the reason.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from anomgan.adapters.journal import Journal
from anomgan.adapters.merged import MergedSource
from anomgan.adapters.mqtt import MqttPublisher, MqttSource, check_broker
from anomgan.adapters.mqtt_carrier import MqttCarrier, addressee
from anomgan.adapters.ports import Carrier, MessageSource
from anomgan.config import BrokerConfig, ServiceConfig, broker_name
from anomgan.errors import Unreachable
from anomgan_detector.desk import requests_topic
from anomgan_detector.post import Post
from anomgan_detector.telling import listened_to

log = logging.getLogger("anomgan.detector")


def subscriptions(fleets: Sequence[Post], broker: str = "") -> list[tuple[str, int]]:
    """(filter, QoS) of every fleet of a broker; a filter that some share is subscribed to once, at the highest QoS."""
    wanted: dict[str, int] = {}
    for fleet in fleets:
        if fleet.config.broker == broker:
            wanted[fleet.template.filter] = max(fleet.config.qos, wanted.get(fleet.template.filter, 0))
    return list(wanted.items())


def open_source(config: ServiceConfig, fleets: Sequence[Post], journal: Journal) -> MessageSource:
    """The messages of all fleets and what else is for us, from every broker that may have some; raises ConfigError,
    Refused, Unreachable."""
    brokers = listened(config)
    arrived = threading.Event()
    sources: dict[str, MqttSource] = {}
    with ExitStack() as undo:
        for name, broker in brokers.items():
            wanted = [*subscriptions(fleets, name), *listened_to(config, name), *requests_topic(config)]
            sources[name] = _open_one(config, broker, wanted, journal, arrived.set, may_be_away=len(brokers) > 1)
            undo.callback(sources[name].close)
        if not any(source.connected for source in sources.values()):
            raise Unreachable("; ".join(source.reason for source in sources.values()))
        undo.pop_all()
    return MergedSource(sources, arrived) if len(sources) > 1 else next(iter(sources.values()))


def listened(config: ServiceConfig) -> dict[str, BrokerConfig]:
    """The brokers that fleets listen to, and those where somebody whom we tell things may ask us for some, by name."""
    asks = config.homeassistant.enabled or config.control.enabled
    return config.sources() | (config.told_brokers() if asks else {})


def _open_one(
    config: ServiceConfig,
    broker: BrokerConfig,
    wanted: Sequence[tuple[str, int]],
    journal: Journal,
    on_arrival: Callable[[], None],
    *,
    may_be_away: bool,
) -> MqttSource:
    """A source whose session holds what is wanted and no more.

    The journal remembers what the session may hold, so that a filter of an earlier configuration can be unsubscribed
    from; it is forgotten only when the broker has heard of that.
    """
    session = f"{broker.client_id}@{broker.host}:{broker.port}"
    filters = [topic for topic, _ in wanted]
    former = journal.subscriptions(session) if broker.client_id else []
    gone = sorted(set(former) - set(filters))
    if broker.client_id:
        journal.remember_subscriptions(session, [*former, *filters])
    source = MqttSource(
        broker,
        wanted,
        config.input.queue,
        config.publish.status,
        former=former,
        on_arrival=on_arrival,
        may_be_away=may_be_away,
    )
    if gone and source.connected:
        where = source.liveness()[0].where
        log.warning("%s: unsubscribed from %s, which no fleet has any more", where, ", ".join(gone))
    if broker.client_id and source.connected:
        journal.remember_subscriptions(session, filters)
    return source


def open_carriers(config: ServiceConfig) -> Iterator[tuple[str, Carrier]]:
    """(addressee, carrier) of every broker that may be told something, one after another as they connect."""
    for name, broker in told(config).items():
        own_id = f"{broker.client_id}-events" if broker.client_id else ""
        publisher = MqttPublisher(broker, own_id, may_be_away=_may_be_away(config, name))
        yield addressee(name), MqttCarrier(publisher, config.publish.qos)


def open_monitors(config: ServiceConfig) -> Iterator[MqttPublisher]:
    """Where the service's heartbeat and its complaints about itself go, one after another as they connect."""
    if config.monitor.heartbeat or config.publish.status:
        for name, broker in config.told_brokers().items():
            own_id = f"{broker.client_id}-monitor" if broker.client_id else ""
            yield MqttPublisher(broker, own_id, patience_s=5.0, may_be_away=_may_be_away(config, name))


def _may_be_away(config: ServiceConfig, name: str) -> bool:
    """Whether the service can start without a broker that it tells things: it can listen to another."""
    return len(config.sources()) > 1 or name not in config.sources()


def told(config: ServiceConfig) -> dict[str, BrokerConfig]:
    """The brokers that events, health, Home Assistant, answers and requests to devices go to, by name."""
    asked = [fleet.broker for fleet in config.fleets if fleet.dialect == "sparkplug_b"]
    if config.publish.events or config.publish.health or config.homeassistant.enabled:
        asked += config.told_brokers()
    if config.control.enabled:
        asked += listened(config)  # answers go to where a request came from
    return {name: config.broker_called(name) for name in asked}


def check_brokers(config: ServiceConfig) -> Iterator[str]:
    """Connect to every broker in use, one line each; raises Unreachable or Refused."""
    used = listened(config) | told(config)
    for broker in used.values():
        yield check_broker(broker)
    for broker in config.brokers:
        if broker_name(broker) not in used:
            yield f"MQTT broker {broker.name}: not used by any fleet"
