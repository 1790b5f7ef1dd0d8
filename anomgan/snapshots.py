"""What a snapshot's JSON holds, read back into records, and refused where a value is not what was written.

A snapshot is bytes from a file. What does not fit raises one of UNREADABLE here, before anything has changed; the
`restore` that asked makes a DataError of it, which says what of.
"""

from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from anomgan.records import Event

T = TypeVar("T")
Record = TypeVar("Record")
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""what reading a document raises that is not as it was written"""
END_OF_TIME_S = 1e11
"""the year 5138: no event is later, and no clock or calendar fails before"""


def typed(document: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """What stands under a key, with tuples for arrays; KeyError where nothing does, TypeError for another type."""
    value = tuples(document[key])
    if not fits(value, kind):
        raise TypeError(f"{key} is of another type")
    return value  # type: ignore[no-any-return]  # it has just been looked at


def checked(record: Record) -> Record:
    """The record; TypeError where a field is not of its type."""
    for field in fields(record):  # type: ignore[arg-type]  # every record is a dataclass
        if not fits(getattr(record, field.name), field.type):
            raise TypeError(f"{field.name} of {type(record).__name__} is of another type")
    return record


def fits(value: object, kind: object) -> bool:
    """Whether a value is of a type, for the types that records have; NaN is a number."""
    if kind is float:
        return type(value) is float or type(value) is int
    if kind is int:
        return type(value) is int and abs(value) < 2**53
    origin, of = get_origin(kind), get_args(kind)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if of[-1] is Ellipsis:
            return all(fits(one, of[0]) for one in value)
        return len(value) == len(of) and all(map(fits, value, of))
    if origin is dict:
        return isinstance(value, dict) and all(fits(key, of[0]) and fits(one, of[1]) for key, one in value.items())
    if origin is Literal:
        return isinstance(value, str) and value in of
    if origin is Union or origin is UnionType:
        return any(fits(value, one) for one in of)
    return isinstance(value, kind if origin is None else origin)  # type: ignore[arg-type]  # a class, or an array's


def tuples(value: Any) -> Any:
    """A JSON value with tuples for arrays."""
    if isinstance(value, list):
        return tuple(tuples(one) for one in value)
    if isinstance(value, dict):
        return {key: tuples(one) for key, one in value.items()}
    return value


def known(value: Any) -> Any:
    """A field of a record from JSON, which has no NaN: what is unknown is null in it."""
    if isinstance(value, list):
        return tuple(known(one) for one in value)
    return float("nan") if value is None else value


def text(name: object) -> str:
    """A name; TypeError for what is none."""
    if not isinstance(name, str):
        raise TypeError("a name is no text")
    return name


def timely(*times_s: float) -> None:
    """ValueError unless all are times: no NaN, and none beyond what a calendar has."""
    if not all(abs(time_s) < END_OF_TIME_S for time_s in times_s):
        raise ValueError("a time is none")


def event_from(document: Mapping[str, Any]) -> Event:
    """An event as orjson writes it, read back; TypeError or ValueError for anything else."""
    event = checked(Event(**{name: known(value) for name, value in document.items()}))
    many = len(event.channels)
    if any(len(told) != many for told in (event.observed, event.expected, event.contributions)):
        raise ValueError("an event does not tell as much of every channel")
    if len(event.units) not in (0, many):
        raise ValueError("an event does not have a unit for every channel")
    timely(event.start_s, event.end_s, event.peak_s, *(since_s for _, since_s in event.onsets))
    return event
