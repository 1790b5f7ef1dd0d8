"""`anomgan simulate` with devices that behave like recorded ones: data sets, what it says, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from recorded_bench import MODEL, PERIOD_S, learned, save

from anomgan.adapters.files import read_series
from anomgan.detector import Detector
from anomgan_cli.main import cli, main

PLANT = """
[clock]
period_s = 4.0
duration_s = 1600
seed = 3
[[devices]]
engine = "gan"
model = "bench-gan.safetensors"
given = { mode = 2 }
name = "bench-"
count = 2
site = "north"
"""
STUCK = """
[[faults]]
device = "bench-2"
kind = "stuck"
channels = ["flow"]
start_s = 400
end_s = 600
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a scenario that names it."""
    where = tmp_path_factory.mktemp("plant")
    save(where, learned())
    (where / "plant.toml").write_text(PLANT + STUCK)
    return where


def simulate(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["simulate", *map(str, words)], catch_exceptions=False)


def test_a_data_set_of_a_recorded_fleet_reads_back_with_its_labels_and_units(folder: Path, tmp_path: Path) -> None:
    done = simulate(folder / "plant.toml", "--to-csv", tmp_path / "set", "--quiet")
    assert done.exit_code == 0, done.output
    assert "2 devices, 134 rows to learn from and 266 to be judged by of each, 1 faults" in done.output
    train = read_series(tmp_path / "set/train/north/bench-2.csv")
    test = read_series(tmp_path / "set/test/north/bench-2.csv", label="label")
    assert train.channels == test.channels == ("flow", "temperature", "valve", "level")
    assert (train.units, train.period_s) == (("m³/h", "°C", "", ""), PERIOD_S)
    assert test.labels is not None
    assert test.labels.nonzero()[0].tolist() == list(range(100, 150))
    assert np.unique(test.values[100:150, 0]).size == 1
    assert np.unique(test.values[150:200, 0]).size > 10
    truth = (tmp_path / "set/truth.csv").read_text().splitlines()[1]
    assert truth.startswith(f"north,bench-2,gan:{MODEL},stuck,flow,")
    manifest = json.loads((tmp_path / "set/manifest.json").read_text())
    assert list(manifest["kinds"][f"gan:{MODEL}"][0].values()) == ["flow", "m³/h", 0.001]
    assert len(manifest["models"][f"gan:{MODEL}"]) == 64


def test_the_same_seed_and_model_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert simulate(folder / "plant.toml", "--to-parquet", tmp_path / name, "--quiet").exit_code == 0
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 7
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in files)
    assert simulate(folder / "plant.toml", "--to-parquet", tmp_path / "x", "--seed", "9").exit_code == 0
    one = "train/north/bench-1.parquet"
    assert (tmp_path / "x" / one).read_bytes() != (tmp_path / "one" / one).read_bytes()


def test_what_would_be_published_is_said_from_any_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the model is found beside the scenario
    done = simulate(folder / "plant.toml", "--check")
    assert done.exit_code == 0, done.output
    assert f"bench-1 to bench-2 at north (gan:{MODEL}, mode = 2): flow [m³/h], temperature [°C], valve" in done.output
    assert "fault: rows 100 to 149, bench-2: stuck of flow" in done.output
    assert 'plant/north/bench-1/telemetry {"ts":1704067200.0,"flow":' in done.output


def refused(text: str, folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said of a scenario with this text that is simulated in the folder, without the path before its name."""
    (folder / "bad.toml").write_text(text)
    with pytest.raises(SystemExit) as left:
        main(["simulate", str(folder / "bad.toml"), *(words or ("--check",))])
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert "Traceback" not in out + err
    assert all(line.startswith("anomgan: error: ") for line in err.splitlines())
    return err.replace(f"{folder}/", "").removeprefix("anomgan: error: bad.toml: ").strip()


def test_what_is_no_model_of_such_devices_is_refused_by_name(
    folder: Path, tmp_path: Path, detector: Detector, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (folder / MODEL).read_bytes()
    detector.save(tmp_path / "detector.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(whole[:-9])
    (tmp_path / "text.safetensors").write_text("flow\n1\n")
    for name, said in {
        "missing.safetensors": "no such file",
        "detector.safetensors": "a detector's file, where a synthesizer's is wanted (`anomgan train --synthesizer`)",
        "cut.safetensors": "truncated or damaged",
        "text.safetensors": "truncated, or not an anomgan model file",
    }.items():
        wrong = refused(PLANT.replace(MODEL, name), tmp_path, capsys)
        assert wrong.startswith(f"devices.0.model: {name}: {said}")
    wrong = refused(PLANT.replace(MODEL, ""), tmp_path, capsys)
    assert wrong.startswith("devices.0.model: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{ mode = 2 }", "{ mode = 3 }", "devices.0.given: condition 'mode': 3 is none of 1, 2"),
        ("{ mode = 2 }", "{ mod = 2 }", "devices.0.given: unknown condition 'mod'; this model's are mode, hour"),
        ("{ mode = 2 }", "{ mode = [2] }", "devices.0.given: 'mode' is neither a number nor a text"),
        ("period_s = 4.0", "period_s = 5.0", f"devices.0.model: {MODEL} knows readings every 4 s, of which clock."),
        ('engine = "gan"', 'kind = "pump"', 'devices.0.model: goes with engine = "gan"; these devices have'),
        ('model = "bench-gan.safetensors"', "", "devices.0.model: this key is required"),
        ("[clock]", "[random_faults]\nkinds = ['leak']\n[clock]", "random_faults.kinds: 'leak' acts on the physics"),
    ],
)
@pytest.mark.parametrize("words", [("--check",), ("--to-csv", "set")])
def test_a_wrong_scenario_names_table_and_key(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str, words: tuple[str, ...]
) -> None:
    assert old in PLANT
    assert refused(PLANT.replace(old, new), folder, capsys, *words).startswith(message)
    assert not Path("set").exists()


@pytest.mark.parametrize("words", [("--check",), ("--to-csv", "set")])
def test_a_fault_that_needs_physics_names_itself_and_the_device(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    leak = STUCK.replace("stuck", "leak").replace('channels = ["flow"]', "")
    said = "faults.0.kind: 'leak' acts on the physics of a machine, and 'bench-2' (engine = \"gan\") has none"
    assert refused(PLANT + leak, folder, capsys, *words).startswith(said)


def test_a_machine_without_torch_says_so_and_simulates_the_rest(folder: Path) -> None:
    program = "import sys; sys.modules['torch'] = None; from anomgan_cli.main import main; main(sys.argv[1:])"

    def run(scenario: str) -> subprocess.CompletedProcess[str]:
        (folder / "light.toml").write_text(scenario)
        words = [sys.executable, "-c", program, "simulate", str(folder / "light.toml"), "--check"]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    done = run(PLANT)
    assert done.returncode == 2
    assert done.stderr.endswith("devices.0.model: its devices need PyTorch, which is not installed here\n")
    assert run('[[devices]]\nkind = "pump"\nname = "pump-"\nsite = "north"\n').returncode == 0
