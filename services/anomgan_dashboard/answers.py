"""The questions of the API, each with its query model and its answer; plain functions without HTTP."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomgan.adapters.sqlite_read import DeviceState, Summary, open_reader
from anomgan.alarms.tracked import mark_of
from anomgan.errors import Unreachable
from anomgan.records import Event, EventState, HealthIssue, Source
from anomgan_dashboard.columns import history_json, issue_json
from anomgan_dashboard.muted import mutes_json, mutes_of

Json = dict[str, Any]
MOST_ISSUES = 1000
"""of a device in a stretch of time"""
Query = TypeVar("Query", bound=BaseModel)


class BadQuery(Exception):
    """A query parameter is wrong; the message names it."""


class NotFound(Exception):
    """There is no such device or event."""


class Parameters(BaseModel):
    """Query parameters: nothing unknown, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NoQuery(Parameters):
    """Takes nothing."""


class FleetQuery(Parameters):
    """`since`: only what changed after that revision of that store."""

    since: int = -1
    store: str = ""


class DeviceQuery(Parameters):
    """One device over the `last` seconds of the store's time, or `start`..`end`, or all there is."""

    device: str = Field(min_length=1)
    site: str = ""
    last: float | None = Field(None, gt=0)
    start: float | None = None
    end: float | None = None
    points: int = Field(800, ge=10, le=4000)
    since: int = -1
    store: str = ""


class EventsQuery(Parameters):
    """A page of the event log; `before` is the id of the last event of the page above."""

    site: str = ""
    device: str | None = None
    state: EventState | None = None
    start: float | None = None
    end: float | None = None
    before: str | None = None
    limit: int = Field(100, ge=1, le=1000)


