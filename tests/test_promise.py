"""What was promised against what was given: counted as the service would, on normal windows only, with its doubt."""

import json
import math
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_sets import write_smd
from examples import CHANNELS, normal_series, readings_of, spoiled
from hypothesis import given
from hypothesis import strategies as st

from anomgan.adapters.files import write_scores
from anomgan.calibrate import CLUSTERS_ABOVE
from anomgan.config import DecideConfig
from anomgan.decide import decide_all
from anomgan.detector import Detector
from anomgan.errors import ConfigError, DataError
from anomgan.records import Floats, TimeSeries, Verdict
from anomgan.simulate import parse_scenario, simulate
from anomgan.stream import StreamDetector
from anomgan_benchmark.promise import (
    BUDGETS,
    Alarms,
    Watch,
    event_spans,
    normal_events,
    poisson_interval,
    reliability,
    simulated_fleets,
    watch,
)
from anomgan_cli.benchmark_plots import reliability_plot
from anomgan_cli.main import main
from anomgan_cli.reliability import describe

REFERENCE = Path(__file__).parents[1] / "configs" / "normal-fleet.toml"
RULE = DecideConfig(close_after=4)


def watched(
    surprise: Floats, *, normal: Floats | None = None, rule: DecideConfig = RULE, device: str = "pump"
) -> Watch:
    """Verdicts a minute apart, whose thresholds say that no two of them share a row."""
    stride_s, week_s = 60.0, 7 * 86_400.0
    thresholds = tuple(math.log10(week_s / stride_s / budget) for budget in BUDGETS)
    flags = np.ones(len(surprise), np.bool_) if normal is None else np.asarray(normal, np.bool_)
    return Watch(device, surprise, flags, thresholds, rule, stride_s)


def verdicts_of(surprise: Floats, threshold: float) -> list[Verdict]:
    """A verdict a second of a device with one channel."""
    one, channel = np.ones(1, np.float32), ("flow",)
    return [
        Verdict(
            "pump",
            "",
            float(row),
            s,
            threshold,
            s >= threshold,
            s,
            s,
            s,
            channel,
            values=one,
            expected=one,
            contribution=one,
        )
        for row, s in enumerate(surprise.tolist())
    ]


# ---------------------------------------------------------------- events, without verdicts


@given(
    surprise=st.lists(st.sampled_from([0.0, 1.9, 2.0, 2.9, 3.0, 4.0, math.nan]), max_size=80),
    open_after=st.integers(1, 4),
    close_after=st.integers(1, 5),
    close_level=st.sampled_from([0.3, 0.65, 1.0]),
)
def test_events_are_those_that_deciding_one_by_one_makes(
    surprise: list[float], open_after: int, close_after: int, close_level: float
) -> None:
    rule = DecideConfig(open_after=open_after, close_after=close_after, close_level=close_level)
    values = np.array(surprise, np.float64)
    first, last = event_spans(values, 3.0, rule)
    one_by_one = decide_all(rule, verdicts_of(values, 3.0))
    assert list(zip(first, last, strict=True)) == [(event.start_s, event.end_s) for event in one_by_one]


def test_a_watch_counts_the_events_that_the_service_would_open(detector: Detector) -> None:
    series = spoiled(normal_series(900, seed=3), np.random.default_rng(0), gaps=(300, 310))
    values = series.values.copy()
    values[100:120, 1] += 6.0
    values[500:503, 0] -= 5.0
    series = replace(series, values=values)
    one, counts = watch(detector, series), []
    for budget, threshold in zip(BUDGETS, one.thresholds, strict=True):
        verdicts = StreamDetector(detector, alarms_per_week=budget).push(readings_of(series))
        np.testing.assert_allclose(one.surprise, [verdict.surprise for verdict in verdicts], atol=1e-5)
        assert threshold == verdicts[0].threshold
        events = decide_all(detector.decide_rule(DecideConfig()), verdicts)
        assert normal_events(one, threshold) == len(events)
        counts.append(len(events))
    assert len(set(counts)) > 1


# ---------------------------------------------------------------- what is normal


