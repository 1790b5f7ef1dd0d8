"""What an InfluxDB holds as input of a command: how it is asked for, and how it becomes series."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.inputs import describe, tell_unlike
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.config import ServiceConfig
    from anomgan.records import Reading, TimeSeries
    from anomgan.synthesis.synthesizer import Synthesizer

from_influx_option = click.option(
    "--from-influx", metavar='"bucket B range 7d measurement M"', help="Take what an InfluxDB holds."
)
config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="The detector.toml to get in by."
)


def readings_of(config: "ServiceConfig", where: Path, asked: str) -> "list[Reading]":
    """What an InfluxDB holds; ConfigError where the configuration names none, DataError where it holds nothing."""
    from anomgan.adapters.influx_history import read_history
    from anomgan.errors import ConfigError, DataError
    from anomgan.wire.history_query import parse_query

    if config.store.influx is None:
        raise ConfigError(f"{where}: it has no [store.influx], which says where the InfluxDB is and how to get in")
    query = parse_query(asked, time.time())
    readings = list(read_history(config.store.influx, query))
    if not readings:
        raise DataError(f"InfluxDB {config.store.influx.url}: not a single reading for {asked!r}")
    return readings


def devices_in_influx(path: Path, asked: str) -> "list[TimeSeries]":
    """A series of each device, with all that is known of it, by a service's configuration; not told yet."""
    from anomgan.adapters.files import read_config
    from anomgan.assemble import series_by_device
    from anomgan.config import ServiceConfig

    return list(series_by_device(readings_of(read_config(path, ServiceConfig), path, asked)).values())


def influx_for_synthesizer(maker: "Synthesizer", path: Path, asked: str) -> "list[TimeSeries]":
    """Of each device the model's channels and the columns that it is conditioned on, told as they are.

    Rows that have none of them are no rows. DataError for a device without any of the model's channels.
    """
    from dataclasses import replace

    import numpy as np

    from anomgan.errors import DataError
    from anomgan.synthesis.conditions import columns_of

    wanted = (*maker.channels, *columns_of(maker.parts.conditions))
    known: dict[str, None] = {}
    found = []
    for one in devices_in_influx(path, asked):
        known |= dict.fromkeys(one.channels)
        at = [one.channels.index(name) for name in wanted if name in one.channels]
        if not any(name in one.channels for name in maker.channels):
            raise DataError(f"{one.device}: none of the model's channels is there: {', '.join(maker.channels)}")
        there = ~np.isnan(one.values[:, at]).all(axis=1)
        part = replace(
            one,
            times=one.times[there],
            values=one.values[there][:, at],
            channels=tuple(one.channels[i] for i in at),
            units=(),
        )
        say(describe(part.device, part))
        found.append(part)
    tell_unlike(
        "the InfluxDB",
        missing=[name for name in maker.channels if name not in known],
        unused=[name for name in known if name not in wanted],
    )
    return found


def refuse_beside(source: str, **of_files: "str | Sequence[str] | slice | None") -> None:
    """UsageError for the first option of files that was given beside another source."""
    for name, value in of_files.items():
        if value not in (None, (), [], slice(None)):
            raise click.UsageError(f"--{name} goes with CSV, not with {source}")
