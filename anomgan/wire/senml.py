"""Dialect `senml`: lists of RFC 8428 as JSON, `[{"bn": "urn:dev:ow:10e2073a:", "n": "temp", "u": "Cel", "v": 23.1}]`.

Base fields hold for their record and those after it: `bn` goes before the name, `bt`, `bv` and `bs` are added to time,
value and sum, `bu` is the unit where a record has none. A time below 2^28 counts from the moment of arrival.

Where the topic names the device, a channel is called as the record's own `n`, or `value` where that is empty; with
`device_key = "bn"` the base name is the device. The sum `s` (the integral over time) is the channel `n.sum`. Records
of one device and time are one reading. Units are told.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import orjson

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire.payload_format import PayloadFormat, by_topic, device_named, kind_of
from anomgan.wire.times import read_time
from anomgan.wire.topics import Address, one_level
from anomgan.wire.values import Decoded, drop_reason

VERSION = 10
ABSOLUTE_S = 2.0**28
NAMELESS = "value"
SUM = ".sum"
NUMBERS = (float, int)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")


class _Base:
    """The base fields in force."""

    def __init__(self) -> None:
        self.name = self.unit = ""
        self.time = 0.0
        self.value: float | None = None
        self.sum: float | None = None

    def update(self, record: dict[str, object]) -> None:
        """Take over what a record sets; PayloadError where it cannot be, for all records after it hang on that."""
        for label in record:
            if label[-1:] == "_":
                raise PayloadError("not_understood", f"the field {label[:40]!r} must be understood, and is not")
        if "bver" in record and _number(record, "bver") > VERSION:
            raise PayloadError("not_understood", f"SenML version {record['bver']!r}; {VERSION} is the latest known")
        self.name = _text(record, "bn") if "bn" in record else self.name
        self.unit = _text(record, "bu") if "bu" in record else self.unit
        self.time = _number(record, "bt") if "bt" in record else self.time
        self.value = _number(record, "bv") if "bv" in record else self.value
        self.sum = _number(record, "bs") if "bs" in record else self.sum


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """The readings in order of time; a record that cannot be read is counted, and raised where none can be read.

    Raises PayloadError: wrong_shape for what is no array of objects or has a wrong base field; not_understood for a
    later version or a field that ends in an underscore.
    """
    if type(document) is not list:
        raise PayloadError("wrong_shape", f"expected an array [...], got {kind_of(document)}")
    rows: dict[tuple[str, float], dict[str, float]] = {}
    units: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    first_error: PayloadError | None = None
    base = _Base()
    for record in document:
        if type(record) is dict:
            base.update(record)
        try:
            if type(record) is not dict:
                raise PayloadError("not_an_object", f"a record must be an object {{...}}, not {kind_of(record)}")
            values = _values(record, base)
            if not values:
                continue
            key = _device(base, form, address), _time(record, base, form, arrival_s)
        except PayloadError as error:
            first_error = first_error or error
            dropped[error.reason] += 1
            continue
        row = rows.setdefault(key, {})
        for channel, value in values.items():
            if channel in row:
                dropped["duplicate_channel"] += 1
            else:
                row[channel] = value
        unit = record.get("u", base.unit)
        if isinstance(unit, str) and unit:
            units.update((channel, unit) for channel in values if not channel.endswith(SUM))
    if not rows:
        raise first_error or PayloadError("no_values", "no record has a value")
    readings = [Reading(device, time_s, values, address.site) for (device, time_s), values in rows.items()]
    return Decoded(sorted(readings, key=lambda reading: reading.time_s), dropped, units)


def _values(record: dict[str, object], base: _Base) -> dict[str, float]:
    """Channel values of one record, {} where it only sets base fields; PayloadError for a value that is no number."""
    name = _text(record, "n") if "n" in record else ""
    values: dict[str, float] = {}
    if "v" in record:
        values[name or NAMELESS] = _measured(record["v"], base.value)
    elif "vb" in record:
        if type(record["vb"]) is not bool:
            raise PayloadError("bad_value", f"'vb' must be true or false, not {kind_of(record['vb'])}")
        values[name or NAMELESS] = float(record["vb"])
    elif "vs" in record or "vd" in record:
        raise PayloadError("text_value", "a record holds text or bytes")
    elif base.value is not None and "n" in record and "s" not in record:
        values[name or NAMELESS] = base.value
    if "s" in record or (base.sum is not None and values):
        values[(name or NAMELESS) + SUM] = _measured(record.get("s", 0.0), base.sum)
    return values


def _measured(value: object, base: float | None) -> float:
    """A number on top of its base; null is missing."""
    if value is None:
        return math.nan
    if type(value) not in NUMBERS:
        raise PayloadError("bad_value" if type(value) is bool else drop_reason(value), "a value is no number")
    number = float(value)  # type: ignore[arg-type]  # the line above proves it
    number = number if base is None else number + base
    if not math.isfinite(number):
        raise PayloadError("non_finite_value", "value and base value together are too large")
    return number


def _device(base: _Base, form: PayloadFormat, address: Address) -> str:
    return device_named(one_level(base.name.rstrip(":/")), form.device_key) if form.device_key else address.device


def _time(record: dict[str, object], base: _Base, form: PayloadFormat, arrival_s: float) -> float:
    given = record.get("t", 0.0)
    if type(given) not in NUMBERS:
        raise PayloadError("bad_time", f"'t' must be a number, not {kind_of(given)}")
    time = base.time + given  # type: ignore[operator]  # the line above proves it
    return read_time(time if time >= ABSOLUTE_S else arrival_s + time, "s", arrival_s, form.max_future_s)


def _number(record: dict[str, object], label: str) -> float:
    value = record[label]
    if type(value) not in NUMBERS:
        raise PayloadError("wrong_shape", f"{label!r} must be a number, not {kind_of(value)}")
    return float(value)  # type: ignore[arg-type]  # the line above proves it


def _text(record: dict[str, object], label: str) -> str:
    value = record[label]
    if not isinstance(value, str):
        raise PayloadError("wrong_shape", f"{label!r} must be text, not {kind_of(value)}")
    return value


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per topic; a missing value is left out, for SenML has no word for it.

    DataError for a name with characters that the RFC does not allow.
    """
    messages = []
    for topic, group in by_topic(readings, form).items():
        records = [record for reading in group for record in _records(reading, form)]
        if records:
            messages.append((topic, orjson.dumps(records)))
    return messages


def _records(reading: Reading, form: PayloadFormat) -> list[dict[str, object]]:
    """The records of one reading; the first sets base time and, where the payload names the device, base name."""
    base = {"bn": reading.device + ":"} if form.device_key else {}
    records: list[dict[str, object]] = []
    for channel, value in reading.values.items():
        if not _NAME.fullmatch(base.get("bn", "") + channel):
            raise DataError(f"channel {channel!r} of {reading.device!r}: SenML names are of A-Z a-z 0-9 - : . / _")
        if not math.isnan(value):
            first = {} if records else {**base, "bt": reading.time_s}
            records.append({**first, "n": channel, "v": value})
    return records
