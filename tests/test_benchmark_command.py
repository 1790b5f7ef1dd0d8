"""`anomgan benchmark`: wrong input is refused before any work; what the pictures show. The whole: tests/service."""

from dataclasses import replace
from pathlib import Path

import pytest
from benchmark_sets import FIGURES, KEY, write_skab

from anomgan_benchmark.results import Result
from anomgan_benchmark.summary import summarise
from anomgan_cli.benchmark_plots import means_plot, series_plot
from anomgan_cli.main import main


def results_of(*detectors: str) -> list[Result]:
    return [Result(replace(KEY, detector=name), "1", {name: replace(FIGURES, vus_pr=0.5)}) for name in detectors]


def test_the_picture_of_means_needs_one_detector_and_that_of_series_the_gan_and_a_baseline() -> None:
    assert means_plot(summarise(results_of("pca")), {}).startswith(b"\x89PNG")
    assert series_plot(summarise(results_of("pca", "knn"))) is None
    assert series_plot(summarise(results_of("gan"))) is None
    assert (series_plot(summarise(results_of("gan", "knn"))) or b"").startswith(b"\x89PNG")


def test_peers_on_the_same_series_are_in_the_picture_of_means() -> None:
    summary = summarise(results_of("gan", "knn"))
    assert means_plot(summary, {"other": {"skab": {"valve1-0": 0.7}}}) != means_plot(summary, {})
    assert means_plot(summary, {"other": {"skab": {"valve1-9": 0.7}}}) == means_plot(summary, {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "tep"], "suite tep: there is no folder"),
        (["--suite", "skab", "--detectors", "lstm"], "there is no detector 'lstm'"),
        (["--suite", ","], "name at least one"),
        (["--suite", "swat"], "there is no suite 'swat'"),
        (["--suite", "skab", "--seeds", "one"], "is not a list of numbers"),
        (["--suite", "skab", "--steps", "0"], "steps"),
        (["--suite", "skab", "--peers", "nowhere.csv"], "nowhere.csv: cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    write_skab(tmp_path / "SKAB", series=1)
    with pytest.raises(SystemExit) as left:
        main(["benchmark", "--data", str(tmp_path), "--out", str(tmp_path / "out"), *arguments])
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
