"""Payload bytes -> what they say: records of the ground truth, and events of ours or of a foreign detector.

Truth, as `anomgan simulate` tells it: `{"state": "begin" | "end", "device", "site", "kind", "channels", "start_s",
"end_s"}`, with a `domain` where it is no fault of sensor or machine; and of the run as a whole `{"state": "run",
"start_s", "until_s", "devices": [{"site", "kind", "name", "count"}]}`, at its start, every few seconds and at its end.

An event is a JSON object with `device` (or a topic that has it) and `start`; `end`, `state`, `id`, `site`, `channels`,
`severity` and `reason` may be there. Times are seconds, milliseconds or finer, told apart by their size, or ISO 8601.
Other names for these keys can be given. While an event is open, the `end` that a foreign detector tells of it is a
plan, and no end; nor is one in the year 1 or from the year 9000 on, which is a database's word for none.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from anomgan.errors import PayloadError
from anomgan.judging.told import AlarmState, Part, Run, ToldEvent, TrueFault
from anomgan.wire.document import parse_document
from anomgan.wire.topics import LONGEST_NAME, Address, check_name

KEYS = ("id", "device", "site", "state", "start", "end", "channels", "severity", "reason")
"""of an event, that a foreign detector may call otherwise"""
SYNONYMS: dict[AlarmState, tuple[str, ...]] = {
    "open": ("open", "opened", "begin", "start", "started", "on", "active", "firing", "alerting", "alarm"),
    "closed": ("closed", "close", "end", "ended", "off", "clear", "cleared", "resolved", "ok", "normal"),
    "muted": ("muted",),
    "false_alarm": ("false_alarm",),
}
STATES = {word: state for state, words in SYNONYMS.items() for word in words}
NO_ADDRESS = Address("", "", "")
MOST_DEVICES = 1_000_000
FINER = ((2.6e17, 1e9), (2.6e14, 1e6), (2.6e11, 1e3))
"""a number from here on counts so many to the second: 2.6e11 s is beyond the year 9999, as ms they are 1978"""
NO_YEAR_S = (-62_104_060_800.0, 221_845_392_000.0)
"""an end before the first, or from the second on, is none: the years 2 and 9000"""
LONGEST_ID, LONGEST_REASON, LONGEST_SEVERITY, LONGEST_CHANNELS = 200, 500, 100, 1000
"""letters that are kept of an event; a longer identifier is refused, for it would tell events apart no more"""


def decode_truth(payload: bytes) -> TrueFault | Run:
    """One record of the ground truth; PayloadError with a reason to count by."""
    document = _object(payload)
    state = document.get("state")
    if state == "run":
        return _run(document)
    if state not in ("begin", "end"):
        raise PayloadError("bad_state", f"the state of a fault is begin or end, not {state!r}")
    domain = _text(document, "domain")
    endless = bool(domain) and document.get("end_s") is None and document.get("end") is None
    start_s, end_s = _required(document, "start"), math.inf if endless else _required(document, "end")
    if end_s < start_s:
        raise PayloadError("end_before_start", f"the fault ends at {end_s} before its start {start_s}")
    severity = document.get("severity")
    return TrueFault(
        _text(document, "site"),
        check_name("device", document.get("device")),
        check_name("kind", document.get("kind")),
        _names(document.get("channels")),
        start_s,
        end_s,
        float(severity) if isinstance(severity, int | float) and not isinstance(severity, bool) else None,
        state == "end",
        domain,
    )


def decode_event(payload: bytes, keys: Mapping[str, str] | None = None, address: Address = NO_ADDRESS) -> ToldEvent:
    """One record of an event. keys: our name -> theirs, see KEYS; address: what the topic says of site and device.

    Without `state`, an event with an `end` is closed, one whose `end` is null goes on, and one that knows no `end` is
    a moment. Without `id`, device and start tell events apart. The first record of an open event says in its `end_s`
    how far it had gone when it was told.
    """
    document, theirs = _object(payload), dict(keys or {})

    def said(name: str) -> Any:
        return document.get(theirs.get(name, name))

    def moment(name: str) -> float | None:
        exact = None if name in theirs else document.get(f"{name}_s")
        return _moment(exact if exact is not None else said(name), theirs.get(name, name), ends=name == "end")

    device = check_name("device", said("device") if said("device") is not None else address.device or None)
    site = said("site") if said("site") is not None else address.site or None
    if site is not None and (not isinstance(site, str) or len(site) > LONGEST_NAME):
        raise PayloadError("bad_site_name", f"site name {site!r:.60} is no text of at most {LONGEST_NAME} letters")
    identifier = said("id")
    if identifier is not None and len(identifier := str(identifier)) > LONGEST_ID:
        raise PayloadError("bad_id", f"the id {identifier:.20}... has more than {LONGEST_ID} letters")
    start_s, end_s = moment("start"), moment("end")
    if start_s is None:
        start_s = _moment(document.get("time", document.get("ts")), "time")
    if start_s is None:
        raise PayloadError("no_start", f"no {theirs.get('start', 'start')!r}: when does the event begin?")
    knows_end = theirs.get("end", "end") in document or "end_s" in document
    state = _state(said("state"), "closed" if end_s is not None else "open" if knows_end else "closed")
    if end_s is not None and end_s < start_s:
        raise PayloadError("end_before_start", f"the event ends at {end_s} before its start {start_s}")
    if state == "open" and ("end" in theirs or document.get("end_s") is None):
        end_s = None
    first_told_s = end_s if state == "open" else None
    members = document.get("members")
    return ToldEvent(
        id=f"{device}@{start_s!r}" if identifier is None else identifier,
        site=site,
        device=device,
        state=state,
        start_s=start_s,
        end_s=start_s if end_s is None else end_s,
        told_s=first_told_s,
        alarm=state != "muted",
        channels=_names(said("channels")),
        severity=str(said("severity") or "")[:LONGEST_SEVERITY],
        reason=str(said("reason") or "")[:LONGEST_REASON],
        members=members if isinstance(members, int) and not isinstance(members, bool) else 0,
    )


def _object(payload: bytes) -> dict[str, Any]:
    document = parse_document(payload)
    if not isinstance(document, dict):
        raise PayloadError("not_an_object", "the payload is not a JSON object")
    return document


def _run(document: Mapping[str, Any]) -> Run:
    parts, devices = [], document.get("devices")
    for one in devices if isinstance(devices, list) else ():
        count = one.get("count", 0) if isinstance(one, dict) else -1
        if not isinstance(count, int) or not 0 <= count <= MOST_DEVICES:
            raise PayloadError("bad_devices", f"a run's devices have a name and a count, not {one!r:.60}")
        name = check_name("device", one.get("name"))
        parts.append(Part(_text(one, "site"), _text(one, "kind"), name, count))
    if sum(part.count for part in parts) > MOST_DEVICES:
        raise PayloadError("bad_devices", f"a run of more than {MOST_DEVICES:,} devices")
    start_s, until_s = _required(document, "start"), _required(document, "until")
    if not parts or until_s < start_s:
        raise PayloadError("bad_run", "a run has devices, and lasts from its start until later")
    return Run(start_s, until_s, tuple(parts), document.get("ended") is True)


def _state(value: object, otherwise: AlarmState) -> AlarmState:
    if value is None:
        return otherwise
    if isinstance(value, bool):
        return "open" if value else "closed"
    found = STATES.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise PayloadError("bad_state", f"the state {value!r:.60} is none of {', '.join(STATES)}")
    return found


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_NAME):
        raise PayloadError(f"bad_{key}_name", f"{key} {value!r:.60} is no text of at most {LONGEST_NAME} letters")
    return value or ""


def _names(value: object) -> tuple[str, ...]:
    """Channels as a list of names, as objects that have one, or as text with commas; the first of very many."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    names, letters = [], 0
    for one in value if isinstance(value, list) else ():
        name = one.get("channel", one.get("name")) if isinstance(one, dict) else one
        if isinstance(name, str):
            letters += len(name) + 1
            if letters > LONGEST_CHANNELS:
                break
            names.append(name)
    return tuple(names)


def _required(document: Mapping[str, Any], name: str) -> float:
    exact = document.get(f"{name}_s")
    time_s = _moment(exact if exact is not None else document.get(name), name)
    if time_s is None:
        raise PayloadError(f"no_{name}", f"no {name!r}")
    return time_s


def _moment(value: object, name: str, *, ends: bool = False) -> float | None:
    """A time in seconds, None for none; ends: whether one in the year 1 or from 9000 on is none too."""
    if value is None:
        return None
    time_s = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        time_s = next((value / per_second for least, per_second in FINER if value >= least), float(value))
    elif isinstance(value, str):
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            raise PayloadError("bad_time", f"{name} {value!r:.60} is not ISO 8601") from None
        time_s = (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    if ends and (time_s < NO_YEAR_S[0] or NO_YEAR_S[1] <= time_s < FINER[-1][0]):
        return None
    if not 0.0 <= time_s < 2.5e11:
        raise PayloadError("bad_time", f"{name} {value!r:.60} is neither a time in seconds nor ISO 8601 text")
    return time_s
