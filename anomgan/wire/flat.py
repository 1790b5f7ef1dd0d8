"""Dialect `flat`: `{"ts": 1700000000.5, "temperature": 20.6, "pressure": 2.1}`, one object per reading."""

from collections.abc import Sequence

import orjson

from anomgan.records import Reading
from anomgan.wire.payload_format import PayloadFormat, check_channels, read_flat, topic_of
from anomgan.wire.times import write_time
from anomgan.wire.topics import Address
from anomgan.wire.values import Decoded


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading; PayloadError where the document is not an object or holds no number."""
    return read_flat(document, form, address, arrival_s)


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per reading; NaN becomes null."""
    return [(topic_of(reading, form), orjson.dumps(flat_object(reading, form))) for reading in readings]


def flat_object(reading: Reading, form: PayloadFormat) -> dict[str, object]:
    """The object that stands for one reading."""
    check_channels(reading.values, form)
    document: dict[str, object] = {form.time_key: write_time(reading.time_s, form.time_unit)}
    if form.device_key:
        document[form.device_key] = reading.device
    document.update(reading.values)
    return document
