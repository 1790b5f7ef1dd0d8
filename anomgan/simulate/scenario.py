"""The tables of a scenario file, and the checked scenario that comes of them. See configs/simulate.toml."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AwareDatetime, Field, field_validator, model_validator

from anomgan.config import BrokerConfig, ControlConfig, DialectName, Table, TimeUnit, parse_config
from anomgan.errors import ConfigError
from anomgan.records import Source
from anomgan.simulate.almanac import TRUE_DAY_S
from anomgan.simulate.device_table import DevicesConfig, kind_of
from anomgan.simulate.fault_plan import OF_MACHINES, FaultConfig, check_faults, no_machine
from anomgan.simulate.faults import Fault, row_at
from anomgan.simulate.learned_kind import AnyKind, LearnedKind, OpenModel
from anomgan.simulate.names import unknown
from anomgan.simulate.network.plan import NetworkPlan, Run, plan_network
from anomgan.simulate.network.tables import TEN_YEARS_S, IncidentConfig, NetworkConfig
from anomgan.simulate.sensor_faults import SENSOR_FAULTS

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
EARLIEST, LATEST_START = MIDNIGHT.replace(year=1970), MIDNIGHT.replace(year=9000)
"""when a run may begin; one without end still has a thousand years of the calendar"""
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""the calendar's last day"""
SHORTEST_S = 0.001
"""of a period, and of what comes by chance"""
MOST_SEED = 2**63 - 1
"""what a JSON number and TOML hold"""


class ClockConfig(Table):
    """`[clock]`: simulated time and how fast it passes."""

    start: AwareDatetime = MIDNIGHT
    period_s: float = Field(1.0, ge=SHORTEST_S, le=3600)
    duration_s: float | None = Field(None, gt=0)
    """None = until stopped"""
    speed: float = Field(1.0, ge=0)
    """simulated seconds per second; 0 or "max" = as fast as the broker takes it"""
    seed: int = Field(0, ge=0, le=MOST_SEED)
    day_s: float = Field(TRUE_DAY_S, ge=60, le=TEN_YEARS_S)
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


class RandomFaultsConfig(Table):
    """`[random_faults]`: faults by chance, the same ones for the same seed."""

    first_s: float = Field(0.0, ge=0)
    """none begins earlier"""
    last_s: float | None = Field(None, gt=0)
    """none ends later; None = the end of the run"""
    spacing_s: tuple[float, float] = Field((240.0, 400.0), strict=False)
    """from the beginning of one to the beginning of the next, anywhere in the fleet"""
    duration_s: tuple[float, float] = Field((60.0, 200.0), strict=False)
    quiet_s: float = Field(120.0, ge=0, le=TEN_YEARS_S)
    """at least this long between two faults of one device"""
    kinds: tuple[str, ...] = Field((), strict=False)
    """() = all that the devices know"""
    severity: float = Field(1.0, gt=0, le=50)
    """multiplies the usual severities"""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name, (low, high) in (("spacing_s", self.spacing_s), ("duration_s", self.duration_s)):
            if not 0 < low <= high:
                raise ValueError(f"{name} takes [low, high] with 0 < low <= high, not [{low:g}, {high:g}]")
            if not SHORTEST_S <= low <= high <= TEN_YEARS_S:
                raise ValueError(f"{name} takes between {SHORTEST_S:g} s and ten years, not [{low:g}, {high:g}]")
        if self.last_s is not None and self.last_s <= self.first_s:
            raise ValueError(f"last_s = {self.last_s:g} is not after first_s = {self.first_s:g}: there would be none")
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

    kind: AnyKind
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
    def kinds(self) -> dict[Source, AnyKind]:
        """The kind of every device."""
        return {(group.site, name): group.kind for group in self.groups for name in group.names}


def parse_scenario(document: Mapping[str, Any], where: str, open_model: OpenModel | None = None) -> Scenario:
    """A parsed TOML document -> a checked scenario; ConfigError names `where`, the table and the key."""
    return check_scenario(parse_config(ScenarioConfig, document, where), where, open_model=open_model)


