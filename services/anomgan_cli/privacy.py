"""`anomgan privacy`: what synthetic data give away of the data that their generator was trained on."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.inputs import ignore_option, make_folder, moment, names, read_for_training, time_option
from anomgan_cli.privacy_model import Compared, compared_as_trained
from anomgan_cli.synthesis_inputs import given_option
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.privacy import Sample
    from anomgan.records import TimeSeries

ROWS = slice(None)
WINDOW = 32


@click.command()
@click.option(
    "--train",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="What the generator was trained on, all of it, as CSV or Parquet; may come again.",
)
@click.option(
    "--held-out",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Real data of the same devices that it was not trained on; may come again.",
)
@click.option(
    "--synthetic", multiple=True, required=True, type=click.Path(path_type=Path), help="What it made; may come again."
)
@time_option
@ignore_option
@click.option("--channels", multiple=True, callback=names, metavar="A,B", help="Channels; left out: all other columns.")
@click.option(
    "--model", type=click.Path(path_type=Path), help="The synthesizer that made it, where others may get it too."
)
@given_option
@click.option("--window", type=click.IntRange(min=2), help="Rows that are compared at a time; left out: 32.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same report.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON instead of words.")
@click.option(
    "--report", "folder", type=click.Path(path_type=Path), help="Folder for report.txt, report.json and privacy.png."
)
def privacy(
    train: tuple[Path, ...],
    held_out: tuple[Path, ...],
    synthetic: tuple[Path, ...],
    time: str | None,
    ignore: Sequence[str],
    channels: Sequence[str],
    model: Path | None,
    given: dict[str, float | str],
    window: int | None,
    seed: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Look for training data in synthetic data before they leave the house.

    Tells how much closer synthetic windows lie to training data than to real data that were held out, which training
    windows appear again and where, and how well an attacker can tell who was trained on. Names every risk found; that
    data are safe it never says. With too little data, or where held-out rows were trained on, it refuses.

    \b
    anomgan privacy --train train.csv --held-out held.csv --synthetic made.csv --report privacy
    anomgan privacy --train train.csv --held-out held.csv --synthetic made.csv --model pump-gan.safetensors

    --model also tries the attack of somebody who has the model: by its discriminator, on windows of its length and
    channels, under the conditions that they were recorded under.
    """
    if model is not None and (channels or window is not None):
        raise click.UsageError("--channels and --window are the model's; leave them out with --model")
    if given and model is None:
        raise click.UsageError("--given goes with --model")
    if folder is not None:
        make_folder(folder)
    paths = (train, held_out, synthetic)
    looked = (
        _compared(paths, time, ignore, channels, window or WINDOW, as_json)
        if model is None
        else compared_as_trained(model, paths, time, ignore, given, as_json)
    )

    import numpy as np
    from tqdm import tqdm

    from anomgan.adapters.files import write_bytes
    from anomgan.privacy import examine, words
    from anomgan.privacy.sample import joined

    with tqdm(unit="window", desc="comparing", disable=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        train_windows, held_windows, made_windows = (joined(windows) for windows in looked.windows)
        report = examine(
            train_windows,
            held_windows,
            made_windows,
            np.random.default_rng(seed),
            discriminator=looked.discriminator,
            progress=show,
        )

    def at(row: int) -> str:
        return _place(looked.trained, train, looked.windows[0], row)

    text = [*words(report, at), *([f"The model was trained with {looked.promised}."] if looked.promised else [])]
    told = {**report.as_dict(), "files": _files(train, held_out, synthetic), "promised": looked.promised or None}
    figures = json.dumps(told, indent=2)
    for line in [figures] if as_json else ["", *text]:
        say(line)
    if folder is not None:
        from anomgan_cli.privacy_plots import privacy_plot

        contents = {
            "report.txt": ("\n".join(text) + "\n").encode(),
            "report.json": (figures + "\n").encode(),
            "privacy.png": privacy_plot(report),
        }
        for name, content in contents.items():
            write_bytes(folder / name, content)
            say(f"wrote {folder / name}", err=as_json)


def _compared(
    paths: Sequence[Sequence[Path]],
    time: str | None,
    ignore: Sequence[str],
    channels: Sequence[str],
    window: int,
    err: bool,
) -> Compared:
    """Windows of the files in spreads of the training data; DataError where there is none."""
    from itertools import chain

    import numpy as np

    from anomgan.errors import DataError
    from anomgan.privacy import sliding_windows
    from anomgan.scaling import fit_scaler

    several = iter(read_for_training(list(chain(*paths)), time, ignore, channels, ROWS, err=err))
    parts = [[next(several) for _ in some] for some in paths]
    scaler = fit_scaler(np.concatenate([one.values for one in parts[0]]))
    windows = [[sliding_windows(one, scaler, window) for one in part] for part in parts]
    for one, sample in zip(chain(*parts), chain(*windows), strict=True):
        if len(sample) == 0:
            raise DataError(f"{one.device}: no {window} rows in a row without a gap or a missing value")
    return Compared(parts[0], windows)


def _place(series: "Sequence[TimeSeries]", paths: Sequence[Path], samples: "Sequence[Sample]", row: int) -> str:
    """The file and the time of a row of all training data."""
    from bisect import bisect_right

    from anomgan.privacy.sample import offsets

    begins = offsets(samples)
    which = bisect_right(begins, row) - 1
    own = row - begins[which]
    name = f"{paths[which].name} " if len(paths) > 1 else ""
    return f"{name}row {own} ({moment(float(series[which].times[own]))})"


def _files(train: Sequence[Path], held_out: Sequence[Path], synthetic: Sequence[Path]) -> dict[str, list[str]]:
    told = {"train": train, "held_out": held_out, "synthetic": synthetic}
    return {name: [str(path) for path in paths] for name, paths in told.items()}
