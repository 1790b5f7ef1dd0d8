"""Feedback moves one device's threshold for one kind of window, and can be taken back exactly."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from examples import CHANNELS, normal_series, normal_values, readings_of
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.adaptation import _MAGIC, MOST_LESSONS, MOST_STRIPS, Adaptation, Kind
from anomgan.config import AdaptConfig
from anomgan.detector import Detector
from anomgan.errors import DataError
from anomgan.likeness import apart, places
from anomgan.records import Floats, TimeSeries, Verdict
from anomgan.score import SPACES, look
from anomgan.stream import StreamDetector
from anomgan.strips import Strip, begin, extend, pack_strip, unpack_strip, windows_of
from anomgan.windows import gather_windows

Fault = tuple[int, int, int, float]
FLOW: Fault = (0, 40, 60, 2.0)
"""channel, from row, to row, offset"""
PRESSURE: Fault = (1, 40, 60, 3.0)


def stretch(seed: int, start_s: float, faults: Sequence[Fault] = ()) -> TimeSeries:
    series = normal_series(120, seed)
    values = series.values.copy()
    for channel, first, last, offset in faults:
        values[first:last, channel] += offset
    return TimeSeries(series.times + start_s, values, CHANNELS)


class Device:
    """A stream that adapts, and one device's stretches of time after one another."""

    def __init__(self, detector: Detector, rule: AdaptConfig | None = None) -> None:
        self.stream = StreamDetector(detector, adapt=rule or AdaptConfig())
        self.start_s = 0.0

    @property
    def adaptation(self) -> Adaptation:
        """The stream's."""
        assert self.stream.adaptation is not None
        return self.stream.adaptation

    def see(self, *faults: Fault, seed: int = 3, device: str = "p") -> list[Verdict]:
        """The anomalous verdicts of the next stretch."""
        self.start_s += 1000.0
        verdicts = self.stream.push(readings_of(stretch(seed, self.start_s, faults), device))
        return [verdict for verdict in verdicts if verdict.anomalous]

    def teach(self, odd: Sequence[Verdict], kind: Kind = "false-alarm", event_id: str = "e1") -> dict[str, Any]:
        """Say of some anomalous verdicts what they were."""
        return self.adaptation.teach(("", "p"), event_id, kind, odd[0].time_s, odd[-1].time_s)


def test_after_a_false_alarm_the_same_oddness_alarms_no_more_and_another_kind_does(detector: Detector) -> None:
    taught, fresh = Device(detector), Device(detector)
    effect = taught.teach(taught.see(FLOW, seed=2))
    fresh.see(FLOW, seed=2)
    assert effect["alarming_before"] == effect["windows"]
    assert effect["alarming_now"] <= 2
    assert len(fresh.see(FLOW)) > 10
    assert taught.see(FLOW) == []
    assert len(taught.see((0, 41, 61, 1.2))) <= 1  # a weaker form of it
    for kind in ((PRESSURE,), (FLOW, PRESSURE), ((0, 40, 60, -2.0),), ((2, 40, 60, 4.0),)):
        assert len(taught.see(*kind)) >= len(fresh.see(*kind)) - 2
    assert len(taught.see((0, 40, 60, 4.0))) >= 5  # twice as strong is another matter


def test_surprise_stays_what_the_model_says_and_other_devices_learn_nothing(detector: Detector) -> None:
    device = Device(detector)
    device.teach(device.see(FLOW, seed=2))
    assert len(device.see(FLOW, device="q")) > 10
    plain = StreamDetector(detector)
    series = stretch(3, 5000.0, [FLOW])
    ours, theirs = device.stream.push(readings_of(series, "p")), plain.push(readings_of(series, "p"))
    np.testing.assert_array_equal([v.surprise for v in ours], [v.surprise for v in theirs])
    raised = [v for v in ours if v.surprise >= plain.threshold]
    assert raised
    assert all(v.threshold > v.surprise for v in raised)


