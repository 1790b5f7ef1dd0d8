"""A data set is the run itself: cut in two, labelled, the same bytes for the same seed, and never half of one."""

import json
import threading
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from anomgan.adapters.dataset_files import device_table, scratch, write_table
from anomgan.adapters.files import read_series
from anomgan.config import parse_config
from anomgan.errors import ConfigError, DataError
from anomgan.simulate import ScenarioConfig, simulate
from anomgan.simulate.dataset import Plan, pieces, plan_dataset
from anomgan.simulate.faults import rows_of
from anomgan.simulate.fleet import parts, schedule
from anomgan_cli.main import main
from anomgan_simulator import dataset
from anomgan_simulator.dataset import DatasetTotals, together, values_of, write_dataset

Command = Callable[..., tuple[int, str, str]]
PLANT = """
[clock]
period_s = 4.0
duration_s = 2400
day_s = 900
seed = 3
[[devices]]
kind = "pump"
name = "pump-"
count = 3
site = "north"
[[devices]]
kind = "cold_store"
name = "cold-"
site = "south"
[[faults]]
device = "pump-2"
kind = "stuck"
channels = ["flow"]
start_s = 100
end_s = 200
[random_faults]
spacing_s = [100, 200]
first_s = 50
"""


def tables(**clock: Any) -> ScenarioConfig:
    document = tomllib.loads(PLANT)
    document["clock"] |= clock
    return parse_config(ScenarioConfig, document, "plant.toml")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_dataset(tables(), "plant.toml", None, None)


