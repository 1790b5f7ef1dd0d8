"""`anomgan export --from-influx ...`: what an InfluxDB holds as files, for the commands that take files alone."""

from pathlib import Path

import click

from anomgan_cli.influx_input import config_option, devices_in_influx, from_influx_option
from anomgan_cli.inputs import describe
from anomgan_cli.recordings import files_for, series_out_option
from anomgan_cli.terminal import say


@click.command()
@from_influx_option
@config_option
@series_out_option
def export(from_influx: str | None, config_path: Path | None, out: Path) -> None:
    """Write what an InfluxDB holds as CSV or Parquet: a file for each device, a column for each number.

    \b
    anomgan export --from-influx "bucket plant range 7d measurement pump" --config detector.toml --out real.csv
    anomgan export --from-influx "bucket plant range 7d measurement pump" --config detector.toml --out {device}.csv

    How to ask says `anomgan train --help`; [store.influx] of the configuration says where the InfluxDB is.
    """
    from anomgan.adapters.series_files import check_ending, write_series

    if from_influx is None or config_path is None:
        raise click.UsageError("give both --from-influx and --config, which says how to get in")
    check_ending(out)
    several = devices_in_influx(config_path, from_influx)
    for path, one in zip(files_for(out, [one.device for one in several]), several, strict=True):
        write_series(path, one)
        say(f"wrote {describe(path, one)}")
