"""What the services ask of the outside world, as protocols; one real and one in-memory twin stand behind each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from anomgan.expected import Expected
from anomgan.records import DeviceHealth, Event, HealthIssue, Reading, Verdict


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message as it arrived, with its broker's name; `token` is what its source needs to acknowledge it."""

    topic: str
    payload: bytes
    token: object = None
    retained: bool = False
    broker: str = ""


class Recorded(NamedTuple):
    """One MQTT message with all that it takes to send it again; time_ns: when it came, nanoseconds since 1970 UTC."""

    time_ns: int
    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Liveness:
    """How the connection to one broker stands: since when, when the last message came, how often it was made, and how
    often the broker had forgotten the session. `reason` is why there is none."""

    broker: str
    where: str
    connected: bool
    reason: str
    since_s: float
    last_message_s: float | None
    connections: int = 0
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """The messages that the service handled together, and when, by its clock; `away`: the brokers, by name, that could
    bring none then."""

    now_s: float
    messages: Sequence[Message]
    away: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """Bytes on their way to an addressee ("influx", "mqtt", ...); `number` is 0 until a journal has it.

    `retain`: an MQTT message that the broker keeps for those who come later.
    """

    addressee: str
    body: bytes
    topic: str = ""
    number: int = 0
    retain: bool = False
    """of MQTT: whether the broker keeps it for those who come later"""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A part of a letter that its addressee has read and will not have."""

    letter: Letter
    part: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What somebody told the service to do and what followed: `effect` is JSON; known by its time and number."""

    time_s: float
    number: int
    client: str
    command: str
    subject: str
    effect: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is known of a model or a fleet, for people to look at; `digest` of a model's file, content of JSON types."""

    kind: Literal["model", "fleet"]
    name: str
    digest: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one turn of the service stores: all of it or, if `write` raises, to be written again."""

    verdicts: Sequence[Verdict] = ()
    events: Sequence[Event] = ()
    counters: Mapping[str, int] | None = None
    """Totals since the service started, by name: messages_received, readings_received, dropped.<reason>, ..."""
    issues: Sequence[HealthIssue] = ()
    """that opened or closed"""
    health: Sequence[DeviceHealth] = ()
    audit: Sequence[AuditEntry] = ()
    gathered: Mapping[str, Sequence[Reading]] = field(default_factory=dict)
    """by folder of models, readings that belong to its history"""
    now_s: float | None = None
    """when the turn was, by the service's clock"""
    sheets: Sequence[Sheet] = ()
    """of all models and fleets that are in use, where something about them has changed"""
    expected: Sequence[Expected] = ()
    """rows of events that were imputed; of a row that comes again the newer word counts"""


class MessageSource(Protocol):
    """Where messages come from."""

    @property
    def overflowed(self) -> int:
        """Messages lost because nobody took them in time; only QoS 0 may be."""
        ...

    @property
    def waiting(self) -> int:
        """How many messages have come and wait to be taken."""
        ...

    def receive(self, limit: int, timeout_s: float) -> list[Message]:
        """Up to `limit` messages, waiting at most `timeout_s` for the first; [] when there was none."""
        ...

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are dealt with; only then does it forget them."""
        ...

    def liveness(self) -> list[Liveness]:
        """How the connection to each of its brokers stands."""
        ...

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        ...


class Store(Protocol):
    """Where verdicts and events go."""

    @property
    def outlived(self) -> Counter[str]:
        """What it has let go of since it was opened, as counters are called."""
        ...

    def check(self) -> str:
        """Connect and say in one line what is there; raises Unreachable or Refused."""
        ...

    def write(self, batch: Batch) -> None:
        """Durable on return, idempotent when repeated; raises ServerError and then nothing counts as written."""
        ...

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        ...


class Carrier(Protocol):
    """Who brings letters to an addressee."""

    def deliver(self, letters: Sequence[Letter]) -> list[Rejection]:
        """Bring them all; what the addressee will never have is returned, the rest has arrived.

        Raises ServerError where that cannot be said: then nothing counts as delivered, and bringing it again is
        harmless.
        """
        ...

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        ...


class Publisher(Protocol):
    """Where messages go to."""

    @property
    def connected(self) -> bool:
        """Whether messages can leave now."""
        ...

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Hand one message over; raises Unreachable when it cannot be sent."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published is acknowledged; False when time ran out."""
        ...

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        ...
