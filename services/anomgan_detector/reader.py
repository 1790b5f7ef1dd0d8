"""Messages of one fleet -> readings; what cannot be read is counted by its reason, and the first of a kind logged."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from anomgan.adapters.ports import Message
from anomgan.config import FleetConfig, InputConfig
from anomgan.errors import PayloadError
from anomgan.records import Reading, Source
from anomgan.wire.dialects import Decoder
from anomgan.wire.topics import TopicTemplate, parse_template
from anomgan_detector.formats import payload_format
from anomgan_detector.roster import Roster

log = logging.getLogger("anomgan.detector")
SHOWN_PER_KIND = 5


class Own(Protocol):
    """Whose devices are whose, where several may bring the same one."""

    def ours(self, readings: Sequence[Reading]) -> list[Reading]:
        """The readings of devices that are not another one's."""
        ...

    def take(self, readings: Sequence[Reading]) -> None:
        """The devices of these belong here from now on."""
        ...


def ignored(source: Source, units: Mapping[str, str]) -> None:
    """Nobody wants to know units."""


class Reader:
    """The decoder of one `[[fleets]]` table with its counters; raises ConfigError.

    `on_units` hears what a device calls the units of its channels, where its payloads name some; `roster` has the
    devices whose readings were let in.
    """

    def __init__(
        self, config: FleetConfig, admit: InputConfig, on_units: Callable[[Source, Mapping[str, str]], None] = ignored
    ) -> None:
        self.template: TopicTemplate = parse_template(config.topic)
        self.counters: Counter[str] = Counter()
        self._config = config
        self._on_units = on_units
        self._decoder = Decoder(payload_format(config, self.template, admit))
        self._ignore_retained = admit.ignore_retained
        self._most_devices, self._forget_days = admit.most_devices, admit.forget_days
        self.roster = Roster(admit)
        self._shown: Counter[str] = Counter()

    def takes(self, topic: str) -> bool:
        """Whether messages on a topic belong here; one whose names are unusable does, so that it is counted."""
        if not self._decoder.matches(topic):
            return False
        try:
            address = self._decoder.locate(topic)
        except PayloadError:
            return True
        if address is None or self._config.device_key:
            return True  # the payload says which device it is
        return any(fnmatchcase(address.device, shape) for shape in self._config.devices)

    def read(self, messages: Sequence[Message], now_s: float, own: Own | None = None) -> list[Reading]:
        """The readings in messages, in their order, but for those of one device too many or that are not our `own`."""
        readings: list[Reading] = []
        units: list[tuple[Source, Mapping[str, str]]] = []
        counters, decode = self.counters, self._decoder.decode
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
                units += [(source, decoded.units) for source in {reading.source for reading in decoded.readings}]
            if decoded.dropped:
                for reason, count in decoded.dropped.items():
                    counters[f"ignored_values.{reason}"] += count
                    self.show(f"ignored_values.{reason}", f"topic {message.topic!r}")
        counters["readings_received"] += len(readings)
        self.roster.tick(now_s)
        # first whose they are: another's devices take no room, and those without room are nobody's
        kept = self._with_room(readings if own is None else self._ours(own, readings))
        if own is not None:
            own.take(kept)
        self.roster.hear([reading.source for reading in kept])
        for source, named in units:
            if source in self.roster:
                self._on_units(source, named)
        return kept

    def _with_room(self, readings: list[Reading]) -> list[Reading]:
        strange = self.roster.strangers(readings)
        if not strange:
            return readings
        self.counters["dropped.too_many_devices"] += len(strange)
        for reading in strange[:SHOWN_PER_KIND]:
            name = "/".join(filter(None, reading.source))
            what = f"device {name!r} is one more than input.most_devices = {self._most_devices} of {self.template.text}"
            self.show("dropped.too_many_devices", what)
        gone = set(map(id, strange))
        return [reading for reading in readings if id(reading) not in gone]

    def gone(self) -> list[Source]:
        """The devices to forget after this turn, which are counted."""
        gone = self.roster.gone()
        if gone:
            self.counters["devices_forgotten"] += len(gone)
            names = ", ".join(repr("/".join(filter(None, source))) for source in gone[:SHOWN_PER_KIND])
            more = f" and {len(gone) - SHOWN_PER_KIND} more" if len(gone) > SHOWN_PER_KIND else ""
            log.info("%s: %s, forgotten: %s%s", self.template.text, self.why_gone, names, more)
        return gone

    @property
    def why_gone(self) -> str:
        """Why a device is forgotten, in words."""
        return f"not heard for {self._forget_days:g} days"

    def _ours(self, own: Own, readings: list[Reading]) -> list[Reading]:
        kept = own.ours(readings)
        if len(kept) < len(readings):
            self.counters["dropped.other_broker"] += len(readings) - len(kept)
            kept_ids = set(map(id, kept))
            stranger = next(reading for reading in readings if id(reading) not in kept_ids)
            name = "/".join(filter(None, stranger.source))
            self.show("dropped.other_broker", f"device {name!r} is that of another broker, which brought it first")
        return kept

    def requests(self) -> list[tuple[str, bytes]]:
        """Messages (topic, payload) that ask devices for what is needed to read them."""
        return self._decoder.requests()

    def _drop(self, error: PayloadError) -> None:
        self.counters[f"dropped.{error.reason}"] += 1
        self.show(f"dropped.{error.reason}", str(error))

    def shows(self, what: str) -> bool:
        """Whether one more of a kind is logged."""
        return self._shown[what] < SHOWN_PER_KIND

    def show(self, what: str, about: str) -> None:
        """Log the first few of each kind; all are counted."""
        self._shown[what] += 1
        if self._shown[what] <= SHOWN_PER_KIND:
            log.warning("%s: %s", what, about)
        if self._shown[what] == SHOWN_PER_KIND:
            log.warning("%s: from now on only counted", what)

    def snapshot(self) -> bytes:
        """What was learned from earlier messages."""
        return self._decoder.snapshot()

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for anything else."""
        self._decoder.restore(snapshot)
