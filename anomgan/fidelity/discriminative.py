"""Whether a classifier that learned from real and generated windows tells held-out ones apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.errors import ConfigError, DataError
from anomgan.fidelity.sample import Pieces, rows_in, spaced, squashed, windows_of
from anomgan.records import Floats

FOLDS = 5
BLOCKS_PER_FOLD = 4
MOST_WINDOWS = 1000
"""of each kind"""
TREES, LEAVES, COLUMNS = 50, 15, 200
"""columns: about so many are looked at in each cut of a tree"""
EPOCHS, HIDDEN = 40, 64
POWER_FLOOR = 1e-4

Classify = Callable[[Floats, NDArray[np.int64], Floats, int], NDArray[np.int64]]
"""features and classes to learn from, features to classify, seed -> classes"""


@dataclass(frozen=True, slots=True)
class Discriminative:
    """How well held-out windows are told apart: 0 = not at all, 0.5 = always.

    accuracy is that of the better classifier, named; spread the standard deviation of its accuracy over the folds.
    """

    score: float
    accuracy: float
    classifier: str
    spread: float


def discriminative_score(real: Pieces, generated: Pieces, window: int, *, seed: int = 0) -> Discriminative:
    """|accuracy - 1/2| of a classifier of windows, real or generated (Yoon, Jarrett & van der Schaar, NeurIPS 2019).

    Their recurrent network is replaced by two classifiers that learn in seconds, the better of which counts: boosted
    trees, and a network with one hidden layer, both on values, differences and log power of the window. Accuracy is
    cross-validated over blocks of time: a window lies within one block, and a block is learned from or judged as a
    whole, so that no window is judged that shares a row with one learned from. As many real as generated windows.
    Raises DataError where there is too little of either, ConfigError where scikit-learn is missing.
    """
    require_scikit_learn("the discriminative score")
    both = [_by_fold(pieces, window) for pieces in (real, generated)]
    folds = []
    for f in range(FOLDS):
        ours, theirs = both[0][f], both[1][f]
        count = min(len(ours), len(theirs), MOST_WINDOWS // FOLDS)
        if count == 0:
            raise DataError(
                f"{rows_in(real)} real and {rows_in(generated)} generated rows are too few for a classifier of windows "
                f"of {window} rows: each has to give {FOLDS} blocks of two windows without a missing value"
            )
        kept = [features(squashed(one[spaced(len(one), count)])) for one in (ours, theirs)]
        folds.append((np.concatenate(kept), np.repeat([0, 1], count)))
    found = [_judged(name, classify, folds, seed) for name, classify in CLASSIFIERS.items()]
    return max(found, key=lambda one: one.accuracy)


def features(windows: Floats) -> Floats:
    """Values, differences and log power by frequency of windows (N, C, L) -> (N, F)."""
    power = np.abs(np.fft.rfft(windows, axis=2)) ** 2 / windows.shape[2]
    parts = (windows, np.diff(windows, axis=2), np.log(power + POWER_FLOOR))
    return np.concatenate([part.reshape(len(windows), -1) for part in parts], axis=1)


def require_scikit_learn(what: str) -> None:
    """ConfigError that says how to install it where it is missing."""
    try:
        import sklearn.ensemble  # type: ignore[import-untyped]  # noqa: F401 only whether it is there
    except ImportError:
        raise ConfigError(f"{what} needs scikit-learn: pip install 'anomgan[benchmark]'") from None


def _by_fold(pieces: Pieces, window: int) -> list[Floats]:
    """Windows (n, C, L) of each fold; blocks go to the folds in turn, so that every fold has seen all times."""
    block = max(2 * window, rows_in(pieces) // (FOLDS * BLOCKS_PER_FOLD))
    stride = max(1, window // 4, rows_in(pieces) // MOST_WINDOWS)
    blocks = [piece[i : i + block] for piece in pieces for i in range(0, len(piece), block)]
    blocks = [one for one in blocks if len(one) >= window]
    channels = pieces[0].shape[1]
    cut = [windows_of((one,), window, stride) for one in blocks]
    return [np.concatenate([np.empty((0, channels, window)), *cut[f::FOLDS]]) for f in range(FOLDS)]


def _judged(
    name: str, classify: Classify, folds: Sequence[tuple[Floats, NDArray[np.int64]]], seed: int
) -> Discriminative:
    right, accuracies = 0, []
    for f, (held, truth) in enumerate(folds):
        rest = [fold for g, fold in enumerate(folds) if g != f]
        learned = np.concatenate([one for one, _ in rest]), np.concatenate([one for _, one in rest])
        hits = classify(*learned, held, seed) == truth
        right += int(hits.sum())
        accuracies.append(float(hits.mean()))
    accuracy = right / sum(len(truth) for _, truth in folds)
    return Discriminative(abs(accuracy - 0.5), accuracy, name, float(np.std(accuracies)))


# ---------------------------------------------------------------- the classifiers


def _trees(learn: Floats, classes: NDArray[np.int64], held: Floats, seed: int) -> NDArray[np.int64]:
    """Boosted trees on histograms (Ke et al., NeurIPS 2017)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    share = min(1.0, COLUMNS / learn.shape[1])
    trees: Any = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, max_features=share, early_stopping=False, random_state=seed
    )
    return np.asarray(trees.fit(learn, classes).predict(held), np.int64)


def _network(learn: Floats, classes: NDArray[np.int64], held: Floats, seed: int) -> NDArray[np.int64]:
    """One hidden layer on standardised features."""
    from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # it has no stubs

    mean, spread = learn.mean(axis=0), learn.std(axis=0)
    spread[spread == 0.0] = 1.0
    network: Any = MLPClassifier(hidden_layer_sizes=(HIDDEN,), alpha=1e-2, random_state=seed)
    for _ in range(EPOCHS):
        network.partial_fit((learn - mean) / spread, classes, classes=[0, 1])
    return np.asarray(network.predict((held - mean) / spread), np.int64)


CLASSIFIERS: dict[str, Classify] = {"trees": _trees, "network": _network}
