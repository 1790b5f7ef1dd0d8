"""The commands on files: what they write, what they say, and what they say of wrong input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from contract import normal_series, with_fault

from anomgan.adapters.files import read_csv, write_scores
from anomgan_cli.main import COMMANDS, main

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--steps", "60", "--window", "16")


def write_pump(path: Path, header: str = "", seed: int = 1) -> None:
    """300 normal rows, then 200 with one fault from row 400 to 430, labelled."""
    series = with_fault(normal_series(500, seed=seed), 400, 430)
    columns = {name: series.values[:, c] for c, name in enumerate(series.channels)}
    write_scores(path, series, {**columns, "anomaly": [int(400 <= row < 430) for row in range(500)]})
    if header:
        text = path.read_text()
        path.write_text(header + text[text.index("\n") :])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pump.csv and a model trained on its first 300 rows by the command itself."""
    folder = tmp_path_factory.mktemp("cli")
    write_pump(folder / "pump.csv")
    given = [folder / "pump.csv", "--ignore", "anomaly", "--rows", ":300", "--out", folder / "pump.safetensors"]
    with pytest.raises(SystemExit) as left:
        main(["train", *map(str, given), *QUICK, "--seed", "3", "--alarms-per-week", "5"])
    assert left.value.code == 0
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in the folder: (exit status, stdout, stderr)."""
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert isinstance(left.value.code, int | None)
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return run


# ---------------------------------------------------------------- what the commands do


def test_train_says_what_it_read_learned_and_wrote(run: Run, tmp_path: Path) -> None:
    health, report, out = (str(tmp_path / name) for name in ("health.jsonl", "report.png", "pump.safetensors"))
    status, said, _ = run(
        "train", "pump.csv", "--ignore", "anomaly", "--rows", ":300", "--out", out, *QUICK, "--health", health,
        "--report", report,
    )  # fmt: skip
    assert status == 0
    assert "pump.csv: 300 rows of 3 channels, 1 s apart, 2023-11-14 22:13:20 to 2023-11-14 22:18:19" in said
    assert re.search(r"trained 60 steps in .* windows of 16 rows", said)
    assert f"wrote {out}" in said
    looks = [json.loads(line) for line in Path(health).read_text().splitlines()]
    assert [look["step"] for look in looks] == [25, 50, 60]
    assert {"accuracy_real", "accuracy_generated", "diversity", "reconstruction_error"} <= looks[0].keys()
    assert Path(report).read_bytes().startswith(b"\x89PNG")


def test_several_files_are_several_devices_with_columns_in_any_order(run: Run, tmp_path: Path) -> None:
    lines = Path("pump.csv").read_text().splitlines()
    turned = [",".join([cells[0], *cells[3:0:-1]]) for cells in (line.split(",") for line in lines)]
    (tmp_path / "b.csv").write_text("\n".join(turned[:301]) + "\n")
    files = ("pump.csv", str(tmp_path / "b.csv"))
    out = str(tmp_path / "two.safetensors")
    status, _, err = run(
        "train", *files, "--channels", "flow,pressure,temperature", "--rows", ":300", "--out", out, *QUICK
    )
    assert (status, err) == (0, "")
    _, said, _ = run("inspect", out)
    assert "2, 600 rows" in said


def test_a_label_among_the_channels_is_pointed_out(run: Run, tmp_path: Path) -> None:
    status, _, err = run("train", "pump.csv", "--rows", ":300", "--out", str(tmp_path / "x"), "--steps", "2")
    assert status == 0
    assert "leave it out with --ignore anomaly" in err


def test_evaluate_prints_figures_and_events_and_draws_them(run: Run, tmp_path: Path) -> None:
    figures = str(tmp_path / "figures.json")
    status, said, err = run(
        "evaluate", "pump.safetensors", "pump.csv", "--label", "anomaly", "--rows", "300:", "--json", figures
    )
    assert (status, err) == (0, "")
    assert "rows            200, 30 anomalous (15.0%), 15 without a score" in said
    assert re.search(r"found +(minor|major|critical) +.*flow is 2 where", said)
    assert Path("pump-evaluation.png").read_bytes().startswith(b"\x89PNG")
    read = json.loads(Path(figures).read_text())
    assert read["vus_pr"] > 0.5
    assert read["alarms"]["events_found"] == 1


def test_score_writes_a_row_for_every_row_and_nothing_where_nothing_is_known(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    status, said, err = run("score", "pump.safetensors", "pump.csv", "--rows", "300:", "--out", str(out))
    assert status == 0
    assert "200 rows, 15 without a score" in said
    assert "left out: anomaly" in err
    header, *lines = out.read_text().splitlines()
    assert header == (
        "time,surprise,anomalous,discriminator,reconstruction,pattern,"
        "expected_pressure,expected_flow,expected_temperature"
    )
    assert all(line.split(",")[1:] == [""] * 8 for line in lines[:15])
    assert all("" not in line.split(",") for line in lines[15:])
    scores = read_csv(out)
    np.testing.assert_array_equal(scores.times, read_csv("pump.csv", rows=slice(300, None)).times)
    anomalous = scores.values[:, 1]
    assert np.nanmean(anomalous[100:130]) > 0.8
    assert np.nanmean(anomalous[15:100]) < 0.2


def test_scores_of_the_command_are_those_of_the_library(run: Run, tmp_path: Path) -> None:
    from anomgan.detector import Detector

    run("score", "pump.safetensors", "pump.csv", "--out", str(tmp_path / "scores.csv"))
    series = read_csv("pump.csv", ignore=["anomaly"])
    expected = Detector.load("pump.safetensors").score(series)
    np.testing.assert_allclose(read_csv(tmp_path / "scores.csv").values[:, 0], expected, rtol=1e-5)


def test_inspect_tells_what_the_file_holds(run: Run) -> None:
    status, said, _ = run("inspect", "pump.safetensors")
    assert status == 0
    for part in ("1, 300 rows", "1 s apart", "pressure", "flow", "window", "5 false alarms a week", "tail", "weights"):
        assert part in said


def test_a_channel_the_file_lacks_counts_as_missing_and_is_told(run: Run, tmp_path: Path) -> None:
    lines = [line.rsplit(",", 2)[0] for line in Path("pump.csv").read_text().splitlines()]
    (tmp_path / "less.csv").write_text("\n".join(lines) + "\n")
    status, said, err = run("score", "pump.safetensors", str(tmp_path / "less.csv"), "--out", str(tmp_path / "s.csv"))
    assert status == 0
    assert "note: the file lacks temperature: counted as missing" in err
    assert "500 rows, 15 without a score" in said


# ---------------------------------------------------------------- what they say of wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train nope.csv --out x", "nope.csv: no such file"),
        ("train . --out x", ".: a directory, not a file"),
        ("train empty.csv --out x", "empty.csv: the file is empty"),
        ("train header.csv --out x", "header.csv: a header and not a single row"),
        ("train text.csv --out x", "text.csv, line 3, column 'a': 'oops' is not a number"),
        ("train dead.csv --out x", "dead.csv, line 2 to 3, column 'b': not a single value"),
        ("train unsorted.csv --out x", "unsorted.csv, line 3, column 'time': timestamps are not in order"),
        ("train double.csv --out x", "double.csv, line 3, column 'time': duplicate timestamp"),
        ("train pump.csv --time tmie --out x", "pump.csv: no column 'tmie'; did you mean 'time'?"),
        ("train pump.csv --ignore anomaly --rows :20 --out x", "20 rows give"),
        ("train pump.csv --rows :900 --out x", "pump.csv: rows :900 of a file with 500 rows"),
        ("train pump.csv --window 30 --out x", "window: Input should be a multiple of 8 (got 30)"),
        ("train pump.csv --loss l2 --out x", "loss: Input should be 'non-saturating', 'minimax', 'least-squares'"),
        ("train pump.csv --alarms-per-week 0 --out x", "alarms_per_week: Input should be greater than 0"),
        ("train pump.csv --out nowhere/x", "nowhere/x: cannot be written: there is no directory nowhere"),
        ("train pump.csv unit.csv --out x", "unit.csv: channels differ from those of pump.csv: anomaly, label"),
        ("evaluate nope pump.csv --label anomaly", "nope: no such file"),
        ("evaluate pump.csv pump.csv --label anomaly", "pump.csv: truncated, or not an anomgan model file"),
        ("evaluate cut pump.csv --label anomaly", "cut: truncated"),
        ("evaluate pump.safetensors pump.csv --label anomly", "no column 'anomly'; did you mean 'anomaly'?"),
        ("evaluate pump.safetensors pump.csv --label flow", "column 'flow': a label is 0 or 1, not"),
        ("score pump.safetensors double.csv --out x", "double.csv: none of the model's channels is there"),
        ("score unit.safetensors unit.csv --out x", "unit.csv: channel 'pressure' is in psi, but in bar for"),
        ("inspect cut", "cut: truncated"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_on_stderr_and_status_2(run: Run, folder: Path, arguments: str, message: str) -> None:
    files = {
        "empty.csv": "",
        "header.csv": "time,a\n",
        "text.csv": "time,a\n1,2\n2,oops\n",
        "dead.csv": "time,a,b\n1,2,\n2,3,\n",
        "unsorted.csv": "time,a\n2,2\n1,3\n",
        "double.csv": "time,a\n1,2\n1,3\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "cut").write_bytes((folder / "pump.safetensors").read_bytes()[:999])
    write_pump(folder / "unit.csv", "time,pressure [psi],flow,temperature,label")
    if "unit.safetensors" in arguments:
        write_pump(folder / "bar.csv", "time,pressure [bar],flow,temperature,label")
        run("train", "bar.csv", "--ignore", "label", "--steps", "2", "--out", "unit.safetensors")
    status, out, err = run(*arguments.split())
    assert status == 2
    assert "Traceback" not in out + err
    assert err.startswith("anomgan: error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "pump.csv"), "Missing option '--out'"),
        (("train", "pump.csv", "--out", "x", "--rows", "5"), "'5' is not START:STOP"),
        (("train", "pump.csv", "--out", "x", "--rows", "a:b"), "'a:b' is not START:STOP"),
        (("trian",), "No such command 'trian'"),
    ],
)
def test_wrong_usage_says_how(run: Run, arguments: tuple[str, ...], message: str) -> None:
    status, _, err = run(*arguments)
    assert status == 2
    assert message in err


# ---------------------------------------------------------------- the program


def test_help_explains_itself_and_names_every_command(run: Run) -> None:
    status, said, _ = run("--help")
    assert status == 0
    assert "generative adversarial network" in said
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", said, re.MULTILINE)
        status, told, _ = run(name, "--help")
        assert status == 0
        assert told.startswith(f"Usage: anomgan {name}")


def test_the_version_is_the_packages(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version")[1] == f"anomgan {version('anomgan')}\n"


def test_help_needs_neither_torch_nor_polars_nor_matplotlib() -> None:
    code = "import sys, anomgan_cli.main; print({'torch', 'polars', 'matplotlib', 'pydantic'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_ctrl_c_while_reading_ends_with_130_and_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    program = subprocess.Popen(
        [sys.executable, "-m", "anomgan_cli", "train", "pipe.csv", "--out", "x"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    with (tmp_path / "pipe.csv").open("w"):  # opens once the program reads
        program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=30)
    assert (program.returncode, err.strip()) == (130, "anomgan: interrupted")


def test_ctrl_c_while_training_keeps_the_best_so_far(folder: Path, tmp_path: Path) -> None:
    health = tmp_path / "health.jsonl"
    program = subprocess.Popen(
        [
            *(sys.executable, "-m", "anomgan_cli", "train", str(folder / "pump.csv"), "--ignore", "anomaly"),
            *("--steps", "1000000", "--out", "kept", "--health", str(health)),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (health.exists() and health.read_text().count("\n") >= 2):
        assert time.monotonic() < deadline, "no training after a minute"
        assert program.poll() is None
        time.sleep(0.02)
    program.send_signal(signal.SIGINT)
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert "interrupted, the best is kept" in out
    assert (tmp_path / "kept").stat().st_size > 10_000
