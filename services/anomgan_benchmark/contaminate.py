"""Training parts that are not quite normal: some of their rows replaced by labelled rows of the test part.

Nobody who trains on what a broker has kept can be sure that all of it is normal. The faults put in are the very ones
that the test asks for, which is the hardest case: a detector that takes them for normal will not find them.
"""

from dataclasses import replace

import numpy as np

from anomgan_benchmark.layouts import LabelledSeries

STRETCH = 16
"""rows of a fault that are put in together, at most"""
SEED = 0


def contaminate(series: LabelledSeries, share: float) -> LabelledSeries:
    """The series with about `share` of its training rows, at least one unless it is 0, taken from labelled test rows.

    Stretches of up to STRETCH neighbouring rows keep the shape that a fault has in time.
    """
    rows = len(series.train)
    wanted = min(round(share * rows) or 1, rows) if share else 0
    values = series.train.values.copy()
    labelled = np.flatnonzero(series.labels)
    dice = np.random.default_rng(SEED)
    for slot in dice.permutation(-(-rows // STRETCH)):  # stretches lie on a grid, so that none covers another
        if wanted <= 0:
            break
        begin = dice.choice(labelled)
        fault = labelled[(labelled >= begin) & (labelled < begin + min(STRETCH, wanted))]
        fault = fault[: len(values[slot * STRETCH : (slot + 1) * STRETCH])]
        values[slot * STRETCH : slot * STRETCH + len(fault)] = series.test.values[fault]
        wanted -= len(fault)
    return replace(series, train=replace(series.train, values=values))
