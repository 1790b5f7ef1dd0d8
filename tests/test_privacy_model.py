"""`anomgan privacy --model`: the attack of somebody who has the synthesizer, and what it is refused for."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from privacy_cases import process

from anomgan.adapters.files import read_series
from anomgan.config import DetectorConfig, SynthesizerConfig
from anomgan.detector import Detector
from anomgan.errors import DataError, ModelFileError
from anomgan.records import Floats, TimeSeries
from anomgan.synthesis.judged import realness, seen_windows
from anomgan.synthesis.marginals import to_scores
from anomgan.synthesis.scales import told_scale
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan_cli.main import cli

ROWS = 1000
KEPT = 800
"""rows of the training file that trained"""
COLUMNS = ("flow", "pressure", "mode")


def recording(rng: np.random.Generator, device: str = "train") -> TimeSeries:
    """Two channels and a mode that changes every hundred rows."""
    values = np.column_stack([process(ROWS, rng, 2), np.arange(ROWS) // 100 % 2])
    return TimeSeries(1.7e9 + np.arange(ROWS), values, COLUMNS, None, ("m3/h", "bar", ""), device)


def write(path: Path, series: TimeSeries, columns: tuple[str, ...] = COLUMNS, unit: str = "m3/h") -> None:
    spelled = {"flow": f"flow [{unit}]", "pressure": "pressure [bar]"}
    times = series.times.astype("datetime64[s]")
    chosen = series.values[:, [series.channels.index(name) for name in columns]]
    lines = [f"{time},{','.join(f'{v:.5f}' for v in row)}" for time, row in zip(times, chosen, strict=True)]
    path.write_text("\n".join([f"time,{','.join(spelled.get(name, name) for name in columns)}", *lines]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where, rng = tmp_path_factory.mktemp("privacy-model"), np.random.default_rng(0)
    train, held, made = (recording(rng) for _ in range(3))
    write(where / "train.csv", train)
    write(where / "held.csv", held)
    write(where / "made.csv", made, COLUMNS[:2])
    write(where / "bare.csv", held, COLUMNS[:2])
    write(where / "flow.csv", made, COLUMNS[:1])
    write(where / "litres.csv", made, COLUMNS[:2], "l/s")
    config = SynthesizerConfig(window=16, width=4, latent=4, steps=5, batch=8, device="cpu", conditions=("mode",))
    Synthesizer.fit(read_series(where / "train.csv"), config).save(where / "gan.safetensors")
    detector = DetectorConfig(window=16, width=4, latent=4, steps=2, batch=8, device="cpu")
    Detector.fit(train.values[:, :2], detector).save(where / "detector.safetensors")
    return where


def privacy(folder: Path, *more: str, **files: str) -> Result:
    named = {"train": "train.csv", "held_out": "held.csv", "synthetic": "made.csv", "model": "gan.safetensors"} | files
    words = [word for name, file in named.items() for word in (f"--{name.replace('_', '-')}", str(folder / file))]
    return CliRunner().invoke(cli, ["privacy", *words, *more], catch_exceptions=False)


def area(members: Floats, others: Floats) -> float:
    return float(np.mean((members[:, None] > others) + 0.5 * (members[:, None] == others)))


def test_the_discriminator_is_asked_under_each_window_s_own_condition(folder: Path) -> None:
    done = privacy(folder, "--json")
    figures = json.loads(done.stdout)
    assert f"{KEPT} of {ROWS} rows count as training data" in done.stderr
    assert (figures["window"], figures["channels"]) == (16, 2)
    assert figures["windows"]["train"] == KEPT - 15
    learned = Synthesizer.load(folder / "gan.safetensors").parts
    asked = []
    for name, rows in (("train", KEPT), ("held", ROWS)):
        series = read_series(folder / f"{name}.csv")
        scores = to_scores(learned.marginals, series.values[:, :2])
        begins = np.arange(0, rows - 15, 4)  # a quarter of a window apart, as the report asks
        x = torch.from_numpy(np.stack([scores[begin : begin + 16].T for begin in begins]))
        mode = np.eye(2, dtype=np.float32)[series.values[begins + 15, 2].astype(int)]
        y = torch.from_numpy(told_scale(mode, 0, learned.networks.shape.scales))
        asked.append(learned.networks.discriminator(x, y)[0].mean(1).double().numpy())
    assert figures["measures"]["membership inference, discriminator"]["value"] == pytest.approx(area(*asked))


def test_the_words_tell_of_the_attack(folder: Path) -> None:
    assert "attack by discriminator, area under ROC" in privacy(folder).stdout


def test_windows_are_those_that_the_networks_were_shown(folder: Path) -> None:
    learned = Synthesizer.load(folder / "gan.safetensors").parts
    series = read_series(folder / "held.csv")
    series.values[20, 0] = np.nan  # drawn along a line
    series.values[40:60, :2] = np.nan  # too much of a window
    cut = TimeSeries(series.times + 1e4 * (np.arange(ROWS) >= 100), series.values, COLUMNS, None, (), "held")
    seen = seen_windows(learned, cut, None, conditioned=True)
    assert seen.windows.shape == (len(seen.rows), 2, 16)
    assert np.isfinite(seen.windows).all()
    begins = set(seen.rows.tolist())
    assert 20 in begins
    assert begins.isdisjoint(range(85, 100))  # across the gap in time
    assert begins.isdisjoint(range(28, 57))
    window = seen.windows[list(seen.rows).index(20)]
    scores = to_scores(learned.marginals, series.values[[19, 21], :2])
    assert seen.windows[list(seen.rows).index(19), 0, 1] == pytest.approx(scores[:, 0].mean(), abs=1e-6)
    assert window[1, 1] == scores[1, 1]
    logits = realness(learned.networks, seen.windows, seen.conditions)
    assert logits.shape == (len(seen.rows),)


def test_training_files_that_are_not_the_model_s_are_pointed_out_and_count_whole(folder: Path) -> None:
    done = privacy(folder, "--json", "--held-out", str(folder / "held.csv"), "--train", str(folder / "train.csv"))
    assert "trained on 1000 rows of 1 series, not on 2000 of 2" in done.stderr


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"held_out": "bare.csv"}, "bare.csv: no column 'mode'"),
        ({"synthetic": "flow.csv"}, "flow.csv.*pressure"),
        ({"synthetic": "litres.csv"}, "litres.csv: channel 'flow' is in l/s, but in m3/h for the model"),
    ],
)
def test_files_that_do_not_go_with_the_model_are_refused_by_name(
    folder: Path, files: dict[str, str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        privacy(folder, **files)


def test_a_condition_that_no_file_has_can_be_given_and_must_be_known(folder: Path) -> None:
    assert privacy(folder, "--given", "mode=1", held_out="bare.csv").exit_code == 0
    with pytest.raises(DataError, match=r"condition 'mode': 7 is none of 0, 1"):
        privacy(folder, "--given", "mode=7", held_out="bare.csv")


def test_a_detector_s_file_is_refused(folder: Path) -> None:
    with pytest.raises(ModelFileError, match="a detector's file, where a synthesizer's is wanted"):
        privacy(folder, model="detector.safetensors")


@pytest.mark.parametrize("words", [["--window", "16"], ["--channels", "flow"]])
def test_what_the_model_says_itself_is_not_to_be_said_again(folder: Path, words: list[str]) -> None:
    done = privacy(folder, *words)
    assert done.exit_code == 2
    assert "are the model's; leave them out with --model" in done.output


def test_a_condition_without_a_model_is_refused(folder: Path) -> None:
    words = [w for kind in ("train", "held-out", "synthetic") for w in (f"--{kind}", str(folder / "made.csv"))]
    done = CliRunner().invoke(cli, ["privacy", *words, "--given", "mode=1"])
    assert "--given goes with --model" in done.output
