"""What the two ends of a topic agree on, and the pieces that several dialects share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anomgan.config import DialectName, TimeUnit
from anomgan.errors import ConfigError, DataError, PayloadError
from anomgan.records import Reading, Source
from anomgan.wire.times import read_time
from anomgan.wire.topics import Address, TopicTemplate, check_name
from anomgan.wire.values import Decoded, read_values


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """How readings lie in payloads. ConfigError where template, dialect and keys do not fit together."""

    template: TopicTemplate
    dialect: DialectName = "flat"
    time_key: str = "ts"
    time_unit: TimeUnit = "s"
    device_key: str = ""
    max_payload_bytes: int = 1_000_000
    max_future_s: float = 86_400.0

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
        if self.dialect == "metric" and self.device_key:
            raise ConfigError(
                f"{where}: dialect 'metric' takes the device from the topic; device_key does not go with it"
            )
        if not self.time_key or self.time_key == self.device_key:
            raise ConfigError(f"{where}: time_key {self.time_key!r} must not be empty or the same as device_key")


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
    given = document.pop(form.device_key, None)
    if given is None:
        raise PayloadError("bad_device_name", f"no key {form.device_key!r} says which device this is")
    return check_name("device", str(given) if type(given) is int else given)


def by_source(readings: Iterable[Reading]) -> dict[Source, list[Reading]]:
    """Readings grouped by device, the order kept."""
    groups: dict[Source, list[Reading]] = {}
    for reading in readings:
        groups.setdefault(reading.source, []).append(reading)
    return groups


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
