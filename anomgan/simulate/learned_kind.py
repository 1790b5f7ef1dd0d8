"""Device kinds learned from a recording (`engine = "gan"`): devices that behave like it, without physics behind them.

Their models come from outside: who checks a scenario that names some hands in a function that opens them. Each device
has a seed of its own, so that its rows depend neither on the other devices nor on how many are taken at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from anomgan.errors import AnomganError, ConfigError, DataError
from anomgan.records import Floats
from anomgan.simulate.kind import Channel, Kind, ProcessFault
from anomgan.simulate.normal import Usual, prelude_blocks
from anomgan.simulate.randomness import BLOCK, stream_key

MOST_EVERY = 100
"""rows of a model for one of the run, at most: all of them have to be made"""
UNLIKE = 0.05
"""how far the run's period may be from a whole number of the model's, as a share of the model's"""

Given = Mapping[str, float | str]
"""condition by name"""


@dataclass(frozen=True, slots=True, eq=False)
class LearnedKind:
    """A kind whose devices a trained generator makes. usual (C,): what is normal of each of them; digest: of the model.

    rows: (seed, time of the first row) -> rows (R, C) at the run's period, piece after piece without end.
    """

    name: str
    channels: tuple[Channel, ...]
    usual: Usual
    rows: Callable[[int, float], Iterator[Floats]]
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """The channels' names."""
        return tuple(channel.name for channel in self.channels)

    @property
    def process_faults(self) -> tuple[ProcessFault, ...]:
        """None: there is no machine that could fail."""
        return ()


AnyKind = Kind[Any, Any, Any] | LearnedKind


class Model(Protocol):
    """A trained generator, as the simulator asks it; `anomgan.synthesis.simulated` has one."""

    @property
    def period_s(self) -> float:
        """From one of its rows to the next."""
        ...

    def kind(self, name: str, given: Given, start_s: float, period_s: float, every: int) -> LearnedKind:
        """Its devices under these conditions, of whose rows each `every`-th is taken, `period_s` apart, in a run from
        `start_s` on; DataError for a condition that is missing or unknown."""
        ...


OpenModel = Callable[[str], Model]
"""the name that stands in a scenario -> the model; AnomganError says why not"""


def open_kind(
    model: str, given: Given, start_s: float, period_s: float, open_model: OpenModel | None, place: str
) -> LearnedKind:
    """The kind that a `[[devices]]` table asks for; ConfigError names `place` and the key."""
    if open_model is None:
        raise ConfigError(f'{place}.engine: "gan" needs an open_model, such as that of anomgan.synthesis.simulated')
    try:
        opened = open_model(model)
    except AnomganError as error:
        raise ConfigError(f"{place}.model: {error}") from None
    ratio = period_s / opened.period_s
    every = round(ratio)
    if not 1 <= every <= MOST_EVERY or abs(ratio - every) > UNLIKE:
        raise ConfigError(
            f"{place}.model: {model} knows readings every {opened.period_s:g} s, of which clock.period_s = "
            f"{period_s:g} is no whole multiple from 1 to {MOST_EVERY}"
        )
    try:
        return opened.kind(f"gan:{model}", given, start_s, period_s, every)
    except DataError as error:
        raise ConfigError(f"{place}.given: {error}") from None


def device_seed(seed: int, site: str, name: str) -> int:
    """The seed of one device, with which `Synthesizer.generate` makes the same rows."""
    return stream_key(seed, site, name, "rows")[0] >> 1


class Imitation:
    """D devices of a learned kind on their way, block after block."""

    def __init__(
        self, kind: LearnedKind, site: str, names: Sequence[str], seed: int, start_s: float, period_s: float
    ) -> None:
        self._kind = kind
        self._next_row = -prelude_blocks(period_s)[1] * BLOCK
        begin_s = start_s + self._next_row * period_s
        self._pieces = [kind.rows(device_seed(seed, site, name), begin_s) for name in names]
        self._left: list[Floats] = [np.empty((0, len(kind.channels))) for _ in names]
        self._last: Floats = np.empty((len(names), 0, len(kind.channels)))

    def again(self) -> "Imitation":
        """The same: no fault changes what is made, and the newest block can be had twice."""
        return self

    def usual(self, names: tuple[str, ...], courses: Floats) -> Usual:
        """What is usual of the devices named: of all the same."""
        return Usual(*(np.tile(one, (len(names), 1)) for one in self._kind.usual))

    def block(self, first_row: int) -> Floats:
        """The next block (D, R, C), or the one before once more: what is seen where nothing fails."""
        if first_row == self._next_row:
            self._last = np.stack([self._take(index) for index in range(len(self._pieces))])
            self._next_row += BLOCK
        if first_row != self._next_row - BLOCK:
            raise ValueError(f"row {first_row} is asked for out of turn: {self._next_row} comes next")
        return self._last.copy()

    def _take(self, index: int) -> Floats:
        """The next BLOCK rows of one device."""
        parts = [self._left[index]]
        while sum(map(len, parts)) < BLOCK:
            parts.append(next(self._pieces[index]))
        rows = np.concatenate(parts)
        self._left[index] = rows[BLOCK:]
        return rows[:BLOCK]
