"""How much normal history is enough, and why."""

import numpy as np
import pytest

from anomgan.config import DetectorConfig
from anomgan.enough import count_needs, level_kept, look_needs, slowest_cycle, span_h
from anomgan.fit import choose
from anomgan.records import Floats, TimeSeries

CONFIG = DetectorConfig()


def series(values: Floats, period_s: float = 1.0, device: str = "p1") -> TimeSeries:
    """Channel `a` as given, `b` noise."""
    noise = np.random.default_rng(5).normal(size=len(values))
    return TimeSeries(np.arange(len(values)) * period_s, np.stack([values, noise], axis=1), ("a", "b"), device=device)


def wave(rows: int, cycle: float) -> Floats:
    noise = np.random.default_rng(rows).normal(size=rows)
    return np.asarray(np.sin(2 * np.pi * np.arange(rows) / cycle) + 0.1 * noise)


def test_rows_are_counted_of_one_device_and_of_all() -> None:
    one, every = count_needs({("", "a"): 383, ("", "b"): 200}, CONFIG)
    assert (one.have, one.enough, one.met) == (383, 384, False)
    assert (every.have, every.enough, every.met) == (583, 5120, False)
    assert all(need.met for need in count_needs({("", "a"): 384, ("", "b"): 5000}, CONFIG))
    assert not any(need.met for need in count_needs({}, CONFIG))


def test_so_many_rows_of_one_device_give_the_longest_window() -> None:
    (need, _) = count_needs({}, CONFIG)
    assert choose(CONFIG, int(need.enough), int(need.enough), 1.0).window == 64
    assert choose(CONFIG, int(need.enough) - 6, int(need.enough), 1.0).window == 56


def test_a_shorter_window_and_a_larger_part_held_out_need_less() -> None:
    _, every = count_needs({}, DetectorConfig(window=16, holdout=0.5))
    assert every.enough == 640


@pytest.mark.parametrize("cycle", [40.0, 250.0, 1000.0])
def test_the_slowest_cycle_is_found_in_noise_beside_a_faster_one(cycle: float) -> None:
    channel, found_s = slowest_cycle(series(wave(4000, cycle), 60.0))
    assert channel == "a"
    assert found_s == pytest.approx(cycle * 60.0, rel=0.05)


def test_noise_a_constant_and_too_few_rows_have_no_cycle() -> None:
    for values in (np.random.default_rng(1).normal(size=3000), np.full(3000, 7.0), np.arange(3.0)):
        assert slowest_cycle(series(values)) == ("", 0.0)


def test_gaps_and_missing_values_do_not_hide_a_cycle() -> None:
    one = series(wave(4000, 400.0))
    one.values[np.random.default_rng(2).random(one.values.shape) < 0.3] = np.nan
    keep = np.ones(4000, bool)
    keep[1000:1200] = False
    holed = TimeSeries(one.times[keep], one.values[keep], one.channels)
    assert slowest_cycle(holed)[1] == pytest.approx(400.0, rel=0.05)


def test_two_cycles_have_to_lie_in_the_part_that_trains() -> None:
    assert all(need.met for need in look_needs([series(wave(2800, 1000.0))], CONFIG))
    (hours, *_) = look_needs([series(wave(2400, 1000.0))], CONFIG)
    assert not hours.met
    assert "2 cycles of 991 s" in str(hours)
    assert "in a of p1" in str(hours)


def test_a_trend_and_a_step_are_not_enough() -> None:
    for values in (np.arange(3000) / 300.0, np.where(np.arange(3000) < 2400, 0.0, 5.0)):
        needs = look_needs([series(values + wave(3000, 20.0))], CONFIG)
        assert any(not need.met for need in needs)


def test_levels_are_compared_within_each_device() -> None:
    low, high = series(wave(1000, 50.0)), series(wave(1000, 50.0) + 100.0, device="p2")
    assert level_kept([low, high], 0.25)[1] > 0.98
    wandering = np.concatenate([wave(900, 50.0), wave(100, 50.0) + 9.0])
    channel, inside = level_kept([low, series(wandering)], 0.25)
    assert channel == "a"
    assert inside == pytest.approx(0.8, abs=0.02)  # a hundred of the five hundred held-out values


def test_hours_are_asked_for_only_where_they_are_configured() -> None:
    one = series(wave(3600, 60.0))
    assert span_h([one]) == pytest.approx(1.0, abs=0.01)
    (hours, *_) = look_needs([one], CONFIG, at_least_h=2.0)
    assert (hours.met, hours.enough) == (False, 2.0)
    assert len(look_needs([one], CONFIG)) == 2
