"""The tables of the detector service's file."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from anomgan.config.detection import DecideConfig
from anomgan.config.learning import LearnConfig
from anomgan.config.table import Table

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


class BrokerConfig(Table):
    """`[broker]`: where the MQTT broker is and how to get in."""

    host: str = Field("localhost", min_length=1)
    port: int = Field(1883, ge=1, le=65535)
    client_id: str = ""
    """fixed id = persistent session; "" = a name made from the program's"""
    username: str = ""
    password_env: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: int = Field(30, ge=5)
    connect_timeout_s: float = Field(10.0, gt=0)


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
    learn: LearnConfig = LearnConfig()

    @property
    def learns(self) -> bool:
        """Whether `model` is a folder that the service keeps by itself."""
        return self.model.endswith("/")


class InputConfig(Table):
    """`[input]`: what is let in."""

    batch: int = Field(500, ge=1)
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


class PublishConfig(Table):
    """`[publish]`: event open and close as JSON on MQTT."""

    events: str = "anomgan/{site}/{device}/event"
    """topic template; a device without a site has no such level; "" publishes nothing"""
    status: str = "anomgan/status"
    """retained `online` / `offline` of the service itself"""
    qos: Literal[0, 1, 2] = 1

    @field_validator("events", "status")
    @classmethod
    def _can_be_published_to(cls, topic: str, info: ValidationInfo) -> str:
        placeholders = ("{site}", "{device}") if info.field_name == "events" else ()
        for level in topic.split("/"):
            if level not in placeholders and any(letter in "+#{}\0" for letter in level):
                allowed = f"; placeholders that fill a level: {', '.join(placeholders)}" if placeholders else ""
                raise ValueError(f"{level!r} cannot stand in a topic to publish to{allowed}")
        return topic


class DashboardConfig(Table):
    """`[dashboard]`: the embedded page; it listens on loopback unless told."""

    host: str = "127.0.0.1"
    port: int = Field(8050, ge=0, le=65535)


class ServiceConfig(Table):
    """The whole file of `anomgan detect CONFIG` and `anomgan dashboard CONFIG`."""

    broker: BrokerConfig = BrokerConfig()
    fleets: tuple[FleetConfig, ...] = Field(min_length=1, strict=False)
    input: InputConfig = InputConfig()
    decide: DecideConfig = DecideConfig()
    store: StoreConfig
    journal: JournalConfig = JournalConfig()
    publish: PublishConfig = PublishConfig()
    dashboard: DashboardConfig = DashboardConfig()
