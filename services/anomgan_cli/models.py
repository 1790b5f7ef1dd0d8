"""`anomgan models list|train|promote|revert`: the models that a fleet learned by itself."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from anomgan_cli.inputs import moment
from anomgan_cli.models_shown import (
    detector_config,
    history_lines,
    model_line,
    needs_of,
    open_history,
    read_history,
    shadow_lines,
)
from anomgan_cli.terminal import say
from anomgan_detector.exit_status import NOT_YET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anomgan.adapters.model_folder import ModelFolder
    from anomgan.adapters.sqlite_training import TrainingHistory
    from anomgan.config import DetectorConfig, FleetConfig
    from anomgan.records import TimeSeries

Command = TypeVar("Command", bound=Callable[..., Any])


def where_options(command: Command) -> Command:
    """The folder, or a configuration and the fleet in it."""
    fleet = click.option("--fleet", type=int, help="Which [[fleets]] of CONFIG, from 0; left out: the one that learns.")
    where = click.argument("where", type=click.Path(path_type=Path), metavar="CONFIG|FOLDER")
    return where(fleet(command))


@click.group()
def models() -> None:
    """Models that a fleet learned by itself: which there are, which one judges, and since when.

    A fleet learns by itself where its `model` in the configuration is a folder. The commands work while the
    service runs; it takes a change up within seconds, with its windows and open events.
    """


@models.command("list")
@where_options
def list_(where: Path, fleet: int | None) -> None:
    """Show models, changes, history and what it lacks, and how a challenger does in the shadow."""
    folder, table = _located(where, fleet)
    manifest = folder.read()
    say(f"{folder.path}: {len(manifest.numbers)} models")
    for number in manifest.numbers:
        say(model_line(folder, manifest, number))
    for change in manifest.changes:
        before = "" if change.before is None or change.what == "trained" else f" in place of {change.before}"
        say(f"  {moment(change.time_s)} {change.what} {change.number}{before}: {change.reason}")
    for line in history_lines(folder, table):
        say(line)
    for line in shadow_lines(folder, manifest, table):
        say(line)


@models.command()
@where_options
@click.option("--from", "first", metavar="TIME", help="Learn from readings since then (ISO 8601, UTC).")
@click.option("--to", "last", metavar="TIME", help="Learn from readings until then.")
@click.option("--with-events", is_flag=True, help="Learn from what was told as events, too: it is the new normal.")
@click.option("--window", type=int, help="Rows per window; left out: as configured, or chosen from the data.")
@click.option("--steps", type=int, help="Training steps at most; left out: as configured, or chosen from the data.")
@click.option("--alarms-per-week", type=float, help="The alarm budget of one device; left out: as configured, or 1.")
@click.option("--seed", type=int, help="The same seed and history give the same model; left out: 0.")
@click.option(
    "--if-enough", is_flag=True, help=f"Train only if the history is enough; else say why not, status {NOT_YET}."
)
@click.option("--at-least-h", type=float, help="Hours of history that --if-enough asks for.")
@click.option("--patience-h", type=float, help="Hours after which --if-enough does without cycles and levels.")
@click.option("--reason", help="Why, for the list of changes.")
def train(
    where: Path,
    fleet: int | None,
    first: str | None,
    last: str | None,
    with_events: bool,
    if_enough: bool,
    at_least_h: float | None,
    patience_h: float | None,
    reason: str | None,
    **settings: Any,
) -> None:
    """Train a model from the history: the champion where there is none, else a challenger.

    What was read while an event was open is left out. Where the first hours were not normal, name the hours that were.
    """
    folder, table = _located(where, fleet)
    first_s = _time_option(first, "--from", float("-inf"))
    last_s = _time_option(last, "--to", float("inf"))
    with folder.training() as mine:
        if not mine:
            say(f"{folder.path}: another training is under way")
            raise click.exceptions.Exit(NOT_YET)
        config = detector_config(table, settings)
        history = open_history(folder)
        try:
            series, left_out = read_history(history, first_s, last_s, with_events)
            at_least = at_least_h if at_least_h is not None else 0.0 if table is None else table.learn.at_least_h
            patience = patience_h if patience_h is not None else None if table is None else table.learn.patience_h
            if if_enough and not _is_enough(history, series, config, at_least, patience):
                raise click.exceptions.Exit(NOT_YET)
        finally:
            history.close()
        told = [] if with_events else ["what was read while an event was open"]
        told += [f"{name} {text}" for name, text in (("before", first), ("after", last)) if text is not None]
        told += [f"{', '.join(left_out)}, which come too seldom"] if left_out else []
        _train(folder, series, left_out, config, reason, told)


@models.command()
@where_options
@click.argument("number", type=int, required=False)
@click.option("--reason", default="by command", show_default=True, help="Why, for the list of changes.")
def promote(where: Path, fleet: int | None, number: int | None, reason: str) -> None:
    """Let a model judge from now on: the challenger, or the one with this NUMBER."""
    from anomgan.errors import DataError

    folder, _ = _located(where, fleet)
    manifest = folder.read()
    chosen = manifest.challenger if number is None else number
    if chosen is None:
        raise DataError(f"{folder.path}: there is no challenger to promote; name a model by its number")
    _promote(folder, chosen, reason, "promoted")


@models.command()
@where_options
@click.option("--reason", default="by command", show_default=True, help="Why, for the list of changes.")
def revert(where: Path, fleet: int | None, reason: str) -> None:
    """Let the model judge that judged before the champion was promoted."""
    from anomgan.errors import DataError

    folder, _ = _located(where, fleet)
    before = folder.read().champion_before
    if before is None:
        raise DataError(f"{folder.path}: no model judged before the champion")
    _promote(folder, before, reason, "reverted")


def _promote(folder: "ModelFolder", number: int, reason: str, what: Any) -> None:
    from anomgan.model_file import unpack

    content = folder.content(number)
    unpack(content, str(folder.model_path(number)))  # raises where the service would refuse it
    folder.promote(number, content, time.time(), reason, what)
    say(f"{folder.path}: model {number} judges from now on; a running service takes it up within seconds")


# ---------------------------------------------------------------- where


def _located(where: Path, fleet: int | None) -> "tuple[ModelFolder, FleetConfig | None]":
    """The folder of models, and the fleet's table where a configuration is given."""
    from anomgan.adapters.files import read_config
    from anomgan.adapters.model_folder import ModelFolder
    from anomgan.config import ServiceConfig
    from anomgan.errors import ConfigError, DataError

    if where.suffix != ".toml":
        if not where.is_dir():
            raise DataError(f"{where}: no such folder")
        return ModelFolder(where), None
    fleets = read_config(where, ServiceConfig).fleets
    learning = [number for number, table in enumerate(fleets) if table.learns]
    if fleet is None and len(learning) != 1:
        if not learning:
            raise ConfigError(f"{where}: no fleet learns by itself; one does whose `model` is a folder, ending in /")
        raise ConfigError(f"{where}: {len(learning)} fleets learn by themselves; name one with --fleet, from 0")
    chosen = learning[0] if fleet is None else fleet
    if not 0 <= chosen < len(fleets) or not fleets[chosen].learns:
        raise ConfigError(f"{where}: fleets.{chosen} is not one that learns: its model is no folder, which ends in /")
    return ModelFolder(fleets[chosen].model), fleets[chosen]


