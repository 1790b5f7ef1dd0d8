"""Conditions as numbers: time of day, day of the week, devices and columns."""

from datetime import UTC, datetime

import numpy as np
import pytest

from anomgan.errors import DataError
from anomgan.records import TimeSeries
from anomgan.synthesis.conditions import Condition, encode, fit_conditions, of_series


def series(device: str = "a", rows: int = 48) -> TimeSeries:
    """Hourly rows from Monday 2024-01-01, with a mode of 0, 1, 2 and a load."""
    times = datetime(2024, 1, 1, tzinfo=UTC).timestamp() + 3600.0 * np.arange(rows)
    index = np.arange(rows)
    values = np.stack([np.sin(index / 5.0), index % 3.0, 100.0 + index], axis=1)
    return TimeSeries(times, values, ("level", "mode", "load"), None, (), device)


def test_midnight_lies_beside_the_minute_before_it_and_opposite_to_noon() -> None:
    times = np.array([86_399.0, 0.0, 43_200.0])
    late, midnight, noon = encode([Condition("hour")], times, {})
    assert np.linalg.norm(late - midnight) < 1e-3
    np.testing.assert_allclose(midnight, -noon, atol=1e-6)


def test_the_day_of_the_week_is_the_calendar_s() -> None:
    one = series(rows=24 * 8)
    told = of_series(fit_conditions(["weekday"], [one]), one)
    days = [datetime.fromtimestamp(t, UTC).weekday() for t in one.times.tolist()]
    assert told.argmax(1).tolist() == days
    assert (told.sum(1) == 1.0).all()


def test_a_column_of_few_values_is_a_category_and_one_of_many_a_number_in_spreads() -> None:
    one = series()
    mode, load = fit_conditions(["mode", "load"], [one])
    assert (mode.levels, mode.size) == ((0.0, 1.0, 2.0), 3)
    assert (load.levels, load.size) == ((), 1)
    told = of_series([mode, load], one)
    assert told.shape == (48, 4)
    np.testing.assert_array_equal(told[:, :3].argmax(1), one.values[:, 1])
    assert told[:, 3].std() == pytest.approx(1.0, rel=1e-3)


def test_devices_are_told_apart() -> None:
    several = [series("north"), series("south")]
    (device,) = fit_conditions(["device"], several)
    assert device.levels == ("north", "south")
    np.testing.assert_array_equal(of_series([device], several[1])[0], [0.0, 1.0])


def test_one_value_for_all_rows_is_as_good_as_one_for_each() -> None:
    conditions = fit_conditions(["mode"], [series()])
    times = np.arange(4.0)
    alike = encode(conditions, times, {"mode": 2.0})
    np.testing.assert_array_equal(alike, encode(conditions, times, {"mode": np.full(4, 2.0)}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "condition 'mode' is needed: one of 0, 1, 2"),
        ({"mode": 7.0}, "7 is none of 0, 1, 2"),
        ({"mode": "fast"}, "fast is none of"),
        ({"mode": np.nan}, "condition 'mode' has no value in row 0"),
        ({"mode": np.array([1.0, np.nan, 2.0])}, "condition 'mode' has no value in row 1"),
        ({"mode": np.array([1.0, 2.0])}, "condition 'mode': 2 values for 3 rows"),
        ({"mode": 1.0, "speed": 3.0}, "unknown condition 'speed'; this model's are mode"),
    ],
)
def test_a_condition_that_is_missing_unknown_or_never_seen_is_named(given: dict[str, float | str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        encode(fit_conditions(["mode"], [series()]), np.arange(3.0), given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "condition 'load' is needed: a number"),
        ({"load": "much"}, "condition 'load': much is no number"),
        ({"load": np.inf}, "condition 'load' has no value in row 0"),
        ({"load": 1e300}, r"1e\+300 is nothing like what was learned from, 123.5 give or take 13.85"),
        ({"load": 1.0, "hour": 3.0}, "condition 'hour' follows from the times; it cannot be given"),
    ],
)
def test_a_number_that_is_none_and_what_the_times_tell_are_named(given: dict[str, float | str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        encode(fit_conditions(["load", "hour"], [series()]), np.arange(3.0), given)


def test_a_series_without_the_column_of_a_condition_is_named() -> None:
    one = series("north")
    bare = TimeSeries(one.times, one.values[:, :1], one.channels[:1], None, (), "north")
    with pytest.raises(DataError, match="'north' has no column 'mode', which this model is conditioned on"):
        of_series(fit_conditions(["mode"], [one]), bare)


def test_a_condition_that_no_column_has_or_that_lacks_a_value_is_refused() -> None:
    with pytest.raises(DataError, match="no condition 'speed'; there are hour, weekday, device, level"):
        fit_conditions(["speed"], [series()])
    one = series()
    one.values[5, 1] = np.nan
    with pytest.raises(DataError, match="row 5 of 'a' has no value"):
        fit_conditions(["mode"], [one])


def test_a_model_without_conditions_says_so_when_one_is_given() -> None:
    assert encode([], np.arange(3.0), {}).shape == (3, 0)
    with pytest.raises(DataError, match="trained without"):
        encode([], np.arange(3.0), {"mode": 1.0})
