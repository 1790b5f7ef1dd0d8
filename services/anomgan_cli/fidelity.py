"""`anomgan fidelity`: how like real sensor data generated data are, as a table, JSON and a page of plots."""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.inputs import describe, ignore_option, make_folder, time_option
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anomgan.fidelity import Detection, FidelityReport, Fit
    from anomgan.records import TimeSeries

DETECTORS = ("knn", "pca", "zscore", "gan")


def files_option(flag: str, said: str, *, required: bool = False) -> Callable[[Any], Any]:
    """A file, or several by repeating the option."""
    return click.option(
        flag, multiple=True, required=required, type=click.Path(path_type=Path), metavar="FILE", help=said
    )


@click.command()
@files_option("--real", "Real data that the generator has not seen; several by repeating it.", required=True)
@files_option("--synthetic", "What was generated.", required=True)
@files_option("--train", "Real data that the generator learned from; left out: every other tenth of --real.")
@time_option
@ignore_option
@click.option("--window", type=click.IntRange(min=4), help="Rows of a window; left out: 32, fewer of little data.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of classifiers and predictors.")
@click.option("--test", type=click.Path(path_type=Path), metavar="FILE", help="Real data with labels, for a detector.")
@click.option("--label", metavar="COLUMN", help="Column of the labels of --test, 0 or 1 (1 = anomalous).")
@click.option(
    "--detector", type=click.Choice(DETECTORS), default="knn", show_default=True, help="Which learns for --test."
)
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FOLDER", help="Gets fidelity.png and fidelity.json."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures as JSON.")
def fidelity(
    real: tuple[Path, ...],
    synthetic: tuple[Path, ...],
    train: tuple[Path, ...],
    time: str | None,
    ignore: Sequence[str],
    window: int | None,
    seed: int,
    test: Path | None,
    label: str | None,
    detector: str,
    report: Path | None,
    json_file: Path | None,
) -> None:
    """Hold generated data against real data that the generator has not seen, CSV or Parquet.

    \b
    anomgan fidelity --real held.csv --synthetic made.csv
    anomgan fidelity --real held.csv --synthetic made.csv --train train.csv --report fidelity
    anomgan fidelity --real held.csv --synthetic made.csv --train train.csv --test may.csv --label anomaly

    Every figure stands beside the same figure of real training data, which is what perfect looks like: marginals,
    autocorrelation, cross-correlation, spectrum; how often a classifier tells windows apart (0 = it guesses, 0.5 =
    always); how well a model that learned from generated data alone foretells real rows; precision, recall, density
    and coverage; and how near the generated windows are to the training data, for a copy is no generator. With --test,
    also how well a detector that learned from generated data alone finds real faults (VUS-PR).
    """
    from anomgan.adapters.files import write_bytes
    from anomgan.fidelity import halves, make_report
    from anomgan.fidelity.discriminative import require_scikit_learn

    if (test is None) != (label is None):
        raise click.UsageError("--test and --label go together")
    require_scikit_learn("anomgan fidelity")
    if report is not None:
        make_folder(report)
    held, learned, made = read_alike((real, train, synthetic), time, ignore)
    judged = read_labelled(test, held[0], time, label, ignore) if test and label else None
    if not learned:
        learned, held = halves(held)
        say("note: without --train, every other tenth of the real data stands for what was learned from", err=True)
    with progress_bar() as tell:
        found = make_report(learned, held, made, window=window, seed=seed, progress=tell)
    detection = None
    if judged is not None:
        say(f"fitting {detector} twice, on generated and on real data", err=True)
        detection = detect(detector, learned, made, judged, seed)
    say(f"\n{told(found, detection)}\n")
    document = files_of(real, train, synthetic, test) | found.as_dict()
    if detection is not None:
        document["detection"] = {
            "detector": detector,
            "synthetic": detection.synthetic,
            "real": detection.real,
            "chance": detection.chance,
        }
    figures = (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
    written = [(json_file, figures)] if json_file else []
    if report is not None:
        from anomgan_cli.fidelity_plots import fidelity_plot

        written += [(report / "fidelity.png", fidelity_plot(found, held, made)), (report / "fidelity.json", figures)]
    for path, content in written:
        write_bytes(path, content)
        say(f"wrote {path}")


def read_alike(
    groups: Sequence[Sequence[Path]], time: str | None, ignore: Sequence[str]
) -> "tuple[list[TimeSeries], ...]":
    """The series of each group of files, all with the channels of the first file, in its order; told as they are read.

    DataError where a file has other channels. `time` and `ignore` hold for the files that have such a column.
    """
    from anomgan.adapters.files import read_series
    from anomgan.errors import DataError

    first: TimeSeries | None = None
    paths = [path for group in groups for path in group]
    seen: set[str] = set()
    series: dict[Path, TimeSeries] = {}
    for path in paths:
        there = columns_of(path)
        seen |= there
        left_out = [name for name in ignore if name in there]
        when = time if time in there else None
        one = read_series(path, time=when, ignore=left_out)
        if first is None:
            first = one
        missing = [name for name in first.channels if name not in one.channels]
        besides = [name for name in one.channels if name not in first.channels]
        said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(besides)} besides"] * bool(besides)
        if said:
            raise DataError(
                f"{path}: {' and '.join(said)}, compared with {paths[0]}; leave columns that are no channels out "
                "with --ignore"
            )
        if one.channels != first.channels:
            one = read_series(path, time=when, ignore=left_out, channels=first.channels)
        say(describe(path, one))
        series[path] = one
    for name in (*ignore, *([time] if time else ())):
        if name not in seen:
            raise DataError(f"no file has a column {name!r}")
    return tuple([series[path] for path in group] for group in groups)


