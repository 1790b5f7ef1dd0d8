"""Streaming: the same verdicts as offline for every device, whoever else speaks and however readings are batched."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from examples import CHANNELS, normal_series, readings_of, spoiled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomgan.detector import Detector
from anomgan.errors import DataError
from anomgan.records import Reading, TimeSeries, Verdict
from anomgan.stream import StreamDetector

WINDOW, STRIDE = 16, 2


def told(verdicts: Iterable[Verdict]) -> dict[tuple[str, str, float], Verdict]:
    listed = list(verdicts)
    found = {(v.site, v.device, v.time_s): v for v in listed}
    assert len(found) == len(listed)
    return found


def alike(a: Iterable[Verdict], b: Iterable[Verdict]) -> None:
    """The same verdicts, to 1e-5 of their scores."""
    first, second = told(a), told(b)
    assert first.keys() == second.keys()
    for key, one in first.items():
        other = second[key]
        assert one.anomalous == other.anomalous
        for name in ("surprise", "discriminator", "reconstruction", "pattern"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-5, atol=1e-5)
        for name in ("values", "expected", "contribution", "odd", "odd_expected"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-4)


def adds_up(stream: StreamDetector, sent: int) -> None:
    """Every reading has exactly one fate, and every verdict was counted."""
    c = stream.counters
    dropped = sum(count for name, count in c.items() if name.startswith("dropped."))
    assert c["readings_admitted"] + dropped == sent
    assert c["readings_admitted"] == c["readings_warming_up"] + c["readings_scored"]


def a_series(seed: int, rows: int = 120) -> TimeSeries:
    rng = np.random.default_rng(seed)
    gaps = sorted({int(row) for row in rng.integers(1, rows, 2)}) if seed % 2 else []
    return spoiled(normal_series(rows, seed), rng, gaps=gaps)


@pytest.mark.parametrize("seed", range(4))
def test_the_stream_says_what_offline_scoring_says_row_by_row(detector: Detector, seed: int) -> None:
    series = a_series(seed)
    stream = StreamDetector(detector)
    verdicts = stream.push(readings_of(series, device=""))
    alike(verdicts, detector.verdicts(series))
    scores = detector.score(series)
    for verdict in verdicts:
        row = int(np.searchsorted(series.times, verdict.time_s))
        np.testing.assert_allclose(verdict.surprise, scores[row], rtol=1e-5, atol=1e-5)
    adds_up(stream, len(series))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), devices=st.integers(1, 5), seed=st.integers(0, 1000))
def test_interleaving_and_batching_do_not_matter(
    detector: Detector, data: st.DataObject, devices: int, seed: int
) -> None:
    """Each device's readings in order, mixed at random with the others', cut into batches at random."""
    rng = np.random.default_rng(seed)
    queues = [readings_of(a_series(seed + d, 60), f"d{d}", site="s" * (d % 2)) for d in range(devices)]
    mixed: list[Reading] = []
    while any(queues):
        queue = queues[rng.choice([d for d in range(devices) if queues[d]])]
        take = rng.integers(1, 10)
        mixed += queue[:take]
        del queue[:take]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(mixed)), max_size=6)))
    stream = StreamDetector(detector)
    together = [v for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True) for v in stream.push(mixed[a:b])]
    for source in {reading.source for reading in mixed}:
        alone = StreamDetector(detector).push([r for r in mixed if r.source == source])
        alike([v for v in together if (v.site, v.device) == source], alone)
    assert len(stream) == devices
    adds_up(stream, len(mixed))


def test_verdicts_come_in_the_order_of_their_readings(detector: Detector) -> None:
    both = [r for pair in zip(*(readings_of(normal_series(40, s), f"d{s}") for s in (1, 2)), strict=True) for r in pair]
    verdicts = StreamDetector(detector).push(both)
    order = {(r.device, r.time_s): i for i, r in enumerate(both)}
    places = [order[v.device, v.time_s] for v in verdicts]
    assert places == sorted(places)


def test_warm_up_is_told_as_unknown_and_never_as_normal(detector: Detector) -> None:
    verdicts = StreamDetector(detector).push(readings_of(normal_series(20, 1)))
    assert [v.time_s for v in verdicts] == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    assert np.isnan([v.surprise for v in verdicts[:7]]).all()
    assert np.isfinite([v.surprise for v in verdicts[7:]]).all()
    assert not any(v.anomalous for v in verdicts[:7])
    assert np.isnan(verdicts[0].expected).all()
    np.testing.assert_allclose(verdicts[0].values, normal_series(20, 1).values[1], rtol=1e-6)


def test_a_verdict_carries_what_the_service_needs(detector: Detector) -> None:
    stream = StreamDetector(detector, alarms_per_week=100.0, model="pump")
    verdict = stream.push(readings_of(normal_series(20, 1), "p7", "north"))[-1]
    assert (verdict.device, verdict.site, verdict.model) == ("p7", "north", "pump")
    assert verdict.threshold == pytest.approx(detector.threshold - 2.0)
    assert verdict.channels == CHANNELS


# ---------------------------------------------------------------- what is admitted


def counted(detector: Detector, readings: list[Reading]) -> Counter[str]:
    """The counters above zero, the plain totals left out."""
    stream = StreamDetector(detector)
    stream.push(readings)
    adds_up(stream, len(readings))
    plain = ("readings_", "windows_")
    return Counter({name: n for name, n in stream.counters.items() if n and not name.startswith(plain)})


def at(time_s: float, **values: float) -> Reading:
    return Reading("d", time_s, values or dict.fromkeys(CHANNELS, 0.0))


def test_late_and_duplicate_readings_are_dropped_counted_and_change_nothing(detector: Detector) -> None:
    series = normal_series(60, 1)
    clean = readings_of(series)
    noisy: list[Reading] = []
    for i, reading in enumerate(clean):
        noisy.append(reading)
        if i % 3 == 0:
            noisy.append(reading)
        if i % 5 == 4:
            noisy.append(Reading("pump", reading.time_s - 2.0, dict.fromkeys(CHANNELS, 1e9)))
    stream = StreamDetector(detector)
    alike(stream.push(noisy), StreamDetector(detector).push(clean))
    assert (stream.counters["dropped.duplicate"], stream.counters["dropped.late"]) == (20, 12)
    adds_up(stream, len(noisy))


@pytest.mark.parametrize("time_s", [float("nan"), float("inf"), -float("inf")])
def test_a_reading_whose_time_is_no_number_is_dropped_and_blocks_nothing(detector: Detector, time_s: float) -> None:
    assert counted(detector, [at(time_s), at(0.0), at(time_s), at(1.0)]) == {"dropped.bad_time": 2}


def test_a_reading_without_any_known_channel_is_dropped_and_counted(detector: Detector) -> None:
    found = counted(detector, [at(0.0), at(1.0, stranger=1.0, other=2.0), Reading("d", 1.5, {}), at(2.0)])
    assert found == {"dropped.no_known_channel": 2, "unknown_channel_values": 2}


def test_unknown_channels_are_left_out_and_counted_and_missing_ones_too(detector: Detector) -> None:
    assert counted(detector, [at(0.0, flow=1.0, pressure=2.0, current=3.0, stranger=9.0)]) == {
        "unknown_channel_values": 1
    }
    assert counted(detector, [at(0.0, flow=1.0, pressure=float("nan"))]) == {"missing_values": 2}
    assert counted(detector, [at(0.0, flow=float("inf"), pressure=1e300, current=1.0)]) == {"missing_values": 2}


def test_every_odd_reading_is_told_as_it_is_counted(detector: Detector) -> None:
    heard: list[tuple[str, Reading]] = []
    stream = StreamDetector(detector, on_odd=lambda what, reading: heard.append((what, reading)))
    good, late, bare = at(5.0), at(1.0), at(9.0, stranger=1.0)
    partial = at(10.0, flow=1.0, stranger=2.0)
    stream.push([good, good, late, at(float("nan")), bare, partial, at(11.0)])
    assert [what for what, _ in heard] == [
        "dropped.duplicate",
        "dropped.late",
        "dropped.bad_time",
        "dropped.no_known_channel",
        "unknown_channel",
        "missing_channel",
    ]
    assert [reading for _, reading in heard[-3:]] == [bare, partial, partial]


def test_a_gap_starts_anew_and_is_counted(detector: Detector) -> None:
    longest = detector.rule.max_gap_s
    assert counted(detector, [at(0.0), at(longest), at(2 * longest + 0.1), at(2 * longest + 0.2)]) == {"gaps": 1}


def test_windows_with_too_much_missing_are_unknown_and_counted(detector: Detector) -> None:
    stream = StreamDetector(detector)
    verdicts = stream.push([at(float(i), flow=1.0) for i in range(20)])
    assert np.isnan([v.surprise for v in verdicts]).all()
    assert (stream.counters["windows_unknown"], stream.counters["windows_scored"]) == (3, 0)


def test_nothing_in_gives_nothing_out(detector: Detector) -> None:
    stream = StreamDetector(detector)
    assert stream.push([]) == []
    assert stream.push(iter([])) == []
    assert len(stream) == 0


def test_readings_are_left_alone(detector: Detector) -> None:
    values = dict.fromkeys(CHANNELS, 1.0)
    StreamDetector(detector).push([Reading("d", float(i), values) for i in range(20)])
    assert values == dict.fromkeys(CHANNELS, 1.0)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            Reading,
            device=st.sampled_from(["a", "b"]),
            time_s=st.floats() | st.integers(0, 30).map(float),
            values=st.dictionaries(st.sampled_from([*CHANNELS, "stranger"]), st.floats(), max_size=4),
        ),
        max_size=60,
    )
)
def test_no_reading_breaks_the_stream_and_every_one_is_accounted_for(
    detector: Detector, readings: list[Reading]
) -> None:
    stream = StreamDetector(detector)
    for verdict in stream.push(readings):
        assert not np.isinf(verdict.surprise)
        assert not np.isinf(verdict.values).any()
    adds_up(stream, len(readings))


def test_more_readings_than_one_chunk_of_one_device(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomgan.stream.CHUNK", 7)
    monkeypatch.setattr("anomgan.detector.CHUNK", 5)
    series = normal_series(60, 1)
    alike(StreamDetector(detector).push(readings_of(series, "")), detector.verdicts(series))


# ---------------------------------------------------------------- snapshots


def two_devices(rows: int) -> list[Reading]:
    return [*readings_of(a_series(1, rows), "a", "site"), *readings_of(a_series(2, rows), "bä")]


def test_restoring_a_snapshot_goes_on_as_if_nothing_had_happened(detector: Detector) -> None:
    readings = sorted(two_devices(80), key=lambda r: r.time_s)
    for cut in (0, 1, 37, 101):
        whole, first, second = (StreamDetector(detector) for _ in range(3))
        whole.push(readings[:cut])
        first.push(readings[:cut])
        second.restore(first.snapshot())
        assert len(second) == len(first)
        alike(second.push(readings[cut:]), whole.push(readings[cut:]))


def test_forgetting_devices_is_never_to_have_heard_them(detector: Detector, series: TimeSeries) -> None:
    forgets, alone = StreamDetector(detector), StreamDetector(detector)
    some, others = readings_of(series, "b"), [readings_of(series, name) for name in "ac"]
    for k in range(40):
        forgets.push([others[0][k], others[1][k + 5], some[k]])
        alone.push([some[k]])
    forgets.name_units(("", "a"), dict.fromkeys(series.channels, "bar"))
    forgets.forget([("", "c"), ("", "a"), ("", "nobody")])
    assert forgets.snapshot() == alone.snapshot()
    assert list(forgets.sources) == [("", "b")]
    assert not forgets.units
    assert forgets.bytes_per_device() == alone.bytes_per_device()
    late = [some[39], others[1][3]]  # the one is a duplicate, the other's device is new
    before = forgets.counters["readings_admitted"]
    forgets.push(late)
    assert forgets.counters["dropped.duplicate"] == 1
    assert forgets.counters["readings_admitted"] == before + 1
    alike(forgets.push(some[40:80]), alone.push(some[40:80]))


def test_a_snapshot_remembers_what_is_late(detector: Detector) -> None:
    first, second = StreamDetector(detector), StreamDetector(detector)
    first.push([at(10.0)])
    second.restore(first.snapshot())
    second.push([at(10.0), at(9.0), at(11.0)])
    assert (second.counters["dropped.duplicate"], second.counters["dropped.late"]) == (1, 1)
    assert second.counters["readings_admitted"] == 1


def test_every_truncation_of_a_snapshot_is_refused_and_changes_nothing(detector: Detector) -> None:
    stream = StreamDetector(detector)
    stream.push(two_devices(20))
    snapshot = stream.snapshot()
    between = len(snapshot) - (len(snapshot) - 5) // 2  # a whole number of devices is a snapshot too
    for cut in [*range(60), *range(60, len(snapshot), 7)]:
        other = StreamDetector(detector)
        try:
            other.restore(snapshot[:cut])
        except DataError:
            assert len(other) == 0
        else:
            assert cut in (5, between, between - 1, between + 1)


def test_a_snapshot_of_another_model_shape_is_refused(detector: Detector) -> None:
    config = detector.config.model_copy(update={"window": 24, "steps": 1})
    other = StreamDetector(Detector.fit(normal_series(300, 0), config))
    other.push([at(0.0)])
    with pytest.raises(DataError, match="does not fit"):
        StreamDetector(detector).restore(other.snapshot())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=60), place=st.integers(0, 400), value=st.integers(0, 255))
def test_foreign_and_damaged_snapshots_are_taken_or_refused_with_a_data_error(
    detector: Detector, noise: bytes, place: int, value: int
) -> None:
    stream = StreamDetector(detector)
    stream.push(readings_of(normal_series(20, 1), "pümp"))
    damaged = bytearray(stream.snapshot())
    damaged[place % len(damaged)] = value
    for candidate in (noise, bytes(damaged), stream.snapshot() + noise, b"agSD\x01" + noise):
        other = StreamDetector(detector)
        try:
            other.restore(candidate)
        except DataError:
            assert len(other) == 0


def test_a_device_costs_what_its_window_holds(detector: Detector) -> None:
    ring = 3 * WINDOW * 4
    assert ring < StreamDetector(detector).bytes_per_device() < ring + 100


def test_a_unit_that_a_device_tells_counts_where_the_model_knows_none(detector: Detector, series: TimeSeries) -> None:
    known = detector.units
    stream = StreamDetector(detector)
    stream.name_units(("", "a"), {"flow": "l/min", "stranger": "bar"})
    stream.name_units(("", "a"), {"flow": "m³/h", "current": "A"})
    told = {verdict.device: verdict.units for d in ("a", "b") for verdict in stream.push(readings_of(series, d))}
    assert told == {"a": ("l/min", "", "A"), "b": known}
    assert dict(stream.units) == {("", "a"): ("l/min", "", "A")}
