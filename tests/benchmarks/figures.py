"""What the benchmarks share: stopwatches for one core's work, example data, and aligned tables."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from anomgan.records import Floats, TimeSeries, series_from_array

Result = TypeVar("Result")
CHANNELS = 8
SKAB = Path(__file__).parents[2].parent / "shared" / "data" / "SKAB" / "valve1" / "0.csv"
"""a recorded pump bench, where it lies beside the checkout"""


class Spent(NamedTuple):
    """Wall and CPU seconds (of this process, all threads)."""

    wall_s: float
    cpu_s: float


def stopwatch(work: Callable[[], Result]) -> tuple[Result, Spent]:
    """Do it once; what it gave and what it took."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def cpu_seconds(work: Callable[[], object], at_least_s: float = 1.0, rounds: int = 3) -> float:
    """CPU seconds of one call: the best of some rounds, each of as many calls as make it long enough."""
    best = float("inf")
    for _ in range(rounds):
        calls, begun = 0, time.process_time()
        while (spent := time.process_time() - begun) < at_least_s / rounds or calls == 0:
            work()
            calls += 1
        best = min(best, spent / calls)
    return best


def coupled_sines(rows: int, seed: int, channels: int = CHANNELS) -> Floats:
    """A device's normal values (rows, channels): coupled sines with noise."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * (np.arange(rows) / 40 + rng.uniform())
    pure = np.stack([(c + 1) * np.sin(phase + c) + 10.0 * c for c in range(channels)], axis=1)
    return np.asarray(pure + 0.1 * rng.normal(size=pure.shape))


def normal_series(rows: int, seed: int = 0) -> TimeSeries:
    """`coupled_sines` of one device, a row a second."""
    return series_from_array(coupled_sines(rows, seed))


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print it, the first column to the left and the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(f"\n\n{title}")  # noqa: T201 a benchmark prints
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  " + "  ".join(cells))  # noqa: T201 the same
