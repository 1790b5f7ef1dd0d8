"""Faults of the ground truth as Grafana's annotations: regions from start to end, with tags and a text. Pure.

annotation(fault)        the JSON body of `POST /api/annotations`; times are milliseconds
annotation_line(fault)   a point of InfluxDB's measurement `truth`, of which an annotation query makes the same region:

    SELECT title, text, tags, timeEnd FROM truth WHERE $timeFilter

with the columns named so under "Field mappings". A fault told at its beginning has its planned end; told again at its
end it overwrites the point. `Newest` keeps a beginning that comes late from undoing that.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from anomgan.judging import TrueFault
from anomgan.wire.line_protocol import escape_name, quote

MEASUREMENT = "truth"
MARK = "anomgan-truth"
"""a tag of every annotation, to show or delete them by"""
LONGEST_TAG = 100
"""of Grafana's database"""
MOST_KNOWN = 100_000


@dataclass(slots=True)
class Newest:
    """Which records of faults say something new; of MOST_KNOWN faults at most it is remembered what was told last.

    faults: how many there were; forgotten: how many of them are no longer remembered.
    """

    faults: int = 0
    forgotten: int = 0
    _known: dict[tuple[object, ...], tuple[bool, float]] = field(default_factory=dict)

    def is_news(self, record: TrueFault) -> bool:
        """Whether it is more than was known; not so a repeated one, or a beginning after the end."""
        says, known = (record.ended, record.end_s), self._known.pop(record.key, None)
        self._known[record.key] = says if known is None else max(says, known)
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
            self.forgotten += 1
        self.faults += known is None
        return known is None or says > known


def annotation(fault: TrueFault, dashboard: str = "", panel: int | None = None) -> dict[str, Any]:
    """The body. Without a dashboard's UID it is one of the organisation, shown wherever its tags are asked for."""
    where: dict[str, Any] = {"dashboardUID": dashboard} if dashboard else {}
    if panel is not None:
        where["panelId"] = panel
    end = {"timeEnd": _milliseconds(fault.end_s)} if math.isfinite(fault.end_s) else {}
    return where | {"time": _milliseconds(fault.start_s), **end, "tags": tags(fault), "text": text(fault)}


def annotation_line(fault: TrueFault) -> str:
    """Line protocol with a timestamp in microseconds; the tags are what tells two faults apart."""
    identity = {"site": fault.site, "device": fault.device, "kind": fault.kind, "channels": " ".join(fault.channels)}
    series = MEASUREMENT + "".join(f",{key}={escape_name(value)}" for key, value in identity.items() if value)
    severity = "" if fault.severity is None else f",severity={fault.severity!r}"
    end = f",timeEnd={_milliseconds(fault.end_s)}i" if math.isfinite(fault.end_s) else ""
    return (
        f"{series} title={quote(fault.kind)},text={quote(text(fault))},tags={quote(','.join(tags(fault)))}"
        f"{end}{severity} {round(fault.start_s * 1e6)}"
    )


def text(fault: TrueFault) -> str:
    """`north/pump-1: stuck of flow, severity 1`; the same at the beginning and at the end."""
    where = f"{fault.site}/{fault.device}" if fault.site else fault.device
    which = f" of {', '.join(fault.channels)}" if fault.channels else ""
    how = "" if fault.severity is None else f", severity {fault.severity:g}"
    return f"{where}: {fault.kind}{which}{how}"


def tags(fault: TrueFault) -> list[str]:
    """To filter by. A comma would part a tag where they stand in one column."""
    named = ((fault.domain or "fault", fault.kind), ("device", fault.device), ("site", fault.site))
    return [MARK, *(f"{key}:{value}".replace(",", " ")[:LONGEST_TAG] for key, value in named if value)]


def _milliseconds(time_s: float) -> int:
    return round(time_s * 1000)