def test_taken_back_everything_is_as_it_was_to_the_byte(detector: Detector) -> None:
    device = Device(detector)
    odd = device.see(FLOW, seed=2)
    before = device.adaptation.snapshot()
    kinds: tuple[Kind, ...] = ("false-alarm", "real")
    for kind in kinds:
        device.teach(odd, kind)
        assert device.adaptation.snapshot() != before
        assert device.adaptation.forget(("", "p"), "e1")
        assert device.adaptation.snapshot() == before
    assert not device.adaptation.forget(("", "p"), "e1")
    assert len(device.see(FLOW)) > 10


def test_what_is_nearer_to_a_real_fault_than_to_a_false_alarm_alarms(detector: Detector) -> None:
    device = Device(detector)
    device.teach(device.see(FLOW, seed=2), "false-alarm", "e1")
    before = len(device.see((0, 40, 60, 4.0)))
    device.teach(device.see((0, 40, 60, 4.0), seed=4), "real", "e2")
    assert len(device.see((0, 40, 60, 4.0))) > max(10, before)
    assert len(device.see(FLOW)) <= 8  # where a strong fault enters or leaves a window it looks like a weaker one
    assert device.adaptation.lessons(("", "p")) == {"e1": "false-alarm", "e2": "real"}


def test_said_again_otherwise_the_last_word_counts_and_works_from_the_same_rows(detector: Detector) -> None:
    device = Device(detector)
    odd = device.see(FLOW, seed=2)
    first = device.teach(odd, "false-alarm")
    device.teach(odd, "real")
    assert len(device.see(FLOW)) > 10
    assert device.teach(odd, "false-alarm") == first


def test_no_lesson_without_windows_and_no_more_than_a_device_may_have(detector: Detector) -> None:
    device = Device(detector)
    odd = device.see(FLOW, seed=2)
    before = device.adaptation.snapshot()
    with pytest.raises(DataError, match="event e1 are not remembered any more"):
        device.adaptation.teach(("", "q"), "e1", "real", 0.0, 1e9)
    with pytest.raises(DataError, match="not remembered"):
        device.adaptation.teach(("", "p"), "e1", "real", 0.0, 1.0)
    assert device.adaptation.snapshot() == before
    for number in range(MOST_LESSONS):
        device.teach(odd, "false-alarm", f"e{number}")
    with pytest.raises(DataError, match=f"'p' has {MOST_LESSONS} lessons"):
        device.teach(odd, "false-alarm", "one more")
    device.teach(odd, "real", "e3")  # not one more


def test_no_feedback_blinds_a_device(detector: Detector) -> None:
    """Whatever was called a false alarm, an offset in another channel, or twice as large, still alarms."""
    for channel in range(3):
        device = Device(detector)
        device.teach(device.see((channel, 40, 60, 3.0), seed=2))
        for other in range(3):
            size = 7.0 if other == channel else 3.0
            assert len(device.see((other, 40, 60, size))) >= 5, (channel, other)


def test_after_a_snapshot_it_goes_on_as_if_nothing_had_happened(detector: Detector) -> None:
    one = Device(detector)
    one.teach(one.see(FLOW, seed=2))
    one.see(PRESSURE, seed=5)
    two = Device(detector)
    two.start_s = one.start_s
    two.stream.restore(one.stream.snapshot())
    two.adaptation.restore(one.adaptation.snapshot())
    assert two.adaptation.snapshot() == one.adaptation.snapshot()
    for faults in ((FLOW,), (PRESSURE,), ()):
        ours, theirs = one.see(*faults), two.see(*faults)
        assert [(v.time_s, v.threshold) for v in ours] == [(v.time_s, v.threshold) for v in theirs]
    assert two.adaptation.snapshot() == one.adaptation.snapshot()


@given(st.binary(max_size=60), st.integers(0, 10**6))
def test_bytes_that_are_no_snapshot_are_refused_and_change_nothing(junk: bytes, at: int) -> None:
    adaptation = KEPT[0]
    before = adaptation.snapshot()
    for bad in (junk, _MAGIC + junk, before[: at % len(before)]):
        with pytest.raises(DataError):
            adaptation.restore(bad)
        assert adaptation.snapshot() == before


KEPT: list[Adaptation] = []


