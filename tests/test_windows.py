"""Windows: sliding offline, the pure step and the fleet's ring buffers give the same windows, by the same rules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.errors import DataError
from anomgan.fleet_windows import FleetWindows
from anomgan.records import Floats
from anomgan.windows import (
    Rows,
    WindowRule,
    WindowState,
    due_ends,
    empty_state,
    gather_windows,
    hold_missing,
    pack_state,
    segment_starts,
    step,
    unpack_state,
    waiting_ends,
)

Due = dict[int, Rows]
NAN = np.float32(np.nan)


def offline(times: Floats, rows: Rows, rule: WindowRule) -> Due:
    """Row index -> the window it completes, by the functions that cut whole series."""
    starts = segment_starts(times, rule)
    held = hold_missing(rows, starts, rule)
    ends = due_ends(starts, rule)
    return dict(zip(ends.tolist(), gather_windows(held, ends, rule.window) if len(ends) else [], strict=True))


def stepwise(times: Floats, rows: Rows, rule: WindowRule) -> tuple[Due, WindowState]:
    """The same by the pure step."""
    state, due = empty_state(rows.shape[1], rule), {}
    for i, (time_s, row) in enumerate(zip(times, rows, strict=True)):
        state, window = step(rule, state, float(time_s), row)
        if window is not None:
            due[i] = window
    return due, state


def naive(times: Floats, rows: Rows, rule: WindowRule) -> Due:
    """The same written down as the rules say, one cell at a time."""
    due = {}
    for end in range(len(times)):
        start = end
        while start > 0 and times[start] - times[start - 1] <= rule.max_gap_s:
            start -= 1
        count = end - start + 1
        if count < rule.window or (count - rule.window) % rule.stride:
            continue
        window = np.full((rows.shape[1], rule.window), NAN)
        for c in range(rows.shape[1]):
            for k in range(rule.window):
                row = end - rule.window + 1 + k
                for back in range(rule.max_hold + 1):
                    if row - back >= start and not np.isnan(rows[row - back, c]):
                        window[c, k] = rows[row - back, c]
                        break
        due[end] = window
    return due


def same(a: Due, b: Due) -> None:
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])


rules = st.builds(
    WindowRule,
    window=st.integers(2, 8),
    stride=st.integers(1, 5),
    max_gap_s=st.sampled_from([1.0, 1.5, 3.0]),
    max_hold=st.integers(0, 4),
)


def random_series(rng: np.random.Generator, length: int, channels: int) -> tuple[Floats, Rows]:
    """Irregular times with gaps, values with single NaN, runs of NaN and channels that never come."""
    times = np.cumsum(rng.choice([0.5, 1.0, 1.5, 5.0], length, p=[0.3, 0.5, 0.15, 0.05]))
    rows = rng.normal(size=(length, channels)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = NAN
    if length:
        row, channel = rng.integers(length), rng.integers(channels)
        rows[row : row + 7, channel] = NAN
        if rng.random() < 0.2:
            rows[:, channel] = NAN
    return times, rows


@settings(max_examples=60, deadline=None)
@given(rule=rules, seed=st.integers(0, 2**32 - 1), length=st.integers(0, 40), channels=st.integers(1, 3))
def test_offline_stepwise_and_naive_windows_are_the_same(
    rule: WindowRule, seed: int, length: int, channels: int
) -> None:
    times, rows = random_series(np.random.default_rng(seed), length, channels)
    before = rows.copy()
    expected = naive(times, rows, rule)
    same(offline(times, rows, rule), expected)
    same(stepwise(times, rows, rule)[0], expected)
    np.testing.assert_array_equal(rows, before)


@settings(max_examples=40, deadline=None)
@given(rule=rules, seed=st.integers(0, 2**32 - 1), devices=st.integers(1, 20))
def test_a_fleet_gives_every_device_the_windows_it_would_get_alone(rule: WindowRule, seed: int, devices: int) -> None:
    """Random batches that mix devices, with one row or several of each, states moved to another fleet half-way, more
    devices than were allocated."""
    rng, gaps = np.random.default_rng(seed), 0
    series = [random_series(rng, int(rng.integers(1, 25)), 2) for _ in range(devices)]
    fleet, at, got = FleetWindows(2, rule), [0] * devices, [dict[int, Rows]() for _ in range(devices)]
    for d in range(devices):
        assert fleet.add() == d
    while True:
        ready = [d for d in range(devices) if at[d] < len(series[d][0])]
        if not ready:
            break
        picked = rng.permutation(ready)[: rng.integers(1, len(ready) + 1)]
        most = int(rng.choice([1, 3, 12]))
        each = {d: min(int(rng.integers(1, most + 1)), len(series[d][0]) - at[d]) for d in picked}
        who = rng.permutation(np.repeat(picked, [each[d] for d in picked]))
        index = [int(np.count_nonzero(who[:i] == d)) + at[d] for i, d in enumerate(who)]
        times = np.array([series[d][0][i] for d, i in zip(who, index, strict=True)])
        rows = np.stack([series[d][1][i] for d, i in zip(who, index, strict=True)])
        pushed = fleet.push(who, times, rows)
        assert np.all(np.diff(pushed.due) > 0)
        gaps += pushed.gaps
        for row, window in zip(pushed.due, pushed.windows, strict=True):
            got[who[row]][index[row]] = window
        for d in picked:
            at[d] += each[d]
        if rng.random() < 0.1:
            fleet = moved(fleet)
    for d in range(devices):
        due_alone, state = stepwise(*series[d], rule)
        same(got[d], due_alone)
        for mine, alone in zip(fleet.state(d), state, strict=True):
            np.testing.assert_array_equal(mine, alone)
    assert gaps == sum(int(np.count_nonzero(np.diff(times) > rule.max_gap_s)) for times, _ in series)


def moved(fleet: FleetWindows) -> FleetWindows:
    """Another fleet with the same states, gone through bytes."""
    other = FleetWindows(fleet.channels, fleet.rule)
    for d in range(fleet.devices):
        other.restore(other.add(), unpack_state(pack_state(fleet.state(d))))
    return other


RULE = WindowRule(window=4, stride=3, max_gap_s=10.0, max_hold=1)


def ramp(length: int, channels: int = 1) -> Rows:
    return np.arange(length * channels, dtype=np.float32).reshape(length, channels)


def test_no_window_spans_a_gap() -> None:
    times = np.r_[np.arange(10.0), 20.5 + np.arange(10.0)]
    due = offline(times, ramp(20), RULE)
    assert sorted(due) == [3, 6, 9, 13, 16, 19]
    for end, window in due.items():
        assert (window[0, 0] >= 10) == (end >= 10)
        np.testing.assert_array_equal(window[0], np.arange(end - 3, end + 1))


def test_a_step_of_exactly_the_longest_gap_is_no_gap() -> None:
    assert segment_starts(np.array([0.0, 10.0, 20.0]), RULE).tolist() == [0, 0, 0]
    assert segment_starts(np.array([0.0, 10.0, 20.000001]), RULE).tolist() == [0, 0, 2]


def test_a_missing_value_is_held_for_just_so_many_rows_and_not_over_a_gap() -> None:
    rows = np.array([[1.0], [np.nan], [np.nan], [4.0], [np.nan]], np.float32)
    starts = np.array([0, 0, 0, 0, 4])
    for hold, expected in [
        (0, [1, np.nan, np.nan, 4, np.nan]),
        (1, [1, 1, np.nan, 4, np.nan]),
        (2, [1, 1, 1, 4, np.nan]),
    ]:
        rule = WindowRule(4, 1, 10.0, hold)
        np.testing.assert_array_equal(hold_missing(rows, starts, rule)[:, 0], np.array(expected, np.float32))


def test_warm_up_is_told_every_stride_rows_until_the_first_window() -> None:
    rule = WindowRule(window=8, stride=3, max_gap_s=1.0, max_hold=0)
    starts = np.array([0] * 10 + [10] * 5)
    assert waiting_ends(starts, rule).tolist() == [2, 5, 12]
    assert due_ends(starts, rule).tolist() == [7]


def test_an_empty_series_has_no_windows() -> None:
    assert offline(np.empty(0), np.empty((0, 2), np.float32), RULE) == {}


def test_windows_are_copies() -> None:
    rows = ramp(6)
    windows = gather_windows(rows, np.array([3, 4]), 4)
    windows[:] = -1
    assert rows.min() == 0
    fleet = FleetWindows(1, RULE)
    who = np.array([fleet.add()])
    for i in range(4):
        fleet.push(who, np.array([float(i)]), rows[i : i + 1])
    fleet.windows(who)[:] = -1
    fleet.state(0).rows[:] = -1
    np.testing.assert_array_equal(fleet.windows(who)[0, 0], [0, 1, 2, 3])


def test_other_devices_change_nothing_while_the_fleet_grows() -> None:
    fleet = FleetWindows(2, RULE)
    alone = empty_state(2, RULE)
    fleet.add()
    for i in range(200):
        newest = fleet.add()
        row, noise = np.full(2, i, np.float32), np.full(2, -1, np.float32)
        alone, _ = step(RULE, alone, float(i), row)
        fleet.push(np.array([newest, 0]), np.array([9e9, float(i)]), np.stack([noise, row]))
    for mine, other in zip(fleet.state(0), alone, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert fleet.bytes_per_device() == 2 * 4 * 4 + 2 * 4 + 2 * 4 + 8 + 8


def test_a_channel_missing_for_ever_does_not_overflow_its_age() -> None:
    state = empty_state(1, RULE)._replace(age=np.array([np.iinfo(np.int32).max], np.int32), run=5, last_s=0.0)
    after, _ = step(RULE, state, 1.0, np.array([NAN]))
    assert after.age[0] == np.iinfo(np.int32).max
    fleet = FleetWindows(1, RULE)
    fleet.restore(fleet.add(), state)
    fleet.push(np.array([0]), np.array([1.0]), np.array([[NAN]]))
    assert fleet.age[0, 0] == np.iinfo(np.int32).max


# ---------------------------------------------------------------- bytes


def some_state() -> WindowState:
    rng = np.random.default_rng(0)
    return stepwise(*random_series(rng, 9, 3), RULE)[1]


def test_a_state_survives_bytes() -> None:
    state = some_state()
    for a, b in zip(unpack_state(pack_state(state)), state, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(unpack_state(pack_state(empty_state(3, RULE))), empty_state(3, RULE), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_truncation_and_extension_of_a_state_is_refused() -> None:
    packed = pack_state(some_state())
    for cut in range(len(packed)):
        with pytest.raises(DataError):
            unpack_state(packed[:cut])
    with pytest.raises(DataError):
        unpack_state(packed + b"\0")


def test_a_state_of_another_version_is_refused_by_number() -> None:
    packed = bytearray(pack_state(some_state()))
    packed[4] = 9
    with pytest.raises(DataError, match="version 9"):
        unpack_state(bytes(packed))


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_foreign_and_damaged_bytes_are_a_state_or_a_data_error(noise: bytes, place: int, value: int) -> None:
    packed = bytearray(pack_state(some_state()))
    packed[place] = value
    for candidate in (noise, bytes(packed), b"agWS" + noise):
        try:
            state = unpack_state(candidate)
        except DataError:
            continue
        assert state.run >= 0
        assert state.held.shape == state.age.shape == state.rows.shape[:1]


def test_a_state_of_another_shape_does_not_fit() -> None:
    fleet = FleetWindows(3, RULE)
    fleet.add()
    for state in (empty_state(2, RULE), empty_state(3, WindowRule(8, 1, 1.0, 0))):
        with pytest.raises(DataError, match="does not fit"):
            fleet.restore(0, state)
