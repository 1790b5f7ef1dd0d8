"""Dialect `things_stack`: uplink messages of The Things Stack 3 as JSON, `v3/APPLICATION@TENANT/devices/DEVICE/up`.

The values are those in `uplink_message.decoded_payload`, which a payload formatter makes; objects inside give dotted
channels. The time is that of reception by the network server, which comes before `received_at` of the message as a
whole, where the application server had it.
"""

from collections.abc import Sequence

import orjson

from anomgan.records import Reading
from anomgan.wire.nested import nest
from anomgan.wire.payload_format import PayloadFormat, topic_of
from anomgan.wire.topics import Address
from anomgan.wire.uplink import iso_with_offset, place, read_uplink
from anomgan.wire.values import Decoded

UPLINK, VALUES = "uplink_message", "decoded_payload"
RECEIVED_AT = "received_at"


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading; PayloadError(not_decoded) for an uplink without `decoded_payload`."""
    return read_uplink(document, f"{UPLINK}.{VALUES}", form, address, arrival_s, RECEIVED_AT)


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per reading; NaN becomes null."""
    messages = []
    for reading in readings:
        application = reading.site.partition("@")[0]
        document: dict[str, object] = {
            "end_device_ids": {
                "device_id": reading.device,
                "application_ids": {"application_id": application},
            },
            RECEIVED_AT: iso_with_offset(reading.time_s),
            UPLINK: {"f_port": 1, VALUES: nest(reading.values)},
        }
        place(document, form.time_key, iso_with_offset(reading.time_s))
        if form.device_key:
            place(document, form.device_key, reading.device)
        messages.append((topic_of(reading, form), orjson.dumps(document)))
    return messages