def test_a_window_with_a_labelled_row_is_not_normal(detector: Detector, series: TimeSeries) -> None:
    labels = np.zeros(len(series), np.bool_)
    labels[50] = True
    one = watch(detector, replace(series, labels=labels))
    rule = detector.rule
    rows = [row for row in range(len(series)) if (row + 1) % rule.stride == 0]
    expected = [not labels[max(0, row - rule.window + 1) : row + 1].any() for row in rows]
    assert one.normal.tolist() == expected
    assert len(one.judged) == sum(normal and row >= rule.window - 1 for row, normal in zip(rows, expected, strict=True))
    assert one.weeks == len(one.judged) * rule.stride * series.period_s / (7 * 86_400.0)


def test_an_event_that_touches_a_labelled_window_is_no_false_alarm_and_its_time_does_not_count() -> None:
    surprise = np.zeros(60)
    surprise[[10, 11, 30, 31, 50, 51]] = 9.0
    normal = np.ones(60)
    normal[31:40] = 0.0
    one = watched(surprise, normal=normal)
    assert normal_events(one, 5.0) == 2
    result = reliability("pumps", [one])
    assert result.windows == 51
    assert {row.events for row in result.alarms} == {2}
    assert result.alarms[0].given == pytest.approx(2 / (51 * 60 / 604_800))


def test_warm_up_is_no_time_and_without_a_normal_window_there_is_nothing_to_say() -> None:
    unknown = np.full(20, math.nan)
    assert reliability("x", [watched(np.append(unknown, 0.0))]).windows == 1
    with pytest.raises(DataError, match="smd: there is no normal window"):
        reliability("smd", [watched(unknown), watched(np.ones(3), normal=np.zeros(3))])


# ---------------------------------------------------------------- promised and given


def test_a_score_that_tells_the_truth_keeps_its_promise() -> None:
    rng = np.random.default_rng(0)
    rule = DecideConfig(open_after=1, close_after=1, close_level=1.0)
    fleet = [watched(-np.log10(rng.random(40_000)), rule=rule, device=f"pump-{n}") for n in range(5)]
    result = reliability("pumps", fleet)
    assert (result.devices, result.windows) == (5, 200_000)
    assert all(row.low < row.promised < row.high and not row.broken for row in result.alarms)
    assert all(row.low < row.claimed < row.high for row in result.odds)
    assert [row.surprise for row in result.odds] == [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]


def test_a_score_that_boasts_is_told_off_and_its_worst_device_named() -> None:
    rng = np.random.default_rng(1)
    rule = DecideConfig(open_after=1, close_after=1, close_level=1.0)
    factors = {"calm": 1.0, "loud": 2.0}
    fleet = [watched(-f * np.log10(rng.random(30_000)), rule=rule, device=name) for name, f in factors.items()]
    result = reliability("pumps", fleet)
    assert all(row.broken and not row.kept and row.device == "loud" for row in result.alarms)
    for i, row in enumerate(result.alarms):
        assert row.most == pytest.approx(normal_events(fleet[1], fleet[1].thresholds[i]) / fleet[1].weeks)
    assert "! off by more than a factor of 2 at 0.1, 0.3, 1, 3, 10, 30" in describe(result)


def test_few_alarms_are_not_called_a_broken_promise() -> None:
    told = describe(reliability("pump", [watched(np.zeros(2000))]))
    assert "too few alarms to tell whether within a factor of 2 at 0.1, 0.3, 1, 3, 10" in told
    assert "off by more" not in told
    assert "pump: 1 device, 0.2 device-weeks, 2,000 windows" in told


def test_clusters_are_runs_of_exceedances_no_further_apart_than_an_event_closes() -> None:
    rng = np.random.default_rng(2)
    surprise = np.convolve(rng.exponential(size=3000), np.ones(12) / 4, "same")
    level = 5.0
    shifted = surprise - np.quantile(surprise, CLUSTERS_ABOVE) + level
    shifted[shifted == level] -= 1e-9  # the index counts what is above, a surprise what is reached
    row = next(row for row in reliability("x", [watched(shifted)]).odds if row.surprise == 3.0)
    apart = RULE.close_after or 0
    first, _ = event_spans(shifted, level, DecideConfig(open_after=1, close_level=1.0, close_after=apart))
    exceeding = np.flatnonzero(shifted >= level)
    assert len(first) == 1 + np.count_nonzero(np.diff(exceeding) > apart)
    assert row.clusters == len(
        event_spans(shifted, 3.0, DecideConfig(open_after=1, close_level=1.0, close_after=apart))[0]
    )
    assert row.windows > 2 * row.clusters


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20, 214])
def test_the_interval_is_that_of_a_poisson_count(count: int) -> None:
    def below(mean: float, n: int) -> float:
        """P(X <= n)."""
        return math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(n + 1))

    def solve(holds: Callable[[float], bool]) -> float:
        """The mean from which on it holds no more."""
        low, high = 1e-9, 1000.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        return low

    low, high = poisson_interval(count)
    assert high == pytest.approx(solve(lambda mean: below(mean, count) > 0.025), rel=0.01)
    if count:
        assert low == pytest.approx(solve(lambda mean: 1 - below(mean, count - 1) < 0.025), rel=0.01, abs=0.02)
    else:
        assert low == 0.0


