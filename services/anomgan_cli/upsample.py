"""`anomgan upsample MODEL CSV`: a slow recording at a model's full rate."""

from collections.abc import Sequence
from pathlib import Path

import click

from anomgan_cli.impute import write_imputed
from anomgan_cli.inputs import ignore_option, rows_option, time_option
from anomgan_cli.synthesis_inputs import (
    band_option,
    draws_option,
    given_option,
    one_option,
    read_for_synthesizer,
    seed_option,
    windows_bar,
)
from anomgan_cli.terminal import say


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), metavar="CSV")
@click.option("--factor", required=True, type=click.IntRange(2, 64), help="How many times the rate: 2, 4, 8.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The CSV or Parquet to write.")
@band_option
@one_option
@draws_option
@given_option
@time_option
@ignore_option
@rows_option
@seed_option
def upsample(
    model: Path,
    file: Path,
    factor: int,
    out: Path,
    band: bool,
    one: bool,
    draws: int,
    given: dict[str, float | str],
    time: str | None,
    ignore: Sequence[str],
    rows: slice,
    seed: int,
) -> None:
    """Refine CSV or Parquet to FACTOR times its rate, which must be that of the recordings MODEL was trained on.

    \b
    anomgan upsample pump-gan.safetensors slow.csv --factor 4 --out fine.csv
    anomgan upsample pump-gan.safetensors slow.csv --factor 4 --one --out rough.csv

    Readings stay as they are. The middle of what is likely has the least error and is smoother than life; --one is as
    rough as life. One slow channel among fast ones is a matter for `anomgan impute`.
    """
    from anomgan.adapters.series_files import check_ending
    from anomgan.synthesis.synthesizer import Synthesizer

    check_ending(out)
    maker = Synthesizer.load(model)
    series = read_for_synthesizer(maker, file, time, ignore, rows)
    with windows_bar("refining") as watch:
        found = maker.upsample(series, factor, given=given, draws=draws, seed=seed, on_windows=watch)
    write_imputed(out, found, band=band, one=one)
    say(f"wrote {out}: {len(found.series)} rows, {found.series.period_s:g} s apart, of {len(series)}")
