"""Devices of a physical kind on their way: block after block of what their sensors see, faults of the machine included.

What a sensor's own faults, its range and its resolution make of that is no matter of physics; see `fleet`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anomgan.records import Floats
from anomgan.simulate.almanac import moments
from anomgan.simulate.faults import Fault, rows_of, strength
from anomgan.simulate.kind import Inputs, Kind, sense
from anomgan.simulate.normal import Clock, Usual, device_traits, prelude_blocks, usual_of, usual_on_working_days
from anomgan.simulate.randomness import BLOCK, Key, draw_block, stream_key


@dataclass(slots=True)
class Physics:
    """D devices of one kind with the same settings, and the state that they are in.

    keys: of their random numbers; traits (D, C): of their sensors.
    """

    kind: Kind[Any, Any, Any]
    settings: Any
    site: str
    names: tuple[str, ...]
    clock: Clock
    period_s: float
    parameters: Any
    keys: list[Key]
    traits: Floats
    state: Any = None

    @classmethod
    def begin(
        cls,
        kind: Kind[Any, Any, Any],
        settings: Any,
        site: str,
        names: tuple[str, ...],
        clock: Clock,
        period_s: float,
    ) -> "Physics":
        """Draw what makes each device differ from the next, and let temperatures settle: `block` goes on from there."""
        traits = device_traits(kind, site, names, clock.seed)
        parameters = kind.parameters(settings, traits[:, : kind.traits])
        keys = [stream_key(clock.seed, site, name, "rows") for name in names]
        one = cls(kind, settings, site, names, clock, period_s, parameters, keys, traits[:, kind.traits :])
        settle, measure = prelude_blocks(period_s)
        for number in range(-settle - measure, -measure):
            one.block(number * BLOCK, ())
        return one

    def again(self) -> "Physics":
        """As they stand, to go on from twice."""
        return replace(self)

    def usual(self, names: tuple[str, ...], courses: Floats) -> Usual:
        """What is usual of the devices named, whose healthy courses just before the run are these (D', N, C)."""
        if courses.shape[1] * self.period_s >= self.clock.day_s or not names:
            return usual_of(self.kind.channels, courses)
        return usual_on_working_days(self.kind, self.settings, self.site, names, self.clock)

    def block(self, first_row: int, faults: Sequence[Fault]) -> Floats:
        """The next block: (D, R, C) as their sensors see it, before sensor faults and resolution."""
        kind, clock = self.kind, self.clock
        number = first_row // BLOCK + sum(prelude_blocks(self.period_s))
        draws = draw_block(self.keys, number, kind.shocks, kind.chances, len(kind.channels))
        since_s = np.arange(first_row, first_row + BLOCK, dtype=np.float64) * self.period_s
        course = kind.course(self.parameters, moments(clock.start_s, clock.zone, clock.day_s, since_s))  # (R, I, D)
        severity = self._severity(first_row, faults)
        truth = np.empty((BLOCK, len(kind.channels), len(self.names)))
        for row in range(BLOCK):
            inputs = Inputs(course[row], draws.shocks[row], draws.chances[row], severity[row])
            if self.state is None:
                self.state = kind.rest(self.parameters, inputs)
            self.state, truth[row] = kind.step(self.parameters, self.state, inputs, self.period_s)
        return sense(kind.channels, np.ascontiguousarray(truth.transpose(2, 0, 1)), draws.noise, self.traits)

    def _severity(self, first_row: int, faults: Sequence[Fault]) -> Floats:
        """(R, F, D) the severity of every process fault of the kind."""
        kinds = [fault.name for fault in self.kind.process_faults]
        severity = np.zeros((BLOCK, len(kinds), len(self.names)))
        rows = np.arange(first_row, first_row + BLOCK, dtype=np.float64)
        for fault in faults:
            first, end = rows_of(fault, self.period_s)
            present = (rows >= first) & (rows < end)
            severity[present, kinds.index(fault.kind), self.names.index(fault.device)] += strength(
                fault, (rows[present] - first) * self.period_s, self.period_s
            )
        return severity
