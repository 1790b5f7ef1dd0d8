"""`anomgan reliability`: whether the alarm budget keeps its promise on normal data."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.inputs import (
    ignore_option,
    make_folder,
    out_option,
    read_for_model,
    rows_option,
    steps_option,
    suite_option,
    time_option,
)
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.config import DetectorConfig
    from anomgan_benchmark.promise import Reliability

SCENARIO, MODEL = ".toml", ".safetensors"
GO_WITH = {
    "a scenario": ("train_days", "seed", "steps"),
    "a model": ("time", "ignore", "rows"),
    "--data": ("suites", "seed", "steps"),
}
"""What is measured -> the options that have a meaning for it"""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[SCENARIO | MODEL CSV...]")
@out_option
@click.option(
    "--train-days",
    type=click.FloatRange(min=0.0, min_open=True),
    default=7.0,
    show_default=True,
    help="Days of the scenario to learn from.",
)
@click.option("--data", type=click.Path(path_type=Path), help="The folder that holds the labelled data sets.")
@suite_option("smd,asd", "Data sets, as for `anomgan benchmark`.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the simulated fleet and of the training.")
@steps_option
@time_option
@ignore_option
@rows_option
@click.pass_context
def reliability(
    context: click.Context,
    files: tuple[Path, ...],
    out: Path,
    train_days: float,
    data: Path | None,
    suites: Sequence[str],
    seed: int | None,
    steps: int | None,
    time: str | None,
    ignore: Sequence[str],
    rows: slice,
) -> None:
    """Count the alarms that normal data raise, at several alarm budgets, and hold them against what was promised.

    \b
    anomgan reliability normal-fleet.toml --train-days 7 --out reliability       a simulated fleet without faults
    anomgan reliability pump.safetensors may.csv june.csv --out reliability     your model, your normal data
    anomgan reliability --data datasets --suite smd,asd --out reliability       normal rows of labelled data sets

    A SCENARIO (.toml, as for `anomgan simulate`) is simulated as fast as it goes; a detector for each kind of device
    learns from the first days of all of them and watches the rest. The files after a MODEL (.safetensors) are a device
    each, and their rows count as normal. Of a data set every series has a detector that learned from its training part
    and watches the rows of its test part that have no label.

    Also told is how often a surprise is reached, against the probability that it claims. OUT gets reliability.json
    and reliability.png.
    """
    from importlib.metadata import version

    from anomgan.adapters.files import write_bytes
    from anomgan.config import DetectorConfig, parse_config
    from anomgan_cli.benchmark_plots import reliability_plot

    what = measured(files, data)
    check_options(context, what)
    given = {key: value for key, value in (("seed", seed), ("steps", steps)) if value is not None}
    config = parse_config(DetectorConfig, given, "anomgan reliability")
    make_folder(out)
    facts: dict[str, Any] = given
    if data is not None:
        facts |= {"data": str(data)}
        results = of_suites(data, suites, config)
    elif what == "a scenario":
        facts |= {"scenario": str(files[0]), "train_days": train_days}
        results = of_scenario(files[0], train_days, seed, config)
    else:
        facts |= {"model": str(files[0]), "files": [str(path) for path in files[1:]]}
        results = of_model(files[0], files[1:], time, ignore, rows)
    told = []
    for result in results:
        say(f"\n{describe(result)}\n")
        told.append(result)
    document = facts | {"anomgan": version("anomgan"), "reliability": [result.as_dict() for result in told]}
    for name, content in (
        ("reliability.json", (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()),
        ("reliability.png", reliability_plot(told)),
    ):
        write_bytes(out / name, content)
        say(f"wrote {out / name}")


def measured(files: Sequence[Path], data: Path | None) -> str:
    """Which of GO_WITH the arguments ask for, told apart by their suffixes."""
    if data is not None:
        if files:
            raise click.UsageError(f"give --data or {files[0]}, not both")
        return "--data"
    if not files:
        raise click.UsageError("give a SCENARIO, a MODEL with CSV files, or --data")
    kind = files[0].suffix.lower()
    if kind == SCENARIO:
        if len(files) > 1:
            raise click.UsageError(f"{files[1]}: a SCENARIO stands alone")
        return "a scenario"
    if kind != MODEL:
        raise click.UsageError(f"{files[0]}: neither a SCENARIO ({SCENARIO}) nor a MODEL ({MODEL})")
    if len(files) == 1:
        raise click.UsageError(f"{files[0]}: give files of normal data after the MODEL")
    return "a model"


def check_options(context: click.Context, what: str) -> None:
    """UsageError for an option that was given although it has no meaning here."""
    for parameter in context.command.params:
        name = str(parameter.name)
        known = {option for options in GO_WITH.values() for option in options}
        source = context.get_parameter_source(name)
        if name in known - set(GO_WITH[what]) and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} does not go with {what}")


# ---------------------------------------------------------------- what is measured


def of_scenario(path: Path, train_days: float, seed: int | None, config: "DetectorConfig") -> "Iterator[Reliability]":
    """The devices of a scenario without faults, kind by kind."""
    from tqdm import tqdm

    from anomgan.detector import Detector
    from anomgan.simulate import check_scenario
    from anomgan_benchmark.promise import reliability, simulated_fleets, watch
    from anomgan_cli.simulate_tables import load_tables, models_beside

    show = sys.stderr.isatty()
    tables = load_tables(path, {"clock": {"seed": seed}})
    scenario = check_scenario(tables, str(path), published=False, open_model=models_beside(path))
    devices = sum(len(group.names) for group in scenario.groups)
    with tqdm(total=scenario.rows, desc=f"simulating {devices} devices", unit="row", disable=not show) as bar:
        fleets = simulated_fleets(scenario, str(path), train_days, bar.update)
    for kind, (train, rest) in fleets.items():
        detector = Detector.fit(train, config, progress=show)
        shown = tqdm(rest, desc="watching", unit="device", disable=not show)
        yield reliability(kind, [watch(detector, series) for series in shown])


def of_model(
    model: Path, files: Sequence[Path], time: str | None, ignore: Sequence[str], rows: slice
) -> "Iterator[Reliability]":
    """A model that is there, on files of normal data."""
    from anomgan.detector import Detector
    from anomgan_benchmark.promise import reliability, watch

    detector = Detector.load(model)
    least = detector.rule.window
    several = [read_for_model(detector, path, time, None, ignore, rows, least=least) for path in files]
    yield reliability(str(model), [watch(detector, one) for one in several])


def of_suites(data: Path, suites: Sequence[str], config: "DetectorConfig") -> "Iterator[Reliability]":
    """The rows without a label of every series of the suites, a detector each."""
    from dataclasses import replace

    from anomgan.detector import Detector
    from anomgan.errors import DataError
    from anomgan_benchmark.promise import reliability, watch
    from anomgan_benchmark.suites import open_suite

    for suite, listing in [(suite, open_suite(suite, data)) for suite in suites]:
        watches = []
        for name, read in _shown(listing, suite):
            try:
                series = read()
                detector = Detector.fit(series.train, config)
                watches.append(watch(detector, replace(series.test, device=name)))
            except DataError as error:
                raise DataError(f"suite {suite}, {name}: {error}") from None
        yield reliability(suite, watches)


def _shown(listing: Mapping[str, Callable[[], Any]], suite: str) -> Iterable[tuple[str, Callable[[], Any]]]:
    """A bar with the time left on a terminal, a line for each series elsewhere."""
    from tqdm import tqdm

    with tqdm(total=len(listing), desc=suite, unit="series", disable=not sys.stderr.isatty()) as bar:
        for name, read in listing.items():
            bar.set_postfix_str(name)
            yield name, read
            bar.update()
            if bar.disable:
                say(f"{suite} {name}: done", err=True)


# ---------------------------------------------------------------- in words


def describe(result: "Reliability") -> str:
    """Both claims as aligned text, and which promises were not kept or cannot be told."""
    plural = "" if result.devices == 1 else "s"
    head = (
        f"{result.name}: {result.devices} device{plural}, {result.weeks:.1f} device-weeks, {result.windows:,} windows"
    )
    alarms = [["alarms a week and device", "given", "ratio", "95 % interval", "events", "most on one device"]]
    for row in result.alarms:
        most = f"{row.most:.3g} ({row.device})" if row.events else "-"
        given = [f"{row.given:.3g}", f"{row.ratio:.2f}", f"[{row.low:.3g}, {row.high:.3g}]"]
        alarms.append([f"{row.promised:g} promised", *given, f"{row.events:,}", most])
    odds = [["windows of a surprise from", "observed", "ratio", "95 % interval", "windows", "clusters"]]
    for level in result.odds:
        given = [f"{level.observed:.2g}", f"{level.ratio:.2f}", f"[{level.low:.2g}, {level.high:.2g}]"]
        claimed = f"{level.surprise:.1f}: {level.claimed:.2g} claimed"
        odds.append([claimed, *given, f"{level.windows:,}", f"{level.clusters:,}"])
    note = []
    if broken := [f"{row.promised:g}" for row in result.alarms if row.broken]:
        note.append(f"  ! off by more than a factor of 2 at {', '.join(broken)}")
    if unsure := [f"{row.promised:g}" for row in result.alarms if not row.kept and not row.broken]:
        note.append(f"    too few alarms to tell whether within a factor of 2 at {', '.join(unsure)}")
    return "\n".join([head, "", *_aligned(alarms), *note, "", *_aligned(odds)])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells as columns, the first to the left and numbers to the right."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    return [
        "  ".join([f"  {row[0]:<{widths[0]}}", *(f"{cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
