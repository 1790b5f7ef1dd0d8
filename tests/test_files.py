"""Files in and out: what is read is what was written, and whatever is wrong is named with file, line and column."""

import contextlib
import csv
import io
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomgan.adapters import tables
from anomgan.adapters.bounded import read_at_most
from anomgan.adapters.files import (
    check_writable,
    json_lines,
    read_channels,
    read_config,
    read_csv,
    read_model_bytes,
    read_series,
    write_bytes,
    write_scores,
)
from anomgan.config import ServiceConfig
from anomgan.errors import ConfigError, DataError, ModelFileError
from anomgan.records import TimeSeries

NAN = float("nan")
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def put(folder: Path, text: str | bytes, name: str = "pump.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# ---------------------------------------------------------------- what is written comes back

cells = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=64))


@st.composite
def plain_series(draw: st.DrawFn) -> TimeSeries:
    """Any series that a CSV can hold: no channel without a value, microseconds at most."""
    channels = draw(
        st.lists(st.from_regex(r"[a-z][a-z0-9_ ]{2,8}[a-z]", fullmatch=True), min_size=1, max_size=4, unique=True)
    )
    rows = draw(st.integers(1, 12))
    steps = draw(st.lists(st.integers(1, 10**9), min_size=rows, max_size=rows))
    times = (1_600_000_000_000_000 + np.cumsum(np.array(steps, np.int64))) / 1e6
    values = np.array(
        draw(st.lists(st.lists(cells, min_size=len(channels), max_size=len(channels)), min_size=rows, max_size=rows)),
        dtype=np.float64,
    )
    values[0, np.isnan(values).all(axis=0)] = 1.5
    return TimeSeries(times, values, tuple(channels), device="pump")


