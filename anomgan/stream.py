"""StreamDetector: readings of a whole fleet in, verdicts out, one model, one batch of windows per push.

Streaming and offline scoring agree because both follow `windows` and both call `Detector.examine_windows`.

What is admitted, per device: a reading at the time of the newest one is a duplicate, an older one is late; both are
dropped and counted, because a window is a thing of rows in order. So is one whose time is not a number. A channel that
the model does not know is left out and counted; one that is missing reads NaN (`windows` holds it for a while) and is
counted. A reading without any of the model's channels is dropped and counted.
"""

import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import accumulate, islice, pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from anomgan.adaptation import Adaptation
from anomgan.config import AdaptConfig
from anomgan.detector import Detector
from anomgan.errors import DataError
from anomgan.examination import Examination
from anomgan.fleet_windows import FleetWindows, Pushed
from anomgan.handover import Maker, hand_over
from anomgan.records import Reading, Source, Verdict, picker
from anomgan.scaling import usable
from anomgan.windows import WindowState, pack_state, unpack_state

CHUNK = 4096
AT_ONCE = 1000
"""devices whose windows are copied at a time for a snapshot"""
_MAGIC = b"agSD\x01"
_LENGTHS = struct.Struct("<III")


class StreamDetector:
    """Per-device streaming state around one detector.

    `counters` holds totals since the start: readings_admitted = readings_warming_up + readings_scored; windows_scored,
    windows_unknown (too much missing); gaps; missing_values; dropped.late, dropped.duplicate, dropped.bad_time,
    dropped.no_known_channel (readings); unknown_channel_values. `model` is a name that verdicts carry. `on_odd` hears
    of each reading that is dropped (as its counter is called) or has an `unknown_channel` or a `missing_channel`.
    With `adapt`, single devices' thresholds move as `adaptation` says; without, all stay where the model has them.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        alarms_per_week: float | None = None,
        model: str = "",
        on_odd: Callable[[str, Reading], None] = lambda what, reading: None,
        adapt: AdaptConfig | None = None,
    ) -> None:
        self.detector = detector
        self._on_odd = on_odd
        self.model = model
        budget = detector.config.alarms_per_week if alarms_per_week is None else alarms_per_week
        self.threshold = detector.threshold_for(budget)
        self.adaptation = None if adapt is None else Adaptation(detector, adapt, self.threshold)
        self.counters: Counter[str] = Counter()
        self._numbers: dict[Source, int] = {}
        self._newest_s: list[float] = []
        self._units: dict[Source, tuple[str, ...]] = {}
        self._known, self._pick = frozenset(detector.channels), picker(detector.channels)
        self._fleet = FleetWindows(len(detector.channels), detector.rule)

    def name_units(self, source: Source, units: Mapping[str, str]) -> None:
        """What a device calls the units of its channels; it counts where the model knows none."""
        ours = self._units.get(source) or self.detector.units
        named = tuple(unit or units.get(name, "") for name, unit in zip(self.detector.channels, ours, strict=True))
        if named != ours:
            self._units[source] = named

    @property
    def units(self) -> Mapping[Source, tuple[str, ...]]:
        """The units of those devices that have told some, by channel."""
        return self._units

    def __len__(self) -> int:
        """How many devices have been heard."""
        return len(self._numbers)

    @property
    def sources(self) -> Collection[Source]:
        """The devices that have been heard."""
        return self._numbers.keys()

    def forget(self, sources: Collection[Source]) -> None:
        """Go on as if these devices had never been heard; lessons that people gave of them stay."""
        gone = frozenset(sources)
        for source in gone:
            self._units.pop(source, None)
        if self.adaptation is not None:
            self.adaptation.forget_devices(gone)
        if gone.isdisjoint(self._numbers):
            return
        left = {source: number for source, number in self._numbers.items() if source not in gone}
        self._fleet.keep(np.array(list(left.values()), np.int64))
        self._newest_s = [self._newest_s[number] for number in left.values()]
        self._numbers = {source: number for number, source in enumerate(left)}

    def push(
        self, readings: Iterable[Reading], learnable: Callable[[Source, float], bool] = lambda source, time_s: True
    ) -> list[Verdict]:
        """Take readings in; the verdicts of all windows that became due, in the order of the readings.

        A verdict of a window in warm-up, or with too much missing, has surprise NaN: unknown, not normal. `learnable`
        says of a device and a time whether a window that ends then may move the device's threshold.
        """
        verdicts: list[Verdict] = []
        pending = iter(readings)
        while chunk := list(islice(pending, CHUNK)):
            verdicts += self._push(chunk, learnable)
        return verdicts

    def _push(self, readings: Sequence[Reading], learnable: Callable[[Source, float], bool]) -> list[Verdict]:
        admitted, who, rows = self._admit(readings)
        if not admitted:
            return []
        values = usable(np.array(rows, np.float64))  # (n, C)
        times = np.array([reading.time_s for reading in admitted])
        scaled = self.detector.scale(values)
        pushed, rule = self._fleet.push(who, times, scaled), self.detector.rule
        warming = pushed.run < rule.window
        seen = values.astype(np.float32)
        examined = self._verdicts(admitted, seen, pushed, learnable)
        known = sum(verdict.surprise == verdict.surprise for _, verdict in examined)
        counters, warm = self.counters, int(np.count_nonzero(warming))
        counters["readings_admitted"] += len(admitted)
        counters["missing_values"] += int(np.count_nonzero(np.isnan(scaled)))
        counters["gaps"] += pushed.gaps
        counters["readings_warming_up"] += warm
        counters["readings_scored"] += len(admitted) - warm
        counters["windows_scored"] += known
        counters["windows_unknown"] += len(examined) - known
        waiting = np.flatnonzero(warming & (pushed.run % rule.stride == 0)).tolist()
        if not waiting:
            return [verdict for _, verdict in examined]
        unknown = [(row, self._verdict(admitted[row], seen[row], self.threshold)) for row in waiting]
        return [verdict for _, verdict in sorted([*examined, *unknown], key=lambda pair: pair[0])]

    def _admit(self, readings: Sequence[Reading]) -> tuple[list[Reading], NDArray[np.int64], list[tuple[float, ...]]]:
        """The readings to take, whose they are (n,), their values as rows."""
        admitted: list[Reading] = []
        who: list[int] = []
        rows: list[tuple[float, ...]] = []
        channels, known, pick, counters = self.detector.channels, self._known, self._pick, self.counters
        nan = float("nan")
        for reading in readings:
            values = reading.values
            whole = values.keys() == known
            if not whole:
                strangers = len(values.keys() - known)
                if strangers:
                    counters["unknown_channel_values"] += strangers
                if strangers == len(values):
                    self._drop("no_known_channel", reading)
                    continue
                if strangers:
                    self._on_odd("unknown_channel", reading)
                if len(values) - strangers < len(known):
                    self._on_odd("missing_channel", reading)
            if not isfinite(reading.time_s):
                self._drop("bad_time", reading)
                continue
            number = self._numbers.get(reading.source)
            if number is None:
                number = self._add(reading.source)
            newest = self._newest_s[number]
            if not reading.time_s > newest:
                self._drop("duplicate" if reading.time_s == newest else "late", reading)
                continue
            self._newest_s[number] = reading.time_s
            admitted.append(reading)
            who.append(number)
            rows.append(pick(values) if whole else tuple(values.get(channel, nan) for channel in channels))
        return admitted, np.array(who, np.int64), rows

    def _drop(self, reason: str, reading: Reading) -> None:
        self.counters[f"dropped.{reason}"] += 1
        self._on_odd(f"dropped.{reason}", reading)

    def _add(self, source: Source) -> int:
        number = self._numbers[source] = self._fleet.add()
        self._newest_s.append(float("-inf"))
        return number

    def _verdicts(
        self,
        readings: Sequence[Reading],
        values: NDArray[np.float32],
        pushed: Pushed,
        learnable: Callable[[Source, float], bool],
    ) -> list[tuple[int, Verdict]]:
        """What is said of the windows that are due, each with the row that completes it, in order."""
        at = pushed.due.tolist()
        if not at:
            return []
        seen = self.detector.examine_windows(pushed.windows)
        thresholds = np.full(len(at), self.threshold)
        if self.adaptation is not None:
            sources, times = [readings[row].source for row in at], np.array([readings[row].time_s for row in at])
            runs = pushed.run[pushed.due]
            thresholds = self.adaptation.thresholds(sources, times, runs, seen.surprise, pushed.windows, learnable)
        return [
            (row, self._verdict(readings[row], values[row], threshold, seen, i))
            for i, (row, threshold) in enumerate(zip(at, thresholds.tolist(), strict=True))
        ]

    def _verdict(
        self,
        reading: Reading,
        values: NDArray[np.float32],
        threshold: float,
        seen: Examination | None = None,
        i: int = 0,
    ) -> Verdict:
        source = reading.source
        units = self._units.get(source, ())
        return self.detector.verdict(source, reading.time_s, values, threshold, seen, i, self.model, units)

    # ---------------------------------------------------------------- state

    def snapshot(self) -> bytes:
        """Every device's windowing state as versioned bytes; `restore` goes on as if nothing had happened."""
        parts, pending = [_MAGIC], iter(self._numbers.items())
        while some := list(islice(pending, AT_ONCE)):
            states = self._fleet.states(np.array([number for _, number in some], np.int64))
            for ((site, device), _), state in zip(some, states, strict=True):
                names, packed = (site.encode(), device.encode()), pack_state(state)
                parts += [_LENGTHS.pack(len(names[0]), len(names[1]), len(packed)), *names, packed]
        return b"".join(parts)

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for foreign, truncated or unfitting bytes, which change nothing."""
        for source, state in self._read(snapshot):
            self._put(source, state, state.last_s)

    def take_over(self, other: "StreamDetector") -> None:
        """Go on where another detector's stream is: its devices, their windows and its counters. No warm-up is paid
        again but for what `anomgan.handover` says."""
        before, after = (Maker(one.channels, one.parts.scaler, one.rule) for one in (other.detector, self.detector))
        for source, theirs in other._numbers.items():
            state = other._fleet.state(theirs)
            same = self.detector is other.detector
            self._put(source, state if same else hand_over(before, after, state), other._newest_s[theirs])
        self.counters.update(other.counters)

    def _put(self, source: Source, state: WindowState, newest_s: float) -> None:
        """A device goes on with a state."""
        number = self._numbers.get(source)
        if number is None:
            number = self._add(source)
        self._fleet.restore(number, state)
        self._newest_s[number] = newest_s

    def _read(self, snapshot: bytes) -> list[tuple[Source, WindowState]]:
        """The devices and states in a snapshot, all checked."""
        if not snapshot.startswith(_MAGIC):
            raise DataError("these bytes are not a snapshot of a stream detector")
        found: list[tuple[Source, WindowState]] = []
        at = len(_MAGIC)
        while at < len(snapshot):
            if len(snapshot) < at + _LENGTHS.size:
                raise DataError("the snapshot is truncated")
            edges = list(accumulate(_LENGTHS.unpack_from(snapshot, at), initial=at + _LENGTHS.size))
            if len(snapshot) < edges[-1]:
                raise DataError("the snapshot is truncated")
            site, device, packed = (snapshot[a:b] for a, b in pairwise(edges))
            state = unpack_state(packed)
            self._fleet.require_fit(state)
            try:
                found.append(((site.decode(), device.decode()), state))
            except UnicodeDecodeError:
                raise DataError("the snapshot is damaged: a device name is not UTF-8") from None
            at = edges[-1]
        return found

    def bytes_per_device(self) -> int:
        """What the arrays keep for one device."""
        return self._fleet.bytes_per_device()
