"""What `anomgan privacy --model` compares: windows as the synthesizer was trained on, and its discriminator."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anomgan_cli.inputs import check_units, read_for_training
from anomgan_cli.terminal import say

if TYPE_CHECKING:
    from anomgan.privacy import Sample
    from anomgan.privacy.membership import Judge
    from anomgan.records import Floats, TimeSeries

ROWS = slice(None)


@dataclass(frozen=True, slots=True)
class Compared:
    """trained: the series of the training data. windows: of each of them, of each held out and of each synthetic one.
    discriminator: of the model, where there is one; promised: what its training promises, "" for nothing."""

    trained: "Sequence[TimeSeries]"
    windows: "Sequence[Sequence[Sample]]"
    discriminator: "Judge | None" = None
    promised: str = ""


def compared_as_trained(
    model: Path,
    paths: Sequence[Sequence[Path]],
    time: str | None,
    ignore: Sequence[str],
    given: dict[str, float | str],
    err: bool,
) -> Compared:
    """Windows of the files as the model was shown them; what it was not trained on does not count as training data.

    ModelFileError for a file that is no synthesizer's; DataError where a file lacks one of its channels or conditions,
    or has one in another unit.
    """
    import numpy as np

    from anomgan.privacy import Sample
    from anomgan.synthesis.conditions import DEVICE, HOUR, WEEKDAY
    from anomgan.synthesis.fit import trained_rows
    from anomgan.synthesis.judged import realness, seen_windows
    from anomgan.synthesis.private_fit import guarantee
    from anomgan.synthesis.synthesizer import Synthesizer

    maker = Synthesizer.load(model)
    learned = maker.parts
    told = (HOUR, WEEKDAY, DEVICE, *given)
    columns = [one.name for one in learned.conditions if one.name not in told]

    def read(several: Sequence[Path], more: Sequence[str]) -> "list[TimeSeries]":
        series = read_for_training(several, time, ignore, [*maker.channels, *more], ROWS, err=err)
        for path, one in zip(several, series, strict=True):
            check_units(path, one, maker, "the model")
        return series

    train, held_out, synthetic = paths
    real = read([*train, *held_out], columns)
    trained, held = real[: len(train)], real[len(train) :]

    counts = [len(one) for one in trained]
    if (len(counts), sum(counts)) == (learned.summary["series"], learned.summary["rows"]):
        counts = [trained_rows(learned.config, count) for count in counts]
        if sum(counts) < learned.summary["rows"]:
            kept = f"the last {learned.config.holdout:.0%} of them only chose the model's best step"
            say(f"note: {sum(counts)} of {learned.summary['rows']} rows count as training data; {kept}", err=True)
    else:
        files = f"{learned.summary['rows']} rows of {learned.summary['series']} series"
        say(f"note: the model was trained on {files}, not on {sum(counts)} of {len(counts)}", err=True)

    def cut(one: "TimeSeries", *, conditioned: bool, rows: int | None = None) -> "Sample":
        seen = seen_windows(learned, one[:rows], given or None, conditioned=conditioned)
        return Sample(seen.windows, seen.rows, seen.conditions)

    def discriminator(sample: "Sample") -> "Floats":
        under = np.empty((len(sample), 0)) if sample.conditions is None else sample.conditions
        return realness(learned.networks, sample.windows.astype(np.float32), under.astype(np.float32))

    windows = (
        [cut(one, conditioned=True, rows=count) for one, count in zip(trained, counts, strict=True)],
        [cut(one, conditioned=True) for one in held],
        [cut(one, conditioned=False) for one in read(synthetic, ())],
    )
    return Compared(trained, windows, discriminator, guarantee(maker.summary))
