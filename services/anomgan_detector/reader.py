"""Messages of one fleet -> readings; what cannot be read is counted by its reason, and the first of a kind logged."""

import logging
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase

from anomgan.adapters.ports import Message
from anomgan.config import FleetConfig, InputConfig
from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.dialects import Decoder
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.topics import TopicTemplate, parse_template

log = logging.getLogger("anomgan.detector")
SHOWN_PER_KIND = 5


class Reader:
    """The decoder of one `[[fleets]]` table with its counters; raises ConfigError."""

    def __init__(self, config: FleetConfig, admit: InputConfig) -> None:
        self.template: TopicTemplate = parse_template(config.topic)
        self.counters: Counter[str] = Counter()
        self._config = config
        self._decoder = Decoder(
            PayloadFormat(
                self.template,
                config.dialect,
                config.time_key,
                config.time_unit,
                config.device_key,
                admit.max_payload_bytes,
                admit.max_future_s,
            )
        )
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

    def read(self, messages: Sequence[Message], now_s: float) -> list[Reading]:
        """The readings in messages, in their order."""
        readings: list[Reading] = []
        counters, decode = self.counters, self._decoder.decode
        for message in messages:
            if message.retained and self._ignore_retained:
                self._drop(PayloadError("retained", f"topic {message.topic!r}: it was retained, so it is old"))
                continue
            try:
                decoded = decode(message.topic, message.payload, now_s)
            except PayloadError as error:
                self._drop(error)
                continue
            readings += decoded.readings
            if decoded.dropped:
                for reason, count in decoded.dropped.items():
                    counters[f"ignored_values.{reason}"] += count
                    self.show(f"ignored_values.{reason}", f"topic {message.topic!r}")
        counters["readings_received"] += len(readings)
        return readings

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
