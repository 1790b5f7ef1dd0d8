"""What is fuzzed of the journal: every snapshot that is restored, each from the middle of its part's work.

Law of all: what is no snapshot is refused and changes nothing, or what goes on from it raises nothing.
"""

import struct
from dataclasses import replace
from functools import cache

from broker_samples import NOW, mixed_broker
from examples import CHANNELS, normal_series, readings_of

from anomgan.adapters.journal import pack_messages, unpack_messages
from anomgan.adapters.ports import Message, Turn
from anomgan.alarms import Alarms, Group
from anomgan.alarms.maintenance import Maintenance
from anomgan.alarms.mutes import Mute
from anomgan.assemble import RowAssembler
from anomgan.config import AlarmsConfig, DecideConfig, DetectorConfig
from anomgan.decide import FleetDecisions
from anomgan.detector import Detector
from anomgan.errors import DataError
from anomgan.records import Event, Reading, Verdict
from anomgan.stream import StreamDetector
from anomgan.wire import Decoder, PayloadFormat, parse_template
from anomgan.wire.conventions import CONVENTIONS
from anomgan.wire.sparkplug_births import Births


@cache
def small_detector() -> Detector:
    """A detector that takes a second to make."""
    config = DetectorConfig(window=16, stride=2, steps=20, latent=2, width=4, batch=8, device="cpu")
    return Detector.fit(normal_series(200, seed=0), config)


# ---------------------------------------------------------------- windows, decisions, rows, births, turns


def restoring_a_stream(snapshot: bytes) -> str:
    """The law."""
    stream = StreamDetector(small_detector())
    try:
        stream.restore(snapshot)
    except DataError:
        assert len(stream) == 0
        return "refused"
    stream.push(readings_of(normal_series(20, seed=3)))
    stream.snapshot()
    return "restored"


def restoring_decisions(snapshot: bytes) -> str:
    """The same."""
    decisions = FleetDecisions(DecideConfig(close_after=2))
    try:
        decisions.restore(snapshot)
    except DataError:
        assert decisions.snapshot() == FleetDecisions(DecideConfig(close_after=2)).snapshot()
        return "refused"
    decisions.open_events()
    decisions.update(odd_verdicts())
    FleetDecisions(DecideConfig(close_after=2)).restore(decisions.snapshot())
    return "restored"


def restoring_rows(snapshot: bytes) -> str:
    """The same."""
    rows = RowAssembler(CHANNELS, 1.0)
    try:
        rows.restore(snapshot)
    except DataError:
        assert len(rows) == rows.repeated == 0
        return "refused"
    rows.push([Reading("p1", NOW, {"flow": 1.0}), Reading("p1", NOW + 9, {"flow": 1.0})])
    RowAssembler(CHANNELS, 1.0).restore(rows.snapshot())
    return "restored"


def restoring_births(snapshot: bytes) -> str:
    """The same."""
    births = Births(most=1000)
    try:
        births.restore(snapshot)
    except DataError:
        assert len(births) == 0
        return "refused"
    assert len(births) <= 1000
    births.table(("plant", "e1"), "p1", NOW)
    Births().restore(births.snapshot())
    return "restored"


def unpacking_a_turn(packed: bytes) -> str:
    """Law: the messages of a turn, or what the journal takes for damage; packed again they are the same bytes."""
    try:
        messages = unpack_messages(packed)
    except (struct.error, UnicodeDecodeError, IndexError):
        return "refused"
    assert unpack_messages(pack_messages(Turn(NOW, messages))) == messages
    return "read"


@cache
def odd_verdicts() -> list[Verdict]:
    """Verdicts that open an event."""
    series = normal_series(60, seed=2)
    series.values[30:] += 50.0
    return StreamDetector(small_detector()).push(readings_of(series))


