"""Events as JSON for MQTT: what opens, worsens and closes, with the plain sentence."""

from datetime import UTC, datetime

import orjson

from anomgan.records import DeviceHealth, Event, Source


def encode_event(event: Event) -> bytes:
    """One event as a JSON object; times in seconds and as ISO 8601; a missing number is null."""
    units = event.units or ("",) * len(event.channels)
    channels = [
        {"channel": name, "observed": seen, "expected": meant, "contribution": share, "unit": unit}
        for name, seen, meant, share, unit in zip(
            event.channels, event.observed, event.expected, event.contributions, units, strict=True
        )
    ]
    document = {
        "id": event.id,
        "device": event.device,
        "site": event.site,
        "state": event.state,
        "severity": event.severity,
        "reason": event.reason,
        "start": iso_utc(event.start_s),
        "end": None if event.state == "open" else iso_utc(event.end_s),
        "start_s": event.start_s,
        "end_s": event.end_s,
        "peak": event.peak,
        "peak_s": event.peak_s,
        "threshold": event.threshold,
        "channels": channels,
        "onsets": [{"channel": name, "since": iso_utc(since_s), "since_s": since_s} for name, since_s in event.onsets],
        "model": event.model,
        "note": event.note,
        "part_of": event.part_of or None,
        "members": event.members or None,
    }
    return orjson.dumps(document)


def event_topic(template: str, event: Event | DeviceHealth) -> str:
    """The topic of an event or of a device's health; a device without a site leaves that level out."""
    return topic_of_device(template, (event.site, event.device))


def topic_of_device(template: str, source: Source) -> str:
    """A topic of ours with the names of a device; one without a site leaves that level out."""
    site, device = source
    levels = template.split("/")
    if not site:
        levels = [level for level in levels if level != "{site}"]
    names = {"{site}": site, "{device}": device}
    return "/".join(names.get(level, level) for level in levels)


def iso_utc(time_s: float) -> str:
    """`2026-11-22T02:50:31Z`, with microseconds where there are some."""
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")
