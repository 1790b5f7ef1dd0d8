"""`anomgan augment MODEL CSV...`: more of what a training set has too little of."""

from pathlib import Path

import click

from anomgan_cli.recordings import Recordings, recordings_option
from anomgan_cli.synthesis_inputs import seed_option, windows_bar
from anomgan_cli.terminal import say


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@recordings_option(several=True)
@click.option("--make", required=True, type=click.IntRange(1, 100_000_000), help="At least so many rows.")
@click.option(
    "--power",
    type=click.FloatRange(0.0, 16.0),
    default=2.0,
    show_default=True,
    help="How much more often a rare window is varied; 0: all alike.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The CSV or Parquet to write.")
@seed_option
def augment(model: Path, recordings: Recordings, make: int, power: float, out: Path, seed: int) -> None:
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
    series = recordings.read(maker)
    with windows_bar("varying") as watch:
        made = maker.augment(series, make, power=power, seed=seed, on_windows=watch)
    write_series(out, made)
    say(f"wrote {out}: {len(made)} rows of {len(made.channels)} channels")
