"""Which channels are measured: what switches is a state, whatever else moves is evidence."""

import numpy as np
import pytest

from anomgan.roles import measured_channels

RNG = np.random.default_rng(0)
ROWS = 400
MEASURED = RNG.normal(size=ROWS)

STATES = {
    "a flag": RNG.integers(0, 2, ROWS),
    "a flag that rose once": np.arange(ROWS) == 7,
    "a mode": RNG.integers(1, 5, ROWS),
    "eight levels": RNG.integers(0, 8, ROWS),
    "few levels up to 16": RNG.choice([0, 3, 16], ROWS),
    "always 0": np.zeros(ROWS),
    "always 1": np.ones(ROWS),
    "a flag that is now and then missing": np.where(RNG.random(ROWS) < 0.3, np.nan, RNG.integers(0, 2, ROWS)),
    "a flag, told as infinite where unknown": np.where(RNG.random(ROWS) < 0.1, np.inf, RNG.integers(0, 2, ROWS)),
    "a flag seen once": np.where(np.arange(ROWS) == 5, 1.0, np.nan),
}
NO_STATES = {
    "a measurement": RNG.normal(size=ROWS),
    "two levels that are no whole numbers": RNG.choice([0.0, 0.5], ROWS),
    "a flag but for one value": np.where(np.arange(ROWS) == 5, 0.5, RNG.integers(0, 2, ROWS)),
    "two levels around 0": RNG.choice([-1.0, 1.0], ROWS),
    "nine levels": np.arange(ROWS) % 9,
    "levels above 16": RNG.choice([0.0, 17.0], ROWS),
    "a constant above 16": np.full(ROWS, 50.0),
    "a constant that no flag is": np.full(ROWS, 7.0),
    "a constant that is no whole number": np.full(ROWS, 0.3),
    "a count": RNG.integers(0, 1000, ROWS),
    "never seen": np.full(ROWS, np.nan),
    "never a number": np.full(ROWS, -np.inf),
}


@pytest.mark.parametrize("name", STATES)
def test_few_small_whole_numbers_are_a_state(name: str) -> None:
    assert measured_channels(np.column_stack([MEASURED, STATES[name]])).tolist() == [True, False]


@pytest.mark.parametrize("name", NO_STATES)
def test_anything_else_is_measured(name: str) -> None:
    assert measured_channels(np.column_stack([NO_STATES[name], MEASURED])).tolist() == [True, True]


def test_where_all_are_states_all_are_measured() -> None:
    values = np.column_stack(list(STATES.values()))
    assert measured_channels(values).tolist() == [True] * len(STATES)


def test_every_channel_is_asked_alone_and_the_values_are_left_alone() -> None:
    values = np.column_stack([*STATES.values(), *NO_STATES.values()]).astype(float)
    kept = values.copy()
    assert measured_channels(values).tolist() == [False] * len(STATES) + [True] * len(NO_STATES)
    np.testing.assert_array_equal(values, kept)
