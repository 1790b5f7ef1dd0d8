"""Plain generators of series: the marks that a learned one has to beat.

Each is fitted on real rows and generates as many as asked for, (T, C), in the channels' units. Randomness is an
argument; the same state of the generator of random numbers gives the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries, series_from_array

Given = TimeSeries | Floats | Sequence[TimeSeries]

BURN_IN = 500
LARGEST_ROOT = 0.999
STILL = 1e-12
"""of a channel's size; one that varies less stands still"""


@dataclass(frozen=True, slots=True, eq=False)
class BlockBootstrap:
    """Real rows in blocks of random length, each from anywhere: the stationary bootstrap.

    Politis & Romano, Journal of the American Statistical Association 89(428), 1994: block lengths are geometric with
    mean `block`, and blocks wrap around the end. What is within a block is real, its joints are not, and nothing is
    ever new. rows (T, C), missing values as NaN.
    """

    rows: Floats
    block: float

    @classmethod
    def fit(cls, series: Given, *, block: float | None = None) -> Self:
        """Remember the rows; block: the mean length, left out: chosen from the data (see `block_length`)."""
        rows = np.concatenate(_values(series))
        if block is not None and block < 1.0:
            raise DataError(f"a block has one row at least, not {block}")
        return cls(rows, block_length(rows) if block is None else block)

    def generate(self, rng: np.random.Generator, rows: int) -> Floats:
        """(rows, C)."""
        fresh = rng.random(rows) < 1.0 / self.block
        fresh[:1] = True
        starts = rng.integers(len(self.rows), size=rows)
        begun = np.maximum.accumulate(np.where(fresh, np.arange(rows), 0))
        return np.asarray(self.rows[(starts[begun] + np.arange(rows) - begun) % len(self.rows)])


def block_length(rows: Floats) -> float:
    """The mean length of the stationary bootstrap's blocks that suits rows (T, C): the longest that a channel wants.

    b = (2 G² / D)^(1/3) T^(1/3), D = 2 g(0)² (Politis & White, Econometric Reviews 23(1), 2004, corrected in
    28(4), 2009), with their flat-top window, twice as wide as the lag at which the autocorrelation has died down.
    """
    count = len(rows)
    most = float(np.ceil(min(3.0 * np.sqrt(count), count / 3.0)))
    wanted = [1.0]
    for values in rows.T:
        known = values[np.isfinite(values)]
        if len(known) < 4 or np.ptp(known) <= STILL * np.abs(known).max():
            continue
        centred = np.where(np.isfinite(values), values - known.mean(), 0.0)
        size = 1 << (2 * count).bit_length()
        covariance = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[:count] / count
        run = max(5, int(np.sqrt(np.log10(count))))
        small = np.abs(covariance / covariance[0]) < 2.0 * np.sqrt(np.log10(count) / count)
        dead = np.flatnonzero(np.convolve(small[1:], np.ones(run), "valid") == run)
        last = int(dead[0]) if len(dead) else count // 3
        lags = np.arange(1, min(2 * max(1, last), count - 1) + 1)
        taper = np.minimum(1.0, 2.0 * (1.0 - lags / lags[-1])) if len(lags) > 1 else np.ones(1)
        slope = 2.0 * np.sum(taper * lags * covariance[lags])
        power = covariance[0] + 2.0 * np.sum(taper * covariance[lags])
        if power != 0.0:
            wanted.append(float((slope**2 / power**2 * count) ** (1.0 / 3.0)))
    return min(max(wanted), max(1.0, most))


