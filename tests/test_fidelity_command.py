"""`anomgan fidelity`: what it says, writes and draws, and what it says of wrong input."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_fidelity import labelled, machine

from anomgan.adapters.files import write_scores
from anomgan.fidelity import Discriminative
from anomgan.fidelity import report as report_module
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan_cli.fidelity_plots import fidelity_plot
from anomgan_cli.main import main

Run = Callable[..., tuple[int, str, str]]
PNG = b"\x89PNG"


def write(path: Path, values: Floats, names: tuple[str, ...] = ("flow", "current")) -> Path:
    series = series_from_array(values, channels=names)
    write_scores(path, series, {name: series.values[:, c] for c, name in enumerate(names)})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fidelity")
    for seed, name in enumerate(("held", "train", "made")):
        write(folder / f"{name}.csv", machine(320, seed))
    write(folder / "turned.csv", machine(320, 5)[:, ::-1], ("current", "flow"))
    write(folder / "other.csv", machine(320, 5), ("flow", "speed"))
    write(folder / "short.csv", machine(30, 5))
    test = labelled(7)
    columns = {name: test.values[:, c] for c, name in enumerate(("flow", "current"))}
    labels = np.asarray(test.labels, dtype=int).tolist()
    write_scores(folder / "test.csv", test, {**columns, "anomaly": labels})
    write_scores(folder / "calm.csv", test, {**columns, "anomaly": [0] * len(test)})
    (folder / "dead.csv").write_text("time,flow,current\n" + "".join(f"{t},{t % 7},\n" for t in range(320)))
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["fidelity", *arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


def test_generated_data_are_told_beside_real_data_and_drawn(run: Run, tmp_path: Path) -> None:
    status, out, err = run(
        *("--real", "held.csv", "--synthetic", "made.csv", "--train", "train.csv"),
        *("--report", str(tmp_path / "a" / "b"), "--json", str(tmp_path / "figures.json")),
    )
    assert status == 0, err
    assert "held.csv: 320 rows of 2 channels" in out
    assert "320 held-out rows, windows of 8 rows" in out
    for word in ("generated", "real", "ideal", "discriminative score", "coverage", "spectrum, dB", "worst: "):
        assert word in out
    assert f"wrote {tmp_path / 'a' / 'b' / 'fidelity.png'}" in out
    assert (tmp_path / "a" / "b" / "fidelity.png").read_bytes().startswith(PNG)
    document = json.loads((tmp_path / "figures.json").read_text())
    assert document == json.loads((tmp_path / "a" / "b" / "fidelity.json").read_text())
    assert document["synthetic_files"] == ["made.csv"]
    assert document["channels"] == ["flow", "current"]
    assert 0.0 <= document["synthetic"]["discriminative"]["score"] <= 0.5
    assert "note" not in err


def test_without_training_data_half_of_the_real_data_stand_for_them(run: Run) -> None:
    status, out, err = run("--real", "held.csv", "--real", "train.csv", "--synthetic", "turned.csv")
    assert status == 0, err
    assert "every other tenth of the real data" in err
    assert "320 held-out rows" in out


def test_a_detector_learns_from_generated_and_from_real_data(run: Run, tmp_path: Path) -> None:
    status, out, err = run(
        *("--real", "held.csv", "--synthetic", "made.csv", "--train", "train.csv", "--test", "test.csv"),
        *("--label", "anomaly", "--detector", "pca", "--json", str(tmp_path / "f.json")),
    )
    assert status == 0, err
    assert "detection, VUS-PR:" in out
    told = json.loads((tmp_path / "f.json").read_text())["detection"]
    assert told["detector"] == "pca"
    assert min(told["synthetic"], told["real"]) > 3 * told["chance"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--synthetic", "other.csv"), "other.csv: lacks current and has speed besides, compared with held.csv"),
        (("--synthetic", "short.csv"), "a window of 8 rows: between 4 and a tenth of the rows are wanted"),
        (("--synthetic", "dead.csv"), "dead.csv, line 2 to 321, column 'current': not a single value"),
        (("--synthetic", "nowhere.csv"), "nowhere.csv: no such file"),
        (("--synthetic", "made.csv", "--ignore", "speed"), "no file has a column 'speed'"),
        (("--synthetic", "made.csv", "--test", "test.csv"), "--test and --label go together"),
        (("--synthetic", "made.csv", "--test", "test.csv", "--label", "fault"), "test.csv: no column 'fault'"),
        (("--synthetic", "made.csv", "--test", "held.csv", "--label", "flow"), "held.csv"),
        (
            ("--synthetic", "made.csv", "--test", "calm.csv", "--label", "anomaly"),
            "calm.csv: column 'anomaly': a test needs",
        ),
        ((), "Missing option '--synthetic'"),
    ],
)
def test_what_cannot_be_compared_is_one_line_that_names_it(run: Run, arguments: tuple[str, ...], said: str) -> None:
    status, _, err = run("--real", "held.csv", *arguments)
    assert status == 2
    assert said in err
    assert "Traceback" not in err


# ---------------------------------------------------------------- the page


def page(channels: int, monkeypatch: pytest.MonkeyPatch) -> bytes:
    quick = Discriminative(0.2, 0.7, "trees", 0.01)
    monkeypatch.setattr(report_module, "discriminative_score", lambda *given, seed: quick)
    monkeypatch.setattr(report_module, "prediction_error", lambda *given, seed: 0.5)
    names = tuple(f"a_rather_long_channel_name $ {c}" for c in range(channels))

    def series(seed: int) -> TimeSeries:
        rng = np.random.default_rng(seed)
        return series_from_array(rng.normal(size=(200, channels)) + 10.0 * np.arange(channels), channels=names)

    held, made = series(1), series(2)
    return fidelity_plot(report_module.make_report(series(0), held, made, window=8), [held], [made])


@pytest.mark.parametrize("channels", [1, 2, 20])
def test_any_number_of_channels_is_drawn(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page(channels, monkeypatch).startswith(PNG)


def test_a_channel_that_stands_still_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    real = np.hstack([machine(200, 0), np.full((200, 1), 3.0)])
    monkeypatch.setattr(
        report_module, "discriminative_score", lambda *given, seed: Discriminative(0.0, 0.5, "trees", 0)
    )
    held = series_from_array(real)
    assert fidelity_plot(report_module.make_report(real, real, real, window=8), [held], [held]).startswith(PNG)
