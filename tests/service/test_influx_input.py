"""What an InfluxDB holds as input of the synthesizer's commands, and as files: against a real InfluxDB 1.x."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import urllib3
from contract import normal_series
from programs import anomgan
from servers import fetch

from anomgan.adapters.files import read_series
from anomgan.config import InfluxConfig
from anomgan_cli.main import main

ROWS = 240
RANGE = "range 2023-11-14/2023-11-15 device pump_id"
SMALL = "--window 16 --steps 30 --device cpu"


@pytest.fixture(scope="module")
def plant(influxdb1_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with detector.toml and a model of both pumps, of an InfluxDB that holds them whole, with holes, slow,
    and beside something else."""
    database = "synthesis"
    fetch(f"{influxdb1_url}/query", {"q": f'CREATE DATABASE "{database}"'})
    lines = []
    for device, seed in (("p 1", 0), ("hall/p2", 1)):
        series, tag = normal_series(ROWS, seed), device.replace(" ", "\\ ")
        for i, (at, row) in enumerate(zip(series.times.tolist(), series.values.tolist(), strict=True)):
            fields = [f"{name}={value + 3 * seed}" for name, value in zip(series.channels, row, strict=True)]
            several = [("pump", fields), ("holes", fields[: 1 if i % 4 == 1 else 3])]
            several += [("slow", fields)] if i % 4 == 0 else []
            for measurement, some in several:
                lines.append(f"{measurement},pump_id={tag} {','.join(some)} {round(at * 1e9)}")
            lines.append(f"holes,pump_id={tag} battery=3 {round((at + 0.5) * 1e9)}")
        lines.append(f"other,pump_id={tag} battery=3 {round(series.times[0] * 1e9)}")
    answer = urllib3.request("POST", f"{influxdb1_url}/write?db={database}", body="\n".join(lines).encode())
    assert answer.status == 204
    folder = tmp_path_factory.mktemp("plant")
    influx = InfluxConfig(url=influxdb1_url, version=1, database=database)
    (folder / "detector.toml").write_text(
        f'[store.influx]\nurl = "{influx.url}"\nversion = 1\ndatabase = "{database}"\n'
        '[[fleets]]\nmodel = "m"\ntopic = "a/{device}"\n'
    )
    words = f'--from-influx "bucket {database} measurement pump {RANGE}" --config detector.toml'
    anomgan(folder, f"anomgan train {words} --synthesizer --condition device {SMALL} --out gan.safetensors")
    return folder


def asking(measurement: str, more: str = "") -> str:
    return f'--from-influx "bucket synthesis measurement {measurement} {RANGE}{more}" --config detector.toml'


def series_in_influx(device: str) -> np.ndarray:
    """(ROWS, 3) in the order of the model's channels, which is that of their names."""
    series = normal_series(ROWS, 0 if device == "p 1" else 1)
    return (series.values + (0 if device == "p 1" else 3))[:, np.argsort(series.channels)]


def test_gaps_of_every_device_are_filled_and_written_to_a_file_each(plant: Path) -> None:
    done = anomgan(plant, f"anomgan impute gan.safetensors {asking('holes')} --out 'filled-{{device}}.csv'")
    assert f"p 1: {ROWS} rows of 3 channels, 1 s apart" in done.stdout
    assert "not a channel of the model, left out: battery" in done.stderr
    for device, name in (("p 1", "p 1"), ("hall/p2", "hall_p2")):
        found, whole = read_series(plant / f"filled-{name}.csv"), series_in_influx(device)
        assert found.channels == ("flow", "pressure", "temperature")
        known = np.ones((ROWS, 3), bool)
        known[1::4] = [name == normal_series(2, 0).channels[0] for name in found.channels]
        np.testing.assert_allclose(found.values[known], whole[known])
        assert np.isfinite(found.values).all()
        assert not np.array_equal(found.values, whole)


def test_slow_readings_are_refined(plant: Path) -> None:
    words = f"{asking('slow', ' where pump_id=hall/p2')} --factor 4 --given 'device=hall/p2' --out fine.parquet"
    anomgan(plant, f"anomgan upsample gan.safetensors {words}")
    fine = read_series(plant / "fine.parquet")
    assert (len(fine), fine.period_s) == (ROWS - 3, 1.0)
    np.testing.assert_allclose(fine.values[::4], series_in_influx("hall/p2")[::4])


def test_all_devices_are_varied_together(plant: Path) -> None:
    done = anomgan(plant, f"anomgan augment gan.safetensors {asking('pump')} --make 100 --out more.csv")
    assert "128 rows of 3 channels" in done.stdout


def test_a_device_s_readings_are_written_as_another_s(plant: Path) -> None:
    words = f"{asking('pump', ' where pump_id=hall/p2')} --to 'p 1' --out moved.csv"
    done = anomgan(plant, f"anomgan transfer gan.safetensors {words}")
    assert f"{ROWS} rows of hall/p2 as of p 1" in done.stdout
    assert len(read_series(plant / "moved.csv")) == ROWS


def test_what_it_holds_is_exported_to_files(plant: Path) -> None:
    done = anomgan(plant, f"anomgan export {asking('pump')} --out 'set/{{device}}.parquet'")
    assert f"hall_p2.parquet: {ROWS} rows of 3 channels, 1 s apart, 2023-11-14 22:13:20 to" in done.stdout
    for device, name in (("p 1", "p 1"), ("hall/p2", "hall_p2")):
        found = read_series(plant / "set" / f"{name}.parquet", channels=("flow", "pressure", "temperature"))
        np.testing.assert_allclose(found.values, series_in_influx(device))
        np.testing.assert_array_equal(found.times, normal_series(ROWS, 0).times)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"impute gan.safetensors {asking('holes')} --out x.csv", "put {device} into --out"),
        (f"impute gan.safetensors {asking('other')} --out x.csv", "none of the model's channels is there: flow"),
        (f"impute gan.safetensors {asking('nothing')} --out x.csv", "not a single reading for 'bucket synthesis"),
        (f"impute gan.safetensors {asking('holes', ' nonsense 3')} --out x.csv", "'nonsense' is none of bucket, range"),
        (f"export {asking('pump')} --out x.csv", "put {device} into --out"),
        (f"export {asking('pump')} --out x.txt", "x.txt: a series is written as .csv or .parquet"),
    ],
)
def test_what_cannot_be_taken_is_one_clear_line(
    plant: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    monkeypatch.chdir(plant)
    with pytest.raises(SystemExit) as left:
        main(shlex.split(words))
    assert left.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("x.csv").exists()
