"""What the commands that tell of events share, where a synthesizer says what these should have looked like."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomgan.detector import Detector
    from anomgan.imputer import Explained, Imputer
    from anomgan.records import Floats, TimeSeries

synthesizer_option = click.option(
    "--synthesizer",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Impute by this model of `train --synthesizer` what was to be expected in events.",
)


def imputer_of(detector: "Detector", path: Path) -> "Imputer":
    """The synthesizer in a file beside a detector; ModelFileError where it cannot be read or does not fit."""
    from anomgan.imputer import Imputer
    from anomgan.synthesis.synthesizer import Synthesizer

    return Imputer(detector, Synthesizer.load(path), str(path))


def imputed_line(told: "Sequence[Explained]", path: Path) -> str:
    """Of how many events the expectation was imputed, and why not of the others."""
    done = sum(one.expected is not None for one in told)
    line = f"{path}: imputed what was to be expected in {done} of {len(told)} events"
    kept = Counter(one.words for one in told if one.expected is None)
    return "; ".join([line, *(f"not in {count}: {words}" for words, count in kept.items())])


def put_imputed(
    told: "Sequence[Explained]", series: "TimeSeries", channels: Sequence[str], expected: "NDArray[Any]"
) -> "tuple[Floats, Floats]":
    """Put what was imputed into what was expected (T, C) of these channels; its edges, low and high (T, C), NaN where
    nothing was."""
    import numpy as np

    low, high = np.full(expected.shape, np.nan), np.full(expected.shape, np.nan)
    for one in told:
        if one.expected is None:
            continue
        rows = np.searchsorted(series.times, one.expected.times)
        for c, name in enumerate(one.expected.channels):
            at = (rows, channels.index(name))
            expected[at], low[at], high[at] = (
                table[:, c] for table in (one.expected.middle, one.expected.low, one.expected.high)
            )
    return low, high
