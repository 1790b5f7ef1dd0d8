"""Real windows as a synthesizer's discriminator sees them, for the attack of somebody who has the model."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.gan.networks import Networks
from anomgan.records import Floats, TimeSeries
from anomgan.synthesis.aligned import aligned, conditions_of
from anomgan.synthesis.conditions import Given, encode
from anomgan.synthesis.fit import Learned, filled, known_ends
from anomgan.synthesis.marginals import to_scores
from anomgan.synthesis.scales import told_scale
from anomgan.windows import WindowRule, gather_windows, segment_starts

BATCH = 512
Scores = NDArray[np.float32]


class Seen(NamedTuple):
    """windows (N, C, L) of normal scores, the rows (N,) that they begin with, and their conditions (N, K)."""

    windows: Scores
    rows: NDArray[np.int64]
    conditions: Scores


def seen_windows(learned: Learned, series: TimeSeries, given: Given | None, *, conditioned: bool) -> Seen:
    """Every window of a series without a gap, a row apart, as the networks were shown them.

    `conditioned` is whether anybody wants to know its conditions. DataError names what it lacks: a channel, a
    condition, a window's rows without a gap.
    """
    lacking = [name for name in learned.channels if name not in series.channels]
    if lacking:
        raise DataError(f"{series.device}: channels of the model that are not there: {', '.join(lacking)}")
    one = aligned(learned, series, given)
    rule = WindowRule(learned.config.window or 0, 1, learned.config.max_gap_s or 0.0, 0)
    starts = segment_starts(one.times, rule)
    scores = to_scores(learned.marginals, one.values[:, : len(learned.channels)])
    ends = known_ends(scores, starts, rule)
    if len(ends) == 0:
        raise DataError(f"{series.device}: no {rule.window} rows in a row without a gap, as the model's windows are")
    under = np.empty((len(one), 0), np.float32)
    if conditioned:
        try:
            under = encode(learned.conditions, one.times, conditions_of(learned.conditions, one, given))
        except DataError as error:
            raise DataError(f"{series.device}: {error}") from None
    return Seen(gather_windows(filled(scores, starts), ends, rule.window), ends - rule.window + 1, under[ends])


@torch.inference_mode()
def realness(networks: Networks, windows: Scores, conditions: Scores) -> Floats:
    """(N,) the discriminator's logits of windows (N, C, L) under conditions (N, K), higher = more real."""
    conditions = told_scale(conditions, 0, networks.shape.scales)
    told = [
        networks.discriminator(*(torch.from_numpy(part[at : at + BATCH]) for part in (windows, conditions)))[0].mean(1)
        for at in range(0, len(windows), BATCH)
    ]
    return torch.cat(told).double().numpy()
