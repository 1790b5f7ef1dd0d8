"""JSON fields -> channel values. A field that is no number is left out and counted; the others stay."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.document import NotFinite

NOTHING_DROPPED: Mapping[str, int] = {}
ONLY_FLOATS = {float}


class Decoded(NamedTuple):
    """What one payload held; `dropped` counts by reason the fields and rows that could not be used."""

    readings: list[Reading]
    dropped: Mapping[str, int] = NOTHING_DROPPED


def read_values(fields: dict[str, object]) -> tuple[Mapping[str, float], Mapping[str, int]]:
    """Channel values and what was dropped by reason; null is missing (NaN), true is 1.

    Raises PayloadError(no_values) where nothing is left.
    """
    if {*map(type, fields.values())} == ONLY_FLOATS:
        return fields, NOTHING_DROPPED  # type: ignore[return-value]  # the line above proves it
    values: dict[str, float] = {}
    dropped: Counter[str] = Counter()
    for channel, value in fields.items():
        if isinstance(value, float | int):
            values[channel] = float(value)
        elif value is None:
            values[channel] = math.nan
        else:
            dropped[drop_reason(value)] += 1
    if not values:
        raise PayloadError("no_values", "no field holds a number")
    return values, dropped or NOTHING_DROPPED


def drop_reason(value: object) -> str:
    """Why a field is no channel value."""
    if isinstance(value, str):
        return "text_value"
    return "non_finite_value" if isinstance(value, NotFinite) else "nested_value"
