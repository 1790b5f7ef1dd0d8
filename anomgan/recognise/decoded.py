"""The samples of one form, decoded as the detector service would: devices, channels, periods, and what was left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from anomgan.errors import PayloadError
from anomgan.recognise.findings import ChannelFound
from anomgan.recognise.samples import Sample
from anomgan.records import Reading, Source
from anomgan.wire.dialects import Decoder

MOST_DISTINCT = 1000


class ChannelHeard:
    """The values of one channel of one device."""

    __slots__ = ("distinct", "times", "values")

    def __init__(self) -> None:
        self.values = 0
        self.distinct: set[float] = set()
        self.times: list[float] = []

    def add(self, time_s: float, value: float) -> None:
        """One value; NaN is none."""
        if value != value:
            return
        self.values += 1
        self.times.append(time_s)
        if len(self.distinct) < MOST_DISTINCT:
            self.distinct.add(value)


class DeviceHeard:
    """What one device said."""

    __slots__ = ("channels", "dropped", "readings")

    def __init__(self) -> None:
        self.readings = 0
        self.channels: dict[str, ChannelHeard] = {}
        self.dropped: Counter[str] = Counter()


class FormHeard:
    """All that the samples of one form held.

    ahead_s: event time minus arrival, of live readings. reasons: why something could not be used.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.devices: dict[Source, DeviceHeard] = {}
        self.units: dict[str, str] = {}
        self.reasons: set[str] = set()
        self.ahead_s: list[float] = []
        self.several_at_once = False
        self._decoder = decoder

    def hear(self, samples: Iterable[Sample]) -> None:
        """Decode samples in the order in which they came."""
        for sample in samples:
            try:
                decoded = self._decoder.decode(sample.topic, sample.payload, sample.arrival_s)
                address = self._decoder.locate(sample.topic)
            except PayloadError as error:
                self.reasons.add(error.reason)
                continue
            self.units.update(decoded.units)
            self.reasons.update(decoded.dropped)
            spoke = dict.fromkeys(reading.source for reading in decoded.readings)
            if not spoke and address is not None:  # a birth without a value
                spoke[address.site, address.device] = None
            for source in spoke:
                self.devices.setdefault(source, DeviceHeard())
            self.devices[next(iter(spoke))].dropped.update(decoded.dropped)
            self._take(sample, decoded.readings)

    def _take(self, sample: Sample, readings: Sequence[Reading]) -> None:
        stamped: Counter[Source] = Counter()
        for reading in readings:
            device = self.devices[reading.source]
            device.readings += 1
            for channel, value in reading.values.items():
                device.channels.setdefault(channel, ChannelHeard()).add(reading.time_s, value)
            stamped[reading.source] += reading.time_s == sample.arrival_s
            if not sample.retained:
                self.ahead_s.append(reading.time_s - sample.arrival_s)
        self.several_at_once |= any(count > 1 for count in stamped.values())


def channels_of(devices: Sequence[DeviceHeard], units: dict[str, str]) -> tuple[ChannelFound, ...]:
    """The channels of some devices, in the order in which they were heard first."""
    heard: dict[str, list[ChannelHeard]] = {}
    for device in devices:
        for name, channel in device.channels.items():
            heard.setdefault(name, []).append(channel)
    return tuple(
        ChannelFound(
            name,
            units.get(name, ""),
            sum(one.values for one in several),
            len(set().union(*(one.distinct for one in several))),
            period_of(several),
        )
        for name, several in heard.items()
    )


def period_of(channels: Iterable[ChannelHeard]) -> float | None:
    """The median step between two values of one channel, None where no channel has two at different times."""
    steps = [later - earlier for one in channels for earlier, later in pairwise(sorted(set(one.times)))]
    return median(steps) if steps else None
