"""FleetQuality: readings of a whole fleet in, those to feed to the model out, with sick channels missing.

It stands before `StreamDetector.push`. A reading that came twice, out of order, late or ahead of its clock is refused
and counted; of the others, what a sick sensor says becomes NaN. Everything else passes untouched, as the same object.
The state is bounded, `bytes_per_device` says by what.
"""

import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.config import QualityConfig
from anomgan.quality.arrival import FATES, TAKEN
from anomgan.quality.cell import NEW_STATE, OUT_OF_RANGE, SILENT, STUCK, UNIT_JUMP
from anomgan.quality.channels import ChannelHealth
from anomgan.quality.delivery import DeliveryHealth, refused
from anomgan.quality.issues import WHOLE_DEVICE, Change
from anomgan.quality.limits import Limits, with_ranges, without
from anomgan.quality.packed import pack, unpack
from anomgan.records import DeviceHealth, HealthIssue, Reading, Source, picker
from anomgan.scaling import usable

SPREAD = 0.6180339887
"""golden: whatever the number of devices, their moments lie evenly"""


@dataclass(frozen=True, slots=True)
class Screened:
    """What became of readings: those to feed, in order of arrival, the issues that opened or closed, the readings that
    were refused, each with why, as its counter is called, and which of those to feed have lost something sick."""

    readings: list[Reading]
    issues: list[HealthIssue]
    refused: list[tuple[str, Reading]]
    masked: list[Reading]


