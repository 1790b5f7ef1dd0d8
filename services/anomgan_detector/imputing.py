"""What a fleet's events should have looked like, imputed by a synthesizer when they open, get worse and end.

For that the newest rows of every device are kept: of a quiet one as many as it takes when an event opens, of one with
an open event all since then, at most MOST_ROWS. What is imputed follows from the rows until the event's end alone, so
that it does not matter how messages fall into turns, but for AT_ONCE. While an event is open between two tellings, it
stands as it was told. Whatever cannot be imputed is told by what the detector expected, and counted.
"""

import logging
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from anomgan.config import DecideConfig
from anomgan.detector import Detector
from anomgan.errors import DataError, ModelFileError
from anomgan.expected import Expected
from anomgan.explain import Onsets
from anomgan.imputer import TOO_FEW_ROWS, Explained, Imputer
from anomgan.records import Event, Reading, Source, TimeSeries, Verdict, picker
from anomgan.scaling import usable
from anomgan.snapshots import UNREADABLE, event_from, text, timely, typed
from anomgan_detector.loaded import SynthesizerFile

log = logging.getLogger("anomgan.detector")
MOST_ROWS = 512
"""of an event that are imputed, its newest"""
AT_ONCE = 16
"""events of one turn that are imputed: when all devices fail at once, nobody waits for their pictures"""
UNFIT, TOO_MANY = "unfit", "too_many"
"""why the detector's own expectation stays, besides what the imputer says"""
SHOWN = 5
VERSION = 1
PART = "expected"
"""of a snapshot"""
HEAD = 8
"""bytes that tell how long the header is"""


@dataclass(slots=True)
class Recent:
    """The newest rows of a device: times, and values row by row; since_s: where an open event begins, NaN = none is."""

    times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("f"))
    since_s: float = math.nan

    def keep(self, rows: int, channels: int) -> None:
        """Let go of all but so many."""
        gone = len(self.times) - rows
        if gone > 0:
            del self.times[:gone]
            del self.values[: gone * channels]


