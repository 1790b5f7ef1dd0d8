"""The simulator's loop: every row in its time, truth beside it, nothing skipped; and its command's messages."""

import json
import math
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
import pytest

from anomgan.adapters.dataset_files import truth_table
from anomgan.adapters.files import json_lines, read_series
from anomgan.adapters.memory import MemoryPublisher
from anomgan.config import DialectName
from anomgan.errors import DataError, Unreachable
from anomgan.records import TimeSeries
from anomgan.simulate import Scenario, Tick, parse_scenario, simulate, ticks
from anomgan.simulate.network import Incident
from anomgan.simulate.scenario import OutputConfig
from anomgan.wire import Decoder, PayloadFormat, parse_template
from anomgan_cli.broker_access import parse_broker
from anomgan_cli.main import main
from anomgan_cli.simulate_tables import broker_and_speed
from anomgan_simulator.announce import devices_of
from anomgan_simulator.pace import Pace
from anomgan_simulator.play import REPORT_S, Totals, play
from anomgan_simulator.replay import replay
from anomgan_simulator.truth import incident_record, run_record
from anomgan_simulator.truth_file import truth_file

Command = Callable[..., tuple[int, str, str]]
PLANT = """
[clock]
period_s = 4.0
duration_s = 400
day_s = 900
speed = 20
[[devices]]
kind = "pump"
name = "pump-"
count = 2
site = "north"
[[faults]]
device = "pump-2"
kind = "stuck"
channels = ["flow"]
start_s = 100
end_s = 200
"""


