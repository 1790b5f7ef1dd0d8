"""What the tests of alarms share: events, and alarms with a clock of their own."""

from collections.abc import Sequence
from dataclasses import replace

from anomgan.alarms import Alarms, Group, Outcome
from anomgan.alarms.mutes import Mute
from anomgan.config import AlarmsConfig
from anomgan.records import Event, EventState, Severity

START = 1_767_600_000.0  # a Monday, 2026-01-05 08:00 UTC
GROUP = Group("pumps", "pump", 60.0)
GROUPS = {"pumps": GROUP}
CALENDAR = b"""BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20260105T090000
DTEND;TZID=Europe/Berlin:20260105T100000
RRULE:FREQ=WEEKLY
SUMMARY:filter change
LOCATION:pump-*
END:VEVENT
END:VCALENDAR
"""


def event(
    device: str = "pump-1",
    start_s: float = START,
    end_s: float | None = None,
    state: EventState = "open",
    severity: Severity = "minor",
    channels: Sequence[str] = ("flow",),
    peak: float = 5.0,
) -> Event:
    many = len(channels)
    return Event(
        id=f"{device}@{round(start_s * 1000)}",
        device=device,
        site="north",
        state=state,
        start_s=start_s,
        end_s=start_s + 2.0 if end_s is None else end_s,
        peak=peak,
        peak_s=start_s,
        severity=severity,
        channels=tuple(channels),
        observed=(1.0,) * many,
        expected=(2.0,) * many,
        contributions=(1.0 / max(1, many),) * many,
        reason="flow is 1 where 2 was expected",
        threshold=4.0,
        units=("bar",) * many,
    )


class Desk:
    """Alarms with a clock of their own; `told` and `stored` gather what comes out."""

    def __init__(self, **rule: object) -> None:
        self.alarms = Alarms(AlarmsConfig(**rule))  # type: ignore[arg-type]  # keys of the table
        self.now_s = START
        self.told: list[tuple[str, str]] = []
        self.stored: dict[str, Event] = {}
        self.devices = {("north", f"pump-{i}") for i in range(1, 3)}

    def update(self, *events: Event, standing: Sequence[Event] = (), later_s: float = 0.0) -> list[tuple[str, str]]:
        """A turn: what it told, as (id, state)."""
        self.now_s += later_s
        return self.take(self.alarms.update(GROUP, self.devices, events, standing, self.now_s))

    def take(self, outcome: Outcome) -> list[tuple[str, str]]:
        """What an outcome told."""
        told = [(one.id, one.state) for one in outcome.told]
        self.told += told
        self.stored |= {one.id: one for one in outcome.stored}
        return told


def closed(of: Event, end_s: float | None = None) -> Event:
    return replace(of, state="closed", end_s=of.end_s if end_s is None else end_s)


def mute(desk: Desk, for_s: float, device: str = "pump-1", channels: Sequence[str] = ()) -> list[tuple[str, str]]:
    made = Mute(device, "*", tuple(channels), desk.now_s + for_s)
    return desk.take(desk.alarms.mute(made, GROUPS, desk.now_s))


def plant(devices: int, **rule: object) -> Desk:
    desk = Desk(**rule)
    desk.devices = {("north", f"pump-{i}") for i in range(devices)}
    desk.update()
    return desk
