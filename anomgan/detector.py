"""Detector: fit, score, save, load. One file holds all that scoring needs."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from anomgan.calibrate import budget_threshold, fuse, surprise
from anomgan.config import DecideConfig, DetectorConfig
from anomgan.course import band_of, in_channel_units, usual
from anomgan.decide import decide_all, for_windows, is_anomalous
from anomgan.errors import ConfigError, DataError
from anomgan.examination import Examination, blank
from anomgan.explain import contributions
from anomgan.fit import Fitted, fit, window_rule
from anomgan.gan.train import TrainingStep
from anomgan.model_file import pack, unpack
from anomgan.pool import MAX_MISSING
from anomgan.records import Event, Floats, Source, TimeSeries, Verdict, series_from_array
from anomgan.scaling import scale, unscale, usable
from anomgan.score import WITNESSES, look, rebuilt
from anomgan.windows import WindowRule, carried, due_ends, gather_windows, hold_missing, segment_starts, waiting_ends

Series = TimeSeries | Floats
CHUNK = 4096


class Detector:
    """A trained anomaly detector: make one with `fit` or `load`."""

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted
        self.rule: WindowRule = window_rule(fitted.config)
        self._judged = np.flatnonzero(fitted.measured)
        self._weights = np.array([fitted.weights[name] for name in WITNESSES])
        self._nothing = blank(1, len(fitted.channels))
        newest = usual(fitted.normal["reconstruction"], len(self._judged))
        self._band = band_of(newest, fitted.scaler, fitted.measured)

    # ---------------------------------------------------------------- make

    @classmethod
    def fit(
        cls,
        series: Series | Sequence[TimeSeries],
        config: DetectorConfig | None = None,
        *,
        progress: bool = False,
        on_step: Callable[[TrainingStep], None] | None = None,
        excluded: Sequence[str] = (),
    ) -> Self:
        """Learn what is normal from one series, several of the same channels, or an array (T, C) or (T,); NaN allowed.

        What `config` leaves open follows from the data by the rules of `anomgan.fit`. `on_step` is called after each
        step; Ctrl-C keeps the best so far. `excluded` says in words what was left out of the series. DataError for too
        little data, TrainingDiverged for a non-finite loss.
        """
        several = [series] if isinstance(series, TimeSeries | np.ndarray) else list(series)
        alike = [_as_series(one) for one in several]
        return cls(fit(alike, config or DetectorConfig(), progress=progress, on_step=on_step, excluded=excluded))

    def save(self, path: str | PathLike[str]) -> None:
        """Write one safetensors file, atomically."""
        from anomgan.adapters.files import write_bytes  # adapters alone touch files, and only when asked to

        write_bytes(path, pack(self._fitted))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a file written by `save`. Raises ModelFileError for a missing, truncated, foreign or newer file."""
        from anomgan.adapters.files import read_model_bytes

        return cls(unpack(read_model_bytes(path), str(path)))

    # ---------------------------------------------------------------- what it is

    @property
    def config(self) -> DetectorConfig:
        """The configuration, with everything chosen."""
        return self._fitted.config

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names, in order."""
        return self._fitted.channels

    @property
    def units(self) -> tuple[str, ...]:
        """One unit per channel, "" = unknown."""
        return self._fitted.units

    @property
    def period_s(self) -> float:
        """The sampling period of the training data."""
        return self._fitted.period_s

    @property
    def summary(self) -> dict[str, Any]:
        """How the training went."""
        return self._fitted.summary

    @property
    def parts(self) -> Fitted:
        """Scaler, networks, what is normal, and calibration."""
        return self._fitted

    @property
    def threshold(self) -> float:
        """The surprise from which a verdict is anomalous, from the alarm budget."""
        return self.threshold_for(self.config.alarms_per_week)

    def threshold_for(self, alarms_per_week: float) -> float:
        """The threshold of another alarm budget (per device)."""
        return budget_threshold(alarms_per_week, self.period_s * self.rule.stride, self._fitted.alarm_share)

    def listening_to(self, *witnesses: str) -> Self:
        """The same detector with some WITNESSES alone: they rank windows, but no threshold is calibrated for them."""
        if not witnesses or not set(witnesses) <= set(WITNESSES):
            raise ConfigError(f"{witnesses} are not witnesses; there are {', '.join(WITNESSES)}")
        weights = {name: weight * (name in witnesses) for name, weight in self._fitted.weights.items()}
        alike = {name: float(name in witnesses) for name in WITNESSES}
        return type(self)(replace(self._fitted, weights=weights if any(weights.values()) else alike))

    # ---------------------------------------------------------------- score

    def scale(self, values: Floats) -> NDArray[np.float32]:
        """Values (..., C) in units -> (..., C) as the networks see them."""
        return scale(self._fitted.scaler, values)

    def score_windows(self, windows: NDArray[np.floating[Any]]) -> Floats:
        """Windows (N, C, L) in the channels' units, NaN = missing -> surprise (N,)."""
        expected = (len(self.channels), self.rule.window)
        if windows.ndim != 3 or windows.shape[1:] != expected:
            raise DataError(f"windows of shape {windows.shape} where (N, {expected[0]}, {expected[1]}) is expected")
        rows = self.scale(np.moveaxis(np.asarray(windows, np.float64), 1, 2))  # (N, L, C)
        return self.examine_windows(np.ascontiguousarray(np.moveaxis(rows, 2, 1))).surprise

    def examine_windows(self, scaled: NDArray[np.float32]) -> Examination:
        """Scaled windows (N, C, L), NaN = missing -> all that can be said of them."""
        parts = self._fitted
        if len(scaled) == 0:
            return blank(0, len(self.channels))
        judged = np.ascontiguousarray(scaled[:, self._judged]) if len(self._judged) < scaled.shape[1] else scaled
        seen = look(parts.networks, parts.normal, torch.from_numpy(judged))
        each = {name: surprise(parts.tails[name], getattr(seen, name).double().numpy()) for name in WITNESSES}
        fused = surprise(parts.tails["fused"], fuse(np.stack([each[name] for name in WITNESSES]), self._weights))
        known = seen.missing.numpy() <= MAX_MISSING
        if not np.all(np.isfinite(fused[known])):
            raise FloatingPointError("a score is not finite although its window is")
        unknown = np.where(known, 0.0, np.nan)

        def of_all(rows: NDArray[np.float32], states: float) -> NDArray[np.float32]:
            whole = np.full((len(rows), len(self.channels), *rows.shape[2:]), states, np.float32)
            whole[:, self._judged] = rows
            return whole

        def in_units(rows: torch.Tensor) -> NDArray[np.float32]:
            return unscale(parts.scaler, of_all(rows.numpy(), np.nan)).astype(np.float32)

        course = in_channel_units(of_all(seen.course.numpy(), np.nan), parts.scaler, self.period_s)
        return Examination(
            surprise=fused + unknown,
            discriminator=each["discriminator"] + unknown,
            reconstruction=each["reconstruction"] + unknown,
            pattern=np.maximum(each["pattern"], each["level"]) + unknown,
            logit=seen.logit.double().numpy() + unknown,
            expected=in_units(seen.expected),
            contribution=of_all(contributions(seen.error.numpy()), 0.0),
            odd=in_units(seen.odd),
            odd_expected=in_units(seen.odd_expected),
            course=course,
            beyond=known & np.isfinite(course[:, :, 0]).any(1),
        )

    def rebuild(self, windows: NDArray[np.floating[Any]]) -> Floats:
        """Windows (N, C, L) in the channels' units, NaN = missing -> what the generator makes of them; states NaN."""
        parts = self._fitted
        scaled = np.moveaxis(self.scale(np.moveaxis(np.asarray(windows, np.float64), 1, 2)), 2, 1)
        whole = np.full(windows.shape, np.nan, np.float32)
        whole[:, self._judged] = rebuilt(parts.networks, torch.from_numpy(scaled[:, self._judged].copy())).numpy()
        return np.moveaxis(unscale(parts.scaler, np.moveaxis(whole, 1, 2)), 2, 1)

    def examine(self, series: Series) -> tuple[NDArray[np.int64], Examination]:
        """The rows (N,) of a series that complete a due window, and what is said of those windows."""
        one = self.aligned(series)
        starts = segment_starts(one.times, self.rule)
        rows, ends = hold_missing(self.scale(one.values), starts, self.rule), due_ends(starts, self.rule)
        if len(ends) == 0:
            return ends, blank(0, len(self.channels))
        chunks = [
            self.examine_windows(gather_windows(rows, ends[at : at + CHUNK], self.rule.window))
            for at in range(0, len(ends), CHUNK)
        ]
        names = [field.name for field in fields(Examination)]
        return ends, Examination(*(np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names))

    def score(self, series: Series) -> Floats:
        """Surprise (T,) of each row, causal: that of the newest due window; NaN in warm-up, also after a gap."""
        one = self.aligned(series)
        ends, seen = self.examine(one)
        newest = carried(ends, segment_starts(one.times, self.rule))
        return np.append(seen.surprise, np.nan)[newest]  # -1 is the NaN at the end

    def verdict(
        self,
        source: Source,
        time_s: float,
        values: NDArray[np.float32],
        threshold: float,
        seen: Examination | None = None,
        i: int = 0,
        model: str = "",
        units: tuple[str, ...] = (),
    ) -> Verdict:
        """What is said of one device at one time: entry i of an examination; without one, that it is unknown.

        values (C,) are `scaling.usable`; `units` are the model's own where none are given.
        """
        seen, i = (self._nothing, 0) if seen is None else (seen, i)
        surprise = seen.surprise.item(i)
        return Verdict(
            device=source[1],
            site=source[0],
            time_s=float(time_s),
            surprise=surprise,
            threshold=threshold,
            anomalous=is_anomalous(surprise, threshold),
            discriminator=seen.discriminator.item(i),
            reconstruction=seen.reconstruction.item(i),
            pattern=seen.pattern.item(i),
            channels=self.channels,
            values=values,
            expected=seen.expected[i],
            contribution=seen.contribution[i],
            model=model,
            units=units or self.units,
            odd=seen.odd[i],
            odd_expected=seen.odd_expected[i],
            course=seen.course[i] if seen.beyond[i] else None,
            step_s=self.period_s,
            band=self._band,
        )

    def verdicts(self, series: TimeSeries) -> list[Verdict]:
        """The verdicts that a stream of this series' readings gives, the unknown ones of every warm-up among them."""
        one = self.aligned(series)
        ends, seen = self.examine(one)
        due = {int(end): i for i, end in enumerate(ends)}
        waiting = waiting_ends(segment_starts(one.times, self.rule), self.rule)
        source, values, threshold = ("", one.device), usable(one.values).astype(np.float32), self.threshold
        told = []
        for row in sorted([*due, *map(int, waiting)]):
            examined = (seen, due[row]) if row in due else (None, 0)
            told.append(self.verdict(source, one.times[row], values[row], threshold, *examined))
        return told

    def events(self, series: TimeSeries, rule: DecideConfig | None = None) -> list[Event]:
        """The events of a series at the alarm budget."""
        return decide_all(self.decide_rule(rule or DecideConfig()), self.verdicts(series))

    def decide_rule(self, rule: DecideConfig) -> DecideConfig:
        """A rule for events with everything chosen for this detector's windows."""
        return for_windows(rule, self.rule.window // self.rule.stride)

    def aligned(self, series: Series) -> TimeSeries:
        """A series with this detector's channels in its order: others are left out, missing ones read NaN.

        An array is taken by position; DataError where its width differs or no channel is known.
        """
        one = _as_series(series, self.period_s, self.channels)
        if one.channels == self.channels:
            return one
        known = {name: i for i, name in enumerate(one.channels)}
        if not any(name in known for name in self.channels):
            raise DataError(f"none of the model's channels {self.channels} is among {one.channels}")
        blank = np.full(len(one), np.nan)
        columns = [one.values[:, known[name]] if name in known else blank for name in self.channels]
        return replace(one, values=np.stack(columns, axis=1), channels=self.channels, units=self.units)


def _as_series(series: Series, period_s: float = 1.0, channels: Sequence[str] = ()) -> TimeSeries:
    if isinstance(series, TimeSeries):
        return series
    one = series_from_array(series, period_s)
    if channels and len(one.channels) != len(channels):
        raise DataError(
            f"an array of {len(one.channels)} channels for a model of {len(channels)}: {', '.join(channels)}"
        )
    return replace(one, channels=tuple(channels) or one.channels)
