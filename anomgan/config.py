"""One model per table of the TOML file. Unknown keys are errors that name the nearest key.

Secrets never stand in a file: `password_env` / `token_env` name an environment variable and
`password_file` / `token_file` a file; a clear-text `password` or `token` is refused.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from anomgan.errors import ConfigError

LossName = Literal["hinge", "wgan-gp", "non-saturating"]
DeviceName = Literal["auto", "cpu", "cuda"]
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


class Table(BaseModel):
    """A strict, frozen table: no unknown keys, no silent conversions from text, numbers or booleans."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class DetectorConfig(Table):
    """How a detector is built and trained. None = chosen from the data by the rules of `fit.choose`."""

    window: int | None = Field(None, ge=16, le=65_536, multiple_of=8)
    """rows per window; a multiple of 8 from 16 up"""
    stride: int | None = Field(None, ge=1, le=65_536)
    """rows between two scored windows"""
    steps: int | None = Field(None, ge=1, le=10_000_000)
    """training steps"""
    latent: int = Field(16, ge=2, le=256)
    width: int = Field(16, ge=4, le=256)
    """convolution channels of the first block; later blocks have twice as many"""
    batch: int = Field(64, ge=4, le=65_536)
    loss: LossName = "hinge"
    learning_rate: float = Field(1e-3, gt=0)
    adversarial_weight: float = Field(0.1, ge=0)
    reconstruction_weight: float = Field(10.0, ge=0)
    ema_decay: float = Field(0.99, ge=0, lt=1)
    patience: int = Field(8, ge=1)
    """health checks without a better held-out reconstruction before training stops early"""
    holdout: float = Field(0.25, gt=0, lt=0.9)
    """the last part of the training rows, kept for calibration"""
    alarms_per_week: float = Field(1.0, gt=0)
    """the alarm budget of one device"""
    max_gap_s: float | None = Field(None, gt=0)
    """a longer step starts a new window; None = ten sampling periods"""
    max_hold: int | None = Field(None, ge=0, le=1_000_000)
    """rows a missing value is held for before the channel counts as missing; None = a quarter window"""
    seed: int = Field(0, ge=0, lt=2**63)
    device: DeviceName = "auto"


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
    """path of the model file"""
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


class DecideConfig(Table):
    """`[decide]`: how verdicts become events."""

    open_after: int = Field(2, ge=1)
    """anomalous verdicts in a row that open an event"""
    close_after: int | None = Field(None, ge=1)
    """verdicts in a row below the closing level that close it; None = those of one window, for so long it remembers"""
    close_level: float = Field(0.7, gt=0, le=1)
    """the closing level, as a fraction of the threshold (hysteresis)"""
    channels: int = Field(3, ge=1)
    """contributing channels named by an event"""


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


Model = TypeVar("Model", bound=BaseModel)


def parse_config(model: type[Model], document: Mapping[str, Any], where: str) -> Model:
    """Check a parsed document against a model; ConfigError names `where`, the table, the key and the nearest key."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors()
        lines = [
            _explain(model, item["type"], item["loc"], item["msg"], item.get("input"))
            for item in found
            if not (item["type"] == "too_short" and any(_inside(other["loc"], item["loc"]) for other in found))
        ]
        raise ConfigError("\n".join(f"{where}: {line}" for line in lines)) from None


def _inside(loc: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    """Whether an error lies within another's value: an array whose only entry is wrong is not also too short."""
    return len(loc) > len(outer) and loc[: len(outer)] == outer


_IN_TOML = {
    "missing": "this key is required",
    "tuple_type": "expected an array",
    "model_type": "expected a table",
    "too_short": "at least one entry is needed",
}


def _explain(model: type[BaseModel], kind: str, loc: tuple[int | str, ...], message: str, given: object) -> str:
    """One validation error in the words of the TOML file."""
    path = ".".join(str(part) for part in loc) or "(top level)"
    if kind == "extra_forbidden":
        key, known = str(loc[-1]), _keys_at(model, loc[:-1])
        if key in ("password", "token", "secret"):
            return f"{path}: secrets do not belong in a configuration file; use {key}_env or {key}_file"
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{path}: unknown key; {hint}"
    shown = "" if isinstance(given, Mapping | list | tuple) else f" (got {given!r})"
    return f"{path}: {_IN_TOML.get(kind, message.removeprefix('Value error, '))}{shown}"


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys allowed in the table that `loc` leads to."""
    for part in loc:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        inner = next((a for a in (annotation, *_arguments(annotation)) if _is_model(a)), None)
        if inner is None:
            break
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return tuple(getattr(annotation, "__args__", ()))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
