"""`anomgan judge BROKER`: how good a detector is, live, by what it tells and what was truly wrong."""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.broker_access import access_options, parse_broker
from anomgan_cli.feedback import seconds
from anomgan_cli.inputs import make_folder
from anomgan_cli.terminal import log_lines, say

if TYPE_CHECKING:
    from anomgan.judging import Judge, Report
    from anomgan_judge.hearing import Hearing

RUN = "run"
HEARD = {"truth": "truth.jsonl", "events": "events.jsonl"}


def time_span(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`90s`, `2h`, also `0s`; None for none."""
    if value is None:
        return None
    return 0.0 if value in ("0", "0s") else seconds(context, parameter, value)


def how_long(context: click.Context, parameter: click.Parameter, value: str | None) -> float | str | None:
    """The same, or `run`."""
    return value if value == RUN else time_span(context, parameter, value)


def foreign_keys(context: click.Context, parameter: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    """`start=from` -> {"start": "from"}."""
    from anomgan.judging.heard import KEYS

    found = dict(one.partition("=")[::2] for one in value)
    wrong = next((ours for ours, theirs in found.items() if ours not in KEYS or not theirs), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r}: write OURS=THEIRS, where ours is one of {', '.join(KEYS)}")
    return found


@click.command()
@click.argument("broker", required=False, callback=parse_broker, metavar="[HOST[:PORT]]")
@click.option("--truth", default="anomgan/truth/#", show_default=True, metavar="TOPIC", help="Where truth is told.")
@click.option(
    "--events",
    multiple=True,
    default=["anomgan/{device}/event", "anomgan/{site}/{device}/event"],
    show_default=True,
    metavar="TOPIC",
    help="Where the detector tells events; may come again. {site} and {device} are taken where payloads lack them.",
)
@click.option("--truth-file", type=click.Path(path_type=Path), help="Truth as JSON lines, instead of a broker.")
@click.option("--events-file", type=click.Path(path_type=Path), help="Events as JSON lines, one payload a line.")
@click.option(
    "--for", "duration", callback=how_long, metavar="TIME|run", help="Such as 90s or 2h; run: to the end of the run."
)
@click.option(
    "--grace", callback=time_span, default="2m", show_default=True, help="So late an event counts for a fault."
)
@click.option("--warm-up", callback=time_span, default="0s", show_default=True, help="Event time that does not count.")
@click.option("--devices", type=click.IntRange(min=1), help="How many are watched; left out: as the truth tells.")
@click.option(
    "--key", "keys", multiple=True, callback=foreign_keys, metavar="OURS=THEIRS", help="A foreign event's keys."
)
@click.option("--every", callback=time_span, default="10s", show_default=True, help="How often to show the state.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for report.json, CSV, plots and what was heard.")
@click.option("--quiet", is_flag=True, help="The report at the end, and nothing before.")
@access_options
def judge(
    broker: dict[str, Any],
    truth: str,
    events: Sequence[str],
    truth_file: Path | None,
    events_file: Path | None,
    duration: float | str | None,
    grace: float,
    warm_up: float,
    devices: int | None,
    keys: dict[str, str],
    every: float,
    out: Path | None,
    quiet: bool,
    **access: Any,
) -> None:
    """Score a detector, any that tells events as JSON: recall, precision, delay, false alarms per device-week.

    Follows the ground truth of `anomgan simulate` and the detector's events on a broker, shows how it stands, and
    reports at the end: after --for, or at Ctrl-C. With --truth-file and --events-file it reports on files.

    \b
    anomgan judge localhost --for run --out judged
    anomgan judge localhost --events 'alerts/{device}' --key start=from --key end=to
    anomgan judge --truth-file truth.jsonl --events-file events.jsonl

    An event counts for a fault of its device where it overlaps [start, end + grace]; the first one is the hit, others
    are repeats; on no fault it is a false alarm. A fault that still goes on does not count yet. Delay is until the
    event's start, told until it was told. How many devices there were, and how long, the simulator tells; with
    --devices there are so many while its runs go on, or, where it tells of none, from the first thing heard until the
    last. Nothing is point-adjusted.
    """
    from anomgan.judging import Judge, Rules

    files = truth_file is not None and events_file is not None
    if bool(broker) == files or (not files and (truth_file or events_file)):
        raise click.UsageError("give a BROKER, or --truth-file and --events-file")
    judged = Judge(Rules(grace, warm_up, devices), live=not files)
    warnings: list[str] = []
    if out is not None:
        make_folder(out)
    if truth_file is not None and events_file is not None:
        hearing = judge_files(judged, keys, truth_file, events_file)
    else:
        hearing, warnings = judge_live(
            judged, keys, {**broker, **access}, truth, events, duration, every, out, quiet=quiet
        )
    report = judged.report()
    written = [] if out is None else write_all(out, report, asdict(judged.rules), hearing.counters)
    for line in [*told(report, hearing, warnings), *(f"wrote {path}" for path in written)]:
        say(line)


def judge_files(judged: "Judge", keys: Mapping[str, str], truth: Path, events: Path) -> "Hearing":
    """Everything in two files."""
    from anomgan_judge.hearing import Hearing, read_lines

    hearing = Hearing(judged, keys)
    read_lines(truth, hearing.truth)
    read_lines(events, hearing.event)
    return hearing


def judge_live(
    judged: "Judge",
    keys: Mapping[str, str],
    access: dict[str, Any],
    truth: str,
    events: Sequence[str],
    duration: float | str | None,
    every: float,
    out: Path | None,
    *,
    quiet: bool,
) -> "tuple[Hearing, list[str]]":
    """Listen to a broker, and show how it stands; what was heard, and what to warn of."""
    from anomgan.adapters.files import json_lines
    from anomgan.adapters.signals import stopping
    from anomgan.config import BrokerConfig, parse_config
    from anomgan_judge.hearing import Hearing, topics
    from anomgan_judge.watch import watch

    config = parse_config(BrokerConfig, access, "anomgan judge")
    wanted = topics(truth, events)
    with stopping() as stop, ExitStack() as stack:
        sinks = [stack.enter_context(json_lines(out / HEARD[what])) if out else None for what in ("truth", "events")]
        hearing = Hearing(judged, keys, *sinks)
        show, end = progress(judged, hearing, quiet=quiet)
        stack.callback(end)
        where = f"listening to {', '.join(wanted.filters)} on {config.host}:{config.port}"
        for_s = duration if isinstance(duration, float) else None
        warnings = watch(
            config,
            wanted,
            hearing,
            stop,
            show,
            for_s=for_s,
            every_s=max(every, 0.1),
            until_over=duration == RUN,
            ready=lambda: None if quiet else say(where, err=True),
        )
    return hearing, warnings


def progress(judged: "Judge", hearing: "Hearing", *, quiet: bool) -> tuple[Callable[[str], None], Callable[[], None]]:
    """(what shows how it stands, what takes that away): a block of a terminal, or a line elsewhere."""
    from anomgan_judge.screen import Screen
    from anomgan_judge.words import brief, live, unread

    in_place = sys.stderr.isatty() and not quiet
    screen = Screen(sys.stderr, lambda: os.get_terminal_size(sys.stderr.fileno()))
    log_lines(logging.INFO, "%(message)s", screen if in_place else None)

    def show(reason: str) -> None:
        if quiet:
            return
        report = judged.report()
        if in_place:
            away = [f"no connection: {reason}"] if reason else []
            screen.draw(live(report, [*away, *unread(hearing.counters, hearing.unread)], *screen.room))
        else:
            say(brief(report) + (f"; no connection: {reason}" if reason else ""), err=True)

    return show, screen.clear if in_place else lambda: None


def told(report: "Report", hearing: "Hearing", warnings: Sequence[str]) -> list[str]:
    """The final report in words."""
    from anomgan_judge.words import one_by_one, summary, tables, unread

    notes = [f"note: {warning}" for warning in warnings] + list(unread(hearing.counters, hearing.unread))
    return [*summary(report), *tables(report), *one_by_one(report), *([""] if notes else []), *notes]


def write_all(out: Path, report: "Report", rules: Mapping[str, Any], counters: Mapping[str, int]) -> list[Path]:
    """Figures, tables and pictures; where they went."""
    from anomgan.adapters.files import write_bytes
    from anomgan_cli.judge_plots import pictures
    from anomgan_judge.files import write_report

    written = write_report(out, report, rules, {name: count for name, count in counters.items() if "." in name})
    for name, content in pictures(report).items():
        write_bytes(out / name, content)
        written.append(out / name)
    return written
