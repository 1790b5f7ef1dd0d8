"""One device at its link: what becomes of a reading by chance, and what its clock shows."""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from anomgan.records import Reading, Source
from anomgan.simulate.network.incidents import OFFLINE, Incident
from anomgan.simulate.network.plan import NetworkPlan
from anomgan.simulate.network.tables import LinkConfig
from anomgan.simulate.randomness import BLOCK, Key, generator, stream_key

HELD_PERIODS = 2.5
"""how long a message is held back by default: half a period more than a whole number, so that it meets no other"""
CLOCK_DIGITS = 3
"""a wrong clock shows milliseconds"""
CHANCES = 5
"""numbers drawn for each row"""
Messages = Sequence[tuple[str, bytes]]


class Writer(Protocol):
    """What makes messages of readings; it may say things first that later messages build on."""

    def encode(self, readings: Sequence[Reading]) -> Messages:
        """The messages (topic, payload) that carry these readings, in order."""
        ...

    def unsaid(self, messages: Messages) -> Messages:
        """Hear that these do not arrive, and say which of them can be sent later."""
        ...

    def anew(self, site: str, device: str, time_s: float) -> Messages:
        """What a device says first over a new connection, when that is its time."""
        ...


class Parcel(NamedTuple):
    """The messages of one reading on their way; copy 1 is the second of two."""

    made_s: float
    row: int
    copy: int
    messages: Messages


class Link(NamedTuple):
    """The numbers of a link that matter for a message."""

    delay_s: float
    jitter_s: float
    loss: float
    duplicate: float
    reorder: float


@dataclass(slots=True)
class Device:
    """A device and where it is. offline, bad, reboots, clocks: its incidents, in order of their start.

    usual: its link while nothing happens; chance: whether anything ever depends on a draw. after_s: when the last
    message that keeps the order is due. newest: the latest row that has arrived. waiting: what an outage holds back, by
    its end, the copies of a reading together. Who is offline when the run ends is so for ever.
    """

    source: Source
    index: int
    link: LinkConfig
    usual: Link
    key: Key
    offline: list[Incident]
    bad: list[Incident]
    reboots: list[Incident]
    clocks: list[Incident]
    chance: bool
    after_s: float = 0.0
    newest: int = -1
    waiting: dict[float, deque[list[Parcel]]] = field(default_factory=dict)
    block: int = -1
    draws: list[list[float]] = field(default_factory=list)


def make_devices(plan: NetworkPlan) -> list[Device]:
    """All devices of a plan, in its order, before row 0."""
    happens: dict[Source, list[Incident]] = {}
    for incident in plan.incidents:
        happens.setdefault(incident.source, []).append(incident)
    return [_device(plan, index, source, happens.get(source, [])) for index, source in enumerate(plan.links)]


def _device(plan: NetworkPlan, index: int, source: Source, mine: Sequence[Incident]) -> Device:
    link = plan.links[source]
    usual = Link(link.delay_s, link.jitter_s, link.loss, link.duplicate, link.reorder)
    bad = [one for one in mine if one.kind == "bad_link"]
    return Device(
        source=source,
        index=index,
        link=link,
        usual=usual,
        key=stream_key(plan.run.seed, *source, "network"),
        offline=[replace(one, end_s=math.inf) if plan.lasts(one) else one for one in mine if one.kind in OFFLINE],
        bad=bad,
        reboots=[one for one in mine if one.kind == "reboot"],
        clocks=[one for one in mine if one.kind == "clock_skew"],
        chance=bool(bad) or any(usual[1:]),
    )


def at(incidents: Sequence[Incident], time_s: float) -> Incident | None:
    """Which of these, of which no two overlap, is at that time."""
    if not incidents:
        return None
    before = bisect_right(incidents, time_s, key=_start) - 1
    return incidents[before] if before >= 0 and time_s < incidents[before].end_s else None


def _start(incident: Incident) -> float:
    return incident.start_s


def _end(incident: Incident) -> float:
    return incident.end_s


def fate(device: Device, row: int, made_s: float, period_s: float) -> list[float]:
    """When what a device sends would arrive if the device were online: never, once or twice.

    A message that is held back is overtaken, but the others keep their order, as they do over one connection.
    """
    link = device.usual
    bad = at(device.bad, made_s)
    if bad is not None:
        link = link._replace(**dict(bad.link))
    if not device.chance:
        return [made_s + link.delay_s]
    block, place = divmod(row, BLOCK)
    if block != device.block:
        device.block, device.draws = block, generator(device.key, block).random((BLOCK, CHANCES)).tolist()
    losing, doubling, holding, jitter, later = device.draws[place]
    if losing < link.loss:
        return []
    due_s = made_s + link.delay_s - link.jitter_s * math.log1p(-jitter)
    if holding < link.reorder:
        held_s = device.link.reorder_s
        due_s += HELD_PERIODS * period_s if held_s is None else held_s
    else:
        due_s = device.after_s = max(due_s, device.after_s)
    if doubling < link.duplicate:
        return [due_s, due_s + later * device.link.duplicate_s]
    return [due_s]


def stamp(device: Device, made_s: float, time_s: float) -> float:
    """What a device takes for the time, when it is `time_s`, `made_s` after the start of the run."""
    before = bisect_right(device.reboots, made_s, key=_end) - 1
    if before >= 0 and made_s < (reboot := device.reboots[before]).end_s + reboot.unset_s:  # since the latest
        return round(made_s - reboot.end_s, CLOCK_DIGITS)
    ahead_s = sum(_ahead(device.clocks, made_s))
    return round(time_s + ahead_s, CLOCK_DIGITS) if ahead_s else time_s


def _ahead(clocks: Sequence[Incident], made_s: float) -> Iterator[float]:
    for one in clocks:
        if one.start_s <= made_s < one.end_s:
            yield one.offset_s + one.drift_ppm * 1e-6 * (made_s - one.start_s)
