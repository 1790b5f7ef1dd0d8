"""Between the readings of a row and the wire: when each message arrives, how often, and with which time stamp.

Everything is a function of the plan and the row. What a device drew for a row is drawn by address, and what depends on
earlier rows (order, buffers) follows from rows that are always taken from the first on; so it does not matter where a
run is cut, as long as each piece hears of the rows before it. A piece delivers what is due in its own time.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, NamedTuple

from anomgan.records import Reading, Source
from anomgan.simulate.network.device import Device, Messages, Parcel, Writer, at, fate, make_devices, stamp
from anomgan.simulate.network.incidents import OFF, OFFLINE, Incident
from anomgan.simulate.network.plan import NetworkPlan

State = Literal["begin", "end"]
BEGIN, SWITCH, MESSAGE, END = range(4)
"""what comes first where several things are due at the same moment"""


class Delivery(NamedTuple):
    """A message of a device that reaches the broker, `due_s` after the start of the run."""

    due_s: float
    source: Source
    topic: str
    payload: bytes
    qos: int
    retain: bool


class Switch(NamedTuple):
    """A device's connection ends, with a `goodbye` or without, or is made again."""

    due_s: float
    source: Source
    up: bool
    goodbye: bool


class Told(NamedTuple):
    """Ground truth: an incident begins or ends."""

    due_s: float
    incident: Incident
    state: State


@dataclass(slots=True)
class Counts:
    """What became of messages: published = carried + generated + duplicated - lost - overflowed - pending.

    carried: made before this piece of the run, and still under way when it began. duplicated: second copies.
    lost: never to arrive. overflowed: gone from a full buffer. pending: under way at the end, for the next piece, or
    kept by a device that does not come back.
    Of those published, delayed: later than made; buffered: after an outage; reordered: first copies that came after a
    later message of their device. misdated: made with a time stamp that is not the time.
    """

    carried: int = 0
    generated: int = 0
    duplicated: int = 0
    lost: int = 0
    overflowed: int = 0
    published: int = 0
    pending: int = 0
    delayed: int = 0
    buffered: int = 0
    reordered: int = 0
    misdated: int = 0


Entry = tuple[float, int, int, int, int, "Parcel | Switch | Told"]
"""(due_s, rank, row, device or incident, copy, what)"""


