"""What is remembered of one event besides itself, how it is shown, and when it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from anomgan.alarms.cool_down import RANK
from anomgan.records import Event, EventState, Severity
from anomgan.snapshots import checked, event_from, timely

Mark = Literal["", "false-alarm", "real", "maintenance"]
"""what a person has said of an event"""
SAYS, MAINTENANCE, CONFIRMED = ", says ", "maintenance", "confirmed"
"""as notes have it"""


@dataclass(frozen=True, slots=True)
class Tracked:
    """An event as deciding has it (`event`: open or closed), and what goes with it.

    base: the event that it goes on from, by cool-down; muted: why nobody is told, "" = nothing speaks against it;
    part_of: the fleet-wide event; mark, client: what was said of it and by whom; told: the state that others know, ""
    before they know any; told_severity, told_members: as they know them; held_s: the service's time until which it
    waits, None if it does not; opened_s: event time when it opened.
    """

    event: Event
    fleet: str
    base: Event | None = None
    muted: str = ""
    part_of: str = ""
    mark: Mark = ""
    client: str = ""
    told: EventState | Literal[""] = ""
    told_severity: Severity = "minor"
    told_members: int = 0
    held_s: float | None = None
    opened_s: float = 0.0

    @property
    def open(self) -> bool:
        """Whether the event goes on."""
        return self.event.state == "open"

    def shown(self) -> Event:
        """The event as it is stored and told."""
        said = f"{SAYS}{self.client}" if self.client else ""
        if self.mark == "false-alarm":
            return replace(self.event, state="false_alarm", note=f"false alarm{said}", part_of=self.part_of)
        if self.mark == "maintenance":
            return replace(self.event, state="muted", note=f"{MAINTENANCE}{said}", part_of=self.part_of)
        if self.muted:
            return replace(self.event, state="muted", note=self.muted, part_of=self.part_of)
        notes = [self.event.note, f"{CONFIRMED}{said}" if self.mark == "real" else ""]
        return replace(self.event, note="; ".join(filter(None, notes)), part_of=self.part_of)


def mark_of(shown: Event) -> Mark:
    """What a person has said of an event, from how it is shown; the maintenance calendar is no person."""
    if shown.state == "false_alarm":
        return "false-alarm"
    if shown.state == "muted":
        return "maintenance" if shown.note == MAINTENANCE or shown.note.startswith(MAINTENANCE + SAYS) else ""
    last = shown.note.split("; ")[-1] if SAYS not in shown.note else shown.note.split(SAYS)[0].split("; ")[-1]
    return "real" if last == CONFIRMED else ""


def telling(tracked: Tracked) -> tuple[Tracked, list[Event]]:
    """What others have to be told now that the event is as it is, in order; the event after that.

    They are told what is open, once, and again when it is worse or, fleet-wide, in twice as many devices; and what
    became of anything that they believe to be open.
    """
    shown = tracked.shown()
    if tracked.held_s is not None and not (shown.state == "closed" and not shown.part_of):
        if shown.state == "open" and not shown.part_of:
            return tracked, []
        tracked = replace(tracked, held_s=None)  # muted or part of another meanwhile: nobody waits for it any more
    known = tracked.told
    worse = RANK[shown.severity] > RANK[tracked.told_severity]
    if shown.state == "open" and not shown.part_of:
        more = 0 < tracked.told_members * 2 <= shown.members
        told = [shown] if known in ("", "muted", "false_alarm") or worse or (more and known == "open") else []
    elif shown.state == "closed" and tracked.held_s is not None:
        told = [replace(shown, state="open"), shown]  # over before its time of waiting was
        tracked = replace(tracked, held_s=None)
    elif known == "open" and shown.state == "open":  # so that nobody waits for the end of what is told elsewhere
        told = [replace(shown, state="muted", note=f"one of many: {shown.part_of}")]
    else:
        told = [shown] if known == "open" else []
    if not told:
        return tracked, []
    last = told[-1]
    return replace(tracked, told=last.state, told_severity=last.severity, told_members=last.members), told


def tracked_from(document: Mapping[str, Any]) -> Tracked:
    """What orjson has written of one, read back; TypeError or ValueError for anything else."""
    base = document["base"]
    parts = {**document, "event": event_from(document["event"]), "base": None if base is None else event_from(base)}
    tracked = checked(Tracked(**parts))
    timely(tracked.opened_s, 0.0 if tracked.held_s is None else tracked.held_s)
    if any(one.state not in ("open", "closed") for one in (tracked.event, tracked.base) if one is not None):
        raise ValueError("an event is neither open nor closed")
    if tracked.base is not None and tracked.base.id != tracked.event.id:
        raise ValueError("an event goes on from one of another name")
    if tracked.held_s is not None and not tracked.open:
        raise ValueError("an event that is over waits to be told")
    return tracked
