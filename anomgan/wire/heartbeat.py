"""The service's sign of life: JSON for MQTT and a line for InfluxDB.

anomgan_heartbeat   uptime_s,connected,silent_s,devices,open_events,journal_bytes,letters_waiting,dropped,wrong
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from anomgan.wire.event_json import iso_utc


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that is wrong with the service, since when."""

    key: str
    since_s: float
    words: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How the service does at one time."""

    time_s: float
    uptime_s: float
    connected: bool
    silent_s: float
    devices: int
    open_events: int
    journal_bytes: int
    waiting: Mapping[str, int]
    wrong: Sequence[Wrong]
    counters: Mapping[str, int]


def encode_heartbeat(beat: Heartbeat) -> bytes:
    """A heartbeat as a JSON object."""
    return orjson.dumps(
        {
            "time": iso_utc(beat.time_s),
            "time_s": beat.time_s,
            "uptime_s": round(beat.uptime_s, 3),
            "connected": beat.connected,
            "silent_s": round(beat.silent_s, 3),
            "devices": beat.devices,
            "open_events": beat.open_events,
            "journal_bytes": beat.journal_bytes,
            "letters_waiting": beat.waiting,
            "wrong": _wrong(beat.wrong),
            "counters": beat.counters,
        }
    )


def encode_wrong(wrong: Sequence[Wrong], time_s: float) -> bytes:
    """All that is wrong now, as a JSON object; an empty list means that all is well."""
    return orjson.dumps({"time": iso_utc(time_s), "wrong": _wrong(wrong)})


def heartbeat_line(beat: Heartbeat) -> str:
    """The `anomgan_heartbeat` line; `dropped` is the sum over all reasons, of which each has a counter of its own."""
    dropped = sum(count for name, count in beat.counters.items() if name.startswith("dropped."))
    fields = (
        f"uptime_s={beat.uptime_s!r},connected={'true' if beat.connected else 'false'},silent_s={beat.silent_s!r},"
        f"devices={beat.devices}i,open_events={beat.open_events}i,journal_bytes={beat.journal_bytes}i,"
        f"letters_waiting={sum(beat.waiting.values())}i,dropped={dropped}i,wrong={len(beat.wrong)}i"
    )
    return f"anomgan_heartbeat {fields} {round(beat.time_s * 1e6)}"


def _wrong(wrong: Sequence[Wrong]) -> list[dict[str, object]]:
    return [{"what": one.key, "since": iso_utc(one.since_s), "words": one.words} for one in wrong]
