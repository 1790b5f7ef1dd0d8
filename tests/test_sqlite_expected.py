"""What was imputed, in the embedded store: it stands in the place of what the detector expected, and goes with it."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from store_records import verdict

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.adapters.sqlite_history import History
from anomgan.adapters.sqlite_read import open_reader
from anomgan.expected import Expected
from anomgan.records import Verdict
from anomgan_dashboard.columns import history_json

BAND = np.array([[1.0, 1.0, -0.1, 0.1], [2.0, 1.0, -0.1, 0.1]])
NAN = float("nan")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def imputed(first: int, end: int, middle: float = 5.0, channel: str = "flow") -> Expected:
    times = np.arange(first, end, dtype=np.float64)
    column = np.full((len(times), 1), middle)
    return Expected("p1", "north", times, (channel,), column, column - 1.0, column + 2.0)


def write(path: Path, *batches: Batch, retention_days: float = 30.0) -> None:
    store = SqliteStore(path, retention_days)
    for batch in batches:
        store.write(batch)
    store.close()


def history(path: Path, **span: float) -> History:
    with open_reader(path) as reader:
        past = reader.history("north", "p1", **span)  # type: ignore[arg-type]  # times and points
    assert past is not None
    return past


def rows(*flows: float) -> list[Verdict]:
    return [verdict(float(t), values=np.array([flow, 2.0], np.float32), band=BAND) for t, flow in enumerate(flows)]


def test_where_a_channel_was_imputed_that_is_what_was_expected_and_its_edges_say_what_lay_outside(path: Path) -> None:
    write(path, Batch(rows(1.0, 9.0, 6.9, 9.0, 1.0)), Batch(expected=[imputed(2, 4)]))
    past = history(path)
    np.testing.assert_array_equal(past.expected, [[1, 2], [1, 2], [5, 2], [5, 2], [1, 2]])
    np.testing.assert_array_equal(past.outside[:, 0], np.array([NAN, 9.0, NAN, 9.0, NAN], np.float32))
    assert past.low is not None
    assert past.high is not None
    np.testing.assert_array_equal(past.low[:, 0], np.array([NAN, NAN, 4.0, 4.0, NAN], np.float32))
    np.testing.assert_array_equal(past.high[:, 0], np.array([NAN, NAN, 7.0, 7.0, NAN], np.float32))
    assert np.isnan(past.low[:, 1]).all()
    flow, pressure = history_json(past)["channels"]
    assert flow["imputed"] == [(2, 4.0, 7.0), (3, 4.0, 7.0)]
    assert pressure["imputed"] == []
    assert flow["contribution"].tolist() == [0.25] * 5


def test_a_device_of_which_nothing_was_imputed_is_told_as_ever(path: Path) -> None:
    write(path, Batch(rows(1.0, 9.0)), Batch(expected=[replace(imputed(0, 2), device="p2")]))
    past = history(path)
    assert (past.low, past.high) == (None, None)
    assert "imputed" not in history_json(past)["channels"][0]
    np.testing.assert_array_equal(past.expected[:, 0], [1, 1])


def test_the_newer_word_counts_and_writing_again_changes_nothing(path: Path) -> None:
    batches = [Batch(rows(1.0, 9.0, 9.0)), Batch(expected=[imputed(1, 3)]), Batch(expected=[imputed(2, 3, 6.0)])]
    write(path, *batches)
    np.testing.assert_array_equal(history(path).expected[:, 0], [1, 5, 6])
    write(path, *batches[1:])
    np.testing.assert_array_equal(history(path).expected[:, 0], [1, 5, 6])


def test_rows_that_no_verdict_has_and_channels_that_no_model_has_are_not_shown(path: Path) -> None:
    write(path, Batch(rows(1.0, 9.0)), Batch(expected=[imputed(1, 9), imputed(0, 2, channel="torque")]))
    past = history(path)
    np.testing.assert_array_equal(past.expected[:, 0], [1, 5])
    assert past.channels == ("flow", "pressure")


def test_what_was_imputed_is_still_there_among_many_rows_that_are_thinned(path: Path) -> None:
    write(path, Batch(rows(*[1.0] * 3000)), Batch(expected=[imputed(1500, 1600)]))
    past = history(path, points=100)
    assert len(past.times) <= 100
    assert past.low is not None
    known = ~np.isnan(past.low[:, 0])
    assert known.any()
    assert (np.abs(past.times[known] - 1550) < 120).all()
    np.testing.assert_array_equal(past.contribution[known], [[0.25, 0.75]] * int(known.sum()))


def test_it_is_forgotten_with_the_verdicts_and_with_the_device(path: Path) -> None:
    day = 86_400.0
    write(path, Batch(rows(1.0, 9.0)), Batch(expected=[imputed(0, 2)]), Batch([verdict(3 * day)]), retention_days=1.0)
    assert kept(path) == 0
    late = replace(imputed(0, 2), times=np.array([3 * day, 3 * day + 1]))
    write(path, Batch(expected=[late]), retention_days=1.0)
    assert kept(path) == 2
    hours = [Batch([verdict(4 * day, device="p2")], now_s=3600.0 * hour) for hour in range(40)]
    write(path, Batch([verdict(3 * day + 1)], now_s=0.0), *hours, retention_days=1.0)
    assert kept(path) == 0


def kept(path: Path) -> int:
    """How many values the store holds of any device."""
    connection = sqlite3.connect(path)
    count = connection.execute("SELECT count(*) FROM expected").fetchone()[0]
    connection.close()
    return int(count)
