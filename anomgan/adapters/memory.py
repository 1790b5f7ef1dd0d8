"""In-memory twins of broker and store: the same contracts without a server, for tests and for trying things out."""

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence

from anomgan.adapters.ports import AuditEntry, Batch, Liveness, Message, Sheet
from anomgan.errors import DataError, ServerError, Unreachable
from anomgan.records import DeviceHealth, Event, HealthIssue, Source, Verdict


class MemorySource:
    """A MessageSource that is fed by hand; what is not acknowledged comes again after `reconnect`.

    `connected`, `reason`, `since_s` (as if only now) and `last_message_s` are what `liveness` says, to be set by hand.
    """

    def __init__(
        self,
        messages: Sequence[tuple[str, bytes]] = (),
        broker: str = "",
        on_arrival: Callable[[], None] = lambda: None,
    ) -> None:
        self.broker = broker
        self.connected = True
        self.reason = "memory broker: told to be away"
        self.since_s = math.inf
        self.last_message_s: float | None = None
        self._on_arrival = on_arrival
        self._waiting: deque[Message] = deque()
        self._unacknowledged: dict[object, Message] = {}
        self._fed = threading.Condition()
        self._count = 0
        self._closed = False
        self.overflowed = 0
        self.acknowledged: list[Message] = []
        for topic, payload in messages:
            self.feed(topic, payload)

    @property
    def waiting(self) -> int:
        """How many messages have come and wait to be taken."""
        return len(self._waiting)

    def feed(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Let one message arrive."""
        with self._fed:
            self._count += 1
            self._waiting.append(Message(topic, payload, self._count, retained, self.broker))
            self._fed.notify_all()
        self._on_arrival()

    def receive(self, limit: int, timeout_s: float) -> list[Message]:
        """Up to `limit` messages, waiting at most `timeout_s` for the first; [] when there was none."""
        with self._fed:
            self._fed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            messages = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
            self._unacknowledged.update((message.token, message) for message in messages)
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Record these as dealt with; a message twice acknowledged counts once."""
        with self._fed:
            for message in messages:
                if self._unacknowledged.pop(message.token, None) is not None:
                    self.acknowledged.append(message)

    def liveness(self) -> list[Liveness]:
        """As it was set."""
        reason = "" if self.connected else self.reason
        return [Liveness(self.broker, "memory broker", self.connected, reason, self.since_s, self.last_message_s)]

    @property
    def unacknowledged(self) -> list[Message]:
        """What was handed out and never acknowledged, oldest first."""
        return list(self._unacknowledged.values())

    def reconnect(self) -> None:
        """What a broker does when its client comes back: everything unacknowledged is delivered again, first."""
        with self._fed:
            self._waiting.extendleft(reversed(self._unacknowledged.values()))
            self._unacknowledged.clear()
            self._fed.notify_all()

    def close(self) -> None:
        """Wake who waits; safe to call twice."""
        with self._fed:
            self._closed = True
            self._fed.notify_all()


class MemoryStore:
    """A Store in dicts, keyed as a database keys its rows, so that a repeated write changes nothing."""

    def __init__(self) -> None:
        self.verdicts: dict[tuple[str, str, float], Verdict] = {}
        self.events: dict[str, Event] = {}
        self.issues: dict[str, HealthIssue] = {}
        self.health: dict[Source, DeviceHealth] = {}
        self.counters: dict[str, int] = {}
        self.outlived: Counter[str] = Counter()
        self.audit: dict[tuple[float, int], AuditEntry] = {}
        self.sheets: dict[tuple[str, str], Sheet] = {}
        self.expected: dict[tuple[str, str, float, str], tuple[float, float, float]] = {}
        """by site, device, time and channel: low, middle, high"""
        self.writes = 0
        self._failing = 0
        self._failure: ServerError = Unreachable("memory store: told to fail")

    def fail_next(self, writes: int, error: ServerError | None = None) -> None:
        """Let the next writes raise."""
        self._failing = writes
        self._failure = error or self._failure

    def check(self) -> str:
        """Say what is there; raises while failing."""
        self._fail_if_told()
        return f"memory store: {len(self.verdicts)} verdicts, {len(self.events)} events"

    def write(self, batch: Batch) -> None:
        """Keep the batch, or raise and keep nothing of it."""
        self._fail_if_told()
        for verdict in batch.verdicts:
            self.verdicts[verdict.site, verdict.device, verdict.time_s] = verdict
        for event in batch.events:
            self.events[event.id] = event
        self.issues.update((issue.id, issue) for issue in batch.issues)
        self.health.update((health.source, health) for health in batch.health)
        self.counters.update(batch.counters or {})
        for entry in batch.audit:
            self.audit.setdefault((entry.time_s, entry.number), entry)
        if batch.sheets:
            self.sheets = {(sheet.kind, sheet.name): sheet for sheet in batch.sheets}
        for one in batch.expected:
            for row, time_s in enumerate(one.times.tolist()):
                for c, channel in enumerate(one.channels):
                    told = (float(one.low[row, c]), float(one.middle[row, c]), float(one.high[row, c]))
                    self.expected[one.site, one.device, time_s, channel] = told
        self.writes += 1

    def _fail_if_told(self) -> None:
        if self._failing > 0:
            self._failing -= 1
            raise self._failure

    def close(self) -> None:
        """Nothing to leave; safe to call twice."""


class MemoryPublisher:
    """A Publisher that keeps what was published; `connected = False` makes it raise as a lost broker does."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.terms: list[tuple[int, bool]] = []
        """(QoS, retain) of each of these"""
        self.retained: dict[str, bytes] = {}
        self.connected = True

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Keep one message; an empty retained one clears its topic. DataError for a topic that MQTT does not allow."""
        if not topic or any(letter in topic for letter in "+#"):
            raise DataError(f"topic {topic!r}: invalid topic")
        if not self.connected:
            raise Unreachable("memory broker: told to be away")
        self.published.append((topic, payload))
        self.terms.append((qos, retain))
        if retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)

    def flush(self, timeout_s: float) -> bool:
        """Everything is always acknowledged, unless the broker is away."""
        return self.connected

    def close(self) -> None:
        """Nothing to leave; safe to call twice."""