@pytest.fixture(scope="module")
def folder(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("sets") / "set"
    written(plan, where)
    return where


def written(plan: Plan, where: Path, form: dataset.Form = "parquet") -> DatasetTotals:
    return write_dataset(plan, where, form, threading.Event())


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_third_has_no_fault_and_faults_count_from_the_beginning_of_the_rest(plan: Plan) -> None:
    assert (plan.train_rows, plan.test_rows) == (200, 400)
    starts = [fault.start_s for fault in plan.faults]
    assert len(starts) >= 6
    assert min(starts) >= 800.0 + 50.0
    planned = next(fault for fault in plan.faults if (fault.device, fault.kind) == ("pump-2", "stuck"))
    assert (planned.start_s, planned.end_s) == (900.0, 1000.0)
    assert plan.faults == tuple(schedule(plan.scenario))


def test_its_rows_are_those_of_the_run_with_all_devices_together(plan: Plan, folder: Path) -> None:
    for series in simulate(plan.scenario):
        site = "south" if series.device.startswith("cold") else "north"
        train = read_series(folder / "train" / site / f"{series.device}.parquet")
        test = read_series(folder / "test" / site / f"{series.device}.parquet", label="label")
        assert train.channels == test.channels == series.channels
        assert train.units == series.units
        assert np.array_equal(train.values, series.values[:200])
        assert np.array_equal(test.values, series.values[200:])
        np.testing.assert_allclose(np.concatenate([train.times, test.times]), series.times)
        assert series.labels is not None
        assert not series.labels[:200].any()
        assert np.array_equal(test.labels, series.labels[200:])
        assert train.labels is None


def test_truth_holds_every_fault_and_says_what_the_labels_say(plan: Plan, folder: Path) -> None:
    truth = pl.read_parquet(folder / "truth.parquet")
    assert truth["kind"].to_list() == [fault.kind for fault in plan.faults]
    assert truth["device_kind"].to_list() == ["cold_store" if d.startswith("cold") else "pump" for d in truth["device"]]
    assert pl.read_csv(folder / "truth.csv")["channels"].to_list() == truth["channels"].to_list()
    for device in ("pump-1", "pump-2", "pump-3"):
        test = pl.read_parquet(folder / "test" / "north" / f"{device}.parquet")
        labels = np.zeros(len(test), dtype=bool)
        for row in truth.filter(pl.col("device") == device).iter_rows(named=True):
            labels |= ((test["time"] >= row["start"]) & (test["time"] < row["end"])).to_numpy()
        assert np.array_equal(labels, test["label"].to_numpy() == 1)


def test_the_manifest_says_what_there_is(plan: Plan, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["seed"], manifest["period_s"], manifest["faults"]) == (3, 4.0, len(plan.faults))
    assert manifest["kinds"]["pump"][0] == {"channel": "flow", "unit": "m³/h", "resolution": 0.05}
    named = {one[stretch] for one in manifest["devices"] for stretch in ("train", "test")}
    assert named | {"truth.parquet", "truth.csv", "manifest.json"} == content(folder).keys()
    assert "broker" not in manifest["scenario"]
    again = parse_config(ScenarioConfig, manifest["scenario"] | {"clock": plan.config.clock.model_dump()}, "manifest")
    assert again.faults == plan.config.faults


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(plan: Plan, folder: Path, tmp_path: Path) -> None:
    written(plan_dataset(tables(), "plant.toml", None, None), tmp_path / "again")
    assert content(tmp_path / "again") == content(folder)
    written(plan_dataset(tables(seed=4), "plant.toml", None, None), tmp_path / "other")
    other, same = content(tmp_path / "other"), content(folder)
    assert all(other[name] != same[name] for name in same)


def test_how_many_devices_are_simulated_together_changes_no_byte(
    plan: Plan, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "FEWEST", 1)
    monkeypatch.setattr(dataset, "MOST", 2)
    monkeypatch.setattr(dataset, "IN_MEMORY", 0)  # so that values lie in a file
    written(plan, tmp_path / "pieces")
    assert content(tmp_path / "pieces") == content(folder)
    assert [len(part.groups[0].names) for part in parts(plan.scenario, 2)] == [2, 1, 1]
    assert sorted(f.start_s for _, faults in pieces(plan, 2) for f in faults) == [f.start_s for f in plan.faults]


def test_as_csv_it_holds_the_same(plan: Plan, folder: Path, tmp_path: Path) -> None:
    totals = written(plan, tmp_path / "csv", "csv")
    assert totals.values == values_of(plan) == 600 * 4 * 8
    for stretch, label in (("train", None), ("test", "label")):
        one = read_series(tmp_path / "csv" / stretch / "north" / "pump-1.csv", label=label)
        other = read_series(folder / stretch / "north" / "pump-1.parquet", label=label)
        assert np.array_equal(one.values, other.values)
        assert np.array_equal(one.times, other.times)
        assert one.units == other.units


def test_days_and_train_days_say_how_long_it_is() -> None:
    config = tables(period_s=60.0)
    plan = plan_dataset(config, "plant.toml", 3.0, 1.0)
    assert (plan.train_rows, plan.test_rows) == (1440, 2880)
    assert min(fault.start_s for fault in plan.faults) >= 86_400.0
    assert max(rows_of(fault, 60.0)[1] for fault in plan.faults) <= 4320
    assert plan_dataset(config, "plant.toml", 3.0, None).train_rows == 1440


def test_times_are_those_of_the_rows_to_the_microsecond(tmp_path: Path) -> None:
    plan = plan_dataset(tables(period_s=0.1, duration_s=300.0), "plant.toml", None, None)
    written(plan, tmp_path / "set")
    times = pl.read_parquet(tmp_path / "set" / "test" / "north" / "pump-1.parquet")["time"].to_list()
    assert times[0] == datetime(2024, 1, 1, 0, 1, 40, tzinfo=UTC)
    assert times[7] == datetime(2024, 1, 1, 0, 1, 40, 700_000, tzinfo=UTC)


def test_told_to_stop_it_leaves_whole_files_and_no_manifest(plan: Plan, tmp_path: Path) -> None:
    stop = threading.Event()

    def report(totals: DatasetTotals) -> None:
        if totals.devices == 3:
            stop.set()

    totals = write_dataset(plan, tmp_path / "set", "parquet", stop, report)
    assert (totals.stopped, totals.devices) == (True, 3)
    left = content(tmp_path / "set")
    assert sorted(left) == [f"{s}/north/pump-{n}.parquet" for s in ("test", "train") for n in (1, 2, 3)]
    assert all(pl.read_parquet(tmp_path / "set" / name).height in (200, 400) for name in left)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    class Broken:
        def write_parquet(self, file: Any, **options: object) -> None:
            file.write(b"PAR1 half of it")
            raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"x\.parquet: cannot be written: No space left on device"):
        write_table(tmp_path / "x.parquet", Broken())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_value_is_an_empty_cell(tmp_path: Path) -> None:
    gap = device_table(np.arange(3), {"flow [m³/h]": np.array([1.0, np.nan, 2.0])}, None)
    write_table(tmp_path / "gap.csv", gap)
    assert (tmp_path / "gap.csv").read_text().splitlines()[2].endswith(",")
    assert gap["flow [m³/h]"].null_count() == 1


def test_scratch_keeps_what_is_put_there_and_leaves_nothing(tmp_path: Path) -> None:
    with scratch(tmp_path, (2, 3, 100)) as values:
        values[:] = np.arange(600.0).reshape(2, 3, 100)
        assert values[1, 2, 99] == 599.0
    assert list(tmp_path.iterdir()) == []