class Imputing:
    """The imputer of one fleet and the rows that it goes by; without a `path` nothing is done. A file that could not be
    read (None) or does not fit is told, and every event is counted as not imputed.

    Counts, whenever an event is told, events_imputed or events_not_imputed.WHY.
    """

    def __init__(self, path: str, detector: Detector, file: SynthesizerFile | None, rule: DecideConfig) -> None:
        self.counters: Counter[str] = Counter()
        self.fault = "" if not path or file is not None else f"{path}: cannot be read"
        self._path, self._rule = path, rule
        self._channels, self._units = detector.channels, detector.units
        self._known, self._pick = frozenset(detector.channels), picker(detector.channels)
        self._closing = ((rule.close_after or 1) + 1) * detector.rule.stride
        self._imputer: Imputer | None = None
        self._recent: dict[Source, Recent] = {}
        self._told: dict[str, Event] = {}
        self._heard: set[Source] = set()
        self._expected: list[Expected] = []
        self._count, self._shown = 0, 0
        if path and file is not None:
            try:
                self._imputer = Imputer(detector, file.synthesizer, path)
            except ModelFileError as error:
                self.fault = str(error)
                log.error("%s; events are told by what the detector itself expected", error)

    def describe(self) -> str:
        """What is imputed by, as an end of a line; "" = nobody asked for it."""
        if not self._path:
            return ""
        return f", imputing by {self._path}" if self._imputer is not None else f", not imputing: {self.fault}"

    def document(self) -> dict[str, Any]:
        """By what is imputed, what is wrong with it, and how often it was done and why not, as JSON types."""
        why = {name.partition(".")[2]: count for name, count in self.counters.items() if "." in name}
        return {"by": self._path, "fault": self.fault, "imputed": self.counters["events_imputed"], "not_imputed": why}

    # ---------------------------------------------------------------- a turn

    def hear(self, readings: Iterable[Reading]) -> None:
        """A turn begins with these readings, each device's in order; what is late or unknown is left out."""
        self._count = 0
        if self._imputer is None:
            return
        recent, channels, known, pick, nan = self._recent, self._channels, self._known, self._pick, math.nan
        for reading in readings:
            values, source = reading.values, reading.source
            whole = values.keys() == known
            if not math.isfinite(reading.time_s) or (not whole and known.isdisjoint(values)):
                continue
            one = recent.get(source)
            if one is None:
                one = recent[source] = Recent()
            if one.times and not reading.time_s > one.times[-1]:
                continue
            one.times.append(reading.time_s)
            one.values.extend(pick(values) if whole else [values.get(channel, nan) for channel in channels])
            self._heard.add(source)

    def retell(self, event: Event, oddest: Verdict, onsets: Onsets) -> Event:
        """An event as it is told."""
        if not self._path:
            return event
        told = self._explain(event, oddest, onsets)
        self._told.pop(event.id, None)
        if told.expected is None:
            self._show(f"events_not_imputed.{told.kept}", event, told.words)
            return event
        self.counters["events_imputed"] += 1
        self._expected.append(told.expected)
        if told.event.state == "open":
            self._told[event.id] = told.event
        return told.event

    def standing(self, events: Iterable[Event]) -> list[Event]:
        """Open events as they stand, described as they were told."""
        return [self._described(event) for event in events]

    def turn_over(self) -> list[Expected]:
        """What was imputed in this turn, which ends."""
        done, self._expected = self._expected, []
        quiet = 0 if self._imputer is None else self._imputer.rows
        for source in self._heard:
            one = self._recent[source]
            most = quiet if math.isnan(one.since_s) else MOST_ROWS + self._closing
            if len(one.times) >= 2 * most:  # so that not every turn moves them
                one.keep(most, len(self._channels))
        self._heard.clear()
        return done

    def forget(self, sources: Iterable[Source], closed: Sequence[Event]) -> list[Event]:
        """Let go of devices; their closed events, described as they were told."""
        for source in sources:
            self._recent.pop(source, None)
            self._heard.discard(source)
        done = self.standing(closed)
        for event in closed:
            self._told.pop(event.id, None)
        return done

    def _explain(self, event: Event, oddest: Verdict, onsets: Onsets) -> Explained:
        if self._imputer is None:
            return Explained(event, None, UNFIT, self.fault)
        series = self._rows(event)
        if series is None:
            return Explained(event, None, TOO_FEW_ROWS, "no row of the device is known")
        if self._count >= AT_ONCE:
            return Explained(event, None, TOO_MANY, f"{AT_ONCE} events were imputed in this turn")
        self._count += 1
        return self._imputer.explain(self._rule, event, oddest, onsets, series)

    def _rows(self, event: Event) -> TimeSeries | None:
        """The rows of an event's device until its end: those before it opened, and all since."""
        one = self._recent.get((event.site, event.device))
        if one is None or self._imputer is None:
            return None
        times, values = np.array(one.times), self._table(one)
        end = int(np.searchsorted(times, event.end_s, "right"))
        if math.isnan(one.since_s) and end:
            one.since_s = float(times[max(0, end - self._imputer.rows)])
        first = max(int(np.searchsorted(times, one.since_s)), end - MOST_ROWS)
        if event.state == "closed":
            one.since_s = math.nan
        rows = slice(first, end)
        return TimeSeries(times[rows], values[rows], self._channels, None, self._units, event.device)

    def _table(self, one: Recent) -> NDArray[np.float64]:
        return usable(np.array(one.values, np.float64).reshape(-1, len(self._channels)))

    def _described(self, event: Event) -> Event:
        told = self._told.get(event.id)
        if told is None:
            return event
        return replace(
            event,
            channels=told.channels,
            observed=told.observed,
            expected=told.expected,
            contributions=told.contributions,
            units=told.units,
            reason=told.reason,
        )

    def _show(self, counter: str, event: Event, words: str) -> None:
        """Count it, and log the first few."""
        self.counters[counter] += 1
        self._shown += 1
        if self._shown <= SHOWN:
            log.warning("%s: event %s: %s", counter, event.id, words)
        if self._shown == SHOWN:
            log.warning("events_not_imputed: from now on only counted")

    # ---------------------------------------------------------------- state

    def snapshot(self) -> dict[str, bytes]:
        """The counters, and everything that later descriptions depend on; nothing where nobody asked for imputing."""
        if not self._path:
            return {}
        devices, rows = [], []
        quiet = 0 if self._imputer is None else self._imputer.rows
        for source, one in self._recent.items():
            kept = min(len(one.times), quiet) if math.isnan(one.since_s) else len(one.times)
            devices.append([*source, kept, one.since_s])
            rows.append(np.array(one.times[-kept:], "<f8").tobytes())
            rows.append(np.array(one.values[-kept * len(self._channels) :], "<f4").tobytes())
        header = orjson.dumps(
            {
                "version": VERSION,
                "channels": self._channels,
                "devices": devices,
                "told": list(self._told.values()),
                "counters": self.counters,
            }
        )
        return {PART: b"".join([len(header).to_bytes(HEAD, "little"), header, *rows])}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what `snapshot` gave, where it gave any; DataError for anything else, which changes nothing."""
        if not self._path or PART not in parts:
            return
        content, width = parts[PART], len(self._channels)
        try:
            at = HEAD + int.from_bytes(content[:HEAD], "little")
            header = orjson.loads(content[HEAD:at])
            if header["version"] != VERSION or tuple(header["channels"]) != self._channels:
                raise DataError("rows of another version or of other channels")
            recent: dict[Source, Recent] = {}
            for site, device, count, since_s in header["devices"]:
                times, at = np.frombuffer(content, "<f8", count, at), at + 8 * count
                values, at = np.frombuffer(content, "<f4", count * width, at), at + 4 * count * width
                if not (np.diff(times) > 0).all():
                    raise ValueError("rows are not in order")
                timely(*times[[0, -1]].tolist())
                since_s = math.nan if since_s is None else float(since_s)
                recent[text(site), text(device)] = Recent(
                    array("d", times.tolist()), array("f", values.tolist()), since_s
                )
            if at != len(content):
                raise ValueError("there is more than was written")
            told = {event.id: event for event in map(event_from, header["told"])}
            counters = Counter(typed(header, "counters", dict[str, int]))
        except (*UNREADABLE, IndexError, OverflowError, DataError) as error:
            raise DataError(f"these bytes are not a snapshot of what is imputed by: {error}") from None
        self.counters = counters
        if self._imputer is not None:
            self._recent, self._told = recent, told

    def take_over(self, other: "Imputing") -> None:
        """Go on with the rows and open events of another, where they are of the same channels."""
        if self._imputer is not None and self._channels == other._channels:
            self._recent, self._told = dict(other._recent), dict(other._told)
        self.counters.update(other.counters)
