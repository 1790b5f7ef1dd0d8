"""A device's health as JSON for MQTT: what is wrong with its data, each with the plain sentence."""

from dataclasses import asdict

import orjson

from anomgan.records import DeviceHealth
from anomgan.wire.event_json import iso_utc


def encode_health(health: DeviceHealth) -> bytes:
    """One device's health as a JSON object; `ok` where nothing is wrong; a missing number is null."""
    issues = [
        {
            "id": issue.id,
            "kind": issue.kind,
            "channel": issue.channel,
            "since": iso_utc(issue.start_s),
            "since_s": issue.start_s,
            "reason": issue.reason,
        }
        for issue in health.issues
    ]
    document = {
        "device": health.device,
        "site": health.site,
        "ok": not issues,
        "time": iso_utc(health.time_s),
        **{key: value for key, value in asdict(health).items() if key not in ("device", "site", "issues")},
        "issues": issues,
    }
    return orjson.dumps(document)
