"""Sick channels: what a sensor does wrong is masked and told once; what the process does passes to the bit."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.quality.cell import CALM, ERROR_CODES
from anomgan.quality.channels import ORDINARY, ChannelHealth
from anomgan.quality.issues import Change
from anomgan.quality.limits import ChannelLimits, Limits, learn_limits, with_ranges
from anomgan.quality.units import CONFIRM, conversions
from anomgan.records import Floats, TimeSeries

RESOLUTION = 0.1


def pressure(rows: int, seed: int, level: float = 50.0) -> Floats:
    """A sensor that never rests: a slow wave with noise, in steps of a tenth."""
    rng = np.random.default_rng(seed)
    pure = level + 4.0 * np.sin(np.arange(rows) / 60 + seed) + 0.3 * rng.normal(size=rows)
    return np.asarray(np.round(pure / RESOLUTION) * RESOLUTION)


def limits_of(*columns: Floats, units: Sequence[str] = ()) -> Limits:
    values = np.stack(columns, axis=1)
    names = tuple(f"c{i}" for i in range(len(columns)))
    return learn_limits(TimeSeries(np.arange(len(values), dtype=float), values, names, units=tuple(units)))


@pytest.fixture(scope="module")
def limits() -> Limits:
    return limits_of(pressure(6000, 0))


def only(limits: Limits) -> ChannelLimits:
    return limits.of[0]


def feed(limits: Limits, *columns: Floats) -> tuple[Floats, list[Change]]:
    """One device's readings, all at once: what is fed (n, C), and what was told."""
    health = ChannelHealth(limits)
    health.reserve(1)
    values = np.stack(columns, axis=1).astype(np.float64)
    fed, changes, masked = health.push(np.zeros(len(values), np.int64), np.arange(len(values), dtype=float), values)
    assert sum(masked.values()) == np.count_nonzero(np.isnan(fed) & ~np.isnan(values))
    return fed, changes


def told(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.kind, change.state) for change in changes]


def untouched(limits: Limits, column: Floats) -> None:
    fed, changes = feed(limits, column)
    np.testing.assert_array_equal(fed[:, 0], column)
    assert changes == []


# ---------------------------------------------------------------- stuck


def test_normal_readings_pass_to_the_bit(limits: Limits) -> None:
    untouched(limits, pressure(20_000, 1))


def test_a_stuck_sensor_is_masked_told_since_its_first_equal_value_and_closed_when_it_has_moved(limits: Limits) -> None:
    column, after = pressure(3000, 2), only(limits).stuck_after
    column[1000:2000] = column[999]
    fed, changes = feed(limits, column)
    sick = np.flatnonzero(np.isnan(fed[:, 0]))
    np.testing.assert_array_equal(sick, np.arange(999 + after - 1, 2000))
    assert told(changes) == [("stuck", "open"), ("stuck", "closed")]
    first, last = changes
    assert (first.start_s, last.start_s) == (999.0, 999.0)
    assert (first.noticed_s, last.end_s) == (999.0 + after - 1, 1999.0)
    assert last.noticed_s == 1999.0 + CALM
    assert f"c0 has read {column[999]:g} {after} times in a row" in first.reason


def test_a_process_that_jumps_to_a_value_and_stays_is_not_stuck(limits: Limits) -> None:
    column = pressure(3000, 3)
    column[1000:] = column[999] + (2.0 if column[999] < 50 else -2.0)
    assert only(limits).low < column[1000] < only(limits).high
    untouched(limits, column)


@pytest.mark.parametrize("level", ["low", "high", "zero"])
def test_a_process_that_stands_at_an_end_of_its_range_or_beyond_is_not_stuck(limits: Limits, level: str) -> None:
    stand = {"low": only(limits).low, "high": only(limits).high, "zero": 0.0}[level]
    column = pressure(3000, 4)
    slowly = np.linspace(column[999], stand, 200)  # a valve that closes, a tank that runs dry
    column[1000:1200], column[1200:] = np.round(slowly, 1), stand
    untouched(limits, column)


def test_a_level_where_the_channel_rests_in_training_is_not_stuck_also_on_a_device_that_rests_nearby() -> None:
    column = pressure(6000, 5)
    for start in (1000, 2500, 4000):
        column[start : start + 500] = 50.0
    limits = limits_of(column)
    later = pressure(3000, 6)
    later[900:1000] = np.round(np.linspace(later[899], 50.1, 100), 1)
    later[1000:2500] = 50.1
    untouched(limits, later)


