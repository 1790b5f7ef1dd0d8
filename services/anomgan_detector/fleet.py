"""One fleet: the devices that share a model, from their messages to verdicts, events and what is wrong with data."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from math import inf

import orjson

from anomgan.adaptation import Adaptation
from anomgan.adapters.ports import Message
from anomgan.assemble import RowAssembler
from anomgan.config import AdaptConfig, DecideConfig, FleetConfig, InputConfig, QualityConfig
from anomgan.decide import FleetDecisions
from anomgan.errors import DataError
from anomgan.records import DeviceHealth, Event, HealthIssue, Reading, Source
from anomgan.stream import StreamDetector
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.topics import TopicTemplate
from anomgan_detector.health import watch_over
from anomgan_detector.imputing import Imputing
from anomgan_detector.loaded import Model, SynthesizerFile, read_model
from anomgan_detector.post import Judged, Learnable, anything, group_of, nothing, scope_of
from anomgan_detector.reader import Own, Reader


class Fleet:
    """Reader, streaming state and decisions of one `[[fleets]]` table; raises ModelFileError, ConfigError."""

    def __init__(
        self,
        config: FleetConfig,
        admit: InputConfig,
        rule: DecideConfig,
        quality: QualityConfig | None = None,
        adapt: AdaptConfig | None = None,
        model: Model | None = None,
        synthesizer: SynthesizerFile | None = None,
    ) -> None:
        self.config = config
        self.model = read_model(config.model) if model is None else model
        self.detector = self.model.detector
        self._stream = StreamDetector(
            self.detector,
            alarms_per_week=config.alarms_per_week,
            model=self.model.name,
            on_odd=self._show_odd,
            adapt=adapt or AdaptConfig(),
        )
        self._reader = Reader(config, admit, self._stream.name_units)
        single = CONVENTIONS[config.dialect].partial
        self._assembler = RowAssembler(self.detector.channels, self.detector.period_s) if single else None
        shared = QualityConfig() if quality is None else quality
        self._watch = watch_over(self.detector.parts.limits, config, shared, self.model.name)
        self._decisions = FleetDecisions(self.detector.decide_rule(rule))
        self.imputing = Imputing(config.synthesizer, self.detector, synthesizer, self._decisions.rule)
        self.group = group_of(config, self.model.name, self.detector.rule.window * self.detector.period_s)
        self._sick_s: dict[Source, float] = {}  # event time of the last row that was masked

    @property
    def template(self) -> TopicTemplate:
        """Its topics."""
        return self._reader.template

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here; one whose names are unusable does, so that it is counted."""
        return self._reader.takes(topic)

    def knows(self, source: Source) -> bool:
        """Whether a device has been heard, and not been forgotten since."""
        return source in self._reader.roster

    def health(self, sources: Iterable[Source], now_s: float) -> list[DeviceHealth]:
        """How the data are of those of these devices that are watched here."""
        return self._watch.quality.health(now_s, filter(self._watch.quality.knows, sources))

    def judge(
        self, messages: Sequence[Message], now_s: float, own: Own | None = None, learnable: Learnable = anything
    ) -> Judged:
        """Decode, screen, score and decide; what cannot be read is counted by its reason, and what is not our `own`.
        What is not `learnable` moves no threshold, nor does what was screened out.

        Asked also when there are no messages, for silence is told by the time that passes. State, messages and time
        alone decide what comes out, so that a turn can be made again.
        """
        readings = self._reader.read(messages, now_s, own)
        rows = readings if self._assembler is None else self._assembler.push(readings)
        watched = self._watch.turn(rows, now_s, self._arrivals(rows, now_s))
        for why, reading in watched.refused:
            self._show_odd(why, reading)
        self._sick_s.update((reading.source, reading.time_s) for reading in watched.masked)
        verdicts = self._stream.push(watched.readings, partial(self._learnable, learnable))
        self.imputing.hear(watched.readings)
        events = self._decisions.update(verdicts, self.imputing.retell)
        heard = frozenset((verdict.site, verdict.device) for verdict in verdicts)
        gone = self._reader.gone()
        closed, over = self._forget(gone) if gone else ([], [])
        return Judged(
            verdicts,
            [*events, *closed],
            self.imputing.standing(self._decisions.open_events(heard)),
            self._reader.requests(),
            [*watched.issues, *over],
            [one for one in watched.news if self.knows(one.source)],
            [one for one in watched.standing if self.knows(one.source)],
            heard,
            watched.readings,
            gone,
            self.imputing.turn_over(),
        )

    def _forget(self, gone: Sequence[Source]) -> tuple[list[Event], list[HealthIssue]]:
        """Let go of all that is kept of devices, but for lessons that people gave; what was open of them, closed."""
        if self._assembler is not None:
            self._reader.counters["dropped.forgotten"] += self._assembler.forget(gone)
        self._stream.forget(gone)
        for source in gone:
            self._sick_s.pop(source, None)
        why = self._reader.why_gone
        closed = self.imputing.forget(gone, self._decisions.forget(gone, why))
        return closed, self._watch.forget(gone, why)

    def _learnable(self, learnable: Learnable, source: Source, time_s: float) -> bool:
        """Whether a window that ends then may move a threshold: none of its rows was sick."""
        return not abs(time_s - self._sick_s.get(source, -inf)) < self.group.window_s and learnable(source, time_s)

    def _arrivals(self, rows: Sequence[Reading], now_s: float) -> list[float] | None:
        """When rows arrived: one that was assembled and lacks a channel has waited for that until the next one came."""
        if self._assembler is None:
            return None
        names, waited_s = set(self.detector.channels), self.detector.period_s
        return [now_s if row.values.keys() >= names else now_s - waited_s for row in rows]

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
            f"every {detector.rule.stride} readings, topic {self.config.topic}{self.imputing.describe()}"
        )

    # ---------------------------------------------------------------- state

    @property
    def key(self) -> str:
        """What the state belongs to: the same messages to the same model by the same reading of them."""
        return sha256(bytes.fromhex(self.model.digest) + scope_of(self.config).encode()).hexdigest()[:16]

    def snapshot(self) -> dict[str, bytes]:
        """Everything that later verdicts, events and counters depend on, in parts."""
        return (
            self._apart_from_windows()
            | self.imputing.snapshot()
            | {
                "stream": self._stream.snapshot(),
                "quality": self._watch.snapshot(),
                "adaptation": self.adaptation.snapshot(),
                "counters": orjson.dumps([self._reader.counters, self._stream.counters]),
                "units": orjson.dumps([[source, units] for source, units in self._stream.units.items()]),
            }
        )

    def _apart_from_windows(self) -> dict[str, bytes]:
        """The parts of a snapshot that do not depend on the model, which another fleet can go on with."""
        sick = orjson.dumps([[*source, time_s] for source, time_s in self._sick_s.items()])
        parts = {"wire": self._reader.snapshot(), "decisions": self._decisions.snapshot(), "sick": sick}
        parts["heard"] = self._reader.roster.snapshot()
        return parts if self._assembler is None else parts | {"rows": self._assembler.snapshot()}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        try:
            self._restore_apart_from_windows(parts)
            self._stream.restore(parts["stream"])
            self.imputing.restore(parts)
            if "quality" in parts:  # older ones lack it, and what follows
                self._watch.restore(parts["quality"])
            if "adaptation" in parts:
                self.adaptation.restore(parts["adaptation"])
            ours, streams = (Counter(_counts(one)) for one in orjson.loads(parts["counters"]))
            for (site, device), units in orjson.loads(parts.get("units", b"[]")):
                self._stream.name_units((site, device), dict(zip(self.detector.channels, units, strict=True)))
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"a fleet's snapshot is incomplete: {error}") from None
        self._meet()  # an older snapshot does not say when devices were heard
        self._reader.counters.update(ours)
        self._stream.counters.update(streams)

    def _restore_apart_from_windows(self, parts: Mapping[str, bytes]) -> None:
        sick_s = {(site, device): float(time_s) for site, device, time_s in orjson.loads(parts.get("sick", b"[]"))}
        self._reader.restore(parts["wire"])
        self._decisions.restore(parts["decisions"])
        if self._assembler is not None:
            self._assembler.restore(parts["rows"])
        if "heard" in parts:
            self._reader.roster.restore(parts["heard"])
        self._sick_s = sick_s

    def _meet(self) -> None:
        """Whatever is kept of a device is let go of some time, because the roster has it."""
        pending = [] if self._assembler is None else [row.source for row in self._assembler.pending()]
        for sources in (self._stream.sources, self._watch.quality.sources, self._sick_s, pending):
            self._reader.roster.meet(sources)

    def take_over(self, other: "Fleet") -> None:
        """Go on where a fleet with another model or other settings is: devices, windows, open events and counters.

        An event that is open stays open, under its name, and is worsened and closed by what this model says. What was
        learned of single devices is about a model's surprises, and what is known of channels about its channels: both
        go on where those are the same, and begin anew with others.
        """
        self._restore_apart_from_windows(other._apart_from_windows())
        self._stream.take_over(other._stream)
        self.imputing.take_over(other.imputing)
        for source, units in other._stream.units.items():
            self._stream.name_units(source, dict(zip(other.detector.channels, units, strict=True)))
        if self.detector is other.detector:
            self.adaptation.restore(other.adaptation.snapshot())
        if self._watch.fits(other._watch):
            self._watch.restore(other._watch.snapshot())
        else:
            self._watch.counters.update(other._watch.counters)
        self._reader.counters.update(other._reader.counters)

    def warm_up(self, parts: Mapping[str, bytes], counters: Mapping[str, int], readings: Iterable[Reading]) -> None:
        """Begin with what was learned while gathering, and with the newest readings of a history in the windows.

        Nothing is said of those readings, nothing is learned from them, and they are not counted again.
        """
        self._reader.restore(parts["wire"])
        self._reader.roster.restore(parts["heard"])
        rows = list(readings)
        self._stream.push(rows, nothing)
        self.imputing.hear(rows)
        self._meet()
        self._stream.counters.clear()
        self._reader.counters.update(counters)

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
        return self.model.name

    @property
    def digest(self) -> str:
        """Which model it is, whatever it is called."""
        return self.model.digest[:12]

    @property
    def open_events(self) -> int:
        """How many events are open."""
        return self._decisions.open_count

    def counters(self) -> Counter[str]:
        """Totals since the start."""
        repeated = Counter({"dropped.duplicate": 0 if self._assembler is None else self._assembler.repeated})
        ours = self._reader.counters + self._stream.counters + self._watch.counters
        return ours + self.imputing.counters + repeated


def _counts(given: object) -> dict[str, int]:
    """Counters as they were written; TypeError for anything else."""
    if not isinstance(given, dict) or not all(type(count) is int for count in given.values()):
        raise TypeError("counters are whole numbers by name")
    return given
