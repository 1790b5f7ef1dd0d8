"""The band around what is expected in which a channel's newest row lies in normal windows.

It is the rule by which `course` says that a channel is beyond its own error, so that what is drawn outside the band is
what the event's onsets speak of. The limits are scaled; a scale is bent far from its centre, and the band with it.
The four places on the last axis of `Verdict.band`:

CENTRE, SPREAD    of the channel's scale, in its unit (see `scaling`); NaN for a state, of which nothing is expected
LOW, HIGH    how far below (negative) and above what is expected the row may be, scaled
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PLACES = 4
CENTRE, SPREAD, LOW, HIGH = range(PLACES)

Floats = NDArray[np.float64]


def edges(band: Floats, expected: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """Bands (C, 4), expected (..., C) -> the lower and the upper edge (..., C), in the channels' units; NaN = none."""
    centre, spread = band[:, CENTRE], band[:, SPREAD]
    scaled = np.arcsinh((expected.astype(np.float64) - centre) / spread)
    low, high = (np.sinh(scaled + band[:, limit]) * spread + centre for limit in (LOW, HIGH))
    return low, high


def outside(
    band: Floats, expected: NDArray[np.floating[Any]], observed: NDArray[np.floating[Any]]
) -> NDArray[np.bool_]:
    """Whether what was observed (..., C) lies outside the band; what is not known does not."""
    low, high = edges(band, expected)
    beyond: NDArray[np.bool_] = (observed < low) | (observed > high)
    return beyond
