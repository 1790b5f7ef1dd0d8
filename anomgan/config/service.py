"""The tables of the detector service's file."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from anomgan.config.adapt import AdaptConfig
from anomgan.config.alarms import AlarmsConfig
from anomgan.config.broker import BrokerConfig, NamedBrokerConfig, broker_mistakes, unknown_broker
from anomgan.config.control import ControlConfig
from anomgan.config.detection import DecideConfig
from anomgan.config.learning import LearnConfig
from anomgan.config.quality import QualityConfig
from anomgan.config.table import Table, check_publishable
from anomgan.config.telling import HomeAssistantConfig, MonitorConfig, NotifyConfig

DialectName = Literal[
    "flat",
    "nested",
    "metric",
    "array",
    "columnar",
    "zigbee2mqtt",
    "tasmota",
    "chirpstack",
    "things_stack",
    "senml",
    "sparkplug_b",
    "influx",
]
TimeUnit = Literal["", "s", "ms", "us", "ns"]
"""an empty text stands for what is customary in the dialect"""


class SqliteConfig(Table):
    """`[store.sqlite]`: the embedded store, one file."""

    path: str = Field(min_length=1)
    retention_days: float = Field(30.0, gt=0)
    """rows whose event time is older than this, seen from the newest row of their device, are deleted"""


class InfluxConfig(Table):
    """`[store.influx]`: an InfluxDB or what speaks its write protocol."""

    url: str = Field("http://localhost:8086", pattern=r"^https?://")
    version: Literal[1, 2] = 2
    """1 = `/write?db=` (InfluxDB 1.x), 2 = `/api/v2/write` (InfluxDB 2.x, 3 Core, VictoriaMetrics)"""
    org: str = "anomgan"
    bucket: str = "anomgan"
    """version 2"""
    database: str = "anomgan"
    """version 1"""
    token_env: str = ""
    token_file: str = ""
    username: str = ""
    password_env: str = ""
    password_file: str = ""
    batch_points: int = Field(2000, ge=1)
    timeout_s: float = Field(10.0, gt=0)


class StoreConfig(Table):
    """`[store]`: at least one of sqlite and influx."""

    sqlite: SqliteConfig | None = None
    influx: InfluxConfig | None = None

    @model_validator(mode="after")
    def _one_store(self) -> Self:
        if self.sqlite is None and self.influx is None:
            raise ValueError("give at least one of [store.sqlite] and [store.influx]")
        return self


class JournalConfig(Table):
    """`[journal]`: what the service remembers over a restart, and what waits for a server that is away."""

    path: str = Field("anomgan-journal.db", min_length=1)
    limit_mb: float = Field(1000.0, gt=0)
    """what may wait; when it is reached nothing more is acknowledged, so the broker keeps it"""
    snapshot_s: float = Field(60.0, gt=0)
    """how often the whole state is written; after a crash the turns since then are made again"""


class FleetConfig(Table):
    """`[[fleets]]`: devices that share one model."""

    model: str = Field(min_length=1)
    """path of the model file, or, with a / at its end, of a folder of models that the service learns by itself"""
    synthesizer: str = ""
    """path of a synthesizer of the same devices, which imputes what events should have looked like; "" = none: what the
    model itself expected is told"""
    broker: str = ""
    """name of the one of `[[brokers]]` that the messages come from; "" = `[broker]`"""
    site: str = ""
    """the site of devices whose topic names none; "" = the name of the broker, and none at `[broker]`"""
    topic: str = Field(min_length=1)
    """template such as `plant/{site}/{device}/telemetry`; `+` ignores a level, a last `#` the rest"""
    devices: tuple[str, ...] = Field(("*",), strict=False, min_length=1)
    """shell patterns of the devices that belong here, where fleets share a topic; the first fleet that fits takes it"""
    dialect: DialectName = "flat"
    time_key: str = ""
    """payload key of the event time, "" = the dialect's own; a message without it is stamped on arrival"""
    time_unit: TimeUnit = ""
    device_key: str = ""
    """payload key of the device, for topics without `{device}`"""
    qos: Literal[0, 1, 2] = 1
    alarms_per_week: float | None = Field(None, gt=0)
    """overrides the model's own alarm budget"""
    quality: QualityConfig | None = None
    """`[fleets.quality]`, for this fleet in place of `[quality]`"""
    learn: LearnConfig = LearnConfig()

    @property
    def learns(self) -> bool:
        """Whether `model` is a folder that the service keeps by itself."""
        return self.model.endswith("/")