class FleetQuality:
    """The data quality of devices that share one model.

    Issues carry `model`, its name. `counters` holds totals since the start: dropped.duplicate, dropped.out_of_order,
    dropped.late, dropped.clock_ahead, dropped.bad_time (readings); masked_values.stuck, .out_of_range, .unit_jump,
    .suspicion (values made missing); issues.<kind> (opened). DataError where the configuration names unknown channels.
    """

    def __init__(self, limits: Limits, config: QualityConfig | None = None, model: str = "") -> None:
        rule = QualityConfig() if config is None else config
        self.limits = with_ranges(without(limits, rule.may_stand_still, rule.leave_alone), rule.ranges)
        self.counters: Counter[str] = Counter()
        self._model = model
        names = self.limits.channels
        self._known = frozenset(names)
        self._pick = picker(names)
        self._numbers: dict[Source, int] = {}
        self._sources: list[Source] = []
        self._channels = ChannelHealth(self.limits)
        self._delivery = DeliveryHealth(self.limits, rule)

    def __len__(self) -> int:
        """How many devices have been heard."""
        return len(self._numbers)

    def screen(self, readings: Sequence[Reading], arrivals: Sequence[float], *, catching_up: bool = False) -> Screened:
        """Take readings in, in order of arrival, each with the wall clock's time of its arrival, a finite number.

        Readings of one message share its arrival. `catching_up`: what waited for us while we were away comes in now,
        so that delays say nothing. A reading without any of the model's channels passes untouched, for the stream to
        count.
        """
        if len(readings) != len(arrivals):
            raise ValueError(f"{len(readings)} readings with {len(arrivals)} arrivals")
        ours, rows, who = self._rows(readings)
        values = usable(np.array(rows, np.float64).reshape(len(rows), len(self.limits.channels)))
        numbers, times = np.array(who, np.int64), np.array([readings[i].time_s for i in ours], np.float64)
        came = np.array([arrivals[i] for i in ours], np.float64)
        if not np.isfinite(came).all():
            raise ValueError("an arrival is not a finite number")
        fates, changes = self._delivery.push(numbers, times, came, catching_up=catching_up)
        self.counters.update(refused(fates))
        out: list[Reading | None] = list(readings)
        dropped = np.flatnonzero(fates != TAKEN).tolist()
        for k in dropped:
            out[ours[k]] = None
        why = [(f"dropped.{FATES[fates[k]]}", readings[ours[k]]) for k in dropped]
        taken = np.flatnonzero(fates == TAKEN)
        fed, sick, counts = self._channels.push(numbers[taken], times[taken], values[taken])
        self.counters.update({f"masked_values.{kind}": count for kind, count in counts.items()})
        changed = (fed != values[taken]) & ~np.isnan(values[taken])
        lessened: list[int] = []
        for row in np.flatnonzero(changed.any(axis=1)).tolist():
            i = ours[int(taken[row])]
            new = {self.limits.channels[c]: float(fed[row, c]) for c in np.flatnonzero(changed[row])}
            out[i] = replace(readings[i], values={**readings[i].values, **new})
            lessened.append(i)
        issues = self._tell([*changes, *sick])
        masked = [one for i in lessened if (one := out[i]) is not None]
        return Screened([one for one in out if one is not None], issues, why, masked)

    def _rows(self, readings: Sequence[Reading]) -> tuple[list[int], list[Sequence[float]], list[int]]:
        """Which readings have channels of ours, their values in our order, and the numbers of their devices."""
        ours: list[int] = []
        rows: list[Sequence[float]] = []
        who: list[int] = []
        nan = float("nan")
        for i, reading in enumerate(readings):
            values = reading.values
            try:
                row = self._pick(values)
            except KeyError:
                if self._known.isdisjoint(values):
                    continue
                row = tuple(values.get(name, nan) for name in self.limits.channels)
            ours.append(i)
            rows.append(row)
            who.append(self._number(reading.source))
        return ours, rows, who

    def silent(self, now_s: float, *, listening_since_s: float = -np.inf) -> list[HealthIssue]:
        """The devices that have just become silent, by the wall clock; to be asked every second or so.

        While the connection is down nobody is heard: ask again after it is made, with its time.
        """
        return self._tell(self._delivery.silent(now_s, listening_since_s, len(self)))

    def open_issues(self) -> list[HealthIssue]:
        """What is wrong now, in order of its start."""
        return self._open(range(len(self)))

    def _open(self, numbers: Sequence[int]) -> list[HealthIssue]:
        found = self._delivery.open_issues(numbers) + self._channels.open_issues(numbers)
        return [self._issue(change) for change in sorted(found, key=lambda change: change.start_s)]

    def health(self, now_s: float, sources: Iterable[Source] | None = None) -> list[DeviceHealth]:
        """How the data of all devices, or of these, are now."""
        told = []
        of = list(self._sources if sources is None else sources)
        wrong: dict[Source, list[HealthIssue]] = {}
        for issue in self._open([self._numbers[source] for source in of]):
            wrong.setdefault((issue.site, issue.device), []).append(issue)
        for source in of:
            number = self._numbers[source]
            device, kinds = self._delivery.devices[number], self._channels.cells["kind"][number]
            duplicate, out_of_order, late, ahead = device["refused"].tolist()
            told.append(
                DeviceHealth(
                    device=source[1],
                    site=source[0],
                    time_s=now_s,
                    silent_s=now_s - float(device["heard_s"]),
                    skew_s=float(device["offset_s"]),
                    stuck=int(np.count_nonzero(kinds == STUCK)),
                    out_of_range=int(np.count_nonzero(kinds == OUT_OF_RANGE)),
                    unit_jump=int(np.count_nonzero(kinds == UNIT_JUMP)),
                    new_state=int(np.count_nonzero(kinds == NEW_STATE)),
                    missing=int(np.count_nonzero(kinds == SILENT)),
                    duplicate=duplicate,
                    out_of_order=out_of_order,
                    late=late,
                    ahead=ahead,
                    counter_resets=int(self._channels.counts["resets"][number].sum()),
                    issues=tuple(wrong.get(source, ())),
                    model=self._model,
                )
            )
        return told

    def due(self, now_s: float, every_s: float, most: int) -> tuple[list[Source], list[Source]]:
        """Devices, new ones and others, whose health was not told for `every_s`, at most so many.

        It is taken for told with that.

        A device is due when it is first heard, and then at moments of its own, so that not all are at once.
        """
        due_s = self._delivery.devices["due_s"][: len(self)]
        numbers = np.flatnonzero(~(due_s > now_s))[:most]
        first = np.isnan(due_s[numbers])
        due_s[numbers] = now_s + every_s * np.where(first, 0.5 + (numbers * SPREAD) % 1.0, 1.0)
        told = [(self._sources[number], new) for number, new in zip(numbers.tolist(), first.tolist(), strict=True)]
        return [source for source, new in told if new], [source for source, new in told if not new]

    @property
    def sources(self) -> Sequence[Source]:
        """The devices that have been heard."""
        return self._sources

    def knows(self, source: Source) -> bool:
        """Whether a device has been heard, and not been forgotten since."""
        return source in self._numbers

    def forget(self, sources: Iterable[Source], why: str) -> list[HealthIssue]:
        """Let go of devices; what was wrong with them, closed for a reason.

        The others go on as if these had never been heard, but for the moments at which the health of those that are
        heard later is told.
        """
        numbers = sorted(self._numbers[source] for source in set(sources) if source in self._numbers)
        if not numbers:
            return []
        closed = [replace(one, state="closed", reason=f"{one.reason}; {why}") for one in self._open(numbers)]
        left = np.delete(np.arange(len(self)), numbers)
        self._delivery.keep(left)
        self._channels.keep(left)
        self._sources = [self._sources[number] for number in left.tolist()]
        self._numbers = {source: number for number, source in enumerate(self._sources)}
        return closed

    def _number(self, source: Source) -> int:
        number = self._numbers.get(source)
        if number is None:
            number = self._numbers[source] = len(self._sources)
            self._sources.append(source)
            self._delivery.reserve(number + 1)
            self._channels.reserve(number + 1)
        return number

    def _tell(self, changes: list[Change]) -> list[HealthIssue]:
        self.counters.update(
            f"issues.{change.kind}" for change in changes if change.state == "open" or change.kind == "counter_reset"
        )
        return [self._issue(change) for change in sorted(changes, key=lambda change: change.noticed_s)]

    def _issue(self, change: Change) -> HealthIssue:
        site, device = self._sources[change.number]
        channel = "" if change.channel == WHOLE_DEVICE else self.limits.channels[change.channel]
        where = (f"{site}/{device}" if site else device) + (f":{channel}" if channel else "")
        return HealthIssue(
            id=f"{where}:{change.kind}@{round(change.start_s * 1000)}",
            device=device,
            site=site,
            channel=channel,
            kind=change.kind,
            state=change.state,
            start_s=change.start_s,
            end_s=change.end_s,
            reason=change.reason,
            model=self._model,
        )

    # ---------------------------------------------------------------- state

    def snapshot(self) -> bytes:
        """All that is remembered of every device, as versioned bytes; `restore` goes on as if nothing had happened."""
        return pack(self.made_for, self._sources, self._arrays())

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for foreign, damaged or unfitting bytes, which change nothing."""
        sources, stored = unpack(snapshot, self.made_for, self._arrays(), self._channels.conversions)
        numbers = [self._number(source) for source in sources]  # which may make new arrays
        for array, rows in zip(self._arrays(), stored, strict=True):
            array[numbers] = rows

    def _arrays(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        return self._delivery.devices, self._channels.cells, self._channels.counts

    @property
    def made_for(self) -> int:
        """Tells apart the channels, units and counters that a state was made for."""
        made_for = [self.limits.channels, self.limits.units, self._channels.counters]
        return zlib.crc32(json.dumps(made_for).encode())

    def bytes_per_device(self) -> int:
        """What the arrays keep for one device."""
        return sum(array.dtype.itemsize * math.prod(array.shape[1:]) for array in self._arrays())
