"""A threshold follows slow change and learns no fault within the stated hours."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.config import AdaptConfig
from anomgan.drift import QUARTILE, Drift, follow, raised, taken_back
from anomgan.records import Floats

HOUR = 3600.0
WEEK_H = 168.0
RULE = AdaptConfig()
PERIOD_S = 120.0
THRESHOLD = 2.5


def watch(surprises: Floats, rule: AdaptConfig = RULE, start: Drift | None = None) -> tuple[Floats, Drift]:
    """Thresholds (N,) of a device whose windows are so surprising, one every PERIOD_S; anomalous ones not followed."""
    drift, found = start, np.empty(len(surprises))
    begins_s = 0.0 if start is None else start.time_s + PERIOD_S
    for i, surprise in enumerate(surprises.tolist()):
        found[i] = THRESHOLD + raised(drift)
        if surprise < found[i]:
            drift = follow(rule, drift, begins_s + i * PERIOD_S, surprise, 10 * PERIOD_S)
    assert drift is not None
    return found, drift


def surprises(hours: float, seed: int = 0) -> Floats:
    """Of a steady device: P(S > s) = 10^-s; neighbouring windows overlap, so they are alike."""
    rng = np.random.default_rng(seed)
    count = round(hours * HOUR / PERIOD_S)
    noise = rng.normal(size=count)
    for i in range(1, count):
        noise[i] = 0.9 * noise[i - 1] + math.sqrt(1 - 0.81) * noise[i]
    survival = np.array([0.5 * math.erfc(one / math.sqrt(2.0)) for one in noise])
    return np.asarray(-np.log10(np.maximum(survival, 1e-12)))


def test_a_steady_device_keeps_its_threshold() -> None:
    for seed in range(5):
        found, drift = watch(surprises(8 * WEEK_H, seed))
        assert found.max() <= THRESHOLD + 0.1
        assert drift.level < 0.1


def test_slow_change_is_followed_so_that_it_does_not_alarm() -> None:
    """A device that comes to look one decade odder over twelve weeks alarms no more often than before."""
    weeks = 12
    steady = surprises(weeks * WEEK_H, 1)
    aged = steady + np.linspace(0.0, 1.0, len(steady))
    last = slice(-len(steady) // 4, None)
    found, drift = watch(aged)
    without = np.count_nonzero(aged[last] >= THRESHOLD)
    with_it = np.count_nonzero(aged[last] >= found[last])
    calm = np.count_nonzero(steady[last] >= THRESHOLD)
    assert 0.7 < drift.level < 1.1
    assert without > 4 * max(calm, 1)
    assert with_it <= 2 * max(calm, 1)


@pytest.mark.parametrize("grows_h", [2.0, 24.0, WEEK_H])
def test_a_fault_that_grows_within_the_stated_hours_is_found_at_most_so_many_decades_later(grows_h: float) -> None:
    """The same fault is found without adaptation, and with it at the latest when it stands `decades` higher."""
    before = surprises(2 * WEEK_H, 2)
    _, learned = watch(before)
    fault = surprises(grows_h, 3) + np.linspace(0.0, 6.0, round(grows_h * HOUR / PERIOD_S))
    found, drift = watch(fault, start=learned)
    most = RULE.decades * grows_h / WEEK_H + 0.005  # thresholds stand in whole hundredths
    assert found.max() <= THRESHOLD + learned.level + most + 1e-9
    first = int(np.argmax(fault >= found))
    latest = int(np.argmax(fault >= THRESHOLD + learned.level + most))
    assert first <= latest
    assert np.count_nonzero(fault >= found) > 0.3 * np.count_nonzero(fault >= THRESHOLD)
    assert drift.level <= learned.level + most


@given(st.lists(st.tuples(st.floats(0.1, 1e6), st.floats(0.0, 50.0)), min_size=1, max_size=60))
def test_whatever_comes_the_level_moves_no_faster_and_no_further_than_stated(steps: list[tuple[float, float]]) -> None:
    drift, time_s, longest_s = None, 0.0, 600.0
    for step_s, surprise in steps:
        time_s += step_s
        before = drift
        drift = follow(RULE, drift, time_s, surprise, longest_s)
        if before is not None:
            assert (
                abs(drift.level - before.level) <= RULE.decades * min(step_s, longest_s) / (RULE.hours * HOUR) + 1e-12
            )
        assert 0.0 <= drift.level <= RULE.most_decades
        assert [at_s for at_s, _ in drift.marks] == sorted({at_s for at_s, _ in drift.marks})
        assert len(drift.marks) <= 20


def test_it_balances_where_a_quarter_is_above_and_comes_down_when_the_change_is_over() -> None:
    level = 1.0
    drift = Drift(0.0, level, ((0.0, level),))
    for i in range(400):
        above = i % 4 == 0
        drift = follow(RULE, drift, drift.time_s + 60.0, QUARTILE + level + (0.5 if above else -0.5), 600.0)
    assert drift.level == pytest.approx(level, abs=1e-3)
    _, after = watch(surprises(20 * WEEK_H, 4), start=drift)
    assert after.level < 0.1


def test_what_was_learned_in_the_time_constant_before_a_real_fault_is_taken_back() -> None:
    _, steady = watch(surprises(4 * WEEK_H, 5))
    creeping = surprises(WEEK_H, 6) + np.linspace(0.0, 2.0, round(WEEK_H * HOUR / PERIOD_S))
    _, crept = watch(creeping, start=steady)
    back = taken_back(RULE, crept, crept.time_s)
    assert crept.level > steady.level + 0.1
    assert back.level <= steady.level + 0.1
    assert back.time_s == crept.time_s
    assert taken_back(RULE, steady, steady.time_s).level <= steady.level


def test_the_first_window_only_begins() -> None:
    assert follow(RULE, None, 5.0, 40.0, 1.0) == Drift(5.0, 0.0, ((5.0, 0.0),))