def as_text(series: TimeSeries, separator: str, comma: bool, quote: bool, ending: str) -> str:
    """A series as CSV, by the standard library."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer, delimiter=separator, lineterminator=ending, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    )
    writer.writerow(["time", *series.channels])
    for time_s, row in zip(series.times, series.values, strict=True):
        numbers = ["" if np.isnan(x) else repr(float(x)) for x in row]
        moment = datetime.fromtimestamp(time_s, UTC).isoformat()
        writer.writerow([moment, *(n.replace(".", ",") if comma else n for n in numbers)])
    return buffer.getvalue()


@quick
@given(plain_series(), st.sampled_from(",;\t|"), st.booleans(), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_a_series_written_as_csv_is_read_back(
    tmp_path: Path, series: TimeSeries, separator: str, comma: bool, quote: bool, ending: str
) -> None:
    comma = comma and separator != ","
    read = read_series(put(tmp_path, as_text(series, separator, comma, quote, ending)))
    assert read.channels == series.channels
    np.testing.assert_allclose(read.times, series.times, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(read.values, series.values)


@quick
@given(plain_series())
def test_a_series_written_as_parquet_is_read_back(tmp_path: Path, series: TimeSeries) -> None:
    columns = {name: series.values[:, c] for c, name in enumerate(series.channels)}
    pl.DataFrame({"time": series.times, **columns}).write_parquet(tmp_path / "pump.parquet")
    read = read_series(tmp_path / "pump.parquet")
    assert read.channels == series.channels
    np.testing.assert_array_equal(read.times, series.times)
    np.testing.assert_array_equal(read.values, series.values)


@quick
@given(plain_series())
def test_scores_written_are_a_series_again(tmp_path: Path, series: TimeSeries) -> None:
    columns = {name: series.values[:, c] for c, name in enumerate(series.channels)}
    write_scores(tmp_path / "scores.csv", series, columns)
    read = read_csv(tmp_path / "scores.csv", time="time")
    np.testing.assert_allclose(read.times, series.times, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(read.values, series.values)


text_cells = st.sampled_from(["1", "2.5", "", " 3 ", "x", "1,5", '"', "-", "é"])


@quick
@given(st.lists(st.lists(text_cells, min_size=1, max_size=4), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_the_fast_reader_reads_what_the_exact_one_reads_or_steps_back(rows: list[list[str]], ending: str) -> None:
    text = ending.join([";".join(row) for row in [["a", "b", "c"], *rows]]) + ending
    names = ("a", "b", "c")
    fast = tables._read_plain("f.csv", text, names, ";", 1)
    if fast is not None:
        exact = tables._read_exact("f.csv", text, names, ";")
        assert fast.frame.equals(exact.frame)
        np.testing.assert_array_equal(fast.lines, exact.lines)


def test_the_fast_reader_takes_a_plain_file() -> None:
    assert tables._read_plain("f.csv", "a,b\r\n1,2\r\n3,4", ("a", "b"), ",", 1) is not None


# ---------------------------------------------------------------- the forms a CSV may have


@pytest.mark.parametrize(
    ("text", "channels", "values"),
    [
        ("time,a\n1,5\n2,6\n", ("a",), [[5], [6]]),
        ("\ufefftime,a\n1,5\n2,6\n", ("a",), [[5], [6]]),
        ("time,a\n\n1,5\n\n2,6\n\n", ("a",), [[5], [6]]),
        ('time,"a, b"\n1,"5"\n2,6\n', ("a, b",), [[5], [6]]),
        ("time;a;\n1;5,5;\n2;6;\n", ("a",), [[5.5], [6]]),
        ("time , a\n 1, 5\n 2, 6\n", ("a",), [[5], [6]]),
        ("time,a\n1,true\n2,FALSE\n", ("a",), [[1], [0]]),
        ("time,a,b\n1,NaN,1\n2,,N/A\n3,4,null\n4,inf,None\n", ("a", "b"), [[NAN, 1], [NAN, NAN], [4, NAN], [NAN, NAN]]),
        ("a\n5\n6\n", ("a",), [[5], [6]]),
        ("a\tb\n1\t2\n4\t3\n", ("a", "b"), [[1, 2], [4, 3]]),
    ],
)  # fmt: skip
def test_forms_of_csv(tmp_path: Path, text: str, channels: tuple[str, ...], values: list[list[float]]) -> None:
    read = read_series(put(tmp_path, text))
    assert read.channels == channels
    np.testing.assert_array_equal(read.values, values)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("2020-03-09 10:14:33", "2020-03-09 10:14:34.5"), ("2020-03-09T10:14:33", "2020-03-09T10:14:34.5")),
        (("2020-03-09T10:14:33Z", "2020-03-09T10:14:34Z"), ("2020-03-09T10:14:33", "2020-03-09T10:14:34")),
        (("2020-03-09T10:14:33+01:00", "2020-03-09 10:14:34 +0100"), ("2020-03-09T09:14:33", "2020-03-09T09:14:34")),
        (("2020-03-09 10:14", "2020-03-09 10:15"), ("2020-03-09T10:14", "2020-03-09T10:15")),
        (("2020-03-09", "2020-03-10"), ("2020-03-09", "2020-03-10")),
        (("09.03.2020 10:14:33", "09.03.2020 10:14:34"), ("2020-03-09T10:14:33", "2020-03-09T10:14:34")),
        (("09/03/20 22", "13/03/20 23"), ("2020-03-09T22:00", "2020-03-13T23:00")),
        (("03/09/2020 10:14 PM", "03/13/2020 10:14 PM"), ("2020-03-09T22:14", "2020-03-13T22:14")),
        (("1583748873", "1583748874"), ("2020-03-09T10:14:33", "2020-03-09T10:14:34")),
        (("1583748873000", "1583748874500"), ("2020-03-09T10:14:33", "2020-03-09T10:14:34.5")),
        (("1583748873000000", "1583748874000000"), ("2020-03-09T10:14:33", "2020-03-09T10:14:34")),
        (("1583748873000000000", "1583748874000000000"), ("2020-03-09T10:14:33", "2020-03-09T10:14:34")),
        (("-1.5", "0.25"), ("1969-12-31T23:59:58.5", "1970-01-01T00:00:00.25")),
    ],
)
def test_forms_of_time(tmp_path: Path, cells: tuple[str, str], expected: tuple[str, str]) -> None:
    read = read_series(put(tmp_path, f"when,a\n{cells[0]},1\n{cells[1]},2\n"), time="when")
    epochs = [datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in expected]
    np.testing.assert_allclose(read.times, epochs, atol=1e-6)


def test_a_month_is_told_from_a_day_by_the_order_of_the_whole_file(tmp_path: Path) -> None:
    path = put(tmp_path, "when,a\n04/07/2016,1\n05/07/2016,2\n13/07/2016,3\n")
    read = read_series(path, rows=slice(0, 2))
    assert datetime.fromtimestamp(read.times[0], UTC).month == 7


def test_a_unit_beside_the_time_says_how_to_count(tmp_path: Path) -> None:
    assert read_series(put(tmp_path, "time [min],a\n0,1\n2,2\n")).times.tolist() == [0.0, 120.0]
    assert read_series(put(tmp_path, "time (ms),a\n0,1\n2,2\n")).times.tolist() == [0.0, 0.002]


def test_dates_of_parquet_are_times(tmp_path: Path) -> None:
    moments = [datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)]
    pl.DataFrame({"a": [1, 2], "when": moments}).write_parquet(tmp_path / "p.parquet")
    read = read_series(tmp_path / "p.parquet")
    assert read.times.tolist() == [moment.timestamp() for moment in moments]
    assert read.channels == ("a",)


@pytest.mark.parametrize(
    ("text", "times", "channels"),
    [
        ("Timestamp,a\n100,1\n200,2\n", [100, 200], ("a",)),
        ("x,day,a\n1,2020-01-01,1\n2,2020-01-02,2\n", [1577836800, 1577923200], ("x", "a")),
        (",a\n0,5\n1,6\n", [0, 1], ("a",)),
        ("row,a\n7,5\n8,6\n", [7, 8], ("a",)),
        ("a,b\n5,0\n6.5,1\n", [0, 1], ("a", "b")),
        ("a,b\n5,0\n", [0], ("a", "b")),
        ("only\n5\n6\n", [0, 1], ("only",)),
    ],
)
def test_the_time_is_found_by_name_then_by_dates_then_by_counting(
    tmp_path: Path, text: str, times: list[float], channels: tuple[str, ...]
) -> None:
    read = read_series(put(tmp_path, text))
    assert read.times.tolist() == times
    assert read.channels == channels


def test_a_counting_column_is_the_time_also_when_channels_are_chosen(tmp_path: Path) -> None:
    path = put(tmp_path, "row,a\n7,5\n8,6\n")
    assert read_series(path, channels=["a"]).times.tolist() == [7, 8]
    assert read_series(path, channels=["row"]).times.tolist() == [0, 1]


def test_units_in_the_header_leave_the_name(tmp_path: Path) -> None:
    header = "time,pressure [bar],flow (l/min),Current (A),T (in),T (out),x (rms),level [m],level [%]"
    path = put(tmp_path, f"{header}\n1,1,1,1,1,1,1,1,1\n2,1,1,1,1,1,1,1,2\n")
    read = read_series(path)
    assert read.channels == ("pressure", "flow", "Current", "T (in)", "T (out)", "x (rms)", "level [m]", "level [%]")
    assert read.units == ("bar", "l/min", "A", "", "", "", "", "")
    assert read_channels(path) == ("time", *read.channels)
    both = read_series(path, channels=["flow (l/min)", "pressure"], ignore=["Current"])
    assert both.channels == ("flow", "pressure")


def test_columns_rows_labels_and_device_are_chosen(tmp_path: Path) -> None:
    path = put(tmp_path, "time,a,b,note,anomaly\n1,1,5,x,0\n2,2,6,y,1.0\n3,3,7,z,true\n")
    read = read_series(path, label="anomaly", ignore=["note"], channels=["b"], rows=slice(-2, None))
    assert read.channels == ("b",)
    assert read.values.tolist() == [[6], [7]]
    assert read.labels is not None
    assert read.labels.tolist() == [True, True]
    assert read.device == "pump"
    assert read_series(path, channels=["a"], device="north").device == "north"


# ---------------------------------------------------------------- what is wrong, and where


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "pump.csv: the file is empty"),
        ("\n \n", {}, "pump.csv: the file is empty"),
        ("time,a\n", {}, "pump.csv: a header and not a single row"),
        ("time,a\n\n\n", {}, "pump.csv: a header and not a single row"),
        ("1,2\n3,4\n", {}, "pump.csv, line 1: values where a header with column names is expected"),
        ("a,a\n1,2\n", {}, "pump.csv, line 1: two columns are called 'a'"),
        ("time,a\n1,2\n2,2,3\n", {}, "pump.csv, line 3: 3 fields where the header has 2"),
        ("time,a\n1,2\n\n2\n", {}, "pump.csv, line 4: 1 fields where the header has 2"),
        ('time,a\n1,"2\n2,3\n', {}, "pump.csv, line 2: unexpected end of data"),
        ("time,a\n1,2\n2,oops\n", {}, "pump.csv, line 3, column 'a': 'oops' is not a number"),
        ('time,a\n1,"2"\n\n2,oops\n', {}, "pump.csv, line 4, column 'a': 'oops' is not a number"),
        ("time,a\n1,on\n2,off\n", {}, "column 'a': 'on' is not a number; leave the column out"),
        ("time,a\n1,1_0\n2,2\n", {}, "line 2, column 'a': '1_0' is not a number"),
        ('time,a\n1,"1,5"\n2,2\n', {}, "line 2, column 'a': '1,5' is not a number"),
        ("time;a\n1;1,5\n2;2.5\n", {}, "line 2, column 'a': '1,5' has a decimal comma, but '2.5' (pump.csv, line 3)"),
        ("time;a\n1;1.234,5\n2;2\n", {}, "line 2, column 'a': '1.234,5' is not a number"),
        ("time,a,b\n1,1,\n2,1,\n", {}, "pump.csv, line 2 to 3, column 'b': not a single value"),
        ("time,a,b\n1,1,4\n2,1,\n", {"rows": slice(1, None)}, "line 3 to 3, column 'b': not a single value"),
        ("time,a\n2,1\n1,1\n", {}, "pump.csv, line 3, column 'time': timestamps are not in order (2 then 1)"),
        ("time,a\n1,1\n\n1,1\n", {}, "pump.csv, line 4, column 'time': duplicate timestamp (1 then 1)"),
        ("time,a\n1,1\n,1\n", {}, "pump.csv, line 3, column 'time': the time is missing"),
        ("time,a\n1,1\nnan,1\n", {}, "pump.csv, line 3, column 'time': the time is missing"),
        ("time,a\n1,1\nx,1\n", {}, "pump.csv, line 3, column 'time': 'x' is not a number"),
        ("time,a\nnoon,1\n", {}, "line 2, column 'time': 'noon' is not a time; use ISO 8601 or seconds"),
        ("time,a\n2020-01-01,1\n2020-01-32,1\n", {}, "line 3, column 'time': '2020-01-32' is not a time like"),
        ("time,a\n01/02/2020,1\n03/04/2020,1\n", {}, "column 'time': '01/02/2020' may be day/month or month/day"),
        ("date,time,a\n1,1,1\n", {}, "columns 'date' and 'time' could each be the time; say which"),
        ("time,a\n1,1\n", {"time": "tme"}, "pump.csv: no column 'tme'; did you mean 'time'? columns: time, a"),
        ("time,a\n1,1\n", {"label": "zzz"}, "pump.csv: no column 'zzz'; columns: time, a"),
        ("time,a\n1,1\n", {"ignore": ["b"]}, "pump.csv: no column 'b'"),
        ("time,flow [l/s]\n1,1\n", {"channels": ["flw [l/s]"]}, "did you mean 'flow [l/s]'?"),
        ("time,a\n1,1\n", {"ignore": ["a"]}, "pump.csv: no column is left for a channel (columns: time, a)"),
        ("time,a,y\n1,1,0\n2,1,2\n", {"label": "y"}, "line 3, column 'y': a label is 0 or 1, not '2'"),
        ("time,a,y\n1,1,0\n2,1,\n", {"label": "y"}, "line 3, column 'y': a label is 0 or 1, not an empty cell"),
        ("time,a\n1,1\n", {"rows": slice(1, None)}, "pump.csv: rows 1: of a file with 1 rows"),
        ("time,a\n1,1\n2,1\n", {"rows": slice(0, 3)}, "pump.csv: rows 0:3 of a file with 2 rows"),
        ("time,a\n1,1\n2,1\n", {"rows": slice(-3, None)}, "pump.csv: rows -3: of a file with 2 rows"),
        ("time,a\n1,1\n2,1\n", {"rows": slice(None, None, 2)}, "a slice with a step"),
        ("time,a\n1,\0\n", {}, "pump.csv, line 2: a NUL byte"),
        (b"time,a\n1,2\n2,\xe9\n", {}, "pump.csv, line 3: byte 0xe9 is not UTF-8"),
        ("time,a\n1,2\n".encode("utf-16"), {}, "pump.csv: this is UTF-16 text"),
        (b"PK\x03\x04rest", {}, "pump.csv: this is a zip archive or Excel workbook"),
        (b"\x1f\x8brest", {}, "pump.csv: this is compressed with gzip"),
        (b"PAR1 and then nothing", {}, "pump.csv: a damaged Parquet file"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, options: dict[str, object], message: str
) -> None:
    put(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=re.escape(message)):
        read_series("pump.csv", **options)  # type: ignore[arg-type]  # options of several types in one table


def test_a_file_that_is_not_there_a_directory_and_a_foreign_parquet_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nope\.csv: no such file"):
        read_series(tmp_path / "nope.csv")
    with pytest.raises(DataError, match="a directory"):
        read_series(tmp_path)
    with pytest.raises(DataError, match=r"pump\.parquet: not a Parquet file"):
        read_series(put(tmp_path, "time,a\n1,1\n", "pump.parquet"))


def test_parquet_faults_are_named_by_row(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pl.DataFrame({"time": [1, 1], "a": [1.0, 2.0]}).write_parquet(path)
    with pytest.raises(DataError, match=r"p\.parquet, row 1, column 'time': duplicate timestamp"):
        read_series(path)
    pl.DataFrame({"time": [1, 2], "a": ["1", "x"]}).write_parquet(path)
    with pytest.raises(DataError, match=r"p\.parquet, row 1, column 'a': 'x' is not a number"):
        read_series(path)
    pl.DataFrame({"time": [1, 2], "a": [[1], [2]]}).write_parquet(path)
    with pytest.raises(DataError, match=r"column 'a': List.* where numbers are expected"):
        read_series(path)
    pl.DataFrame({"time": [1, 2], "a": [1.0, 2.0]}).clear().write_parquet(path)
    with pytest.raises(DataError, match="not a single row"):
        read_series(path)


@quick
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused_with_a_data_error(tmp_path: Path, raw: bytes) -> None:
    path = put(tmp_path, raw)
    with contextlib.suppress(DataError):
        read_series(path)


# ---------------------------------------------------------------- configurations

VALID = '[[fleets]]\nmodel = "m.safetensors"\ntopic = "plant/{device}"\n[store.sqlite]\npath = "a.db"\n'


def test_a_configuration_is_read(tmp_path: Path) -> None:
    assert read_config(put(tmp_path, VALID, "a.toml"), ServiceConfig).fleets[0].model == "m.safetensors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[broker\n", "a.toml: not valid TOML: .*line 1"),
        (VALID + "[broker]\nhots = 'x'\n", "a.toml: broker.hots: unknown key; did you mean 'host'"),
        (b"\xff", "a.toml: byte 0 is not UTF-8"),
        ("a = " + "[" * 5000, "a.toml: not valid TOML: nested too deeply"),
        ("a = " + "{a = " * 5000, "a.toml: not valid TOML: nested too deeply"),
        ("a = " + "9" * 5000, "a.toml: not valid TOML: a number has too many digits"),
        (VALID + "[broker]\nport = 0x" + "f" * 5000 + "\n", "a.toml: broker.port: .*more than a hundred digits"),
        (VALID + "[broker]\nport = '" + "9" * 5000 + "'\n", r"a.toml: broker.port: .{,300}\.\.\."),
        (VALID + '[broker]\n"a\\u001b[2J" = 1\n', "a.toml: broker.a\ufffd.2J: unknown key"),
    ],
)
def test_a_wrong_configuration_names_file_line_or_key(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(put(tmp_path, text, "a.toml"), ServiceConfig)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no file without end")
def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="/dev/zero: larger than 10 MB"):
        read_config("/dev/zero", ServiceConfig)
    with pytest.raises(ModelFileError, match="larger than 1 MB"):
        read_at_most("/dev/zero", 1_000_000, ModelFileError)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.toml: no such file"):
        read_config(tmp_path / "nope.toml", ServiceConfig)
    with pytest.raises(ConfigError, match="directory"):
        read_config(tmp_path, ServiceConfig)


# ---------------------------------------------------------------- writing


def test_scores_leave_unknown_cells_empty(tmp_path: Path) -> None:
    series = TimeSeries(np.array([1.6e9, 1.6e9 + 1]), np.zeros((2, 1)), ("a",))
    columns: dict[str, Sequence[int | None] | np.ndarray] = {
        "surprise": np.array([np.nan, 2.5]),
        "anomalous": [None, 1],
    }
    write_scores(tmp_path / "s.csv", series, columns)
    expected = "time,surprise,anomalous\n2020-09-13T12:26:40Z,,\n2020-09-13T12:26:41Z,2.5,1\n"
    assert (tmp_path / "s.csv").read_text() == expected


def test_times_that_are_no_dates_are_written_as_seconds(tmp_path: Path) -> None:
    series = TimeSeries(np.array([0.0, 0.5]), np.zeros((2, 1)), ("a",))
    write_scores(tmp_path / "s.csv", series, {"surprise": np.array([1.0, 2.0])})
    assert (tmp_path / "s.csv").read_text() == "time,surprise\n0.0,1.0\n0.5,2.0\n"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = put(tmp_path, "old", "model")
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    with pytest.raises(TypeError):
        write_bytes(target, "text")  # type: ignore[arg-type]  # the fault is meant
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["model"]


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    for attempt in (lambda path: write_bytes(path, b""), check_writable, lambda path: json_lines(path).__enter__()):
        with pytest.raises(DataError, match=r"nowhere/x: cannot be written"):
            attempt(tmp_path / "nowhere" / "x")
        with pytest.raises(DataError, match="cannot be written"):
            attempt(tmp_path)
    check_writable(tmp_path / "x")


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"m\.safetensors: no such file"):
        read_model_bytes(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="directory"):
        read_model_bytes(tmp_path)


def test_json_lines_can_be_read_while_they_are_written(tmp_path: Path) -> None:
    with json_lines(tmp_path / "h.jsonl") as add:
        for step in range(3):
            add({"step": step})
            lines = (tmp_path / "h.jsonl").read_text().splitlines()
            assert [json.loads(line)["step"] for line in lines] == list(range(step + 1))


def test_json_lines_on_a_full_disk_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    message = r"full\.jsonl: cannot be written: No space left on device"
    with pytest.raises(DataError, match=message), json_lines(tmp_path / "full.jsonl") as add:
        add({"step": 1})


def test_whether_a_file_can_be_written_is_found_out_beforehand_and_leaves_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.json")
    assert list(tmp_path.iterdir()) == []
    for path in (tmp_path, tmp_path / "no" / "x", tmp_path / ("x" * 256), Path("/proc/x")):
        with pytest.raises(DataError, match="cannot be written"):
            check_writable(path)
