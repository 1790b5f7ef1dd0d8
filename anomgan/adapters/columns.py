"""The columns of a table file: what channel and unit each spells, which one is called so, which one is the time."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomgan.errors import DataError

if TYPE_CHECKING:
    from anomgan.adapters.tables import Table

TIME_NAMES = {
    "time",
    "timestamp",
    "datetime",
    "date",
    "ts",
    "time_s",
    "time_ms",
    "timestamp_ms",
    "zeit",
    "zeitstempel",
}
_BRACKETED = re.compile(r"(.*\S)\s*(?:\[([^\[\]]+)\]|\(([^()]+)\))")
_SIMPLE_UNIT = (
    r"(?:1|%|%RH|°|[pnuµmchkMG]?(?:[gmslLAVWNJKCFSt]|Pa|bar|Hz|Wh|VA|Nm|B|Ω|ohm)|°[CF]|deg[CF]?|d|h|in|ft|min|psi|rpm|"
    r"ppm|ppb|rad|lx|lux|var)[23²³]?"
)
_UNIT = re.compile(rf"{_SIMPLE_UNIT}(?:[/*·]{_SIMPLE_UNIT})*")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name in the file, and the channel and unit that it spells."""

    column: str
    channel: str
    unit: str = ""


def spell(names: Sequence[str]) -> list[Column]:
    """Channel and unit of every column: `flow [l/min]`, or `flow (l/min)` where that reads as a unit.

    Brackets stay part of the name where two columns differ in nothing else, such as `flow (in)` and `flow (out)`.
    """
    matches = [_BRACKETED.fullmatch(name) for name in names]
    stems = [match[1] if match else name for match, name in zip(matches, names, strict=True)]
    spelled = []
    for name, match, stem in zip(names, matches, stems, strict=True):
        unit = (match[2] or match[3]).strip() if match else ""
        sure = match is not None and stems.count(stem) == 1 and (match[2] or _UNIT.fullmatch(unit))
        spelled.append(Column(name, stem, unit) if sure else Column(name, name))
    return spelled


def find(path: str, columns: Sequence[Column], name: str) -> Column:
    """The column called so, with or without its unit; DataError names the nearest."""
    for column in columns:
        if name in (column.column, column.channel):
            return column
    near = difflib.get_close_matches(name, [c.column for c in columns], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise DataError(f"{path}: no column {name!r}; {hint}columns: {', '.join(c.column for c in columns)}")


def find_time(table: "Table", free: Sequence[Column]) -> Column | None:
    """The column of the times by the rule in `read_series`; DataError where several could be it."""
    from anomgan.adapters.cells import is_row_number, looks_like_dates

    named = [c for c in free if c.channel.lower() in TIME_NAMES]
    candidates = named or [c for c in free if looks_like_dates(table.frame[c.column])]
    if len(candidates) > 1:
        names = " and ".join(repr(c.column) for c in candidates)
        raise DataError(f"{table.path}: columns {names} could each be the time; say which")
    if candidates:
        return candidates[0]
    first, *others = table.frame.columns
    counts = others and free and free[0].column == first and is_row_number(table.frame[first])
    return free[0] if counts else None
