"""A run says of itself which devices there are and how far it is, so that whoever judges a detector knows both.

The record goes, retained, to what the truth topic has before its first placeholder (`anomgan/truth`), where a filter
such as `anomgan/truth/#` hears it too: at the start, every few seconds and at the end. A file of the truth has it at
the start and at the end only, so that it does not depend on how fast the run was.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from anomgan.adapters.ports import Publisher
from anomgan.simulate import Scenario, Tick
from anomgan.simulate.scenario import OutputConfig
from anomgan_simulator.truth import run_record

EVERY_S = 5.0
DeviceTables = Sequence[Mapping[str, Any]]


def devices_of(scenario: Scenario) -> DeviceTables:
    """Kind, site, name and number of the devices of a scenario."""
    tables = zip(scenario.groups, scenario.config.devices, strict=True)
    return [{"site": g.site, "kind": g.kind.name, "name": table.name, "count": table.count} for g, table in tables]


def announcement_topic(output: OutputConfig) -> str:
    """Where runs are announced; "" where no truth is published, or its topic begins with a placeholder."""
    levels = output.truth.split("/")
    fixed = next((index for index, level in enumerate(levels) if level[:1] == "{"), len(levels))
    return "/".join(levels[:fixed])


class Announcement:
    """What a run tells of itself: its beginning and how far it is while its rows pass, its end when it is told to.

    A row counts as played when the next one is asked for; rows before `first_row` are none of the run.
    """

    def __init__(
        self,
        devices: DeviceTables,
        period_s: float,
        publisher: Publisher,
        output: OutputConfig,
        now: Callable[[], float],
        add_truth: Callable[[Mapping[str, Any]], None] | None = None,
        first_row: int = 0,
    ) -> None:
        self._devices = devices
        self._period_s = period_s
        self._publisher = publisher
        self._output = output
        self._topic = announcement_topic(output)
        self._now = now
        self._add_truth = add_truth
        self._first_row = first_row
        self._start_s: float | None = None
        self._until_s = 0.0
        self._ended = False

    def over(self, rows: Iterable[Tick]) -> Iterator[Tick]:
        """The same rows; the run is announced before the first, and now and then."""
        told_s = 0.0
        for tick in rows:
            if tick.row < self._first_row:
                yield tick
                continue
            if self._start_s is None:
                self._start_s = self._until_s = tick.time_s
                told_s = self._now()
                self._tell(self._start_s)
            elif self._now() - told_s >= EVERY_S:
                told_s = self._now()
                self._tell(self._start_s, in_file=False)
            yield tick
            self._until_s = tick.time_s + self._period_s

    def end(self) -> None:
        """Tell that nothing more comes: to be called once all else is told, what was under way and its truth too."""
        if self._start_s is not None and not self._ended:
            self._ended = True
            self._tell(self._start_s)

    def close(self) -> None:
        """The end of a run that broke off; a broker that is gone, which has been complained of already, hears nothing.

        Safe to call after `end`, and twice.
        """
        if not self._publisher.connected:
            self._topic = ""
        self.end()

    def _tell(self, start_s: float, *, in_file: bool = True) -> None:
        record = run_record(self._devices, start_s, self._until_s, ended=self._ended)
        if in_file and self._add_truth is not None:
            self._add_truth(record)
        if self._topic:
            self._publisher.publish(self._topic, orjson.dumps(record), qos=self._output.qos, retain=True)