class Clock:
    """Time that passes only while somebody waits; each wait may also take `extra` seconds too long."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.extra = 0.0
        self.stop_at: float | None = None

    def now(self) -> float:
        """What the clock shows."""
        return self.time

    def wait(self, seconds: float) -> bool:
        """Let time pass; True when told to stop."""
        self.time += seconds + self.extra
        return self.stop_at is not None and self.time >= self.stop_at


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse_scenario(tomllib.loads(PLANT), "plant.toml")


@pytest.fixture(scope="module")
def rows(scenario: Scenario) -> list[Tick]:
    return list(ticks(scenario))


def run(
    rows: list[Tick], scenario: Scenario, speed: float = 0.0, clock: Clock | None = None, **output: Any
) -> tuple[Totals, MemoryPublisher]:
    publisher, clock = MemoryPublisher(), clock or Clock()
    form = scenario.config.output.model_copy(update=output)
    pace = Pace(speed, clock.now, clock.wait)
    return play(rows, publisher, form, pace, scenario.start_s, clock.now), publisher


@pytest.mark.parametrize(
    ("dialect", "topic"),
    [
        ("flat", "plant/{site}/{device}/telemetry"),
        ("nested", "{site}/{device}"),
        ("metric", "{site}/{device}/{channel}"),
        ("array", "{site}/{device}"),
        ("columnar", "{site}/{device}"),
    ],
)
def test_what_is_published_reads_back_as_what_was_simulated(
    dialect: DialectName, topic: str, rows: list[Tick], scenario: Scenario
) -> None:
    some = rows[: 1 if dialect == "metric" else 5]  # a bare number has no time but that of its arrival
    totals, publisher = run(some, scenario, dialect=dialect, topic=topic)
    decoder = Decoder(PayloadFormat(parse_template(topic), dialect))
    found: dict[tuple[str, str, float], dict[str, float]] = {}
    for sent_to, payload in publisher.published:
        for reading in decoder.decode(sent_to, payload, scenario.start_s).readings:
            found.setdefault((reading.site, reading.device, reading.time_s), {}).update(reading.values)
    expected = {(r.site, r.device, r.time_s): dict(r.values) for tick in some for r in tick.readings}
    assert found == expected
    assert totals.messages_published == len(publisher.published)
    assert totals.readings == 2 * len(some)


def test_truth_is_told_before_the_first_bad_reading_and_after_the_last(rows: list[Tick], scenario: Scenario) -> None:
    totals, publisher = run(rows, scenario)
    told = [(topic, json.loads(payload)) for topic, payload in publisher.published]
    at = [index for index, (topic, _) in enumerate(told) if topic.startswith("anomgan/truth/")]
    begin, end = (told[index] for index in at)
    assert begin[0] == end[0] == "anomgan/truth/pump-2"
    assert begin[1] == {
        "state": "begin",
        "device": "pump-2",
        "site": "north",
        "kind": "stuck",
        "channels": ["flow"],
        "severity": 1.0,
        "ramp_s": 0.0,
        "recovery_s": 0.0,
        "start": "2024-01-01T00:01:40Z",
        "end": "2024-01-01T00:03:20Z",
        "start_s": scenario.start_s + 100.0,
        "end_s": scenario.start_s + 200.0,
    }
    assert end[1] == begin[1] | {"state": "end"}
    between = [message["ts"] for topic, message in told[at[0] + 1 : at[1]] if "pump-2" in topic]
    assert (between[0], between[-1]) == (scenario.start_s + 100.0, scenario.start_s + 196.0)
    assert (totals.messages_published, totals.truth_published, totals.faults) == (200, 2, 1)


def test_the_truth_file_holds_what_its_topic_told(rows: list[Tick], scenario: Scenario, tmp_path: Path) -> None:
    publisher, clock = MemoryPublisher(), Clock()
    with json_lines(tmp_path / "truth.jsonl") as add:
        play(rows, publisher, scenario.config.output, Pace(0, clock.now, clock.wait), scenario.start_s, clock.now, add)
    written = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert written == [json.loads(payload) for topic, payload in publisher.published if "truth" in topic]
    assert len(written) == 2


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_of_the_truth_is_that_of_a_data_set_also_of_a_run_that_is_stopped(
    ending: str, rows: list[Tick], scenario: Scenario, tmp_path: Path
) -> None:
    path, clock = tmp_path / f"truth.{ending}", Clock()
    clock.stop_at = 1000.0 + 150 / 20
    with truth_file(path, devices_of(scenario)) as add:
        add(run_record([], scenario.start_s, scenario.start_s, ended=False))
        add(incident_record(Incident("north", "pump-1", "outage", 40.0, math.inf), "begin", scenario.start_s))
        pace = Pace(20, clock.now, clock.wait)
        totals = play(rows, MemoryPublisher(), scenario.config.output, pace, scenario.start_s, clock.now, add)
        assert totals.stopped
        assert list(tmp_path.iterdir()) == []
    told = pl.read_parquet(path) if ending == "parquet" else pl.read_csv(path, try_parse_dates=True)
    begins = scenario.config.clock.start
    at = [begins + timedelta(seconds=seconds) for seconds in (40, 100, 200)]
    assert told.rows() == [
        ("north", "pump-1", "pump", "outage", told["channels"][0], 1.0, None, None, at[0], None, "network"),
        ("north", "pump-2", "pump", "stuck", "flow", 1.0, 0.0, 0.0, at[1], at[2], "fault"),
    ]
    assert not told["channels"][0]
    assert told.columns == truth_table([]).columns


def test_a_table_of_the_truth_is_written_also_where_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(Unreachable), truth_file(tmp_path / "truth.csv", []):
        raise Unreachable("gone")
    assert (tmp_path / "truth.csv").read_text().startswith("site,device,device_kind,kind,channels,")
    with pytest.raises(DataError, match=r"no/truth\.csv: cannot be written"), truth_file(tmp_path / "no/truth.csv", []):
        pytest.fail("too late")


def test_rows_are_published_when_they_are_due(rows: list[Tick], scenario: Scenario) -> None:
    clock = Clock()
    totals, _ = run(rows, scenario, speed=20.0, clock=clock)
    assert clock.time == pytest.approx(1000.0 + 99 * 4.0 / 20.0)
    assert totals.late_s == 0
    assert totals.seconds == pytest.approx(19.8)


def test_as_fast_as_possible_waits_for_nothing(rows: list[Tick], scenario: Scenario) -> None:
    clock = Clock()
    run(rows, scenario, speed=0.0, clock=clock)
    assert clock.time == 1000.0


def test_a_row_that_is_late_is_published_and_counted_as_late_and_the_next_catch_up(
    rows: list[Tick], scenario: Scenario
) -> None:
    clock = Clock()
    clock.extra = 0.5  # each wait; a row is due every 0.2 s
    totals, publisher = run(rows[:50], scenario, speed=20.0, clock=clock)
    assert totals.rows == 50
    assert len(publisher.published) == 100 + totals.truth_published
    assert totals.late_s == pytest.approx(50 * 0.5 - 49 * 0.2)


def test_told_to_stop_it_ends_after_the_row_under_way(rows: list[Tick], scenario: Scenario) -> None:
    clock = Clock()
    clock.stop_at = 1005.0
    totals, publisher = run(rows, scenario, speed=20.0, clock=clock)
    assert totals.stopped
    assert totals.rows == 25
    assert totals.messages_published == 50 == sum("truth" not in topic for topic, _ in publisher.published)


def test_a_lost_broker_is_an_error_not_a_silence(rows: list[Tick], scenario: Scenario) -> None:
    publisher, clock = MemoryPublisher(), Clock()
    publisher.connected = False
    with pytest.raises(Unreachable):
        play(rows, publisher, OutputConfig(), Pace(0, clock.now, clock.wait), 0.0, clock.now)
    with pytest.raises(Unreachable, match="not acknowledged everything"):
        play([], publisher, OutputConfig(), Pace(0, clock.now, clock.wait), 0.0, clock.now)


def test_progress_is_told_from_time_to_time(rows: list[Tick], scenario: Scenario) -> None:
    clock, heard = Clock(), list[tuple[int, int]]()
    pace = Pace(20.0, clock.now, clock.wait)
    play(
        rows,
        MemoryPublisher(),
        scenario.config.output,
        pace,
        0.0,
        clock.now,
        report=lambda totals, tick: heard.append((totals.rows, tick.row)),
    )
    assert [row for _, row in heard] == pytest.approx([25, 50, 75], abs=2)
    assert all(count == row + 1 for count, row in heard)
    assert REPORT_S == 5.0


def recorded() -> TimeSeries:
    times = np.array([100.0, 101.0, 103.5, 104.0, 200.0, 201.0])
    values = np.array([[1.0, 2.0], [1.5, np.nan], [2.0, 2.0], [2.5, 1.0], [3.0, 0.0], [3.5, 0.5]])
    labels = np.array([False, True, True, False, False, True])
    return TimeSeries(times, values, ("flow", "pressure"), labels, device="bench")


def test_a_replay_keeps_times_gaps_and_missing_values() -> None:
    series, clock, publisher = recorded(), Clock(), MemoryPublisher()
    output = OutputConfig(topic="plant/{device}")
    play(replay(series), publisher, output, Pace(10.0, clock.now, clock.wait), 100.0, clock.now)
    sent = [json.loads(payload) for topic, payload in publisher.published if topic == "plant/bench"]
    assert [message["ts"] for message in sent] == series.times.tolist()
    assert [message["flow"] for message in sent] == series.values[:, 0].tolist()
    assert [message["pressure"] for message in sent] == [2.0, None, 2.0, 1.0, 0.0, 0.5]
    assert clock.time == pytest.approx(1000.0 + 101.0 / 10.0)


def test_labelled_stretches_of_a_replay_are_its_ground_truth() -> None:
    happened = [(tick.row, [f.kind for f in tick.begun], [f.kind for f in tick.ended]) for tick in replay(recorded())]
    assert [row for row, begun, _ in happened if begun] == [1, 5]
    assert [row for row, _, ended in happened if ended] == [2, 5]
    first = next(tick.begun[0] for tick in replay(recorded()) if tick.begun)
    assert (first.kind, first.device, first.channels, first.start_s) == ("labelled", "bench", (), 1.0)
    assert first.end_s == 3.5 + recorded().period_s


# ---------------------------------------------------------------- the command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `anomgan simulate ...` in a folder with plant.toml and bench.csv: (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    Path("plant.toml").write_text(PLANT)
    lines = [f"2024-01-01 00:00:{second:02};{second * 0.5};{second % 3};{int(second > 7)}" for second in range(10)]
    Path("bench.csv").write_text("\n".join(["datetime;flow;pressure;anomaly", *lines]))

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["simulate", *arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return command


def test_check_says_what_would_be_published(command: Command, scenario: Scenario) -> None:
    status, out, _ = command("plant.toml", "--check")
    assert status == 0
    assert "pump-1 to pump-2 at north (pump): flow [m³/h], " in out
    assert "run: 100 rows, one each 4 s from 2024-01-01 00:00:00 UTC, 20 times as fast as life" in out
    assert "fault: rows 25 to 49, pump-2: stuck of flow, severity 1" in out
    flow = simulate(scenario, 0, 1)[0].values[0, 0]
    assert f'plant/north/pump-1/telemetry {{"ts":1704067200.0,"flow":{flow}' in out


def test_options_stand_above_the_file(command: Command) -> None:
    status, out, _ = command(
        "plant.toml", "--check", "--speed", "max", "--start", "2024-02-01", "--seed", "3", "--rows", "50:60",
        "--topic", "x/{site}/{device}", "--dialect", "array",
    )  # fmt: skip
    assert status == 0
    assert "from 2024-02-01 00:00:00 UTC, as fast as possible" in out
    assert 'x/north/pump-1 [{"ts":1706745800.0' in out


def test_a_recorded_file_is_checked_the_same_way(command: Command) -> None:
    status, out, _ = command("--replay", "bench.csv", "--label", "anomaly", "--rows", "2:", "--check")
    assert status == 0
    assert "bench.csv: 8 rows of 2 channels, 1 s apart" in out
    assert 'plant/bench/telemetry {"ts":1704067202.0,"flow":1.0,"pressure":2.0}' in out
    _, out, _ = command(
        "--replay", "bench.csv", "--device", "p1", "--ignore", "anomaly,flow", "--start", "now", "--check"
    )
    assert "plant/p1/telemetry" in out
    assert "flow" not in out
    assert read_series("bench.csv", label="anomaly").labels is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a CONFIG or --replay FILE"),
        (("nothing.toml",), "nothing.toml: no such file"),
        (("--replay", "nothing.csv"), "nothing.csv: no such file"),
        (("--replay", "bench.csv", "--time", "datetim"), "no column 'datetim'; did you mean 'datetime'?"),
        (("--replay", "bench.csv", "--seed", "3"), "--seed does not go with --replay"),
        (("--replay", "bench.csv", "--seed", "0"), "--seed does not go with --replay"),
        (("--replay", "bench.csv", "--topic", "a/{site}/{device}"), "give --site"),
        (("--replay", "bench.csv", "--topic", "a/{devise}"), "unknown placeholder {devise}"),
        (("--replay", "bench.csv", "--topic", "a/+/{device}"), "a topic to publish to cannot have +"),
        (("--replay", "bench.csv", "--dialect", "metric"), "dialect 'metric' needs {channel} in the topic"),
        (("--replay", "bench.csv", "--device", "a/b"), "device name 'a/b'"),
        (("--replay", "bench.csv", "--rows", "20:"), "rows 20: of a file with 10 rows"),
        (("plant.toml", "--time", "datetime"), "--time goes with --replay"),
        (("plant.toml", "--rows", "100:"), "rows 100: of a run of 100 rows"),
        (("plant.toml", "--rows", "-5:"), "go from a row up to a later one"),
        (("plant.toml", "--rows", "5:5"), "go from a row up to a later one"),
        (("plant.toml", "--rows", "a:b"), "is not START:STOP"),
        (("plant.toml", "--speed", "0"), "neither a positive number nor max"),
        (("plant.toml", "--speed", "nan"), "neither a positive number nor max"),
        (("plant.toml", "--start", "yesterday"), "neither now nor a time"),
        (("plant.toml", "--broker", "host:port"), "is not HOST or HOST:PORT"),
        (("plant.toml", "--broker", "host:70000"), "is not HOST or HOST:PORT"),
        (("plant.toml", "--broker", "127.0.0.1:1"), "MQTT broker 127.0.0.1:1"),
        (
            ("plant.toml", "--broker", "127.0.0.1:1", "--ca-file", "x"),
            "broker: ca_file is given, yet without tls = true",
        ),
        (("--replay", "bench.csv", "--cert-file", "x"), "anomgan simulate: cert_file is given, yet without tls = true"),
        (("--replay", "bench.csv", "--password-env", "P"), "password_env is given without a username"),
        (("plant.toml", "--to-csv", "set", "--tls"), "--tls does not go with --to-parquet or --to-csv"),
        (("plant.toml", "--summary", "no/such/folder/sum.json"), "no/such/folder/sum.json: cannot be written"),
        (("plant.toml", "--summary", "."), ".: cannot be written: a directory"),
        (("plant.toml", "--summary", "x" * 256), "cannot be written: File name too long"),
        (("plant.toml", "--summary", "one", "--truth", "./one"), "--truth and --summary name one file, one"),
        (("--replay", "bench.csv", "--summary", "no/sum.json"), "no/sum.json: cannot be written"),
        (("plant.toml", "--seed", "9223372036854775808"), "is not in the range"),
        (("plant.toml", "--start", "0001-01-01"), "clock.start: a run begins between 1970 and 9000"),
        (("plant.toml", "--truth", "no/such/folder/truth.jsonl"), "no/such/folder/truth.jsonl: cannot be written"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(command: Command, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = command(*arguments)
    assert status == 2
    assert out == ""
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err


def test_hosts_are_read_as_people_write_them() -> None:
    def read(text: str) -> object:
        return parse_broker(None, None, text)  # type: ignore[arg-type]  # the callback looks at neither

    assert read("plant.example") == {"host": "plant.example"}
    assert read("plant.example:1884") == {"host": "plant.example", "port": 1884}
    assert read("[::1]:1884") == {"host": "::1", "port": 1884}
    assert read("[::1]") == read("::1") == {"host": "::1"}
    assert read("fe80::1:2:8883") == {"host": "fe80::1:2:8883"}
    assert read("2001:db8:0:0:0:0:0:1") == {"host": "2001:db8:0:0:0:0:0:1"}
    for wrong in (
        "",
        ":1883",
        "host:",
        "host:0",
        "host:65536",
        "host:١٢",
        "a:b:1883",
        "[host]:1883",
        "[::1",
        "[::1]x",
        "::g",
    ):
        with pytest.raises(click.BadParameter, match="is not HOST or HOST:PORT"):
            read(wrong)


def test_without_a_port_that_of_the_file_stays_and_without_a_file_it_is_1883(command: Command) -> None:
    Path("tls.toml").write_text("[broker]\nhost = 'there'\nport = 8883\ntls = true\n" + PLANT)
    kept, _ = broker_and_speed(Path("tls.toml"), {"broker": {"host": "here"}})
    assert (kept.host, kept.port, kept.tls) == ("here", 8883, True)
    other, _ = broker_and_speed(None, {"broker": {"host": "here"}, "clock": {}})
    assert (other.host, other.port, other.tls) == ("here", 1883, False)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("topic = 'plant/telemetry'", "output: topic template 'plant/telemetry': it has no {device}"),
        ("topic = 'plant/{devce}'", "output: topic template 'plant/{devce}': unknown placeholder {devce}"),
        ("dialect = 'metric'", "output: topic template 'plant/{site}/{device}/telemetry': dialect 'metric' needs"),
        ("time_key = 'flow'", "output: channel 'flow' has the name of the payload's time or device key"),
        ("truth = 'truth/#'", "output.truth: topic template 'truth/#': a topic to publish to cannot have"),
        ("truth = 'truth/{channel}'", "output.truth: a fault is no channel's: {channel} has no place in it"),
    ],
)
def test_what_is_wrong_with_the_output_names_file_and_key(command: Command, output: str, message: str) -> None:
    Path("wrong.toml").write_text(f"{PLANT}[output]\n{output}\n")
    status, _, err = command("wrong.toml", "--check")
    assert status == 2
    assert err.startswith(f"anomgan: error: wrong.toml: {message}")


def test_how_to_get_in_is_an_option_of_a_replay_too(command: Command) -> None:
    Path("password").write_text("x")
    access = ("--username", "me", "--password-file", "password", "--tls", "--ca-file", "no.pem")
    for what in (("--replay", "bench.csv"), ("plant.toml",)):
        status, _, err = command(*what, "--broker", "127.0.0.1:1", *access)
        assert status == 2
        assert "no.pem" in err


def test_the_simulator_needs_no_torch() -> None:
    program = "import sys, anomgan_simulator.compose, anomgan.simulate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