def test_a_regulated_quantity_that_becomes_twice_as_quiet_is_not_stuck() -> None:
    rng = np.random.default_rng(7)
    noisy, quiet = (np.round((5.0 + noise * rng.normal(size=20_000)) / 0.02) * 0.02 for noise in (0.02, 0.01))
    untouched(limits_of(noisy), quiet)


def test_a_channel_that_stands_still_a_little_too_long_again_and_again_is_given_more_time(limits: Limits) -> None:
    after = only(limits).stuck_after
    column = pressure(20_000, 8)
    for start in range(100, 19_000, 200):
        column[start : start + after + 10] = column[start - 1]
    _, changes = feed(limits, column)
    assert 1 <= len([change for change in changes if change.state == "open"]) <= 2


def test_a_dead_channel_is_told_as_missing_and_closed_when_it_has_spoken_again(limits: Limits) -> None:
    column, after = pressure(1000, 9), only(limits).missing_after
    column[300:600] = np.nan
    fed, changes = feed(limits, column)
    np.testing.assert_array_equal(fed[:, 0], column)
    assert told(changes) == [("silent", "open"), ("silent", "closed")]
    assert (changes[0].start_s, changes[0].noticed_s) == (299.0, 299.0 + after)
    assert told(feed(limits, np.full(100, np.nan))[1]) == [("silent", "open")]


def test_a_stuck_channel_that_goes_missing_and_comes_back_stuck_is_three_issues(limits: Limits) -> None:
    column = pressure(1000, 9)
    column[300:900] = column[299]
    column[500:600] = np.nan
    _, changes = feed(limits, column)
    assert told(changes)[:5] == [
        ("stuck", "open"),
        ("stuck", "closed"),
        ("silent", "open"),
        ("silent", "closed"),
        ("stuck", "open"),
    ]
    assert len({(change.kind, change.start_s) for change in changes}) == 3


# ---------------------------------------------------------------- out of range


def test_a_given_range_is_kept_whatever_the_process_does(limits: Limits) -> None:
    ranged = with_ranges(limits, {"c0": (0.0, 80.0)})
    column = pressure(500, 10)
    column[100], column[200], column[300], column[310] = 80.0, 80.1, -0.1, 0.0
    fed, changes = feed(ranged, column)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(fed[:, 0])), [200, 300])
    assert told(changes) == [("out_of_range", "open"), ("out_of_range", "closed")] * 2
    assert "reads 80.1, outside its range 0 to 80" in changes[0].reason


@pytest.mark.parametrize("value", [40.0, 59.0, 75.0, 200.0, 2000.0, 0.0, -30.0])
def test_without_one_no_process_value_is_out_of_range_however_far(limits: Limits, value: float) -> None:
    column = pressure(2000, 11)
    column[1000:] += value - 50.0
    untouched(limits, column)


@pytest.mark.parametrize("value", [1e7, -1e7, 1e30])
def test_garbage_is_out_of_range(limits: Limits, value: float) -> None:
    column = pressure(500, 12)
    column[100] = value
    fed, changes = feed(limits, column)
    assert np.flatnonzero(np.isnan(fed[:, 0])).tolist() == [100]
    assert told(changes) == [("out_of_range", "open"), ("out_of_range", "closed")]


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
@pytest.mark.parametrize("rows", [1, 50])
def test_an_error_code_is_out_of_range(limits: Limits, code: float, rows: int) -> None:
    column = pressure(500, 13)
    column[100 : 100 + rows] = code
    fed, changes = feed(limits, column)
    assert np.flatnonzero(np.isnan(fed[:, 0])).tolist() == list(range(100, 100 + rows))
    assert told(changes) == [("out_of_range", "open"), ("out_of_range", "closed")]
    assert "an error code of sensors" in changes[0].reason


def test_a_process_that_passes_through_an_error_code_is_not_out_of_range(limits: Limits) -> None:
    column = pressure(2000, 14)
    column[500:1500] = np.round(np.linspace(50.0, 150.0, 1000), 1)
    assert np.any(column == 85.0)
    untouched(limits, column)


def test_a_sensor_that_fails_now_and_then_is_told_once(limits: Limits) -> None:
    column = pressure(3000, 15)
    column[500:2500:5] = -127.0
    fed, changes = feed(limits, column)
    assert told(changes) == [("out_of_range", "open"), ("out_of_range", "closed")]
    np.testing.assert_array_equal(np.isnan(fed[:, 0]), column == -127.0)


