"""A store filled with what a detector would have said of a small plant: coupled channels, and faults with their events.

For the page's tests and pictures: `python tests/service/synthetic_fleet.py STORE [DEVICES] [HOURS] [--live SPEED]`.
"""

import argparse
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomgan.adapters.ports import Batch
from anomgan.adapters.sqlite import SqliteStore
from anomgan.band import outside
from anomgan.records import Event, Verdict

START_S = 1_767_600_000.0
THRESHOLD = 3.6
WARM_UP = 64
Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device: per channel its name, unit, mean, swing with the load, lag in seconds and noise."""

    model: str
    channels: tuple[tuple[str, str, float, float, float, float], ...]
    fault: tuple[str, tuple[float, ...]]
    """the sentence's subject, and the offset of each channel in the fault, in swings"""


PUMP = Kind(
    "pump",
    (
        ("flow", "m³/h", 42.0, 6.0, 0.0, 0.25),
        ("discharge pressure", "bar", 5.2, 0.7, 3.0, 0.03),
        ("motor current", "A", 18.5, 2.4, 1.0, 0.12),
        ("speed", "rpm", 1460.0, 55.0, 0.0, 3.0),
        ("vibration", "mm/s", 1.9, 0.35, 5.0, 0.06),
        ("bearing temperature", "°C", 58.0, 4.5, 160.0, 0.1),
        ("inlet temperature", "°C", 17.0, 1.2, 600.0, 0.05),
        ("valve position", "%", 61.0, 9.0, 0.0, 0.4),
    ),
    ("flow", (-1.9, 0.9, -1.2, 0.1, 1.7, 0.5, 0.0, 0.0)),
)
COLD_STORE = Kind(
    "cold-store",
    (
        ("air temperature", "°C", -18.5, 1.1, 120.0, 0.05),
        ("evaporator temperature", "°C", -26.0, 2.2, 30.0, 0.12),
        ("suction pressure", "bar", 1.4, 0.25, 10.0, 0.01),
        ("compressor power", "kW", 3.2, 1.1, 5.0, 0.05),
        ("fan current", "A", 1.15, 0.1, 0.0, 0.01),
        ("door", "", 0.05, 0.05, 0.0, 0.01),
        ("humidity", "%", 74.0, 5.0, 240.0, 0.4),
    ),
    ("air temperature", (2.6, 0.8, 0.7, 1.6, 0.1, 0.2, 1.4)),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Row numbers in which the device is faulty."""

    first: int
    last: int
    size: float = 1.0


def device_verdicts(
    kind: Kind, device: str, site: str, rows: range, faults: Sequence[Fault], seed: int
) -> list[Verdict]:
    """One verdict a second; the same rows come out whatever range they are asked in."""
    names, units, mean, swing, lag, noise = (tuple(cell) for cell in zip(*kind.channels, strict=True))
    index = np.array(rows, dtype=np.float64)
    t = index[:, None] - np.array(lag)  # (T, C)
    phase = seed * 1.7
    load = 0.6 * np.sin(2 * np.pi * t / 1800 + phase) + 0.3 * np.sin(2 * np.pi * t / 437 + 2 * phase)
    load += 0.1 * np.sin(2 * np.pi * t / 61 + phase)
    expected = np.array(mean) + np.array(swing) * load
    jitter = np.array([np.random.default_rng([seed, row]).normal(size=(2, len(names))) for row in rows])  # (T, 2, C)
    values = expected + np.array(noise) * jitter[:, 0]
    expected = expected + 0.3 * np.array(noise) * jitter[:, 1]
    ramp = np.zeros(len(index))
    for fault in faults:
        inside = (index >= fault.first) & (index <= fault.last)
        ramp[inside] = fault.size * np.minimum(1.0, (index[inside] - fault.first + 1) / 40)
    values += ramp[:, None] * np.array(kind.fault[1]) * np.array(swing)
    error = np.abs(values - expected) / (np.array(swing) * 0.25 + np.array(noise))
    contribution = error / error.sum(axis=1, keepdims=True)
    surprise = 0.9 + 0.35 * jitter[:, 0, 0] + 0.25 * np.sin(index / 90 + phase) + 5.5 * np.tanh(1.3 * ramp)
    limit = 4.5 * np.array(noise) / np.array(swing)  # what is expected is a little off itself
    band = np.stack([np.array(mean), np.array(swing), -limit, limit], axis=1)
    surprise = np.where(index < WARM_UP, np.nan, np.maximum(surprise, 0.02))
    return [
        Verdict(
            device=device,
            site=site,
            time_s=START_S + row,
            surprise=float(surprise[i]),
            threshold=THRESHOLD,
            anomalous=bool(surprise[i] >= THRESHOLD),
            discriminator=float(surprise[i] * 0.7 + 0.2 * jitter[i, 1, 0]),
            reconstruction=float(surprise[i] * 1.02 + 0.1 * jitter[i, 1, 1]),
            pattern=float(surprise[i] * 0.86 + 0.15 * jitter[i, 1, 2]),
            channels=names,
            values=values[i].astype(np.float32),
            expected=expected[i].astype(np.float32),
            contribution=contribution[i].astype(np.float32),
            model=kind.model,
            units=units,
            band=band,
        )
        for i, row in enumerate(rows)
    ]


def fault_event(verdicts: Sequence[Verdict], state: str = "closed") -> Event:
    """The event that a run of verdicts makes: its anomalous ones, told at their peak."""
    bad = [verdict for verdict in verdicts if verdict.anomalous]
    peak = max(bad, key=lambda verdict: verdict.surprise)
    order = np.argsort(-peak.contribution)[:3]
    names = tuple(peak.channels[i] for i in order)
    observed, expected = (tuple(float(column[i]) for i in order) for column in (peak.values, peak.expected))
    units = tuple(peak.units[i] for i in order)
    level = "above" if observed[0] > expected[0] else "below"
    onsets = sorted((first_outside(verdicts, i), peak.channels[i]) for i in order)
    reason = (
        f"{names[0]} is {abs(observed[0] - expected[0]):.3g} {units[0]} {level} what the other channels imply "
        f"({observed[0]:.4g} instead of {expected[0]:.4g}); {names[1]} and {names[2]} moved with it"
    )
    return Event(
        id=f"{peak.site}.{peak.device}.{bad[0].time_s:.0f}",
        device=peak.device,
        site=peak.site,
        state="open" if state == "open" else "closed",
        start_s=bad[0].time_s,
        end_s=bad[-1].time_s,
        peak=peak.surprise,
        peak_s=peak.time_s,
        severity="critical" if peak.surprise > 6.2 else "major" if peak.surprise > 5.0 else "minor",
        channels=names,
        observed=observed,
        expected=expected,
        contributions=tuple(float(peak.contribution[i]) for i in order),
        reason=reason,
        threshold=THRESHOLD,
        model=peak.model,
        units=units,
        onsets=tuple((name, time_s) for time_s, name in onsets if time_s < np.inf),
    )


def first_outside(verdicts: Sequence[Verdict], channel: int) -> float:
    """When a channel first lay outside its band for three readings in a row."""
    off = [
        verdict.band is not None and bool(outside(verdict.band, verdict.expected, verdict.values)[channel])
        for verdict in verdicts
    ]
    found = (verdict.time_s for i, verdict in enumerate(verdicts) if all(off[i : i + 3]))
    return next(found, np.inf)


@dataclass(frozen=True, slots=True)
class Member:
    """One device of the plant; `until` is the row after which it says nothing more."""

    kind: Kind
    device: str
    site: str
    faults: tuple[Fault, ...]
    seed: int
    until: int
    since: int = 0


def plant(devices: int, rows: int, troubled: bool = True) -> list[Member]:
    """Pumps and cold stores; if troubled, the second has an open fault, the last is silent, the one before it new."""
    members = []
    for i in range(devices):
        kind = COLD_STORE if i % 5 in (2, 4) else PUMP
        rng = np.random.default_rng(i)
        faults = tuple(
            Fault(first, first + int(rng.integers(60, 240)), float(rng.uniform(0.55, 1.2)))
            for first in sorted(rng.integers(200, max(rows - 900, 201), size=int(rng.integers(0, 3))))
        )
        name = f"{kind.model}-{i + 1:0{len(str(devices))}d}"
        members.append(Member(kind, name, "north" if i % 3 else "south", faults, i, 10**9))
    if not troubled:
        return members
    members[1] = replace(members[1], faults=(*members[1].faults[:1], Fault(rows - 210, 10**9, 1.3)))
    if devices > 2:
        members[-1] = replace(members[-1], until=rows - 400, faults=())
        members[-2] = replace(members[-2], since=rows - 40, faults=())
    return members


def member_batch(member: Member, rows: range) -> Batch:
    """The verdicts of some rows, and the events of the faults that they touch."""
    rows = range(max(rows.start, member.since), min(rows.stop, member.until))
    if not rows:
        return Batch()
    kind = member.kind
    verdicts = device_verdicts(kind, member.device, member.site, rows, member.faults, member.seed)
    if member.since:
        verdicts = [replace(verdict, surprise=float("nan"), anomalous=False) for verdict in verdicts]
    events = []
    for fault in member.faults:
        told = range(max(fault.first, WARM_UP), min(fault.last + 1, rows.stop))
        if told.stop <= max(rows.start, told.start):
            continue
        inside = device_verdicts(kind, member.device, member.site, told, member.faults, member.seed)
        if any(verdict.anomalous for verdict in inside):
            events.append(fault_event(inside, "open" if fault.last >= rows.stop - 1 else "closed"))
    return Batch(verdicts, events)


def merged(batches: Iterable[Batch]) -> Batch:
    """Several batches as one."""
    told = list(batches)
    return Batch([v for batch in told for v in batch.verdicts], [e for batch in told for e in batch.events])


def fill(store: SqliteStore, members: Sequence[Member], rows: range) -> None:
    """Write the rows of every device."""
    for first in range(0, len(members), 50):
        store.write(merged(member_batch(member, rows) for member in members[first : first + 50]))
    store.write(Batch(counters={"messages_received": len(rows) * len(members), "dropped.bad_json": 3}))


def live(store: SqliteStore, members: Sequence[Member], first: int) -> Iterator[int]:
    """Write one more row of every device each time it is asked."""
    for row in itertools.count(first):
        store.write(merged(member_batch(member, range(row, row + 1)) for member in members))
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("devices", type=int, nargs="?", default=7)
    parser.add_argument("hours", type=float, nargs="?", default=2.0)
    parser.add_argument("--live", type=float, default=0.0, help="go on, this many times faster than life")
    given = parser.parse_args()
    rows = int(given.hours * 3600)
    members = plant(given.devices, rows)
    store = SqliteStore(given.store)
    fill(store, members, range(rows))
    if given.live:
        for _ in live(store, members, rows):
            time.sleep(1.0 / given.live)
    store.close()


if __name__ == "__main__":
    main()
