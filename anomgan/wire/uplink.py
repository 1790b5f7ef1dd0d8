"""What network servers of LoRaWAN have in common: decoded values inside an envelope of JSON."""

from datetime import UTC, datetime

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.nested import flatten
from anomgan.wire.payload_format import PayloadFormat, device_named, kind_of
from anomgan.wire.times import read_time
from anomgan.wire.topics import Address
from anomgan.wire.values import Decoded, read_values, total


def read_uplink(
    document: object, values_at: str, form: PayloadFormat, address: Address, arrival_s: float, fallback_time: str = ""
) -> Decoded:
    """One reading from the object at `values_at`, a dotted path; `time_key` and `device_key` are such paths too.

    Raises PayloadError: not_an_object; not_decoded where the network server passes on the device's bytes only.
    """
    if type(document) is not dict:
        raise PayloadError("not_an_object", f"expected an object {{...}}, got {kind_of(document)}")
    decoded = find(document, values_at)
    if decoded is None:
        raise PayloadError(
            "not_decoded", f"there is no {values_at!r}: the network server has no payload decoder for this device"
        )
    device = address.device
    if form.device_key:
        device = device_named(find(document, form.device_key), form.device_key)
    time = find(document, form.time_key)
    if time is None and fallback_time:
        time = find(document, fallback_time)
    time_s = read_time(time, form.time_unit, arrival_s, form.max_future_s)
    fields, too_deep = flatten(decoded)
    values, dropped = read_values(fields)
    return Decoded([Reading(device, time_s, values, address.site)], total(too_deep, dropped))


def find(document: dict[str, object], path: str) -> object:
    """What lies at a dotted path, None where nothing does."""
    found: object = document
    for key in path.split("."):
        if type(found) is not dict or key not in found:
            return None
        found = found[key]
    return found


def place(document: dict[str, object], path: str, value: object) -> None:
    """Put a value at a dotted path, making the objects on the way."""
    *way, last = path.split(".")
    for key in way:
        inner = document.setdefault(key, {})
        if type(inner) is not dict:
            inner = document[key] = {}
        document = inner
    document[last] = value


def iso_with_offset(time_s: float) -> str:
    """`2022-07-18T09:34:15.775023+00:00`, to the microsecond."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="microseconds")
