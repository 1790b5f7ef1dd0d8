"""Dialect `tasmota`: `tele/TOPIC/SENSOR`, `{"Time": "2021-01-02T09:09:44", "DS18B20-1": {"Temperature": 13.3}, ...}`.

Channels are dotted: `DS18B20-1.Temperature`; several values of one kind count from 1: `ENERGY.Power.1`. A switch that
is ON is 1. Addresses of sensors, radio signals and the names of units are no measurements; `TempUnit`, `PressureUnit`
and `SpeedUnit` are told as the units of the channels they are about.

The time: `Time` is local and says not where, unless the device is told to. So `Epoch` counts where it is there (the
command `Time 2`), then a `Time` that is a number or has its zone, else the reading is stamped on arrival, which is
counted as time_without_zone: Tasmota sends what it measures at once. `time_key = "Time"` reads that text as UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import orjson

from anomgan.errors import DataError
from anomgan.records import Reading
from anomgan.wire.nested import DEEPEST, flatten, nest
from anomgan.wire.payload_format import PayloadFormat, check_channels, read_device, topic_of
from anomgan.wire.times import read_time, write_time
from anomgan.wire.topics import Address
from anomgan.wire.values import NOTHING_DROPPED, Decoded, leave_out, read_values, switch_states, total

TIME, EPOCH = "Time", "Epoch"
UNITS_OF = {
    "TempUnit": {"Temperature", "DewPoint"},
    "PressureUnit": {"Pressure", "SeaPressure"},
    "SpeedUnit": {"Speed"},
}
"""key of a unit -> which measurements it is about, by a part of their name"""
DEGREES = {"C": "°C", "F": "°F", "K": "K"}
NOT_MEASURED = frozenset({"Id", "TotalStartTime", "RSSI", "Signal", "LinkQuality"})
MOST_OF_A_KIND = 64


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading; PayloadError where the document is not an object or holds no number."""
    if type(document) is dict:
        document = document.get("StatusSNS", document)  # the answer to the commands `Status 8` and `Status 10`
    fields, too_deep = flatten(document)
    device = read_device(fields, form, address)
    time_s, no_zone = _read_time(fields, form, arrival_s)
    fields = dict(_apart(fields))
    units = {name: fields.pop(name) for name in list(fields) if _last(name) in UNITS_OF}
    odd = leave_out(fields, [name for name in fields if _last(name) in NOT_MEASURED])
    values, dropped = read_values(switch_states(fields))
    return Decoded(
        [Reading(device, time_s, values, address.site)],
        total(too_deep, no_zone, odd, dropped),
        {channel: unit for channel in values if (unit := _unit_of(channel, units))},
    )


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per reading, as of a device told `Time 2` in the zone UTC; NaN becomes null.

    DataError for a name that stands for something else here.
    """
    messages = []
    for reading in readings:
        check_channels(reading.values, form)
        taken = next((name for name in reading.values if _is_taken(name)), None)
        if taken is not None:
            raise DataError(f"channel {taken!r}: Tasmota has this name for something that is not measured")
        if form.time_key:
            document: dict[str, object] = {form.time_key: write_time(reading.time_s, form.time_unit)}
        else:
            local = datetime.fromtimestamp(reading.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            epoch = int(reading.time_s) if reading.time_s.is_integer() else reading.time_s
            document = {TIME: local, EPOCH: epoch}
        if form.device_key:
            document[form.device_key] = reading.device
        messages.append((topic_of(reading, form), orjson.dumps(document | nest(reading.values))))
    return messages


def _read_time(fields: dict[str, object], form: PayloadFormat, arrival_s: float) -> tuple[float, Mapping[str, int]]:
    """The event time, and whether the device did not say in which zone its own is; takes both out of the fields."""
    chosen = fields.pop(form.time_key, None) if form.time_key else None
    local, epoch = fields.pop(TIME, None), fields.pop(EPOCH, None)
    if not form.time_key:
        chosen = local if epoch is None else epoch
        if isinstance(chosen, str) and not _has_zone(chosen):
            return arrival_s, {"time_without_zone": 1}
    return read_time(chosen, form.time_unit, arrival_s, form.max_future_s), NOTHING_DROPPED


def _has_zone(text: str) -> bool:
    """Whether a time says in which zone it is; one that cannot be read at all is for `read_time` to refuse."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return True


def _apart(fields: dict[str, object]) -> Iterator[tuple[str, object]]:
    """The fields, an array of numbers as so many fields: `Power` -> `Power.1`, `Power.2`, ..."""
    for name, value in fields.items():
        if type(value) is list and len(value) <= MOST_OF_A_KIND:
            yield from ((f"{name}.{number}", one) for number, one in enumerate(value, 1))
        else:
            yield name, value


def _unit_of(channel: str, units: Mapping[str, object]) -> str:
    """The unit that a payload names for a channel, in the innermost object that names one; "" where none does."""
    parts = channel.split(".")
    for key, measured in UNITS_OF.items():
        if measured.isdisjoint(parts):
            continue
        for depth in range(min(len(parts) - 1, DEEPEST), -1, -1):
            unit = units.get(".".join([*parts[:depth], key]))
            if isinstance(unit, str):
                return DEGREES.get(unit, unit)
    return ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _is_taken(name: str) -> bool:
    return name in (TIME, EPOCH) or _last(name) in NOT_MEASURED or _last(name) in UNITS_OF
