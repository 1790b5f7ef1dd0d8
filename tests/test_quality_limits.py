"""Limits: what normal data say about a channel, and that a model file can hold it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.errors import DataError
from anomgan.quality.limits import (
    LONGER,
    MISSED_CHANGES,
    NEVER,
    ChannelLimits,
    Limits,
    learn_limits,
    limits_from_json,
    limits_to_json,
    runs_of,
    with_ranges,
    without,
)
from anomgan.records import Floats, TimeSeries, series_from_array


def learn(column: Floats) -> ChannelLimits:
    return learn_limits(series_from_array(np.asarray(column, np.float64))).of[0]


def noisy(rows: int = 4000, seed: int = 0, resolution: float = 0.1) -> Floats:
    rng = np.random.default_rng(seed)
    pure = 20.0 + 3.0 * np.sin(np.arange(rows) / 100) + 0.2 * rng.normal(size=rows)
    return np.asarray(np.round(pure / resolution) * resolution)


def test_what_a_channel_is_shows_in_its_values() -> None:
    rng = np.random.default_rng(1)
    assert learn(noisy()).kind == "measured"
    assert learn(rng.integers(0, 2, 1000)).kind == "coarse"
    assert learn(np.full(1000, 7.3)).kind == "coarse"
    assert learn(np.round(rng.normal(size=1000), 0) + 0.5).kind == "coarse"  # too few levels
    assert learn(np.full(1000, np.nan)).kind == "unused"
    rising = np.cumsum(rng.exponential(size=1000))
    assert learn(rising).kind == "counter"
    assert learn(np.concatenate([rising, rising[:500]])).kind == "counter"  # it began anew once
    assert learn(np.concatenate([rising, rising[-1] - rising[:500] / 2])).kind == "measured"  # it also falls by little
    assert learn(rising - 100.0).kind == "measured"  # no counter is negative


def test_only_a_measured_channel_has_a_physical_range_and_a_limit_to_standing_still() -> None:
    rng = np.random.default_rng(2)
    for column in (rng.integers(0, 2, 1000), np.full(1000, 7.3), np.cumsum(rng.exponential(size=1000))):
        one = learn(column)
        assert (one.least, one.most, one.stuck_after) == (-math.inf, math.inf, NEVER)
    one = learn(noisy())
    assert one.least < -1e4 < 1e4 < one.most
    assert one.stuck_after > 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_runs_are_those_of_a_plain_loop(values: list[int]) -> None:
    naive: list[list[int]] = []
    for value in values:
        if naive and naive[-1][0] == value:
            naive[-1][1] += 1
        else:
            naive.append([value, 1])
    runs = runs_of(np.array(values, np.float64))
    assert [list(pair) for pair in zip(runs.levels, runs.lengths, strict=True)] == naive


@pytest.mark.parametrize("resolution", [0.001, 0.1, 0.5])
def test_stuck_takes_longer_than_any_normal_run_and_the_longer_the_coarser_the_sensor(resolution: float) -> None:
    column = noisy(resolution=resolution)
    one = learn(column)
    runs = runs_of(column).lengths
    ordinary = np.sort([runs_of(column).lengths[runs_of(column).levels == level].max() for level in np.unique(column)])
    assert one.stuck_after >= max(MISSED_CHANGES, LONGER * ordinary[-5])
    assert one.stuck_after <= 4 * MISSED_CHANGES * runs.mean()


def test_levels_where_a_channel_rests_are_exempt_and_do_not_make_the_others_lenient() -> None:
    column = noisy()
    resting = column.copy()
    for start in (500, 1500, 3000):
        resting[start : start + 400] = 20.0
    assert learn(resting).resting == (20.0,)
    assert learn(resting).stuck_after <= 2 * learn(column).stuck_after


def test_little_history_says_nothing_about_standing_still() -> None:
    assert learn(noisy(80)).stuck_after == NEVER


def test_series_of_several_devices_are_learned_as_one() -> None:
    series = [series_from_array(noisy(seed=seed) + seed) for seed in range(3)]
    together = learn_limits(series).of[0]
    assert together == learn_limits(series[::-1]).of[0]
    assert together.low <= min(learn_limits(one).of[0].low for one in series) + 0.5
    assert together.high >= max(learn_limits(one).of[0].high for one in series) - 0.5


def test_a_usual_gap_is_learned_from_the_times() -> None:
    times = np.cumsum(np.where(np.arange(4000) % 100 == 0, 300.0, 10.0))
    limits = learn_limits(TimeSeries(times, noisy()[:, None], ("a",)))
    assert (limits.period_s, limits.gap_s) == (10.0, 300.0)


def test_missing_values_do_not_touch_what_is_learned_of_the_others() -> None:
    column = noisy()
    holes = np.insert(column, np.arange(0, 4000, 10), np.nan)
    holed, whole = learn(holes), learn(column)
    assert replace(holed, missing_after=0) == replace(whole, missing_after=0)
    long = np.insert(column, 2000, np.full(100, np.nan))
    assert learn(long).missing_after == 400


def test_series_that_do_not_agree_are_refused() -> None:
    one, other = series_from_array(noisy(), channels=["a"]), series_from_array(noisy(), channels=["b"])
    for given_series in ([], [one, other]):
        with pytest.raises(DataError, match="at least one"):
            learn_limits(given_series)
    with pytest.raises(DataError, match="without channels"):
        learn_limits(TimeSeries(np.arange(3.0), np.zeros((3, 0)), ()))


def test_known_ranges_take_the_place_of_learned_ones() -> None:
    limits = learn_limits(series_from_array(noisy(), channels=["a"]), {"a": (-20.0, 80.0)})
    assert (limits.of[0].least, limits.of[0].most) == (-20.0, 80.0)
    with pytest.raises(DataError, match="'b', which is none of"):
        with_ranges(limits, {"b": (0.0, 1.0)})
    for bad in ((1.0, 1.0), (2.0, 1.0), (math.nan, 1.0)):
        with pytest.raises(DataError, match="is empty"):
            with_ranges(limits, {"a": bad})
    assert without(limits, ["a"]).of[0].stuck_after == NEVER
    with pytest.raises(DataError, match="no channel is called 'b'"):
        without(limits, ["b"])


# ---------------------------------------------------------------- JSON


def some_limits() -> Limits:
    rng = np.random.default_rng(3)
    columns = [noisy(), np.cumsum(rng.exponential(size=4000)), np.full(4000, np.nan), rng.integers(0, 2, 4000)]
    columns[0][1000:1400] = 20.0
    return learn_limits(series_from_array(np.stack(columns, axis=1)))


def test_limits_survive_json_to_the_bit() -> None:
    limits = some_limits()
    again = limits_from_json(json.loads(json.dumps(limits_to_json(limits), allow_nan=False)))
    assert repr(again) == repr(limits)  # NaN is not equal to itself


BAD = {
    "no document": lambda d: None,
    "no channels": lambda d: {**d, "channels": []},
    "a missing key": lambda d: {k: v for k, v in d.items() if k != "gap_s"},
    "a channel twice": lambda d: {**d, "channels": ["c0"] * 4},
    "too few limits": lambda d: {**d, "of": d["of"][:2]},
    "a unit that is no text": lambda d: {**d, "units": [1, 2, 3, 4]},
    "no period": lambda d: {**d, "period_s": 0},
    "text for a number": lambda d: changed(d, low="1"),
    "True for a number": lambda d: changed(d, low=True),
    "an infinite number": lambda d: changed(d, high=float("inf")),
    "no usual range": lambda d: changed(d, low=None),
    "a range upside down": lambda d: changed(d, least=5.0, most=4.0),
    "an unknown kind": lambda d: changed(d, kind="spoon"),
    "negative rows": lambda d: changed(d, stuck_after=-1),
    "half a row": lambda d: changed(d, missing_after=1.5),
    "a level that is no number": lambda d: changed(d, resting=["a"]),
    "levels that are no list": lambda d: changed(d, resting=3),
}


def changed(document: dict[str, object], **values: object) -> dict[str, object]:
    of = document["of"]
    assert isinstance(of, list)
    return {**document, "of": [{**of[0], **values}, *of[1:]]}


@pytest.mark.parametrize("name", BAD)
def test_other_json_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="no limits of channels"):
        limits_from_json(BAD[name](limits_to_json(some_limits())))  # type: ignore[no-untyped-call]  # a table of lambdas
