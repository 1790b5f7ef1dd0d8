"""Messages <-> readings: the dialects by name, and what uses them: `Decoder`, `Encoder`, `encode`."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from anomgan.config import DialectName, TimeUnit
from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire import (
    array,
    chirpstack,
    columnar,
    flat,
    influx,
    metric,
    nested,
    senml,
    sparkplug_b,
    sparkplug_session,
    tasmota,
    things_stack,
    zigbee2mqtt,
)
from anomgan.wire.document import parse_document, parse_text
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.sparkplug_births import Births
from anomgan.wire.sparkplug_session import Session
from anomgan.wire.topics import Address, TopicTemplate, parse_template
from anomgan.wire.values import Decoded


class Dialect(NamedTuple):
    """How one dialect reads messages and writes readings: payload -> `parse` -> `read` -> readings -> `write`.

    Where messages build on earlier ones, `read` takes a memory and `write` a session as their last argument.
    """

    read: Callable[..., Decoded]
    """(document, form, address, arrival_s)"""
    write: Callable[..., list[tuple[str, bytes]]]
    """(readings, form)"""
    parse: Callable[[bytes], Any] = parse_document
    locate: Callable[[TopicTemplate, str], Address | None] = TopicTemplate.match
    memory: Callable[[], Births] | None = None
    session: Callable[[], Session] | None = None


DIALECTS: dict[DialectName, Dialect] = {
    "flat": Dialect(flat.read, flat.write),
    "nested": Dialect(nested.read, nested.write),
    "metric": Dialect(metric.read, metric.write),
    "array": Dialect(array.read, array.write),
    "columnar": Dialect(columnar.read, columnar.write),
    "zigbee2mqtt": Dialect(zigbee2mqtt.read, zigbee2mqtt.write, locate=zigbee2mqtt.locate),
    "tasmota": Dialect(tasmota.read, tasmota.write),
    "chirpstack": Dialect(chirpstack.read, chirpstack.write),
    "things_stack": Dialect(things_stack.read, things_stack.write),
    "senml": Dialect(senml.read, senml.write),
    "sparkplug_b": Dialect(
        sparkplug_b.read,
        sparkplug_session.write,
        sparkplug_b.parse,
        sparkplug_b.locate,
        Births,
        Session,
    ),
    "influx": Dialect(influx.read, influx.write, parse_text),
}


class Decoder:
    """Reads the messages of one fleet; remembers the topics it has parsed and, in Sparkplug B, what births said."""

    def __init__(self, form: PayloadFormat) -> None:
        self.form = form
        dialect = DIALECTS[form.dialect]
        self._births = None if dialect.memory is None else dialect.memory()
        self._parse = dialect.parse
        self._read = dialect.read if self._births is None else partial(dialect.read, births=self._births)
        self._find = partial(dialect.locate, form.template)
        self._address = lru_cache(maxsize=65_536)(self._place)

    def matches(self, topic: str) -> bool:
        """Whether a topic belongs to this fleet, be its names usable or not."""
        return self.form.template.pattern.fullmatch(topic) is not None

    def _place(self, topic: str) -> Address | None:
        found = self._find(topic)
        return found if found is None or found.site else found._replace(site=self.form.site)

    def locate(self, topic: str) -> Address | None:
        """Whose message a topic is, None where it is nobody's; PayloadError for a name that is unusable."""
        return self._address(topic)

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
            return self._read(self._parse(payload), self.form, address, arrival_s)
        except PayloadError as error:
            shown = topic if len(topic) <= 200 else topic[:200] + "..."
            raise PayloadError(error.reason, f"topic {shown!r}: {error}") from None

    def requests(self) -> list[tuple[str, bytes]]:
        """Messages (topic, payload) to publish so that others can be read: Sparkplug B's requests for a rebirth."""
        return [] if self._births is None else sparkplug_b.rebirth_requests(self._births)

    def snapshot(self) -> bytes:
        """What was learned from earlier messages as versioned bytes, b"" in dialects that learn nothing."""
        return b"" if self._births is None else self._births.snapshot()

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for bytes that are none of this dialect, which change nothing."""
        if self._births is not None:
            self._births.restore(snapshot)
        elif snapshot:
            raise DataError(f"dialect {self.form.dialect!r} has no state to restore")


class Encoder:
    """Writes the readings of one fleet; in Sparkplug B it is a session, with births before data."""

    def __init__(self, form: PayloadFormat) -> None:
        self.form = form
        dialect = DIALECTS[form.dialect]
        self._session = None if dialect.session is None else dialect.session()
        self._write = dialect.write if self._session is None else partial(dialect.write, session=self._session)

    def encode(self, readings: Sequence[Reading]) -> list[tuple[str, bytes]]:
        """The messages (topic, payload) that carry these readings, in order; what `Decoder` reads back.

        Raises ConfigError where template and dialect do not fit together, PayloadError for a name that cannot stand in
        a topic, DataError for a channel name that the dialect cannot carry.
        """
        return self._write(readings, self.form)

    def unsaid(self, messages: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
        """These messages have not arrived: those that can be sent later; what others build on is said anew."""
        return messages if self._session is None else self._session.unsaid(messages)

    def anew(self, site: str, device: str, time_s: float) -> list[tuple[str, bytes]]:
        """What a device that has sent before says first over a new connection; raises as `encode` does."""
        return [] if self._session is None else self._session.anew(site, device, time_s, self.form)


def encode(
    dialect: DialectName,
    readings: Sequence[Reading],
    template: TopicTemplate | str,
    time_key: str = "",
    time_unit: TimeUnit = "",
    device_key: str = "",
) -> list[tuple[str, bytes]]:
    """The messages of one `Encoder` for these readings."""
    checked = parse_template(template) if isinstance(template, str) else template
    return Encoder(PayloadFormat(checked, dialect, time_key, time_unit, device_key)).encode(readings)
