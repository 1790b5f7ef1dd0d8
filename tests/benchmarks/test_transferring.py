"""A new device with few recordings, and another one's model: what it is worth with and without `Synthesizer.transfer`.

    make bench ARGS="-k transferring"

ONLY=name,name   of PAIRS, or a part of their names
STEPS=number     fewer training steps of the synthesizer

A is well known, of B there are the first 5, 20 or 100 % of its training rows. Pairs are operating points of SKAB's pump
bench, by their flow (it lies beside the checkout; without it these are left out), and simulated pumps of other sizes,
at a row a minute, with faults in the test rows. B's test rows are judged by

- a detector of B's own rows;
- A's detector as it is;
- A's detector, each channel mapped to A's by its quantiles;
- A's detector, B's rows as A's by `transfer`, of a synthesizer of all of A and of what there is of B;
- a detector of B's own rows and of A's, mapped to B's by their quantiles;
- a detector of B's own rows and of A's, as B's by the same `transfer`.

A score knows no later rows: each window that A's detector looks at is transferred by itself. Figures are VUS-PR, mean
over B's recordings, and the share of normal rows above the detector's threshold.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from figures import SKAB, table

from anomgan.config import DetectorConfig, SynthesizerConfig
from anomgan.detector import Detector
from anomgan.evaluation import evaluate
from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan.vus import dominant_period
from anomgan_benchmark.suites import open_suite

DATA = SKAB.parents[2]
SHARES = (0.05, 0.2, 1.0)
PERIOD_S, EARLY_S, TRAIN_ROWS, TEST_ROWS = 60.0, 3600.0, 3000, 3000
POINTS = {
    "32 l/min": [f"valve1-{number}" for number in range(0, 16, 3)],
    "127 l/min": [f"other-{number}" for number in range(5, 11)],
}
PUMPS = {
    "pump 40 m3/h": {"flow_m3h": 40.0, "head_m": 32.0, "swing": 0.2, "batches_per_day": 8, "batch_draw": 0.22},
    "pump 15 m3/h": {"flow_m3h": 15.0, "head_m": 55.0, "swing": 0.35, "batches_per_day": 4, "batch_draw": 0.3},
    "pump 90 m3/h": {"flow_m3h": 90.0, "head_m": 20.0, "swing": 0.1, "batches_per_day": 14, "batch_draw": 0.12},
}
GAP_ROWS = 20
WAYS = ("B's own rows", "A's model", "by quantiles", "by transfer", "own + A's by quantiles", "own + A's by transfer")
Score = Callable[[TimeSeries], Floats]


class Device(NamedTuple):
    """Normal recordings to learn from, and labelled ones."""

    train: Sequence[TimeSeries]
    tests: Sequence[TimeSeries]


def point(name: str) -> Device:
    """The recordings of a pump bench at one flow."""
    listing = open_suite("skab", DATA)
    several = [listing[series]() for series in POINTS[name]]
    return Device([replace(one.train, device=name) for one in several], [one.test for one in several])


def pump(name: str) -> Device:
    """An hour after its start: two days without a fault, and two with some."""
    seed = list(PUMPS).index(name)
    healthy_s = EARLY_S + TRAIN_ROWS * PERIOD_S
    clock = {"period_s": PERIOD_S, "duration_s": healthy_s + TEST_ROWS * PERIOD_S, "seed": seed}
    devices = [{"kind": "pump", "name": "pump-", "count": 1, "site": "works", "settings": PUMPS[name]}]
    faults = {"first_s": healthy_s, "spacing_s": [9000, 15000], "duration_s": [1800, 5400], "quiet_s": 1800}
    scenario = parse_scenario({"clock": clock, "devices": devices, "random_faults": faults}, name)
    whole = next(iter(simulate(scenario, round(EARLY_S / PERIOD_S), TRAIN_ROWS + TEST_ROWS)))
    whole = replace(whole, device=name)
    return Device([replace(whole[:TRAIN_ROWS], labels=None)], [whole[TRAIN_ROWS:]])


PAIRS: dict[str, tuple[Callable[[], Device], Callable[[], Device]]] = {
    f"SKAB, {a} to {b}": (partial(point, a), partial(point, b))
    for a, b in (("32 l/min", "127 l/min"), ("127 l/min", "32 l/min"))
} | {
    f"{a} to {b}": (partial(pump, a), partial(pump, b))
    for a, b in (("pump 40 m3/h", "pump 15 m3/h"), ("pump 15 m3/h", "pump 90 m3/h"))
}


def first(recordings: Sequence[TimeSeries], share: float) -> list[TimeSeries]:
    """The first rows of several recordings, one after the other."""
    left = round(share * sum(map(len, recordings)))
    told = []
    for one in recordings:
        told.append(one[:left])
        left -= len(told[-1])
        if left == 0:
            break
    return told


def joined(recordings: Sequence[TimeSeries]) -> Floats:
    return np.concatenate([one.values for one in recordings])


def by_quantiles(values: Floats, own: Floats, other: Floats) -> Floats:
    """(T, C): each channel's values at the quantiles they have in `own`, from `other`; beyond, on in its spreads."""
    told = np.empty_like(values)
    shares = np.linspace(0.0, 1.0, 201)
    for c, column in enumerate(values.T):
        here, there = (np.quantile(one[:, c], shares) for one in (own, other))
        wider = other[:, c].std() / own[:, c].std() if own[:, c].std() > 0 else 1.0
        told[:, c] = np.interp(column, here, there) + wider * (column - np.clip(column, here[0], here[-1]))
    return told


