"""Messages <-> readings: the dialects by name, and the two functions that use them."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from anomgan.config import DialectName, TimeUnit
from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire import array, columnar, flat, metric, nested
from anomgan.wire.document import parse_document
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.topics import Address, TopicTemplate, parse_template
from anomgan.wire.values import Decoded


class Dialect(NamedTuple):
    """How one dialect reads a document and writes readings."""

    read: Callable[[object, PayloadFormat, Address, float], Decoded]
    write: Callable[[Sequence[Reading], PayloadFormat], list[tuple[str, bytes]]]


DIALECTS: dict[DialectName, Dialect] = {
    "flat": Dialect(flat.read, flat.write),
    "nested": Dialect(nested.read, nested.write),
    "metric": Dialect(metric.read, metric.write),
    "array": Dialect(array.read, array.write),
    "columnar": Dialect(columnar.read, columnar.write),
}


class Decoder:
    """Reads the messages of one fleet; remembers the topics it has parsed."""

    def __init__(self, form: PayloadFormat) -> None:
        self.form = form
        self._read = DIALECTS[form.dialect].read
        self._address = lru_cache(maxsize=65_536)(form.template.match)

    def matches(self, topic: str) -> bool:
        """Whether a topic belongs to this fleet, be its names usable or not."""
        return self.form.template.pattern.fullmatch(topic) is not None

    def decode(self, topic: str, payload: bytes, arrival_s: float) -> Decoded:
        """The readings in a message that arrived at `arrival_s`, or PayloadError with a reason to count by."""
        try:
            address = self._address(topic)
            if address is None:
                raise PayloadError("wrong_topic", f"it does not fit the template {self.form.template.text!r}")
            if len(payload) > self.form.max_payload_bytes:
                raise PayloadError(
                    "payload_too_large", f"{len(payload)} bytes, more than the {self.form.max_payload_bytes} allowed"
                )
            document = parse_document(payload)
            return self._read(document, self.form, address, arrival_s)
        except PayloadError as error:
            shown = topic if len(topic) <= 200 else topic[:200] + "..."
            raise PayloadError(error.reason, f"topic {shown!r}: {error}") from None


def encode(
    dialect: DialectName,
    readings: Sequence[Reading],
    template: TopicTemplate | str,
    time_key: str = "ts",
    time_unit: TimeUnit = "s",
    device_key: str = "",
) -> list[tuple[str, bytes]]:
    """The messages (topic, payload) that carry these readings, in order; what `Decoder` reads back.

    Raises ConfigError where template and dialect do not fit together, PayloadError for a name that cannot stand in
    a topic, DataError for a channel name that the dialect cannot carry.
    """
    checked = parse_template(template) if isinstance(template, str) else template
    return DIALECTS[dialect].write(readings, PayloadFormat(checked, dialect, time_key, time_unit, device_key))
