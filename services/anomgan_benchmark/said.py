"""What a fitted detector says of a test series: the contract between a detector and the protocol."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from anomgan.config import DetectorConfig
from anomgan.matching import Span
from anomgan.records import Floats, TimeSeries


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """scores (T,), causal, higher is more anomalous, NaN where there is none; `windows` were looked at for them.

    `events` gives those raised at the alarm budget; it is asked outside the time that counts as scoring. None where
    scores rank windows and no budget is calibrated.
    contribution (T, C): how much each channel has to do with the score of a row; None where the detector cannot tell.
    """

    scores: Floats
    windows: int
    events: Callable[[], Sequence[Span]] | None
    contribution: NDArray[Any] | None = None


Examine = Callable[[TimeSeries], Mapping[str, Said]]
"""A fitted detector: a test series -> what it says, by name. One fit may answer under several names, such as its own
and those of its parts; no two detectors answer under one name."""

Fit = Callable[[TimeSeries, DetectorConfig], Examine]
"""Everything that comes before scoring, calibration too. A plain detector takes seed and alarm budget only."""
