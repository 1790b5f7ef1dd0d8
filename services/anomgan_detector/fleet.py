"""One fleet: the devices that share a model, from their messages to their verdicts and events."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import orjson

from anomgan.adapters.files import read_model_bytes
from anomgan.adapters.ports import Message
from anomgan.assemble import RowAssembler
from anomgan.config import DecideConfig, FleetConfig, InputConfig
from anomgan.decide import FleetDecisions
from anomgan.detector import Detector
from anomgan.errors import DataError
from anomgan.model_file import unpack
from anomgan.records import Event, Reading, Verdict
from anomgan.stream import StreamDetector
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.topics import TopicTemplate
from anomgan_detector.reader import Reader


@dataclass(frozen=True, slots=True)
class Judged:
    """What a fleet made of a turn's messages: events to tell, those that stand open, whose end and peak move on,
    messages (topic, payload) that ask devices for what is needed to read them, and the readings that were judged."""

    verdicts: list[Verdict]
    events: list[Event]
    standing: list[Event]
    requests: list[tuple[str, bytes]]
    readings: list[Reading] = field(default_factory=list)


class Post(Protocol):
    """Who looks after the devices of one `[[fleets]]` table: a Fleet, one with a shadow, or one that still gathers."""

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
    def devices(self) -> int:
        """How many devices have been heard."""
        ...

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here."""
        ...

    def judge(self, messages: Sequence[Message], now_s: float) -> Judged:
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


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model file in memory: its content, the SHA-256 of that, and the name that verdicts carry."""

    name: str
    content: bytes
    digest: str
    detector: Detector


def read_model(path: str | Path, name: str = "") -> Model:
    """The model in a file, all checked; raises ModelFileError."""
    return model_of(read_model_bytes(path), str(path), name or Path(path).stem)


def model_of(content: bytes, where: str, name: str) -> Model:
    """The model in these bytes, all checked; ModelFileError names `where`."""
    return Model(name, content, sha256(content).hexdigest(), Detector(unpack(content, where)))


class Fleet:
    """Reader, streaming state and decisions of one `[[fleets]]` table; raises ModelFileError, ConfigError."""

    def __init__(self, config: FleetConfig, admit: InputConfig, rule: DecideConfig, model: Model | None = None) -> None:
        self.config = config
        self.model = read_model(config.model) if model is None else model
        self.detector = self.model.detector
        self._reader = Reader(config, admit)
        self._stream = StreamDetector(
            self.detector,
            alarms_per_week=config.alarms_per_week,
            model=self.model.name,
            on_odd=self._show_odd,
        )
        single = CONVENTIONS[config.dialect].partial
        self._assembler = RowAssembler(self.detector.channels, self.detector.period_s) if single else None
        self._decisions = FleetDecisions(self.detector.decide_rule(rule))

    @property
    def template(self) -> TopicTemplate:
        """Its topics."""
        return self._reader.template

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here; one whose names are unusable does, so that it is counted."""
        return self._reader.takes(topic)

    def judge(self, messages: Sequence[Message], now_s: float) -> Judged:
        """Decode, score and decide; what cannot be read is counted by its reason.

        State, messages and time alone decide what comes out, so that a turn can be made again.
        """
        readings = self._reader.read(messages, now_s)
        rows = readings if self._assembler is None else self._assembler.push(readings)
        verdicts = self._stream.push(rows)
        events = self._decisions.update(verdicts)
        heard = {(verdict.site, verdict.device) for verdict in verdicts}
        return Judged(verdicts, events, self._decisions.open_events(heard), self._reader.requests(), rows)

    def _show_odd(self, what: str, reading: Reading) -> None:
        """A reading that the stream dropped, or whose channels are not the model's; the stream counts it."""
        if not self._reader.shows(what):
            return
        ours, theirs = set(self.detector.channels), reading.values.keys()
        unknown, missing = sorted(theirs - ours)[:5], sorted(ours - theirs)[:5]
        but = (f", unknown channels {unknown}" if unknown else "") + (f", without {missing}" if missing else "")
        self._reader.show(what, f"a reading of {reading.device!r} at {reading.time_s:.3f}{but}")

    def describe(self) -> str:
        """In one line what it judges by."""
        detector = self.detector
        return (
            f"model {self.config.model}: {len(detector.channels)} channels, window {detector.rule.window}, "
            f"every {detector.rule.stride} readings, topic {self.config.topic}"
        )

    # ---------------------------------------------------------------- state

    @property
    def key(self) -> str:
        """What the state belongs to: the same messages to the same model by the same reading of them."""
        config = self.config.model_dump_json(exclude={"model", "qos", "alarms_per_week", "learn"})
        return sha256(bytes.fromhex(self.model.digest) + config.encode()).hexdigest()[:16]

    def snapshot(self) -> dict[str, bytes]:
        """Everything that later verdicts, events and counters depend on, in parts."""
        parts = self._apart_from_windows() | {"stream": self._stream.snapshot()}
        return parts | {"counters": orjson.dumps([self._reader.counters, self._stream.counters])}

    def _apart_from_windows(self) -> dict[str, bytes]:
        """The parts of a snapshot that do not depend on the model, which another fleet can go on with."""
        parts = {"wire": self._reader.snapshot(), "decisions": self._decisions.snapshot()}
        return parts if self._assembler is None else parts | {"rows": self._assembler.snapshot()}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        try:
            self._restore_apart_from_windows(parts)
            self._stream.restore(parts["stream"])
            ours, streams = orjson.loads(parts["counters"])
        except (KeyError, ValueError) as error:
            raise DataError(f"a fleet's snapshot is incomplete: {error}") from None
        self._reader.counters.update(ours)
        self._stream.counters.update(streams)

    def _restore_apart_from_windows(self, parts: Mapping[str, bytes]) -> None:
        self._reader.restore(parts["wire"])
        self._decisions.restore(parts["decisions"])
        if self._assembler is not None:
            self._assembler.restore(parts["rows"])

    def take_over(self, other: "Fleet") -> None:
        """Go on where a fleet with another model or other settings is: devices, windows, open events and counters.

        An event that is open stays open, under its name, and is worsened and closed by what this model says.
        """
        self._restore_apart_from_windows(other._apart_from_windows())
        self._stream.take_over(other._stream)
        self._reader.counters.update(other._reader.counters)

    def warm_up(self, wire: bytes, counters: Mapping[str, int], readings: Iterable[Reading]) -> None:
        """Begin with what was learned while gathering, and with the newest readings of a history in the windows.

        Nothing is said of those readings, and they are not counted again.
        """
        self._reader.restore(wire)
        self._stream.push(readings)
        self._stream.counters.clear()
        self._reader.counters.update(counters)

    @property
    def devices(self) -> int:
        """How many devices have been heard."""
        return len(self._stream)

    def counters(self) -> Counter[str]:
        """Totals since the start."""
        repeated = 0 if self._assembler is None else self._assembler.repeated
        return self._reader.counters + self._stream.counters + Counter({"dropped.duplicate": repeated})
