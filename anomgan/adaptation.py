"""What a stream has learned of single devices since the model was trained: their thresholds, and nothing else.

The surprise of a window stays what the model says; a device's threshold moves:

- slowly, with what is everyday for it (`drift`);
- for windows that are like one that somebody called a false alarm: by what they would be less surprising if that one
  were normal (`likeness`). A window that is nearer to one called real keeps its threshold.

No feedback can blind a device. It reaches as far around its windows as normal windows reach around their centre, which
the calibration says; what is odd in another way, or odder by more than that, alarms as before. A device takes
MOST_LESSONS of them. Each can be taken back exactly: lessons are kept apart from each other and from the model.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from anomgan.config import MOST_DECADES, AdaptConfig
from anomgan.detector import Detector
from anomgan.drift import QUARTILE, Drift, follow, raised, taken_back
from anomgan.errors import DataError
from anomgan.likeness import Places, places, surprises_around
from anomgan.records import Floats, Source
from anomgan.snapshots import UNREADABLE, checked, text, timely, tuples
from anomgan.strips import Strip, begin, extend, pack_strip, require_fit, unpack_strip, windows_of

Kind = Literal["false-alarm", "real"]
MOST_LESSONS = 16
"""of one device"""
STRIPS_EACH = 4
MOST_STRIPS = 300
_MAGIC = b"agAD\x01"
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a person said of an event: its rows, and the device's drift before and after it was said."""

    kind: Kind
    strips: tuple[Strip, ...]
    before: Drift | None
    after: Drift | None


