"""What each request does: alarms and fleets in, the answer's data out. A refusal is a DataError with the reason."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from anomgan.alarms import Alarms, Group, Outcome, mutes
from anomgan.alarms.tracked import Mark, Tracked
from anomgan.config import Table
from anomgan.errors import DataError
from anomgan.records import Event
from anomgan.wire import control
from anomgan_detector.post import Post

T = TypeVar("T")
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in: the command, who asks, and when."""

    command: Table
    client: str
    now_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """What a request did: the answer's data, what alarms have to tell and store, and what it was about where it
    changed anything, for the record."""

    data: Data
    outcome: Outcome | None = None
    subject: str = ""


class Requests:
    """Where requests are dealt with."""

    def __init__(self, alarms: Alarms, fleets: Sequence[Post]) -> None:
        self.alarms = alarms
        self.fleets = {fleet.group.key: fleet for fleet in fleets}
        self.groups: Mapping[str, Group] = {key: fleet.group for key, fleet in self.fleets.items()}

    def do(self, asked: Asked) -> Done:
        """Do it; DataError with the reason where it cannot be done, and then nothing has changed."""
        return ACTIONS[type(asked.command)](self, asked)

    def status(self, asked: Asked) -> Done:
        """How the service does."""
        alarms = self.alarms
        in_force = [
            asdict(one) | {"until": mutes.iso(one.until_s)} for one in mutes.in_force(alarms.mutes, asked.now_s)
        ]
        fleets = [
            {
                "model": fleet.group.model,
                "devices": fleet.devices,
                **({} if fleet.adaptation is None else fleet.adaptation.standing()),
            }
            for fleet in self.fleets.values()
        ]
        states = [one.shown().state for one in alarms.open_events()]
        return Done(
            {
                "time": asked.now_s,
                "fleets": fleets,
                "open_events": len(states),
                "muted_events": states.count("muted"),
                "mutes": in_force,
                "maintenance_entries": alarms.maintenance.entries,
                "maintenance_unreadable_days": alarms.maintenance.unreadable_days,
            }
        )

    def events(self, asked: Asked) -> Done:
        """The newest events."""
        command = _as(asked.command, control.Events)
        return Done({"events": [control.event_data(event) for event in self.alarms.recent(command.limit)]})

    def mute(self, asked: Asked) -> Done:
        """Mute devices or channels."""
        command = _as(asked.command, control.Mute)
        if command.for_s == 0:
            return self._end_mutes(command.site, command.device, command.channels, asked.now_s)
        mute = mutes.Mute(command.device, command.site, command.channels, asked.now_s + command.for_s)
        outcome = self.alarms.mute(mute, self.groups, asked.now_s)
        data = asdict(mute) | {"until": mutes.iso(mute.until_s), "events": [event.id for event in outcome.stored]}
        return Done(data, outcome, f"{command.site}/{command.device}")

    def unmute(self, asked: Asked) -> Done:
        """End mutes."""
        command = _as(asked.command, control.Unmute)
        done = self._end_mutes(command.site, command.device, command.channels, asked.now_s)
        if not done.data["ended"]:
            raise DataError(f"nothing of {command.site}/{command.device} is muted")
        return done

    def _end_mutes(self, site: str, device: str, channels: Sequence[str], now_s: float) -> Done:
        ended, outcome = self.alarms.unmute(site, device, channels, self.groups, now_s)
        data = {"ended": ended, "device": device, "site": site, "channels": channels}
        return Done(data | {"events": [event.id for event in outcome.stored]}, outcome, f"{site}/{device}")

    def feedback(self, asked: Asked) -> Done:
        """What an event was, says a person."""
        command = _as(asked.command, control.Feedback)
        tracked = self._meant(command)
        return self._mark(tracked, asked, command.says)

    def undo(self, asked: Asked) -> Done:
        """Take feedback back."""
        tracked = self._meant(_as(asked.command, control.Undo))
        if not tracked.mark:
            raise DataError(f"there is no feedback on event {tracked.event.id}")
        return self._mark(tracked, asked, "")

    def _mark(self, tracked: Tracked, asked: Asked, says: Mark) -> Done:
        """Mark an event, and the members of a fleet-wide one."""
        told: list[Event] = []
        stored: list[Event] = []
        learned: Data = {}
        for one in (tracked, *self.alarms.members(tracked.event.id)):
            outcome = self.alarms.mark(one.event.id, says, asked.client)
            told += outcome.told
            stored += outcome.stored
            if not one.event.members:
                learned[one.event.id] = self._learn(one, says)
        data = {"event": tracked.event.id, "was": tracked.mark or None, "says": says or None, "learned": learned}
        return Done(data, Outcome(told, stored), tracked.event.id)

    def _learn(self, tracked: Tracked, says: Mark) -> Data | str:
        """What the fleet's adaptation makes of what is said of a device's event, in numbers; or why nothing."""
        event, fleet = tracked.event, self.fleets.get(tracked.fleet)
        if fleet is None:
            return "nothing: its fleet is not configured any more"
        adaptation = fleet.adaptation
        if adaptation is None:
            return "nothing: its fleet has no model yet"
        source = (event.site, event.device)
        if says not in ("false-alarm", "real"):
            return "taken back" if adaptation.forget(source, event.id) else "nothing"
        try:
            return adaptation.teach(source, event.id, says, event.start_s, event.end_s)
        except DataError as error:
            return f"nothing: {error}"

    def _meant(self, about: control.About) -> Tracked:
        found = (
            self.alarms.find(about.event)
            if about.event is not None
            else self.alarms.latest(about.site, about.device or "")
        )
        if found is None:
            what = f"event {about.event!r}" if about.event is not None else f"event of {about.site}/{about.device}"
            raise DataError(f"no {what} is remembered: the open ones and the last thousand closed ones are")
        return found


def _as(command: Table, kind: type[T]) -> T:
    assert isinstance(command, kind)  # noqa: S101 ACTIONS says so
    return command


ACTIONS: Mapping[type[Table], Callable[[Requests, Asked], Done]] = {
    control.Status: Requests.status,
    control.Events: Requests.events,
    control.Mute: Requests.mute,
    control.Unmute: Requests.unmute,
    control.Feedback: Requests.feedback,
    control.Undo: Requests.undo,
}
