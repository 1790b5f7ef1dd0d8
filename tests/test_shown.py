"""Text from outside: no letter of it steers a terminal, wherever it is shown."""

import io
import json
import logging
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from anomgan.shown import block, columns, cut, one_line, printable
from anomgan_cli import terminal
from anomgan_cli.main import cli
from anomgan_judge.screen import Screen

EVIL = "\x1b[2J\x1b]0;title\x07\x9b31m\r\u202eabc\u2028d"


@pytest.mark.parametrize("letter", ["\x1b", "\x9b", "\x85", "\b", "\x7f", "\u2028", "\u202e", "\ud800"])
def test_what_steers_a_terminal_is_shown_as_no_letter(letter: str) -> None:
    assert printable(f"a{letter}b") == "a\ufffdb"


def test_letters_of_every_script_stay_and_a_space_is_a_space() -> None:
    assert printable("größe 漢字 ЖЩ 😀") == "größe 漢字 ЖЩ 😀"
    assert printable("12\u202f000\u00a0°C") == "12 000 °C"
    assert printable("gone\ton\r\nholiday") == "gone on  holiday"
    assert block("one\n\ttwo\x1b") == "one\n\ttwo\ufffd"
    assert one_line("x" * 90, 80) == "x" * 80 + "..."


@given(text=st.text(), most=st.integers(0, 20))
def test_whatever_comes_is_printable_and_fits(text: str, most: int) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert shown == printable(shown)
    assert all(line.isprintable() for line in block(text).replace("\t", "").split("\n"))
    assert columns(cut(shown, most)) <= most
    assert shown.startswith(cut(shown, most))


def test_wide_letters_take_two_columns_and_accents_none() -> None:
    assert [columns(text) for text in ("pump", "ポンプ", "e\u0301")] == [4, 6, 1]
    assert cut("ポンプ", 5) == "ポン"


def test_what_is_said_logged_or_drawn_is_printable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.say(f"a {EVIL}")
    terminal.say(f"b {EVIL}", err=True, over=True)
    said, told = capsys.readouterr()
    assert said == f"a {block(EVIL)}\n"
    assert told.removeprefix("\r").removeprefix("\x1b[K") == f"b {printable(EVIL)}\n"
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    handler = logging.StreamHandler(terminal.Shown(stream))
    handler.emit(logging.LogRecord("a", logging.INFO, "b", 1, "c %s", (EVIL,), None))
    assert stream.getvalue() == f"c {block(EVIL)}\n"
    monkeypatch.setattr(logging, "lastResort", None)
    terminal.guard_warnings()
    stream.seek(stream.truncate(0))
    assert logging.lastResort is not None
    logging.lastResort.handle(logging.LogRecord("a", logging.WARNING, "b", 1, "e %s", (EVIL,), None))
    assert stream.getvalue() == f"e {block(EVIL)}\n"
    stream.seek(stream.truncate(0))
    Screen(stream, lambda: (80, 24)).draw([f"d {EVIL}"])
    assert stream.getvalue() == f"d {printable(EVIL)}\n"


def test_a_detector_that_tells_control_sequences_steers_no_terminal_of_its_judge(tmp_path: Path) -> None:
    event = {"device": "p1", "site": EVIL, "start": 1e9, "end": 1e9 + 5, "reason": EVIL, "channels": [EVIL, "a\nb"]}
    silent = event | {"reason": "", "start": 1e9 + 50, "end": 1e9 + 60}
    fault = {"state": "end", "device": "p2", "site": EVIL, "kind": "leak", "channels": [EVIL], "start": 1e9, "end": 2e9}
    for name, records in (("truth", [fault]), ("events", [event, silent, {"device": EVIL}, {"state": EVIL}])):
        (tmp_path / name).write_text("".join(json.dumps(record) + "\n" for record in records))
    arguments = ["--truth-file", str(tmp_path / "truth"), "--events-file", str(tmp_path / "events")]
    done = CliRunner().invoke(cli, ["judge", *arguments])
    assert done.exit_code == 0
    lines = done.output.split("\n")
    assert all(line.isprintable() for line in lines)
    assert sum("false alarm: " in line for line in lines) == 2
    assert "missed: " in done.output
    written = CliRunner().invoke(cli, ["annotations", str(tmp_path / "truth"), "--out", str(tmp_path / "out.json")])
    assert written.exit_code == 0
