"""What a pump should have looked like during events, by the detector and imputed, against what it would have measured.

    make bench ARGS="-k expectations"

The simulator gives the same run of a pump with and without faults. A detector and a synthesizer learn from the 10,000
rows before. Every sensor fault befalls every channel that can have it, and every process fault the pump three times; of
the events, what was expected of the channels that they blame, and of the one that lies, is compared with the healthy
run: mean absolute errors in standard deviations of the training data. STEPS=number: fewer training steps.
"""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from figures import stopwatch, table

from anomgan.config import DecideConfig, DetectorConfig, SynthesizerConfig
from anomgan.detector import Detector
from anomgan.expected import Expected
from anomgan.imputer import Explained, Imputer
from anomgan.records import Floats, Reading, TimeSeries
from anomgan.simulate import KINDS, parse_scenario, simulate
from anomgan.simulate.sensor_faults import SENSOR_FAULTS, possible
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan.windows import carried, segment_starts
from anomgan_detector.imputing import PART, Imputing
from anomgan_detector.loaded import read_synthesizer

ROWS, LASTS, APART, REPEATED = 10_000, 150, 350, 3
LATE = 64
"""rows after a fault in which an event still is of it"""
OTHERS = ("dropout", "unit_jump", "swapped_channels")
"""sensor faults that leave no value, or that no model is needed for, or of two channels at once"""
PUMP = """
[clock]
duration_s = {rows}
day_s = 900
seed = 7
[[devices]]
kind = "pump"
name = "pump-"
site = "north"
"""
FAULT = """
[[faults]]
device = "pump-1"
kind = "{kind}"
start_s = {start}
end_s = {end}
{rest}
"""


class Wrong(NamedTuple):
    """A fault: its kind, the channel that lies ("" = the machine's), its first row and the one after its last."""

    kind: str
    channel: str
    first: int
    end: int


@dataclass(frozen=True)
class Run:
    """The same rows, healthy and as measured, and what was wrong with them."""

    healthy: TimeSeries
    measured: TimeSeries
    faults: Sequence[Wrong]


def run(kinds: Sequence[tuple[str, str]]) -> Run:
    """One fault after the other; those of a sign go up and down by turns."""
    faults, told = [], []
    for number, (kind, channel) in enumerate(kinds):
        first = ROWS + APART + number * APART
        faults.append(Wrong(kind, channel, first - ROWS, first + LASTS - ROWS))
        rest = f'channels = ["{channel}"]' if channel else ""
        nature = SENSOR_FAULTS.get(kind)
        if nature is not None and nature.signed and number % 2:
            rest += f"\nseverity = {-(nature.usual or 1.0)}"
        told.append(FAULT.format(kind=kind, start=first, end=first + LASTS, rest=rest))
    rows = ROWS + (len(kinds) + 2) * APART
    whole = [PUMP.format(rows=rows), PUMP.format(rows=rows) + "".join(told)]
    healthy, measured = (simulate(parse_scenario(tomllib.loads(text), "pump"), 0, rows)[0] for text in whole)
    return Run(healthy[ROWS:], measured[ROWS:], faults)


SENSORS = [
    (kind, channel.name)
    for kind in SENSOR_FAULTS
    for channel in KINDS["pump"].channels
    if kind not in OTHERS and kind in possible(channel) and (channel.lively or SENSOR_FAULTS[kind].always)
]
MACHINE = [(fault.name, "") for fault in KINDS["pump"].process_faults] * REPEATED


@cache
def learned() -> tuple[TimeSeries, Imputer]:
    """The rows that both learned from, and the two together."""
    text = PUMP.format(rows=ROWS)
    train = simulate(parse_scenario(tomllib.loads(text), "pump"), 0, ROWS)[0]
    steps = int(os.environ["STEPS"]) if "STEPS" in os.environ else None
    synthesizer = Synthesizer.fit(train, SynthesizerConfig(steps=steps))
    return train, Imputer(Detector.fit(train, DetectorConfig(steps=steps)), synthesizer)


class Off(NamedTuple):
    """Of one event's blamed channels over its rows: errors, and whether healthy values lay in the imputed band."""

    detector: Floats
    imputed: Floats
    inside: Floats


