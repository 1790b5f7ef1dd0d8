"""`anomgan privacy`: what synthetic data give away of the data that their generator was trained on."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anomgan_cli.inputs import ignore_option, make_folder, moment, names, read_for_training, time_option
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.privacy import Sample
    from anomgan.records import TimeSeries
    from anomgan.scaling import Scaler

ROWS = slice(None)


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
    "--window", type=click.IntRange(min=2), default=32, show_default=True, help="Rows that are compared at a time."
)
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
    window: int,
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
    """
    if folder is not None:
        make_folder(folder)
    paths = (*train, *held_out, *synthetic)
    series = read_for_training(paths, time, ignore, channels, ROWS, err=as_json)
    cut = (len(train), len(train) + len(held_out))
    parts = (series[: cut[0]], series[cut[0] : cut[1]], series[cut[1] :])

    import numpy as np
    from tqdm import tqdm

    from anomgan.adapters.files import write_bytes
    from anomgan.privacy import examine, words
    from anomgan.privacy.sample import joined
    from anomgan.scaling import fit_scaler

    scaler = fit_scaler(np.concatenate([one.values for one in parts[0]]))
    real, held, made = ([_windows(one, scaler, window) for one in part] for part in parts)
    with tqdm(unit="window", desc="comparing", disable=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = examine(joined(real), joined(held), joined(made), np.random.default_rng(seed), progress=show)

    def at(row: int) -> str:
        return _place(parts[0], train, real, row)

    text = words(report, at)
    figures = json.dumps({**report.as_dict(), "files": _files(train, held_out, synthetic)}, indent=2)
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


def _windows(series: "TimeSeries", scaler: "Scaler", window: int) -> "Sample":
    """Its windows; DataError where there is none."""
    from anomgan.errors import DataError
    from anomgan.privacy import sliding_windows

    sample = sliding_windows(series, scaler, window)
    if len(sample) == 0:
        raise DataError(f"{series.device}: no {window} rows in a row without a gap or a missing value")
    return sample


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