# ---------------------------------------------------------------- the fleet


FLEET: dict[str, Any] = {
    "clock": {"period_s": 10.0, "duration_s": 3000.0, "seed": 3},
    "devices": [
        {"kind": "pump", "name": "a-", "site": "north", "count": 2},
        {"kind": "cold_store", "name": "c-", "site": "north"},
        {"kind": "pump", "name": "a-", "site": "south"},
    ],
}
DAYS = 2000 / 86_400


def test_the_fleets_are_the_simulated_series_cut_in_two_by_kind() -> None:
    scenario = parse_scenario(FLEET, "fleet.toml")
    rows: list[int] = []
    fleets = simulated_fleets(scenario, "fleet.toml", DAYS, rows.append)
    assert sum(rows) == 300
    assert list(fleets) == ["pump", "cold_store"]
    whole = simulate(scenario)
    for kind, expected in (("pump", [whole[0], whole[1], whole[3]]), ("cold_store", [whole[2]])):
        for train, rest, series in zip(*fleets[kind], expected, strict=True):
            assert (train.device, train.channels, train.units) == (series.device, series.channels, series.units)
            assert (len(train), len(rest)) == (200, 100)
            np.testing.assert_array_equal(np.concatenate([train.values, rest.values]), series.values)
            np.testing.assert_array_equal(np.concatenate([train.times, rest.times]), series.times)