def read_labelled(path: Path, like: "TimeSeries", time: str | None, label: str, ignore: Sequence[str]) -> "TimeSeries":
    """A file with labels of both kinds, its channels those of another series."""
    from anomgan.adapters.files import read_series
    from anomgan.errors import DataError

    there = columns_of(path)
    left_out = [name for name in ignore if name in there and name != label]
    when = time if time in there else None
    one = read_series(path, time=when, label=label, ignore=left_out, channels=like.channels)
    if one.labels is None or not 0 < one.labels.sum() < len(one):
        raise DataError(f"{path}: column {label!r}: a test needs rows of both kinds, normal (0) and anomalous (1)")
    say(describe(path, one))
    return one


def columns_of(path: Path) -> set[str]:
    """What the columns of a file may be called: as in its header, and without units."""
    from anomgan.adapters.files import read_channels
    from anomgan.adapters.tables import column_names

    return {*column_names(path), *read_channels(path)}


def detect(
    name: str, learned: "list[TimeSeries]", made: "list[TimeSeries]", test: "TimeSeries", seed: int
) -> "Detection":
    """Fit a detector on generated and on real data, and score the same test with both."""
    from anomgan.baselines import PCA, NearestNeighbours, ZScore
    from anomgan.config import DetectorConfig
    from anomgan.detector import Detector
    from anomgan.fidelity import detection_on_real

    fits: dict[str, Fit] = {
        "knn": NearestNeighbours.fit,
        "pca": PCA.fit,
        "zscore": ZScore.fit,
        "gan": lambda some: Detector.fit(some, DetectorConfig(seed=seed)),
    }
    return detection_on_real(learned, made, test, fits[name])


def told(found: "FidelityReport", detection: "Detection | None") -> str:
    """The table, and of a detector a line below it."""
    lines = [f"{found.held_out_rows} held-out rows, windows of {found.window} rows", "", str(found)]
    if detection is not None:
        lines += [
            "",
            f"detection, VUS-PR: {detection.synthetic:.3f} learned from generated data, {detection.real:.3f} from "
            f"real, {detection.chance:.3f} by chance",
        ]
    return "\n".join(lines)


def files_of(
    real: Sequence[Path], train: Sequence[Path], synthetic: Sequence[Path], test: Path | None
) -> dict[str, Any]:
    """What was read, for JSON."""
    lists = {"real": real, "train": train, "synthetic": synthetic}
    named: dict[str, Any] = {f"{name}_files": [str(path) for path in paths] for name, paths in lists.items()}
    return named | ({"test_file": str(test)} if test else {})


@contextmanager
def progress_bar() -> "Iterator[Callable[[int, int, str], None]]":
    """A bar on stderr where that is a terminal, which says what is being measured."""
    from tqdm import tqdm

    with tqdm(disable=not sys.stderr.isatty(), leave=False, bar_format="{desc:<36} {bar} {elapsed}") as bar:

        def tell(done: int, steps: int, what: str) -> None:
            bar.total = steps
            bar.set_description_str(what, refresh=False)
            bar.update(done - bar.n)
            bar.refresh()

        yield tell
