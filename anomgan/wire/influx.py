r"""Dialect `influx`: line protocol, `pump,host=p1 flow=31.2,pressure=2.9 1700000000000000000`, as Telegraf sends it.

A channel is called measurement.field, and as its measurement alone where the field is called `value`. Lines of one
device and time are one reading. Times are nanoseconds unless `time_unit` says otherwise; a line without one is
stamped on arrival. true is 1; text is no measurement.

Tags say whose a line is. Where the topic does not name the device, `device_key` names the tag that does, or several,
so that each of several like parts is a device: `device_key = "host,cpu"` makes `p1.cpu0`. Other tags are left alone.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire.line_protocol import escape_name
from anomgan.wire.payload_format import PayloadFormat, by_topic
from anomgan.wire.times import read_time, write_time
from anomgan.wire.topics import Address, check_name, one_level
from anomgan.wire.values import Decoded

VALUE_FIELD = "value"
# A backslash takes the next character with it, so that no two alternatives begin alike: matching is linear.
_MEASUREMENT = re.compile(r"((?:[^\\, \n]|\\.)+)")
_TAG = re.compile(r",((?:[^\\,= \n]|\\.)+)=((?:[^\\,= \n]|\\.)+)")
_FIELD = re.compile(r'((?:[^\\,= \n]|\\.)+)=("(?:[^\\"]|\\.)*"|[^, "\r\n]+)', re.DOTALL)
_GAP = re.compile(r" +")
_END = re.compile(r"(?: +(-?[0-9]{1,19}))? *\r?(?:\n|\Z)")
_IGNORED = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_ESCAPED = re.compile(r"\\([,= ])")
# Digits can be matched in one way only: in two (`[0-9]+\.?[0-9]*`) a long number that is none takes hours.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+[iu]|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_BOOLEANS = dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0) | dict.fromkeys(
    ("f", "F", "false", "False", "FALSE"), 0.0
)


class Line(NamedTuple):
    """One point; the values of its fields are still as they were written."""

    measurement: str
    tags: Mapping[str, str]
    fields: Sequence[tuple[str, str]]
    timestamp: int | None


def read(text: str, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """The readings in order of time; a line that cannot be read is counted, and raised where none can be read."""
    rows: dict[tuple[str, float], dict[str, float]] = {}
    dropped: Counter[str] = Counter()
    first_error: PayloadError | None = None
    for line in parse_lines(text):
        try:
            if line is None:
                raise PayloadError("broken_line", "this is no line protocol")
            key = (
                _device(line, form, address),
                read_time(line.timestamp, form.time_unit, arrival_s, form.max_future_s),
            )
        except PayloadError as error:
            first_error = first_error or error
            dropped[error.reason] += 1
            continue
        for channel, value in _values(line, dropped):
            row = rows.setdefault(key, {})
            if channel in row:
                dropped["duplicate_channel"] += 1
            else:
                row[channel] = value
    if not rows:
        raise first_error or PayloadError("no_values", "no field of any line holds a number")
    readings = [Reading(device, time_s, values, address.site) for (device, time_s), values in rows.items()]
    return Decoded(sorted(readings, key=lambda reading: reading.time_s), dropped)


def parse_lines(text: str) -> Iterator[Line | None]:
    """The points of a text in order; None for a line that is none, after which the next line is tried."""
    at = 0
    while True:
        ignored = _IGNORED.match(text, at)
        at = ignored.end() if ignored is not None else at
        if at == len(text):
            return
        line, end = _parse_line(text, at)
        yield line
        at = end if line is not None else text.find("\n", at) + 1 or len(text)


def _parse_line(text: str, start: int) -> tuple[Line | None, int]:
    """The point that begins there, and where the line after it begins; (None, 0) where none begins there."""
    found = _MEASUREMENT.match(text, start)
    if found is None:
        return None, 0
    measurement, at = found[1], found.end()
    tags: dict[str, str] = {}
    while (found := _TAG.match(text, at)) is not None:
        tags[_plain(found[1])] = _plain(found[2])
        at = found.end()
    found = _GAP.match(text, at)
    if found is None:
        return None, 0
    at = found.end()
    fields: list[tuple[str, str]] = []
    while True:
        found = _FIELD.match(text, at)
        if found is None:
            return None, 0
        fields.append((_plain(found[1]), found[2]))
        at = found.end()
        if text[at : at + 1] != ",":
            break
        at += 1
    found = _END.match(text, at)
    if found is None:
        return None, 0
    timestamp = None if found[1] is None else int(found[1])
    return Line(_plain(measurement), tags, fields, timestamp), found.end()


def _plain(name: str) -> str:
    return _ESCAPED.sub(r"\1", name) if "\\" in name else name


def _device(line: Line, form: PayloadFormat, address: Address) -> str:
    if not form.device_key:
        return address.device
    keys = form.device_key.split(",")
    missing = next((key for key in keys if key not in line.tags), None)
    if missing is not None:
        raise PayloadError("bad_device_name", f"no tag {missing!r} says which device this is")
    return check_name("device", one_level(".".join(line.tags[key] for key in keys)))


def _values(line: Line, dropped: Counter[str]) -> Iterator[tuple[str, float]]:
    """(channel, value) of each field; what is no number is counted."""
    for field, written in line.fields:
        value = _BOOLEANS.get(written)
        if value is None and _NUMBER.fullmatch(written) is not None:
            value = float(written.rstrip("iu"))
        if value is None:
            dropped["text_value" if written[0] == '"' else "bad_value"] += 1
        elif not math.isfinite(value):
            dropped["non_finite_value"] += 1
        else:
            yield line.measurement if field == VALUE_FIELD else f"{line.measurement}.{field}", value


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per topic; a missing value is left out, for the protocol has no word for it.

    DataError for a name that the protocol cannot carry, and where several tags name the device.
    """
    messages = []
    for topic, group in by_topic(readings, form).items():
        lines = [line for reading in group for line in _lines(reading, form)]
        if lines:
            messages.append((topic, "\n".join(lines).encode()))
    return messages


def _lines(reading: Reading, form: PayloadFormat) -> Iterator[str]:
    """A line per measurement: what stands before the last dot of the channel's name."""
    tags = ""
    if "," in form.device_key:
        raise DataError(f"device_key {form.device_key!r}: one tag is needed to write the device's name into")
    if form.device_key:
        tags = f",{escape_name(form.device_key)}={_name(reading.device)}"
    stamp = round(write_time(reading.time_s, form.time_unit))
    fields: dict[str, list[str]] = {}
    for channel, value in reading.values.items():
        measurement, _, field = channel.rpartition(".")
        if not measurement or not field or field == VALUE_FIELD:
            measurement, field = channel, VALUE_FIELD
        written = f"{_name(field)}={value!r}"
        some = fields.setdefault(_name(measurement), [])
        if not math.isnan(value):
            some.append(written)
    for measurement, some in fields.items():
        if some:
            yield f"{measurement}{tags} {','.join(some)} {stamp}"


def _name(name: str) -> str:
    """A name, escaped; DataError for one that would not be read back as it is."""
    if not name or not name.isprintable() or "\\" in name or name.startswith("#"):
        raise DataError(f"line protocol cannot carry the name {name!r}: it is empty, has \\ or starts with #")
    return escape_name(name)
