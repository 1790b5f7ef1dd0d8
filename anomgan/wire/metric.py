"""Dialect `metric`: one channel per topic, `plant/{device}/{channel}`.

The payload is a bare number, or `{"value": 20.6, "ts": 1700000000}`.
"""

import math
from collections.abc import Sequence

import orjson

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.payload_format import PayloadFormat, kind_of, topic_of
from anomgan.wire.times import read_time, write_time
from anomgan.wire.topics import Address
from anomgan.wire.values import Decoded, drop_reason

VALUE_KEY = "value"


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading with one channel; null is missing, true is 1. Raises PayloadError(bad_value) for anything else."""
    value, time = document, None
    if type(document) is dict:
        if VALUE_KEY not in document:
            raise PayloadError("wrong_shape", f"the object has no key {VALUE_KEY!r}")
        value, time = document[VALUE_KEY], document.get(form.time_key)
    if not isinstance(value, float | int | None):
        raise PayloadError("bad_value", f"expected a number, got {kind_of(value)} ({drop_reason(value)})")
    time_s = read_time(time, form.time_unit, arrival_s, form.max_future_s)
    number = math.nan if value is None else float(value)
    return Decoded([Reading(address.device, time_s, {address.channel: number}, address.site)])


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per reading and channel."""
    messages = []
    for reading in readings:
        time = write_time(reading.time_s, form.time_unit)
        for channel, value in reading.values.items():
            payload = orjson.dumps({VALUE_KEY: value, form.time_key: time})
            messages.append((topic_of(reading, form, channel), payload))
    return messages