def snapshots() -> dict[str, bytes]:
    """Of everything, in the middle of its work."""
    stream = StreamDetector(small_detector())
    stream.push(readings_of(normal_series(20, seed=1), device="p1", site="north"))
    decisions = FleetDecisions(DecideConfig(close_after=2))
    decisions.update(odd_verdicts())
    rows = RowAssembler(CHANNELS, 1.0)
    rows.push([Reading("p1", NOW, {"flow": 1.0}, "north"), Reading("p2", NOW, {"flow": float("nan")})])
    births = Decoder(PayloadFormat(parse_template(CONVENTIONS["sparkplug_b"].topic), "sparkplug_b"))
    for sample in mixed_broker(1):
        if "BIRTH" in sample.topic:
            births.decode(sample.topic, sample.payload, NOW)
    turn = Turn(NOW, [Message("a/b", b"20.5", None, True), Message("\udcff", b"", None, False)])
    return {
        "stream": stream.snapshot(),
        "decisions": decisions.snapshot(),
        "rows": rows.snapshot(),
        "births": births.snapshot(),
        "turn": pack_messages(turn),
    }


# ---------------------------------------------------------------- alarms

FLEET = Group("pumps", "pump", 60.0)
RULE = AlarmsConfig(cool_down_s=50.0, fleet_min=3)
DEVICES = [("north", f"p{number}") for number in range(6)]
CALENDAR = b"""BEGIN:VCALENDAR
BEGIN:VEVENT
DTSTART:20231114T220000Z
DTEND:20231114T230000Z
RRULE:FREQ=DAILY
SUMMARY:oil
LOCATION:p5
END:VEVENT
END:VCALENDAR
"""


def event_of(device: str, start_s: float) -> Event:
    """An event that is open."""
    return Event(
        id=f"{device}@{round(start_s * 1000)}",
        device=device,
        site="north",
        state="open",
        start_s=start_s,
        end_s=start_s + 2.0,
        peak=5.0,
        peak_s=start_s,
        severity="minor",
        channels=("flow",),
        observed=(1.0,),
        expected=(2.0,),
        contributions=(1.0,),
        reason="flow is 1",
        units=("bar",),
    )


def busy_alarms(calendar: bytes) -> Alarms:
    """Many at once, one that waits, one that went on by cool-down, one muted, one marked."""
    alarms = Alarms(RULE)
    alarms.maintenance = Maintenance(calendar)
    first = [event_of(device, NOW) for _, device in DEVICES[:3]]
    alarms.update(FLEET, DEVICES, first, [], NOW)
    alarms.update(FLEET, DEVICES, [replace(first[0], state="closed"), event_of("p0", NOW + 9)], [], NOW + 9)
    alarms.mute(Mute("p4", "*", ("flow",), NOW + 900), {FLEET.key: FLEET}, NOW + 10)
    alarms.update(FLEET, DEVICES, [event_of("p3", NOW + 200), event_of("p4", NOW + 200)], [], NOW + 200)
    alarms.mark(first[1].id, "false-alarm", "ada")
    return alarms


def restoring_alarms(snapshot: bytes) -> str:
    """The same."""
    alarms = Alarms(RULE)
    try:
        alarms.restore(snapshot)
    except DataError:
        assert alarms.snapshot() == Alarms(RULE).snapshot()
        return "refused"
    _survives(alarms)
    groups = {FLEET.key: FLEET}
    alarms.look_again(groups, NOW + 200)
    standing = [one.event for one in alarms.open_events() if not one.event.members]
    more = [event_of(device, NOW + 210) for _, device in DEVICES]
    alarms.update(FLEET, DEVICES, [replace(one, severity="critical") for one in standing], more, NOW + 210)
    for event in alarms.recent(20):
        alarms.mark(event.id, "maintenance", "ada")
        alarms.mark(event.id, "", "")
        alarms.members(event.id)
        alarms.latest(event.site, event.device)
    alarms.mute(Mute("p?", "*", (), NOW + 300), groups, NOW + 211)
    alarms.unmute("*", "p?", (), groups, NOW + 212)
    alarms.update(FLEET, DEVICES, [replace(one, state="closed") for one in (*standing, *more)], [], NOW + 220)
    alarms.update(FLEET, DEVICES, [event_of(device, NOW + 240) for _, device in DEVICES], [], NOW + 240)
    alarms.update(Group("others", "pump", 5.0), [], [], [], NOW + 9000)
    _survives(alarms)
    return "restored"


def _survives(alarms: Alarms) -> None:
    again = Alarms(RULE)
    again.restore(alarms.snapshot())
    assert again.snapshot() == alarms.snapshot()