class InputConfig(Table):
    """`[input]`: what is let in."""

    batch: int = Field(1000, ge=1)
    """messages handled in one turn"""
    flush_s: float = Field(0.25, gt=0, le=10)
    """the longest wait for a message before a turn ends"""
    queue: int = Field(20_000, ge=100)
    """messages waiting between the network and the turn"""
    max_payload_bytes: int = Field(1_000_000, ge=64)
    max_future_s: float = Field(86_400.0, gt=0)
    """a reading stamped further ahead of the clock is dropped"""
    ignore_retained: bool = True
    """a retained message is an old one: it is dropped and counted"""
    forget_days: float = Field(30.0, ge=0, le=36_500)
    """a device that is not heard for so long, while the service listens, is forgotten; 0 = never"""
    most_devices: int = Field(100_000, ge=1)
    """of one fleet; a reading of one more is dropped and counted"""


class PublishConfig(Table):
    """`[publish]`: event open and close, and the health of devices, as JSON on MQTT."""

    events: str = "anomgan/{site}/{device}/event"
    """topic template; a device without a site has no such level; "" publishes nothing"""
    health: str = "anomgan/{site}/{device}/health"
    """likewise, retained, whenever what is wrong with a device's data changes"""
    status: str = "anomgan/status"
    """retained `online` / `offline` of the service itself, on every broker; the latter is its last will"""
    broker: str = ""
    """name of the one of `[[brokers]]` that all events go to; "" = each to the broker that its device came from"""
    qos: Literal[0, 1, 2] = 1

    @field_validator("events", "health", "status")
    @classmethod
    def _can_be_published_to(cls, topic: str, info: ValidationInfo) -> str:
        check_publishable(topic, () if info.field_name == "status" else ("{site}", "{device}"))
        return topic


class DashboardConfig(Table):
    """`[dashboard]`: the embedded page; it listens on loopback unless told."""

    host: str = "127.0.0.1"
    port: int = Field(8050, ge=0, le=65535)
    simulator: str = ""
    """the scenario of a simulator that runs with control on: the page shows and injects its faults; "" = none"""


class ServiceConfig(Table):
    """The whole file of `anomgan detect CONFIG` and `anomgan dashboard CONFIG`."""

    broker: BrokerConfig = BrokerConfig()
    """the default: of the fleets that name none"""
    brokers: tuple[NamedBrokerConfig, ...] = Field((), strict=False)
    fleets: tuple[FleetConfig, ...] = Field(min_length=1, strict=False)
    input: InputConfig = InputConfig()
    quality: QualityConfig = QualityConfig()
    decide: DecideConfig = DecideConfig()
    adapt: AdaptConfig = AdaptConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    control: ControlConfig = ControlConfig()
    store: StoreConfig
    journal: JournalConfig = JournalConfig()
    publish: PublishConfig = PublishConfig()
    homeassistant: HomeAssistantConfig = HomeAssistantConfig()
    notify: NotifyConfig = NotifyConfig()
    monitor: MonitorConfig = MonitorConfig()
    dashboard: DashboardConfig = DashboardConfig()

    @model_validator(mode="after")
    def _every_broker_is_known(self) -> Self:
        given = "broker" in self.model_fields_set
        mistakes = list(broker_mistakes(self.brokers, self.broker if given else None))
        for number, fleet in enumerate(self.fleets):
            where = f"fleets.{number}.broker"
            if fleet.broker:
                mistakes.append(unknown_broker(where, fleet.broker, self.brokers))
            elif self.brokers and not given:
                names = ", ".join(one.name for one in self.brokers)
                mistakes.append(f"{where}: which of {names}? Without this key it is [broker], which is not given")
        if self.publish.broker:
            mistakes.append(unknown_broker("publish.broker", self.publish.broker, self.brokers))
        if said := next(filter(None, mistakes), ""):
            raise ValueError(said)
        return self

    def broker_called(self, name: str) -> BrokerConfig:
        """The broker of that name, "" for `[broker]`."""
        return next((one for one in self.brokers if one.name == name), self.broker)

    def sources(self) -> dict[str, BrokerConfig]:
        """The brokers that fleets listen to, by name, in the order of the fleets."""
        return {fleet.broker: self.broker_called(fleet.broker) for fleet in self.fleets}

    def asked_broker(self) -> BrokerConfig:
        """A broker over which the service can be asked, the first of those that events go to."""
        return next(iter(self.told_brokers().values()))

    def told_brokers(self) -> dict[str, BrokerConfig]:
        """The brokers that devices' events go to, by name."""
        return {self.publish.broker: self.broker_called(self.publish.broker)} if self.publish.broker else self.sources()
