"""A fleet that has no model yet: it reads messages and says nothing of them; its readings become the history.

They are kept by a `TrainingHistory`, a store like the others: durable before their messages are acknowledged.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import orjson

from anomgan.adapters.ports import Message
from anomgan.config import FleetConfig, InputConfig
from anomgan.errors import DataError
from anomgan.records import DeviceHealth, Source
from anomgan.snapshots import UNREADABLE, typed
from anomgan.wire.topics import TopicTemplate
from anomgan_detector.post import Judged, Learnable, anything, group_of, scope_of
from anomgan_detector.reader import Own, Reader


class Gathering:
    """A Post without a model; raises ConfigError."""

    def __init__(self, config: FleetConfig, admit: InputConfig) -> None:
        self.config = config
        self._reader = Reader(config, admit)
        self.group = group_of(config, self.name, 0.0)

    @property
    def template(self) -> TopicTemplate:
        """Its topics."""
        return self._reader.template

    @property
    def key(self) -> str:
        """What its state belongs to."""
        return sha256(b"gathering" + scope_of(self.config).encode()).hexdigest()[:16]

    @property
    def devices(self) -> int:
        """How many devices have been heard."""
        return len(self._reader.roster)

    @property
    def name(self) -> str:
        """What its folder is called."""
        return Path(self.config.model).name

    @property
    def digest(self) -> str:
        """No model yet."""
        return ""

    @property
    def open_events(self) -> int:
        """None can be."""
        return 0

    @property
    def adaptation(self) -> None:
        """Nothing is learned of single devices yet."""
        return

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here."""
        return self._reader.takes(topic)

    def knows(self, source: Source) -> bool:
        """Whether a device has been heard, and not been forgotten since."""
        return source in self._reader.roster

    def health(self, sources: Iterable[Source], now_s: float) -> list[DeviceHealth]:
        """Nothing is said of data before there is a model."""
        return []

    def judge(
        self, messages: Sequence[Message], now_s: float, own: Own | None = None, learnable: Learnable = anything
    ) -> Judged:
        """Readings without a verdict."""
        readings = self._reader.read(messages, now_s, own)
        self._reader.counters["readings_gathered"] += len(readings)
        return Judged(requests=self._reader.requests(), readings=readings, forgotten=self._reader.gone())

    def snapshot(self) -> dict[str, bytes]:
        """What later readings and counters depend on, in parts."""
        counters = orjson.dumps({"counters": self._reader.counters})
        return {"wire": self._reader.snapshot(), "heard": self._reader.roster.snapshot(), "gathered": counters}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        try:
            gathered = orjson.loads(parts["gathered"])
            if isinstance(gathered, list):  # an older one, which does not say when devices were heard
                gathered = dict(zip(("counters", "heard"), gathered, strict=True))
            counters = typed(gathered, "counters", dict[str, int])
            heard = typed(gathered, "heard", tuple[Source, ...]) if "heard" in gathered else ()
            self.go_on(parts, counters)
        except UNREADABLE as error:
            raise DataError(f"the snapshot of a fleet that gathers cannot be read: {error}") from None
        self._reader.roster.meet(heard)

    def go_on(self, parts: Mapping[str, bytes], counters: Mapping[str, int]) -> None:
        """Begin with what another post has learned of the messages, by its snapshot."""
        self._reader.restore(parts["wire"])
        if "heard" in parts:  # older ones lack it
            self._reader.roster.restore(parts["heard"])
        self._reader.counters.update(counters)

    def counters(self) -> Counter[str]:
        """Totals since the start."""
        return Counter(self._reader.counters)

    def describe(self) -> str:
        """In one line what it judges by."""
        return f"models {self.config.model}: none yet, it gathers history; topic {self.config.topic}"
