"""`[[faults]]`: the table of one fault, and the checks that it exists, fits the run and is true beside the others."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from anomgan.config import Table
from anomgan.errors import ConfigError
from anomgan.records import Source
from anomgan.simulate.faults import Fault, rows_of
from anomgan.simulate.kind import Channel
from anomgan.simulate.kinds import KINDS
from anomgan.simulate.learned_kind import AnyKind, LearnedKind
from anomgan.simulate.names import unknown
from anomgan.simulate.other_units import OTHER_UNITS
from anomgan.simulate.randomness import BLOCK
from anomgan.simulate.sensor_faults import SENSOR_FAULTS, SensorFault, possible, usual_severity

LONGEST_LAG_S = 900.0
MOST_SEVERITY = 100.0
"""of a process fault, where 1 is plain to see"""


OF_MACHINES = frozenset(fault.name for kind in KINDS.values() for fault in kind.process_faults)
"""what can go wrong with devices that have physics"""


class FaultConfig(Table):
    """`[[faults]]`: one fault, in seconds after the start of the run."""

    device: str
    site: str | None = None
    """needed only where two sites have a device of that name"""
    kind: str
    channels: tuple[str, ...] = Field((), strict=False)
    """for sensor faults: which sensors lie"""
    start_s: float = Field(ge=0)
    end_s: float = Field(gt=0)
    severity: float | None = None
    ramp_s: float = Field(0.0, ge=0)
    """from the start until the severity is reached"""
    recovery_s: float = Field(0.0, ge=0)
    """in which it falls to nothing, before the end"""
    injected: bool = False
    """it came while the run was on: faults by chance take no notice of it"""
    stopped_s: float | None = Field(None, gt=0)
    """it was taken away then, before its end, and kept its course until there"""


def check_faults(
    tables: Sequence[FaultConfig],
    kinds: Mapping[Source, AnyKind],
    period_s: float,
    duration_s: float | None,
    where: str,
) -> list[Fault]:
    """The faults of a file, in its order; ConfigError names the table and the key of the first that is wrong."""
    named: dict[str, list[Source]] = {}
    for source in kinds:
        named.setdefault(source[1], []).append(source)
    faults: list[Fault] = []
    of_device: dict[Source, list[int]] = {}
    for index, table in enumerate(tables):
        fault = check_fault(table, kinds, named, period_s, duration_s, f"{where}: faults.{index}")
        others = of_device.setdefault(fault.source, [])
        for number in others:
            shared = contradict(fault, faults[number], period_s)
            if shared:
                raise ConfigError(
                    f"{where}: faults.{index}: {fault.kind} of {fault.device!r} contradicts faults.{number} "
                    f"({faults[number].kind}), which overlaps it on the same channel ({', '.join(shared)})"
                )
        others.append(index)
        faults.append(fault)
    return faults


def table_of(fault: Fault) -> dict[str, Any]:
    """The `[[faults]]` that gives the fault: what differs from the defaults."""
    table: dict[str, Any] = {"device": fault.device, "kind": fault.kind, "start_s": fault.start_s, "end_s": fault.end_s}
    if fault.site:
        table["site"] = fault.site
    if fault.kind in SENSOR_FAULTS:
        table["channels"] = list(fault.channels)
    nature = SENSOR_FAULTS.get(fault.kind)
    if (nature.usual is not None) if nature is not None else fault.severity != 1.0:  # 1 also where it has no grades
        table["severity"] = fault.severity
    for key in ("ramp_s", "recovery_s", "injected"):
        if getattr(fault, key):
            table[key] = getattr(fault, key)
    if math.isfinite(fault.stopped_s):
        table["stopped_s"] = fault.stopped_s
    return table


def contradict(one: Fault, other: Fault, period_s: float) -> list[str]:
    """The channels on which two faults of one device overlap in time and have no single truth.

    The same kind twice has none, nor has anything on top of a fault that replaces the value. A process fault and a
    sensor fault go together.
    """
    (start, end), (first, last) = rows_of(one, period_s), rows_of(other, period_s)
    if one.source != other.source or start >= last or first >= end:
        return []
    sensors = [SENSOR_FAULTS[fault.kind] for fault in (one, other) if fault.kind in SENSOR_FAULTS]
    if one.kind == other.kind or (len(sensors) == 2 and any(fault.replaces for fault in sensors)):
        return [name for name in one.channels if name in other.channels]
    return []


def no_machine(fault: str, device: str) -> str:
    """Why a device of a learned kind cannot have a process fault."""
    return (
        f'{fault!r} acts on the physics of a machine, and {device!r} (engine = "gan") has none: only its sensors can '
        f"fail, by {', '.join(SENSOR_FAULTS)}"
    )


def longest_lag_s(period_s: float) -> float:
    """The longest time lag: as far back goes what is known of the time before the run."""
    return max(LONGEST_LAG_S, 2.0 * BLOCK * period_s)


def check_fault(
    table: FaultConfig,
    kinds: Mapping[Source, AnyKind],
    named: Mapping[str, Sequence[Source]],
    period_s: float,
    duration_s: float | None,
    place: str,
) -> Fault:
    """The fault of one table, checked by itself; ConfigError names `place` and the key. named: devices by name."""
    source = _device(table, named, place)
    kind = kinds[source]
    process = {fault.name: fault for fault in kind.process_faults}
    if table.kind in SENSOR_FAULTS:
        _check_channels(table, kind, place)
        channels: tuple[str, ...] = table.channels
    elif table.kind in process:
        if table.channels:
            raise ConfigError(f"{place}.channels: {table.kind!r} acts on the machine; it takes no channels")
        channels = process[table.kind].channels
    elif isinstance(kind, LearnedKind) and table.kind in OF_MACHINES:
        raise ConfigError(f"{place}.kind: {no_machine(table.kind, table.device)}")
    else:
        known = [*SENSOR_FAULTS, *process]
        raise ConfigError(f"{place}.kind: {unknown(f'fault of a {kind.name}', table.kind, known)}")
    fault = Fault(
        site=source[0],
        device=table.device,
        kind=table.kind,
        channels=channels,
        start_s=table.start_s,
        end_s=table.end_s,
        severity=usual_severity(table.kind, period_s) if table.severity is None else table.severity,
        ramp_s=table.ramp_s,
        recovery_s=table.recovery_s,
        injected=table.injected,
        stopped_s=math.inf if table.stopped_s is None else table.stopped_s,
    )
    nature = SENSOR_FAULTS.get(table.kind)
    if nature is not None:
        _check_course(table, nature.usual is not None, nature.signed, nature.ramp, nature.recovery, place)
        _check_size(fault, nature, period_s, place)
    else:
        graded = process[table.kind].graded
        _check_course(table, graded, process[table.kind].signed, graded, graded, place)
        if abs(fault.severity) > MOST_SEVERITY:
            said = f"{fault.severity:g} is out of all proportion; 1 is plain to see, and {MOST_SEVERITY:g} the most"
            raise ConfigError(f"{place}.severity: {said}")
    first, end = rows_of(fault, period_s)
    if end <= first:
        raise ConfigError(f"{place}.end_s: {table.end_s:g} is not at least a period after start_s {table.start_s:g}")
    if table.stopped_s is not None and table.stopped_s <= table.start_s:
        raise ConfigError(f"{place}.stopped_s: {table.stopped_s:g} is not after start_s {table.start_s:g}")
    if duration_s is not None and table.end_s > duration_s:
        raise ConfigError(f"{place}.end_s: {table.end_s:g} is after the end of the run ({duration_s:g} s)")
    takes_s, lasts_s = table.ramp_s + table.recovery_s, table.end_s - table.start_s
    if takes_s > lasts_s:
        key = "recovery_s" if table.recovery_s else "ramp_s"
        raise ConfigError(f"{place}.{key}: to come and go takes {takes_s:g} s, but the fault lasts {lasts_s:g} s")
    return fault


def _device(table: FaultConfig, named: Mapping[str, Sequence[Source]], place: str) -> Source:
    if table.device not in named:
        raise ConfigError(f"{place}.device: {unknown('device', table.device, named)}")
    everywhere = named[table.device]
    sources = [source for source in everywhere if table.site in (None, source[0])]
    sites = " and ".join(repr(site) for site, _ in everywhere)
    if not sources:
        raise ConfigError(f"{place}.site: {table.device!r} does not stand at {table.site!r}, but at {sites}")
    if len(sources) > 1:
        raise ConfigError(f"{place}.site: this key is required, for {table.device!r} stands at {sites}")
    return sources[0]


def _check_channels(table: FaultConfig, kind: AnyKind, place: str) -> None:
    if not table.channels:
        raise ConfigError(f"{place}.channels: this key is required for a sensor fault")
    for channel in table.channels:
        if channel not in kind.names:
            raise ConfigError(f"{place}.channels: {unknown(f'channel of a {kind.name}', channel, kind.names)}")
        sensor = kind.channels[kind.names.index(channel)]
        if table.kind not in possible(sensor):
            raise ConfigError(f"{place}.channels: {_why_not(table.kind, sensor)}")
    if len(set(table.channels)) < len(table.channels):
        raise ConfigError(f"{place}.channels: one stands there twice")
    if table.kind == "swapped_channels" and len(table.channels) != 2:
        raise ConfigError(f"{place}.channels: {table.kind!r} takes exactly two channels, not {len(table.channels)}")


def _why_not(fault: str, sensor: Channel) -> str:
    """Why a sensor cannot have a fault."""
    if fault == "unit_jump" and not sensor.digital:
        unit = f"the unit {sensor.unit!r}" if sensor.unit else "no unit"
        return f"{sensor.name!r} has {unit}, which has no other; {fault!r} knows {', '.join(OTHER_UNITS)}"
    what = "contact" if sensor.digital else "counter"
    return f"{sensor.name!r} is a {what}; it knows {' and '.join(sorted(possible(sensor)))}"


def _check_course(table: FaultConfig, graded: bool, signed: bool, ramp: bool, recovery: bool, place: str) -> None:
    """Whether severity, ramp and recovery mean something."""
    if table.severity is not None and not graded:
        raise ConfigError(f"{place}.severity: {table.kind!r} is there or not; it takes no severity")
    if table.severity == 0 or (not signed and (table.severity or 1.0) < 0):
        raise ConfigError(f"{place}.severity: {table.severity:g} is no fault; {table.kind!r} takes one above 0")
    for key, seconds, taken in (("ramp_s", table.ramp_s, ramp), ("recovery_s", table.recovery_s, recovery)):
        if seconds and not taken:
            why = "grows until its end by itself" if table.kind == "drift" else "comes and goes at once"
            raise ConfigError(f"{place}.{key}: {table.kind!r} {why}; it takes no {key}")


def _check_size(fault: Fault, nature: SensorFault, period_s: float, place: str) -> None:
    """Whether a sensor's fault is neither too large nor too small to be one."""
    if abs(fault.severity) > nature.most:
        what = "is a share; it" if nature.most <= 1.0 else "counts in normal spreads of the channel; it"
        raise ConfigError(f"{place}.severity: {fault.severity:g} {what} cannot exceed {nature.most:g}")
    if fault.kind == "time_lag":
        longest_s = longest_lag_s(period_s)
        if not period_s <= fault.severity <= longest_s:
            raise ConfigError(
                f"{place}.severity: a lag of {fault.severity:g} s is not between one period ({period_s:g} s) "
                f"and {longest_s:g} s"
            )