def _time_option(text: str | None, option: str, missing: float) -> float:
    if text is None:
        return missing
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time like 2026-01-31T12:00", param_hint=option) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


# ---------------------------------------------------------------- training


def _is_enough(
    history: "TrainingHistory",
    series: "Sequence[TimeSeries]",
    config: "DetectorConfig",
    at_least_h: float,
    patience_h: float | None,
) -> bool:
    """Whether to train; what is lacking is told."""
    from anomgan.enough import span_h

    lacking = [need for need in needs_of(history, series, config, at_least_h) if not need.met]
    for need in lacking:
        say(str(need))
    if lacking and patience_h is not None and span_h(series) >= max(patience_h, at_least_h):
        say(f"{span_h(series):.3g} h of history are there, and patience_h is {patience_h:g}: it trains all the same")
        return True
    return not lacking


def _train(
    folder: "ModelFolder",
    series: "Sequence[TimeSeries]",
    left_out: "Sequence[str]",
    config: "DetectorConfig",
    reason: str | None,
    excluded: "Sequence[str]",
) -> None:
    from anomgan.detector import Detector
    from anomgan.model_file import pack
    from anomgan.score import score_on_one_thread

    score_on_one_thread()  # the machine has other things to do
    detector = Detector.fit(series, config, excluded=excluded)
    rows = sum(map(len, series))
    first_s, last_s = min(one.times[0] for one in series), max(one.times[-1] for one in series)
    learned = f"{rows:,} rows of {len(series)} devices, {moment(float(first_s))} to {moment(float(last_s))}"
    number, first = folder.add(pack(detector.parts), time.time(), reason or learned)
    role = "it judges from now on" if first else "it is the challenger"
    seconds = detector.summary["seconds"]
    say(f"model {number} learned {', '.join(detector.channels)} from {learned} in {seconds:.0f} s; {role}")
    if left_out:
        say(f"left out, for they come too seldom: {', '.join(left_out)}")
