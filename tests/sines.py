"""A known distribution for generators to learn: a mixture of sines, and how far generated windows are from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomgan.gan.train import Normal

Windows = NDArray[np.float32]
LENGTH = 32
TURNS = np.array([1, 2, 4])
"""the modes: so many turns in a window"""
PHASES = np.array([0.0, 1.0, 2.0])
JITTER, LOUDNESS = 0.3, 0.2
MODES = len(TURNS)
REACH = np.array([[-1.3, -1.3], [1.3, 1.3]], np.float32)
FINE = np.array([[0.28, 0.28]], np.float32)
"""the mean distance of neighbouring rows"""
MATCHES = 0.9
"""the cosine between a window and the mode that it is one of"""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far generated windows are from the mixture: the largest share of a channel's power at wrong frequencies, the
    largest error of the autocorrelation, the share of windows that are of a mode, and of the rarest one times MODES."""

    spectrum: float
    autocorrelation: float
    of_a_mode: float
    rarest: float

    @property
    def learned(self) -> bool:
        """Whether each figure says so."""
        return self.spectrum < 0.25 and self.autocorrelation < 0.25 and self.of_a_mode > 0.4 and self.rarest > 0.3


def pure() -> NDArray[np.float64]:
    """The modes' middle windows (MODES, 2, LENGTH)."""
    angle = TURNS[:, None] * 2 * np.pi * np.arange(LENGTH) / LENGTH + PHASES[:, None]
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def draw(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int64], Windows]:
    """Modes (count,) and windows (count, 2, LENGTH) of them."""
    mode = rng.integers(MODES, size=count)
    turned = TURNS[mode, None] * 2 * np.pi * np.arange(LENGTH) / LENGTH + PHASES[mode, None]
    angle = turned + rng.uniform(-JITTER, JITTER, (count, 1))
    windows = rng.uniform(1 - LOUDNESS, 1 + LOUDNESS, (count, 1, 1)) * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return mode, (windows + 0.02 * rng.standard_normal(windows.shape)).astype(np.float32)


def sampled(rng: np.random.Generator, count: int) -> Normal:
    """Windows under no conditions."""
    return Normal.unconditioned(draw(rng, count)[1])


def conditioned(rng: np.random.Generator, count: int) -> Normal:
    """Windows, and their mode as conditions (count, MODES)."""
    mode, windows = draw(rng, count)
    return Normal(windows, np.eye(MODES, dtype=np.float32)[mode])


def modes_of(windows: Windows) -> NDArray[np.int64]:
    """The mode (N,) that each window is one of; -1 for none."""
    known, asked = pure().reshape(MODES, -1), windows.reshape(len(windows), -1).astype(np.float64)
    length = np.linalg.norm(asked, axis=1, keepdims=True) * np.linalg.norm(known, axis=1)
    cosine = asked @ known.T / np.maximum(length, 1e-9)
    return np.where(cosine.max(1) > MATCHES, cosine.argmax(1), -1)


def fidelity(windows: Windows) -> Fidelity:
    """Of generated windows (N, 2, LENGTH), against two thousand real ones."""
    real = draw(np.random.default_rng(5), 2000)[1]
    mode = modes_of(windows)
    return Fidelity(
        spectrum=float(0.5 * np.abs(_spectrum(windows) - _spectrum(real)).sum(1).max()),
        autocorrelation=float(np.abs(_autocorrelation(windows) - _autocorrelation(real)).max()),
        of_a_mode=float((mode >= 0).mean()),
        rarest=float(min((mode == k).mean() for k in range(MODES)) * MODES),
    )


def _spectrum(windows: Windows) -> NDArray[np.float64]:
    """(C, LENGTH / 2 + 1) the share of each channel's power at each frequency."""
    power = (np.abs(np.fft.rfft(windows, axis=2)) ** 2).mean(0)
    return np.asarray(power / np.maximum(power.sum(1, keepdims=True), 1e-9))


def _autocorrelation(windows: Windows) -> NDArray[np.float64]:
    """(C, LENGTH / 2) of each channel, over all windows, at lags from 0."""
    centred = windows - windows.mean(2, keepdims=True)
    power = np.abs(np.fft.rfft(centred, 2 * LENGTH, axis=2)) ** 2
    by_lag = np.fft.irfft(power, axis=2)[:, :, : LENGTH // 2].mean(0)
    return np.asarray(by_lag / np.maximum(by_lag[:, :1], 1e-9))
