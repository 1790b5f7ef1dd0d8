"""What the two ends of a topic agree on, and the pieces that several dialects share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anomgan.config import DialectName, TimeUnit
from anomgan.errors import ConfigError, DataError, PayloadError
from anomgan.records import Reading, Source
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.times import read_time
from anomgan.wire.topics import Address, TopicTemplate, check_name
from anomgan.wire.values import Decoded, read_values


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """How readings lie in payloads. ConfigError where template, dialect and keys do not fit together.

    A time key or unit that is not given ("") becomes what is customary in the dialect. `site` is that of devices whose
    topic names none.
    """

    template: TopicTemplate
    dialect: DialectName = "flat"
    time_key: str = ""
    time_unit: TimeUnit = ""
    device_key: str = ""
    max_payload_bytes: int = 1_000_000
    max_future_s: float = 86_400.0
    site: str = ""

    def __post_init__(self) -> None:
        where, names = f"topic template {self.template.text!r}", self.template.names
        if "device" not in names and not self.device_key:
            raise ConfigError(f"{where}: it has no {{device}}, so device_key must name the payload key of the device")
        if "device" in names and self.device_key:
            raise ConfigError(f"{where}: it has {{device}}, so device_key = {self.device_key!r} is one too many")
        if self.dialect == "metric" and "channel" not in names:
            raise ConfigError(f"{where}: dialect 'metric' needs {{channel}} in the topic")
        if self.dialect != "metric" and "channel" in names:
            raise ConfigError(f"{where}: only dialect 'metric' takes {{channel}} from the topic, not {self.dialect!r}")
        custom = CONVENTIONS[self.dialect]
        if "device_key" in custom.fixed and self.device_key:
            raise ConfigError(
                f"{where}: dialect {self.dialect!r} takes the device from the topic; device_key does not go with it"
            )
        if self.dialect == "sparkplug_b" and (self.template.levels[0], *self.template.levels[2:3]) != ("spBv1.0", "+"):
            raise ConfigError(f"{where}: Sparkplug B needs spBv1.0/GROUP/+/..., where + lets births and data come")
        if custom.device_key and self.device_key not in ("", custom.device_key):
            raise ConfigError(f"{where}: in dialect {self.dialect!r} device_key can only be {custom.device_key!r}")
        unit_differs = self.time_unit not in ("", custom.time_unit)
        for key, given in (("time_key", bool(self.time_key)), ("time_unit", unit_differs)):
            if given and key in custom.fixed:
                raise ConfigError(f"{where}: dialect {self.dialect!r} has its own; {key} does not go with it")
        object.__setattr__(self, "time_key", self.time_key or custom.time_key)
        object.__setattr__(self, "time_unit", self.time_unit or custom.time_unit)
        if self.device_key and self.time_key == self.device_key:
            raise ConfigError(f"{where}: time_key {self.time_key!r} must not be the same as device_key")


def read_flat(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading from one flat object; takes time and device out of the object."""
    if type(document) is not dict:
        raise PayloadError("not_an_object", f"expected an object {{...}}, got {kind_of(document)}")
    time_s = read_time(document.pop(form.time_key, None), form.time_unit, arrival_s, form.max_future_s)
    device = read_device(document, form, address) if form.device_key else address.device
    values, dropped = read_values(document)
    return Decoded([Reading(device, time_s, values, address.site)], dropped)


def read_device(document: dict[str, object], form: PayloadFormat, address: Address) -> str:
    """The device from the topic or from the payload, which may also give a whole number."""
    if not form.device_key:
        return address.device
    return device_named(document.pop(form.device_key, None), form.device_key)


def device_named(given: object, key: str) -> str:
    """A device's name as it lies in a payload under `key`: text or a whole number."""
    if given is None:
        raise PayloadError("bad_device_name", f"no key {key!r} says which device this is")
    return check_name("device", str(given) if type(given) is int else given)


def by_source(readings: Iterable[Reading]) -> dict[Source, list[Reading]]:
    """Readings grouped by device, the order kept."""
    groups: dict[Source, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.source, []).append(reading)
    return groups


def by_topic(readings: Iterable[Reading], form: PayloadFormat) -> dict[str, list[Reading]]:
    """Readings grouped by the topic they are published on, device by device."""
    topics: dict[str, list[Reading]] = {}
    for group in by_source(readings).values():
        topics.setdefault(topic_of(group[0], form), []).extend(group)
    return topics


def check_channels(channels: Iterable[str], form: PayloadFormat) -> None:
    """DataError where a channel has the name of the time or the device key."""
    taken = next((name for name in channels if name in (form.time_key, form.device_key)), None)
    if taken is not None:
        raise DataError(f"channel {taken!r} has the name of the payload's time or device key")


def topic_of(reading: Reading, form: PayloadFormat, channel: str = "") -> str:
    """Where a reading is published."""
    return form.template.render(site=reading.site, device=reading.device, channel=channel)


def kind_of(document: object) -> str:
    """A JSON value's kind, for messages."""
    kinds = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(document), "a number")


def channels_of(readings: Sequence[Reading]) -> list[str]:
    """Every channel that any of the readings has, in order of first appearance."""
    return list(dict.fromkeys(channel for reading in readings for channel in reading.values))
