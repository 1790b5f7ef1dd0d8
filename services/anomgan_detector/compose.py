"""From a checked configuration to a running detector service: the one place that knows all the parts."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from anomgan.adapters.files import read_config
from anomgan.adapters.influx import INFLUX, InfluxCarrier
from anomgan.adapters.journal import Journal
from anomgan.adapters.mqtt import MqttPublisher, MqttSource, check_broker
from anomgan.adapters.mqtt_carrier import MQTT, MqttCarrier
from anomgan.adapters.ports import Carrier, Store
from anomgan.adapters.signals import asked_again, stopping
from anomgan.adapters.sqlite import SqliteStore
from anomgan.config import JournalConfig, ServiceConfig, StoreConfig
from anomgan.errors import ConfigError
from anomgan.records import Event
from anomgan.score import score_on_one_thread
from anomgan_detector.courier import Courier
from anomgan_detector.fleet import Post
from anomgan_detector.renewal import Renewal
from anomgan_detector.service import POSTS, DetectorService

log = logging.getLogger("anomgan.detector")


def open_stores(config: StoreConfig) -> list[Store]:
    """The stores that a turn is written to before it is acknowledged, not yet connected."""
    return [] if config.sqlite is None else [SqliteStore(config.sqlite.path, config.sqlite.retention_days)]


def open_journal(config: JournalConfig) -> Journal:
    """A connection to the journal, not yet made."""
    return Journal(config.path, round(config.limit_mb * 1e6))


def open_couriers(config: ServiceConfig) -> list[Courier]:
    """One for every server that letters go to, not yet started."""
    carriers: list[tuple[str, Carrier]] = []
    if config.store.influx is not None:
        carriers.append((INFLUX, InfluxCarrier(config.store.influx)))
    if config.publish.events or any(fleet.dialect == "sparkplug_b" for fleet in config.fleets):
        own_id = f"{config.broker.client_id}-events" if config.broker.client_id else ""
        carriers.append((MQTT, MqttCarrier(MqttPublisher(config.broker, own_id), config.publish.qos)))
    return [Courier(name, open_journal(config.journal), carrier, time.time) for name, carrier in carriers]


def subscriptions(fleets: Sequence[Post]) -> list[tuple[str, int]]:
    """(filter, QoS) of every fleet; a filter that fleets share is subscribed to once, at the highest QoS."""
    wanted: dict[str, int] = {}
    for fleet in fleets:
        wanted[fleet.template.filter] = max(fleet.config.qos, wanted.get(fleet.template.filter, 0))
    return list(wanted.items())


def check(config: ServiceConfig) -> Iterator[str]:
    """Load and connect to everything, one line each; raises the first AnomganError."""
    renewal = Renewal(config, time.time)
    for post in renewal.posts():
        yield post.describe()
    yield check_broker(config.broker)
    with ExitStack() as stack:
        for store in [*open_stores(config.store), *renewal.histories.values()]:
            stack.callback(store.close)
            yield store.check()
        if config.store.influx is not None:
            carrier = InfluxCarrier(config.store.influx)
            stack.callback(carrier.close)
            yield carrier.check()
        journal = open_journal(config.journal)
        stack.callback(journal.close)
        yield journal.check()


def run(
    config: ServiceConfig,
    *,
    config_path: Path | None = None,
    on_ready: Callable[[], None] = lambda: None,
    on_events: Callable[[Sequence[Event]], None] | None = None,
) -> dict[str, int]:
    """Run until SIGINT or SIGTERM; the counters at the end. Raises what goes wrong before the first turn.

    With `config_path`, the file that `config` is from, what may change in it does, at SIGHUP or when it is written.
    """
    score_on_one_thread()

    def reread() -> ServiceConfig:
        again = read_config(config_path or "", ServiceConfig)
        require_distinct_models(again)
        return again

    journal = open_journal(config.journal)
    with ExitStack() as stack, stopping() as stop:
        stack.callback(journal.close)
        journal.claim()
        renewal = Renewal(config, time.time, config_path, reread, journal.snapshot().get(POSTS))
        stack.callback(renewal.close)
        stack.enter_context(asked_again(renewal.ask))
        fleets = renewal.posts()
        stores = [*open_stores(config.store), *renewal.histories.values()]
        for store in stores:
            stack.callback(store.close)
            log.info("%s", store.check())
        couriers = open_couriers(config)
        for courier in couriers:
            stack.callback(courier.close)
        source = MqttSource(config.broker, subscriptions(fleets), config.input.queue, config.publish.status)
        stack.callback(source.close)
        service = DetectorService(config, fleets, source, stores, journal, couriers, time.time, on_events, renewal)
        log.info("%s", service.recall())
        for courier in couriers:
            courier.start()
        log.info("listening to %s", ", ".join(topic for topic, _ in subscriptions(fleets)))
        on_ready()
        service.run(stop)
        return service.counters()


def require_distinct_models(config: ServiceConfig) -> None:
    """ConfigError where two fleets have the same topic and devices: the second would never get a message; or where
    they share a folder of models, whose history would be of both."""
    seen: dict[tuple[str, tuple[str, ...]], int] = {}
    for number, fleet in enumerate(config.fleets):
        first = seen.setdefault((fleet.topic, fleet.devices), number)
        if first != number:
            raise ConfigError(f"fleets.{number}: same topic and devices as fleets.{first}, which takes all messages")
    folders = [fleet.model for fleet in config.fleets if fleet.learns]
    for folder in set(folders):
        if folders.count(folder) > 1:
            raise ConfigError(f"fleets: several of them learn in {folder}; give each a folder of its own")
