"""One fleet: the devices that share a model, from their messages to verdicts, events and what is wrong with data."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from hashlib import sha256
from math import inf
from pathlib import Path

import orjson

from anomgan.adaptation import Adaptation
from anomgan.adapters.files import read_model_bytes
from anomgan.adapters.ports import Message
from anomgan.alarms import Group
from anomgan.assemble import RowAssembler
from anomgan.config import AdaptConfig, DecideConfig, FleetConfig, InputConfig, QualityConfig
from anomgan.decide import FleetDecisions
from anomgan.detector import Detector
from anomgan.errors import DataError, PayloadError
from anomgan.records import DeviceHealth, Event, HealthIssue, Reading, Source, Verdict
from anomgan.stream import StreamDetector
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.dialects import Decoder
from anomgan.wire.topics import TopicTemplate, parse_template
from anomgan_detector.formats import payload_format
from anomgan_detector.health import watch_over

log = logging.getLogger("anomgan.detector")
SHOWN_PER_KIND = 5
Own = Callable[[Sequence[Reading]], list[Reading]]
"""picks the readings of devices that belong here"""
Learnable = Callable[[Source, float], bool]
"""whether a device's threshold may follow a window that ends at a time"""


def anything(source: Source, time_s: float) -> bool:
    """All of it is learnable."""
    return True


@dataclass(frozen=True, slots=True)
class Judged:
    """What a fleet made of a turn's messages: events to tell, those that stand open, whose end and peak move on, and
    messages (topic, payload) that ask devices for what is needed to read them; issues of data quality that opened or
    closed, the health of the devices with which something changed, and of some others as it stands."""

    verdicts: list[Verdict]
    events: list[Event]
    standing: list[Event]
    requests: list[tuple[str, bytes]]
    issues: list[HealthIssue]
    news: list[DeviceHealth]
    standing_health: list[DeviceHealth]
    heard: frozenset[Source]
    """devices that verdicts are about"""


