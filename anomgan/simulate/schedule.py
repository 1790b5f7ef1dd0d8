"""Faults by chance: when, where, what and how bad, from a seed."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from anomgan.records import Source
from anomgan.simulate.almanac import moments
from anomgan.simulate.fault_plan import longest_lag_s
from anomgan.simulate.faults import Fault, row_at
from anomgan.simulate.kind import Channel, ProcessFault
from anomgan.simulate.learned_kind import AnyKind, LearnedKind
from anomgan.simulate.normal import Normal, device_traits
from anomgan.simulate.randomness import generator, stream_key
from anomgan.simulate.scenario import RandomFaultsConfig, Scenario
from anomgan.simulate.sensor_faults import SENSOR_FAULTS, possible, usual_severity

STUCK_S = 240.0
"""what is stuck stays so at least so long, or it may pass before it shows"""
LEAST, MOST = 0.9, 1.4
"""severities, as multiples of the usual one"""
LOOKS = 16
"""moments at which is asked whether a fault could show"""
COMES, GOES = 0.2, 0.1
"""shares of a process fault in which it grows, and recovers"""


def random_faults(scenario: Scenario, normal: Mapping[Source, Normal]) -> Iterator[Fault]:
    """The faults of `[random_faults]` in order of their start, none where the table is missing.

    Each begins on a row, `spacing_s` after the one before, on a device drawn among those that have been healthy for
    `quiet_s` and have no fault of `[[faults]]` near. All end within the run. Endless where the run is.
    """
    table = scenario.config.random_faults
    if table is None:
        return
    clock = scenario.config.clock
    source = generator(stream_key(clock.seed, "random faults"))
    limits = [limit for limit in (clock.duration_s, table.last_s) if limit is not None]
    until_s = min(limits, default=math.inf)
    free_at = {device: 0.0 for device, kind in scenario.kinds.items() if _choices(kind, table.kinds)}

    def row_after(since_s: float, low: float, high: float) -> float:
        """The time of the first row after a pause: never earlier, so that first_s and quiet_s are kept to."""
        return row_at(since_s + float(source.uniform(low, high)), clock.period_s) * clock.period_s

    start_s = row_after(table.first_s, 0.0, table.spacing_s[0])
    while start_s < until_s:
        quiet = [device for device, when in free_at.items() if when <= start_s]
        device = quiet[int(source.integers(len(quiet)))] if quiet else None
        if device is not None:
            fault = _draw(scenario, table, device, start_s, normal[device], source)
            if fault is not None and fault.end_s <= until_s and not _near(fault, scenario.faults, table.quiet_s):
                free_at[device] = fault.end_s + table.quiet_s
                yield fault
        start_s = row_after(start_s, *table.spacing_s)


def longest_lag(scenario: Scenario) -> int:
    """Over how many rows the run's time lags go back at most, by plan or by chance."""
    lags = [fault.severity for fault in scenario.faults if fault.kind == "time_lag"]
    table, period_s = scenario.config.random_faults, scenario.period_s
    if table is not None and (not table.kinds or "time_lag" in table.kinds):
        lags.append(min(MOST * table.severity * usual_severity("time_lag", period_s), longest_lag_s(period_s)))
    return row_at(max(lags, default=0.0), period_s)


def _choices(kind: AnyKind, wanted: tuple[str, ...]) -> list[str]:
    sensors = [name for name in SENSOR_FAULTS if _open_to(name, kind)]
    names = [*sensors, *(fault.name for fault in kind.process_faults)]
    return [name for name in names if not wanted or name in wanted]


