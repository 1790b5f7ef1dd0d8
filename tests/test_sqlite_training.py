"""The history on disk: idempotent, bounded, without what was told as events."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import normal_series, readings_of

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite_training import MAX_DEVICES, TrainingHistory
from anomgan.assemble import agreeing, fleet_series
from anomgan.errors import Refused
from anomgan.records import Event, Reading


@pytest.fixture
def history(tmp_path: Path) -> Iterator[TrainingHistory]:
    with closing(TrainingHistory(f"{tmp_path}/models/")) as one:
        yield one


def batch(history: TrainingHistory, readings: list[Reading], **more: Any) -> Batch:
    return Batch(gathered={history.folder: readings}, **more)


def event(device: str, start_s: float, end_s: float) -> Event:
    return Event(
        f"{device}@{start_s}", device, "", "open", start_s, end_s, 5.0, start_s, "major", (), (), (), (), "odd"
    )


def test_what_goes_in_comes_out_in_order_of_time_device_by_device(history: TrainingHistory) -> None:
    a, b = readings_of(normal_series(50, 1), "a"), readings_of(normal_series(40, 2), "b")
    mixed = [one for pair in zip(a, b, strict=False) for one in pair][::-1] + a[40:]
    history.write(batch(history, mixed))
    assert list(history.readings()) == b + a  # the first heard is the first
    assert history.rows() == {("", "a"): 50, ("", "b"): 40}
    assert history.span_s() == 49.0


def test_written_again_nothing_changes_also_by_another_process(history: TrainingHistory) -> None:
    readings = readings_of(normal_series(50, 1), "a")
    history.write(batch(history, readings))
    history.write(batch(history, readings[20:]))
    with closing(TrainingHistory(history.folder)) as other:
        other.write(batch(other, readings))
        assert other.rows() == {("", "a"): 50}
        assert list(other.readings()) == readings


def test_other_folders_readings_are_not_its_own(history: TrainingHistory) -> None:
    history.write(Batch(gathered={"elsewhere/": readings_of(normal_series(5, 1), "a")}))
    assert history.rows() == {}


def test_what_was_read_while_an_event_was_open_is_left_out_unless_asked_for(history: TrainingHistory) -> None:
    readings = readings_of(normal_series(50, 1), "a") + readings_of(normal_series(50, 1), "b")
    history.write(batch(history, readings, events=[event("a", 10.0, 12.0)]))
    with closing(TrainingHistory(history.folder)) as other:  # one that has not read the file yet
        other.write(Batch(events=[event("a", 10.0, 15.0), event("stranger", 0.0, 99.0)]))
    times = [one.time_s for one in history.readings() if one.device == "a"]
    assert sorted(set(range(50)) - set(times)) == [10, 11, 12, 13, 14, 15]
    assert len([one for one in history.readings() if one.device == "b"]) == 50
    assert len(list(history.readings(with_events=True))) == 100
    assert [one.time_s for one in history.readings(8.0, 17.0) if one.device == "a"] == [8.0, 9.0, 16.0, 17.0]


def test_an_event_that_is_over_in_the_turn_in_which_its_device_is_first_heard_is_left_out(
    history: TrainingHistory,
) -> None:
    history.write(batch(history, readings_of(normal_series(50, 1), "a"), events=[event("a", 10.0, 12.0)]))
    times = [one.time_s for one in history.readings()]
    assert sorted(set(range(50)) - set(times)) == [10, 11, 12]


def test_every_device_keeps_its_newest_rows(tmp_path: Path) -> None:
    with closing(TrainingHistory(f"{tmp_path}/m/", keep_rows=200)) as history:
        for start in range(0, 500, 10):
            readings = [one for d in ("a", "b") for one in readings_of(normal_series(500, 1), d)[start : start + 10]]
            history.write(batch(history, readings))
            assert sum(history.rows().values()) <= 210
        a = [one.time_s for one in history.readings() if one.device == "a"]
        assert a[-1] == 499.0
        assert a == [float(s) for s in range(500 - len(a), 500)]
        assert 95 <= len(a) <= 105
        counted = history.rows()
    with closing(TrainingHistory(f"{tmp_path}/m/")) as again:
        assert again.rows() == counted


def test_a_history_is_kept_of_so_many_devices(history: TrainingHistory) -> None:
    readings = [Reading(f"d{number}", float(second), {"a": 1.0}) for second in range(2) for number in range(100)]
    history.write(batch(history, readings))
    assert len(history.rows()) == MAX_DEVICES


def test_parts_of_rows_are_kept_as_parts_and_put_together_when_read(tmp_path: Path) -> None:
    with closing(TrainingHistory(f"{tmp_path}/m/", partial=True)) as history:
        whole = readings_of(normal_series(60, 1), "a")
        parts = [Reading("a", one.time_s, {name: value}) for one in whole for name, value in one.values.items()]
        history.write(batch(history, parts))
        assert history.rows() == {("", "a"): 60}
    with closing(TrainingHistory(f"{tmp_path}/m/")) as again:
        assert again.partial()
        ((series,), left_out) = fleet_series(again.readings(), partial=True)
        assert (len(series), left_out) == (60, ())
        assert [one.time_s for one in again.newest(("", "a"), 6)] == [58.0] * 3 + [59.0] * 3


def test_series_are_what_readings_say(history: TrainingHistory) -> None:
    full, some = readings_of(normal_series(50, 1), "a"), readings_of(normal_series(30, 2), "b")
    some[7:20] = [Reading("b", one.time_s, {"flow": one.values["flow"], "humidity": 4.0}) for one in some[7:20]]
    history.write(batch(history, full + some, events=[event("a", 10.0, 12.0)]))
    history.write(batch(history, [], events=[event("a", 10.0, 12.0)]))
    for with_events in (False, True):
        expected, _ = fleet_series(history.readings(5.0, 40.0, with_events=with_events))
        given, left_out = agreeing(history.series(5.0, 40.0, with_events=with_events))
        assert left_out == ()
        for one, same in zip(given, expected, strict=True):
            assert (one.channels, one.device) == (same.channels, same.device)
            np.testing.assert_array_equal(one.times, same.times)
            np.testing.assert_array_equal(one.values, same.values)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"not an SQLite file at all" * 100)
    with closing(TrainingHistory(f"{tmp_path}/")) as history, pytest.raises(Refused, match="not an SQLite file"):
        history.rows()
