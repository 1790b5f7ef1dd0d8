"""Whether the values of a channel are spread as the real ones are, whatever their order in time."""

import numpy as np

from anomgan.records import Floats


def wasserstein(one: Floats, other: Floats) -> float:
    """The first Wasserstein distance of two samples (n,), (m,), in their unit: how far the mass has to be moved.

    W1 = integral of |F(x) - G(x)| dx (Ramdas, Trillos & Cuturi, Entropy 19(2), 2017); 0 = the same.
    """
    at, apart = _distributions(one, other)
    return float(np.sum(np.abs(apart[:-1]) * np.diff(at)))


def kolmogorov_smirnov(one: Floats, other: Floats) -> float:
    """The largest difference of the distribution functions of two samples (n,), (m,): 0 = the same, 1 = apart.

    D = sup |F(x) - G(x)| (Smirnov, Annals of Mathematical Statistics 19(2), 1948).
    """
    return float(np.abs(_distributions(one, other)[1]).max())


def _distributions(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Where either sample has a value (n + m,), sorted, and F - G there."""
    at = np.sort(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(sample), at, side="right") / len(sample) for sample in (one, other)]
    return at, np.asarray(shares[0] - shares[1])
