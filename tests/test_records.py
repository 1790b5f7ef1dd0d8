"""Records: shapes and order are checked where a series is made, and nowhere later."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.errors import DataError
from anomgan.records import Reading, TimeSeries, series_from_array


def series(**changes: object) -> TimeSeries:
    parts: dict[str, object] = {"times": np.arange(4.0), "values": np.zeros((4, 2)), "channels": ("a", "b")}
    return TimeSeries(**{**parts, **changes})  # type: ignore[arg-type]  # wrong types are the point


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": np.zeros((3, 2))}, "shape"),
        ({"values": np.zeros(4)}, "shape"),
        ({"values": np.zeros((4, 2, 1))}, "shape"),
        ({"times": np.zeros((4, 1))}, "shape"),
        ({"channels": ("a",)}, "1 channels"),
        ({"channels": ("a", "a")}, "two channels are called 'a'"),
        ({"units": ("bar",)}, "1 units for 2 channels"),
        ({"labels": np.zeros(3, bool)}, "labels"),
        ({"labels": np.array([0.0, 1.0, 2.0, 0.0])}, "labels"),
        ({"labels": np.array([0.0, 1.0, np.nan, 0.0])}, "labels"),
        ({"times": np.array([0.0, 1.0, 1.0, 2.0])}, "row 2: duplicate timestamp"),
        ({"times": np.array([0.0, 2.0, 1.0, 3.0])}, "row 2: timestamps are not in order"),
        ({"times": np.array([0.0, 1.0, np.nan, 3.0])}, "row 2: the time is not finite"),
        ({"times": np.array([0.0, np.inf, np.inf, np.inf])}, "row 1: the time is not finite"),
        ({"values": np.array([["x", "y"]] * 4)}, "the values are not numbers"),
    ],
)
def test_a_series_that_does_not_fit_together_is_refused_with_the_place(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        series(**changes)


def test_plain_lists_integers_and_0_1_labels_become_arrays() -> None:
    made = series(times=[0, 1, 2, 5], values=[[1, 2]] * 4, labels=[0, 0, 1, 1])
    assert made.times.dtype == made.values.dtype == np.float64
    assert made.labels is not None
    assert made.labels.dtype == np.bool_


def test_a_series_is_no_copy_and_leaves_its_input_alone() -> None:
    values = np.zeros((4, 2))
    assert series(values=values).values is values


@given(fraction=st.floats(0.01, 0.99), rows=st.integers(2, 50))
def test_split_keeps_every_row_in_order(fraction: float, rows: int) -> None:
    labels = np.arange(rows) % 3 == 0
    whole = TimeSeries(np.arange(rows) * 2.0, np.arange(rows * 2.0).reshape(rows, 2), ("a", "b"), labels, ("", "bar"))
    first, rest = whole.split(fraction)
    assert len(first) + len(rest) == rows
    assert np.array_equal(np.concatenate([first.times, rest.times]), whole.times)
    assert np.array_equal(np.concatenate([first.values, rest.values]), whole.values)
    assert first.labels is not None
    assert rest.labels is not None
    assert np.array_equal(np.concatenate([first.labels, rest.labels]), labels)
    assert first.units == rest.units == ("", "bar")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_split_takes_only_a_fraction(fraction: float) -> None:
    with pytest.raises(DataError):
        series().split(fraction)


def test_the_period_is_the_median_step() -> None:
    assert series(times=np.array([0.0, 2.0, 4.0, 100.0])).period_s == 2.0
    assert series()[:1].period_s == 1.0
    assert series()[:0].period_s == 1.0


def test_a_bare_array_gets_regular_times_and_names() -> None:
    made = series_from_array(np.arange(6.0).reshape(3, 2), period_s=5.0)
    assert made.times.tolist() == [0.0, 5.0, 10.0]
    assert made.channels == ("c0", "c1")
    assert series_from_array(np.arange(3.0)).values.shape == (3, 1)


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2)), np.zeros((3, 0)), np.float64(3.0)])
def test_an_array_that_is_no_table_is_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match="shape"):
        series_from_array(array)


def test_text_is_no_array_of_numbers() -> None:
    with pytest.raises(DataError, match="not numbers"):
        series_from_array(np.array(["a", "b"]))


def test_records_are_frozen() -> None:
    reading = Reading("pump", 0.0, {"a": 1.0}, "north")
    assert reading.source == ("north", "pump")
    with pytest.raises(FrozenInstanceError):
        reading.device = "other"  # type: ignore[misc]  # wrong on purpose
