"""results.jsonl: what is added is there, whole, whatever happened to the run before."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_sets import FIGURES, KEY

from anomgan.errors import DataError
from anomgan_benchmark.results import Result, open_results

DONE = Result(KEY, "456", {"knn": FIGURES})
OTHER = replace(DONE, key=replace(KEY, series="valve1-1"))


def write(path: Path, *results: Result) -> None:
    with open_results(path) as file:
        for result in results:
            file.add(result)


def read(path: Path) -> list[Result]:
    with open_results(path) as file:
        return list(file.done.values())


def test_a_result_comes_back_as_it_was_undefined_figures_too(tmp_path: Path) -> None:
    write(tmp_path / "results.jsonl", DONE, OTHER)
    first, second = read(tmp_path / "results.jsonl")
    assert (first.key, second.key) == (KEY, OTHER.key)
    assert math.isnan(first.figures["knn"].median_delay_s)
    assert replace(first.figures["knn"], median_delay_s=0.0) == replace(FIGURES, median_delay_s=0.0)


def test_every_line_is_json_as_others_read_it(tmp_path: Path) -> None:
    write(tmp_path / "results.jsonl", DONE)
    (line,) = (tmp_path / "results.jsonl").read_text().splitlines()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(line, parse_constant=refuse)["figures"]["knn"]["median_delay_s"] is None


@pytest.mark.parametrize("kept", [1, 20, -2])
def test_a_half_line_is_taken_away_and_what_is_added_then_stands_on_its_own(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "results.jsonl"
    write(path, DONE)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])
    write(path, OTHER)
    assert [result.key for result in read(path)] == [KEY, OTHER.key]


def test_a_line_that_only_lacks_its_end_is_taken_away_too(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    write(path, DONE)
    path.write_bytes(path.read_bytes()[:-1])
    assert read(path) == []
    assert path.read_bytes() == b""


def test_of_two_lines_with_one_key_the_later_counts(tmp_path: Path) -> None:
    write(tmp_path / "results.jsonl", Result(KEY, "456", {}, "DataError: no"), DONE)
    (result,) = read(tmp_path / "results.jsonl")
    assert result.error == ""


@pytest.mark.parametrize("line", ["not json", "[]", '{"key": {}}', '{"key": {"suite": 1}, "training": ""}'])
def test_a_whole_line_that_is_no_result_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    write(path, DONE)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=r"results.jsonl:2: not a result"):
        read(path)


def test_two_runs_never_write_one_file(tmp_path: Path) -> None:
    with open_results(tmp_path / "results.jsonl"), pytest.raises(DataError, match="another run is writing it"):
        read(tmp_path / "results.jsonl")
    assert read(tmp_path / "results.jsonl") == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        read(tmp_path / "nowhere" / "results.jsonl")
