"""`anomgan detect CONFIG`: the detector service."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
    configs/detector.toml explains every key.
    """
    from anomgan.adapters.files import read_config
    from anomgan.config import ServiceConfig
    from anomgan_detector import compose

    settings = read_config(config, ServiceConfig)
    compose.require_distinct_models(settings)
    if only_check:
        click.echo(f"{config}: valid")
        for line in compose.check(settings):
            click.echo(line)
        click.echo("everything answers")
        return
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    counters = compose.run(settings, on_events=None if quiet else print_events)
    click.echo("; ".join(f"{name} {count}" for name, count in sorted(counters.items())))


def print_events(events: "Sequence[Event]") -> None:
    """One line an event."""
    for event in events:
        click.echo(describe_event(event))


def describe_event(event: "Event") -> str:
    """`2026-01-05 10:00:12 open major pump-1: flow is 3.1 l/min where 31 was expected`."""
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(event.start_s if event.state == "open" else event.end_s, UTC)
    name = f"{event.site}/{event.device}" if event.site else event.device
    return f"{at:%Y-%m-%d %H:%M:%S} {event.state:<6} {event.severity:<8} {name}: {event.reason}"
