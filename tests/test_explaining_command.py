"""`anomgan evaluate` and `anomgan score` with a synthesizer beside the model."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from imputer_cases import BEGINS, CHANNELS, ENDS, healthy, judge, maker, plant, with_fault

from anomgan.adapters.series_files import write_series
from anomgan.config import SynthesizerConfig
from anomgan.detector import Detector
from anomgan.errors import ModelFileError
from anomgan.records import Floats, TimeSeries
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan_cli.main import cli

__all__ = ["healthy", "judge", "maker"]  # fixtures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, judge: Detector, maker: Synthesizer, healthy: TimeSeries) -> Path:
    where = tmp_path_factory.mktemp("explaining")
    judge.save(where / "pump.safetensors")
    maker.save(where / "gan.safetensors")
    label = ((np.arange(len(healthy)) >= BEGINS) & (np.arange(len(healthy)) < ENDS)).astype(float)
    write_series(where / "pump.csv", with_fault(healthy, "speed"), {"anomaly": label})
    write_series(where / "all.csv", with_fault(healthy, *CHANNELS[:5]), {"anomaly": label})
    return where


def run(folder: Path, verb: str, csv: str, *words: str) -> Result:
    given = [verb, str(folder / "pump.safetensors"), str(folder / csv), *words]
    return CliRunner().invoke(cli, given, catch_exceptions=False)


def beside(folder: Path) -> list[str]:
    return ["--synthesizer", str(folder / "gan.safetensors")]


def columns(path: Path) -> dict[str, Floats]:
    """The numbers of a CSV by the names of its columns; an empty cell is NaN."""
    with path.open(newline="") as file:
        names, *rows = csv.reader(file)
    table = [[float(cell) if cell else np.nan for cell in row[1:]] for row in rows]
    return dict(zip(names[1:], np.array(table).T, strict=True))


def test_scores_are_the_same_and_what_was_expected_in_events_is_imputed(
    folder: Path, tmp_path: Path, healthy: TimeSeries
) -> None:
    plain, imputed = tmp_path / "plain.csv", tmp_path / "imputed.csv"
    assert run(folder, "score", "pump.csv", "--ignore", "anomaly", "--out", str(plain)).exit_code == 0
    done = run(folder, "score", "pump.csv", "--ignore", "anomaly", "--out", str(imputed), *beside(folder))
    assert "gan.safetensors: imputed what was to be expected in 1 of 1 events" in done.output
    before, after = columns(plain), columns(imputed)
    edges = {f"expected_{name}_{edge}" for name in CHANNELS for edge in ("low", "high")}
    assert after.keys() - before.keys() == edges
    for name in ("surprise", "anomalous", "expected_flow"):
        np.testing.assert_array_equal(before[name], after[name])
    event = slice(BEGINS, ENDS)
    truth = healthy.values[event, CHANNELS.index("speed")]
    off = [np.abs(table["expected_speed"][event] - truth).mean() for table in (before, after)]
    assert off[1] < off[0]
    low, high = (after[f"expected_speed_{edge}"] for edge in ("low", "high"))
    assert (low[event] < high[event]).all()
    there = ~np.isnan(low)
    np.testing.assert_array_equal(
        there, (before["expected_speed"] != after["expected_speed"]) & (after["surprise"] >= 0)
    )


def test_an_evaluation_says_and_draws_what_was_imputed(folder: Path, tmp_path: Path) -> None:
    words = ["--label", "anomaly", "--plot"]
    plain = run(folder, "evaluate", "pump.csv", *words, str(tmp_path / "plain.png"))
    imputed = run(folder, "evaluate", "pump.csv", *words, str(tmp_path / "imputed.png"), *beside(folder))
    assert "imputed what was to be expected in 1 of 1 events" in imputed.output
    before, after = (done.output.splitlines() for done in (plain, imputed))
    different = [line for line in before if line not in after and "wrote" not in line]
    assert len(different) == 1  # the sentence
    assert "speed" in different[0]
    assert "was expected" in different[0]
    assert (tmp_path / "plain.png").read_bytes() != (tmp_path / "imputed.png").read_bytes()


def test_an_event_that_cannot_be_imputed_says_why(folder: Path, tmp_path: Path) -> None:
    done = run(folder, "evaluate", "all.csv", "--label", "anomaly", "--plot", str(tmp_path / "x.png"), *beside(folder))
    assert "in 0 of 1 events; not in 1: it shows in so many channels" in done.output


@pytest.mark.parametrize("verb", ["score", "evaluate"])
def test_a_synthesizer_that_does_not_fit_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path, verb: str
) -> None:
    config = SynthesizerConfig(window=16, width=4, latent=4, steps=2, batch=8, device="cpu")
    other = TimeSeries(plant(300, 0).times, plant(300, 0).values[:, :2], CHANNELS[:2])
    Synthesizer.fit(other, config).save(tmp_path / "fan.safetensors")
    out = tmp_path / "out.png"
    words = ["--label", "anomaly", "--plot", str(out)] if verb == "evaluate" else ["--out", str(out)]
    for path, said in (
        (tmp_path / "fan.safetensors", "fan.safetensors: does not fit the detector: it does not make speed, current"),
        (folder / "pump.safetensors", "a detector's file, where a synthesizer's is wanted"),
        (tmp_path / "nowhere", "nowhere: no such file"),
    ):
        with pytest.raises(ModelFileError, match=said):
            run(folder, verb, "pump.csv", *words, "--synthesizer", str(path))
    assert not out.exists()
