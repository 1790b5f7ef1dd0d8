"""From a checked configuration to a running detector service: the one place that knows all the parts."""

import gc
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from anomgan.adapters.files import read_config
from anomgan.adapters.influx import INFLUX, InfluxCarrier
from anomgan.adapters.journal import Journal
from anomgan.adapters.notify import NotifyCarrier, targets
from anomgan.adapters.ping import open_ping
from anomgan.adapters.ports import Carrier, MessageSource, Store
from anomgan.adapters.signals import asked_again, stopping
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.status_http import Page, StatusServer
from anomgan.config import JournalConfig, ServiceConfig, StoreConfig
from anomgan.errors import ConfigError
from anomgan.imputer import Imputer
from anomgan.records import Event
from anomgan.score import score_on_one_thread
from anomgan_detector.brokers import check_brokers, open_carriers, open_monitors, open_source
from anomgan_detector.courier import Courier
from anomgan_detector.desk import Desk, check_calendar, let_in
from anomgan_detector.health import require_known
from anomgan_detector.loaded import read_synthesizer
from anomgan_detector.metrics import Metrics
from anomgan_detector.monitor import Monitor
from anomgan_detector.post import Post
from anomgan_detector.pulse import Pulse
from anomgan_detector.renewal import Renewal
from anomgan_detector.service import POSTS, DetectorService
from anomgan_detector.telling import Telling

log = logging.getLogger("anomgan.detector")


def posts_of(renewal: Renewal) -> list[Post]:
    """Who looks after each fleet; ConfigError where `[quality]` names a channel that none of them has."""
    posts = renewal.posts()
    learned = [post.adaptation for post in posts]
    known = [one.detector.channels for one in learned if one is not None]
    if len(known) == len(posts):  # which channels a fleet will learn cannot be known
        require_known(renewal.config.quality, (name for channels in known for name in channels))
    return posts


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
    carriers += open_carriers(config)
    couriers = [Courier(name, open_journal(config.journal), carrier, time.time) for name, carrier in carriers]
    return couriers + [
        # one by one: a notice that has arrived is not sent again because the next one does not
        Courier(one.addressee, open_journal(config.journal), NotifyCarrier(one), time.time, at_once=1)
        for one in targets(config.notify)
    ]


def open_monitor(
    config: ServiceConfig, pulse: Pulse, source: MessageSource, couriers: Sequence[Courier], addressees: Sequence[str]
) -> Monitor:
    """Who looks after the service, not yet started."""
    journal, ping = open_journal(config.journal), open_ping(config.monitor)
    publishers = list(open_monitors(config))
    return Monitor(config, pulse, source, couriers, journal, publishers, addressees, time.time, ping)


def answer_now(metrics: Metrics, path: str) -> Page | None:
    """What the status server answers now."""
    return metrics.answer(path, time.time())


def check(config: ServiceConfig) -> Iterator[str]:
    """Load and connect to everything, one line each; raises the first AnomganError."""
    renewal = Renewal(config, time.time)
    for post in posts_of(renewal):
        yield post.describe()
    for one in renewal.appointments:
        path = one.table.synthesizer
        if path and one.champion is not None:  # what a running service does without
            Imputer(one.champion.detector, read_synthesizer(path).synthesizer, path)
    let_in(config)
    calendar = check_calendar(config)
    if calendar is not None:
        yield calendar
    yield from check_brokers(config)
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
    for target in targets(config.notify):
        NotifyCarrier(target)
        yield f"{target.addressee}: an address that can be notified; nothing was sent"
    open_ping(config.monitor)


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
    check_calendar(config)
    let_in(config)

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
        fleets = posts_of(renewal)
        stores = [*open_stores(config.store), *renewal.histories.values()]
        for store in stores:
            stack.callback(store.close)
            log.info("%s", store.check())
        couriers = open_couriers(config)
        for courier in couriers:
            stack.callback(courier.close)
        for name, count in sorted(journal.standing().waiting.items()):
            if name not in {courier.addressee for courier in couriers}:
                log.error(
                    "journal %s: %d letters wait for %s, which nothing here goes to now", journal.path, count, name
                )
        source = open_source(config, fleets, journal)
        stack.callback(source.close)
        addressees = [target.addressee for target in targets(config.notify)]
        pulse, telling, desk = Pulse(), Telling(config, addressees), Desk(config, fleets, let_in(config))
        service = DetectorService(
            config, fleets, source, stores, journal, couriers, time.time, on_events, telling, pulse, desk, renewal
        )
        log.info("%s", service.recall())
        monitor = open_monitor(config, pulse, source, couriers, addressees)
        stack.callback(monitor.close)
        if config.monitor.port is not None:
            answer = partial(answer_now, monitor.metrics)
            server = StatusServer(config.monitor.host, config.monitor.port, answer)
            stack.callback(server.close)
            log.info("metrics on http://%s:%d/metrics", config.monitor.host, server.port)
        for courier in couriers:
            courier.start()
        monitor.start()
        log.info("listening to %s", ", ".join(fleet.template.filter for fleet in fleets))
        on_ready()
        gc.collect()
        gc.freeze()  # modules and models are here to stay: searching them for garbage stops a turn for 0.15 s
        service.run(stop)
        return service.counters()


def require_distinct_models(config: ServiceConfig) -> None:
    """ConfigError where two fleets have the same broker, topic and devices: the second would never get a message; or
    where they share a folder of models, whose history would be of both."""
    seen: dict[tuple[str, str, tuple[str, ...]], int] = {}
    for number, fleet in enumerate(config.fleets):
        first = seen.setdefault((fleet.broker, fleet.topic, fleet.devices), number)
        if first != number:
            raise ConfigError(f"fleets.{number}: same topic and devices as fleets.{first}, which takes all messages")
    folders = [fleet.model for fleet in config.fleets if fleet.learns]
    for folder in set(folders):
        if folders.count(folder) > 1:
            raise ConfigError(f"fleets: several of them learn in {folder}; give each a folder of its own")
