"""A run says of itself which devices there are and how far it is, so that whoever judges a detector knows both.

The record goes, retained, to what the truth topic has before its first placeholder (`anomgan/truth`), where a filter
such as `anomgan/truth/#` hears it too: at the start, every few seconds and at the end. A file of the truth has it at
the start and at the end only, so that it does not depend on how fast the run was.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any

import orjson

from anomgan.adapters.ports import Publisher
from anomgan.simulate import Scenario, Tick
from anomgan.simulate.scenario import OutputConfig
from anomgan_simulator.truth import run_record

EVERY_S = 5.0
Devices = Sequence[Mapping[str, Any]]


def devices_of(scenario: Scenario) -> Devices:
    """Kind, site, name and number of the devices of a scenario."""
    tables = zip(scenario.groups, scenario.config.devices, strict=True)
    return [{"site": g.site, "kind": g.kind.name, "name": table.name, "count": table.count} for g, table in tables]


def announcement_topic(output: OutputConfig) -> str:
    """Where runs are announced; "" where no truth is published, or its topic begins with a placeholder."""
    levels = output.truth.split("/")
    fixed = next((index for index, level in enumerate(levels) if level[:1] == "{"), len(levels))
    return "/".join(levels[:fixed])


def announced(
    rows: Iterable[Tick],
    devices: Devices,
    period_s: float,
    publisher: Publisher,
    output: OutputConfig,
    now: Callable[[], float],
    add_truth: Callable[[Mapping[str, Any]], None] | None = None,
    first_row: int = 0,
) -> Generator[Tick, None, None]:
    """The same rows; the run is announced before the first, now and then, and when they end or the generator is closed.

    A row counts as played when the next one is asked for; rows before `first_row` are none of the run.
    """
    topic = announcement_topic(output)
    start_s: float | None = None
    until_s = told_s = 0.0

    def tell(begun_s: float, *, ended: bool = False, in_file: bool = True) -> None:
        record = run_record(devices, begun_s, until_s, ended=ended)
        if topic and (publisher.connected or not ended):  # a broker that is gone has been complained of already
            publisher.publish(topic, orjson.dumps(record), qos=output.qos, retain=True)
        if in_file and add_truth is not None:
            add_truth(record)

    try:
        for tick in rows:
            if tick.row < first_row:
                yield tick
                continue
            if start_s is None:
                start_s = until_s = tick.time_s
                told_s = now()
                tell(start_s)
            elif now() - told_s >= EVERY_S:
                told_s = now()
                tell(start_s, in_file=False)
            yield tick
            until_s = tick.time_s + period_s
    finally:
        if start_s is not None:
            tell(start_s, ended=True)
