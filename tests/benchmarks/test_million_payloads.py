"""`make fuzz`: a million payloads for everything that reads bytes, most of them for the dialects.

Prints for every target how many payloads were tried, how many of them taught the corpus something, how many lines of
the library were reached, what became of them, and what the slowest one cost. ANOMGAN_FUZZ sets another number than a
million, ANOMGAN_FUZZ_SEED another seed: another million.
"""

import os
import resource
import time

import pytest
from figures import table
from fuzz_targets import TARGETS
from fuzzing import fuzz

MILLION = int(os.environ.get("ANOMGAN_FUZZ", "1000000"))
SEED = int(os.environ.get("ANOMGAN_FUZZ_SEED", "1"))
LEAST = 50
MOST_GROWTH_MB = 500.0

pytestmark = pytest.mark.bench


def shares() -> dict[str, int]:
    """Payloads per target: the same time for each, as far as is known what one costs."""
    per_cost = MILLION / sum(1.0 / target.cost for target in TARGETS.values())
    counts = {name: max(LEAST, int(per_cost / target.cost)) for name, target in TARGETS.items()}
    counts["dialect flat"] += max(0, MILLION - sum(counts.values()))
    return counts


def test_a_million_payloads_break_no_law() -> None:
    rows = []
    begun_s, before_mb = time.perf_counter(), peak_mb()
    total = 0
    for name, executions in shares().items():
        target = TARGETS[name]
        result = fuzz(target.make(), target.seeds(), executions, seed=SEED, trace_every=5)
        taken = sum(count for what, count in result.outcomes.items() if what in TAKEN or what.endswith("fleets"))
        rows.append(
            (
                name,
                f"{result.executions:,}",
                str(result.corpus),
                str(result.lines),
                str(len(result.outcomes)),
                f"{1 - taken / result.executions:.0%}",
                f"{result.slowest_s * 1e3:.1f} ms ({len(result.slowest):,} bytes)",
            )
        )
        total += result.executions
    grown_mb, wall_s = peak_mb() - before_mb, time.perf_counter() - begun_s
    header = ["target", "payloads", "corpus", "lines", "outcomes", "refused", "slowest"]
    table(f"{total:,} payloads in {wall_s:.0f} s, 0 broken laws, memory grew by {grown_mb:.0f} MB", header, rows)
    assert total >= MILLION
    assert grown_mb < MOST_GROWTH_MB


TAKEN = {"read", "accepted", "loaded", "restored"}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
