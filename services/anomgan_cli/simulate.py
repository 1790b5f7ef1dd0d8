"""`anomgan simulate CONFIG`: devices that fail on schedule, or a recorded file, published over MQTT."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.inputs import describe, ignore_option, rows_option, time_option

if TYPE_CHECKING:
    from anomgan.records import TimeSeries
    from anomgan.simulate import ScenarioConfig, Tick
    from anomgan_simulator.compose import Job
    from anomgan_simulator.play import Totals

Changes = Mapping[str, Mapping[str, Any]]
"""table -> key -> what the command line says, None where it says nothing"""


def parse_dialect(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A name of `anomgan.config.DialectName`, which is imported only when it is asked for."""
    if value is not None:
        from typing import get_args

        from anomgan.config import DialectName

        if value not in get_args(DialectName):
            raise click.BadParameter(f"{value!r} is none of {', '.join(get_args(DialectName))}")
    return value


def parse_speed(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`20` -> 20.0, `max` -> 0.0."""
    if value is None or value == "max":
        return None if value is None else 0.0
    try:
        speed = float(value)
    except ValueError:
        speed = -1.0
    if not 0 < speed < float("inf"):
        raise click.BadParameter(f"{value!r} is neither a positive number nor max")
    return speed


def parse_broker(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any]:
    """`plant.example:1884` -> host and port; the port may be left out."""
    if value is None:
        return {}
    host, colon, port = value.rpartition(":")
    if not colon or host.endswith(":") or value.endswith("]"):  # a bare name, or a bare IPv6 address
        host, port = value, "1883"
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{value!r} is not HOST or HOST:PORT")
    return {"host": host.strip("[]"), "port": int(port)}


def parse_start(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """`now` or an ISO 8601 time, in UTC where it names no zone."""
    if value is None or value == "now":
        return None if value is None else datetime.now(UTC).replace(microsecond=0)
    try:
        start = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither now nor a time such as 2024-01-01T00:00:00Z") from None
    return start if start.tzinfo is not None else start.replace(tzinfo=UTC)


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--replay", "recorded", metavar="FILE", type=click.Path(path_type=Path), help="Play this CSV or Parquet.")
@time_option
@ignore_option
@click.option("--label", metavar="COLUMN", help="Column of 0 and 1 that becomes ground truth, not a channel.")
@click.option("--device", help="Name of the replayed device.  [default: the file's name]")
@click.option("--site", default="", help="Site of the replayed device, for topics with {site}.")
@rows_option
@click.option("--speed", callback=parse_speed, metavar="N|max", help="N times faster than life, or as fast as it goes.")
@click.option("--start", callback=parse_start, metavar="TIME", help="Event time of row 0: ISO 8601, or now.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed: other devices, noise and random faults.")
@click.option("--broker", callback=parse_broker, metavar="HOST:PORT", help="Where to publish.")
@click.option("--topic", help="Topic template, such as plant/{site}/{device}/telemetry.")
@click.option(
    "--dialect",
    callback=parse_dialect,
    metavar="NAME",
    help="How readings are written; configs/detector.toml lists the names.",
)
@click.option("--truth", metavar="FILE", type=click.Path(path_type=Path), help="Write the ground truth, JSON lines.")
@click.option("--summary", metavar="FILE", type=click.Path(path_type=Path), help="Write the totals as JSON at the end.")
@click.option("--check", "only_check", is_flag=True, help="Say what would be published, and publish nothing.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
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
    truth: Path | None,
    summary: Path | None,
    only_check: bool,
    quiet: bool,
) -> None:
    """Publish telemetry over MQTT: of the simulated plant that CONFIG describes, or of a recorded file.

    \b
    anomgan simulate simulate.toml
    anomgan simulate simulate.toml --rows :3000 --speed max       the first 3,000 rows at once
    anomgan simulate simulate.toml --rows 3000: --speed 20        the rows after those, as if it had never stopped
    anomgan simulate --replay pump.csv --time datetime --speed 100 --broker localhost:1883

    A simulated run depends on its file and seed only, not on speed, rows or how often it is stopped. Faults that the
    scenario plans are published as ground truth when they begin and when they end. A replay keeps the file's own
    times and gaps; with CONFIG its [broker] and [output] are used.

    Rows that are late are published late, and the worst delay is told at the end; none is skipped. Ctrl-C (or
    SIGTERM) ends the run with everything delivered that was begun. configs/simulate.toml explains every key.
    """
    from anomgan_simulator import compose
    from anomgan_simulator.describe import describe_progress, describe_totals

    if recorded is None and config is None:
        raise click.UsageError("give a CONFIG or --replay FILE")
    only_replay = {"--time": time, "--ignore": ignore, "--label": label, "--device": device, "--site": site}
    wrong = [option for option, given in only_replay.items() if given] if recorded is None else []
    wrong += ["--seed"] if recorded is not None and seed is not None else []
    if wrong:
        raise click.UsageError(f"{wrong[0]} {'goes' if recorded is None else 'does not go'} with --replay")
    changes: Changes = {
        "broker": broker,
        "output": {"topic": topic, "dialect": dialect},
        "clock": {"speed": speed, "seed": seed, "start": start},
    }
    if recorded is not None:
        series = read_recorded(recorded, time, ignore, label, device, rows, start)
        job, lines = replay_job(config, changes, series, site), [describe(recorded, series)]
    else:
        assert config is not None  # noqa: S101 the type checker cannot see the first error above
        job, lines = scenario_job(config, changes, rows, in_words=only_check)
    if only_check:
        for line in (*lines, *describe_first(job)):
            click.echo(line)
        return

    def report(totals: "Totals", tick: "Tick") -> None:
        click.echo(describe_progress(totals, tick), err=True)

    totals = compose.run(job, truth=truth, summary=summary, report=None if quiet else report)
    click.echo(describe_totals(totals))


def load_tables(path: Path, changes: Changes) -> "ScenarioConfig":
    """The tables of the file with the options that were given laid over them."""
    from anomgan.adapters.files import read_config
    from anomgan.simulate import ScenarioConfig

    tables = read_config(path, ScenarioConfig)
    return tables.model_copy(
        update={name: getattr(tables, name).model_copy(update=given(table)) for name, table in changes.items()}
    )


def given(table: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {key: value for key, value in table.items() if value is not None}


def scenario_job(path: Path, changes: Changes, rows: slice, *, in_words: bool) -> "tuple[Job, list[str]]":
    """The rows of the run that `--rows` asks for, and the scenario in words where they are wanted."""
    from anomgan.simulate import Network, check_scenario, ticks
    from anomgan_simulator.announce import devices_of
    from anomgan_simulator.compose import Job
    from anomgan_simulator.describe import describe_scenario

    first = rows.start or 0
    if first < 0 or (rows.stop is not None and rows.stop <= first):
        raise click.BadParameter("--rows of a simulated run go from a row up to a later one, such as 3000: or :3000")
    tables = load_tables(path, changes)
    scenario = check_scenario(tables, str(path))
    selected = ticks(scenario, first, None if rows.stop is None else rows.stop - first)
    network = None
    if scenario.network is not None:  # which has to hear of the rows before, too
        network, selected = Network(scenario.network, first, rows.stop), ticks(scenario, 0, rows.stop)
    job = Job(
        selected,
        tables.broker,
        tables.output,
        tables.clock.speed,
        scenario.start_s,
        network,
        devices=devices_of(scenario),
        period_s=scenario.period_s,
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
    from anomgan.config import BrokerConfig
    from anomgan.simulate.scenario import ClockConfig, OutputConfig
    from anomgan_simulator.compose import Job
    from anomgan_simulator.replay import replay

    if path is not None:
        tables = load_tables(path, changes)
        broker, output, speed = tables.broker, tables.output, tables.clock.speed
    else:
        broker = BrokerConfig(**given(changes["broker"]))
        output = OutputConfig(**{"topic": "plant/{device}/telemetry", **given(changes["output"])})
        speed = ClockConfig(**given(changes["clock"])).speed
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
