"""`anomgan impute MODEL CSV`: what is missing in a recording, filled in with a band."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

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

if TYPE_CHECKING:
    from anomgan.records import Floats
    from anomgan.synthesis.imputed import Imputed


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), metavar="CSV")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The CSV or Parquet to write.")
@band_option
@one_option
@draws_option
@given_option
@time_option
@ignore_option
@rows_option
@seed_option
def impute(
    model: Path,
    file: Path,
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
    """Fill in what CSV or Parquet lacks of MODEL's channels: empty cells, missing rows, whole channels.

    \b
    anomgan impute pump-gan.safetensors pump.csv --band --out filled.csv

    What is there stays as it is. A gap in time is filled up to the length of a window, longer ones stay. MODEL is one
    of `anomgan train --synthesizer`.
    """
    from anomgan.adapters.series_files import check_ending
    from anomgan.synthesis.synthesizer import Synthesizer

    check_ending(out)
    maker = Synthesizer.load(model)
    series = read_for_synthesizer(maker, file, time, ignore, rows)
    with windows_bar("imputing") as watch:
        found = maker.impute(series, given=given, draws=draws, seed=seed, on_windows=watch)
    write_imputed(out, found, band=band, one=one)
    inserted = len(found.series) - len(series)
    say(f"wrote {out}: {len(found.series)} rows, {inserted} of them new, {int(found.hidden.sum())} cells filled in")


def write_imputed(path: Path, found: "Imputed", *, band: bool, one: bool) -> None:
    """The middle or one course, and the band if wanted."""
    from dataclasses import replace

    from anomgan.adapters.series_files import write_series

    series = replace(found.series, values=found.one) if one else found.series
    others: dict[str, Floats] = {}
    if band:
        for c, name in enumerate(series.channels):
            others |= {f"{name}.low": found.low[:, c], f"{name}.high": found.high[:, c]}
    write_series(path, series, others)
