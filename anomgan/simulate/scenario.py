"""The tables of a scenario file, and the checked scenario that comes of them. See configs/simulate.toml."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AwareDatetime, Field, field_validator, model_validator

from anomgan.config import BrokerConfig, ControlConfig, DialectName, Table, TimeUnit, parse_config
from anomgan.errors import ConfigError
from anomgan.records import Source
from anomgan.simulate.almanac import TRUE_DAY_S
from anomgan.simulate.fault_plan import FaultConfig, check_faults
from anomgan.simulate.faults import Fault, row_at
from anomgan.simulate.kind import Kind
from anomgan.simulate.kinds import KINDS
from anomgan.simulate.names import unknown
from anomgan.simulate.network.plan import NetworkPlan, Run, plan_network
from anomgan.simulate.network.tables import IncidentConfig, LinkConfig, NetworkConfig
from anomgan.simulate.sensor_faults import SENSOR_FAULTS

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)


class ClockConfig(Table):
    """`[clock]`: simulated time and how fast it passes."""

    start: AwareDatetime = MIDNIGHT
    period_s: float = Field(1.0, gt=0, le=3600)
    duration_s: float | None = Field(None, gt=0)
    """None = until stopped"""
    speed: float = Field(1.0, ge=0)
    """simulated seconds per second; 0 or "max" = as fast as the broker takes it"""
    seed: int = Field(0, ge=0)
    day_s: float = Field(TRUE_DAY_S, ge=60)
    """the length of a day for loads and temperatures; shorter shows all a device does sooner"""
    zone: str = "UTC"
    """where the devices stand, for the time of day and summer time: an IANA name such as Europe/Berlin"""

    @field_validator("zone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"no such time zone: {name!r}; IANA names such as 'Europe/Berlin' are meant")
        return name

    @field_validator("speed", mode="before")
    @classmethod
    def _max(cls, value: object) -> object:
        return 0.0 if value == "max" else value


class OutputConfig(Table):
    """`[output]`: what is published where."""

    topic: str = Field("plant/{site}/{device}/telemetry", min_length=1)
    dialect: DialectName = "flat"
    time_key: str = ""
    time_unit: TimeUnit = ""
    """"" = what is customary in the dialect, for both"""
    device_key: str = ""
    qos: Literal[0, 1, 2] = 1
    truth: str = "anomgan/truth/{device}"
    """topic of the ground truth; "" publishes none"""


class DevicesConfig(Table):
    """`[[devices]]`: `count` devices of one kind, called `name` followed by 1, 2, ..."""

    kind: str
    count: int = Field(1, ge=1, le=100_000)
    name: str = Field(min_length=1, max_length=100)
    site: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    network: LinkConfig | None = None
    """what differs from `[network]`"""


class RandomFaultsConfig(Table):
    """`[random_faults]`: faults by chance, the same ones for the same seed."""

    first_s: float = Field(0.0, ge=0)
    """none begins earlier"""
    last_s: float | None = Field(None, gt=0)
    """none ends later; None = the end of the run"""
    spacing_s: tuple[float, float] = Field((240.0, 400.0), strict=False)
    """from the beginning of one to the beginning of the next, anywhere in the fleet"""
    duration_s: tuple[float, float] = Field((60.0, 200.0), strict=False)
    quiet_s: float = Field(120.0, ge=0)
    """at least this long between two faults of one device"""
    kinds: tuple[str, ...] = Field((), strict=False)
    """() = all that the devices know"""
    severity: float = Field(1.0, gt=0)
    """multiplies the usual severities"""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name, (low, high) in (("spacing_s", self.spacing_s), ("duration_s", self.duration_s)):
            if not 0 < low <= high:
                raise ValueError(f"{name} takes [low, high] with 0 < low <= high, not [{low:g}, {high:g}]")
        return self


class RequestsConfig(ControlConfig):
    """`[control]`: requests to the running simulator, as to the detector service; off unless configured."""

    topic: str = Field("anomgan/simulator", min_length=1, max_length=200)


class ScenarioConfig(Table):
    """The whole file of `anomgan simulate CONFIG`."""

    broker: BrokerConfig = BrokerConfig()
    clock: ClockConfig = ClockConfig()
    output: OutputConfig = OutputConfig()
    control: RequestsConfig = RequestsConfig()
    devices: tuple[DevicesConfig, ...] = Field(min_length=1, strict=False)
    faults: tuple[FaultConfig, ...] = Field((), strict=False)
    random_faults: RandomFaultsConfig | None = None
    network: NetworkConfig = NetworkConfig()
    incidents: tuple[IncidentConfig, ...] = Field((), strict=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Devices of one kind with the same settings; they are simulated together."""

    kind: Kind[Any, Any, Any]
    settings: Table
    site: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checked scenario. rows = length of the run (None = endless); faults in order of their start; network = None
    where nothing comes between devices and broker.
    """

    config: ScenarioConfig
    groups: tuple[Group, ...]
    faults: tuple[Fault, ...]
    rows: int | None
    network: NetworkPlan | None = None

    @property
    def period_s(self) -> float:
        """Simulated seconds from one reading to the next."""
        return self.config.clock.period_s

    @property
    def start_s(self) -> float:
        """Event time of row 0."""
        return self.config.clock.start.timestamp()

    @property
    def kinds(self) -> dict[Source, Kind[Any, Any, Any]]:
        """The kind of every device."""
        return {(group.site, name): group.kind for group in self.groups for name in group.names}


def parse_scenario(document: Mapping[str, Any], where: str) -> Scenario:
    """A parsed TOML document -> a checked scenario; ConfigError names `where`, the table and the key."""
    return check_scenario(parse_config(ScenarioConfig, document, where), where)


def check_scenario(config: ScenarioConfig, where: str) -> Scenario:
    """What the tables cannot see one by one: kinds, channels and faults that exist, fit the run and each other."""
    groups = []
    for index, table in enumerate(config.devices):
        place = f"{where}: devices.{index}"
        kind = KINDS.get(table.kind)
        if kind is None:
            raise ConfigError(f"{place}.kind: {unknown('device kind', table.kind, KINDS)}")
        if not table.site and "{site}" in config.output.topic + config.output.truth:
            raise ConfigError(f"{place}.site: this key is required, because a topic in [output] has {{site}}")
        for key, text in (("name", table.name), ("site", table.site)):
            if not text.isprintable() or text != text.strip() or any(letter in text for letter in "+#/"):
                raise ConfigError(f"{place}.{key}: {text!r} cannot stand in a topic")
        settings = parse_config(kind.settings, table.settings, f"{place}.settings")
        names = tuple(f"{table.name}{number}" for number in range(1, table.count + 1))
        groups.append(Group(kind, settings, table.site, names))
    counted = Counter((group.site, name) for group in groups for name in group.names)
    twice = next((source for source, count in counted.items() if count > 1), None)
    if twice is not None:
        raise ConfigError(f"{where}: devices: two devices are called {twice[1]!r} at site {twice[0]!r}")
    clock = config.clock
    rows = None if clock.duration_s is None else row_at(clock.duration_s, clock.period_s)
    draft = Scenario(config, tuple(groups), (), rows)
    faults = check_faults(config.faults, draft.kinds, clock.period_s, clock.duration_s, where)
    if config.random_faults is not None:
        _check_random(draft, config.random_faults, f"{where}: random_faults")
    run = Run(clock.seed, clock.period_s, clock.duration_s, rows, config.output.qos)
    links = [([(g.site, name) for name in g.names], t.network) for g, t in zip(groups, config.devices, strict=True)]
    network = plan_network(config.network, config.incidents, links, run, where)
    return Scenario(config, tuple(groups), tuple(sorted(faults, key=lambda fault: fault.start_s)), rows, network)


def _check_random(scenario: Scenario, table: RandomFaultsConfig, place: str) -> None:
    process = [fault.name for group in scenario.groups for fault in group.kind.process_faults]
    known = dict.fromkeys([*SENSOR_FAULTS, *process])
    for name in table.kinds:
        if name not in known:
            raise ConfigError(f"{place}.kinds: {unknown('fault', name, known)}")
    duration_s = scenario.config.clock.duration_s
    for key, value in (("first_s", table.first_s), ("last_s", table.last_s)):
        if value is not None and duration_s is not None and value > duration_s:
            raise ConfigError(f"{place}.{key}: {value:g} is after the end of the run ({duration_s:g} s)")
