"""A series as a file, and back."""

from pathlib import Path

import numpy as np
import pytest

from anomgan.adapters.files import read_series
from anomgan.adapters.series_files import check_ending, write_series
from anomgan.errors import DataError
from anomgan.records import TimeSeries


def some(start_s: float, step_s: float) -> TimeSeries:
    values = np.array([[1.5, np.nan], [-2.25, 7.0], [1e-9, 0.1]])
    return TimeSeries(start_s + step_s * np.arange(3), values, ("flow", "mode"), None, ("m3/h", ""))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(("start_s", "step_s"), [(1_767_225_600.0, 1.0), (1_767_225_600.25, 0.5), (0.0, 60.0)])
def test_what_is_written_reads_back_to_the_last_digit(
    tmp_path: Path, ending: str, start_s: float, step_s: float
) -> None:
    path, series = tmp_path / f"a.{ending}", some(start_s, step_s)
    assert write_series(path, series) == path.stat().st_size
    again = read_series(path)
    np.testing.assert_allclose(again.times, series.times, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(again.values, series.values)
    assert (again.channels, again.units) == (series.channels, series.units)


def test_other_columns_stand_behind_the_channels(tmp_path: Path) -> None:
    write_series(tmp_path / "a.csv", some(0.0, 1.0), {"flow.low": np.array([1.0, np.nan, 3.0])})
    assert (tmp_path / "a.csv").read_text().splitlines()[:2] == ["time,flow [m3/h],mode,flow.low", "0.0,1.5,,1.0"]


def test_a_channel_called_time_is_no_time(tmp_path: Path) -> None:
    series = TimeSeries(np.arange(3.0), np.array([[5.0], [2.0], [9.0]]), ("time",))
    write_series(tmp_path / "a.csv", series)
    again = read_series(tmp_path / "a.csv", time="timestamp")
    assert again.channels == ("time",)
    np.testing.assert_array_equal(again.values, series.values)


def test_a_column_called_as_a_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv: a channel is called 'mode'"):
        write_series(tmp_path / "a.csv", some(0.0, 1.0), {"mode": np.zeros(3)})
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("name", ["a.txt", "a", "a.csv.gz"])
def test_an_ending_that_tells_no_form_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"written as \.csv or \.parquet"):
        check_ending(Path(name))
