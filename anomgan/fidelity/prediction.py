"""Whether a model that learned from generated data alone foretells the next real row, as one that learned from real."""

from collections.abc import Callable
from typing import Any

import numpy as np

from anomgan.errors import DataError
from anomgan.fidelity.discriminative import require_scikit_learn
from anomgan.fidelity.sample import Pieces, rows_in, spaced, squashed, windows_of
from anomgan.records import Floats

MOST_ROWS = 8000
HELD_BACK = 0.2
EPOCHS, HIDDEN, RIDGE = 25, 64, 1e-3
FEWEST_ROWS = 20

Predict = Callable[[Floats], Floats]


def prediction_error(learn: Pieces, test: Pieces, lags: int, *, seed: int = 0) -> float:
    """Mean absolute error of one-step prediction on real rows by a predictor that learned from `learn` alone.

    Train on synthetic, test on real (Esteban, Hyland & Rätsch, 2017, arXiv:1706.02633); one-step prediction as in Yoon
    et al., NeurIPS 2019. In spreads near normal (arcsinh of them far out), mean over rows and channels. The predictor
    sees `lags` rows; it is a ridge regression or a network with one hidden layer, whichever is better on the last fifth
    of what it learns from: nothing is chosen on the test. Raises DataError where there are too few whole stretches.
    """
    require_scikit_learn("one-step prediction")
    ours, theirs = (_stretches(pieces, lags) for pieces in (learn, test))
    cut = round((1.0 - HELD_BACK) * len(ours))
    fitted = [fit(ours[:cut], seed) for fit in (_ridge, _network)]
    best = min(fitted, key=lambda predict: _error(predict, ours[cut:]))
    return _error(best, theirs)


def last_value_error(test: Pieces, lags: int) -> float:
    """The error of who says that the next row is the last one: what any predictor has to be better than."""
    return _error(lambda before: before[:, :, -1], _stretches(test, lags))


def _stretches(pieces: Pieces, lags: int) -> Floats:
    """(N, C, lags + 1) in order of time, squashed."""
    stretches = squashed(windows_of(pieces, lags + 1, max(1, rows_in(pieces) // MOST_ROWS)))
    if len(stretches) < FEWEST_ROWS:
        raise DataError(
            f"{rows_in(pieces)} rows give {len(stretches)} stretches of {lags + 1} rows without a missing value; "
            f"one-step prediction needs {FEWEST_ROWS}"
        )
    return stretches[spaced(len(stretches), MOST_ROWS)]


def _error(predict: Predict, stretches: Floats) -> float:
    return float(np.abs(predict(stretches[:, :, :-1]) - stretches[:, :, -1]).mean())


def _flat(before: Floats) -> Floats:
    return before.reshape(len(before), -1)


def _ridge(stretches: Floats, seed: int) -> Predict:
    """Linear in the rows before, by penalised least squares; it draws nothing."""
    before, step = _flat(stretches[:, :, :-1]), stretches[:, :, -1] - stretches[:, :, -2]
    centre, middle = before.mean(axis=0), step.mean(axis=0)
    gram = (before - centre).T @ (before - centre) + RIDGE * len(before) * np.eye(before.shape[1])
    weights = np.linalg.solve(gram, (before - centre).T @ (step - middle))
    return lambda given: given[:, :, -1] + middle + (_flat(given) - centre) @ weights


def _network(stretches: Floats, seed: int) -> Predict:
    """The change from the last row, by one hidden layer."""
    from sklearn.neural_network import MLPRegressor  # type: ignore[import-untyped]  # it has no stubs

    before, step = _flat(stretches[:, :, :-1]), stretches[:, :, -1] - stretches[:, :, -2]
    size = np.maximum(step.std(axis=0), np.finfo(np.float32).eps)
    network: Any = MLPRegressor(hidden_layer_sizes=(HIDDEN,), random_state=seed)
    for _ in range(EPOCHS):
        network.partial_fit(before, (step / size)[:, 0] if step.shape[1] == 1 else step / size)
    return lambda given: given[:, :, -1] + size * network.predict(_flat(given)).reshape(len(given), -1)
