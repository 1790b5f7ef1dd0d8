"""What the simulator says of itself, in lines of text."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from anomgan.simulate import Fault, Scenario, Tick, schedule
from anomgan.simulate.faults import rows_of
from anomgan_simulator.describe_network import describe_counts, describe_network
from anomgan_simulator.play import Totals

LISTED = 20
"""faults named before the list is cut short"""


def describe_scenario(scenario: Scenario) -> Iterator[str]:
    """Devices with their channels, the run, and the faults to come."""
    clock = scenario.config.clock
    for group, table in zip(scenario.groups, scenario.config.devices, strict=True):
        span = group.names[0] if len(group.names) == 1 else f"{group.names[0]} to {group.names[-1]}"
        where = f" at {group.site}" if group.site else ""
        channels = ", ".join(f"{c.name} [{c.unit}]" if c.unit else c.name for c in group.kind.channels)
        under = "".join(f", {name} = {value}" for name, value in table.given.items())
        yield f"{span}{where} ({group.kind.name}{under}): {channels}"
    length = "without end" if scenario.rows is None else f"{scenario.rows} rows"
    speed = "as fast as possible" if clock.speed == 0 else f"{clock.speed:g} times as fast as life"
    begins = datetime.fromtimestamp(scenario.start_s, UTC)
    yield f"run: {length}, one each {clock.period_s:g} s from {begins:%Y-%m-%d %H:%M:%S} UTC, {speed}"
    faults = list(islice(schedule(scenario), LISTED + 1))
    for fault in faults[:LISTED]:
        yield f"fault: {describe_fault(fault, scenario.period_s)}"
    if len(faults) > LISTED or not faults:
        yield "fault: and more" if faults else "no faults"
    if scenario.network is not None:
        yield from describe_network(scenario.network)


def describe_fault(fault: Fault, period_s: float) -> str:
    """`rows 3224 to 3416, cold-1: correlation_break of humidity, severity 1.2`."""
    first, end = rows_of(fault, period_s)
    which = f" of {', '.join(fault.channels)}" if fault.channels else ""
    return f"rows {first} to {end - 1}, {fault.device}: {fault.kind}{which}, severity {fault.severity:g}"


def describe_messages(messages: Sequence[tuple[str, bytes]]) -> Iterator[str]:
    """`topic payload`, the first few; bytes that are no text in hexadecimal digits."""
    for topic, payload in messages[:LISTED]:
        try:
            yield f"{topic} {payload.decode()}"
        except UnicodeDecodeError:
            yield f"{topic} {payload.hex(' ')}"
    if len(messages) > LISTED:
        yield f"and {len(messages) - LISTED} more messages"


def describe_progress(totals: Totals, tick: Tick) -> str:
    """How far a run is."""
    late = f", {totals.late_s:.1f} s late at worst" if totals.late_s >= 0.1 else ""
    at = datetime.fromtimestamp(tick.time_s, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} row {tick.row}: {totals.messages_published} messages, {totals.faults} faults{late}"


def describe_totals(totals: Totals) -> str:
    """How a run ended."""
    rate = totals.messages_published / totals.seconds if totals.seconds > 0 else 0.0
    lost = f", {totals.lost} lost with their connection" if totals.lost else ""
    return (
        f"{'stopped: ' if totals.stopped else ''}{totals.messages_published} messages with {totals.readings} readings "
        f"in {totals.seconds:.1f} s ({rate:.0f}/s), {totals.faults} faults, {totals.late_s:.2f} s late at worst"
        f"{lost}{describe_counts(totals.network)}"
    )
