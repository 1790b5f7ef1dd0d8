"""Who looks after the devices of one `[[fleets]]` table, and what comes of their messages."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from anomgan.adaptation import Adaptation
from anomgan.adapters.ports import Message
from anomgan.alarms import Group
from anomgan.config import FleetConfig
from anomgan.expected import Expected
from anomgan.records import DeviceHealth, Event, HealthIssue, Reading, Source, Verdict
from anomgan.wire.topics import TopicTemplate
from anomgan_detector.reader import Own

Learnable = Callable[[Source, float], bool]
"""whether a device's threshold may follow a window that ends at a time"""
NOT_READING = {"model", "synthesizer", "qos", "alarms_per_week", "quality", "learn"}
"""keys of a table that say nothing of which messages are read and how"""


def anything(source: Source, time_s: float) -> bool:
    """All of it is learnable."""
    return True


def nothing(source: Source, time_s: float) -> bool:
    """None of it is."""
    return False


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a turn's messages: events to tell, those that stand open, whose end and peak move on, and messages
    (topic, payload) that ask devices for what is needed to read them; issues of data quality that opened or closed, the
    health of the devices with which something changed, and of some others as it stands; the devices that verdicts are
    about, and the readings that were judged; the devices that are forgotten from now on; what was imputed of events."""

    verdicts: list[Verdict] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    standing: list[Event] = field(default_factory=list)
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    issues: list[HealthIssue] = field(default_factory=list)
    news: list[DeviceHealth] = field(default_factory=list)
    standing_health: list[DeviceHealth] = field(default_factory=list)
    heard: frozenset[Source] = frozenset()
    readings: list[Reading] = field(default_factory=list)
    forgotten: Sequence[Source] = ()
    expected: list[Expected] = field(default_factory=list)


class Post(Protocol):
    """A Fleet, one with a shadow, or one that still gathers."""

    @property
    def config(self) -> FleetConfig:
        """Its table."""
        ...

    @property
    def template(self) -> TopicTemplate:
        """Its topics."""
        ...

    @property
    def key(self) -> str:
        """What its state belongs to."""
        ...

    @property
    def group(self) -> Group:
        """How alarms know it, whichever model judges."""
        ...

    @property
    def name(self) -> str:
        """What its model is called."""
        ...

    @property
    def digest(self) -> str:
        """Which model it is, whatever it is called; "" = none yet."""
        ...

    @property
    def devices(self) -> int:
        """How many devices have been heard."""
        ...

    @property
    def open_events(self) -> int:
        """How many events are open."""
        ...

    @property
    def adaptation(self) -> Adaptation | None:
        """What has been learned of single devices; None where nothing can be yet."""
        ...

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here."""
        ...

    def knows(self, source: Source) -> bool:
        """Whether a device has been heard, and not been forgotten since."""
        ...

    def health(self, sources: Iterable[Source], now_s: float) -> list[DeviceHealth]:
        """How the data are of those of these devices that are watched here."""
        ...

    def judge(
        self, messages: Sequence[Message], now_s: float, own: Own | None = None, learnable: Learnable = anything
    ) -> Judged:
        """What follows from messages; state, messages and time alone decide it, so that a turn can be made again."""
        ...

    def snapshot(self) -> dict[str, bytes]:
        """Everything that later verdicts, events and counters depend on, in parts."""
        ...

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        ...

    def counters(self) -> Counter[str]:
        """Totals since the start."""
        ...

    def describe(self) -> str:
        """In one line what it judges by."""
        ...


def scope_of(config: FleetConfig) -> str:
    """Which messages a fleet reads and how: no two fleets of a configuration have the same.

    Keys that stand as if they were not there do not count, so that what was remembered before there were several
    brokers, or fleets that share a topic, is known again.
    """
    fields = FleetConfig.model_fields
    unsaid = {name for name in ("broker", "site", "devices") if getattr(config, name) == fields[name].default}
    return config.model_dump_json(exclude=NOT_READING | unsaid)


def group_of(config: FleetConfig, model: str, window_s: float) -> Group:
    """How alarms know a fleet: by its messages and devices, so that a new model takes up its open events and mutes."""
    return Group(sha256(scope_of(config).encode()).hexdigest()[:16], model, window_s)