class Adaptation:
    """Per-device thresholds around `threshold`, the model's own at the alarm budget."""

    def __init__(self, detector: Detector, rule: AdaptConfig, threshold: float) -> None:
        self.detector = detector
        self.rule = rule
        self.threshold = threshold
        self._longest_s = detector.rule.max_gap_s
        self._drift: dict[Source, Drift] = {}
        self._strips: dict[Source, list[Strip]] = {}  # the device that was odd last comes last
        self._lessons: dict[Source, dict[str, Lesson]] = {}
        self._places: dict[tuple[Source, str], Places] = {}  # follows from the lessons

    # ---------------------------------------------------------------- windows

    def thresholds(
        self,
        sources: Sequence[Source],
        times: Floats,
        runs: NDArray[np.int64],
        surprises: Floats,
        windows: NDArray[np.float32],
        learnable: Callable[[Source, float], bool],
    ) -> Floats:
        """Windows (N, C, L), each device's in order of time, with the times (N,) and numbers (N,) of their newest rows
        and their surprises (N,) -> the threshold (N,) of each. Only what is `learnable` is followed."""
        found = np.empty(len(surprises))
        for i, (source, time_s, surprise) in enumerate(zip(sources, times.tolist(), surprises.tolist(), strict=True)):
            drift = self._drift.get(source)
            usual = self.threshold + raised(drift)
            found[i] = usual
            if surprise != surprise:
                continue
            faulty = odd = surprise >= usual
            if odd:
                self._note(source, time_s, int(runs[i]), windows[i])
            if source in self._lessons and (odd or surprise > QUARTILE + usual - self.threshold):
                less, faulty = self._lesser(source, windows[i : i + 1], surprise)
                found[i] += surprise - less
            if self.rule.hours and not odd and not faulty and learnable(source, time_s):
                self._drift[source] = follow(self.rule, drift, time_s, surprise, self._longest_s)
        return found

    def _note(self, source: Source, time_s: float, run: int, window: NDArray[np.float32]) -> None:
        """Keep the rows of an odd window."""
        strips = self._strips.pop(source, [])
        more = extend(strips[-1], time_s, run, window, self._longest_s) if strips else None
        strips = [*strips[:-1], more] if more is not None else [*strips, begin(time_s, run, window)]
        self._strips[source] = strips[-STRIPS_EACH:]
        if len(self._strips) > MOST_STRIPS // STRIPS_EACH:
            while sum(map(len, self._strips.values())) > MOST_STRIPS:
                del self._strips[next(iter(self._strips))]

    def _lesser(self, source: Source, window: NDArray[np.float32], surprise: float) -> tuple[float, bool]:
        """What a window's surprise comes to in the light of the lessons, and whether it is like a real fault."""
        parts = self.detector.parts
        here = places(parts, window)
        least: dict[Kind, float] = {"false-alarm": surprise, "real": surprise}
        for event_id, lesson in self._lessons[source].items():
            remembered = self._remembered(source, event_id, lesson)
            around = surprises_around(parts, here, remembered, weaker=lesson.kind == "false-alarm")
            least[lesson.kind] = min(least[lesson.kind], float(around.min()))
        if least["real"] < self.threshold and least["real"] <= least["false-alarm"]:
            return surprise, True
        return (least["false-alarm"], False) if least["false-alarm"] < least["real"] else (surprise, False)

    def _remembered(self, source: Source, event_id: str, lesson: Lesson) -> Places:
        key = (source, event_id)
        if key not in self._places:
            windows = windows_of(list(lesson.strips), self.detector.rule.window)
            self._places[key] = places(self.detector.parts, windows)
        return self._places[key]

    # ---------------------------------------------------------------- what people say

    def teach(self, source: Source, event_id: str, kind: Kind, start_s: float, end_s: float) -> dict[str, Any]:
        """Learn from the odd windows of a device between two times; what follows, in numbers.

        DataError where they are not remembered any more or the device has its MOST_LESSONS; then nothing has changed.
        """
        lessons = self._lessons.get(source, {})
        if len(lessons.keys() - {event_id}) >= MOST_LESSONS:
            raise DataError(f"{source[1]!r} has {MOST_LESSONS} lessons, which is the most: undo one")
        known = lessons[event_id].strips if event_id in lessons else ()
        strips = known or tuple(
            strip for strip in self._strips.get(source, []) if strip.first_s <= end_s and start_s <= strip.last_s
        )
        if not strips:
            raise DataError(
                f"the windows of event {event_id} are not remembered any more; there is nothing to learn from"
            )
        self.forget(source, event_id)
        before = self._drift.get(source)
        after = before
        if kind == "real" and before is not None:
            after = self._drift[source] = taken_back(self.rule, before, start_s)
        self._lessons.setdefault(source, {})[event_id] = Lesson(kind, strips, before, after)
        surprises = self.detector.examine_windows(windows_of(list(strips), self.detector.rule.window)).surprise
        usual = self.threshold + raised(after)
        odd = np.flatnonzero(surprises >= usual)
        return {
            "windows": len(surprises),
            "oddest": round(float(np.nanmax(surprises)), 3),
            "threshold": round(usual, 3),
            "alarming_before": len(odd),
            "alarming_now": len(odd) if kind == "real" else self._still_odd(source, event_id, odd, surprises, usual),
            "drift_taken_back": round((before.level if before else 0.0) - (after.level if after else 0.0), 6),
        }

    def _still_odd(self, source: Source, event_id: str, odd: NDArray[np.int64], surprises: Floats, usual: float) -> int:
        """How many of a lesson's odd windows would alarm, each judged by the others alone."""
        where = self._remembered(source, event_id, self._lessons[source][event_id])
        count = 0
        for i in odd.tolist():
            here = Places({space: points[i : i + 1] for space, points in where.points.items()}, where.level[i : i + 1])
            around = surprises_around(self.detector.parts, here, where)
            around[i] = surprises[i]
            count += bool(around.min() >= usual)
        return count

    def forget(self, source: Source, event_id: str) -> bool:
        """Take a lesson back; whether there was one. A drift that it took back is given back."""
        lessons = self._lessons.get(source, {})
        lesson = lessons.pop(event_id, None)
        self._places.pop((source, event_id), None)
        if source in self._lessons and not lessons:
            del self._lessons[source]
        if lesson is None:
            return False
        if lesson.before is not None and lesson.after is not None and lesson.before.level != lesson.after.level:
            now = self._drift.get(source)
            if now is None:  # nothing has been followed since: drifts are off
                return True
            level = lesson.before.level + (now.level - lesson.after.level)  # with what was followed since
            marks = lesson.before.marks if now == lesson.after else now.marks
            self._drift[source] = replace(now, level=min(max(level, 0.0), self.rule.most_decades), marks=marks)
        return True

    def forget_devices(self, sources: Iterable[Source]) -> None:
        """Let go of what followed from the readings of devices; their lessons stay."""
        for source in sources:
            self._drift.pop(source, None)
            self._strips.pop(source, None)

    def lessons(self, source: Source) -> dict[str, Kind]:
        """What was said of a device's events."""
        return {event_id: lesson.kind for event_id, lesson in self._lessons.get(source, {}).items()}

    def standing(self) -> dict[str, Any]:
        """How much has been learned: lessons, and by how much, in decades, the threshold that drifted most stands."""
        levels = [drift.level for drift in self._drift.values()]
        return {"lessons": sum(map(len, self._lessons.values())), "largest_drift": round(max(levels, default=0.0), 4)}

    # ---------------------------------------------------------------- state

    def snapshot(self) -> bytes:
        """Everything as versioned bytes; `restore` goes on as if nothing had happened."""
        blobs: list[bytes] = []

        def keep(strips: Sequence[Strip]) -> list[int]:
            packed = [pack_strip(strip) for strip in strips]
            blobs.extend(packed)
            return [len(one) for one in packed]

        head = {
            "drift": [[*source, drift] for source, drift in self._drift.items()],
            "strips": [[*source, keep(strips)] for source, strips in self._strips.items()],
            "lessons": [
                [*source, event_id, lesson.kind, lesson.before, lesson.after, keep(lesson.strips)]
                for source, lessons in self._lessons.items()
                for event_id, lesson in lessons.items()
            ],
        }
        text = orjson.dumps(head)
        return b"".join([_MAGIC, _LENGTH.pack(len(text)), text, *blobs])

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for bytes that are none, which change nothing."""
        if not snapshot.startswith(_MAGIC):
            raise DataError("these bytes are not a snapshot of an adaptation")
        try:
            (size,) = _LENGTH.unpack_from(snapshot, len(_MAGIC))
            at = len(_MAGIC) + _LENGTH.size
            head = orjson.loads(snapshot[at : at + size])
            at += size

            def take(sizes: Sequence[int]) -> list[Strip]:
                nonlocal at
                strips = []
                for length in sizes:
                    strips.append(unpack_strip(snapshot[at : at + length]))
                    require_fit(strips[-1], len(self.detector.channels), self.detector.rule.window)
                    at += length
                return strips

            drift = {(text(site), text(device)): _drift_from(one) for site, device, one in head["drift"]}
            strips = {(text(site), text(device)): take(sizes) for site, device, sizes in head["strips"]}
            lessons: dict[Source, dict[str, Lesson]] = {}
            for site, device, event_id, kind, before, after, sizes in head["lessons"]:
                known = [None if one is None else _drift_from(one) for one in (before, after)]
                lesson = checked(Lesson(kind, tuple(take(sizes)), *known))
                if not lesson.strips:
                    raise ValueError("a lesson is of no rows")
                lessons.setdefault((text(site), text(device)), {})[text(event_id)] = lesson
            if at != len(snapshot):
                raise ValueError("it is longer than it says")
        except (*UNREADABLE, struct.error) as error:
            raise DataError(f"these bytes are not a snapshot of an adaptation: {error}") from None
        self._drift, self._strips, self._lessons, self._places = drift if self.rule.hours else {}, strips, lessons, {}


def _drift_from(document: dict[str, Any]) -> Drift:
    drift = checked(Drift(**tuples(document)))
    timely(drift.time_s, *(at_s for at_s, _ in drift.marks))
    if not drift.marks or not all(
        0.0 <= level <= MOST_DECADES for level in (drift.level, *(m[1] for m in drift.marks))
    ):
        raise ValueError("a drift has no marks, or a level that none can have")
    return drift