def check_scenario(
    config: ScenarioConfig, where: str, *, published: bool = True, open_model: OpenModel | None = None
) -> Scenario:
    """What the tables cannot see one by one: kinds, channels and faults that exist, fit the run and each other.

    published: False for what goes to no broker: [output], [network] and [[incidents]] have no part in it. open_model:
    opens what devices with `engine = "gan"` name; see `anomgan.synthesis.simulated`.
    """
    _check_times(config, where)
    groups = []
    for index, table in enumerate(config.devices):
        place = f"{where}: devices.{index}"
        kind, settings = kind_of(table, config.clock.start.timestamp(), config.clock.period_s, open_model, place)
        if published and not table.site and "{site}" in config.output.topic + config.output.truth:
            raise ConfigError(f"{place}.site: this key is required, because a topic in [output] has {{site}}")
        for key, text in (("name", table.name), ("site", table.site)):
            if not text.isprintable() or text != text.strip() or any(letter in text for letter in "+#/{}"):
                raise ConfigError(f"{place}.{key}: {text!r} cannot stand in a topic")
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
    network = _plan_network(draft, where) if published else None
    return Scenario(config, tuple(groups), tuple(sorted(faults, key=lambda fault: fault.start_s)), rows, network)


def _plan_network(scenario: Scenario, where: str) -> NetworkPlan | None:
    config, clock = scenario.config, scenario.config.clock
    run = Run(clock.seed, clock.period_s, clock.duration_s, scenario.rows, config.output.qos, config.broker.client_id)
    tables = zip(scenario.groups, config.devices, strict=True)
    links = [([(group.site, name) for name in group.names], table.network) for group, table in tables]
    return plan_network(config.network, config.incidents, links, run, where)


def _check_times(config: ScenarioConfig, where: str) -> None:
    """All that happens does so within the years that calendars and time stamps know."""
    start = config.clock.start
    if not EARLIEST <= start <= LATEST_START:
        span = f"{EARLIEST.year} and {LATEST_START.year}"
        raise ConfigError(f"{where}: clock.start: a run begins between {span}, not at {start.isoformat()}")
    room_s = (LATEST - start).total_seconds()
    times: list[tuple[str, float | None]] = [("clock.duration_s", config.clock.duration_s)]
    if config.random_faults is not None:
        times += [("random_faults.first_s", config.random_faults.first_s)]
        times += [("random_faults.last_s", config.random_faults.last_s)]
    events: dict[str, Sequence[FaultConfig | IncidentConfig]] = {"faults": config.faults, "incidents": config.incidents}
    for name, tables in events.items():
        for index, table in enumerate(tables):
            times += [(f"{name}.{index}.start_s", table.start_s), (f"{name}.{index}.end_s", table.end_s)]
    for key, seconds in times:
        if seconds is not None and seconds > room_s:
            raise ConfigError(f"{where}: {key}: {seconds:g} s after {start.isoformat()} is later than the year 9999")


def _check_random(scenario: Scenario, table: RandomFaultsConfig, place: str) -> None:
    process = [fault.name for group in scenario.groups for fault in group.kind.process_faults]
    known = dict.fromkeys([*SENSOR_FAULTS, *process])
    learned = [group for group in scenario.groups if isinstance(group.kind, LearnedKind)]
    for name in table.kinds:
        if name not in known and name in OF_MACHINES and learned:
            raise ConfigError(f"{place}.kinds: {no_machine(name, learned[0].names[0])}")
        if name not in known:
            raise ConfigError(f"{place}.kinds: {unknown('fault', name, known)}")
    duration_s = scenario.config.clock.duration_s
    for key, value in (("first_s", table.first_s), ("last_s", table.last_s)):
        if value is not None and duration_s is not None and value > duration_s:
            raise ConfigError(f"{place}.{key}: {value:g} is after the end of the run ({duration_s:g} s)")
    until_s = duration_s if table.last_s is None else table.last_s
    if until_s is not None and table.first_s + table.duration_s[0] > until_s:
        what = "the end of the run" if table.last_s is None else "last_s"
        raise ConfigError(
            f"{place}.first_s: a fault from {table.first_s:g} s on that lasts {table.duration_s[0]:g} s, the shortest "
            f"of duration_s, does not end before {what} ({until_s:g} s): there would be none"
        )
