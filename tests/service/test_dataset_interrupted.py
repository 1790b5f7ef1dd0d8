"""Ctrl-C while a data set is written: whole files, no manifest, nothing of another name, exit status 130."""

import signal
from pathlib import Path

import polars as pl
import pytest
from programs import PATIENCE_S, Program
from servers import eventually

PLANT = """
[clock]
period_s = 60.0
[[devices]]
kind = "smart_meter"
name = "quick-"
count = 2
site = "here"
[[devices]]
kind = "pump"
name = "slow-"
site = "here"
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_leaves_no_half_file_and_no_manifest(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "plant.toml").write_text(PLANT)
    arguments = ["simulate", "plant.toml", "--to-parquet", "set", "--days", "6"]
    program = Program(tmp_path, arguments, tmp_path / "simulate.log")
    whole = [
        tmp_path / "set" / stretch / "here" / f"quick-{n}.parquet" for stretch in ("train", "test") for n in (1, 2)
    ]
    eventually(lambda: all(path.exists() for path in whole), "the quick ones are written", PATIENCE_S)
    program.process.send_signal(number)
    assert program.process.wait(PATIENCE_S) == 130
    assert "set has the files of 2 devices and no manifest.json" in program.said()
    assert sorted(path for path in (tmp_path / "set").rglob("*") if path.is_file()) == sorted(whole)
    assert [pl.read_parquet(path).height for path in whole] == [2880, 2880, 5760, 5760]
    again = Program(tmp_path, arguments, tmp_path / "again.log")
    assert again.process.wait(PATIENCE_S) == 2
    assert "set: it is not empty" in again.said()
