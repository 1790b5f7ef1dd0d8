"""A challenger in the champion's shadow: the same readings, its own windows, thresholds and events, none told."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import orjson

from anomgan.adaptation import Adaptation
from anomgan.adapters.ports import Message
from anomgan.alarms import Group
from anomgan.config import DecideConfig, FleetConfig
from anomgan.decide import FleetDecisions
from anomgan.errors import DataError
from anomgan.records import DeviceHealth, Event, Reading, Source, Verdict
from anomgan.stream import StreamDetector
from anomgan.wire.topics import TopicTemplate
from anomgan_detector.comparison import BIN, BINS, SHOWN, Comparison, Side, comparison_from
from anomgan_detector.fleet import Fleet
from anomgan_detector.loaded import Model
from anomgan_detector.post import Judged, Learnable, anything
from anomgan_detector.reader import Own

Span = tuple[float, float]


class Shadow:
    """The challenger's streaming state and what was counted of both since it came."""

    def __init__(self, config: FleetConfig, rule: DecideConfig, challenger: Model, champion: Fleet) -> None:
        self.model = challenger
        detector = challenger.detector
        budget = config.alarms_per_week or champion.detector.config.alarms_per_week
        self._stream = StreamDetector(detector, alarms_per_week=budget, model=challenger.name)
        self._decisions = FleetDecisions(detector.decide_rule(rule))
        self._seconds = champion.detector.period_s * champion.detector.rule.stride
        self._reach_s = detector.period_s * detector.rule.window
        self._last: dict[Source, Span] = {}
        """of each device the challenger's newest event"""
        self.comparison = Comparison(champion.model.name, challenger.name, budget)

    def watch(self, readings: Sequence[Reading], champions: Judged) -> None:
        """Judge the same readings, and count both."""
        one = self.comparison
        verdicts = self._stream.push(readings)
        events = self._decisions.update(verdicts)
        for event in [*events, *self._decisions.open_events({(v.site, v.device) for v in verdicts})]:
            self._last[event.site, event.device] = (event.start_s, event.end_s)
        theirs = {(v.site, v.device, v.time_s): v for v in champions.verdicts if v.surprise == v.surprise}
        for verdict in verdicts:
            other = theirs.get((verdict.site, verdict.device, verdict.time_s))
            if other is None or verdict.surprise != verdict.surprise:  # unknown to one of them
                continue
            one.windows += 1
            one.device_s += self._seconds
            one.both += verdict.anomalous and other.anomalous
            one.first_s = verdict.time_s if one.first_s is None else min(one.first_s, verdict.time_s)
            one.last_s = verdict.time_s if one.last_s is None else max(one.last_s, verdict.time_s)
            _count(one.champion, other)
            _count(one.challenger, verdict)
        hear(one.champion, champions.events)
        hear(one.challenger, events)
        for event in champions.events:
            if event.state == "closed" and event.severity != "minor" and event.start_s >= (one.first_s or event.end_s):
                start_s, end_s = self._last.get((event.site, event.device), (float("inf"), float("inf")))
                one.severe += 1
                one.severe_missed += not (start_s <= event.end_s + self._reach_s and end_s >= event.start_s)

    def forget(self, sources: Iterable[Source]) -> None:
        """Let go of devices."""
        gone = list(sources)
        self._stream.forget(gone)
        hear(self.comparison.challenger, self._decisions.forget(gone, ""))
        for source in gone:
            self._last.pop(source, None)

    @property
    def sources(self) -> Collection[Source]:
        """The devices of which it keeps something."""
        return self._stream.sources

    def warm_up(self, readings: Iterable[Reading]) -> None:
        """Fill its windows with the newest readings of a history; nothing of it is counted."""
        self._stream.push(readings)

    @property
    def _prefix(self) -> str:
        return f"shadow-{self.model.digest[:16]}"

    def snapshot(self) -> dict[str, bytes]:
        """Its state and what was counted, in parts that name the challenger."""
        counted = [self.comparison.document(), [[*source, *span] for source, span in self._last.items()]]
        return {
            f"{self._prefix}.stream": self._stream.snapshot(),
            f"{self._prefix}.decisions": self._decisions.snapshot(),
            f"{self._prefix}.counted": orjson.dumps(counted),
        }

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave; where there is nothing of this challenger, it begins anew."""
        if f"{self._prefix}.counted" not in parts:
            return
        try:
            counted, last = orjson.loads(parts[f"{self._prefix}.counted"])
            comparison = comparison_from(counted)
            self._stream.restore(parts[f"{self._prefix}.stream"])
            self._decisions.restore(parts[f"{self._prefix}.decisions"])
            self._last = {(site, device): (start_s, end_s) for site, device, start_s, end_s in last}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"a shadow's snapshot is incomplete: {error}") from None
        if comparison.champion_name == self.comparison.champion_name:  # beside another champion it is judged anew
            comparison.alarms_per_week = self.comparison.alarms_per_week
            comparison.challenger_name = self.model.name  # its content is the same; its number may be another
            self.comparison = comparison


def _count(side: Side, verdict: Verdict) -> None:
    side.anomalous += verdict.anomalous
    side.bins[min(int(verdict.surprise / BIN), BINS - 1)] += 1


def hear(side: Side, events: Sequence[Event]) -> None:
    """Count the events that open, once each, and keep the newest that are over."""
    for event in events:
        if event.state == "open" and event.id not in side.open:  # told again while open, it got worse
            side.events += 1
            side.open.append(event.id)
        elif event.state == "closed":
            side.open = [name for name in side.open if name != event.id]
            side.newest = [*side.newest, f"{event.id} {event.severity}: {event.reason}"][-SHOWN:]


class Shadowed:
    """A Post: a fleet whose champion judges, and a challenger that looks on. What is told is the champion's word."""

    def __init__(self, fleet: Fleet, shadow: Shadow, clock: Callable[[], float] = time.thread_time) -> None:
        self.fleet = fleet
        self.shadow = shadow
        self._clock = clock

    @property
    def config(self) -> FleetConfig:
        """Its table."""
        return self.fleet.config

    @property
    def template(self) -> TopicTemplate:
        """Its topics."""
        return self.fleet.template

    @property
    def key(self) -> str:
        """What its state belongs to."""
        return self.fleet.key

    @property
    def devices(self) -> int:
        """How many devices have been heard."""
        return self.fleet.devices

    @property
    def group(self) -> Group:
        """How alarms know it."""
        return self.fleet.group

    @property
    def name(self) -> str:
        """What its champion is called."""
        return self.fleet.name

    @property
    def digest(self) -> str:
        """Which model its champion is."""
        return self.fleet.digest

    @property
    def open_events(self) -> int:
        """How many events are open."""
        return self.fleet.open_events

    @property
    def adaptation(self) -> Adaptation:
        """What the champion has learned of single devices."""
        return self.fleet.adaptation

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here."""
        return self.fleet.takes(topic)

    def knows(self, source: Source) -> bool:
        """Whether a device has been heard, and not been forgotten since."""
        return self.fleet.knows(source)

    def health(self, sources: Iterable[Source], now_s: float) -> list[DeviceHealth]:
        """How the data are of those of these devices that are watched here."""
        return self.fleet.health(sources, now_s)

    def judge(
        self, messages: Sequence[Message], now_s: float, own: Own | None = None, learnable: Learnable = anything
    ) -> Judged:
        """What the champion makes of messages; the challenger looks on."""
        started_s = self._clock()
        judged = self.fleet.judge(messages, now_s, own, learnable)
        between_s = self._clock()
        self.shadow.watch(judged.readings, judged)
        if judged.forgotten:  # with those that only the challenger had, from a history
            self.shadow.forget([source for source in self.shadow.sources if not self.knows(source)])
        counted = self.shadow.comparison
        counted.champion.cpu_s += between_s - started_s
        counted.challenger.cpu_s += self._clock() - between_s
        return judged

    def snapshot(self) -> dict[str, bytes]:
        """The state of both."""
        return self.fleet.snapshot() | self.shadow.snapshot()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        self.fleet.restore(parts)
        self.shadow.restore(parts)

    def counters(self) -> Counter[str]:
        """Totals since the start, the champion's."""
        return self.fleet.counters()

    def describe(self) -> str:
        """In one line what it judges by."""
        return f"{self.fleet.describe()}, {self.shadow.model.name} in its shadow"
