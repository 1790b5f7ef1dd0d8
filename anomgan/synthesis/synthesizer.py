"""Synthesizer: learns what a device's data look like, and makes, completes and refines such data."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.config import SynthesizerConfig
from anomgan.errors import DataError
from anomgan.gan.train import TrainingStep
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.synthesis.aligned import aligned, conditions_of, stretches
from anomgan.synthesis.augment import vary
from anomgan.synthesis.conditions import DEVICE, Given, encode
from anomgan.synthesis.filling import draw_hidden
from anomgan.synthesis.fit import Learned, learn
from anomgan.synthesis.imputed import Imputed, between, with_missing_rows
from anomgan.synthesis.marginals import to_scores, to_values
from anomgan.synthesis.model_file import pack, unpack
from anomgan.synthesis.private_fit import learn_privately
from anomgan.synthesis.scales import told_scale
from anomgan.synthesis.transfer import carry_across
from anomgan.synthesis.unrolling import some_rows

DRAWS = 32
BAND = 0.9
RARE = 2.0
UNLIKE = 0.05
"""how far a period may be from the model's own, as a share of it"""

Watch = Callable[[int, int], None]


class Synthesizer:
    """A trained generator of a device's data: make one with `fit` or `load`."""

    def __init__(self, learned: Learned) -> None:
        self._learned = learned

    # ---------------------------------------------------------------- make

    @classmethod
    def fit(
        cls,
        series: TimeSeries | Floats | Sequence[TimeSeries],
        config: SynthesizerConfig | None = None,
        *,
        progress: bool = False,
        on_step: Callable[[TrainingStep], None] | None = None,
    ) -> Self:
        """Learn from one series, several of the same channels, or an array (T, C) or (T,); NaN allowed.

        DataError for too little data, series that disagree or a condition that they lack; TrainingDiverged for a
        non-finite loss. Ctrl-C keeps the best so far.
        """
        several = [series] if isinstance(series, TimeSeries | np.ndarray) else list(series)
        alike = [one if isinstance(one, TimeSeries) else series_from_array(one) for one in several]
        config = config or SynthesizerConfig()
        how = learn if config.epsilon is None else learn_privately
        return cls(how(alike, config, progress=progress, on_step=on_step))

    def save(self, path: str | PathLike[str]) -> None:
        """Write one safetensors file, atomically."""
        from anomgan.adapters.files import write_bytes  # adapters alone touch files, and only when asked to

        write_bytes(path, pack(self._learned))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a file written by `save`. ModelFileError for a missing, truncated, foreign or newer file."""
        from anomgan.adapters.files import read_model_bytes

        return cls(unpack(read_model_bytes(path), str(path)))

    # ---------------------------------------------------------------- what it is

    @property
    def config(self) -> SynthesizerConfig:
        """The configuration, with everything chosen."""
        return self._learned.config

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels it makes, in order; columns that it is conditioned on are not among them."""
        return self._learned.channels

    @property
    def units(self) -> tuple[str, ...]:
        """One unit per channel, "" = unknown."""
        return self._learned.units

    @property
    def period_s(self) -> float:
        """The sampling period of the training data."""
        return self._learned.period_s

    @property
    def summary(self) -> dict[str, Any]:
        """How the training went."""
        return self._learned.summary

    @property
    def parts(self) -> Learned:
        """Distributions, networks, conditions and what was calibrated."""
        return self._learned

    # ---------------------------------------------------------------- the verbs

    def generate(
        self,
        rows: int,
        start_s: float = 0.0,
        *,
        given: Given | None = None,
        devices: Sequence[str] = ("synthetic-0",),
        seed: int = 0,
        on_windows: Watch | None = None,
    ) -> list[TimeSeries]:
        """A continuous series of so many rows for each device, at the model's period from `start_s` on.

        `given` says under which conditions: one value each, or one for every row; `hour` and `weekday` follow from the
        times. DataError for a condition that is missing or unknown.
        """
        if rows < 1:
            raise DataError(f"{rows} rows cannot be made; at least 1")
        learned = self._learned
        times = start_s + learned.period_s * np.arange(rows, dtype=np.float64)
        known = encode(learned.conditions, times, given or {})
        last = {name: one[-1:] if isinstance(one, np.ndarray) else one for name, one in (given or {}).items()}

        def under(row: int) -> NDArray[np.float32]:
            """Slow rows are made ahead of time; columns that are given end with the last row."""
            late = times[:1] + learned.period_s * row
            told = known[row : row + 1] if row < rows else encode(learned.conditions, late, last)
            return np.repeat(told, len(devices), axis=0)

        scores = some_rows(learned.networks, under, rows, torch.Generator().manual_seed(seed), on_windows)
        return [
            TimeSeries(times, to_values(learned.marginals, made), self.channels, None, self.units, name)
            for name, made in zip(devices, scores, strict=True)
        ]

    def augment(
        self,
        series: TimeSeries | Sequence[TimeSeries],
        rows: int,
        *,
        power: float = RARE,
        seed: int = 0,
        on_windows: Watch | None = None,
    ) -> TimeSeries:
        """At least so many rows to learn from beside a training set: variations of its windows, rare ones above all.

        They come in pieces of two windows, apart by gaps in time so that no window spans two. `power` 0 varies all
        windows alike often. The columns that the model is conditioned on are among the channels. DataError where the
        series have no window without a gap.
        """
        if rows < 1:
            raise DataError(f"{rows} rows cannot be made; at least 1")
        several = [series] if isinstance(series, TimeSeries) else list(series)
        alike = [aligned(self._learned, one, None) for one in several]
        return vary(self._learned, alike, rows, power, seed, on_windows)

    def impute(
        self,
        series: TimeSeries | Floats,
        *,
        given: Given | None = None,
        draws: int = DRAWS,
        seed: int = 0,
        on_windows: Watch | None = None,
    ) -> Imputed:
        """A series with what is missing filled in: values, rows, and channels that are not there at all.

        Known values stay as they are. A gap in time of up to a window's rows is filled with rows at the model's period;
        a longer one stays. Conditions are read from the series, or `given`. DataError where nothing is known, and for
        readings that come faster than those the model was trained on.
        """
        one = with_missing_rows(aligned(self._learned, series, given), self.period_s, self.config.window or 0)
        return self._filled(one, given, draws, seed, on_windows)

    def upsample(
        self,
        series: TimeSeries | Floats,
        factor: int,
        *,
        given: Given | None = None,
        draws: int = DRAWS,
        seed: int = 0,
        on_windows: Watch | None = None,
    ) -> Imputed:
        """A series of slow readings at `factor` times their rate, which must be the model's own. Readings stay."""
        if factor < 2:
            raise DataError(f"a factor of {factor} refines nothing; at least 2")
        one = aligned(self._learned, series, given, self.period_s * factor)
        if len(one) < 2:
            raise DataError("a single row has no rate that could be refined")
        fine = one.period_s / factor
        if abs(fine - self.period_s) > UNLIKE * self.period_s:
            raise DataError(
                f"readings every {one.period_s:g} s at {factor} times their rate come every {fine:g} s; "
                f"this model was trained on readings every {self.period_s:g} s"
            )
        return self._filled(between(one, factor), given, draws, seed, on_windows)

    def transfer(
        self,
        series: TimeSeries,
        target: str,
        *,
        origin: str | None = None,
        given: Given | None = None,
        on_windows: Watch | None = None,
    ) -> TimeSeries:
        """A recording of device `origin` (left out, the series' own) as it would be of device `target`.

        Missing values stay missing. DataError for devices that the model was not trained with, and for a model that
        was not trained on devices at all.
        """
        learned = self._learned
        devices = next((one.levels for one in learned.conditions if one.name == DEVICE), ())
        if not devices or not self.config.cycle_weight:
            raise DataError(
                "this model was not trained to get from device to device; give `anomgan train --synthesizer` "
                "the recordings of both and `--condition device`"
            )
        origin = series.device if origin is None else origin
        for name in (origin, target):
            if name not in devices:
                raise DataError(f"the model was not trained on device {name!r}, but on {', '.join(map(str, devices))}")
        one = aligned(learned, series, given)
        values = one.values[:, : len(self.channels)]
        told = conditions_of(learned.conditions, one, given)
        own, other = (self._under(one.times, {**told, DEVICE: name}) for name in (origin, target))
        moved = carry_across(learned, values, own, other, stretches(self.config, one), on_windows)
        return TimeSeries(one.times, moved, self.channels, one.labels, self.units, target)

    def _under(self, times: Floats, given: Given) -> NDArray[np.float32]:
        """(T, K) what the networks are told of these times."""
        return told_scale(encode(self._learned.conditions, times, given), 0, self._learned.networks.shape.scales)

    def _filled(self, one: TimeSeries, given: Given | None, draws: int, seed: int, on_windows: Watch | None) -> Imputed:
        learned = self._learned
        values = one.values[:, : len(self.channels)]
        hidden = np.isnan(values)
        if hidden.all():
            raise DataError(f"{one.device or 'the series'}: there is not a single value to go by")
        under = self._under(one.times, conditions_of(learned.conditions, one, given))
        dice = torch.Generator().manual_seed(seed)
        told = draw_hidden(
            learned.networks,
            learned.carry,
            to_scores(learned.marginals, values),
            under,
            stretches(self.config, one),
            draws,
            ((1.0 - BAND) / 2.0, 0.5, (1.0 + BAND) / 2.0),
            dice,
            on_windows,
        )

        def in_units(scores: NDArray[np.floating[Any]]) -> Floats:
            return np.where(hidden, to_values(learned.marginals, scores), values)

        low, middle, high = (in_units(scores) for scores in told.quantiles)
        series = TimeSeries(one.times, middle, self.channels, one.labels, self.units, one.device)
        return Imputed(series, low, high, hidden, in_units(told.one))
