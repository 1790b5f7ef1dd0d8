"""`anomgan listen BROKER`: watch a broker, recognise what is there, write a configuration for it."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.broker_access import access_options, parse_broker
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.config import BrokerConfig
    from anomgan.recognise import Findings, FleetFound, Watch

QUEUE = 50_000
STEP_S = 0.5
LINE_EVERY_S = 10.0
LONGEST_CELL = 44
MOST_TOLD = 20


@click.command()
@click.argument("broker", callback=parse_broker, metavar="HOST[:PORT]")
@click.option("--seconds", type=click.FloatRange(0.1, 86_400.0), default=60.0, show_default=True, help="How long.")
@click.option("--out", type=click.Path(path_type=Path), default="detector.toml", show_default=True, help="The file.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "--topic", "topics", multiple=True, default=["#"], show_default=True, help="What to watch; may come again."
)
@access_options
def listen(
    broker: dict[str, Any], seconds: float, out: Path, force: bool, topics: Sequence[str], **access: Any
) -> None:
    """Watch a broker, recognise what is there, and write a configuration that works.

    Finds for every group of topics the dialect, the topic template, where time and device stand, the channels and
    how often they come; says what it does not understand. Only subscribes: nothing is published. Ctrl-C ends the
    watch early; what came so far counts.

    \b
    anomgan listen localhost --seconds 60 --out detector.toml
    anomgan listen plant.example:8883 --tls --username reader --password-env PLANT_PASSWORD
    """
    from anomgan.adapters.files import check_writable, write_bytes
    from anomgan.config import BrokerConfig, parse_config
    from anomgan.errors import DataError
    from anomgan.recognise import config_text, recognise

    config = parse_config(BrokerConfig, {**broker, **access}, "anomgan listen")
    _refuse_to_replace(out, force)
    check_writable(out)
    watch, lost = watch_broker(config, topics, seconds)
    where = f"MQTT broker {config.host}:{config.port}"
    if not watch.messages:
        raise DataError(f"{where}: not one message on {' '.join(topics)} within {seconds:g} s")
    findings = recognise(watch)
    for line in told(findings):
        say(line)
    if lost:
        say(f"note: {lost:,} messages came faster than they could be taken, and were not looked at", err=True)
    if not findings.fleets:
        raise DataError(f"{where}: no telemetry that anomgan can read; nothing is written")
    _refuse_to_replace(out, force)
    write_bytes(out, config_text(findings, config, str(out)).encode())
    say(f"\nwrote {out}")
    for line in next_steps(findings.fleets, out):
        say(line)


def _refuse_to_replace(out: Path, force: bool) -> None:
    from anomgan.errors import DataError

    if out.exists() and not force:
        raise DataError(f"{out}: it is there already; --force replaces it, --out writes another")


def watch_broker(config: "BrokerConfig", topics: Sequence[str], seconds: float) -> "tuple[Watch, int]":
    """Subscribe (QoS 0) for a time or until Ctrl-C: what was heard, and how many messages came too fast."""
    import time
    from contextlib import closing

    from anomgan.adapters.mqtt import MqttSource
    from anomgan.adapters.signals import stopping
    from anomgan.recognise import Sample, Watch

    watch, progress = Watch(), Progress(seconds)
    with stopping() as stop, closing(MqttSource(config, [(topic, 0) for topic in topics], QUEUE)) as source:
        begun_s = time.monotonic()
        while not stop.is_set() and (passed_s := time.monotonic() - begun_s) < seconds:
            progress.tell(passed_s, watch)
            messages = source.receive(QUEUE, min(STEP_S, seconds - passed_s))
            now_s = time.time()
            for message in messages:
                watch.add(Sample(message.topic, message.payload, message.retained, now_s))
        progress.tell(time.monotonic() - begun_s, watch, last=True)
        if not source.connected:
            say(f"note: {source.reason}", err=True)
        return watch, source.overflowed


class Progress:
    """Tells on stderr how the watch goes on: in one line of a terminal, elsewhere in a line now and then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._live = sys.stderr.isatty()
        self._told_s = -LINE_EVERY_S

    def tell(self, passed_s: float, watch: "Watch", *, last: bool = False) -> None:
        """Say how far it is, if it is time to."""
        if self._live or last or passed_s - self._told_s >= LINE_EVERY_S:
            self._told_s = passed_s
            heard = f"{watch.messages:,} messages on {len(watch.topics):,} topics"
            said = f"{min(passed_s, self._seconds):.0f} s of {self._seconds:g}: {heard}"
            say(said, err=True, over=self._live, nl=last or not self._live)


# ---------------------------------------------------------------- what is told


def told(findings: "Findings") -> Iterable[str]:
    """The findings for people, line by line."""
    from anomgan.recognise import count
    from anomgan.shown import one_line

    rows = [("TOPIC", "DIALECT", "DEVICES", "CHANNELS", "PERIOD", "MESSAGES"), *map(_row, findings.fleets)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if findings.fleets:
        for row in rows:
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for fleet in findings.fleets:
        for note in fleet.notes:
            yield f"note: {fleet.topic}: {one_line(note)}"
    if findings.not_understood:
        yield ""
        yield "not understood:"
    for one in findings.not_understood[:MOST_TOLD]:
        more = f" and {one.topics - 1:,} other topics" if one.topics > 1 else ""
        sample = one_line(one.sample[:200].decode("utf-8", "replace"))
        yield f"  {one_line(one.topic)}{more}, {count(one.messages, 'message')}: {one_line(one.why)}"
        yield f"    {sample}"
    hidden = len(findings.not_understood) - MOST_TOLD
    if hidden > 0:
        yield f"  and {hidden:,} more"
    if findings.set_aside:
        yield ""
        yield "set aside, for it is no telemetry:"
        for what, messages in findings.set_aside.items():
            yield f"  {count(messages, 'message')}: {what}"
    if findings.beyond:
        yield f"{findings.beyond:,} messages were not looked at: there are too many topics"


def _row(fleet: "FleetFound") -> tuple[str, ...]:
    from anomgan.recognise import period_text

    live = fleet.messages - fleet.retained
    return (
        fleet.topic,
        fleet.dialect,
        _cell([name.rpartition("/")[2] for name in fleet.names]),
        _cell([channel.name for channel in fleet.channels]),
        "-" if fleet.period_s is None else period_text(fleet.period_s),
        f"{live:,}" + (f" + {fleet.retained:,} retained" if fleet.retained else ""),
    )


def _cell(names: Sequence[str]) -> str:
    """`3: flow, pressure, ...`."""
    from anomgan.shown import one_line

    text = f"{len(names)}: {one_line(', '.join(names))}"
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 3] + "..."


def next_steps(fleets: "Sequence[FleetFound]", out: Path) -> Iterable[str]:
    """The commands that lead from here to a running service."""
    from anomgan.recognise import detect_commands, train_commands

    yield "next, learn what is normal; from the broker itself:"
    for line in train_commands(fleets, str(out)):
        yield f"  {line}"
    yield "or from recorded files with these channels as their columns:"
    yield f"  anomgan train recorded.csv --out {fleets[0].model}"
    yield "then check and start:"
    for line in detect_commands(str(out)):
        yield f"  {line}"
