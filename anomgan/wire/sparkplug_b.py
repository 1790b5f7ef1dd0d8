"""Dialect `sparkplug_b`: protobuf payloads on `spBv1.0/GROUP/TYPE/EDGE[/DEVICE]`, read with what births have said.

A birth (NBIRTH of an edge node, DBIRTH of a device) names every metric, its type and perhaps an alias; data messages
then say the alias only. `Births` remembers that. Data with an alias that it does not know are counted as
unknown_alias, and a rebirth is asked for: births are not retained, so whoever starts later has missed them.

The site is the group, the device `EDGE.DEVICE`, or `EDGE` for the node's own metrics; a channel is called as its
metric. Metrics of one time (in ms) are one reading: data messages tell what changed, so most readings are partial.
Historical values keep their own times, and without one are dropped. Null, and what a `Quality` other than good marks,
is missing. `engUnit` of a birth is told as the unit. Deaths, commands and host states are refused as not_telemetry.
`seq` is ignored: a fleet may hear only some devices of a node, whose numbers then have gaps that mean nothing.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.sparkplug_births import Births, Known, Table
from anomgan.wire.sparkplug_schema import schema
from anomgan.wire.times import read_time
from anomgan.wire.topics import Address, TopicTemplate, check_name
from anomgan.wire.values import NO_UNITS, Decoded

NAMESPACE = "spBv1.0"
TELEMETRY = {"NBIRTH": 4, "NDATA": 4, "DBIRTH": 5, "DDATA": 5}
"""message type -> how many levels its topics have"""
BIRTHS = {"NBIRTH", "DBIRTH"}
INT64, DOUBLE, BOOLEAN, DATE_TIME = 4, 10, 11, 13
SIGNED_BITS = {1: 8, 2: 16, 3: 32, INT64: 64}
UNSIGNED = {5, 6, 7, 8}
BAD_QUALITY = {0, 500}
BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"
CONTROLS = ("Node Control/", "Device Control/")
LONGEST_TEXT = 512
"""bytes of a name or a unit; births are remembered, so they must be bounded"""


def parse(payload: bytes) -> Any:
    """The protobuf message; PayloadError with the reason empty_payload, broken_protobuf or compressed."""
    if not payload:
        raise PayloadError("empty_payload", "the payload is empty")
    known = schema()
    try:
        message = known.payload.FromString(payload)
    except known.error:
        raise PayloadError("broken_protobuf", "this is no protobuf message of Sparkplug B") from None
    if message.uuid == b"SPBV1.0_COMPRESSED":
        raise PayloadError("compressed", "the payload is compressed, which is not supported")
    return message


def locate(template: TopicTemplate, topic: str) -> Address | None:
    """Whom a topic belongs to, None where it does not fit; PayloadError(not_telemetry) for deaths and commands."""
    levels = topic.split("/")
    if levels[0] != NAMESPACE or template.pattern.fullmatch(topic) is None:
        return None
    if len(levels) < 4 or TELEMETRY.get(levels[2]) != len(levels):
        raise PayloadError("not_telemetry", "this topic of Sparkplug B carries no values")
    check_name("site", levels[1])
    return template.match(topic)


def read(message: Any, form: PayloadFormat, address: Address, arrival_s: float, births: Births) -> Decoded:
    """The readings of a birth or a data message in order of time; a birth may have none, and `births` learns of it.

    Raises PayloadError with the reason of the first metric that could not be used where no metric of data can.
    """
    _, group, kind, edge, *rest = address.topic.split("/")
    node, device, birth = (group, edge), rest[0] if rest else "", kind in BIRTHS
    if birth:
        births.bear(node, device, _names(message))
    table = births.table(node, device, arrival_s)
    rows: dict[int, dict[str, float]] = {}
    dropped: Counter[str] = Counter()
    first_error: PayloadError | None = None
    for metric in message.metrics:
        try:
            name, datatype = _known(metric, table)
            if name == BD_SEQ or name.startswith(CONTROLS) or (birth and metric.is_null):
                continue
            time_ms = _time_ms(metric, message)
            value = _value(metric, datatype)
        except PayloadError as error:
            first_error = first_error or error
            dropped[error.reason] += 1
            continue
        if metric.HasField("properties") and _property(metric, b"Quality") in BAD_QUALITY:
            dropped["bad_quality"] += 1
            value = math.nan
        row = rows.setdefault(time_ms, {})
        if name in row:
            dropped["duplicate_channel"] += 1
        row[name] = value
    if "unknown_alias" in dropped:
        births.ask(node, arrival_s)
    readings: list[Reading] = []
    for time_ms, row in sorted(rows.items()):
        try:
            time_s = read_time(time_ms or None, "ms", arrival_s, form.max_future_s)
        except PayloadError as error:
            first_error = first_error or error
            dropped[error.reason] += len(row)
            continue
        readings.append(Reading(address.device, time_s, row, address.site))
    if not readings and not birth:
        raise first_error or PayloadError("no_values", "there is no metric in the message")
    return Decoded(readings, dropped, _units(message) if birth else NO_UNITS)


def rebirth_requests(births: Births) -> list[tuple[str, bytes]]:
    """The commands (topic, payload) that ask for the births found missing since the last call."""
    messages = []
    for (group, edge), asked_s in births.take_asked().items():
        now = round(asked_s * 1000)
        message = schema().payload(timestamp=now)
        message.metrics.add(name=REBIRTH.encode(), timestamp=now, datatype=BOOLEAN, boolean_value=True)
        messages.append((f"{NAMESPACE}/{group}/NCMD/{edge}", message.SerializeToString()))
    return messages


def _names(message: Any) -> Table:
    """What a birth says of its metrics; a name that cannot be used is left to be counted."""
    return {
        (metric.alias if metric.HasField("alias") else name): Known(name, metric.datatype)
        for metric in message.metrics
        if (name := _text(metric.name))
    }


def _units(message: Any) -> Mapping[str, str]:
    """The units that a birth names."""
    units: dict[str, str] = {}
    for metric in message.metrics:
        unit = _property(metric, b"engUnit") if metric.HasField("properties") else None
        if isinstance(unit, bytes) and _text(unit) and _text(metric.name):
            units[_text(metric.name)] = _text(unit)
    return units


def _known(metric: Any, table: Table) -> Known:
    """Name and type of a metric, from itself or its birth; PayloadError: bad_channel_name, unknown_alias."""
    datatype: int = metric.datatype
    if metric.name:
        name = _text(metric.name)
        if not name:
            raise PayloadError("bad_channel_name", f"the name of a metric is no UTF-8 or longer than {LONGEST_TEXT}")
        if not datatype:
            known = table.get(metric.alias if metric.HasField("alias") else name)
            datatype = 0 if known is None else known.datatype
        return Known(name, datatype)
    if not metric.HasField("alias"):
        raise PayloadError("bad_channel_name", "a metric has neither name nor alias")
    known = table.get(metric.alias)
    if known is None:
        raise PayloadError("unknown_alias", f"no birth that was heard says what alias {metric.alias} stands for")
    return Known(known.name, datatype) if datatype else known


def _text(written: bytes) -> str:
    """A name or a unit, "" where it cannot be used."""
    try:
        return written.decode() if len(written) <= LONGEST_TEXT else ""
    except UnicodeDecodeError:
        return ""


def _time_ms(metric: Any, message: Any) -> int:
    """The time of a metric, or else of its message; 0 = neither says."""
    if metric.timestamp:
        return int(metric.timestamp)
    if metric.is_historical:
        raise PayloadError("historical_without_time", "a historical value does not say when it was")
    return int(message.timestamp)


def _value(metric: Any, datatype: int) -> float:
    """The value as a number, null as NaN; PayloadError says why it is none."""
    if metric.is_null:
        return math.nan
    kind = metric.WhichOneof("value")
    if kind in ("double_value", "float_value"):
        number = float(getattr(metric, kind))
        if math.isinf(number):
            raise PayloadError("non_finite_value", "a value is infinite")
        return number
    if kind == "boolean_value":
        return float(metric.boolean_value)
    if kind == "int_value":
        return _whole(metric.int_value, 32, datatype)
    if kind == "long_value":
        return _whole(metric.long_value, 64, datatype)
    reason = {None: "missing_value", "string_value": "text_value"}.get(kind, "nested_value")
    raise PayloadError(reason, "a metric holds no number")


def _whole(number: int, bits: int, datatype: int) -> float:
    """A whole number, which the wire has without its sign."""
    if datatype == DATE_TIME:
        raise PayloadError("not_a_measurement", "a metric holds a time")
    signed = SIGNED_BITS.get(datatype)
    if signed is not None:
        number &= (1 << signed) - 1
        return float(number - (1 << signed) if number >> (signed - 1) else number)
    if datatype not in UNSIGNED and number >> (bits - 1):
        raise PayloadError("unknown_datatype", "nothing says whether a metric has a sign")
    return float(number)


def _property(metric: Any, key: bytes) -> object:
    """A property of a metric, None where it has none of that name."""
    for name, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if name == key and not value.is_null:
            kind = value.WhichOneof("value")
            return None if kind is None else getattr(value, kind)
    return None
