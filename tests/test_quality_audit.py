"""Training data that look like a sick sensor's are told, and only those."""

import numpy as np
import pytest

from anomgan.quality.audit import suspicious
from anomgan.records import Floats, TimeSeries


def series(*columns: Floats, device: str = "") -> TimeSeries:
    values = np.column_stack(columns)
    names = tuple("abc"[: values.shape[1]])
    return TimeSeries(10.0 * np.arange(len(values)), values, names, device=device)


@pytest.fixture
def healthy() -> Floats:
    return np.asarray(np.random.default_rng(0).normal(20.0, 1.0, 2000).round(1))


def test_normal_data_are_not_suspicious(healthy: Floats) -> None:
    resting = np.where(np.arange(2000) % 200 < 100, 0.0, healthy)
    assert suspicious([series(healthy, resting, np.full(2000, 85.0))]) == []


def test_an_error_code_is_told_with_its_rows(healthy: Floats) -> None:
    sick = healthy.copy()
    sick[[5, 900]] = -127.0
    (told,) = suspicious([series(healthy, sick, device="pump-1")])
    assert told.startswith("pump-1: b reads -127 in 2 rows")


def test_an_error_code_that_a_channel_passes_through_is_not_told() -> None:
    assert suspicious([series(np.linspace(80.0, 90.0, 201))]) == []


def test_a_sensor_that_stood_still_once_is_told(healthy: Floats) -> None:
    sick = healthy.copy()
    sick[500:900] = 20.0
    (told,) = suspicious([series(sick)])
    assert told == "a stood at 20 for 66 min, 400 rows from 5000 s on"


def test_of_several_series_the_right_one_is_named(healthy: Floats) -> None:
    sick = healthy.copy()
    sick[7] = 65535.0
    (told,) = suspicious([series(healthy), series(sick)])
    assert told.startswith("series 2: a reads 65535 in 1 rows")


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_next_to_no_data_are_not_suspicious(rows: int) -> None:
    assert suspicious([TimeSeries(np.arange(rows), np.full((rows, 1), np.nan), ("a",))]) == []
