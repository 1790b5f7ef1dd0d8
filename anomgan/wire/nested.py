"""Dialect `nested`: `{"ts": ..., "motor": {"temperature": 60.5}}`, whose channel is `motor.temperature`.

The keys of time and device may lie inside as well: `time_key = "meta.ts"`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import orjson

from anomgan.errors import DataError, PayloadError
from anomgan.records import Reading
from anomgan.wire.flat import flat_object
from anomgan.wire.payload_format import PayloadFormat, kind_of, read_flat, topic_of
from anomgan.wire.topics import Address
from anomgan.wire.values import Decoded, total

DEEPEST = 16


def read(document: object, form: PayloadFormat, address: Address, arrival_s: float) -> Decoded:
    """One reading; what lies deeper than 16 levels, or under a name that another field has, is counted and left out."""
    fields, dropped = flatten(document)
    decoded = read_flat(fields, form, address, arrival_s)
    return Decoded(decoded.readings, total(dropped, decoded.dropped)) if dropped else decoded


def flatten(document: object) -> tuple[dict[str, object], Mapping[str, int]]:
    """The innermost fields with dotted names, and what was dropped by reason; PayloadError(not_an_object)."""
    if type(document) is not dict:
        raise PayloadError("not_an_object", f"expected an object {{...}}, got {kind_of(document)}")
    fields: dict[str, object] = {}
    dropped: Counter[str] = Counter()
    _flatten(document, "", 1, fields, dropped)
    return fields, dropped


def _flatten(
    branch: dict[str, object], prefix: str, depth: int, fields: dict[str, object], dropped: Counter[str]
) -> None:
    for key, value in branch.items():
        name = prefix + key
        if type(value) is dict:
            if depth < DEEPEST:
                _flatten(value, name + ".", depth + 1, fields, dropped)
            else:
                dropped["nested_value"] += 1
        elif name in fields:
            dropped["duplicate_channel"] += 1
        else:
            fields[name] = value


def write(readings: Sequence[Reading], form: PayloadFormat) -> list[tuple[str, bytes]]:
    """One message per reading, dots in channel names opened into objects; DataError where that cannot be undone."""
    return [(topic_of(reading, form), orjson.dumps(nest(flat_object(reading, form)))) for reading in readings]


def nest(fields: Mapping[str, object]) -> dict[str, object]:
    """Dotted names opened into objects; DataError where `flatten` could not undo it."""
    tree: dict[str, object] = {}
    for name, value in fields.items():
        *path, leaf = name.split(".")
        branch = tree
        for part in path:
            inner = branch.setdefault(part, {})
            if not isinstance(inner, dict):
                raise DataError(f"channel {name!r} cannot lie inside {part!r}, which is a channel itself")
            branch = inner
        if leaf in branch or len(path) >= DEEPEST:
            raise DataError(f"channel {name!r} is nested too deeply or is the parent of another channel")
        branch[leaf] = value
    return tree
