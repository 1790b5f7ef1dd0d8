"""`anomgan detect CONFIG`: the detector service."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.terminal import log_lines, say

if TYPE_CHECKING:
    from anomgan.records import Event


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--check", "only_check", is_flag=True, help="Check the file, load the models, connect to everything, say so, end."
)
@click.option("--quiet", is_flag=True, help="Do not print events.")
def detect(config: Path, only_check: bool, quiet: bool) -> None:
    """Score live MQTT telemetry as CONFIG says, store the verdicts, tell the events.

    Prints each event when it opens, worsens and closes. Ctrl-C (or SIGTERM) finishes the turn under way and ends.
    configs/detector.toml explains every key. Models and what may change of CONFIG are taken up while it runs, at once
    when a file is replaced, or at SIGHUP; what is wrong is told in one line, and nothing is changed.
    """
    from anomgan.adapters.files import read_config
    from anomgan.config import ServiceConfig
    from anomgan_detector import compose

    settings = read_config(config, ServiceConfig)
    compose.require_distinct_models(settings)
    if only_check:
        say(f"{config}: valid")
        for line in compose.check(settings):
            say(line)
        say("everything answers")
        return
    log_lines(logging.INFO, "%(asctime)s %(levelname)s %(message)s")
    counters = compose.run(settings, config_path=config, on_events=None if quiet else EventPrinter())
    say("; ".join(f"{name} {count}" for name, count in sorted(counters.items())))


class EventPrinter:
    """One line an event told; one that is told again while open got worse."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def __call__(self, events: "Sequence[Event]") -> None:
        """Print these."""
        for event in events:
            what = "worse" if event.id in self._open and event.state == "open" else event.state.replace("_", " ")
            (self._open.add if event.state == "open" else self._open.discard)(event.id)
            say(describe_event(event, what))


def describe_event(event: "Event", what: str) -> str:
    """`2026-01-05 10:00:12 open   major    pump-1: flow is 3.1 l/min where 31.0 was expected`, at the event's time."""
    from datetime import UTC, datetime

    at_s = {"open": event.start_s, "worse": event.peak_s}.get(what, event.end_s)
    name = f"{event.site}/{event.device}" if event.site else event.device
    return (
        f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} {what:<6} {event.severity:<8} {name}: {event.reason}"
        + (f" ({event.note})" if event.note else "")
    )
