"""Every command line that README.md, the configurations and the help texts show works as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from anomgan.adapters.capture_file import CaptureWriter
from anomgan.adapters.ports import Recorded
from anomgan_cli.main import COMMANDS, main

ROOT = Path(__file__).parents[1]
SHOWN = re.compile(rf"anomgan (?:{'|'.join(COMMANDS)}) (?=\S)")
REFUSING = "127.0.0.1:1"


def in_readme() -> list[str]:
    """Of fenced blocks; what goes on after a backslash is one line."""
    fenced = re.findall(r"(?ms)^```\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"))
    lines = "\n".join(fenced).replace("\\\n", " ").splitlines()
    return [line[line.index("anomgan ") :] for line in lines if re.match(r"([A-Z_]+=\S+ )?anomgan ", line)]


def in_configs() -> list[str]:
    """Of comments; two blanks or a backtick end a command."""
    comments = [
        line.removeprefix("#")
        for path in sorted((ROOT / "configs").glob("*.toml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    ]
    found = ((comment, SHOWN.search(comment)) for comment in comments)
    return [re.split(r"\s{2,}|`", comment[match.start() :])[0] for comment, match in found if match]


def in_help() -> list[str]:
    lines = [line.strip() for command in COMMANDS.values() for line in (command.help or "").splitlines()]
    return [re.split(r"\s{2,}", line)[0] for line in lines if re.match(r"([A-Z_]+=\S+ )?anomgan \S", line)]


def arguments(line: str) -> list[str]:
    return shlex.split(line[line.index("anomgan ") :], comments=True)[1:]


DOCUMENTED = {
    " ".join(words): words for line in (*in_readme(), *in_configs(), *in_help()) if (words := arguments(line))
}


def of(*commands: str) -> list[str]:
    return sorted(line for line, words in DOCUMENTED.items() if words[0] in commands)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the lines name; of thousands of devices there are a few."""
    (tmp_path / "configs").mkdir()
    for path in (ROOT / "configs").glob("*.toml"):
        small = re.sub(r"(?m)^(count = \d+)_000$", r"\1", path.read_text(encoding="utf-8"))
        (tmp_path / "configs" / path.name).write_text(small, encoding="utf-8")
    (tmp_path / "simulate.toml").write_bytes((tmp_path / "configs" / "outage.toml").read_bytes())  # somebody's own
    rows = [f"2024-01-01 00:00:{second:02};{second * 0.5};0;0" for second in range(10)]
    (tmp_path / "pump.csv").write_text("\n".join(["datetime;flow;anomaly;changepoint", *rows]))
    for name in ("capture.jsonl", "capture.jsonl.gz"):
        writer = CaptureWriter(tmp_path / name, {"broker": "localhost:1883"})
        writer.add([Recorded(1, "plant/pump-1/telemetry", b"{}", 1, False)])
        writer.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def status(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(words)
    return int(left.value.code or 0)


def test_the_texts_show_all_that_is_known_of_them() -> None:
    assert len(of("simulate")) >= 18
    assert len(of("record")) >= 3
    assert len(of("kinds")) >= 4
    assert "simulate configs/outage.toml" in DOCUMENTED
    assert "simulate configs/simulate.toml --to-parquet set --days 0.5 --seed 1" in DOCUMENTED
    assert any("plant/{device}/telemetry" in words for words in DOCUMENTED.values())  # of the line that goes on


@pytest.mark.parametrize("line", sorted(DOCUMENTED))
def test_every_line_has_options_that_its_command_knows(line: str, folder: Path) -> None:
    name, *rest = DOCUMENTED[line]
    assert COMMANDS[name].make_context(name, rest).command is COMMANDS[name]


@pytest.mark.parametrize("line", of("simulate"))
def test_every_simulated_run_data_set_and_replay_is_valid(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(*DOCUMENTED[line], "--check") == 0, capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize("line", [line for line in of("kinds") if "--plots" not in line])
def test_every_kind_is_shown(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*DOCUMENTED[line]) == 0
    assert "pump" in capsys.readouterr().out


@pytest.mark.parametrize("line", of("record"))
def test_every_recording_fails_for_want_of_a_broker_alone(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, _, *rest = DOCUMENTED[line]
    assert status(name, REFUSING, *rest, "--force") == 2
    assert f"MQTT broker {REFUSING}: connection refused" in capsys.readouterr().err