def transferred(detector: Detector, maker: Synthesizer, test: TimeSeries, own: str, other: str) -> Floats:
    """Scores (T,), as `Detector.score` gives them, of windows that were each transferred by itself."""
    window, stride = detector.rule.window, detector.rule.stride
    ends = np.arange(window - 1, len(test), stride)
    values = test.values[ends[:, None] + np.arange(1 - window, 1)]  # (N, L, C)
    index = np.arange(values.shape[0] * window)
    apart = test.period_s * (index + GAP_ROWS * (index // window))
    alone = TimeSeries(apart, values.reshape(len(index), -1), test.channels)
    moved = maker.transfer(alone, other, origin=own).values.reshape(values.shape)
    newest = np.maximum(np.arange(len(test)) - window + 1, -stride) // stride  # -1, in warm-up, is the NaN at the end
    return np.append(detector.score_windows(np.moveaxis(moved, 1, 2)), np.nan)[newest]


def judged(device: Device, threshold: float, score: Score) -> tuple[float, float]:
    """VUS-PR and the share of normal rows above the threshold, of a device's tests."""
    found, false = [], []
    for test in device.tests:
        assert test.labels is not None
        scores = score(test)
        window = dominant_period(joined([*device.train, test])[:, 0])
        found.append(evaluate(scores, test.labels, window=window).vus_pr)
        false.append((scores[~test.labels & np.isfinite(scores)] >= threshold).mean())
    return float(np.mean(found)), float(np.mean(false))


def measured(a: Device, b: Device, share: float, of_a: Detector, seed: int) -> list[tuple[float, float]]:
    """By WAYS, VUS-PR and share of false rows."""
    steps = os.environ.get("STEPS")
    there = first(b.train, share)
    name_a, name_b = a.train[0].device, there[0].device
    config = SynthesizerConfig(conditions=("device",), steps=int(steps) if steps else None, seed=seed)
    maker = Synthesizer.fit([*a.train, *there], config)
    own, other = joined(there), joined(a.train)

    def mapped(test: TimeSeries) -> Floats:
        return of_a.score(replace(test, values=by_quantiles(test.values, own, other)))

    def moved(test: TimeSeries) -> Floats:
        return transferred(of_a, maker, test, name_b, name_a)

    def fitted(more: Sequence[TimeSeries]) -> Detector:
        return Detector.fit([*there, *more], DetectorConfig(seed=seed))

    alone = fitted([])
    beside = fitted([replace(one, values=by_quantiles(one.values, other, own), device=name_b) for one in a.train])
    with_a = fitted([maker.transfer(one, name_b) for one in a.train])
    ways = (
        (alone, alone.score),
        (of_a, of_a.score),
        (of_a, mapped),
        (of_a, moved),
        (beside, beside.score),
        (with_a, with_a.score),
    )
    return [judged(b, detector.threshold, score) for detector, score in ways]


@pytest.mark.bench
def test_transferring_between_devices() -> None:
    only = os.environ.get("ONLY", "").split(",")
    every: dict[float, list[list[tuple[float, float]]]] = {share: [] for share in SHARES}
    for seed, (name, (make_a, make_b)) in enumerate(PAIRS.items()):
        if not any(one in name for one in only):
            continue
        if name.startswith("SKAB") and not DATA.is_dir():
            print(f"{name} is left out: {DATA.name} is missing beside the checkout", flush=True)  # noqa: T201
            continue
        a, b = make_a(), make_b()
        of_a = Detector.fit(a.train, DetectorConfig(seed=seed))
        rows = []
        for share in SHARES:
            began = time.perf_counter()
            every[share].append(measured(a, b, share, of_a, seed))
            cells = [f"{vus:.3f} {100 * false:3.0f} %" for vus, false in every[share][-1]]
            rows.append([f"{share:.0%} of {sum(map(len, b.train))}", *cells])
            print(f"{name}: {rows[-1]}, {time.perf_counter() - began:.0f} s", flush=True)  # noqa: T201
        table(f"{name}: VUS-PR, normal rows above the threshold", ["rows of B", *WAYS], rows)
    assert np.isfinite(np.array(list(every.values()))).all()
    rows = [
        [f"{share:.0%}", *(f"{vus:.3f} {100 * false:3.0f} %" for vus, false in np.mean(found, axis=0))]
        for share, found in every.items()
        if found
    ]
    table("All pairs: VUS-PR, normal rows above the threshold", ["rows of B", *WAYS], rows)
