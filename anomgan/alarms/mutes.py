"""Mutes: a device, or some of its channels, of which nothing is told until a time of the service's clock."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from anomgan.records import Event
from anomgan.snapshots import checked, timely, tuples

MOST = 10_000
"""mutes at a time"""


@dataclass(frozen=True, slots=True)
class Mute:
    """`device` is a shell pattern of device names, `site` one of sites; no `channels` means all of them."""

    device: str
    site: str
    channels: tuple[str, ...]
    until_s: float

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What a later mute of the same replaces."""
        return (self.site, self.device, self.channels)

    def concerns(self, site: str, device: str) -> bool:
        """Whether a device is meant."""
        return fnmatchcase(device, self.device) and fnmatchcase(site, self.site)


def literal(name: str) -> str:
    """The shell pattern that this name alone fits."""
    return re.sub(r"([*?[])", r"[\1]", name)


def add(mutes: Sequence[Mute], mute: Mute, now_s: float) -> tuple[Mute, ...]:
    """The mutes in force with one more, which replaces an earlier one of the same device and channels."""
    return (*(one for one in in_force(mutes, now_s) if one.key != mute.key), mute)


def remove(mutes: Sequence[Mute], site: str, device: str, channels: Sequence[str]) -> tuple[Mute, ...]:
    """Without those of exactly this device pattern; only those of these channels, where some are named."""
    gone = [one for one in mutes if (one.site, one.device) == (site, device)]
    if channels:
        gone = [one for one in gone if one.channels == tuple(channels)]
    return tuple(one for one in mutes if one not in gone)


def in_force(mutes: Iterable[Mute], now_s: float) -> tuple[Mute, ...]:
    """Those that have not ended."""
    return tuple(one for one in mutes if now_s < one.until_s)


def muted_until(mutes: Sequence[Mute], event: Event, now_s: float) -> float | None:
    """Until when an event is muted: all of its device, or every channel that leads it; None where it is not.

    Several mutes may cover the channels together; the first of them to end decides.
    """
    about = [one for one in in_force(mutes, now_s) if one.concerns(event.site, event.device)]
    whole = max((one.until_s for one in about if not one.channels), default=None)
    ends = [max((one.until_s for one in about if name in one.channels), default=None) for name in event.channels]
    known = [end for end in ends if end is not None]
    by_channels = min(known) if ends and len(known) == len(ends) else None
    return max((end for end in (whole, by_channels) if end is not None), default=None)


def iso(time_s: float) -> str:
    """A time for people, to the second."""
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def mute_from(document: Mapping[str, Any]) -> Mute:
    """A mute as orjson writes it, read back; TypeError or ValueError for anything else."""
    mute = checked(Mute(**tuples(document)))
    timely(mute.until_s)
    return mute
