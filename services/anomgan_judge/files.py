"""The folder of a judgement: figures as JSON, faults and false alarms as CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from anomgan.adapters.files import write_bytes
from anomgan.judging import FaultRow, Report, ToldEvent
from anomgan.wire.event_json import iso_utc

FAULTS = (
    *("site", "device", "device_kind", "kind", "channels", "severity", "start", "end", "status", "event"),
    *("event_start", "told", "delay_s", "told_after_s", "already_open", "named_channels", "first_channel_right"),
)
ALARMS = (
    "id",
    "site",
    "device",
    "state",
    "severity",
    "start",
    "end",
    "told",
    "members",
    "channels",
    "during",
    "reason",
)


def write_report(folder: Path, report: Report, rules: Mapping[str, Any], unread: Mapping[str, int]) -> list[Path]:
    """report.json, faults.csv and false_alarms.csv; DataError where a file cannot be written."""
    document = {**report.figures(), "rules": dict(rules), "not_counted": dict(sorted(unread.items()))}
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    contents = {
        "report.json": orjson.dumps(document, option=options),
        "faults.csv": _csv(FAULTS, map(_fault, report.rows)),
        "false_alarms.csv": _csv(ALARMS, map(_alarm, report.false_alarms, report.during)),
    }
    for name, content in contents.items():
        write_bytes(folder / name, content)
    return [folder / name for name in contents]


def _fault(row: FaultRow) -> Sequence[object]:
    fault, event = row.fault, row.event
    return (
        *(fault.site, fault.device, row.device_kind, fault.kind, " ".join(fault.channels)),
        *(fault.severity, iso_utc(fault.start_s), iso_utc(fault.end_s)),
        row.aside or ("missed" if event is None else "found"),
        *(event and event.id, event and iso_utc(event.start_s), event and _told(event), row.delay_s, row.told_after_s),
        *(None if event is None else row.already_open, event and " ".join(event.channels), row.named),
    )


def _alarm(event: ToldEvent, during: str) -> Sequence[object]:
    return (
        *(event.id, event.site, event.device, event.state, event.severity, iso_utc(event.start_s)),
        *(iso_utc(event.end_s), _told(event), event.members or None, " ".join(event.channels), during, event.reason),
    )


def _told(event: ToldEvent) -> str | None:
    return None if event.told_s is None else iso_utc(event.told_s)


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    """None is an empty cell, a flag 0 or 1."""
    return "" if value is None else int(value) if isinstance(value, bool) else value
