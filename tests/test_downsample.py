"""Thinning against its naive twin: every bucket of the grid keeps its extremes."""

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomgan.adapters.downsample import Extremes

NAN = math.nan


def naive_extremes(times: Sequence[float], column: Sequence[float], width_s: float) -> list[tuple[float, float]]:
    """(lowest, highest) of each bucket of the absolute grid, in order; NaN where a bucket knows nothing."""
    buckets: dict[int, list[float]] = {}
    for time_s, value in zip(times, column, strict=True):
        buckets.setdefault(math.floor(time_s / width_s), []).append(value)
    known = [[value for value in bucket if not math.isnan(value)] for _, bucket in sorted(buckets.items())]
    return [(min(values, default=NAN), max(values, default=NAN)) for values in known]


@given(
    steps=st.lists(st.floats(0.01, 50.0), min_size=30, max_size=300),
    start_s=st.floats(0.0, 2e9),
    points=st.integers(10, 40),
    seed=st.integers(0, 1000),
    cut=st.integers(1, 29),
)
def test_thinning_keeps_every_extreme_and_carries_the_rest_from_the_oddest_row(
    steps: list[float], start_s: float, points: int, seed: int, cut: int
) -> None:
    times = start_s + np.cumsum(steps)
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(len(times), 5)).astype(np.float32)
    rows[:, :3][rng.random((len(times), 3)) < 0.2] = np.nan
    thin = Extremes(times[0], times[-1], points, 3, carried=2)
    thin.add(times[:cut], rows[:cut])  # in pieces, as rows come from the store
    thin.add(times[cut:], rows[cut:])
    out_times, out = thin.result()
    assert len(out_times) <= points
    assert np.all(np.diff(out_times) > 0)
    assert (out_times[0], out_times[-1]) == (times[0], times[-1])
    for column in range(3):
        kept = naive_extremes(out_times.tolist(), out[:, column].tolist(), thin.width_s)
        np.testing.assert_array_equal(kept, naive_extremes(times.tolist(), rows[:, column].tolist(), thin.width_s))
    for time_s, carried in zip(out_times, out[:, 3:], strict=True):
        bucket = rows[np.floor(times / thin.width_s) == np.floor(time_s / thin.width_s)]
        oddest = max(bucket, key=lambda row: -math.inf if math.isnan(row[0]) else row[0])
        assert carried.tolist() in bucket[:, 3:].tolist()
        assert math.isnan(oddest[0]) or carried.tolist() == oddest[3:].tolist()
