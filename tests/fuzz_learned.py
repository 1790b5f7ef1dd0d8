"""What is fuzzed of the journal, further: data quality, and what was learned of single devices.

Law of all: what is no snapshot is refused and changes nothing; or what is there then is such as readings leave, and
what goes on from it raises nothing. Seeds that are wrong in one place see that each check is reached: mutations alone
seldom hit a field of binary records, or leave the rest whole.
"""

import math
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import orjson
from broker_samples import NOW
from examples import CHANNELS, normal_series, readings_of
from fuzz_journal import small_detector

from anomgan.adaptation import Adaptation
from anomgan.config import AdaptConfig, QualityConfig
from anomgan.errors import DataError
from anomgan.quality import QualityWatch, learn_limits
from anomgan.quality.limits import Limits
from anomgan.quality.packed import CHECK, MAGIC
from anomgan.records import Reading, TimeSeries
from anomgan.stream import StreamDetector

# ---------------------------------------------------------------- data quality

KINDS = ("temp", "energy", "door")
ERA_S, LONG_S = 1e11, 1e15
WRONG = [("rate", 2.0), ("rate", math.nan), ("offset_s", 1e300), ("newest_s", math.inf), ("count", -1), ("run", -1)]
"""fields of records, and what none can have"""


@cache
def small_limits() -> Limits:
    """Of a channel with a unit, a counter, and a state."""
    rng = np.random.default_rng(0)
    temp = 20.0 + 3.0 * np.sin(np.arange(3000) / 60) + 0.2 * rng.normal(size=3000)
    energy = np.cumsum(rng.exponential(size=3000)) + 100.0
    door = (rng.random(3000) < 0.1).astype(float)
    values = np.column_stack([temp.round(2), energy.round(1), door])
    return learn_limits(TimeSeries(NOW - 1e6 + 5.0 * np.arange(3000.0), values, KINDS, units=("°C", "kWh", "")))


def sick_turns(watch: QualityWatch, since_s: float) -> None:
    """Readings as they should be, and stuck, out of range, in another unit, new states, resets, late and silence."""
    for step in range(30):
        now_s, late = since_s + 5.0 * step, step % 7 == 3
        temp = 20.0 + 0.3 * (step % 3)
        rows = [
            (temp, 9000.0 + step, float(step % 2)),
            (20.0, 9000.0 - 400.0 * step, 7.0 if 8 < step < 20 else 0.0),
            (-127.0 if step < 9 else 999.0 if step < 15 else temp, float("nan"), 0.5 if step == 29 else 1.0),
            (temp * 1.8 + 32.0 if step % 20 > 5 else temp, 9000.0 + step, 0.0),
        ]
        readings = [
            Reading(f"q{number}", now_s - (400.0 if late and number == 2 else 0.0), dict(zip(KINDS, row, strict=True)))
            for number, row in enumerate(rows)
            if number < 3 or step % 20 < 12
        ]
        watch.turn([*readings, *readings[:1]] if late else readings, now_s)
    watch.turn([], since_s + 165.0)


@cache
def watched() -> bytes:
    """Of a watch in the middle of much."""
    watch = QualityWatch(small_limits(), QualityConfig(), "m")
    sick_turns(watch, NOW)
    return watch.snapshot()


def require_what_readings_leave(watch: QualityWatch) -> None:
    """Times of this era or none yet, shares from 0 to 1, and counts that are none of fewer than nothing."""
    for time_s in (watch._turn_s, watch._listening_since_s, watch._catching_up_until_s):
        assert time_s == -math.inf or abs(time_s) < ERA_S, time_s
    assert all(type(count) is int and count >= 0 for count in watch.counters.values()), watch.counters
    for array in watch.quality._arrays():
        for name in array.dtype.names or ():
            values = array[name][: len(watch.quality)]
            if name.endswith("_s"):
                assert not (np.abs(values[values != -np.inf]) > LONG_S).any(), name
            elif values.dtype.kind in "iu":
                assert (values >= 0).all(), name
            if name == "rate":
                assert ((values >= 0) & (values <= 1)).all()


def restoring_quality(snapshot: bytes) -> str:
    """The same. The checksum is made right, or it would refuse every change; what begins as JSON is the head alone."""
    size = struct.Struct("<I")
    if snapshot.startswith(b"{"):
        whole = watched()
        snapshot = size.pack(len(snapshot)) + snapshot + whole[size.size + size.unpack_from(whole)[0] :]
    at = snapshot.find(MAGIC)
    if at >= 0:
        told = snapshot[at + len(MAGIC) + CHECK.size :]
        snapshot = snapshot[: at + len(MAGIC)] + CHECK.pack(zlib.crc32(told)) + told
    watch = QualityWatch(small_limits(), QualityConfig(), "m")
    before = watch.snapshot()
    try:
        watch.restore(snapshot)
    except DataError:
        assert watch.snapshot() == before
        return "refused"
    require_what_readings_leave(watch)
    watch.quality.health(NOW + 170.0)
    watch.quality.open_issues()
    sick_turns(watch, NOW + 170.0)
    watch.quality.health(NOW + 400.0)
    again = QualityWatch(small_limits(), QualityConfig(), "m")
    again.restore(watch.snapshot())
    assert again.snapshot() == watch.snapshot()
    return "restored"


# ---------------------------------------------------------------- what was learned of devices


def odd_readings(start_s: float) -> list[Reading]:
    """Forty seconds of a device, half of them odd."""
    series = normal_series(40, seed=2)
    series.values[20:, 0] += 5.0
    return readings_of(TimeSeries(series.times + start_s, series.values, CHANNELS), "p1")


