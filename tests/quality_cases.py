"""Deliveries, sensors and processes gone wrong on purpose, and a service that listens to them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from anomgan.quality import FleetQuality, HealthIssue
from anomgan.records import Reading, TimeSeries

START_S = 1_700_000_000.0


class Arrival(NamedTuple):
    """A reading and when it came; readings of one message come at one time."""

    at_s: float
    reading: Reading


Delivery = list[Arrival]


def prompt(series: TimeSeries, rng: np.random.Generator, device: str = "pump", site: str = "") -> Delivery:
    """Each reading in a message of its own, a twentieth to half a second after its time, in order."""
    came = np.maximum.accumulate(series.times + rng.uniform(0.05, 0.5, len(series)))
    return [
        Arrival(at_s, Reading(device, time_s, dict(zip(series.channels, row, strict=True)), site))
        for at_s, time_s, row in zip(came.tolist(), series.times.tolist(), series.values.tolist(), strict=True)
    ]


def batched(delivery: Delivery, rows: int) -> Delivery:
    """The same in messages of so many readings, each sent after its last one."""
    full = [delivery[i : i + rows] for i in range(0, len(delivery), rows)]
    return [Arrival(message[-1].at_s, one.reading) for message in full for one in message]


def twice(delivery: Delivery, share: float, rng: np.random.Generator) -> Delivery:
    """A share of the readings comes again a second later."""
    again = [Arrival(one.at_s + 1.0, one.reading) for one in delivery if rng.random() < share]
    return in_order([*delivery, *again])


def held_up(delivery: Delivery, share: float, by_s: float, rng: np.random.Generator) -> Delivery:
    """A share of the readings comes so much later, so that others overtake them."""
    return in_order([Arrival(one.at_s + by_s * (rng.random() < share), one.reading) for one in delivery])


def clock(delivery: Delivery, off: Callable[[float], float]) -> Delivery:
    """The device's clock shows `off(true time)` seconds more than the true time."""
    return [
        Arrival(one.at_s, replace(one.reading, time_s=one.reading.time_s + off(one.reading.time_s))) for one in delivery
    ]


def outage(delivery: Delivery, from_s: float, until_s: float, per_s: float = np.inf) -> Delivery:
    """The device cannot send between two times; then its readings come at once (inf) or so many a second."""
    held = [one for one in delivery if from_s <= one.at_s < until_s]
    late = [Arrival(until_s + i / per_s, one.reading) for i, one in enumerate(held)]
    end_s = late[-1].at_s if late else until_s
    before = [one for one in delivery if one.at_s < from_s]
    after = [Arrival(max(one.at_s, end_s), one.reading) for one in delivery if one.at_s >= until_s]
    return [*before, *late, *after]


def lost(delivery: Delivery, from_s: float, until_s: float) -> Delivery:
    """What was sent between two times never comes."""
    return [one for one in delivery if not from_s <= one.at_s < until_s]


def in_order(delivery: Iterable[Arrival]) -> Delivery:
    """In order of arrival; at one time as given."""
    return sorted(delivery, key=lambda one: one.at_s)


class Heard(NamedTuple):
    """What came out of listening."""

    fed: list[Reading]
    issues: list[HealthIssue]

    def opened(self) -> Counter[str]:
        """How many issues of each kind opened, or were told closed at once."""
        return Counter(one.kind for one in self.issues if one.state == "open" or one.kind == "counter_reset")


def listen(quality: FleetQuality, delivery: Sequence[Arrival], turn_s: float = 1.0, until_s: float = 0.0) -> Heard:
    """As a service would: turn after turn what came, and every turn a look for the silent."""
    fed: list[Reading] = []
    issues: list[HealthIssue] = []
    if not delivery:
        return Heard(fed, issues)
    now_s = delivery[0].at_s
    for turn, group in groupby(delivery, key=lambda one: int(one.at_s // turn_s)):
        came = list(group)
        while now_s < turn * turn_s:
            issues += quality.silent(now_s)
            now_s += turn_s
        screened = quality.screen([one.reading for one in came], [one.at_s for one in came])
        fed += screened.readings
        issues += screened.issues
        now_s = max(now_s, came[-1].at_s)
        issues += quality.silent(now_s)
    while now_s < until_s:
        issues += quality.silent(now_s)
        now_s += turn_s
    return Heard(fed, issues)