@pytest.fixture(autouse=True)
def kept(detector: Detector) -> None:
    """One for the property above, which cannot take fixtures of a function."""
    if not KEPT:
        device = Device(detector)
        device.teach(device.see(FLOW, seed=2))
        KEPT.append(device.adaptation)


# ---------------------------------------------------------------- likeness, strips


def naive_apart(p: Floats, e: Floats) -> float:
    """The least |p - a e| / sqrt(1 + a²) over the line's nearest point, by the definition."""
    share = min(max(float(p @ e) / float(e @ e), 0.0), 1.0)
    return float(np.sqrt(np.sum((p - share * e) ** 2) / (1.0 + share**2)))


def test_a_whitened_point_is_as_long_as_its_distance_and_apart_is_by_its_definition(detector: Detector) -> None:
    parts = detector.parts
    windows = gather_windows(detector.scale(stretch(2, 0.0, [FLOW]).values), np.arange(20, 100, 7), 16)
    here = places(parts, windows)
    import torch

    seen = look(parts.networks, parts.normal, torch.from_numpy(windows))
    for space in SPACES:
        np.testing.assert_allclose(np.linalg.norm(here.points[space], axis=1), getattr(seen, space), rtol=1e-4)
    np.testing.assert_allclose(np.abs(here.level).max(1), seen.level, rtol=1e-5)
    one = type(here)({space: points[:1] for space, points in here.points.items()}, here.level[:1])
    told = apart(one, here, weaker=True)
    for space in SPACES:
        expected = [naive_apart(one.points[space][0], e) for e in here.points[space]]
        np.testing.assert_allclose(told[space], expected, rtol=1e-9, atol=1e-12)
        assert np.all(told[space] <= np.linalg.norm(one.points[space][0]) + 1e-12)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=60))
def test_a_strip_holds_the_rows_of_its_windows_head_and_tail(steps: list[int]) -> None:
    length = 8
    rows = np.arange(500, dtype=np.float32)[:, None] * np.array([1.0, -1.0], np.float32)
    end = length
    strip: Strip | None = begin(float(end), end, rows[end - length : end].T)
    for step in steps:
        end += step
        assert strip is not None
        strip = extend(strip, float(end), end, rows[end - length : end].T, 1.0)
    assert strip is not None
    np.testing.assert_array_equal(strip.head, rows[: len(strip.head)])
    assert len(strip.head) <= 4 * length
    if len(strip.tail):
        np.testing.assert_array_equal(strip.tail, rows[end - len(strip.tail) : end])
        assert length <= len(strip.tail) <= 2 * length
    else:
        assert len(strip.head) == end
    cut = windows_of([strip], length)
    assert cut.shape[1:] == (2, length)
    assert len(cut) <= 64
    assert any(np.array_equal(window, rows[end - length : end].T) for window in cut)
    packed = pack_strip(strip)
    assert pack_strip(unpack_strip(packed)) == packed


def test_a_strip_ends_where_rows_are_missing() -> None:
    window = np.zeros((2, 8), np.float32)
    strip = begin(100.0, 50, window)
    assert extend(strip, 104.0, 54, window, 1.0) is not None
    assert extend(strip, 105.0, 54, window, 1.0) is None  # a gap
    assert extend(strip, 109.0, 59, window, 1.0) is None  # more rows than a window has
    assert extend(strip, 101.0, 10, window, 1.0) is None  # a new segment


def test_strips_are_bounded_and_those_of_the_device_odd_longest_ago_go(detector: Detector) -> None:
    device = Device(detector)
    window = np.zeros((len(CHANNELS), 16), np.float32)
    for i in range(2 * MOST_STRIPS):
        device.adaptation._note(("", f"p{i}"), float(i), 20, window)
    assert len(device.adaptation._strips) == MOST_STRIPS
    assert ("", f"p{2 * MOST_STRIPS - 1}") in device.adaptation._strips


