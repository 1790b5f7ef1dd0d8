"""Dialect `array`: `[{"ts": 1700000000, "temperature": 20.6}, ...]`, several readings in a message."""

from collections import Counter
from collections.abc import Sequence

import orjson

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.flat import flat_object
from anomgan.wire.payload_format import PayloadFormat, by_topic, kind_of, read_flat
from anomgan.wire.topics import Address
from anomgan.wire.values import NOTHING_DROPPED, Decoded


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """The readings in payload order; one that cannot be read is counted, and raised where none can be read."""
    if type(document) is not list:
        raise PayloadError("wrong_shape", f"expected an array [...], got {kind_of(document)}")
    readings: list[Reading] = []
    dropped: Counter[str] | None = None  # making one takes as long as reading an element
    first_error: PayloadError | None = None
    for element in document:
        try:
            decoded = read_flat(element, form, address, arrival_s)
        except PayloadError as error:
            first_error = first_error or error
            dropped = dropped or Counter()
            dropped[error.reason] += 1
            continue
        readings += decoded.readings
        if decoded.dropped:
            dropped = dropped or Counter()
            dropped.update(decoded.dropped)
    if not readings:
        raise first_error or PayloadError("no_values", "the array is empty")
    return Decoded(readings, dropped or NOTHING_DROPPED)


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per topic with all its readings."""
    return [
        (topic, orjson.dumps([flat_object(reading, form) for reading in group]))
        for topic, group in by_topic(readings, form).items()
    ]
