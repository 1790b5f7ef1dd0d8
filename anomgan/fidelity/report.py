"""The report on generated data: every figure beside the same figure of real data, which is what perfect looks like."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from anomgan.errors import DataError
from anomgan.fidelity.discriminative import Discriminative, discriminative_score
from anomgan.fidelity.dynamics import autocorrelation_difference, correlations, cross_correlation_difference
from anomgan.fidelity.marginals import kolmogorov_smirnov, wasserstein
from anomgan.fidelity.neighbours import Nearness, nearness
from anomgan.fidelity.prediction import last_value_error, prediction_error
from anomgan.fidelity.sample import (
    Given,
    Pieces,
    as_series,
    check_channels,
    column,
    pieces_of,
    rows_in,
    spaced,
    squashed,
    windows_of,
)
from anomgan.fidelity.spectrum import log_spectral_distance, welch
from anomgan.manifold import Manifold, manifold
from anomgan.records import Floats
from anomgan.scaling import fit_scaler

LONGEST_WINDOW, SHORTEST_WINDOW, WINDOWS_WANTED = 32, 8, 40
LONGEST_STRETCH = 256
MOST_WINDOWS, MOST_TRAINING_WINDOWS = 1000, 20_000
STAGES = ("marginals", "correlations", "spectrum", "neighbours", "discriminative score", "one-step prediction")

Progress = Callable[[int, int, str], None]
"""(steps done, steps in all, what comes now)"""


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """One set of data against held-out real data. C channels; every unit is in the docstring of the measure.

    wasserstein, kolmogorov_smirnov, autocorrelation, spectrum (C,); cross_correlation (C, C); prediction: the error of
    who learned from these data.
    """

    rows: int
    wasserstein: Floats
    kolmogorov_smirnov: Floats
    autocorrelation: Floats
    cross_correlation: Floats
    spectrum: Floats
    manifold: Manifold
    nearness: Nearness
    discriminative: Discriminative
    prediction: float

    @property
    def cross(self) -> Floats:
        """Mean difference of each channel with the others (C,); 0 for a single one."""
        return np.asarray(self.cross_correlation.sum(axis=1) / max(1, len(self.cross_correlation) - 1))

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON: lists instead of arrays, None for what is undefined."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}


@dataclass(frozen=True, slots=True, eq=False)
class FidelityReport:
    """Generated data and, as the floor, real training data, both against the same held-out real data.

    The floor is what a perfect generator gets: another stretch of the same machine is not the same stretch.
    last_value: the error of foretelling that nothing changes, for scale.
    """

    channels: tuple[str, ...]
    window: int
    seed: int
    held_out_rows: int
    synthetic: Figures
    floor: Figures
    last_value: float

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    def lines(self) -> list[tuple[str, float, float, float, str]]:
        """(measure, generated, floor, ideal, what else there is to say), a line each; per channel: the mean."""
        made, real = self.synthetic, self.floor
        told: list[tuple[str, float, float, float, str]] = []
        for name, each, usually, unit in (
            ("marginals, Wasserstein", made.wasserstein, real.wasserstein, ""),
            ("marginals, Kolmogorov-Smirnov", made.kolmogorov_smirnov, real.kolmogorov_smirnov, ""),
            ("autocorrelation", made.autocorrelation, real.autocorrelation, ""),
            ("cross-correlation", made.cross, real.cross, ""),
            ("spectrum, dB", made.spectrum, real.spectrum, " dB"),
        ):
            worst = int(np.argmax(each))
            note = f"worst: {self.channels[worst]} {each[worst]:.2f}{unit}" if len(each) > 1 else ""
            told.append((name, float(each.mean()), float(usually.mean()), 0.0, note))
        seen, usual = made.discriminative, real.discriminative
        told.append(
            (
                "discriminative score",
                seen.score,
                usual.score,
                0.0,
                f"{100 * seen.accuracy:.0f} % told apart by {seen.classifier}",
            )
        )
        note = f"that nothing changes: {self.last_value:.3g}"
        told.append(("prediction error, trained on it", made.prediction, real.prediction, real.prediction, note))
        for name, ours, theirs in (
            ("precision", made.manifold.precision, real.manifold.precision),
            ("recall", made.manifold.recall, real.manifold.recall),
            ("density", made.manifold.density, real.manifold.density),
            ("coverage", made.manifold.coverage, real.manifold.coverage),
        ):
            told.append((name, ours, theirs, 1.0, ""))
        note = f"{100 * made.nearness.copies:.0f} % are nearer than 95 % of the real"
        told.append(("distance to training data", made.nearness.ratio, real.nearness.ratio, 1.0, note))
        return told

    def __str__(self) -> str:
        """An aligned table."""
        head = ("measure", "generated", "real", "ideal", "")
        rows = [
            (name, f"{ours:.3f}", f"{theirs:.3f}", "as real" if name.startswith("prediction") else f"{ideal:g}", note)
            for name, ours, theirs, ideal, note in self.lines()
        ]
        widths = [max(map(len, cells)) for cells in zip(head, *rows, strict=True)]
        return "\n".join(
            f"{name:<{widths[0]}}  {ours:>{widths[1]}}  {theirs:>{widths[2]}}  {ideal:>{widths[3]}}  {note}".rstrip()
            for name, ours, theirs, ideal, note in (head, *rows)
        )


def make_report(
    real_train: Given,
    real_held_out: Given,
    synthetic: Given,
    *,
    window: int | None = None,
    stretch: int | None = None,
    seed: int = 0,
    floor: Figures | None = None,
    progress: Progress | None = None,
) -> FidelityReport:
    """Hold generated data against real data that the generator has not seen, and real training data as well.

    Each is one series, an array (T, C) or several series, of the same channels in the same order. window: rows of the
    windows that classifiers and neighbours see, and the longest lag; left out, 32, fewer where there are few rows.
    stretch: rows of the stretches of which the spectrum is taken; left out, as many as all have, 256 at most. floor:
    that of an earlier report on the same real data, which saves half of the time. The same seed gives the same report.
    Raises DataError for channels that differ or have no value, and for too few rows; ConfigError where scikit-learn is
    missing.
    """
    given = {"the real training data": real_train, "the held-out data": real_held_out, "the synthetic data": synthetic}
    several = {what: as_series(one, what) for what, one in given.items()}
    channels = several["the held-out data"][0].channels
    for what, some in several.items():
        check_channels(some[0].channels, channels, what, "the held-out data")
    fewest = min(sum(map(len, some)) for some in several.values())
    length = window or default_window(fewest)
    if not 4 <= length <= fewest // 10:
        raise DataError(
            f"a window of {length} rows: between 4 and a tenth of the rows are wanted, and the shortest has {fewest}"
        )
    scaler = fit_scaler(np.concatenate([one.values for one in several["the real training data"]]))
    train, held, made = (pieces_of(some, scaler, length) for some in several.values())
    for what, pieces in zip(several, (train, held, made), strict=True):
        if len(windows_of(pieces, length, length)) == 0:
            raise DataError(f"{what}: no {length} consecutive rows without a missing value")
    rows = stretch or min(_longest_power_of_two(one) for one in (train, held, made))
    steps = len(STAGES) * (2 if floor is None else 1)

    def figures(pieces: Pieces, before: int, whose: str) -> Figures:
        def now(stage: int) -> None:
            if progress is not None:
                progress(before + stage, steps, f"{STAGES[stage]}, {whose}")

        now(0)
        columns = [(column(held, c), column(pieces, c)) for c in range(len(channels))]
        moved = np.array([wasserstein(*pair) for pair in columns])
        apart = np.array([kolmogorov_smirnov(*pair) for pair in columns])
        now(1)
        theirs, ours = (correlations(one, length) for one in (held, pieces))
        now(2)
        powers = [welch(one, rows) for one in (held, pieces)]
        now(3)
        around, near = _neighbours(train, held, pieces, length, copied=pieces is not train)
        now(4)
        told = discriminative_score(held, pieces, length, seed=seed)
        now(5)
        error = prediction_error(pieces, held, lags(length), seed=seed)
        return Figures(
            rows=rows_in(pieces),
            wasserstein=moved,
            kolmogorov_smirnov=apart,
            autocorrelation=autocorrelation_difference(theirs, ours),
            cross_correlation=cross_correlation_difference(theirs, ours),
            spectrum=log_spectral_distance(*powers),
            manifold=around,
            nearness=near,
            discriminative=told,
            prediction=error,
        )

    report = FidelityReport(
        channels=channels,
        window=length,
        seed=seed,
        held_out_rows=rows_in(held),
        synthetic=figures(made, 0, "generated"),
        floor=floor or figures(train, len(STAGES), "real"),
        last_value=last_value_error(held, lags(length)),
    )
    if progress is not None:
        progress(steps, steps, "done")
    return report


def default_window(rows: int) -> int:
    """32 rows, or the multiple of 8 that gives 40 windows side by side, 8 at least."""
    return int(np.clip(rows // WINDOWS_WANTED // 8 * 8, SHORTEST_WINDOW, LONGEST_WINDOW))


def lags(window: int) -> int:
    """How many rows a predictor sees: half a window."""
    return max(2, window // 2)


def _longest_power_of_two(pieces: Pieces) -> int:
    """Of the stretches for a spectrum: at most 256, at most an eighth of the rows or one whole piece."""
    longest = max(_longest_whole(piece) for piece in pieces)
    most = min(LONGEST_STRETCH, longest, max(8, rows_in(pieces) // 8))
    return 1 << (most.bit_length() - 1)


def _longest_whole(piece: Floats) -> int:
    """The longest run of rows without a missing value."""
    broken = np.flatnonzero(~np.isfinite(piece).all(axis=1))
    return int(np.diff(np.r_[-1, broken, len(piece)]).max()) - 1


def _neighbours(train: Pieces, held: Pieces, other: Pieces, length: int, *, copied: bool) -> tuple[Manifold, Nearness]:
    """Of windows that share no row, as many of each; of the training windows up to 20,000, which may.

    copied: whether the others may be copies of the training data; if not, they are these, and the held-out windows
    themselves say how near real ones are.
    """

    def flat(pieces: Pieces, stride: int, most: int) -> Floats:
        windows = windows_of(pieces, length, stride)
        return squashed(windows[spaced(len(windows), most)]).reshape(-1, length * windows.shape[1])

    count = min(MOST_WINDOWS, *(len(windows_of(one, length, length)) for one in (train, held, other)))
    theirs, ours = (flat(one, length, count) for one in (held, other))
    dense = flat(train, max(1, rows_in(train) // MOST_TRAINING_WINDOWS), MOST_TRAINING_WINDOWS)
    near = nearness(dense, theirs, ours if copied else theirs)
    return manifold(theirs, ours), near


def _plain(value: object) -> Any:
    """As JSON has it."""
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, Figures):
        return value.as_dict()
    if isinstance(value, Manifold | Nearness | Discriminative):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
