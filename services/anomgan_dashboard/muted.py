"""Which mutes concern a device, from the store's record of what people have told the detector service."""

from collections.abc import Sequence
from typing import Any

import orjson

from anomgan.adapters.ports import AuditEntry
from anomgan.adapters.sqlite_read import SqliteReader
from anomgan.alarms import mutes
from anomgan.alarms.mutes import Mute, literal
from anomgan.records import Source

COMMANDS = ("mute", "unmute")
MOST_READ = 2000
"""mutes and their ends that are looked at, the latest of them"""


def mutes_of(reader: SqliteReader, source: Source, now_s: float) -> list[Mute]:
    """The mutes in force that concern a device, those that end last first; `now_s` by the service's clock."""
    found = in_force(reader.audit(MOST_READ, COMMANDS), now_s)
    return sorted((one for one in found if one.concerns(*source)), key=lambda one: -one.until_s)


def in_force(latest_first: Sequence[AuditEntry], now_s: float) -> tuple[Mute, ...]:
    """What the entries leave in force, dealt with in order as the service did."""
    known: tuple[Mute, ...] = ()
    for entry in reversed(latest_first):
        effect = orjson.loads(entry.effect)
        site, _, device = entry.subject.partition("/")  # where an older service did not say it
        site, device = effect.get("site", site), effect.get("device", device)
        channels = tuple(effect.get("channels", ()))
        if "ended" in effect:
            known = mutes.remove(known, site, device, channels)
        else:
            known = mutes.add(known, Mute(device, site, channels, effect["until_s"]), entry.time_s)
    return mutes.in_force(known, now_s)


def mutes_json(found: Sequence[Mute], source: Source) -> list[dict[str, Any]]:
    """Mutes as the page wants them; one that is not `own` concerns other devices too."""
    own = (literal(source[0]), literal(source[1]))
    return [
        {
            "site": one.site,
            "device": one.device,
            "channels": one.channels,
            "until_s": one.until_s,
            "own": (one.site, one.device) == own,
        }
        for one in found
    ]
