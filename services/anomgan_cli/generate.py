"""`anomgan generate MODEL`: synthetic readings of a device like those that the model was trained on."""

from datetime import datetime
from pathlib import Path

import click

from anomgan_cli.recordings import files_for, series_out_option
from anomgan_cli.simulate_options import parse_start
from anomgan_cli.synthesis_inputs import given_option, seed_option, windows_bar
from anomgan_cli.terminal import say


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--rows", required=True, type=click.IntRange(1, 100_000_000), help="Rows of each device.")
@click.option("--start", callback=parse_start, metavar="TIME", help="Time of the first row: ISO 8601, or now.")
@click.option("--devices", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many devices.")
@series_out_option
@given_option
@seed_option
def generate(
    model: Path, rows: int, start: datetime | None, devices: int, out: Path, given: dict[str, float | str], seed: int
) -> None:
    """Make ROWS continuous rows of a device as MODEL of `anomgan train --synthesizer` knows it, at its period.

    \b
    anomgan generate pump-gan.safetensors --rows 10000 --start 2026-01-01 --out made.csv
    anomgan generate pump-gan.safetensors --rows 10000 --given mode=2 --devices 5 --out made/{device}.parquet

    Under which conditions is --given for each that the model was trained with; `hour` and `weekday` follow from the
    dates. The same model and seed make the same rows.
    """
    from anomgan.adapters.series_files import write_series
    from anomgan.synthesis.synthesizer import Synthesizer

    names = [f"synthetic-{i}" for i in range(devices)]
    paths = files_for(out, names)
    maker = Synthesizer.load(model)
    start_s = 0.0 if start is None else start.timestamp()
    with windows_bar("generating") as watch:
        made = maker.generate(rows, start_s, given=given, devices=names, seed=seed, on_windows=watch)
    for path, one in zip(paths, made, strict=True):
        write_series(path, one)
        say(f"wrote {path}: {rows} rows of {len(one.channels)} channels, {one.period_s:g} s apart")