class Fleet:
    """Decoder, streaming state and decisions of one `[[fleets]]` table; raises ModelFileError, ConfigError."""

    def __init__(
        self,
        config: FleetConfig,
        admit: InputConfig,
        rule: DecideConfig,
        quality: QualityConfig | None = None,
        adapt: AdaptConfig | None = None,
    ) -> None:
        self.config = config
        self._model_digest = sha256(read_model_bytes(config.model)).digest()
        self.detector = Detector.load(config.model)
        self.template: TopicTemplate = parse_template(config.topic)
        self._decoder = Decoder(payload_format(config, self.template, admit))
        self._stream = StreamDetector(
            self.detector,
            alarms_per_week=config.alarms_per_week,
            model=Path(config.model).stem,
            on_odd=self._show_odd,
            adapt=adapt or AdaptConfig(),
        )
        single = CONVENTIONS[config.dialect].partial
        self._assembler = RowAssembler(self.detector.channels, self.detector.period_s) if single else None
        shared = QualityConfig() if quality is None else quality
        self._watch = watch_over(self.detector.parts.limits, config, shared, Path(config.model).stem)
        self._decisions = FleetDecisions(self.detector.decide_rule(rule))
        self._ignore_retained = admit.ignore_retained
        name, window_s = Path(config.model).stem, self.detector.rule.window * self.detector.period_s
        self.group = Group(f"{self.key} {','.join(config.devices)}", name, window_s)
        self._sick_s: dict[Source, float] = {}  # event time of the last row that was masked
        self._counters: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here; one whose names are unusable does, so that it is counted."""
        if not self._decoder.matches(topic):
            return False
        try:
            address = self._decoder.locate(topic)
        except PayloadError:
            return True
        if address is None or self.config.device_key:
            return True  # the payload says which device it is
        return any(fnmatchcase(address.device, shape) for shape in self.config.devices)

    def judge(
        self, messages: Sequence[Message], now_s: float, own: Own | None = None, learnable: Learnable = anything
    ) -> Judged:
        """Decode, screen, score and decide; what cannot be read is counted by its reason, and what is not our `own`.
        What is not `learnable` moves no threshold, nor does what was screened out.

        Asked also when there are no messages, for silence is told by the time that passes. State, messages and time
        alone decide what comes out, so that a turn can be made again.
        """
        readings: list[Reading] = []
        counters, decode = self._counters, self._decoder.decode
        for before, message in enumerate(messages, 1 - len(messages)):
            if message.retained and self._ignore_retained:
                self._drop(PayloadError("retained", f"topic {message.topic!r}: it was retained, so it is old"))
                continue
            try:
                # stamped on arrival, several messages of a device in one turn still follow each other
                decoded = decode(message.topic, message.payload, now_s + 1e-6 * before)
            except PayloadError as error:
                self._drop(error)
                continue
            readings += decoded.readings
            if decoded.units:
                for source in {reading.source for reading in decoded.readings}:
                    self._stream.name_units(source, decoded.units)
            if decoded.dropped:
                for reason, count in decoded.dropped.items():
                    counters[f"ignored_values.{reason}"] += count
                    self._show(f"ignored_values.{reason}", f"topic {message.topic!r}")
        counters["readings_received"] += len(readings)
        if own is not None:
            readings = self._keep(own, readings)
        rows = readings if self._assembler is None else self._assembler.push(readings)
        watched = self._watch.turn(rows, now_s, self._arrivals(rows, now_s))
        for why, reading in watched.refused:
            self._show_odd(why, reading)
        self._sick_s.update((reading.source, reading.time_s) for reading in watched.masked)
        verdicts = self._stream.push(watched.readings, partial(self._learnable, learnable))
        events = self._decisions.update(verdicts)
        heard = frozenset((verdict.site, verdict.device) for verdict in verdicts)
        return Judged(
            verdicts,
            events,
            self._decisions.open_events(heard),
            self._decoder.requests(),
            watched.issues,
            watched.news,
            watched.standing,
            heard,
        )

    def _learnable(self, learnable: Learnable, source: Source, time_s: float) -> bool:
        """Whether a window that ends then may move a threshold: none of its rows was sick."""
        return not abs(time_s - self._sick_s.get(source, -inf)) < self.group.window_s and learnable(source, time_s)

    def _arrivals(self, rows: Sequence[Reading], now_s: float) -> list[float] | None:
        """When rows arrived: one that was assembled and lacks a channel has waited for that until the next one came."""
        if self._assembler is None:
            return None
        names, waited_s = set(self.detector.channels), self.detector.period_s
        return [now_s if row.values.keys() >= names else now_s - waited_s for row in rows]

    def _keep(self, own: Own, readings: list[Reading]) -> list[Reading]:
        kept = own(readings)
        if len(kept) < len(readings):
            self._counters["dropped.other_broker"] += len(readings) - len(kept)
            kept_ids = set(map(id, kept))
            stranger = next(reading for reading in readings if id(reading) not in kept_ids)
            name = "/".join(filter(None, stranger.source))
            self._show("dropped.other_broker", f"device {name!r} is that of another broker, which brought it first")
        return kept

    def _drop(self, error: PayloadError) -> None:
        self._counters[f"dropped.{error.reason}"] += 1
        self._show(f"dropped.{error.reason}", str(error))

    def _show_odd(self, what: str, reading: Reading) -> None:
        """A reading that the stream dropped, or whose channels are not the model's; the stream counts it."""
        if self._shown[what] >= SHOWN_PER_KIND:
            return
        ours, theirs = set(self.detector.channels), reading.values.keys()
        unknown, missing = sorted(theirs - ours)[:5], sorted(ours - theirs)[:5]
        but = (f", unknown channels {unknown}" if unknown else "") + (f", without {missing}" if missing else "")
        self._show(what, f"a reading of {reading.device!r} at {reading.time_s:.3f}{but}")

    def _show(self, what: str, about: str) -> None:
        """Log the first few of each kind; all are counted."""
        self._shown[what] += 1
        if self._shown[what] <= SHOWN_PER_KIND:
            log.warning("%s: %s", what, about)
        if self._shown[what] == SHOWN_PER_KIND:
            log.warning("%s: from now on only counted", what)

    # ---------------------------------------------------------------- state

    @property
    def key(self) -> str:
        """What the state belongs to: the same messages to the same model by the same reading of them."""
        unused = {name for name in ("broker", "site") if not getattr(self.config, name)}  # as before there were several
        without = {"model", "devices", "qos", "alarms_per_week", "quality", *unused}
        config = self.config.model_dump_json(exclude=without)
        return sha256(self._model_digest + config.encode()).hexdigest()[:16]

    def snapshot(self) -> dict[str, bytes]:
        """Everything that later verdicts, events and counters depend on, in parts."""
        parts = {
            "wire": self._decoder.snapshot(),
            "stream": self._stream.snapshot(),
            "decisions": self._decisions.snapshot(),
            "quality": self._watch.snapshot(),
            "sick": orjson.dumps([[*source, time_s] for source, time_s in self._sick_s.items()]),
            "counters": orjson.dumps([self._counters, self._stream.counters]),
            "units": orjson.dumps([[source, units] for source, units in self._stream.units.items()]),
        }
        if self._stream.adaptation is not None:
            parts["adaptation"] = self._stream.adaptation.snapshot()
        return parts if self._assembler is None else parts | {"rows": self._assembler.snapshot()}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        try:
            self._decoder.restore(parts["wire"])
            self._stream.restore(parts["stream"])
            self._decisions.restore(parts["decisions"])
            if self._stream.adaptation is not None and "adaptation" in parts:
                self._stream.adaptation.restore(parts["adaptation"])
            if self._assembler is not None:
                self._assembler.restore(parts["rows"])
            if "quality" in parts:  # older ones lack it
                self._watch.restore(parts["quality"])
            sick_s = {(site, device): float(time_s) for site, device, time_s in orjson.loads(parts.get("sick", b"[]"))}
            ours, streams = (Counter(_counts(one)) for one in orjson.loads(parts["counters"]))
            for (site, device), units in orjson.loads(parts.get("units", b"[]")):
                self._stream.name_units((site, device), dict(zip(self.detector.channels, units, strict=True)))
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"a fleet's snapshot is incomplete: {error}") from None
        self._sick_s = sick_s
        self._counters.update(ours)
        self._stream.counters.update(streams)

    @property
    def adaptation(self) -> Adaptation:
        """What has been learned of single devices."""
        assert self._stream.adaptation is not None  # noqa: S101 made so
        return self._stream.adaptation

    @property
    def devices(self) -> int:
        """How many devices have been heard."""
        return len(self._stream)

    @property
    def name(self) -> str:
        """What its model is called."""
        return Path(self.config.model).stem

    @property
    def digest(self) -> str:
        """Which model it is, whatever it is called."""
        return self._model_digest.hex()[:12]

    @property
    def open_events(self) -> int:
        """How many events are open."""
        return self._decisions.open_count

    def counters(self) -> Counter[str]:
        """Totals since the start."""
        repeated = 0 if self._assembler is None else self._assembler.repeated
        return self._counters + self._stream.counters + self._watch.counters + Counter({"dropped.duplicate": repeated})


def _counts(given: object) -> dict[str, int]:
    """Counters as they were written; TypeError for anything else."""
    if not isinstance(given, dict) or not all(type(count) is int for count in given.values()):
        raise TypeError("counters are whole numbers by name")
    return given