@pytest.mark.parametrize(
    ("changes", "days", "message"),
    [
        ({"random_faults": {}}, DAYS, "fleet.toml: it plans faults"),
        ({"faults": [{"device": "c-1", "kind": "stuck", "channels": ["humidity"], "start_s": 9, "end_s": 20}]}, DAYS,
         "fleet.toml: it plans faults"),
        ({"clock": {}}, DAYS, "fleet.toml: clock.duration_s: this key is required"),
        ({}, 3000 / 86_400, "leave nothing to measure of a run of 0.0347222 days"),
        ({}, 1e-9, "leave nothing to measure"),
    ],
)  # fmt: skip
def test_a_scenario_on_which_nothing_can_be_measured_is_refused(
    changes: dict[str, Any], days: float, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        simulated_fleets(parse_scenario(FLEET | changes, "fleet.toml"), "fleet.toml", days)


def test_the_reference_fleet_is_fifty_pumps_for_a_week_and_thirty_days_without_a_fault() -> None:
    scenario = parse_scenario(tomllib.loads(REFERENCE.read_text("utf-8")), REFERENCE.name)
    assert [(group.kind.name, len(group.names)) for group in scenario.groups] == [("pump", 50)]
    assert (scenario.period_s, scenario.rows) == (60.0, 37 * 1440)
    assert not scenario.faults
    assert scenario.config.random_faults is None


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, detector: Detector) -> Path:
    """A scenario, a model, two files of normal data and a data set."""
    folder = tmp_path_factory.mktemp("promise")
    lines = [
        "[clock]",
        "period_s = 10",
        "duration_s = 3000",
        "[[devices]]",
        'kind = "pump"',
        'name = "p-"',
        "count = 2",
        'site = "s"',
    ]
    (folder / "fleet.toml").write_text("\n".join(lines))
    (folder / "faulty.toml").write_text("\n".join([*lines, "[random_faults]"]))
    detector.save(folder / "pump.safetensors")
    for name, seed in (("may", 5), ("june", 6)):
        series = normal_series(300, seed=seed)
        write_scores(folder / f"{name}.csv", series, {c: series.values[:, i] for i, c in enumerate(CHANNELS)})
    write_smd(folder / "data" / "SMD")
    return folder


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        main(["reliability", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(
    ("arguments", "facts", "name", "devices"),
    [
        (["fleet.toml", "--train-days", str(DAYS), "--steps", "10", "--seed", "4"],
         {"scenario": "fleet.toml", "train_days": DAYS, "steps": 10, "seed": 4}, "pump", 2),
        (["pump.safetensors", "may.csv", "june.csv", "--rows", "10:"],
         {"model": "pump.safetensors", "files": ["may.csv", "june.csv"]}, "pump.safetensors", 2),
        (["--data", "data", "--suite", "smd", "--steps", "10"], {"data": "data", "steps": 10}, "smd", 1),
    ],
)  # fmt: skip
def test_the_command_tells_writes_and_draws_what_was_given(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    facts: dict[str, Any],
    name: str,
    devices: int,
) -> None:
    out = tmp_path / "a" / "reliability"
    assert run(folder, monkeypatch, *arguments, "--out", str(out)) == 0
    said = capsys.readouterr().out
    assert f"{name}: {devices} device" in said
    assert all(f"{budget:g} promised" in said for budget in BUDGETS)
    document = json.loads((out / "reliability.json").read_text())
    assert {key: document[key] for key in facts} == facts
    (told,) = document["reliability"]
    assert (told["name"], told["devices"]) == (name, devices)
    assert [row["promised"] for row in told["alarms"]] == list(BUDGETS)
    assert all(row["ratio"] == row["given"] / row["promised"] for row in told["alarms"])
    assert (out / "reliability.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a SCENARIO, a MODEL with CSV files, or --data"),
        (["fleet.toml", "may.csv"], "may.csv: a SCENARIO stands alone"),
        (["pump.safetensors"], "give files of normal data after the MODEL"),
        (["may.csv", "pump.safetensors"], "may.csv: neither a SCENARIO (.toml) nor a MODEL (.safetensors)"),
        (["fleet.toml", "--data", "data"], "give --data or fleet.toml, not both"),
        (["fleet.toml", "--rows", ":9"], "--rows does not go with a scenario"),
        (["pump.safetensors", "may.csv", "--steps", "9"], "--steps does not go with a model"),
        (["--data", "data", "--train-days", "7"], "--train-days does not go with --data"),
        (["fleet.toml", "--train-days", "0"], "0.0 is not in the range x>0"),
        (["fleet.toml", "--train-days", "1"], "fleet.toml: 1 days to train on leave nothing to measure"),
        (["faulty.toml"], "faulty.toml: it plans faults"),
        (["nope.toml"], "nope.toml: no such file"),
        (["nope.safetensors", "may.csv"], "nope.safetensors: no such file"),
        (["pump.safetensors", "nope.csv"], "nope.csv: no such file"),
        (["pump.safetensors", "may.csv", "--rows", ":9"], "may.csv: 9 rows, fewer than the 16 of one window"),
        (["--data", "data", "--suite", "swat"], "there is no suite 'swat'"),
        (["--data", "data", "--suite", "smd,asd"], "suite asd: there is no folder"),
        (["fleet.toml", "--train-days", "0.001", "--steps", "9"], "18 rows give"),
        (["fleet.toml", "--steps", "0"], "steps: Input should be greater than or equal to 1"),
    ],
)
def test_wrong_input_is_said_in_a_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert run(folder, monkeypatch, *arguments, "--out", str(tmp_path / "out")) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.out + said.err
    assert not (tmp_path / "out" / "reliability.json").exists()


def test_nothing_is_written_where_the_folder_cannot_be_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, monkeypatch, "pump.safetensors", "may.csv", "--out", "may.csv/out") == 2
    assert "may.csv/out: cannot be made" in capsys.readouterr().err


def test_the_picture_shows_every_result_and_where_nothing_was_seen() -> None:
    quiet, loud = watched(np.zeros(3000)), watched(np.tile([0.0, 9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0], 400))
    results = [reliability("quiet", [quiet]), reliability("loud", [loud])]
    pictures = {reliability_plot(results[:1]), reliability_plot(results[1:]), reliability_plot(results)}
    assert len(pictures) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_kept_and_broken_leave_room_for_doubt() -> None:
    row = Alarms(promised=1.0, events=3, given=1.9, low=0.4, high=5.0, most=1.9, device="p")
    assert (row.kept, row.broken) == (True, False)
    assert (replace(row, given=2.1).kept, replace(row, given=2.1).broken) == (False, False)
    assert (replace(row, given=5.0, low=2.1).broken, replace(row, given=0.1, high=0.49).broken) == (True, True)
