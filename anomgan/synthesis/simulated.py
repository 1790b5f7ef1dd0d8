"""A synthesizer as a device kind of the simulator (`engine = "gan"`): a fleet that behaves like a recorded one."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch

from anomgan.errors import DataError
from anomgan.gan.attempts import from_nothing
from anomgan.records import Floats
from anomgan.simulate.kind import DECIMALS, Channel
from anomgan.simulate.learned_kind import Given, LearnedKind
from anomgan.simulate.normal import ENDS, Usual
from anomgan.synthesis.conditions import HOUR, WEEKDAY, encode
from anomgan.synthesis.fit import Learned
from anomgan.synthesis.marginals import Marginal, to_values
from anomgan.synthesis.model_file import unpack
from anomgan.synthesis.scales import told_scale
from anomgan.synthesis.unrolling import Scores, endless_rows

WINDOWS = 288
"""made to see what is usual, spread over the week before the run"""
WEEK_S, MINUTE_S = 604_800.0, 60.0
LIVELY = 0.2
"""spreads of a channel that half of the windows cross within a minute"""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedModel:
    """A synthesizer as the simulator asks it: a `Model` of `anomgan.simulate.learned_kind`."""

    learned: Learned
    digest: str = ""

    @property
    def period_s(self) -> float:
        """From one of its rows to the next."""
        return self.learned.period_s

    def kind(self, name: str, given: Given, start_s: float, period_s: float, every: int) -> LearnedKind:
        """Its devices under these conditions; `hour` and `weekday` follow from the times of the rows, in UTC.

        What is usual of a device, and what of its channels moves, is that of windows made for the week before the run.
        Its rows are those of `Synthesizer.generate` with the same seed.
        """
        learned, step_s = self.learned, period_s / every
        timed = [one for one in (HOUR, WEEKDAY) if one in given]
        if timed:
            raise DataError(f"condition {timed[0]!r} follows from the times; it cannot be given")
        week_s = start_s - WEEK_S * (np.arange(WINDOWS) + 0.5) / WINDOWS
        networks = learned.networks
        under = told_scale(encode(learned.conditions, week_s, given), 0, networks.shape.scales)
        dice = torch.Generator().manual_seed(0)
        scores = from_nothing(networks.generator, networks.encoder, torch.from_numpy(under), dice)
        windows = to_values(learned.marginals, np.moveaxis(scores.numpy(), 1, 2))  # (N, L, C)
        resolutions = np.array([_resolution(one) for one in learned.marginals])
        spread = np.maximum(windows.std(axis=(0, 1)), resolutions)
        spread = np.where(spread > 0, spread, [one.spread for one in learned.marginals])
        bottom, top = np.percentile(windows, ENDS, axis=(0, 1))
        minute = windows[:, : max(2, min(windows.shape[1], 1 + round(MINUTE_S / self.period_s)))]
        lively = np.median(np.ptp(minute, axis=1), axis=0) >= LIVELY * spread
        told = zip(learned.channels, learned.units, learned.marginals, resolutions, lively, strict=True)
        channels = tuple(_channel(*one) for one in told)

        def rows(seed: int, begin_s: float) -> Iterator[Floats]:
            return self._rows(seed, begin_s, given, step_s, every)

        return LearnedKind(name, channels, Usual(windows.mean(axis=(0, 1)), spread, bottom, top), rows, self.digest)

    def _rows(self, seed: int, begin_s: float, given: Given, step_s: float, every: int) -> Iterator[Floats]:
        """Rows (R, C), piece after piece without end: each `every`-th of one device that begins at `begin_s`."""
        learned, made = self.learned, 0

        def under(row: int) -> Scores:
            return encode(learned.conditions, np.array([begin_s + step_s * row]), given)

        dice = torch.Generator().manual_seed(seed)
        for scores in endless_rows(learned.networks, under, dice):
            values = to_values(learned.marginals, scores[0])
            yield values[-made % every :: every]
            made += len(values)


def open_model(path: str) -> SimulatedModel:
    """A file of `anomgan train --synthesizer`. ModelFileError for a missing, truncated, foreign or newer one."""
    from anomgan.adapters.files import read_model_bytes  # adapters alone touch files, and only when asked to

    data = read_model_bytes(path)
    return SimulatedModel(unpack(data, path), sha256(data).hexdigest())


def _resolution(one: Marginal) -> float:
    """The step of a channel's values, 0 where none is known."""
    return float(f"1e-{one.decimals}") if 0 <= one.decimals <= DECIMALS else 0.0


def _channel(name: str, unit: str, one: Marginal, resolution: float, lively: bool) -> Channel:
    """A sensor as its recording knows it; nobody has said what range it has, so that its faults may leave what was."""
    contact = set(one.values.tolist()) == {0.0, 1.0}
    low, high = (0.0, 1.0) if contact else (-np.inf, np.inf)
    return Channel(name, unit, float(resolution), 0.0, low, high, digital=contact, lively=bool(lively))
