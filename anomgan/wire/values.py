"""JSON fields -> channel values. A field that is no number is left out and counted; the others stay."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from anomgan.errors import PayloadError
from anomgan.records import Reading
from anomgan.wire.document import NotFinite

NOTHING_DROPPED: Mapping[str, int] = {}
NO_UNITS: Mapping[str, str] = {}
ONLY_FLOATS = {float}
SWITCH_STATES = {"ON": True, "OFF": False}


class Decoded(NamedTuple):
    """What one payload held; `dropped` counts by reason the fields and rows that could not be used.

    `units` are those that the payload itself names, channel -> unit. A payload that only introduces names (the birth
    of a Sparkplug device) has no readings.
    """

    readings: list[Reading]
    dropped: Mapping[str, int] = NOTHING_DROPPED
    units: Mapping[str, str] = NO_UNITS


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


def leave_out(fields: dict[str, object], names: Iterable[str]) -> Mapping[str, int]:
    """Take out fields that are no measurements, such as the quality of a radio link; what was dropped, by reason."""
    found = [name for name in names if name in fields]
    for name in found:
        del fields[name]
    return {"not_a_measurement": len(found)} if found else NOTHING_DROPPED


def switch_states(fields: dict[str, object]) -> dict[str, object]:
    """The fields with ON as true and OFF as false, for systems that write the state of a switch in these words."""
    return {
        name: SWITCH_STATES.get(value, value) if isinstance(value, str) else value for name, value in fields.items()
    }


def total(*dropped: Mapping[str, int]) -> Mapping[str, int]:
    """Several counts by reason as one."""
    some = [one for one in dropped if one]
    if len(some) < 2:
        return some[0] if some else NOTHING_DROPPED
    return sum(map(Counter, some), Counter())
