"""One payload -> the dialect that it looks like, from the most telling shape to the plainest."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from anomgan.config import DialectName
from anomgan.errors import PayloadError
from anomgan.recognise.aside import SPARKPLUG
from anomgan.recognise.times import is_time
from anomgan.wire.document import parse_document, parse_text
from anomgan.wire.influx import Line, parse_lines
from anomgan.wire.metric import VALUE_KEY
from anomgan.wire.nested import flatten
from anomgan.wire.values import SWITCH_STATES

SENML_VALUES = {"v", "vs", "vb", "vd", "s", "bv", "bs"}
SENML_LABELS = {*SENML_VALUES, "bn", "bt", "bu", "bver", "n", "u", "t", "ut"}
TASMOTA_ENDS = {"SENSOR", "STATUS8", "STATUS10"}
METRIC_COMPANIONS = 6


class Look(NamedTuple):
    """What a payload looks like; `fields` are those in which time and device may stand, one mapping per reading.

    dialect: None where it is no telemetry that any dialect knows, and then `why` says so.
    """

    dialect: DialectName | None
    fields: tuple[Mapping[str, object], ...] = ()
    why: str = ""


def look(topic: str, payload: bytes, zigbee_bases: frozenset[str] = frozenset()) -> Look:
    """The dialect of one message, by its payload and what is customary on its topic."""
    levels = topic.split("/")
    if levels[0] == SPARKPLUG:
        return Look("sparkplug_b")
    try:
        document = parse_document(payload)
    except PayloadError as error:
        return _look_at_text(payload, error)
    if isinstance(document, list):
        return _look_at_list(document)
    if isinstance(document, dict):
        return _look_at_object(document, levels, zigbee_bases)
    if isinstance(document, float | int):
        return Look("metric", ({},))
    return Look(None, why="a single value that is no number")


def _look_at_text(payload: bytes, json_error: PayloadError) -> Look:
    try:
        text = parse_text(payload)
    except PayloadError as error:
        return Look(None, why=f"neither text nor a format with a topic of its own: {error}")
    if len(text) <= 16 and text.strip().upper() in SWITCH_STATES:
        return Look(None, why="ON and OFF as bare words; no dialect reads them")
    lines = list(parse_lines(text))
    good = [line for line in lines if line is not None]
    if good and 2 * len(good) >= len(lines):
        return Look("influx", tuple({**line.tags, **_about(line)} for line in good))
    return Look(None, why=f"neither JSON nor line protocol: {json_error}")


MEASUREMENT, TIMESTAMP = " measurement", " timestamp"
"""stand among the tags of a line of line protocol"""


def _about(line: Line) -> dict[str, object]:
    return {MEASUREMENT: line.measurement, TIMESTAMP: line.timestamp}


def _look_at_list(document: list[Any]) -> Look:
    objects = [element for element in document if type(element) is dict]
    if not objects or 2 * len(objects) < len(document):
        return Look(None, why="an array, but not of objects")
    if all(_is_senml(record) for record in objects) and any(not SENML_VALUES.isdisjoint(one) for one in objects):
        return Look("senml", tuple(objects))
    if any(_has_number(one) for one in objects):
        return Look("array", tuple(objects))
    return Look(None, why="an array of objects without a number among their fields")


def _is_senml(record: Mapping[str, object]) -> bool:
    named = SENML_LABELS.issuperset(record) and not {"n", "bn", "v", "vb", "bv", "s"}.isdisjoint(record)
    return named and all(isinstance(record.get(label, ""), str) for label in ("n", "bn", "u", "bu"))


def _look_at_object(document: dict[str, Any], levels: list[str], zigbee_bases: frozenset[str]) -> Look:
    uplink = _look_at_uplink(document)
    if uplink is not None:
        return uplink
    fields, _ = flatten(document)
    if levels[-1] in TASMOTA_ENDS and ("Time" in document or "StatusSNS" in document):
        return Look("tasmota", (fields,))
    if not _has_number(fields) and not any(_is_switch(value) for value in fields.values()):
        columnar = _look_at_columns(document)
        return columnar or Look(None, why="an object without a number among its fields")
    below = {"/".join(levels[:depth]) for depth in range(1, len(levels))}
    if "linkquality" in document or not zigbee_bases.isdisjoint(below):
        return Look("zigbee2mqtt", (fields,))
    columnar = _look_at_columns(document)
    if columnar is not None:
        return columnar
    if not _has_number(fields):
        return Look(None, why="an object without a number among its fields")
    if is_number(document.get(VALUE_KEY)) and _only_about_one_value(document):
        return Look("metric", (document,))
    deeper = {name: value for name, value in fields.items() if name not in document}
    return Look("nested" if _has_number(deeper) else "flat", (fields,))


def _look_at_uplink(document: dict[str, Any]) -> Look | None:
    """Uplinks of network servers of LoRaWAN, None for anything else."""
    about, uplink, ids = (document.get(key) for key in ("deviceInfo", "uplink_message", "end_device_ids"))
    dialect: DialectName
    if type(uplink) is dict and type(ids) is dict:
        dialect, values = "things_stack", uplink.get("decoded_payload")
    elif type(about) is dict and "devEui" in about:
        dialect, values = "chirpstack", document.get("object")
    else:
        return None
    if type(values) is not dict:
        return Look(None, why="an uplink without decoded values: the network server has no decoder for this device")
    if not _has_number(flatten(values)[0]):
        return Look(None, why="an uplink without a number among its decoded values")
    return Look(dialect, (flatten(document)[0],))


def _look_at_columns(document: dict[str, Any]) -> Look | None:
    """A column of times beside columns of numbers, None for anything else."""
    columns = {name: column for name, column in document.items() if type(column) is list and column}
    rows = {len(column) for column in columns.values()}
    if len(columns) < 2 or len(rows) != 1 or not any(any(map(is_number, column)) for column in columns.values()):
        return None
    if not any(all(map(is_time, column)) for column in columns.values()):
        return None
    # The keys of the device and the like stand beside the columns; a column stands for its first row.
    return Look("columnar", ({**document, **{name: column[0] for name, column in columns.items()}},))


def _only_about_one_value(document: Mapping[str, object]) -> bool:
    """Whether all beside `value` only describes it: a time, texts such as its unit, hardly anything else."""
    others = {name: value for name, value in document.items() if name != VALUE_KEY}
    numbers = [value for value in others.values() if is_number(value) and not is_time(value)]
    return len(others) <= METRIC_COMPANIONS and not numbers and not any(type(v) is dict for v in others.values())


def _has_number(fields: Mapping[str, object]) -> bool:
    return any(is_number(value) for value in fields.values())


def is_number(value: object) -> bool:
    """Whether a JSON value can be a measurement."""
    return isinstance(value, float | int)


def _is_switch(value: object) -> bool:
    return isinstance(value, str) and value in SWITCH_STATES
