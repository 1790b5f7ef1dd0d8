"""`anomgan train --synthesizer`, `inspect`, and the verbs of a synthesizer on files."""

import re
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from anomgan.adapters.files import read_series
from anomgan_cli.generate import generate
from anomgan_cli.main import cli, main
from anomgan_cli.synthesis_inputs import parse_given

ROWS = 400
SMALL = ["--window", "16", "--steps", "40", "--device", "cpu"]


def table(rows: int, step_s: int = 1, holes: bool = False) -> str:
    """Two waves, one with a unit, and a mode of 1 and 2; every fifth flow is missing where there are holes."""
    index = step_s * np.arange(rows)
    times = np.datetime64("2026-01-05T00:00:00") + index
    lines = ["time,flow [m3/h],pressure,mode"]
    for n, (i, time) in enumerate(zip(index.tolist(), times, strict=True)):
        flow = "" if holes and n % 5 == 2 else f"{np.sin(i / 7):.3f}"
        lines.append(f"{time}Z,{flow},{5 + np.cos(i / 7):.3f},{1 + i // 80 % 2}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("synthesis")
    (where / "pump.csv").write_text(table(ROWS))
    (where / "holes.csv").write_text(table(120, holes=True))
    (where / "slow.csv").write_text(table(40, step_s=4))
    (where / "other.csv").write_text("time,level\n0,1\n1,2\n")
    (where / "bare.csv").write_text(table(60).replace(",mode", ",note").replace(",1\n", ",7\n"))
    (where / "one.csv").write_text(table(1))
    (where / "empty.csv").write_text("")
    words = ["train", str(where / "pump.csv"), "--synthesizer", "--condition", "mode", *SMALL]
    words += ["--report", str(where / "training.png")]
    done = CliRunner().invoke(cli, [*words, "--out", str(where / "gan.safetensors")])
    assert done.exit_code == 0, done.output
    assert "trained 40 steps" in done.output
    assert "band of 90 %: held " in done.output
    assert f"wrote {where / 'training.png'}" in done.output
    return where


def run(folder: Path, verb: str, *words: str) -> Result:
    return CliRunner().invoke(cli, [verb, str(folder / "gan.safetensors"), *words], catch_exceptions=False)


def test_the_report_of_a_training_is_a_picture(folder: Path) -> None:
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")


def test_inspect_says_what_a_synthesizer_was_trained_on_and_what_it_can_do(folder: Path) -> None:
    told = " ".join(run(folder, "inspect").output.split())
    for words in (
        "a synthesizer written by anomgan",
        "series 1, 400 rows, 1 s apart devices pump from 2026-01-05 00:00:00 to 2026-01-05 00:06:39",
        "windows of 16 rows, ",
        "architecture conv, hinge game",
        "game unknown: The game was looked at too seldom to say.",
        "steps 40 (finished), best at ",
        "flow m3/h, -1 to 1",
        "pressure 4 to 6",
        ", 3 decimals",
        "mode one of 1, 2",
        "bands of 90 % held ",
        "configuration steps 40",
    ):
        assert words in told


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_generated_rows_read_back_with_their_dates_and_units(folder: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"made.{ending}"
    done = run(folder, "generate", "--rows", "50", "--start", "2026-02-01", "--given", "mode=2", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "50 rows of 2 channels, 1 s apart" in done.output
    made = read_series(out)
    assert (made.channels, made.units) == (("flow", "pressure"), ("m3/h", ""))
    assert made.times[0] == np.datetime64("2026-02-01").astype("datetime64[s]").astype(float)
    assert made.period_s == 1.0
    assert np.isfinite(made.values).all()


def test_several_devices_are_several_files(folder: Path, tmp_path: Path) -> None:
    words = ["--rows", "20", "--given", "mode=1", "--devices", "2", "--out"]
    assert run(folder, "generate", *words, str(tmp_path / "{device}.csv")).exit_code == 0
    first, second = (read_series(tmp_path / f"synthetic-{i}.csv") for i in (0, 1))
    assert not np.array_equal(first.values, second.values)
    done = CliRunner().invoke(cli, ["generate", str(folder / "gan.safetensors"), *words, str(tmp_path / "x.csv")])
    assert done.exit_code == 2
    assert "put {device} into --out" in done.output


def test_holes_are_filled_and_the_band_stands_beside(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "filled.csv"
    done = run(folder, "impute", str(folder / "holes.csv"), "--band", "--out", str(out))
    assert "120 rows, 0 of them new, 24 cells filled in" in done.output
    found, before = read_series(out), read_series(folder / "holes.csv")
    assert found.channels == ("flow", "pressure", "flow.low", "flow.high", "pressure.low", "pressure.high")
    known = ~np.isnan(before.values[:, 0])
    np.testing.assert_array_equal(found.values[known, 0], before.values[known, 0])
    low, middle, high = (found.values[~known, i] for i in (2, 0, 3))
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert (high > low).any()


def test_one_course_is_another_than_the_middle_and_keeps_what_is_known(folder: Path, tmp_path: Path) -> None:
    for name, more in (("one", ["--one"]), ("middle", [])):
        run(folder, "impute", str(folder / "holes.csv"), *more, "--out", str(tmp_path / f"{name}.csv"))
    one, middle = (read_series(tmp_path / f"{name}.csv").values for name in ("one", "middle"))
    known = ~np.isnan(read_series(folder / "holes.csv").values[:, 0])
    np.testing.assert_array_equal(one[known], middle[known])
    assert not np.array_equal(one[~known], middle[~known])


def test_variations_train_a_detector_beside_the_recording(folder: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "more.csv", tmp_path / "pump.safetensors"
    done = run(folder, "augment", str(folder / "pump.csv"), "--make", "200", "--out", str(out))
    assert "224 rows of 3 channels" in done.output
    words = ["train", str(folder / "pump.csv"), str(out), *SMALL[:4], "--out", str(model)]
    assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0


def test_a_dead_channel_in_the_file_is_filled_from_the_others(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "pump.csv").read_text().splitlines()[:100]
    dead = [lines[0], *(",".join([cells[0], "", *cells[2:]]) for cells in (line.split(",") for line in lines[1:]))]
    (tmp_path / "dead.csv").write_text("\n".join(dead))
    out = tmp_path / "{device}-filled.csv"
    done = run(folder, "impute", str(tmp_path / "dead.csv"), "--out", str(out))
    assert "99 rows, 0 of them new, 99 cells filled in" in done.output
    assert np.isfinite(read_series(tmp_path / "dead-filled.csv").values).all()


def test_a_slow_recording_comes_back_at_the_full_rate(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "fine.csv"
    done = run(folder, "upsample", str(folder / "slow.csv"), "--factor", "4", "--out", str(out))
    assert "157 rows, 1 s apart, of 40" in done.output
    np.testing.assert_array_equal(read_series(out).values[::4], read_series(folder / "slow.csv").values[:, :2])


def test_a_recording_of_one_device_is_written_as_another_s(folder: Path, tmp_path: Path) -> None:
    (folder / "pump-2.csv").write_text(table(ROWS).replace(",5.", ",6."))
    model, out = tmp_path / "pumps.safetensors", tmp_path / "as-pump.csv"
    words = ["train", str(folder / "pump.csv"), str(folder / "pump-2.csv"), "--synthesizer", "--condition", "device"]
    trained = CliRunner().invoke(cli, [*words, *SMALL, "--out", str(model)], catch_exceptions=False)
    assert trained.exit_code == 0, trained.output
    words = ["transfer", str(model), str(folder / "pump-2.csv"), "--to", "pump", "--out", str(out)]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert f"{ROWS} rows of pump-2 as of pump" in done.output
    moved, before = read_series(out), read_series(folder / "pump-2.csv")
    np.testing.assert_array_equal(moved.times, before.times)
    assert not np.array_equal(moved.values, before.values)


def test_a_condition_is_a_number_where_it_can_be_and_a_device_s_name_is_a_name() -> None:
    context = click.Context(generate)
    given = parse_given(context, generate.params[0], ["mode=2", "kind = idle", "device=007"])
    assert given == {"mode": 2.0, "kind": "idle", "device": "007"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("generate GAN --rows 5 --out x.csv", "condition 'mode' is needed: one of 1, 2"),
        ("generate GAN --rows 5 --given mode=3 --out x.csv", "condition 'mode': 3 is none of 1, 2"),
        ("generate GAN --rows 5 --given speed=3 --out x.csv", "unknown condition 'speed'"),
        ("generate GAN --rows 5 --given mode --out x.csv", "'mode' is not NAME=VALUE"),
        ("generate GAN --rows 5 --given mode=idle --out x.csv", "condition 'mode': idle is none of 1, 2"),
        ("generate GAN --rows 5 --given mode=nan --out x.csv", "condition 'mode' has no value in row 0"),
        ("impute GAN bare.csv --out x.csv", "condition 'mode' is needed: one of 1, 2"),
        ("impute GAN empty.csv --out x.csv", "empty.csv: the file is empty"),
        ("upsample GAN one.csv --factor 2 --out x.csv", "a single row has no rate that could be refined"),
        ("augment GAN bare.csv --make 9 --out x.csv", "'bare' has no column 'mode', which this model is conditioned"),
        ("augment GAN one.csv --make 9 --out x.csv", "no 16 consecutive rows without a gap"),
        ("generate GAN --rows 5 --out x.txt", "x.txt: a series is written as .csv or .parquet"),
        ("generate pump.csv --rows 5 --out x.csv", "not an anomgan model file"),
        ("impute GAN other.csv --out x.csv", "none of the model's channels is there: flow, pressure"),
        ("impute GAN nowhere.csv --out x.csv", "nowhere.csv: no such file"),
        ("upsample GAN slow.csv --factor 2 --out x.csv", "this model was trained on readings every 1 s"),
        ("transfer GAN pump.csv --to pump-2 --out x.csv", "was not trained to get from device to device"),
        ("impute GAN --out x.csv", "give CSV or --from-influx, one of them"),
        ("impute GAN pump.csv --from-influx q --config c --out x.csv", "give CSV or --from-influx, one of them"),
        ("augment GAN --make 9 --out x.csv", "give CSV... or --from-influx, one of them"),
        ("impute GAN --from-influx q --out x.csv", "--from-influx and --config, which says how to get in, go together"),
        ("impute GAN pump.csv --config c --out x.csv", "--from-influx and --config, which says how to get in, go"),
        ("impute GAN --from-influx q --config c --rows :9 --out x.csv", "--rows goes with CSV, not with --from-influx"),
        ("impute GAN --from-influx q --config none.toml --out x.csv", "none.toml: no such file"),
        ("export --from-influx q --out x.csv", "give both --from-influx and --config"),
        ("train --from-influx q --config c --ignore a --out x", "--ignore goes with CSV, not with --from-influx"),
        ("train --from-mqtt 9s --config c --channels a --out x", "--channels goes with CSV, not with --from-mqtt"),
        ("score GAN pump.csv --out x.csv", "a synthesizer's file, where a detector's is wanted"),
        ("train pump.csv --condition mode --out x", "--condition goes with --synthesizer"),
        ("train pump.csv --synthesizer --condition mode,mode --out x", "conditions: 'mode' is named twice"),
        ("train pump.csv --synthesizer --condition speed --out x", "there is no condition 'speed'"),
        ("train pump.csv --synthesizer --alarms-per-week 2 --out x", "--alarms-per-week is a detector's"),
        ("train pump.csv --synthesizer --report x.jpg --out x", "x.jpg: a picture's file ends in .png, .pdf or .svg"),
    ],
)
def test_bad_input_is_one_clear_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main(words.replace("GAN", "gan.safetensors").split())
    assert ended.value.code == 2
    assert said in " ".join(capfd.readouterr().err.split())
    assert not Path("x.csv").exists()


# ---------------------------------------------------------------- with differential privacy

PRIVATE = ["--synthesizer", "--epsilon", "5", "--range", "flow=-2:2", "--range", "pressure=0:10", "--window", "16"]


def test_the_last_line_of_a_private_training_is_what_it_promises_and_inspect_says_it_too(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text(table(2200))
    out = tmp_path / "private.safetensors"
    words = ["train", str(tmp_path / "long.csv"), *PRIVATE, "--range", "mode=1:1.5", "--steps", "3", "--out", str(out)]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert "note: mode: 1080 of 2200 values lie beyond 1 to 1.5 and are taken for these" in done.stderr
    promise = done.stdout.splitlines()[-1]
    assert promise.startswith("differential privacy: epsilon ")
    assert "for each block of 32 rows (32 s)" in promise
    assert "Not covered: a whole device" in promise
    said = CliRunner().invoke(cli, ["inspect", str(out)], catch_exceptions=False).stdout
    assert promise in said
    assert "correlations   noise multiplier" in said
    made = CliRunner().invoke(cli, ["generate", str(out), "--rows", "50", "--out", str(tmp_path / "made.csv")])
    assert made.exit_code == 0


def test_inspect_tells_of_a_synthesizer_and_that_it_promises_nothing(folder: Path) -> None:
    said = CliRunner().invoke(cli, ["inspect", str(folder / "gan.safetensors")], catch_exceptions=False).stdout
    assert "a synthesizer written by anomgan" in said
    assert "guarantee  none: `anomgan train --synthesizer --epsilon` gives one" in said
    assert "flow      m3/h, -1 to 1" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--range", "flow=0"], "'flow=0' is not NAME=LOW:HIGH"),
        (["--range", "flow=a:b"], "'flow=a:b' is not NAME=LOW:HIGH"),
        (["--epsilon", "3"], "--epsilon and --range go with --synthesizer"),
        ([*PRIVATE[:3]], "ranges: flow, pressure, mode without one"),
        ([*PRIVATE[:3], "--condition", "mode"], "conditions does not go with epsilon"),
        (["--synthesizer", "--range", "flow=0:1"], "anomgan train: ranges goes with epsilon"),
        ([*PRIVATE, "--range", "mode=1:2:1"], "400 rows are 1[34] blocks of 32 rows"),
    ],
)
def test_what_a_private_training_lacks_is_said(
    folder: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", str(folder / "pump.csv"), *words, "--out", str(folder / "no.safetensors")])
    assert left.value.code == 2
    assert re.search(said, capsys.readouterr().err)