class Network:
    """All devices' links on their way through a run, or the piece of it from first_row on and before stop_row.

    `take` every row from row 0 on, in order; `due` gives what arrives, which is nothing before the piece begins. What
    is under way at stop_row belongs to the next piece; after the last row of the run all of it arrives, until stop_s,
    but what a device keeps that is offline to the end.
    """

    def __init__(self, plan: NetworkPlan, first_row: int = 0, stop_row: int | None = None) -> None:
        self.plan = plan
        self.counts = Counts()
        self.first_row = first_row
        self.first_s = first_row * plan.run.period_s
        self.stop_s = math.inf if stop_row is None or stop_row == plan.run.rows else stop_row * plan.run.period_s
        self._writer: Writer | None = None
        self._start_s = 0.0
        self._devices = make_devices(plan)
        self._by_source = {device.source: device for device in self._devices}
        numbered = enumerate(plan.incidents)
        self._agenda = [entry for number, one in numbered for entry in _happenings(one, number, plan.lasts(one))]
        heapq.heapify(self._agenda)

    @property
    def shared(self) -> bool:
        """Whether there is one connection for all devices."""
        return self.plan.config.connection == "shared"

    def row_s(self, row: int) -> float:
        """When a row is, after the start of the run."""
        return row * self.plan.run.period_s

    def offline(self) -> set[Source]:
        """The devices that have no connection where the piece begins."""
        return {device.source for device in self._devices if at(device.offline, self.first_s) is not None}

    def take(self, row: int, readings: Sequence[Reading], writer: Writer) -> int:
        """Let the devices send a row; how many measured it. The writer makes a device's messages, where they matter."""
        measured = 0
        self._writer = writer
        if row == self.first_row:
            self.counts = Counts(carried=self._under_way())
        made_s = self.row_s(row)
        if readings:
            self._start_s = readings[0].time_s - made_s
        for reading in readings:
            device = self._by_source[reading.source]
            off = at(device.offline, made_s)
            if off is None or off.kind not in OFF:
                self._send(device, row, made_s, reading, writer)
                measured += 1
        return measured

    def next_s(self) -> float:
        """When the next thing happens; infinite where nothing will."""
        return self._agenda[0][0] if self._agenda else math.inf

    def due(self, until_s: float, *, also: bool) -> Iterator[Delivery | Switch | Told]:
        """What happens from where the last call ended until then, `also` at that very moment, in order."""
        agenda = self._agenda
        while agenda and (agenda[0][0] < until_s or (also and agenda[0][0] == until_s)):
            due_s, _, _, index, _, what = heapq.heappop(agenda)
            if isinstance(what, Parcel):
                yield from self._arrive(due_s, what, self._devices[index])
                continue
            if isinstance(what, Switch) and what.up:
                self._begin_anew(self._by_source[what.source], due_s)
                self._release(self._by_source[what.source], due_s)
            if due_s >= self.first_s:
                yield what

    def finish(self) -> Counts:
        """What became of all messages, once nothing more is asked for."""
        self.counts.pending = self._under_way()
        return self.counts

    def _send(
        self,
        device: Device,
        row: int,
        made_s: float,
        reading: Reading,
        writer: Writer,
    ) -> None:
        arrivals = fate(device, row, made_s, self.plan.run.period_s)
        ways = [(due_s, at(device.offline, due_s)) for due_s in arrivals]
        messages: Messages = ()
        if row >= self.first_row or any((off.end_s if off else due_s) >= self.first_s for due_s, off in ways):
            time_s = stamp(device, made_s, reading.time_s)
            messages = writer.encode([reading if time_s == reading.time_s else replace(reading, time_s=time_s)])
            self.counts.misdated += len(messages) if time_s != reading.time_s else 0
        if all(off is not None for _, off in ways):
            later = writer.unsaid(messages)  # without what begins a connection, which begins the next one anew
            messages = later if arrivals else messages
        self.counts.generated += len(messages)
        self.counts.lost += 0 if arrivals else len(messages)
        for copy, (due_s, off) in enumerate(ways):
            past = (due_s if off is None else off.end_s) < self.first_s
            parcel = Parcel(made_s, row, copy, () if past else messages)
            self.counts.duplicated += len(messages) if copy else 0
            if off is None:
                heapq.heappush(self._agenda, (due_s, MESSAGE, row, device.index, copy, parcel))
            elif off.kind in OFF:
                self.counts.lost += len(messages)
            else:
                self._keep(device, off, parcel)

    def _keep(self, device: Device, off: Incident, parcel: Parcel) -> None:
        """In the device's own memory, where the latest readings have a place."""
        kept = device.waiting.setdefault(off.end_s, deque())
        if kept and kept[-1][0].row == parcel.row:
            kept[-1].append(parcel)
        else:
            kept.append([parcel])
        if len(kept) > device.link.buffer:
            self.counts.overflowed += sum(len(gone.messages) for gone in kept.popleft())

    def _begin_anew(self, device: Device, now_s: float) -> None:
        """What is said first over every connection is said."""
        if self._writer is not None and now_s >= self.first_s:
            first = self._writer.anew(*device.source, stamp(device, now_s, self._start_s + now_s))
            self.counts.generated += len(first)
            if first:  # before all that is released, and out of nobody's order
                parcel = Parcel(now_s, device.newest, 0, first)
                heapq.heappush(self._agenda, (now_s, MESSAGE, -1, device.index, 0, parcel))

    def _release(self, device: Device, now_s: float) -> None:
        """All that was kept leaves at once, the oldest first."""
        for parcel in chain.from_iterable(device.waiting.pop(now_s, ())):
            self.counts.buffered += len(parcel.messages)
            heapq.heappush(self._agenda, (now_s, MESSAGE, parcel.row, device.index, parcel.copy, parcel))

    def _arrive(self, due_s: float, parcel: Parcel, device: Device) -> Iterator[Delivery]:
        link, count = device.link, len(parcel.messages)
        self.counts.published += count
        self.counts.delayed += count if due_s > parcel.made_s else 0
        self.counts.reordered += count if parcel.row < device.newest and not parcel.copy else 0
        device.newest = max(device.newest, parcel.row)
        qos = self.plan.run.qos if link.qos is None else link.qos
        for topic, payload in parcel.messages:
            yield Delivery(due_s, device.source, topic, payload, qos, link.retain)

    def _under_way(self) -> int:
        memories = chain.from_iterable(device.waiting.values() for device in self._devices)
        held = [parcel for kept in memories for copies in kept for parcel in copies]
        moving = [what for *_, what in self._agenda if isinstance(what, Parcel)]
        return sum(len(parcel.messages) for parcel in held + moving)


def _happenings(incident: Incident, number: int, lasts: bool) -> Iterator[Entry]:
    """What an incident puts on the agenda; nobody comes back from one that lasts to the end of the run."""
    start_s, end_s = incident.start_s, incident.end_s
    ends = math.isfinite(end_s)
    yield start_s, BEGIN, -1, number, 0, Told(start_s, incident, "begin")
    if incident.kind in OFFLINE:
        yield start_s, SWITCH, -1, number, 0, Switch(start_s, incident.source, False, incident.goodbye)
    if incident.kind in OFFLINE and not lasts:
        yield end_s, SWITCH, -1, number, 0, Switch(end_s, incident.source, True, False)
    if ends:
        yield end_s, END, -1, number, 0, Told(end_s, incident, "end")
