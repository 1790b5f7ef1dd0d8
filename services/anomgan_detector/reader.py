"""Messages of one fleet -> readings; what cannot be read is counted by its reason, and the first of a kind logged."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from anomgan.adapters.ports import Message
from anomgan.config import FleetConfig, InputConfig
from anomgan.errors import PayloadError
from anomgan.records import Reading, Source
from anomgan.wire.dialects import Decoder
from anomgan.wire.topics import TopicTemplate, parse_template
from anomgan_detector.formats import payload_format

log = logging.getLogger("anomgan.detector")
SHOWN_PER_KIND = 5
Own = Callable[[Sequence[Reading]], list[Reading]]
"""picks the readings of devices that belong here"""


def ignored(source: Source, units: Mapping[str, str]) -> None:
    """Nobody wants to know units."""


class Reader:
    """The decoder of one `[[fleets]]` table with its counters; raises ConfigError.

    `on_units` hears what a device calls the units of its channels, where its payloads name some.
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
        """The readings in messages, in their order, but for those that are not our `own`."""
        readings: list[Reading] = []
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
                for source in {reading.source for reading in decoded.readings}:
                    self._on_units(source, decoded.units)
            if decoded.dropped:
                for reason, count in decoded.dropped.items():
                    counters[f"ignored_values.{reason}"] += count
                    self.show(f"ignored_values.{reason}", f"topic {message.topic!r}")
        counters["readings_received"] += len(readings)
        return readings if own is None else self._keep(own, readings)

    def _keep(self, own: Own, readings: list[Reading]) -> list[Reading]:
        kept = own(readings)
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
