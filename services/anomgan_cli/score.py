"""`anomgan score MODEL CSV`: what the model says of every row, as a CSV."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomgan_cli.explaining import imputed_line, imputer_of, put_imputed, synthesizer_option
from anomgan_cli.inputs import by_row, ignore_option, read_for_model, rows_option, time_option
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from numpy.typing import NDArray


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), metavar="CSV")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The CSV to write.")
@synthesizer_option
@time_option
@ignore_option
@rows_option
def score(
    model: Path, file: Path, out: Path, synthesizer: Path | None, time: str | None, ignore: Sequence[str], rows: slice
) -> None:
    """Write MODEL's score of every row of CSV or Parquet.

    \b
    time            of the row
    surprise        -log10 of the probability that a normal window looks this odd; 3 is one in a thousand
    anomalous       1 where the surprise reaches the model's threshold
    discriminator, reconstruction, pattern    the surprise of each witness alone
    expected_NAME   what the model expected of channel NAME

    Cells are empty where nothing is known: in warm-up and after a gap. No score looks ahead. With --synthesizer, what
    was expected of the channels that an event blames is imputed from the others, once the event is over;
    expected_NAME_low and expected_NAME_high, filled there alone, hold 90 % of what is likely.
    """
    import numpy as np

    from anomgan.adapters.files import write_scores
    from anomgan.detector import Detector
    from anomgan.windows import carried, segment_starts

    detector = Detector.load(model)
    imputer = None if synthesizer is None else imputer_of(detector, synthesizer)
    series = read_for_model(detector, file, time, None, ignore, rows, least=detector.rule.window)
    ends, seen = detector.examine(series)
    newest = carried(ends, segment_starts(series.times, detector.rule))
    surprise = by_row(seen.surprise, newest)
    flags: list[int | None] = [None if np.isnan(s) else int(s >= detector.threshold) for s in surprise]
    expected = by_row(seen.expected, newest)
    columns: dict[str, Sequence[int | None] | NDArray[Any]] = {
        "surprise": surprise.astype(np.float32),
        "anomalous": flags,
    }
    for name in ("discriminator", "reconstruction", "pattern"):
        columns[name] = by_row(getattr(seen, name), newest).astype(np.float32)
    told = [] if imputer is None else imputer.events(series)
    low, high = put_imputed(told, series, detector.channels, expected)
    for c, name in enumerate(detector.channels):
        columns[f"expected_{name}"] = expected[:, c]
        if imputer is not None:
            edges = {f"expected_{name}_low": low[:, c], f"expected_{name}_high": high[:, c]}
            columns |= {edge: column.astype(np.float32) for edge, column in edges.items()}
    write_scores(out, series, columns)
    unknown = int(np.isnan(surprise).sum())
    say(
        f"wrote {out}: {len(series)} rows, {unknown} without a score (warm-up, gaps), "
        f"{flags.count(1)} anomalous (surprise from {detector.threshold:.2f} on)"
    )
    if synthesizer is not None:
        say(imputed_line(told, synthesizer))