# ---------------------------------------------------------------- units


@pytest.mark.parametrize("unit", ["°C", "bar", "m/s", "", "mm", "kW"])
def test_every_conversion_of_a_unit_is_recognised_masked_and_told_once(unit: str) -> None:
    limits = limits_of(pressure(6000, 16), units=[unit])
    for conversion in conversions(unit):
        column = pressure(3000, 17)
        part = slice(1000, 2000)
        column[part] = conversion.scale * column[part] + conversion.offset
        fed, changes = feed(limits, column)
        sick = np.flatnonzero(np.isnan(fed[:, 0]))
        certain = round(changes[0].noticed_s)
        rises = abs(column[1000]) > abs(column[999])
        assert sick.tolist() == list(range(1000 if rises else certain, 2000)), conversion
        assert told(changes) == [("unit_jump", "open"), ("unit_jump", "closed")]
        assert (changes[0].start_s, changes[1].end_s) == (1000.0, 1999.0)
        assert changes[0].noticed_s <= 1000.0 + CONFIRM
        np.testing.assert_array_equal(fed[:1000, 0], column[:1000])
        np.testing.assert_array_equal(fed[2000:, 0], column[2000:])


@pytest.mark.parametrize("factor", [10.0, 100.0, 1000.0, 0.1, 0.01, 0.001])
def test_a_process_that_jumps_by_a_unit_s_factor_is_acquitted_by_its_moves(limits: Limits, factor: float) -> None:
    column = pressure(2000, 18)
    column[1000:] += (factor - 1.0) * column[999]
    fed, changes = feed(limits, column)
    assert changes == []
    held_back = np.flatnonzero(np.isnan(fed[:, 0]))
    assert len(held_back) <= CONFIRM
    assert all(row < 1000 + CONFIRM for row in held_back)


@given(st.floats(-1000.0, 1000.0), st.integers(0, 1000))
def test_a_process_that_jumps_anywhere_is_told_as_nothing(jump: float, seed: int) -> None:
    limits = limits_of(pressure(6000, 0), units=["kW"])  # a kind whose factors are so large that moves tell
    column = pressure(300, seed)
    column[100:] = np.round(column[100:] + jump, 1)
    fed, changes = feed(limits, column)
    assert [change for change in changes if change.kind != "out_of_range"] == []
    assert np.count_nonzero(np.isnan(fed[:, 0])) <= CONFIRM + 1


def test_a_fall_to_nothing_is_a_process(limits: Limits) -> None:
    for noise in (0.0, 0.05, 0.5):
        column = pressure(2000, 19)
        column[1000:] = np.abs(noise * np.random.default_rng(20).normal(size=1000))
        untouched(limits, column)


# ---------------------------------------------------------------- counters


def energy(rows: int, seed: int) -> Floats:
    return np.cumsum(np.round(np.random.default_rng(seed).exponential(size=rows), 1)) + 100.0


def test_a_counter_that_begins_anew_is_continued_and_told_once() -> None:
    limits = limits_of(energy(3000, 0))
    column = energy(900, 1)
    column[300:] -= column[299]
    column[600:] -= column[599]
    fed, changes = feed(limits, column)
    assert told(changes) == [("counter_reset", "closed")] * 2
    assert [change.start_s for change in changes] == [300.0, 600.0]
    np.testing.assert_allclose(np.diff(fed[:, 0]), np.diff(energy(900, 1)), atol=1e-9)


def test_a_counter_that_drops_out_goes_on_as_before() -> None:
    limits = limits_of(energy(3000, 0))
    column = energy(900, 1)
    column[300:310] = 0.0
    fed, changes = feed(limits, column)
    assert told(changes) == [("counter_reset", "closed")]
    np.testing.assert_allclose(np.delete(fed[:, 0], np.s_[300:310]), np.delete(column, np.s_[300:310]))
    np.testing.assert_allclose(fed[300:310, 0], column[299])


def test_a_counter_at_zero_or_corrected_by_little_or_standing_still_is_not_told() -> None:
    limits = limits_of(energy(3000, 0))
    untouched(limits, np.zeros(500))
    untouched(limits, np.full(500, 1234.5))
    column = energy(900, 1)
    column[300:] -= 50.0
    untouched(limits, column)


# ---------------------------------------------------------------- the twins


