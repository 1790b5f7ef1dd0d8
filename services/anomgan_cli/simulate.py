"""`anomgan simulate CONFIG`: devices that fail on schedule, or what was recorded, over MQTT or as a data set."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.broker_access import access_options, parse_broker
from anomgan_cli.inputs import describe, ignore_option, rows_option, time_option
from anomgan_cli.simulate_capture import parse_renames, replay_capture
from anomgan_cli.simulate_dataset import make_dataset
from anomgan_cli.simulate_options import Task, check_files, parse_dialect, parse_speed, parse_start, refuse_strays
from anomgan_cli.simulate_tables import Changes, broker_and_speed, check_output, given, load_tables, models_beside
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.records import TimeSeries
    from anomgan.simulate import Tick
    from anomgan_simulator.compose import Job
    from anomgan_simulator.dataset import Form
    from anomgan_simulator.play import Totals


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option(
    "--replay",
    "recorded",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Play this CSV or Parquet, or what `anomgan record` has kept.",
)
@time_option
@ignore_option
@click.option("--label", metavar="COLUMN", help="Column of 0 and 1 that becomes ground truth, not a channel.")
@click.option("--device", help="Name of the replayed device.  [default: the file's name]")
@click.option("--site", default="", help="Site of the replayed device, for topics with {site}.")
@rows_option
@click.option("--speed", callback=parse_speed, metavar="N|max", help="N times faster than life, or as fast as it goes.")
@click.option("--start", callback=parse_start, metavar="TIME", help="Event time of row 0: ISO 8601, or now.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Another seed: other devices, noise and random faults.")
@click.option("--broker", callback=parse_broker, metavar="HOST[:PORT]", help="Where to publish.")
@click.option("--topic", help="Topic template, such as plant/{site}/{device}/telemetry.")
@click.option(
    "--dialect",
    callback=parse_dialect,
    metavar="NAME",
    help="How readings are written; configs/detector.toml lists the names.",
)
@click.option(
    "--rename",
    "renames",
    multiple=True,
    callback=parse_renames,
    metavar="FROM=TO",
    help="Of a capture: topics that begin with FROM begin with TO; =copy/ goes before all. May come again.",
)
@click.option("--to-parquet", metavar="DIR", type=click.Path(path_type=Path), help="Write a data set, publish nothing.")
@click.option("--to-csv", metavar="DIR", type=click.Path(path_type=Path), help="The same as CSV.")
@click.option(
    "--days", type=click.FloatRange(0, min_open=True), help="Length of a data set.  [default: the scenario's]"
)
@click.option(
    "--train-days", type=click.FloatRange(0, min_open=True), help="Its first days, without a fault.  [default: a third]"
)
@click.option(
    "--truth",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the ground truth: .csv, .parquet or JSON lines.",
)
@click.option("--summary", metavar="FILE", type=click.Path(path_type=Path), help="Write the totals as JSON at the end.")
@click.option("--control", is_flag=True, help="Take requests to inject faults while it runs; see [control].")
@click.option("--check", "only_check", is_flag=True, help="Say what would be published, and publish nothing.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@access_options
def simulate(
    config: Path | None,
    recorded: Path | None,
    time: str | None,
    ignore: Sequence[str],
    label: str | None,
    device: str | None,
    site: str,
    rows: slice,
    speed: float | None,
    start: datetime | None,
    seed: int | None,
    broker: dict[str, Any],
    topic: str | None,
    dialect: str | None,
    renames: Sequence[tuple[str, str]],
    to_parquet: Path | None,
    to_csv: Path | None,
    days: float | None,
    train_days: float | None,
    truth: Path | None,
    summary: Path | None,
    control: bool,
    only_check: bool,
    quiet: bool,
    **access: Any,
) -> None:
    """Publish telemetry over MQTT: of the simulated plant that CONFIG describes, or of a recorded file.

    \b
    anomgan simulate simulate.toml
    anomgan simulate simulate.toml --rows :3000 --speed max       the first 3,000 rows at once
    anomgan simulate simulate.toml --rows 3000: --speed 20        the rows after those, as if it had never stopped
    anomgan simulate --replay pump.csv --time datetime --speed 100 --broker localhost:1883
    anomgan simulate --replay capture.jsonl --speed max --rename plant/=copy/     what `anomgan record` has kept
    anomgan simulate simulate.toml --to-parquet set --days 30 --seed 1            a data set with labels

    Devices of CONFIG are of a `kind` (see `anomgan kinds`), or, with engine = "gan" and model = "FILE", behave like the
    recording that FILE of `anomgan train --synthesizer` has learned from; `given` says under which conditions.

    A simulated run depends on its files and seed only, not on speed, rows or how often it is stopped. Faults that the
    scenario plans are published as ground truth when they begin and when they end. A replay keeps the file's own
    times and gaps; with CONFIG its [broker] and [output] are used. A capture is played message by message with its own
    topics, QoS, retain flags and payloads: to the byte, so that times that stand in payloads stay those of the
    recording.

    --to-parquet writes each device's first days, in which nothing fails, to DIR/train and those that follow to
    DIR/test, with a column `label`; what fails when stands in DIR/truth.csv and truth.parquet, all else in
    DIR/manifest.json. The scenario's faults count from the beginning of the test set. The same scenario and seed
    give the same bytes.

    --truth writes JSON lines as they are told on the topic; a FILE that ends in .csv or .parquet gets a row for each
    fault and, as domain `network`, for each incident, when the run ends, by Ctrl-C too.

    Rows that are late are published late, and the worst delay is told at the end; none is skipped. Ctrl-C (or
    SIGTERM) ends the run with everything delivered that was begun. configs/simulate.toml explains every key.
    """
    from anomgan.adapters.capture_file import is_capture
    from anomgan_simulator import compose
    from anomgan_simulator.describe import describe_progress, describe_totals

    captured = recorded is not None and is_capture(recorded)
    folder = to_parquet or to_csv
    task: Task = "capture" if captured else "series" if recorded is not None else "data set" if folder else "scenario"
    given_options = {
        "--time": time,
        "--ignore": ignore,
        "--label": label,
        "--device": device,
        "--site": site,
        "--rename": renames,
        "--to-parquet": to_parquet,
        "--to-csv": to_csv,
        "--days": days,
        "--train-days": train_days,
        "--seed": seed,
        "--control": control,
        "--start": start,
        "--topic": topic,
        "--dialect": dialect,
        "--truth": truth,
        "--speed": speed,
        "--broker": broker,
        "--summary": summary,
        "--rows": rows,
        **{f"--{key.replace('_', '-')}": value for key, value in access.items()},
    }
    if recorded is None and config is None:
        raise click.UsageError("give a CONFIG or --replay FILE")
    refuse_strays(task, given_options)
    if to_parquet is not None and to_csv is not None:
        raise click.UsageError("give one of --to-parquet and --to-csv")
    check_files(truth, summary)
    changes: Changes = {
        "broker": broker | {key: value for key, value in access.items() if value},
        "output": {"topic": topic, "dialect": dialect},
        "clock": {"speed": speed, "seed": seed, "start": start},
    }
    if captured:
        assert recorded is not None  # noqa: S101 the type checker cannot see what captured means
        to, pace = broker_and_speed(config, changes)
        replay_capture(recorded, to, pace, rows, renames, summary=summary, only_check=only_check, quiet=quiet)
        return
    if folder is not None:
        assert config is not None  # noqa: S101 the type checker cannot see the last error above
        tables = load_tables(config, changes)
        form: Form = "csv" if to_csv is not None else "parquet"
        make_dataset(tables, config, folder, form, days, train_days, only_check=only_check, quiet=quiet)
        return
    if recorded is not None:
        series = read_recorded(recorded, time, ignore, label, device, rows, start)
        job, lines = replay_job(config, changes, series, site), [describe(recorded, series)]
    else:
        assert config is not None  # noqa: S101 the type checker cannot see the first error above
        job, lines = scenario_job(config, changes, rows, control, only_check)
    if only_check:
        for line in (*lines, *describe_first(job)):
            say(line)
        return

    def report(totals: "Totals", tick: "Tick") -> None:
        say(describe_progress(totals, tick), err=True)

    totals = compose.run(job, truth=truth, summary=summary, report=None if quiet else report)
    say(describe_totals(totals))


def scenario_job(path: Path, changes: Changes, rows: slice, control: bool, in_words: bool) -> "tuple[Job, list[str]]":
    """The rows of the run that `--rows` asks for, and the scenario in words where they are wanted."""
    from anomgan.simulate import LivePlan, Network, check_scenario, ticks
    from anomgan_simulator.announce import devices_of
    from anomgan_simulator.compose import Job
    from anomgan_simulator.control import Control, taken
    from anomgan_simulator.describe import describe_scenario

    first = rows.start or 0
    if first < 0 or (rows.stop is not None and rows.stop <= first):
        raise click.BadParameter("--rows of a simulated run go from a row up to a later one, such as 3000: or :3000")
    tables = load_tables(path, changes)
    scenario = check_scenario(tables, str(path), open_model=models_beside(path))
    check_output(scenario, str(path))
    live = LivePlan(scenario, first, rows.stop) if control or tables.control.enabled else None
    selected = ticks(scenario, first, None if rows.stop is None else rows.stop - first, live)
    network = None
    if scenario.network is not None:  # which has to hear of the rows before, too
        network, selected = Network(scenario.network, first, rows.stop), ticks(scenario, 0, rows.stop, live)
    job = Job(
        selected,
        tables.broker,
        tables.output,
        tables.clock.speed,
        scenario.start_s,
        network,
        devices=devices_of(scenario),
        period_s=scenario.period_s,
        control=None if live is None else Control(taken(tables.control), live),
    )
    return job, [f"{path}: valid", *describe_scenario(scenario)] if in_words else []


def read_recorded(
    path: Path,
    time: str | None,
    ignore: Sequence[str],
    label: str | None,
    device: str | None,
    rows: slice,
    start: datetime | None,
) -> "TimeSeries":
    """The series, moved to another start where one is asked for."""
    from anomgan.adapters.files import read_series

    series = read_series(path, time=time, ignore=ignore, label=label, rows=rows, device=device)
    if start is None:
        return series
    return replace(series, times=series.times - series.times[0] + start.timestamp())


def replay_job(path: Path | None, changes: Changes, series: "TimeSeries", site: str) -> "Job":
    """The recorded device; broker and topics from the file where there is one."""
    from anomgan.simulate.scenario import OutputConfig
    from anomgan_simulator.compose import Job
    from anomgan_simulator.replay import replay

    broker, speed = broker_and_speed(path, changes)
    if path is not None:
        output = load_tables(path, changes).output
    else:
        output = OutputConfig(**{"topic": "plant/{device}/telemetry", **given(changes["output"])})
    if not site and "{site}" in output.topic + output.truth:
        raise click.UsageError(f"the topic {output.topic!r} has {{site}}: give --site")
    one = [{"site": site, "name": series.device}]
    begins_s, period_s = float(series.times[0]), series.period_s
    return Job(replay(series, site), broker, output, speed, begins_s, devices=one, period_s=period_s)


def describe_first(job: "Job") -> Iterator[str]:
    """The messages of the first row; raises what is wrong with names and topics."""
    from anomgan_simulator.compose import check, peek
    from anomgan_simulator.describe import describe_messages
    from anomgan_simulator.play import encoder_of

    begin = 0 if job.network is None else job.network.first_row
    first, _ = peek(tick for tick in job.rows if tick.row >= begin)
    if first is not None:
        check(first, job.output)
        yield from describe_messages(encoder_of(job.output).encode(first.readings))
