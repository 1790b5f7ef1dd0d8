"""What a judge hears: faults as they truly were, events as a detector told them, and runs of simulated devices."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from anomgan.records import Source

AlarmState = Literal["open", "closed", "muted", "false_alarm"]
"""as `anomgan.records.EventState`; a foreign detector's states are taken for one of these"""


@dataclass(frozen=True, slots=True)
class TrueFault:
    """One fault of the ground truth. end_s is the planned end until `ended`, then the true one.

    domain: "" for a fault of a sensor or machine; "network" for what befell a device's connection or clock, which is
    no fault that events should tell of. Only that may have no end (infinity).
    """

    site: str
    device: str
    kind: str
    channels: tuple[str, ...]
    start_s: float
    end_s: float
    severity: float | None = None
    ended: bool = False
    domain: str = ""

    @property
    def source(self) -> Source:
        """(site, device)."""
        return (self.site, self.device)

    @property
    def key(self) -> tuple[object, ...]:
        """What the records of one fault have in common."""
        return (self.domain, self.site, self.device, self.kind, self.channels, self.start_s)


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """One event as a detector has told it, all its records put together.

    site None: not told. told_s: event time at which it was first told, None where that is not known. alarm: whether
    it was ever told as anything but muted. members: of a fleet-wide event, how many devices; 0 for one of one device.
    """

    id: str
    site: str | None
    device: str
    state: AlarmState
    start_s: float
    end_s: float
    told_s: float | None = None
    alarm: bool = True
    channels: tuple[str, ...] = ()
    severity: str = ""
    reason: str = ""
    members: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """What the records of one event have in common."""
        return (self.site or "", self.device, self.id)


def put_together(known: ToldEvent, newer: ToldEvent) -> ToldEvent:
    """Two records of one event as one, in whichever order they came; the one that reaches further says how it stands.

    Where both reach as far, one that is no longer open does.
    """

    def reach(one: ToldEvent) -> tuple[float, bool]:
        return (one.end_s, one.state != "open")

    last, first = (known, newer) if reach(known) > reach(newer) else (newer, known)
    told = [one.told_s for one in (known, newer) if one.told_s is not None]
    return replace(
        last,
        start_s=min(known.start_s, newer.start_s),
        told_s=min(told, default=None),
        alarm=known.alarm or newer.alarm,
        channels=last.channels or first.channels,
        reason=last.reason or first.reason,
        members=max(known.members, newer.members),
    )


@dataclass(frozen=True, slots=True)
class Part:
    """Devices of one kind in a run: `name` followed by 1, 2, ... up to `count`, or just `name` where count is 0."""

    site: str
    kind: str
    name: str
    count: int = 0

    def sources(self) -> Iterator[Source]:
        """(site, device) of each."""
        if not self.count:
            yield (self.site, self.name)
        for number in range(1, self.count + 1):
            yield (self.site, f"{self.name}{number}")


@dataclass(frozen=True, slots=True)
class Run:
    """Devices that were there from start_s, and so far until until_s."""

    start_s: float
    until_s: float
    parts: tuple[Part, ...]
    ended: bool = False
