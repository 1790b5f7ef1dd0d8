"""Putting readings together from single metrics: nothing is lost, nothing mixed, whatever comes between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.assemble import RowAssembler, series_by_device
from anomgan.errors import DataError
from anomgan.records import Reading

CHANNELS = ("a", "b", "c")


def part(time_s: float, device: str = "d", /, **values: float) -> Reading:
    return Reading(device, time_s, values)


def assembler() -> RowAssembler:
    return RowAssembler(CHANNELS, period_s=10.0)


def test_a_row_is_complete_with_the_last_of_the_models_channels() -> None:
    rows = assembler()
    assert rows.push([part(0.0, a=1.0), part(1.0, c=3.0)]) == []
    assert len(rows) == 1
    assert rows.push([part(2.0, b=2.0)]) == [part(0.0, a=1.0, b=2.0, c=3.0)]
    assert len(rows) == 0


def test_a_part_of_a_later_row_completes_the_one_before_without_its_missing_channel() -> None:
    assert assembler().push([part(0.0, a=1.0, b=2.0), part(10.0, a=4.0)]) == [part(0.0, a=1.0, b=2.0)]
    assert assembler().push([part(0.0, a=1.0), part(5.0, b=2.0)]) == [part(0.0, a=1.0)]
    assert assembler().push([part(0.0, a=1.0), part(4.9, b=2.0)]) == []


def test_a_channel_that_comes_again_with_another_value_begins_a_row() -> None:
    assert assembler().push([part(0.0, a=1.0), part(1.0, a=2.0)]) == [part(0.0, a=1.0)]


def test_a_message_delivered_twice_does_not_tear_a_row_apart() -> None:
    rows = assembler()
    sent = [part(0.0, a=1.0), part(0.0, a=1.0), part(1.0, b=2.0), part(0.0, a=1.0), part(2.0, c=3.0)]
    assert rows.push(sent) == [part(0.0, a=1.0, b=2.0, c=3.0)]
    assert rows.repeated == 2


def test_an_old_part_does_not_tear_a_row_apart() -> None:
    rows = assembler().push([part(20.0, a=1.0), part(10.0, a=9.0), part(21.0, b=2.0, c=3.0)])
    assert rows == [part(10.0, a=9.0), part(20.0, a=1.0, b=2.0, c=3.0)]


def test_a_channel_the_model_does_not_know_does_not_tear_a_row_apart() -> None:
    """A device that tells its uptime ten times a row still gives whole rows; the stream counts the strangers."""
    uptimes = [part(0.1 * i, uptime=float(i)) for i in range(10)]
    rows = assembler().push([part(0.0, a=1.0), *uptimes, part(1.0, b=2.0), part(1.0, c=3.0)])
    assert rows == [*uptimes, part(0.0, a=1.0, b=2.0, c=3.0)]


def test_devices_are_kept_apart() -> None:
    rows = assembler()
    rows.push([part(0.0, "x", a=1.0), part(0.0, "y", a=9.0), part(1.0, "x", b=2.0), part(1.0, "y", b=8.0)])
    assert rows.push([part(2.0, "y", c=7.0)]) == [part(0.0, "y", a=9.0, b=8.0, c=7.0)]
    assert len(rows) == 1


@given(
    order=st.permutations([(t, c) for t in range(4) for c in CHANNELS]),
    cut=st.integers(0, 12),
)
def test_every_value_comes_out_once_or_waits_and_batches_do_not_matter(order: list[tuple[int, str]], cut: int) -> None:
    """Parts of four rows in any order of arrival."""
    parts = [part(10.0 * t, **{c: float(t)}) for t, c in order]
    whole, split = assembler(), assembler()
    rows = whole.push(parts)
    assert rows == split.push(parts[:cut]) + split.push(parts[cut:])
    flushed = rows + whole.push([part(1e6, **{c: -1.0}) for c in CHANNELS])[:-1]
    out = sorted((row.values[c], c) for row in flushed for c in row.values)
    assert out == sorted((float(t), c) for t, c in order)
    assert all(len(set(row.values.values())) == 1 for row in flushed)


@given(rows=st.integers(1, 6), skip=st.sets(st.tuples(st.integers(0, 5), st.sampled_from(CHANNELS))))
def test_parts_that_come_in_order_give_back_the_rows_they_were_taken_from(
    rows: int, skip: set[tuple[int, str]]
) -> None:
    whole = [part(10.0 * t, **{c: float(t) for c in CHANNELS if (t, c) not in skip}) for t in range(rows)]
    whole = [row for row in whole if row.values]
    parts = [part(row.time_s + i, **{c: v}) for row in whole for i, (c, v) in enumerate(row.values.items())]
    out = assembler().push([*parts, part(1e6, a=0.0)])
    assert out == whole


# ---------------------------------------------------------------- series from readings


def test_readings_become_one_series_per_device_in_order_of_time() -> None:
    readings = [
        Reading("x", 2.0, {"a": 3.0}),
        Reading("y", 0.0, {"b": 1.0}, "site"),
        Reading("x", 1.0, {"a": 1.0, "b": 2.0}),
        Reading("x", 2.0, {"a": 9.0}),
    ]
    series = series_by_device(readings)
    assert list(series) == [("", "x"), ("site", "y")]
    x = series["", "x"]
    assert (x.times.tolist(), x.channels, x.device) == ([1.0, 2.0], ("a", "b"), "x")
    np.testing.assert_array_equal(x.values, [[1.0, 2.0], [3.0, np.nan]])
    assert series_by_device([]) == {}


# ---------------------------------------------------------------- snapshots


parts = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from("de"), st.sampled_from(CHANNELS), st.sampled_from([1.0, 2.5, None])),
    max_size=30,
)


@given(parts, st.integers(0, 30))
def test_restored_it_goes_on_as_if_nothing_had_happened(
    sent: list[tuple[int, str, str, float | None]], cut: int
) -> None:
    # a NaN of its own each time, as payloads give it: a NaN is the same as itself only where it is the same object
    several = [
        part(5.0 * step, device, **{channel: float("nan") if value is None else value})
        for step, device, channel, value in sent
    ]
    steady, first, second = assembler(), assembler(), assembler()
    steady.push(several[:cut])
    first.push(several[:cut])
    second.restore(first.snapshot())
    assert repr(second.push(several[cut:])) == repr(steady.push(several[cut:]))
    assert (len(second), second.repeated) == (len(steady), steady.repeated)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[]",
        b'{"version": 2, "repeated": 0, "pending": []}',
        b'{"version": 1, "pending": []}',
        b'{"version": 1, "repeated": 0, "pending": [["", "d", 1.0]]}',
        b'{"version": 1, "repeated": 0, "pending": [["", "d", 1.0, 3]]}',
        b'{"version": 1, "repeated": 1e308, "pending": []}',
        b'{"version": 1, "repeated": -1, "pending": []}',
        b'{"version": 1, "repeated": 0, "pending": [["", 7, 1.0, {"a": 1.0}]]}',
        b'{"version": 1, "repeated": 0, "pending": [["", "d", "1.0", {"a": 1.0}]]}',
        b'{"version": 1, "repeated": 0, "pending": [["", "d", 1.0, {"a": "1"}]]}',
    ],
)
def test_what_is_no_snapshot_is_refused_and_changes_nothing(damaged: bytes) -> None:
    rows = assembler()
    rows.push([part(0.0, a=1.0)])
    before = rows.snapshot()
    with pytest.raises(DataError, match="snapshot of pending rows"):
        rows.restore(damaged)
    assert rows.snapshot() == before
