"""The question about one event: itself, what people have said of it, and what happened before that was like it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from anomgan.adapters.ports import AuditEntry
from anomgan.adapters.sqlite_read import open_reader
from anomgan.similar import most_alike
from anomgan_dashboard.answers import Json, NotFound, Parameters, event_json, head, parse
from anomgan_dashboard.muted import mutes_json, mutes_of

MOST_COMPARED = 2000
"""events of the device or its model that are compared, the latest of them"""
MOST_SIMILAR = 8
FEEDBACK = ("feedback", "undo")


class EventQuery(Parameters):
    """One event."""

    id: str


def event(parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """One event with `similar` past ones, the most alike first; the `parts` of a fleet-wide one; what was `said` of it;
    the `mutes` in force.
    """
    query = parse(EventQuery, parameters)
    with open_reader(store) as reader:
        found = reader.event(query.id)
        if found is None:
            raise NotFound(f"no event {query.id!r} in the store")
        compared = reader.events(akin=found, end_s=found.start_s, limit=MOST_COMPARED)
        source = (found.site, found.device)
        return head(reader.summary(), store, now_s) | {
            "event": event_json(found),
            "similar": [
                {"likeness": round(alike, 3), **event_json(other)}
                for alike, other in most_alike(found, compared, MOST_SIMILAR)
            ],
            "parts": [event_json(one) for one in reader.events(part_of=found.id)] if found.members else [],
            "said": [said_json(entry) for entry in reader.audit(20, FEEDBACK, found.id)],
            "mutes": mutes_json(mutes_of(reader, source, now_s), source),
        }


def said_json(entry: AuditEntry) -> Json:
    """What somebody said of an event, and when; null = took it back."""
    return {"time_s": entry.time_s, "client": entry.client, "says": orjson.loads(entry.effect).get("says")}


EVENT_QUESTIONS: Mapping[str, Callable[[Mapping[str, str], Path, float], Json]] = {"event": event}
