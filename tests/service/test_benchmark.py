"""`anomgan benchmark` as people run it: killed and started again, with a series that fails, on several suites."""

import csv
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from benchmark_sets import write_skab, write_smd, write_tep
from programs import PATIENCE_S, Program, anomgan, command
from servers import eventually

from anomgan.baselines import BASELINES
from anomgan_benchmark.suites import open_suite

PLAIN = "zscore,pca,knn"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SKAB with ten series, TEP with two that share a training part, SMD with one whose channels are labelled."""
    folder = tmp_path_factory.mktemp("data")
    write_skab(folder / "SKAB", series=10)
    write_tep(folder / "TEP")
    write_smd(folder / "SMD")
    return folder


def run(folder: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command to its end, whatever its exit status."""
    whole = command(["benchmark", *arguments])
    return subprocess.run(whole, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The whole lines of results.jsonl so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def keys_of(path: Path) -> list[tuple[str, ...]]:
    return [tuple(map(str, line["key"].values())) for line in lines_of(path)]


def test_a_run_that_was_killed_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    arguments = ["benchmark", "--data", data, "--suite", "skab", "--detectors", PLAIN, "--out", tmp_path / "out"]
    results = tmp_path / "out" / "results.jsonl"
    program = Program(tmp_path, arguments, tmp_path / "log")
    try:
        eventually(lambda: len(lines_of(results)) >= 3, "three results are there", PATIENCE_S)
    finally:
        program.kill()
    there = keys_of(results)
    assert 3 <= len(there) < 30, "it was to be killed midway"
    with results.open("ab") as file:
        file.write(b'{"key": {"suite": "skab", "ser')  # as a power cut leaves it
    said = anomgan(tmp_path, f"anomgan benchmark --data {data} --suite skab --detectors {PLAIN} --out out").stdout
    assert f"30 results, {len(there)} of them there already" in said
    assert keys_of(results)[: len(there)] == there
    assert len(keys_of(results)) == len(set(keys_of(results))) == 30
    before = results.read_bytes()
    again = anomgan(tmp_path, f"anomgan benchmark --data {data} --suite skab --detectors {PLAIN} --out out").stdout
    assert "30 results, 30 of them there already" in again
    assert results.read_bytes() == before
    assert again.split("\n\n")[1] == said.split("\n\n")[1]


def test_a_contaminated_training_part_gives_results_of_its_own(data: Path, tmp_path: Path) -> None:
    command = f"anomgan benchmark --data {data} --suite skab,tep --detectors zscore --out out"
    anomgan(tmp_path, command)
    said = anomgan(tmp_path, f"{command} --contamination 0.1").stdout
    assert "12 results, 0 of them there already" in said
    assert "12 results, 12 of them there already" in anomgan(tmp_path, f"{command} --contamination 0.1").stdout
    clean, dirty = np.split(
        np.array([line["figures"]["zscore"]["vus_pr"] for line in lines_of(tmp_path / "out" / "results.jsonl")]), 2
    )
    assert np.any(clean != dirty)
    assert json.loads((tmp_path / "out" / "summary.json").read_bytes())["contamination"] == 0.1


@pytest.mark.parametrize("children", [1, 2, 3], ids=["while workers start", "one has started", "both have"])
def test_ctrl_c_ends_it_at_once_and_leaves_no_process(data: Path, tmp_path: Path, children: int) -> None:
    arguments = ["benchmark", "--data", data, "--suite", "skab", "--detectors", "gan", "--out", tmp_path / "out"]
    program = Program(tmp_path, [*arguments, "--steps", "1000000", "--jobs", "2"], tmp_path / "log")
    try:
        process = psutil.Process(program.process.pid)
        eventually(lambda: len(process.children()) >= children, "its children run", PATIENCE_S)
        assert program.end(signal.SIGINT) == 130
    finally:
        program.kill()
    assert lines_of(tmp_path / "out" / "results.jsonl") == []
    assert program.said().rstrip().endswith("anomgan: interrupted")


def test_tables_files_and_pictures_of_several_suites_by_two_processes(data: Path, tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text("method,set,series,VUS-PR\nothers,TEP,d01_te,0.99\nothers,TEP,d02_te,0.99\n")
    line = f"anomgan benchmark --data {data} --suite tep,smd --detectors gan,zscore,iforest --seeds 0,1 --steps 5"
    said = anomgan(tmp_path, f"{line} --jobs 2 --keep-scores --out out --peers peers.csv").stdout
    for words in ("tep: 2 series", "smd: 1 series", "mean over 2 suites", "HitRate@100%", "others", "± seeds"):
        assert words in said
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 5  # three series, two seeds of gan and iforest, and zscore, which takes none
    assert sum(row["suite"] == "tep" and row["fit_s"] == "" for row in rows) == 5  # shared with the first series
    document = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert document["mean_over_suites"]["detectors"]["zscore"]["series"] == 3
    assert document["suites"]["tep"]["peers"]["whole"][0]["name"] == "others"
    assert document["suites"]["smd"]["detectors"]["zscore"]["hit_rate"]["segments"] == 1
    for name in ("means.png", "series.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    series = open_suite("tep", data)["d01_te"]()
    with np.load(tmp_path / "out" / "scores" / "tep" / "d01_te" / "zscore.0.npz") as kept:
        np.testing.assert_array_equal(kept["scores"], BASELINES["zscore"].fit(series.train).score(series.test))

    (tmp_path / "out" / "scores" / "smd" / "machine-1-6" / "zscore.0.npz").unlink()
    again = anomgan(tmp_path, f"{line} --keep-scores --out out").stdout
    assert "15 results, 14 of them there already" in again
    assert (tmp_path / "out" / "scores" / "smd" / "machine-1-6" / "zscore.0.npz").exists()


def test_a_series_that_fails_is_told_counted_and_tried_again(tmp_path: Path) -> None:
    write_skab(tmp_path / "SKAB", series=2)
    path = tmp_path / "SKAB" / "valve1" / "1.csv"
    header, *rows = path.read_text().splitlines()
    nothing = ["t;;;;0;0"] * 400
    path.write_text("\n".join([header, *nothing, *rows[400:]]) + "\n")
    for _ in range(2):
        done = run(tmp_path, "--data", tmp_path, "--suite", "skab", "--detectors", "zscore,knn", "--out", "out")
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "2 failed:" in done.stdout
        assert "skab valve1-1, knn, seed 0: DataError: there is not a single value to learn from" in done.stdout
    assert "4 results, 2 of them there already" in done.stdout
    failed = json.loads((tmp_path / "out" / "summary.json").read_text())["suites"]["skab"]["detectors"]["knn"]["failed"]
    assert failed == 1
