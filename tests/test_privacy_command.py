"""`anomgan privacy` on files: the report in words, as JSON and as a picture; what it refuses, in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from privacy_cases import process

from anomgan.errors import DataError
from anomgan.records import Floats
from anomgan_cli.main import cli, main

ROWS = 1500


def write(path: Path, rows: Floats, names: str = "flow,pressure,current", first: str = "2026-01-05") -> Path:
    times = np.datetime64(f"{first}T00:00:00") + np.arange(len(rows))
    lines = [f"{time},{','.join(f'{value:.5f}' for value in row)}" for time, row in zip(times, rows, strict=True)]
    path.write_text("\n".join([f"time,{names}", *lines]))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train.csv, held.csv, made.csv (fresh but for a copied stretch), few.csv."""
    where, rng = tmp_path_factory.mktemp("privacy"), np.random.default_rng(0)
    rows = process(2 * ROWS, rng)
    made = process(ROWS, rng)
    made[600:700] = rows[321:421]
    write(where / "train.csv", rows[:ROWS])
    write(where / "held.csv", rows[ROWS:], first="2026-01-06")
    write(where / "made.csv", made, first="2026-02-01")
    write(where / "few.csv", made[:200], first="2026-02-01")
    write(where / "two.csv", made[:, :2], "flow,pressure", first="2026-02-01")
    return where


def options(
    folder: Path, *more: str, train: str = "train.csv", held: str = "held.csv", made: str = "made.csv"
) -> list[str]:
    files = {"--train": train, "--held-out": held, "--synthetic": made}
    given = [word for option, name in files.items() for word in (option, str(folder / name))]
    return ["privacy", *given, "--window", "16", *more]


def test_the_report_names_the_leak_and_when_it_was_recorded(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    done = CliRunner().invoke(cli, options(folder, "--report", str(out)))
    assert done.exit_code == 0, done.output
    assert "synthetic rows 600 to 6" in done.stdout
    assert "training row 321 (2026-01-05 00:05:21), the same" in done.stdout
    assert "Leaks of training data were found by: duplicates" in done.stdout
    assert (out / "report.txt").read_text() in done.stdout
    assert (out / "privacy.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((out / "report.json").read_text())
    assert figures["duplicates"]["places"][0]["train_row"] == 321
    assert figures["files"]["held_out"] == [str(folder / "held.csv")]


def test_json_is_all_that_stdout_gets(folder: Path) -> None:
    done = CliRunner().invoke(cli, options(folder, "--json"))
    assert json.loads(done.stdout)["risks"][0] == "duplicates"
    assert "train.csv: 1500 rows of 3 channels" in done.stderr


def test_files_of_several_devices_are_one_set_and_the_copied_one_is_named(folder: Path) -> None:
    done = CliRunner().invoke(
        cli, options(folder, "--train", str(folder / "held.csv"), train="few.csv", held="train.csv")
    )
    assert done.exit_code == 0, done.output
    assert "training few.csv row 0 (2026-02-01 00:00:00), the same" in done.stdout


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"made": "few.csv"}, "too little synthetic data to conclude anything"),
        ({"held": "few.csv"}, "too little held-out data to conclude anything"),
        ({"held": "train.csv"}, "the held-out data are not disjoint from the training data"),
        ({"made": "two.csv"}, "two.csv: channels differ from those of .*train.csv: current"),
        ({"made": "none.csv"}, "none.csv: no such file"),
    ],
)
def test_what_it_cannot_judge_it_refuses(folder: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        CliRunner().invoke(cli, options(folder, **files), catch_exceptions=False)


def test_a_window_longer_than_a_file_is_refused_by_the_name_of_the_file(folder: Path) -> None:
    with pytest.raises(DataError, match="few: no 300 rows in a row without a gap or a missing value"):
        CliRunner().invoke(cli, options(folder, "--window", "300", made="few.csv"), catch_exceptions=False)


def test_an_error_is_one_line_and_status_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(options(folder, made="few.csv"))
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("anomgan: error: too little synthetic data")