def _draw(
    scenario: Scenario,
    table: RandomFaultsConfig,
    device: Source,
    start_s: float,
    normal: Normal,
    source: np.random.Generator,
) -> Fault | None:
    """One fault of one device, in whole periods; None where none of those that are wanted could show now."""
    kind, period_s = scenario.kinds[device], scenario.period_s
    process = {fault.name: fault for fault in kind.process_faults}
    drawn_s = float(source.uniform(*table.duration_s))
    names = [
        name
        for name in _choices(kind, table.kinds)
        if name not in process or _could_show(scenario, device, process[name], start_s, drawn_s)
    ]
    if not names:
        return None
    name = str(source.choice(names))
    least_s = process[name].least_s if name in process else STUCK_S if name == "stuck" else 0.0
    lasts_s = max(drawn_s, least_s)
    first, rows = round(start_s / period_s), max(1, round(lasts_s / period_s))
    size, ramp_s, recovery_s = usual_severity(name, period_s), 0.0, 0.0
    if process[name].graded if name in process else SENSOR_FAULTS[name].usual is not None:
        size *= float(source.uniform(LEAST, MOST)) * table.severity
    if name in process:
        channels = process[name].channels
        if process[name].graded:
            ramp_s, recovery_s = COMES * rows * period_s, GOES * rows * period_s
        if process[name].signed and source.random() < 0.5:
            size = -size
    else:
        nature, open_to = SENSOR_FAULTS[name], _open_to(name, kind)
        chosen = source.choice(open_to, size=2 if name == "swapped_channels" else 1, replace=False).tolist()
        channels = tuple(kind.names[index] for index in chosen)
        if name == "time_lag":
            size = _within_lags(size, period_s)
        size = min(size, nature.most)
        if nature.signed:
            index = chosen[0]
            reach = size * normal.spread[index] if name != "clipping" else 0.0
            size *= _direction(kind.channels[index], normal.mean[index], reach, source)
    return Fault(
        site=device[0],
        device=device[1],
        kind=name,
        channels=channels,
        start_s=first * period_s,
        end_s=(first + rows) * period_s,
        severity=round(size, 3),
        ramp_s=ramp_s,
        recovery_s=recovery_s,
    )


def _could_show(scenario: Scenario, device: Source, fault: ProcessFault, start_s: float, drawn_s: float) -> bool:
    """Whether the device is such that the fault shows, in half of the time that it would be there at least."""
    group = next(one for one in scenario.groups if one.site == device[0] and device[1] in one.names)
    kind = group.kind
    if fault.shows is None or isinstance(kind, LearnedKind):
        return True
    clock = scenario.config.clock
    traits = device_traits(kind, group.site, (device[1],), clock.seed)
    parameters = kind.parameters(group.settings, traits[:, : kind.traits])
    since_s = start_s + np.linspace(0.0, max(drawn_s, fault.least_s), LOOKS)
    course = kind.course(parameters, moments(scenario.start_s, clock.zone, clock.day_s, since_s))
    return bool(fault.shows(course).mean() >= 0.5)


def _within_lags(seconds: float, period_s: float) -> float:
    """A lag that is at least a row, and no longer than what is known of the past."""
    return min(max(seconds, period_s), longest_lag_s(period_s))


def _open_to(name: str, kind: AnyKind) -> list[int]:
    """The channels on which such a fault could be told from normal; none where it takes more of them."""
    shows = [index for index, channel in enumerate(kind.channels) if _shows(name, channel)]
    return shows if len(shows) > (name == "swapped_channels") else []


def _shows(name: str, channel: Channel) -> bool:
    """Whether such a fault of this channel could be told from normal."""
    return not channel.digital and name in possible(channel) and (channel.lively or SENSOR_FAULTS[name].always)


def _direction(channel: Channel, mean: float, reach: float, source: np.random.Generator) -> float:
    """Up or down by chance, where the sensor's range has room for both."""
    up = source.random() < 0.5
    if mean - reach < channel.low:
        up = True
    elif mean + reach > channel.high:
        up = False
    return 1.0 if up else -1.0


def _near(fault: Fault, others: Sequence[Fault], quiet_s: float) -> bool:
    """Whether the device has another fault within `quiet_s`."""
    return any(
        other.source == fault.source and fault.start_s < other.end_s + quiet_s and other.start_s < fault.end_s + quiet_s
        for other in others
        if not other.injected  # chance knew nothing of it when it was
    )