def troubled(rng: np.random.Generator, rows: int) -> Floats:
    """(rows, 4) a pressure, a quantity that rests, a counter and a contact, with all that can go wrong."""
    resting = pressure(rows, int(rng.integers(100)), 20.0)
    resting[: rows // 3] = 20.0
    columns = [pressure(rows, int(rng.integers(100))), resting, energy(rows, 1), rng.integers(0, 2, rows).astype(float)]
    for column in columns:
        for _ in range(rng.integers(6)):
            start = int(rng.integers(1, rows))
            part = slice(start, start + int(rng.integers(1, 90)))
            what = rng.integers(6)
            column[part] = (
                [np.nan, column[start - 1], -127.0, 1e9][what]
                if what < 4
                else column[part] * 1000.0
                if what == 4
                else column[part] - column[start - 1]
            )
    return np.stack(columns, axis=1)


@pytest.fixture(scope="module")
def four() -> Limits:
    rng = np.random.default_rng(21)
    resting = pressure(4000, 22, 20.0)
    for start in (500, 2000):
        resting[start : start + 400] = 20.0
    return limits_of(pressure(4000, 23), resting, energy(4000, 24), rng.integers(0, 2, 4000).astype(float))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 4), st.data())
def test_one_by_one_and_in_any_batches_of_any_devices_are_the_same(
    four: Limits, seed: int, devices: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    rows = 260
    values = [troubled(rng, rows) for _ in range(devices)]
    who = rng.permutation(np.repeat(np.arange(devices), rows))
    at = np.zeros(devices, np.int64)
    mixed, times = np.empty((len(who), 4)), np.empty(len(who))
    for i, device in enumerate(who.tolist()):
        mixed[i], times[i] = values[device][at[device]], at[device]
        at[device] += 1
    cuts = sorted(data.draw(st.lists(st.integers(0, len(who)), max_size=12)))
    results = []
    for edges in ([*range(len(who) + 1)], [0, *cuts, len(who)]):
        health = ChannelHealth(four)
        health.reserve(devices)
        fed, changes = [], []
        for a, b in pairwise(edges):
            part, told_now, _ = health.push(who[a:b], times[a:b], mixed[a:b])
            fed.append(part)
            changes += told_now
        results.append((np.concatenate(fed), sorted(changes, key=repr), health))
    (one, told_one, first), (other, told_other, second) = results
    np.testing.assert_array_equal(one, other)
    assert repr(told_one) == repr(told_other)
    for field in first.cells.dtype.names or ():
        np.testing.assert_array_equal(first.cells[field], second.cells[field], field)
    np.testing.assert_array_equal(first.counts, second.counts)


def naive(one: ChannelLimits, column: Floats) -> list[int]:
    """The rows that are stuck or out of range by the rules, written as one would say them; units and leniency apart."""
    sick, run, began, last = [], 0, "first", math.nan
    wide = 0.5 * (one.high - one.low)
    lowest = max(one.low - wide, one.low * (one.low / one.high) ** 2) if one.low > 0 else one.low - wide
    for row, value in enumerate(column.tolist()):
        if math.isnan(value):
            continue
        if value == last:
            run += 1
        else:
            leapt = abs(value - last) > ORDINARY * one.step
            run, began = 1, "first" if math.isnan(last) else "leap" if leapt else "smooth"
        last = value
        outside = not lowest <= value <= one.high + wide
        garbage = not one.least <= value <= one.most
        code = outside and began != "smooth" and value in ERROR_CODES
        rests = any(abs(value - level) <= 0.02 * (one.high - one.low) for level in one.resting)
        stuck = run >= one.stuck_after > 0 and began != "leap" and one.low < value < one.high and not rests
        if garbage or code or stuck:
            sick.append(row)
    return sick


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_what_is_sick_is_what_the_rules_say(four: Limits, seed: int) -> None:
    rng = np.random.default_rng(seed)
    column = pressure(400, seed % 100)
    start = int(rng.integers(1, 300))
    part = slice(start, start + int(rng.integers(1, 90)))
    column[part] = rng.choice([column[start - 1], 50.0, -127.0, 1e9, np.nan, 20.0])
    column[rng.random(400) < 0.05] = np.nan
    fed, _ = feed(limits_of(pressure(4000, 23)), column)
    assert np.flatnonzero(np.isnan(fed[:, 0]) & ~np.isnan(column)).tolist() == naive(four.of[0], column)
