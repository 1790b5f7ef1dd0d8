"""`anomgan augment MODEL CSV...`: more of what a training set has too little of."""

from collections.abc import Sequence
from pathlib import Path

import click

from anomgan_cli.inputs import ignore_option, rows_option, time_option
from anomgan_cli.synthesis_inputs import read_for_synthesizer, seed_option, windows_bar
from anomgan_cli.terminal import say


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CSV...")
@click.option("--make", required=True, type=click.IntRange(1, 100_000_000), help="At least so many rows.")
@click.option(
    "--power",
    type=click.FloatRange(0.0, 16.0),
    default=2.0,
    show_default=True,
    help="How much more often a rare window is varied; 0: all alike.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The CSV or Parquet to write.")
@time_option
@ignore_option
@rows_option
@seed_option
def augment(
    model: Path,
    files: tuple[Path, ...],
    make: int,
    power: float,
    out: Path,
    time: str | None,
    ignore: Sequence[str],
    rows: slice,
    seed: int,
) -> None:
    """Make variations of the windows in CSV or Parquet, of rare operating modes above all, to train with beside them.

    \b
    anomgan augment pump-gan.safetensors pump.csv --make 5000 --out more.csv
    anomgan train pump.csv more.csv --out pump.safetensors

    MODEL is one of `anomgan train --synthesizer`. What is made comes in pieces with gaps in time between them.
    """
    from anomgan.adapters.series_files import check_ending, write_series
    from anomgan.synthesis.synthesizer import Synthesizer

    check_ending(out)
    maker = Synthesizer.load(model)
    series = [read_for_synthesizer(maker, path, time, ignore, rows) for path in files]
    with windows_bar("varying") as watch:
        made = maker.augment(series, make, power=power, seed=seed, on_windows=watch)
    write_series(out, made)
    say(f"wrote {out}: {len(made)} rows of {len(made.channels)} channels")
