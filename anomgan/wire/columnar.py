"""Dialect `columnar`: `{"ts": [1700000000, 1700000001], "temperature": [20.6, 20.7]}`, a column per channel."""

import math
from collections import Counter
from collections.abc import Sequence

import orjson

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.payload_format import (
    PayloadFormat,
    by_source,
    channels_of,
    check_channels,
    kind_of,
    read_device,
    topic_of,
)
from anomgan.wire.times import read_time, write_time
from anomgan.wire.topics import Address
from anomgan.wire.values import ONLY_FLOATS, Decoded, drop_reason


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading per row; a cell that is no number is missing, a row without a usable time is left out, both counted.

    Raises PayloadError: not_an_object; wrong_shape where columns differ in length or the time column is missing;
    no_values where there is no column or no row; the first row's reason where no row has a usable time.
    """
    if type(document) is not dict:
        raise PayloadError("not_an_object", f"expected an object {{...}}, got {kind_of(document)}")
    device = read_device(document, form, address)
    times = document.pop(form.time_key, None)
    if type(times) is not list:
        raise PayloadError("wrong_shape", f"key {form.time_key!r} must hold an array of times, not {kind_of(times)}")
    dropped: Counter[str] = Counter()
    columns: dict[str, Sequence[float]] = {}
    for channel, column in document.items():
        if type(column) is not list:
            dropped["not_a_column"] += 1
        elif len(column) != len(times):
            raise PayloadError("wrong_shape", f"column {channel[:40]!r} has {len(column)} rows, the times {len(times)}")
        else:
            columns[channel] = _numbers(column, dropped)
    if not columns or not times:
        raise PayloadError("no_values", "there is no column of numbers")
    readings: list[Reading] = []
    first_error: PayloadError | None = None
    for time, *cells in zip(times, *columns.values(), strict=True):
        try:
            if time is None:
                raise PayloadError("bad_time", "a row has no time")
            time_s = read_time(time, form.time_unit, arrival_s, form.max_future_s)
        except PayloadError as error:
            first_error = first_error or error
            dropped[error.reason] += 1
            continue
        readings.append(Reading(device, time_s, dict(zip(columns, cells, strict=True)), address.site))
    if first_error is not None and not readings:
        raise first_error
    return Decoded(readings, dropped)


def _numbers(column: list[object], dropped: Counter[str]) -> Sequence[float]:
    if {*map(type, column)} == ONLY_FLOATS:
        return column  # type: ignore[return-value]  # the line above proves it
    return [_cell(cell, dropped) for cell in column]


def _cell(value: object, dropped: Counter[str]) -> float:
    if isinstance(value, float | int):
        return float(value)
    if value is not None:
        dropped[drop_reason(value)] += 1
    return math.nan


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per device; a channel that a reading lacks is null in its row."""
    messages = []
    for group in by_source(readings).values():
        channels = channels_of(group)
        check_channels(channels, form)
        document: dict[str, object] = {form.time_key: [write_time(reading.time_s, form.time_unit) for reading in group]}
        if form.device_key:
            document[form.device_key] = group[0].device
        document |= {channel: [reading.values.get(channel) for reading in group] for channel in channels}
        messages.append((topic_of(group[0], form), orjson.dumps(document)))
    return messages
