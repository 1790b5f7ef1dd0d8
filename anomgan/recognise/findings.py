"""What a watch of a broker comes to, as records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from anomgan.config import DialectName, FleetConfig, InputConfig, TimeUnit
from anomgan.errors import PayloadError
from anomgan.wire.dialects import Decoder
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.topics import parse_template


@dataclass(frozen=True, slots=True)
class ChannelFound:
    """One channel of a fleet. period_s: the median step between its values, None where there were fewer than two."""

    name: str
    unit: str
    values: int
    distinct: int
    period_s: float | None


@dataclass(frozen=True, slots=True)
class FleetFound:
    """Devices that can share a model, and how to read them; time_key, time_unit and device_key as a file says them.

    devices: shell patterns; names: the devices heard, `site/device` where there is a site. messages and retained count
    all that came on these topics, readings and dropped only what the kept samples held. name: for the model's file.
    """

    topic: str
    dialect: DialectName
    time_key: str = ""
    time_unit: TimeUnit = ""
    device_key: str = ""
    devices: tuple[str, ...] = ("*",)
    name: str = "devices"
    names: tuple[str, ...] = ()
    channels: tuple[ChannelFound, ...] = ()
    period_s: float | None = None
    messages: int = 0
    retained: int = 0
    readings: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """Path of the model file to be trained."""
        return f"{self.name}.safetensors"

    def decoder(self) -> Decoder:
        """What the detector service will read this fleet with."""
        limits = InputConfig()
        return Decoder(
            PayloadFormat(
                parse_template(self.topic),
                self.dialect,
                self.time_key,
                self.time_unit,
                self.device_key,
                limits.max_payload_bytes,
                limits.max_future_s,
            )
        )

    def takes(self, decoder: Decoder, topic: str) -> bool:
        """Whether the detector service would give a topic to this fleet; `decoder` is this fleet's."""
        if not decoder.matches(topic):
            return False
        try:
            address = decoder.locate(topic)
        except PayloadError:
            return True
        if address is None or self.device_key:
            return True
        return any(fnmatchcase(address.device, shape) for shape in self.devices)

    def table(self) -> FleetConfig:
        """The `[[fleets]]` table."""
        return FleetConfig(
            model=self.model,
            topic=self.topic,
            devices=self.devices,
            dialect=self.dialect,
            time_key=self.time_key,
            time_unit=self.time_unit,
            device_key=self.device_key,
        )


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Messages that no fleet reads: on `topics` topics, the first of them `topic` with `sample` as its payload."""

    topic: str
    sample: bytes
    why: str
    messages: int
    topics: int = 1


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found. set_aside: messages that are no telemetry, by what they are instead."""

    fleets: tuple[FleetFound, ...]
    not_understood: tuple[NotUnderstood, ...]
    set_aside: Mapping[str, int]
    messages: int
    topics: int
    beyond: int = 0
    """messages on topics beyond the most that a watch keeps; nobody has looked at them"""