def compare(one: Run, told: Explained, expected: Floats, spread: Floats) -> Off | None:
    """`expected` (T, C) is the detector's; None where the event is of no fault."""
    event, times = told.event, one.healthy.times
    first, last = np.searchsorted(times, (event.start_s, event.end_s))
    of = [fault for fault in one.faults if fault.first <= last and fault.end + LATE > first]
    if not of:
        return None
    rows = slice(first, last + 1)
    detector, imputed, inside = [], [], []
    for name in sorted({*event.channels, *(fault.channel for fault in of if fault.channel)}):
        c = one.healthy.channels.index(name)
        truth = one.healthy.values[rows, c]
        own = np.abs(expected[rows, c] - truth) / spread[c]
        detector.append(own)
        middle, low, high = imputed_rows(told.expected, name, times[rows])
        imputed.append(own if middle is None else np.abs(middle - truth) / spread[c])
        if middle is not None:
            inside.append((low <= truth) & (truth <= high))
    return Off(*(np.concatenate([np.empty(0), *parts]) for parts in (detector, imputed, inside)))


def imputed_rows(expected: Expected | None, name: str, times: Floats) -> tuple[Floats | None, Floats, Floats]:
    """Middle, low and high of a channel at these times; None where it was not imputed."""
    if expected is None or name not in expected.channels:
        return None, times, times
    at = np.searchsorted(expected.times, times)
    c = expected.channels.index(name)
    return expected.middle[at, c], expected.low[at, c], expected.high[at, c]


@pytest.mark.bench
def test_expectations_during_events_beside_what_would_have_been_measured() -> None:
    train, imputer = learned()
    spread = train.values.std(0)
    rows = []
    for title, kinds in (("of a sensor", SENSORS), ("of the machine", MACHINE)):
        one = run(kinds)
        ends, seen = imputer.detector.examine(one.measured)
        newest = carried(ends, segment_starts(one.measured.times, imputer.detector.rule))
        told = imputer.events(one.measured)
        pairs = [(each, compare(one, each, seen.expected[newest], spread)) for each in told]
        of_faults = [(each, off) for each, off in pairs if off is not None]
        done = [off for each, off in of_faults if each.expected is not None]
        for said, some in (("all", [off for _, off in of_faults]), ("imputed", done)):
            errors = [f"{np.concatenate([off[i] for off in some]).mean():.3f}" for i in (0, 1)]
            inside = f"{100 * np.concatenate([off.inside for off in done]).mean():.0f} %"
            rows.append([f"{title}, {said}", str(len(some)), *errors, inside])
        assert all(np.isfinite(off.imputed).all() for off in done)
    table(
        "What was expected during events, off from the healthy run",
        ["faults", "events", "detector", "imputed", "in the 90 % band"],
        rows,
    )


@pytest.mark.bench
def test_expectations_what_they_take(tmp_path: Path) -> None:
    """Offline an event is imputed once, when it is over; a service does so whenever it is told, and keeps rows."""
    _, imputer = learned()
    detector, one = imputer.detector, run(SENSORS)
    found, plain = stopwatch(lambda: detector.events(one.measured))
    _, imputed = stopwatch(lambda: imputer.events(one.measured))
    imputer.synthesizer.save(tmp_path / "gan.safetensors")
    file = read_synthesizer(tmp_path / "gan.safetensors")
    imputing = Imputing("gan.safetensors", detector, file, detector.decide_rule(DecideConfig()))
    turns = [
        [Reading(f"pump-{d}", time_s, dict(zip(one.measured.channels, row, strict=True))) for d in range(100)]
        for time_s, row in zip(one.measured.times[:200].tolist(), one.measured.values.tolist(), strict=False)
    ]

    def hear() -> None:
        for turn in turns:
            imputing.hear(turn)
            imputing.turn_over()

    _, kept = stopwatch(hear)
    table(
        "What imputing takes",
        ["events", "CPU ms an event", "CPU µs a reading", "kB a quiet device"],
        [
            [
                str(len(found)),
                f"{1000 * (imputed.cpu_s - plain.cpu_s) / len(found):.0f}",
                f"{1e6 * kept.cpu_s / (100 * len(turns)):.1f}",
                f"{len(imputing.snapshot()[PART]) / 100 / 1000:.1f}",
            ]
        ],
    )
