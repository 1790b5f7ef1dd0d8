"""Every suite in its owners' layout, and what is said of a folder that holds something else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmark_sets import (
    labelled,
    write_batadal,
    write_nab,
    write_npz,
    write_skab,
    write_smd,
    write_telemanom,
    write_tep,
)
from examples import normal_values

from anomgan.errors import DataError
from anomgan_benchmark.layouts import Segment, read_segments
from anomgan_benchmark.run import survey
from anomgan_benchmark.suites import EIGHT, SUITES, open_suite

SHARED = Path(__file__).parents[2] / "shared" / "data"


def rows_of(flags: np.ndarray) -> list[int]:
    return np.flatnonzero(flags).tolist()


@pytest.mark.parametrize("below", ["SKAB", "SKAB/data"])
def test_skab_trains_on_400_rows_and_keeps_labels_out_of_the_channels(tmp_path: Path, below: str) -> None:
    write_skab(tmp_path / below, series=11)
    write_skab(tmp_path / below, series=1, group="other")
    listing = open_suite("skab", tmp_path)
    assert list(listing) == [*(f"valve1-{number}" for number in range(11)), "other-0"]
    series, (values, _) = listing["valve1-3"](), labelled(500, 440, 459, seed=3)
    np.testing.assert_array_equal(series.train.values, values[:400])
    np.testing.assert_array_equal(series.test.values, values[400:])
    assert rows_of(series.labels) == list(range(40, 60))
    assert series.test.period_s == 1.0


def test_smap_and_msl_take_the_spacecraft_that_the_owners_name_and_labels_with_both_ends(tmp_path: Path) -> None:
    write_telemanom(tmp_path / "telemanom")
    smap = open_suite("smap", tmp_path)
    assert list(smap) == ["E-1", "P-1"]
    assert list(open_suite("msl", tmp_path)) == ["C-1"]
    for name, seed in (("P-1", 0), ("E-1", 1)):
        series = smap[name]()
        assert rows_of(series.labels) == [10, 11, 12, 40, 41]
        np.testing.assert_array_equal(series.train.values, normal_values(60, seed))
        np.testing.assert_array_equal(series.test.values, normal_values(50, seed))


def test_smd_is_read_from_text_and_from_npz_alike(tmp_path: Path) -> None:
    write_smd(tmp_path / "text" / "ServerMachineDataset")
    write_npz(tmp_path / "npz" / "SMD8" / "npz" / "machine-1-6.npz")
    (tmp_path / "npz" / "SMD8" / "interpretation_label").mkdir()
    (tmp_path / "npz" / "SMD8" / "interpretation_label" / "machine-1-6.txt").write_text("10-20:2,3\n")
    text, npz = (open_suite("smd", tmp_path / kind) for kind in ("text", "npz"))
    assert list(text) == list(npz) == ["machine-1-6"]
    one, other = text["machine-1-6"](), npz["machine-1-6"]()
    np.testing.assert_allclose(one.test.values, other.test.values, rtol=1e-6)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.segments == other.segments == (Segment(10, 19, (1, 2)),)
    assert list(open_suite("smd-all", tmp_path / "text")) == ["machine-1-1", "machine-1-6"]


def test_a_segment_of_asd_ends_with_its_last_row_and_one_of_smd_before_it(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("760-765:4,5\n\n800-801:1\n")
    assert read_segments(tmp_path / "labels.txt", end_included=True) == (
        Segment(760, 765, (3, 4)),
        Segment(800, 801, (0,)),
    )
    assert read_segments(tmp_path / "labels.txt", end_included=False) == (
        Segment(760, 764, (3, 4)),
        Segment(800, 800, (0,)),
    )


@pytest.mark.parametrize("line", ["760:4,5", "760-765", "a-b:4", "760-765:four", "760-765-770:4"])
def test_a_segment_that_is_none_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "labels.txt").write_text(f"1-2:3\n{line}\n")
    with pytest.raises(DataError, match=r"labels.txt:2: .* is not start-end:channels"):
        read_segments(tmp_path / "labels.txt", end_included=True)


def test_a_segment_outside_the_series_is_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "ASD" / "npz" / "omi-1.npz")
    (tmp_path / "ASD" / "interpretation_label").mkdir()
    for line in ("10-60:1", "10-20:4", "10-20:0", "20-10:1"):
        (tmp_path / "ASD" / "interpretation_label" / "omi-1.txt").write_text(line)
        with pytest.raises(DataError, match="omi-1"):
            open_suite("asd", tmp_path)["omi-1"]()


def test_asd_in_pickles_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ASD" / "processed").mkdir(parents=True)
    (tmp_path / "ASD" / "processed" / "omi-1_train.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match="executes what it holds"):
        open_suite("asd", tmp_path)


def test_tep_shares_one_training_part_whichever_way_it_is_stored(tmp_path: Path) -> None:
    write_tep(tmp_path / "TEP")
    listing = open_suite("tep", tmp_path)
    assert list(listing) == ["d01_te", "d02_te"]
    one, two = listing["d01_te"](), listing["d02_te"]()
    np.testing.assert_allclose(one.train.values, normal_values(80, 1))
    np.testing.assert_array_equal(one.train.values, two.train.values)
    assert rows_of(one.labels) == list(range(160, 200))
    found, _ = survey(["tep"], tmp_path)
    assert len({each.training for each in found}) == 1


def test_batadal_counts_what_nobody_labelled_as_normal(tmp_path: Path) -> None:
    write_batadal(tmp_path / "BATADAL" / "data")
    series = open_suite("batadal", tmp_path)["dataset04"]()
    np.testing.assert_array_equal(series.train.values, [[1, 2], [2, 4], [3, 6]])
    np.testing.assert_array_equal(series.test.values, [[4, 8], [5, 10], [6, 12]])
    assert series.labels.tolist() == [False, True, True]
    assert series.test.period_s == 3600.0


def test_nab_is_two_temperatures_and_nab_all_every_file_with_labels(tmp_path: Path) -> None:
    write_nab(tmp_path / "NAB")
    listing = open_suite("nab", tmp_path)
    assert list(listing) == ["machine", "ambient"]
    assert sorted(open_suite("nab-all", tmp_path)) == [
        "ambient_temperature_system_failure",
        "machine_temperature_system_failure",
    ]
    series = listing["machine"]()
    assert (len(series.train), len(series.test), series.test.period_s) == (9, 51, 3600.0)
    assert rows_of(series.labels) == [21, 22, 23, 24, 25, 26]


def test_a_series_whose_labels_are_all_of_one_kind_is_left_out_and_told(tmp_path: Path) -> None:
    write_telemanom(tmp_path / "telemanom")
    write_skab(tmp_path / "SKAB", series=2)
    path = tmp_path / "SKAB" / "valve1" / "1.csv"
    path.write_text(path.read_text().replace(";1.0;0.0", ";0.0;0.0"))
    found, left_out = survey(["skab"], tmp_path)
    assert [each.series for each in found] == ["valve1-0"]
    assert left_out == ["skab valve1-1"]
    with pytest.raises(DataError, match=r"no series in .* has both normal and anomalous rows"):
        survey(["msl"], tmp_path)


# ---------------------------------------------------------------- what is not there, or not as it should be


@pytest.mark.parametrize("name", EIGHT)
def test_a_suite_that_is_not_there_is_named_with_the_folders_looked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"suite {name}: there is no folder {tmp_path / SUITES[name].folders[0]}"):
        open_suite(name, tmp_path)
    (tmp_path / SUITES[name].folders[0]).mkdir()
    with pytest.raises(DataError, match=f"{SUITES[name].folders[0]} does not hold "):
        open_suite(name, tmp_path)


def test_the_folder_of_all_sets_may_be_the_suite_s_own(tmp_path: Path) -> None:
    write_skab(tmp_path / "SKAB")
    assert list(open_suite("skab", tmp_path / "SKAB")) == ["valve1-0", "valve1-1"]
    with pytest.raises(DataError, match="suite tep"):
        open_suite("tep", tmp_path / "SKAB")


def test_a_suite_that_does_not_exist_is_told_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no suite 'swat'; there are skab, smap"):
        open_suite("swat", tmp_path)


def spoil(path: Path, line: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (3, "2020-03-09 10:00:01;1;2;three;0;0", r"0.csv:3: 'three' in column 'current' is not a number"),
        (3, "2020-03-09 10:00:01;1;2", r"0.csv:3: 3 cells under 6 columns"),
        (450, "2020-03-09 10:00:01;1;2;3;7;0", r"0.csv: a label is 0 or 1"),
        (1, "datetime;flow;pressure;current;fault;changepoint", r"0.csv: there is no column 'anomaly'"),
    ],
)
def test_a_table_that_is_wrong_is_named_by_line_and_column(tmp_path: Path, line: int, text: str, message: str) -> None:
    write_skab(tmp_path / "SKAB", series=1)
    spoil(tmp_path / "SKAB" / "valve1" / "0.csv", line, text)
    with pytest.raises(DataError, match=message):
        open_suite("skab", tmp_path)["valve1-0"]()


def test_an_empty_cell_is_a_missing_value(tmp_path: Path) -> None:
    write_skab(tmp_path / "SKAB", series=1)
    spoil(tmp_path / "SKAB" / "valve1" / "0.csv", 3, "2020-03-09 10:00:01;1;;3;0;0")
    assert rows_of(np.isnan(open_suite("skab", tmp_path)["valve1-0"]().train.values[1])) == [1]


def make_pickled(path: Path) -> None:
    np.savez(path, train=np.array([{}], dtype=object), test=np.zeros((2, 1)), label=np.zeros(2))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b"PK\x03\x04 cut short"),
        lambda path: path.write_text("no npz"),
        lambda path: np.savez(path, train=np.zeros((2, 1))),
        lambda path: np.savez(path, train=np.zeros((2, 1)), test=np.zeros((2, 2)), label=np.zeros(2)),
        lambda path: np.savez(path, train=np.zeros((2, 1)), test=np.zeros((2, 1)), label=np.zeros(3)),
        make_pickled,
    ],
    ids=["cut", "text", "incomplete", "widths differ", "labels too long", "pickled"],
)
def test_an_npz_that_is_none_is_named(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "ASD" / "npz").mkdir(parents=True)
    write(tmp_path / "ASD" / "npz" / "omi-1.npz")
    with pytest.raises(DataError, match=r"omi-1\.npz"):
        open_suite("asd", tmp_path)["omi-1"]()


# ---------------------------------------------------------------- the sets themselves


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled data sets are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "count", "channels"),
    [("skab", 34, 8), ("asd", 12, 19), ("tep", 21, 52), ("batadal", 1, 43), ("nab", 2, 1), ("nab-all", 14, 1)],
)
def test_the_published_sets_have_the_series_that_they_are_known_for(name: str, count: int, channels: int) -> None:
    listing = open_suite(name, SHARED)
    series = next(iter(listing.values()))()
    assert (len(listing), len(series.test.channels)) == (count, channels)
    assert series.has_both_kinds
    assert bool(series.segments) == (name == "asd")
