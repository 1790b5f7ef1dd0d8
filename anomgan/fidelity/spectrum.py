"""Whether a channel moves at the rhythms of the real one, with the same power at each."""

import numpy as np

from anomgan.errors import DataError
from anomgan.fidelity.sample import Pieces, windows_of
from anomgan.records import Floats

FLOOR = 1e-6
"""power per frequency, in squared spreads, below which nothing is told apart: rounding, 60 dB below the channel"""


def welch(pieces: Pieces, length: int) -> Floats:
    """Power by frequency (F, C), F = length / 2, in squared spreads; sums to about the variance of each channel.

    Mean of the periodograms of half overlapping, centred stretches under a Hann window (Welch, IEEE Transactions on
    Audio and Electroacoustics 15(2), 1967). Row f is frequency (f + 1) / length per row of data; the mean has no row.
    Raises DataError where no stretch of `length` rows is whole.
    """
    stretches = windows_of(pieces, length, max(1, length // 2))  # (N, C, length)
    if len(stretches) == 0:
        raise DataError(f"no {length} consecutive rows without a missing value, as a spectrum needs")
    taper = np.hanning(length + 1)[:-1]
    centred = (stretches - stretches.mean(axis=2, keepdims=True)) * taper
    power = np.abs(np.fft.rfft(centred, axis=2)) ** 2 / (length * np.sum(taper**2))
    power[:, :, 1 : (length + 1) // 2] *= 2.0  # the negative frequencies
    return np.asarray(power.mean(axis=0).T[1:])


def log_spectral_distance(real: Floats, other: Floats) -> Floats:
    """Root mean square difference in decibels of two results of `welch`, over the frequencies (C,); 0 = the same.

    d = sqrt(mean_f (10 log10 P(f) / Q(f))^2) (Gray & Markel, IEEE Transactions on Acoustics, Speech and Signal
    Processing 24(5), 1976). Twice the power everywhere is 3 dB.
    """
    apart = 10.0 * np.log10((real + FLOOR) / (other + FLOOR))
    return np.asarray(np.sqrt((apart**2).mean(axis=0)))
