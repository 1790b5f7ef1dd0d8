"""Verdicts become events: a pure step per device, with hysteresis.

`open_after` anomalous verdicts in a row that span at least `open_after_s` open an event, back-dated to the first of
them. While it is open, a verdict below `close_level` times the threshold (or an unknown one) is calm; `close_after`
calm verdicts in a row close it, so two runs that are nearer than that are one event. An event is told when it opens,
when its severity rises, and when it closes; whether anybody hears of it then, `alarms` decides. Severity is how far the
peak stands above the threshold, in decades of probability.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from anomgan.band import PLACES as BAND_PLACES
from anomgan.config import DecideConfig
from anomgan.errors import DataError
from anomgan.explain import NO_ONSET, Onsets, finding, in_order, leading_channels, onsets_of, reason
from anomgan.motion import PLACES as COURSE_PLACES
from anomgan.records import Event, Severity, Source, Verdict
from anomgan.snapshots import UNREADABLE, checked, event_from, known, text, timely

SNAPSHOT_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)
"""the first knew no courses, so that nothing was said of direction and lead; the second no bands"""
ARRAYS: dict[str, type[np.floating[Any]]] = {
    **dict.fromkeys(("values", "expected", "contribution", "odd", "odd_expected", "course"), np.float32),
    "band": np.float64,
}
"""fields of a verdict that are an array, or None, and of what"""
Retell = Callable[[Event, Verdict, Onsets], Event]
"""an event that is told, its oddest verdict, since when its channels are off -> the event as it is told"""
MAJOR_DECADES = 2.0
CRITICAL_DECADES = 6.0


@dataclass(frozen=True, slots=True)
class DeviceDecision:
    """What deciding remembers of one device: anomalous verdicts in a row, calm ones, the run's start and oddest
    verdict, the open event, and since when and from which level each channel is beyond its own error."""

    streak: int = 0
    calm: int = 0
    start_s: float = 0.0
    oddest: Verdict | None = None
    event: Event | None = None
    onsets: Onsets = ()


QUIET = DeviceDecision()


def decide(rule: DecideConfig, state: DeviceDecision, verdict: Verdict) -> tuple[DeviceDecision, Event | None]:
    """One verdict in: the next state, and the event if there is something to tell."""
    if state.event is None:
        return _while_quiet(rule, state, verdict)
    return _while_open(rule, state, state.event, verdict)


def _while_quiet(rule: DecideConfig, state: DeviceDecision, verdict: Verdict) -> tuple[DeviceDecision, Event | None]:
    if not verdict.anomalous:
        # a channel may be off before the windows are odd: its onset is remembered as long as it stays so
        return (QUIET if verdict.course is None else DeviceDecision(onsets=onsets_of(state.onsets, verdict))), None
    start_s = state.start_s if state.streak else verdict.time_s
    onsets = onsets_of(state.onsets, verdict, keep=state.streak > 0)
    oddest = _odder(state.oddest, verdict)
    streak = state.streak + 1
    if streak < rule.open_after or verdict.time_s - start_s < rule.open_after_s:
        return DeviceDecision(streak=streak, start_s=start_s, oddest=oddest, onsets=onsets), None
    event = _describe(rule, oddest, start_s, verdict.time_s, onsets)
    return DeviceDecision(start_s=start_s, oddest=oddest, event=event, onsets=onsets), event


def _while_open(
    rule: DecideConfig, state: DeviceDecision, event: Event, verdict: Verdict
) -> tuple[DeviceDecision, Event | None]:
    calm = not verdict.surprise >= rule.close_level * verdict.threshold  # also true for NaN
    if calm:
        if state.calm + 1 < _close_after(rule):
            return replace(state, calm=state.calm + 1), None
        return QUIET, replace(event, state="closed")
    oddest = _odder(state.oddest, verdict)
    end_s = verdict.time_s if verdict.anomalous else event.end_s
    onsets = onsets_of(state.onsets, verdict, keep=True)
    if oddest is verdict:
        now = _describe(rule, oddest, event.start_s, end_s, onsets)
    else:
        went = event.onsets if verdict.course is None else in_order(verdict.channels, onsets)
        now = replace(event, end_s=end_s, onsets=went)
    return DeviceDecision(start_s=event.start_s, oddest=oddest, event=now, onsets=onsets), (
        now if now.severity != event.severity else None
    )


def for_windows(rule: DecideConfig, verdicts: int) -> DecideConfig:
    """The rule with its None chosen, where `verdicts` are given while a reading passes through the window."""
    return rule if rule.close_after is not None else rule.model_copy(update={"close_after": max(1, verdicts)})


def _close_after(rule: DecideConfig) -> int:
    if rule.close_after is None:
        raise ValueError("the rule's close_after is not chosen; see `for_windows`")
    return rule.close_after


def _odder(before: Verdict | None, verdict: Verdict) -> Verdict:
    return verdict if before is None or verdict.surprise > before.surprise else before


def severity(peak: float, threshold: float) -> Severity:
    """How bad: by decades of probability between the peak and the threshold."""
    decades = peak - threshold
    return "critical" if decades >= CRITICAL_DECADES else "major" if decades >= MAJOR_DECADES else "minor"


def _describe(rule: DecideConfig, oddest: Verdict, start_s: float, end_s: float, onsets: Onsets) -> Event:
    """The event as it stands, told by its oddest verdict."""
    lead = leading_channels(oddest.contribution, rule.channels)
    observed = oddest.values if oddest.odd is None else oddest.odd
    expected = oddest.expected if oddest.odd_expected is None else oddest.odd_expected
    names = tuple(oddest.channels[c] for c in lead)
    seen = tuple(float(observed[c]) for c in lead)
    meant = tuple(float(expected[c]) for c in lead)
    of = tuple(oddest.units[c] if oddest.units else "" for c in lead)
    if len(onsets) != len(oddest.channels):
        onsets = ()  # of another model, which has taken over or been there before
    name = f"{oddest.site}/{oddest.device}" if oddest.site else oddest.device
    return Event(
        id=f"{name}@{round(start_s * 1000)}",
        device=oddest.device,
        site=oddest.site,
        state="open",
        start_s=start_s,
        end_s=end_s,
        peak=oddest.surprise,
        peak_s=oddest.time_s,
        severity=severity(oddest.surprise, oddest.threshold),
        channels=names,
        observed=seen,
        expected=meant,
        contributions=tuple(float(oddest.contribution[c]) for c in lead),
        reason=reason(
            [
                finding(oddest.channels[c], observed[c], expected[c], unit, oddest.course, onsets, c)
                for c, unit in zip(lead, of, strict=True)
            ],
            oddest.surprise,
            oddest.step_s,
        ),
        threshold=oddest.threshold,
        model=oddest.model,
        units=of,
        onsets=in_order(oddest.channels, onsets),
    )


def retold(rule: DecideConfig, event: Event, oddest: Verdict, onsets: Onsets) -> Event:
    """The same event, described anew: where its oddest verdict expected something else, values and sentence do."""
    again = _describe(rule, oddest, event.start_s, event.end_s, onsets)
    return replace(
        event,
        channels=again.channels,
        observed=again.observed,
        expected=again.expected,
        contributions=again.contributions,
        units=again.units,
        reason=again.reason,
    )


def as_decided(event: Event, oddest: Verdict, onsets: Onsets) -> Event:
    """Told as it was decided."""
    return event


class FleetDecisions:
    """The deciding state of many devices; `update` gives the events that verdicts open, worsen or close.

    ValueError for a rule that `for_windows` has not completed.
    """

    def __init__(self, rule: DecideConfig) -> None:
        _close_after(rule)  # an open rule fails here, not at the first calm verdict
        self.rule = rule
        self._states: dict[Source, DeviceDecision] = {}
        self.open_count = 0
        """events that are open now"""

    def update(self, verdicts: Iterable[Verdict], retell: Retell = as_decided) -> list[Event]:
        """Verdicts in, in each device's order of time; what there is to tell out, as `retell` has it."""
        told = []
        for verdict in verdicts:
            source = (verdict.site, verdict.device)
            before = self._states.get(source, QUIET)
            after, event = decide(self.rule, before, verdict)
            if after is not before:
                self._states[source] = after
                self.open_count += (after.event is not None) - (before.event is not None)
            if event is not None:
                # once it is closed nothing of it is remembered
                told.append(_told(event, before if after.event is None else after, retell))
        return told

    def forget(self, sources: Iterable[Source], why: str) -> list[Event]:
        """Let go of devices; their open events, closed with a note that says why."""
        gone = [state for source in sources if (state := self._states.pop(source, None)) is not None]
        closed = [replace(state.event, state="closed", note=why) for state in gone if state.event is not None]
        self.open_count -= len(closed)
        return closed

    def snapshot(self) -> bytes:
        """Every device's deciding state as versioned JSON; `restore` goes on as if nothing had happened."""
        states = [[*source, state] for source, state in self._states.items() if state != QUIET]
        return orjson.dumps({"version": SNAPSHOT_VERSION, "states": states}, option=orjson.OPT_SERIALIZE_NUMPY)

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for bytes that are none, which change nothing."""
        try:
            document = orjson.loads(snapshot)
            if document["version"] not in READABLE_VERSIONS:
                raise DataError(f"a snapshot of decisions of version {document['version']}, not {SNAPSHOT_VERSION}")
            states = {(text(site), text(device)): _state_from(state) for site, device, state in document["states"]}
        except UNREADABLE as error:
            raise DataError(f"these bytes are not a snapshot of decisions: {error}") from None
        self._states.update(states)
        self.open_count = sum(state.event is not None for state in self._states.values())

    def open_events(self, sources: Iterable[Source] | None = None, retell: Retell = as_decided) -> list[Event]:
        """The events that are open now, as they stand: of all devices, or of these."""
        of = self._states if sources is None else sources
        states = (self._states.get(source, QUIET) for source in of)
        return [_told(state.event, state, retell) for state in states if state.event is not None]


def _told(event: Event, state: DeviceDecision, retell: Retell) -> Event:
    return event if state.oddest is None else retell(event, state.oddest, state.onsets)


def _state_from(document: dict[str, Any]) -> DeviceDecision:
    oddest, event = document.pop("oddest"), document.pop("event")
    state = checked(
        DeviceDecision(
            **{name: known(value) for name, value in document.items()},
            oddest=None if oddest is None else _verdict_from(oddest),
            event=None if event is None else event_from(event),
        )
    )
    if any(len(onset) != len(NO_ONSET) for onset in state.onsets):
        raise ValueError("an onset is a time and two values")
    timely(state.start_s)
    return state


def _verdict_from(document: dict[str, Any]) -> Verdict:
    """JSON has no NaN: what is unknown is null in it."""
    arrays: dict[str, Any] = {
        name: None if document.get(name) is None else np.array(document[name], kind) for name, kind in ARRAYS.items()
    }
    rest = {name: known(value) for name, value in document.items() if name not in ARRAYS}
    verdict = checked(Verdict(**rest, **arrays))
    channels = len(verdict.channels)
    places = {"course": (COURSE_PLACES,), "band": (BAND_PLACES,)}
    if any(array is not None and array.shape != (channels, *places.get(name, ())) for name, array in arrays.items()):
        raise ValueError("an array is not as long as there are channels")
    if len(verdict.units) not in (0, channels):
        raise ValueError("a verdict does not have a unit for every channel")
    timely(verdict.time_s)
    return verdict


def decide_all(rule: DecideConfig, verdicts: Iterable[Verdict], retell: Retell = as_decided) -> list[Event]:
    """The events of all verdicts, each as it stood last; one that never closed stays open."""
    decisions = FleetDecisions(rule)
    events = {event.id: event for event in decisions.update(verdicts, retell)}
    return list((events | {event.id: event for event in decisions.open_events(retell=retell)}).values())


def is_anomalous(surprise: float, threshold: float) -> bool:
    """A window is anomalous at or above the threshold; an unknown one (NaN) is not."""
    return bool(surprise >= threshold)
