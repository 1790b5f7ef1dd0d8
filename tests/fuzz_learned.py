"""What is fuzzed of the journal, further: data quality, and what was learned of single devices.

Law of all: what is no snapshot is refused and changes nothing, or what goes on from it raises nothing.
"""

import struct
import zlib
from functools import cache

import numpy as np
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
    """A whole one, and its head."""
    whole = taught()
    return [whole, whole[9 : 9 + struct.unpack_from("<I", whole, 5)[0]]]


def watches() -> list[bytes]:
    """A whole one, and its head."""
    whole = watched()
    return [
        whole,
        whole[4 : 4 + struct.unpack_from("<I", whole)[0]],
        QualityWatch(small_limits(), QualityConfig()).snapshot(),
    ]
