"""Dialect `chirpstack`: uplink events of ChirpStack 4 as JSON, `application/ID/device/EUI/event/up`.

The values are those in `object`, which ChirpStack adds where the device profile has a codec; objects inside give
dotted channels. Everything around it is about the radio link or repeats the topic. The time is the server's own on
reception, to the nanosecond; a frame delivered twice has the same, so that the second copy is dropped as a duplicate.
"""

from collections.abc import Sequence

import orjson

from anomgan.records import Reading
from anomgan.wire.nested import nest
from anomgan.wire.payload_format import PayloadFormat, topic_of
from anomgan.wire.topics import Address
from anomgan.wire.uplink import iso_with_offset, place, read_uplink
from anomgan.wire.values import Decoded

VALUES = "object"


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading; PayloadError(not_decoded) for an uplink without `object`."""
    return read_uplink(document, VALUES, form, address, arrival_s)


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per reading; NaN becomes null."""
    messages = []
    for reading in readings:
        document: dict[str, object] = {
            "deviceInfo": {"applicationId": reading.site, "deviceName": reading.device, "devEui": reading.device},
            "fPort": 1,
            VALUES: nest(reading.values),
        }
        place(document, form.time_key, iso_with_offset(reading.time_s))
        if form.device_key:
            place(document, form.device_key, reading.device)
        messages.append((topic_of(reading, form), orjson.dumps(document)))
    return messages