def test_without_hours_no_threshold_drifts_and_without_an_adaptation_it_is_the_model_s(detector: Detector) -> None:
    still, moving = Device(detector, AdaptConfig(hours=0.0)), Device(detector, AdaptConfig(hours=0.01, decades=3.0))
    for device in (still, moving):
        for _ in range(5):
            device.see(seed=3)
    assert still.adaptation.standing() == {"lessons": 0, "largest_drift": 0.0}
    assert moving.adaptation.standing()["largest_drift"] > 0.01
    still.adaptation.restore(moving.adaptation.snapshot())
    assert still.adaptation.standing()["largest_drift"] == 0.0
    plain, series = StreamDetector(detector), stretch(3, 9000.0)
    ours, theirs = still.stream.push(readings_of(series, "p")), plain.push(readings_of(series, "p"))
    assert [v.threshold for v in ours] == [v.threshold for v in theirs]


def test_what_may_not_be_learned_moves_nothing(detector: Detector) -> None:
    stream = StreamDetector(detector, adapt=AdaptConfig(hours=0.01, decades=3.0))
    assert stream.adaptation is not None
    for start_s in (0.0, 1000.0):
        stream.push(readings_of(stretch(3, start_s), "p"), lambda source, time_s: False)
    assert stream.adaptation.standing()["largest_drift"] == 0.0


def test_a_sensor_that_drifts_slowly_alarms_less_and_a_fault_that_grows_within_the_hours_as_soon(
    detector: Detector,
) -> None:
    """Time constant 720 s. A flow that creeps for eight of them is followed; one that grows in half of one is found."""
    rule = AdaptConfig(hours=0.2, decades=0.5)

    def flags(offsets: Floats, adapt: AdaptConfig | None) -> list[float]:
        stream = StreamDetector(detector, alarms_per_week=2000.0, adapt=adapt)
        values = normal_values(len(offsets), 7)
        values[:, 0] += offsets
        series = TimeSeries(np.arange(float(len(offsets))), values, CHANNELS)
        return [verdict.time_s for verdict in stream.push(readings_of(series)) if verdict.anomalous]

    creeping = np.linspace(0.0, 0.1, 6000)
    assert len(flags(creeping, rule)) < 0.75 * len(flags(creeping, None))
    growing = np.concatenate([np.zeros(1000), np.linspace(0.0, 1.5, 360), np.zeros(100)])
    found, still = flags(growing, rule), flags(growing, None)
    late = [time_s for time_s in found if time_s >= 1100.0]
    assert len(late) >= 0.95 * len([time_s for time_s in still if time_s >= 1100.0])
    assert next(t for t in late) - next(t for t in still if t >= 1100.0) <= 20.0


def test_a_lesson_is_taken_back_also_where_drifts_have_been_turned_off_since(detector: Detector) -> None:
    moving = Device(detector, AdaptConfig(hours=1.0, decades=3.0))
    for _ in range(5):
        moving.see(seed=3)
    effect = moving.teach(moving.see(FLOW, seed=2), "real")
    assert effect["drift_taken_back"] > 0.0
    still = Device(detector, AdaptConfig(hours=0.0))
    still.adaptation.restore(moving.adaptation.snapshot())
    assert still.adaptation.forget(("", "p"), "e1")
    assert still.adaptation.standing() == {"lessons": 0, "largest_drift": 0.0}


def test_strips_that_no_windows_of_the_model_leave_are_refused(detector: Detector) -> None:
    device = Device(detector)
    odd = device.see(FLOW, seed=2)
    whole = device.adaptation.snapshot()
    device.teach(odd)
    strip = device.adaptation._strips[("", "p")][0]
    for bad in (
        replace(strip, head=strip.head[:3]),
        replace(strip, head=strip.head[:, :2], tail=strip.tail[:, :2]),
        replace(strip, first_s=float("nan")),
        replace(strip, run=-1),
        replace(strip, head=np.full_like(strip.head, np.inf)),
    ):
        device.adaptation._strips[("", "p")] = [bad]
        fresh = Device(detector).adaptation
        before = fresh.snapshot()
        with pytest.raises(DataError, match="a strip of rows"):
            fresh.restore(device.adaptation.snapshot())
        assert fresh.snapshot() == before
    with pytest.raises(DataError, match="longer than it says"):
        fresh.restore(whole + b"x")
