"""Where `anomgan train` gets its rows from, other than files: live from the broker, or from an InfluxDB."""

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomgan_cli.influx_input import readings_of
from anomgan_cli.terminal import log_lines, say

if TYPE_CHECKING:
    from anomgan.config import DetectorConfig, FleetConfig, ServiceConfig
    from anomgan.records import Reading, TimeSeries

TOLD_EVERY_S = 10.0
"""where nobody watches a terminal"""


def fleet_of(config: "ServiceConfig", where: Path, number: int) -> "FleetConfig":
    """The table of a fleet; ConfigError where there is none of that number."""
    from anomgan.errors import ConfigError

    if not 0 <= number < len(config.fleets):
        raise ConfigError(f"{where}: --fleet {number}: it has fleets 0 to {len(config.fleets) - 1}")
    return config.fleets[number]


def record_from_mqtt(config: "ServiceConfig", number: int, seconds: float) -> "list[TimeSeries]":
    """What a fleet's devices send for so long, read as the service reads it; Ctrl-C ends it and keeps what is there.

    A session of its own and without a name, so that a running service misses nothing.
    """
    from anomgan.adapters.mqtt import MqttSource
    from anomgan.adapters.signals import stopping
    from anomgan.wire.conventions import CONVENTIONS
    from anomgan_detector.reader import Reader

    log_lines(logging.WARNING)
    table = config.fleets[number]
    fleets = [fleet for fleet in config.fleets[: number + 1] if fleet.broker == table.broker]
    readers = [Reader(fleet, config.input) for fleet in fleets]
    reader = readers[-1]
    broker = config.broker_called(table.broker).model_copy(update={"client_id": ""})
    readings: list[Reading] = []
    with stopping() as stop:
        source = MqttSource(broker, [(reader.template.filter, table.qos)], config.input.queue)
        try:
            say(f"listening to {table.topic} for {seconds:g} s; Ctrl-C ends it and trains with what is there")
            ends_s = time.monotonic() + seconds
            with _Told(seconds) as told:
                while not stop.is_set() and (left_s := ends_s - time.monotonic()) > 0:
                    messages = source.receive(config.input.batch, min(config.input.flush_s, left_s))
                    ours = [one for one in messages if next((r for r in readers if r.takes(one.topic)), None) is reader]
                    readings += reader.read(ours, time.time())
                    source.acknowledge(messages)
                    told.say(readings, left_s)
        finally:
            source.close()
    for name, count in sorted(reader.counters.items()):
        say(f"{name} {count}")
    return agreed(readings, partial=CONVENTIONS[table.dialect].partial)


def read_from_influx(config: "ServiceConfig", where: Path, asked: str) -> "list[TimeSeries]":
    """What an InfluxDB holds; ConfigError where the configuration names none."""
    return agreed(readings_of(config, where, asked), partial=False)


def agreed(readings: "Sequence[Reading]", *, partial: bool) -> "list[TimeSeries]":
    """A series of each device, with the same channels, told as they are; DataError where there is nothing to learn."""
    from anomgan.assemble import fleet_series
    from anomgan.errors import DataError

    if not readings:
        raise DataError("not a single reading came")
    series, left_out = fleet_series(readings, partial=partial)
    rows = sum(map(len, series))
    say(
        f"{rows:,} rows of {len(series)} device{'' if len(series) == 1 else 's'}, {series[0].period_s:g} s apart, "
        f"channels {', '.join(series[0].channels)}"
    )
    if left_out:
        say(f"left out, for they come too seldom: {', '.join(left_out)}")
    return series


def tell_needs(series: "Sequence[TimeSeries]", config: "DetectorConfig") -> None:
    """Say what there is not enough of, and why; it is trained all the same."""
    from anomgan.enough import count_needs, look_needs

    rows = {(str(number), one.device): len(one) for number, one in enumerate(series)}
    for need in [*count_needs(rows, config), *look_needs(series, config)]:
        if not need.met:
            say(f"note: {need}", err=True)


class _Told:
    """How far a recording is: in place on a terminal, else a line now and then."""

    def __init__(self, seconds: float) -> None:
        self._live = sys.stderr.isatty()
        self._every_s = 0.5 if self._live else min(TOLD_EVERY_S, seconds / 4)
        self._next_s = time.monotonic() + self._every_s

    def __enter__(self) -> "_Told":
        return self

    def say(self, readings: "Sequence[Reading]", left_s: float) -> None:
        """Tell it where it is time."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self._every_s
        devices = len({reading.source for reading in readings[-10_000:]})
        line = f"{len(readings):,} readings of {devices} devices, {max(left_s, 0.0):.0f} s left"
        say(line, err=True, over=self._live, nl=not self._live)

    def __exit__(self, *_: object) -> None:
        if self._live:
            say("", err=True)