@cache
def taught() -> bytes:
    """Of an adaptation with drift, strips and lessons."""
    stream = StreamDetector(small_detector(), adapt=AdaptConfig())
    assert stream.adaptation is not None
    for number in range(3):
        stream.push(odd_readings(1000.0 * number))
        stream.adaptation.teach(("", "p1"), f"e{number}", "real" if number == 1 else "false-alarm", 0.0, 1e9)
    return stream.adaptation.snapshot()


def require_what_teaching_leaves(adaptation: Adaptation) -> None:
    """Drifts that a configuration allows, at times of this era, and rows that fill a window."""
    several = [one for lessons in adaptation._lessons.values() for one in lessons.values()]
    drifts = [*adaptation._drift.values(), *(one for lesson in several for one in (lesson.before, lesson.after) if one)]
    for drift in drifts:
        assert drift.marks
        for time_s, level in ((drift.time_s, drift.level), *drift.marks):
            assert abs(time_s) < ERA_S
            assert 0.0 <= level <= 6.0
    assert all(lesson.strips for lesson in several)
    kept = [strip for strips in adaptation._strips.values() for strip in strips]
    window, channels = adaptation.detector.rule.window, len(adaptation.detector.channels)
    for strip in (*kept, *(strip for lesson in several for strip in lesson.strips)):
        assert len(strip.head) >= window
        assert strip.head.shape[1] == strip.tail.shape[1] == channels
        assert strip.first_s <= strip.last_s
        assert np.isfinite(strip.head[~np.isnan(strip.head)]).all()
    for site, device in (*adaptation._drift, *adaptation._strips, *adaptation._lessons):
        assert isinstance(site, str)
        assert isinstance(device, str)


def restoring_an_adaptation(snapshot: bytes) -> str:
    """The same. What begins as JSON is the head alone, and the rows are as they were."""
    if snapshot.startswith(b"{"):
        whole = taught()
        size = struct.unpack_from("<I", whole, 5)[0]
        snapshot = whole[:5] + struct.pack("<I", len(snapshot)) + snapshot + whole[9 + size :]
    stream = StreamDetector(small_detector(), adapt=AdaptConfig(hours=0.0 if len(snapshot) % 4 == 0 else 168.0))
    adaptation = stream.adaptation
    assert adaptation is not None
    before = adaptation.snapshot()
    try:
        adaptation.restore(snapshot)
    except DataError:
        assert adaptation.snapshot() == before
        return "refused"
    require_what_teaching_leaves(adaptation)
    stream.push(odd_readings(5000.0))
    for event_id, kind in (("e0", "real"), ("e1", "false-alarm"), ("e9", "real")):
        try:
            adaptation.teach(("", "p1"), event_id, kind, 4000.0, 6000.0)
        except DataError as error:
            assert "lessons" in str(error)  # noqa: PT017 the one that is allowed
    for event_id in ("e1", "e2", "e0", "e9"):
        adaptation.forget(("", "p1"), event_id)
    adaptation.standing()
    again = Adaptation(small_detector(), adaptation.rule, adaptation.threshold)
    again.restore(adaptation.snapshot())
    assert again.snapshot() == adaptation.snapshot()
    return "restored"


def adaptations() -> list[bytes]:
    """A whole one, its head, and others that are wrong in one place."""
    whole = taught()
    size = struct.unpack_from("<I", whole, 5)[0]
    head, rows = whole[9 : 9 + size], whole[9 + size :]
    heads = [changed(head, way) for way in MISTAUGHT]
    # of a length at which the target lets thresholds drift
    padded = [one + b" " * ((9 + len(one) + len(rows)) % 4 == 0) for one in heads]
    far = struct.pack("<d", 1e300)
    return [whole, head, *padded, whole + b"?", whole[: 9 + size] + far + rows[8:], whole[:-4] + b"\0\0\x80\x7f"]


def changed(head: bytes, way: Callable[[Any], object]) -> bytes:
    """A head after a change of what is in it."""
    document = orjson.loads(head)
    way(document)
    return orjson.dumps(document)


MISTAUGHT: list[Callable[[Any], object]] = [
    lambda head: head["drift"][0][2].update(marks=[]),
    lambda head: head["drift"][0][2].update(level=6.5),
    lambda head: head["drift"][0][2].update(level=-0.5),
    lambda head: head["drift"][0][2].update(time_s=1e300),
    lambda head: head["drift"][0][2]["marks"].append([1e300, 0.0]),
    lambda head: head["drift"][0].__setitem__(1, 7),
    lambda head: head["lessons"].append([*head["lessons"][0][:2], "e7", "real", None, None, []]),
    lambda head: head["lessons"][0].__setitem__(3, "perhaps"),
]
"""ways in which a head says what no teaching leaves"""


def watches() -> list[bytes]:
    """A whole one, its head, one of nobody, and others that are wrong in one place."""
    whole = watched()
    head = whole[4 : 4 + struct.unpack_from("<I", whole)[0]]
    wrong = [changed(head, way) for way in MISCOUNTED]
    for field, value in WRONG:
        watch = QualityWatch(small_limits(), QualityConfig(), "m")
        watch.restore(whole)
        next(array for array in watch.quality._arrays() if field in (array.dtype.names or ()))[field][:1] = value
        wrong.append(watch.snapshot())
    return [whole, head, QualityWatch(small_limits(), QualityConfig()).snapshot(), *wrong]


MISCOUNTED: list[Callable[[Any], object]] = [
    lambda head: head["counters"].update({"dropped.late": -1}),
    lambda head: head["counters"].update({"dropped.late": 1.5}),
    lambda head: head["times_s"].__setitem__(0, 1e300),
    lambda head: head["times_s"].append(0.0),
    lambda head: head["times_s"].__setitem__(1, "now"),
]
"""ways in which a head says what no watch leaves"""
