"""The plain generators: what they keep of real data, and what they lose."""

import numpy as np
import pytest

from anomgan.errors import DataError
from anomgan.records import Floats, series_from_array
from anomgan.synthesis_baselines import BlockBootstrap, VectorAutoregression, block_length


def process(rows: int, seed: int = 0) -> Floats:
    """(rows, 2) of a vector autoregression of order 2 around (5, -3)."""
    rng = np.random.default_rng(seed)
    first, second = np.array([[0.5, 0.2], [0.0, 0.4]]), np.array([[0.2, 0.0], [0.3, 0.1]])
    made = np.zeros((rows + 100, 2))
    for t in range(2, len(made)):
        made[t] = first @ made[t - 1] + second @ made[t - 2] + rng.normal(size=2) * (1.0, 0.5)
    return made[100:] + np.array([5.0, -3.0])


def test_a_bootstrap_is_made_of_real_rows_in_blocks_of_the_length_it_says() -> None:
    rows = np.arange(300.0)[:, None]
    made = BlockBootstrap.fit(rows, block=10.0).generate(np.random.default_rng(0), 20_000)[:, 0]
    assert set(made) == set(rows[:, 0])
    joints = (np.diff(made) % 300 != 1).sum()
    assert 20_000 / joints == pytest.approx(10.0, rel=0.1)


def test_blocks_are_longer_where_memory_is() -> None:
    rng = np.random.default_rng(0)
    white = rng.normal(size=(3000, 1))
    slow = np.zeros((3000, 1))
    for t in range(1, 3000):
        slow[t] = 0.95 * slow[t - 1] + rng.normal()
    assert block_length(white) < 12
    assert 30 < block_length(slow) <= 3 * np.sqrt(3000) + 1
    assert block_length(np.hstack([white, slow])) == block_length(slow)
    assert block_length(np.full((100, 2), 7.0)) == 1.0


def test_an_autoregression_finds_the_order_and_the_coefficients_it_was_made_with() -> None:
    fitted = VectorAutoregression.fit(process(20_000, seed=1), most_lags=4)
    assert fitted.order == 2  # not with every seed: Akaike's criterion errs on the large side
    assert fitted.coefficients[0] == pytest.approx(np.array([[0.5, 0.2], [0.0, 0.4]]), abs=0.04)
    assert fitted.coefficients[1] == pytest.approx(np.array([[0.2, 0.0], [0.3, 0.1]]), abs=0.05)
    assert fitted.centre == pytest.approx([5.0, -3.0], abs=0.2)


def test_what_it_generates_has_the_mean_spread_and_correlation_of_what_it_saw() -> None:
    real = process(5000)
    made = VectorAutoregression.fit(real).generate(np.random.default_rng(1), 20_000)
    assert made.mean(axis=0) == pytest.approx(real.mean(axis=0), abs=0.2)
    assert made.std(axis=0) == pytest.approx(real.std(axis=0), rel=0.1)
    assert np.corrcoef(made.T)[0, 1] == pytest.approx(np.corrcoef(real.T)[0, 1], abs=0.06)


def test_a_random_walk_does_not_explode() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(400, 2)), axis=0) * np.linspace(1, 3, 400)[:, None]
    made = VectorAutoregression.fit(walk).generate(np.random.default_rng(0), 20_000)
    assert np.abs(made).max() < 100 * np.abs(walk).max()


@pytest.mark.parametrize("fit", [BlockBootstrap.fit, VectorAutoregression.fit])
def test_the_same_dice_give_the_same_rows(fit: type) -> None:
    fitted = fit(process(300))
    one, same, other = (fitted.generate(np.random.default_rng(seed), 50) for seed in (0, 0, 1))
    assert one.shape == (50, 2)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_channel_that_stands_still_still_does_and_all_may() -> None:
    real = np.hstack([process(300), np.full((300, 1), 0.25)])
    assert set(VectorAutoregression.fit(real).generate(np.random.default_rng(0), 40)[:, 2]) == {0.25}
    still = VectorAutoregression.fit(np.full((30, 2), 7.0))
    assert still.generate(np.random.default_rng(0), 5).tolist() == [[7.0, 7.0]] * 5


def test_rows_that_are_not_whole_are_left_out_and_no_stretch_spans_two_series() -> None:
    real = process(4000)
    holed = real.copy()
    holed[::50, 0] = np.nan
    parts = [series_from_array(part, channels=("a", "b")) for part in np.split(holed, 4)]
    whole, some = VectorAutoregression.fit(real, most_lags=2), VectorAutoregression.fit(parts, most_lags=2)
    assert some.coefficients == pytest.approx(whole.coefficients, abs=0.06)
    assert np.isfinite(some.generate(np.random.default_rng(0), 100)).all()


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(DataError, match="two rows at least"):
        BlockBootstrap.fit(np.zeros((1, 2)))
    with pytest.raises(DataError, match="too few for a vector autoregression of 2 channels"):
        VectorAutoregression.fit(process(3))
    dead = np.stack([np.arange(50.0), np.full(50, np.nan)], axis=1)
    with pytest.raises(DataError, match="not a single value"):
        VectorAutoregression.fit(dead)
    with pytest.raises(DataError, match="one row at least"):
        BlockBootstrap.fit(process(50), block=0.5)
