"""Bad input of every kind, given to every command that takes it: a line a mistake, exit status 2.

tests/test_cli.py does the same for `train` and model files, tests/test_simulate_service.py for `simulate`; servers that
are away or say no are in tests/service/test_detector_check.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from examples import CHANNELS, normal_values

from anomgan.detector import Detector
from anomgan_cli.main import main

Refuse = Callable[[str], str]
DETECTOR = """
[[fleets]]
model = "model.safetensors"
topic = "plant/{device}/telemetry"
[store.sqlite]
path = "anomgan.db"
"""
SIMULATOR = """
[clock]
speed = "max"
[[devices]]
kind = "pump"
name = "pump-"
"""


@pytest.fixture
def refuse(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refuse:
    """Run a command line that must be refused, in a folder with a model and a good CSV: what it says on stderr."""
    monkeypatch.chdir(tmp_path)
    detector.save("model.safetensors")
    rows = normal_values(40, seed=3).tolist()
    lines = [f"{second},{','.join(map(str, row))},{int(second > 30)}" for second, row in enumerate(rows)]
    write("good.csv", ["time," + ",".join(CHANNELS) + ",label", *lines])

    def refuse(line: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(line.split())
        out, err = capsys.readouterr()
        assert left.value.code == 2
        assert "Traceback" not in out + err
        assert all(told.startswith("anomgan: error: ") for told in err.splitlines() if not told.startswith("note: "))
        return err

    return refuse


def write(name: str, lines: list[str]) -> None:
    Path(name).write_text("\n".join(lines) + "\n")


def spoil(line: int, old: str, new: str) -> None:
    """bad.csv = good.csv with something replaced in one line (the header is line 1)."""
    lines = Path("good.csv").read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    write("bad.csv", lines)


@pytest.mark.parametrize(
    "command", ["score model.safetensors {} --out x", "evaluate model.safetensors {} --label label"]
)
def test_a_bad_csv_is_refused_by_commands_that_score(refuse: Refuse, command: str) -> None:
    bad = command.format("bad.csv")
    assert "bad.csv: no such file" in refuse(bad)
    write("bad.csv", [])
    assert "bad.csv: the file is empty" in refuse(bad)
    write("bad.csv", ["time,flow,label"])
    assert "bad.csv: a header and not a single row" in refuse(bad)
    spoil(5, "3,", "2,")
    assert "bad.csv, line 5, column 'time': duplicate timestamp" in refuse(bad)
    spoil(5, "3,", "1,")
    assert "bad.csv, line 5, column 'time': timestamps are not in order" in refuse(bad)
    spoil(6, "4,", "4,n/a:")
    assert "bad.csv, line 6, column 'flow'" in refuse(bad)
    assert "is not a number" in refuse(bad)
    write("bad.csv", ["time,flow,label", *(f"{second},,0" for second in range(40))])
    assert "bad.csv, line 2 to 41, column 'flow': not a single value" in refuse(bad)
    write("bad.csv", ["time,humidity,label", *(f"{second},1,0" for second in range(40))])
    assert "none of the model's channels is there: flow, pressure, current" in refuse(bad)
    good = command.format("good.csv")
    assert "good.csv: 15 rows, fewer than the 16 of one window of the model" in refuse(f"{good} --rows :15")
    assert "no column 'tiem'; did you mean 'time'?" in refuse(f"{good} --time tiem")
    assert "no column 'lable'; did you mean 'label'?" in refuse(f"{good} --ignore lable")
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("topic =", "topci =", "config.toml: fleets.0.topci: unknown key; did you mean 'topic'?"),
        ("[store.sqlite]", "[stroe.sqlite]", "config.toml: stroe: unknown key; did you mean 'store'?"),
        ('path = "anomgan.db"', "path = true", "config.toml: store.sqlite.path: Input should be a valid string"),
        ("[[fleets]]", "[fleets]", "config.toml: fleets: expected an array"),
        ('"anomgan.db"', "anomgan.db", "config.toml: not valid TOML"),
        ("[store.sqlite]\n", "", "config.toml: fleets.0.path: unknown key"),
    ],
)
@pytest.mark.parametrize("command", ["detect --check", "dashboard"])
def test_a_bad_configuration_names_file_table_and_key(
    refuse: Refuse, command: str, old: str, new: str, message: str
) -> None:
    assert old in DETECTOR
    Path("config.toml").write_text(DETECTOR.replace(old, new))
    assert message in refuse(f"{command} config.toml")


@pytest.mark.parametrize("command", ["detect --check", "dashboard", "simulate"])
def test_a_configuration_that_is_not_there_or_is_no_text_is_named(refuse: Refuse, command: str) -> None:
    assert "nothing.toml: no such file" in refuse(f"{command} nothing.toml")
    Path("latin.toml").write_bytes('path = "Förderpumpe"'.encode("latin-1"))
    assert "latin.toml" in refuse(f"{command} latin.toml")
    assert "directory" in refuse(f"{command} .")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("speed =", "sped =", "config.toml: clock.sped: unknown key; did you mean 'speed'?"),
        ('kind = "pump"', 'kind = "pmup"', "did you mean 'pump'?"),
        ('speed = "max"', 'speed = "fast"', "config.toml: clock.speed"),
        ('name = "pump-"', "name = 7", "config.toml: devices.0.name: Input should be a valid string"),
    ],
)
def test_a_bad_scenario_names_file_table_and_key(refuse: Refuse, old: str, new: str, message: str) -> None:
    Path("config.toml").write_text(SIMULATOR.replace(old, new))
    assert message in refuse("simulate config.toml --check")
