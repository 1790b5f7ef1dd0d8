"""`anomgan kinds`: every kind is told of as the simulator has it, and has a page that shows all its channels."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anomgan.simulate import KINDS
from anomgan_cli.kind_plots import correlations
from anomgan_cli.main import main
from anomgan_cli.plot_style import DPI, TWO_COLUMNS
from anomgan_simulator.portrait import STRETCHES, portrait


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        main(["kinds", *arguments])
    said = capsys.readouterr()
    assert left.value.code == status, said.err
    return said.out + said.err


def test_without_names_each_kind_has_a_line_with_its_faults(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys).splitlines()
    assert [line.partition(":")[0] for line in lines] == list(KINDS)
    for line, kind in zip(lines, KINDS.values(), strict=True):
        assert all(fault.name in line for fault in kind.process_faults)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_told_of_with_every_channel_setting_and_fault(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said, kind = told(capsys, name), KINDS[name]
    cells = [line.split() for line in said.splitlines()]
    for channel in kind.channels:
        (row,) = [one for one in cells if one[:1] == [channel.name]]
        assert f"{channel.resolution:g}" in row
        assert row[-3:] == [f"{channel.low:g}", "to", f"{channel.high:g}"]
    for setting in kind.settings.model_fields:
        assert [setting] in [one[:1] for one in cells]
    for fault in kind.process_faults:
        assert [fault.name] in [one[:1] for one in cells]


def test_an_unknown_kind_is_refused_and_the_known_ones_named(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "pmup", status=2)
    assert "unknown device kind 'pmup'" in said
    assert "cold_store" in said


def test_a_page_is_a_picture_of_two_healthy_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "water_tank", "--plots", str(tmp_path / "pages"))
    (page,) = (tmp_path / "pages").iterdir()
    content = page.read_bytes()
    assert page.name == "water_tank.png"
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert width == round(TWO_COLUMNS * DPI)
    assert height > 1000


def test_a_portrait_is_a_week_a_day_and_an_hour_of_the_same_devices() -> None:
    of = portrait(KINDS["water_tank"], seed=3)
    assert list(of.stretches) == ["week", "day", "hour"]
    for name, series in of.stretches.items():
        start, duration_s, period_s = STRETCHES[name]
        assert [one.device for one in series] == ["water_tank-1", "water_tank-2"]
        for one in series:
            assert datetime.fromtimestamp(one.times[0], UTC) == start
            assert len(one) == duration_s / period_s
            assert one.labels is not None
            assert not one.labels.any()
    assert np.any(portrait(KINDS["water_tank"], seed=4).stretches["hour"][0].values != of.stretches["hour"][0].values)


def test_a_channel_that_stands_still_correlates_with_nothing() -> None:
    values = np.stack([np.arange(9.0), -np.arange(9.0), np.ones(9)], axis=1)
    shown = correlations(values)
    np.testing.assert_allclose(shown[:2, :2], [[1, -1], [-1, 1]])
    assert np.isnan(shown[2]).all()
    assert np.isnan(shown[:, 2]).all()
