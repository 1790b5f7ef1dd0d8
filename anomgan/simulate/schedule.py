"""Faults by chance: when, where, what and how bad, from a seed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anomgan.records import Source
from anomgan.simulate.faults import REPLACING, SENSOR_FAULTS, SEVERITY, Fault, Normal, possible
from anomgan.simulate.kind import Channel, Kind
from anomgan.simulate.randomness import generator, stream_key
from anomgan.simulate.scenario import RandomFaultsConfig, Scenario

STUCK_S = 240.0
"""what is stuck stays so at least so long, or it may pass before it shows"""


def random_faults(scenario: Scenario, normal: Mapping[Source, Normal]) -> Iterator[Fault]:
    """The faults of `[random_faults]` in order of their start, none where the table is missing.

    Each begins `spacing_s` after the one before, on a device drawn among those that have been healthy for `quiet_s`
    and have no fault of `[[faults]]` near. All end within the run. Endless where the run is.
    """
    table = scenario.config.random_faults
    if table is None:
        return
    clock = scenario.config.clock
    source = generator(stream_key(clock.seed, "random faults"))
    limits = [limit for limit in (clock.duration_s, table.last_s) if limit is not None]
    until_s = min(limits, default=math.inf)
    free_at = {device: 0.0 for device, kind in scenario.kinds.items() if _choices(kind, table.kinds)}
    start_s = table.first_s + float(source.uniform(0.0, table.spacing_s[0]))
    while start_s < until_s:
        quiet = [device for device, when in free_at.items() if when <= start_s]
        device = quiet[int(source.integers(len(quiet)))] if quiet else None
        if device is not None:
            fault = _draw(scenario, table, device, start_s, normal[device], source)
            if fault.end_s <= until_s and not _near(fault, scenario.faults, table.quiet_s):
                free_at[device] = fault.end_s + table.quiet_s
                yield fault
        start_s += float(source.uniform(*table.spacing_s))


def _choices(kind: Kind[Any, Any, Any], wanted: tuple[str, ...]) -> list[str]:
    names = [*SENSOR_FAULTS, *(fault.name for fault in kind.process_faults)]
    return [name for name in names if not wanted or name in wanted]


def _draw(
    scenario: Scenario,
    table: RandomFaultsConfig,
    device: Source,
    start_s: float,
    normal: Normal,
    source: np.random.Generator,
) -> Fault:
    """One fault of one device, in whole periods."""
    kind, period_s = scenario.kinds[device], scenario.period_s
    name = str(source.choice(_choices(kind, table.kinds)))
    process = {fault.name: fault for fault in kind.process_faults}
    least_s = process[name].least_s if name in process else STUCK_S if name == "stuck" else 0.0
    lasts_s = max(float(source.uniform(*table.duration_s)), least_s)
    size = SEVERITY.get(name, 1.0)
    if name not in REPLACING:
        size *= float(source.uniform(0.9, 1.4)) * table.severity
    first, rows = round(start_s / period_s), max(1, round(lasts_s / period_s))
    if name in process:
        channels, ramp_s = process[name].channels, 0.2 * rows * period_s
    else:
        open_to = [index for index, channel in enumerate(kind.channels) if _shows(name, channel)]
        index = int(source.choice(open_to))
        channels, ramp_s = (kind.names[index],), 0.0
        size *= _direction(name, kind.channels[index], normal.mean[index], size * normal.spread[index], source)
    return Fault(
        site=device[0],
        device=device[1],
        kind=name,
        channels=channels,
        start_s=first * period_s,
        end_s=(first + rows) * period_s,
        severity=round(size, 3),
        ramp_s=ramp_s,
    )


def _shows(name: str, channel: Channel) -> bool:
    """Whether such a fault of this channel could be told from normal."""
    return not channel.digital and name in possible(channel) and (channel.lively or name != "stuck")


def _direction(name: str, channel: Channel, mean: float, size: float, source: np.random.Generator) -> float:
    """Up or down for a fault that has a direction, by chance where the sensor's range has room for both."""
    if name not in ("level_shift", "drift"):
        return 1.0
    up = source.random() < 0.5
    if mean - size < channel.low:
        up = True
    elif mean + size > channel.high:
        up = False
    return 1.0 if up else -1.0


def _near(fault: Fault, others: Sequence[Fault], quiet_s: float) -> bool:
    """Whether the device has another fault within `quiet_s`."""
    return any(
        other.source == fault.source and fault.start_s < other.end_s + quiet_s and other.start_s < fault.end_s + quiet_s
        for other in others
    )