def answer(name: str, parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """The JSON answer to a question; raises BadQuery, NotFound, Unreachable (nothing stored yet) or ServerError."""
    return QUESTIONS[name](parameters, store, now_s)


def parse(model: type[Query], parameters: Mapping[str, str]) -> Query:
    """Checked query parameters."""
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadQuery(f"{where}: {first['msg']}") from None


def summary(parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """The store as a whole, with the detector's counters."""
    parse(NoQuery, parameters)
    with open_reader(store) as reader:
        whole = reader.summary()
        return head(whole, store, now_s) | {
            "devices": whole.devices,
            "open_events": whole.open_events,
            "counters": reader.counters(),
        }


def fleet(parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """Every device, or those that changed since the caller asked last; `whole` says which."""
    query = parse(FleetQuery, parameters)
    try:
        with open_reader(store) as reader:
            total = reader.summary()
            whole = head(total, store, now_s)
            since = query.since if query.store == total.store_id else -1
            wrong = by_source(reader.issues())
            devices = [
                device_json(device, wrong.get((device.site, device.device), ()), whole)
                for device in reader.fleet(since, now_s)
            ]
    except Unreachable:
        return nothing(now_s) | {"whole": True, "devices": []}
    return whole | {"whole": since < 0, "devices": devices}


def device(parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """One device: its state, its history for charts, the events within it and its latest events."""
    query = parse(DeviceQuery, parameters)
    if query.start is not None and query.end is not None and query.start >= query.end:
        raise BadQuery("start: must be before end")
    with open_reader(store) as reader:
        total = reader.summary()
        state = reader.device(query.site, query.device, now_s)
        if state is None:
            raise NotFound(f"no device {query.device!r} of site {query.site!r} in the store")
        start_s, end_s = time_range(query, state, total)
        issues = reader.issues((query.site, query.device))
        told = head(total, store, now_s)
        told |= {"device": device_json(state, issues, told), "start": start_s, "end": end_s}
        if query.store == total.store_id and state.revision <= query.since:
            return told | {"changed": False}
        past = reader.history(query.site, query.device, start_s, end_s, query.points)
        source = (query.site, query.device)
        within = reader.events(source=source, start_s=start_s, end_s=end_s, limit=500)
        recent = reader.events(source=source, limit=30)
        wrong = reader.issues(source, only_open=False, start_s=start_s, end_s=end_s, limit=MOST_ISSUES)
        muted = mutes_of(reader, source, now_s)
    return told | {
        "changed": True,
        "history": history_json(past) if past is not None else None,
        "events": [event_json(event) for event in within],
        "recent": [event_json(event) for event in recent],
        "issues": [issue_json(issue) for issue in wrong],
        "mutes": mutes_json(muted, source),
    }


def time_range(query: DeviceQuery, state: DeviceState, total: Summary) -> tuple[float, float]:
    """What `last`, `start` and `end` mean: "now" is the newest event time of the fleet, not the clock's."""
    newest = total.newest_s if total.newest_s is not None else 0.0
    end_s = query.end if query.end is not None else newest
    if query.last is not None:
        return end_s - query.last, end_s
    if query.start is not None:
        return query.start, end_s
    first = state.first_s if state.first_s == state.first_s else newest
    return min(first, end_s), end_s


def events(parameters: Mapping[str, str], store: Path, now_s: float) -> Json:
    """A page of the event log, latest start first."""
    query = parse(EventsQuery, parameters)
    try:
        with open_reader(store) as reader:
            total = reader.summary()
            found = reader.events(
                source=None if query.device is None else (query.site, query.device),
                state=query.state,
                start_s=float("-inf") if query.start is None else query.start,
                end_s=float("inf") if query.end is None else query.end,
                before=query.before,
                limit=query.limit + 1,
            )
    except Unreachable:
        return nothing(now_s) | {"events": [], "more": False}
    told = [event_json(event) for event in found[: query.limit]]
    return head(total, store, now_s) | {"events": told, "more": len(found) > query.limit}


QUESTIONS: Mapping[str, Callable[[Mapping[str, str], Path, float], Json]] = {
    "summary": summary,
    "fleet": fleet,
    "device": device,
    "events": events,
}


def head(total: Summary, store: Path, now_s: float) -> Json:
    """What every answer begins with; `now_s` is the clock's time, and `idle_s` how long ago the store was written."""
    files = [path.stat() for path in (store, Path(f"{store}-wal")) if path.exists()]
    written = [file.st_mtime for file in files if file.st_size > 0]  # a reader too may make the log, an empty one
    return {
        "store": total.store_id,
        "revision": total.revision,
        "newest_s": total.newest_s,
        "idle_s": max(0.0, now_s - max(written, default=now_s)),
        "now_s": now_s,
    }


def nothing(now_s: float) -> Json:
    """What an answer begins with where nothing is stored yet."""
    return {"store": "", "revision": -1, "newest_s": None, "idle_s": None, "now_s": now_s}


def by_source(issues: Sequence[HealthIssue]) -> dict[Source, list[HealthIssue]]:
    """Issues by their device."""
    found: dict[Source, list[HealthIssue]] = {}
    for issue in issues:
        found.setdefault((issue.site, issue.device), []).append(issue)
    return found


def device_json(state: DeviceState, issues: Sequence[HealthIssue], whole: Json) -> Json:
    """A device as the page wants it, in an answer that begins with `whole`.

    `seen_s`: when it was heard last, by the clock of `now_s`; `health`: what is wrong with its data, if anything.
    """
    opened, seen_s = state.open_event, state.heard_s
    if seen_s != seen_s:  # nothing has said so: as long before the newest of all as its own clock says
        seen_s = whole["now_s"] - whole["idle_s"] - ((whole["newest_s"] or 0.0) - state.time_s)
    return {
        "site": state.site,
        "device": state.device,
        "state": state.state,
        "model": state.model,
        "first_s": state.first_s,
        "time_s": state.time_s,
        "seen_s": seen_s,
        "surprise": state.surprise,
        "threshold": state.threshold,
        "revision": state.revision,
        "trail": state.trail.round(2),
        "event": None if opened is None else event_json(opened),
        "health": [
            {"kind": issue.kind, "channel": issue.channel, "since_s": issue.start_s, "reason": issue.reason}
            for issue in issues
        ],
    }


def event_json(event: Event) -> Json:
    """An event as the page wants it."""
    units = event.units or ("",) * len(event.channels)
    told = zip(event.channels, units, event.observed, event.expected, event.contributions, strict=True)
    names = ("name", "unit", "observed", "expected", "contribution")
    return {
        "id": event.id,
        "site": event.site,
        "device": event.device,
        "state": event.state,
        "severity": event.severity,
        "start_s": event.start_s,
        "end_s": event.end_s,
        "peak": event.peak,
        "peak_s": event.peak_s,
        "threshold": event.threshold,
        "model": event.model,
        "reason": event.reason,
        "note": event.note,
        "part_of": event.part_of,
        "members": event.members,
        "said": mark_of(event),
        "onsets": [{"name": name, "time_s": since_s} for name, since_s in event.onsets],
        "channels": [dict(zip(names, channel, strict=True)) for channel in told],
    }