def test_ten_thousand_devices_of_a_month_take_a_bounded_amount_of_memory() -> None:
    for rows in (720, 43_200, 2_592_000):
        many = together(8, rows)
        assert many >= 64
        assert many == 64 or many * rows * 8 * 8 <= dataset.ON_DISK
    assert together(8, 43_200) == 512


def test_what_goes_to_a_broker_has_no_part_in_it() -> None:
    plant = PLANT.replace('site = "north"', "").replace('site = "south"', "network = { loss = 0.5 }")
    network = """
[network]
connection = "device"
client_id = "all the same"
[[incidents]]
kind = "absent"
start_s = 2000
end_s = 2300
"""
    plan = plan_dataset(parse_config(ScenarioConfig, tomllib.loads(plant + network), "plant.toml"), "x", None, None)
    assert plan.scenario.network is None
    assert [group.site for group in plan.scenario.groups] == ["", ""]


@pytest.mark.parametrize("name", ["outage", "roll-out"])
def test_a_scenario_of_a_bad_network_can_be_one(name: str) -> None:
    path = Path(__file__).parents[1] / "configs" / f"{name}.toml"
    config = parse_config(ScenarioConfig, tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    assert plan_dataset(config, path.name, 1.25, 0.25).test_rows > 0


# ---------------------------------------------------------------- the command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `anomgan simulate ...` in a folder with plant.toml and endless.toml: (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    Path("plant.toml").write_text(PLANT)
    Path("endless.toml").write_text(PLANT.replace("duration_s = 2400\n", ""))
    Path("climbs.toml").write_text(PLANT.replace('"south"', '".."'))
    Path("full").mkdir()
    Path("full/x").touch()

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["simulate", *arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return command


def test_the_command_writes_it_and_says_so(command: Command) -> None:
    status, out, err = command("plant.toml", "--to-parquet", "set", "--seed", "5", "--start", "2024-05-01")
    assert (status, err) == (0, "")
    assert "wrote set: 4 devices, 200 rows to learn from and 400 to be judged by of each, " in out
    manifest = json.loads(Path("set/manifest.json").read_text())
    assert manifest["seed"] == 5
    assert manifest["test"]["start_s"] == datetime(2024, 5, 1, tzinfo=UTC).timestamp() + 800
    assert command("endless.toml", "--to-csv", "csv", "--days", "0.02", "--train-days", "0.005")[0] == 0
    status, out, _ = command("plant.toml", "--to-parquet", "nowhere", "--check")
    assert "data set: 200 rows to learn from and 400 to be judged by of each device, 19,200 channel values" in out
    assert not Path("nowhere").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("endless.toml --to-parquet set", "clock.duration_s: the run has no end; say with --days"),
        ("plant.toml --to-parquet full", "full: it is not empty"),
        ("plant.toml --to-parquet plant.toml", "plant.toml: a file, not a folder"),
        ("plant.toml --to-parquet plant.toml/set", "plant.toml/set: cannot be written"),
        ("plant.toml --to-parquet set --days 1 --train-days 1", "no row is left for the training set or for the test"),
        ("plant.toml --to-parquet set --days 0.003", "faults.0.end_s: 200 is after the end of the run"),
        ("plant.toml --to-parquet set --days 0", "0 is not in the range x>0"),
        ("plant.toml --to-parquet set --days nan", "nan days, nan of them to learn from: no such time"),
        ("plant.toml --to-parquet set --train-days inf", "inf of them to learn from: no such time"),
        ("plant.toml --to-parquet set --to-csv set", "give one of --to-parquet and --to-csv"),
        ("plant.toml --to-parquet set --speed 3", "--speed does not go with --to-parquet"),
        ("plant.toml --to-parquet set --speed max", "--speed does not go with --to-parquet"),
        ("plant.toml --to-parquet set --rows :5", "--rows does not go with --to-parquet"),
        ("plant.toml --days 3", "--days goes with --to-parquet"),
        ("--to-parquet set", "give a CONFIG or --replay FILE"),
        ("climbs.toml --to-parquet set", "site '..' can be no folder"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(command: Command, line: str, message: str) -> None:
    status, out, err = command(*line.split())
    assert status == 2
    assert out == ""
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not Path("set").exists()


def test_a_fault_that_does_not_fit_is_told_with_what_the_days_are_for() -> None:
    fault = tables().faults[0].model_copy(update={"start_s": 90e3, "end_s": 91e3})
    late = tables().model_copy(update={"faults": (fault,)})
    with pytest.raises(ConfigError, match=r"1 of 2 days are for the training set \(--days, --train-days\)"):
        plan_dataset(late, "plant.toml", 2.0, 1.0)