@dataclass(frozen=True, slots=True, eq=False)
class VectorAutoregression:
    """Every channel as a linear function of the last `p` rows of all, plus what that leaves, drawn from the data.

    x(t) = centre + sum_k A_k (x(t - k) - centre) + e(t) (Lütkepohl, New Introduction to Multiple Time Series Analysis,
    2005, ch. 3; order by Akaike's criterion, ch. 4.3). e is drawn from the residuals, so that the noise has its own
    shape. Where the fit would explode, its roots are drawn back to 0.999. coefficients (p, C', C') and residuals
    (n, C') are of the C' channels that move; the others stay at their centre.
    """

    centre: Floats
    moving: Floats
    coefficients: Floats
    residuals: Floats

    @classmethod
    def fit(cls, series: Given, *, most_lags: int = 20) -> Self:
        """Least squares on rows that are whole; of 1 to `most_lags` lags those with the least Akaike criterion."""
        several = _values(series)
        rows = np.concatenate(several)
        there = np.isfinite(rows)
        if not there.any(axis=0).all():
            raise DataError("a channel has not a single value to learn from")
        centre = np.nanmean(np.where(there, rows, np.nan), axis=0)
        spread = np.nanstd(np.where(there, rows, np.nan), axis=0)
        moving = spread > STILL * np.maximum(np.abs(centre), 1.0)
        channels = int(moving.sum())
        if channels == 0:
            return cls(centre, moving.astype(np.float64), np.empty((0, 0, 0)), np.empty((1, 0)))
        scaled = [(one[:, moving] - centre[moving]) / spread[moving] for one in several]
        lags = max(1, min(most_lags, (len(rows) // 2 - 1) // channels - 1))
        design, target = _stacked(scaled, lags)
        if len(target) <= channels * lags:
            raise DataError(
                f"{len(rows)} rows give {len(target)} whole stretches of {lags + 1}, too few for a vector "
                f"autoregression of {channels} channels"
            )
        fits = [_least_squares(design[:, : p * channels], target) for p in range(1, lags + 1)]
        best = int(np.argmin([criterion for *_, criterion in fits]))
        weights, residuals, _ = fits[best]
        found = weights.reshape(best + 1, channels, channels).transpose(0, 2, 1)  # A_k (p, C', C')
        size = spread[moving]
        steady = _steady(found) * size[:, None] / size
        return cls(centre, moving.astype(np.float64), steady, (residuals - residuals.mean(axis=0)) * size)

    @property
    def order(self) -> int:
        """How many rows it looks back."""
        return len(self.coefficients)

    def generate(self, rng: np.random.Generator, rows: int) -> Floats:
        """(rows, C), after 500 rows that are thrown away."""
        made = np.tile(self.centre, (rows, 1))
        if self.order == 0:
            return made
        noise = self.residuals[rng.integers(len(self.residuals), size=rows + BURN_IN)]
        state = np.zeros((self.order, noise.shape[1]))  # newest first
        course = np.empty_like(noise)
        for t, drawn in enumerate(noise):
            course[t] = np.einsum("kij,kj->i", self.coefficients, state) + drawn
            state = np.concatenate([course[t : t + 1], state[:-1]])
        made[:, self.moving > 0.0] += course[BURN_IN:]
        return made


def _values(given: Given) -> list[Floats]:
    """(T, C) of each series; DataError where there are none, or fewer than two rows."""
    several = [given] if isinstance(given, TimeSeries | np.ndarray) else list(given)
    found = [one.values if isinstance(one, TimeSeries) else series_from_array(one).values for one in several]
    if sum(map(len, found)) < 2:
        raise DataError("two rows at least are needed to learn from")
    return found


def _stacked(several: Sequence[Floats], lags: int) -> tuple[Floats, Floats]:
    """Rows before, newest first (n, lags C), and the row after (n, C), of whole stretches of each series."""
    views = [
        np.lib.stride_tricks.sliding_window_view(one, lags + 1, axis=0).transpose(0, 2, 1)[:, ::-1]
        for one in several
        if len(one) > lags
    ]
    channels = several[0].shape[1]
    stretches = np.concatenate([np.empty((0, lags + 1, channels)), *views])
    stretches = stretches[np.isfinite(stretches).all(axis=(1, 2))]
    return stretches[:, 1:].reshape(len(stretches), -1), stretches[:, 0]


def _least_squares(design: Floats, target: Floats) -> tuple[Floats, Floats, float]:
    """Weights (p C, C), residuals (n, C) and AIC = log det S + 2 p C² / n, S the covariance of the residuals."""
    weights = np.asarray(np.linalg.lstsq(design, target, rcond=None)[0], np.float64)
    residuals = target - design @ weights
    channels = target.shape[1]
    covariance = residuals.T @ residuals / len(target) + STILL * np.eye(channels)  # two channels may be one
    criterion = float(np.linalg.slogdet(covariance)[1]) + 2.0 * design.shape[1] * channels / len(target)
    return weights, np.asarray(residuals), criterion


def _steady(coefficients: Floats) -> Floats:
    """A_k r^k: every root of the process drawn in by r, so that the largest is 0.999 at most."""
    order, channels, _ = coefficients.shape
    companion = np.eye(order * channels, k=-channels)
    companion[:channels] = coefficients.transpose(1, 0, 2).reshape(channels, -1)
    largest = float(np.abs(np.linalg.eigvals(companion)).max())
    drawn_in = min(1.0, LARGEST_ROOT / largest) if largest > 0.0 else 1.0
    return coefficients * drawn_in ** np.arange(1, order + 1)[:, None, None]
