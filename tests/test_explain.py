"""Explaining: shares that sum to one, the channels that carry them, and a sentence whose numbers differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anomgan.explain import contributions, leading_channels, reason


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 8)), elements=st.floats(0, 2.0**100, width=32)))
def test_contributions_are_shares(error: np.ndarray) -> None:
    share = contributions(error)
    np.testing.assert_allclose(share.sum(axis=1), 1.0, rtol=1e-5)
    assert (share >= 0).all()
    for one, other in zip(share, error, strict=True):
        assert np.argmax(one) == np.argmax(other)


def test_without_any_error_all_channels_share_alike() -> None:
    np.testing.assert_allclose(contributions(np.zeros((2, 4), np.float32)), 0.25)


@pytest.mark.parametrize(
    ("contribution", "most", "leading"),
    [
        ([0.1, 0.85, 0.05], 3, [1]),
        ([0.3, 0.5, 0.2], 3, [1, 0]),
        ([0.25, 0.25, 0.25, 0.25], 3, [0, 1, 2]),
        ([0.25, 0.25, 0.25, 0.25], 1, [0]),
        ([1.0], 3, [0]),
        ([0.5, 0.5], 9, [0, 1]),
    ],
)
def test_the_leading_channels_carry_four_fifths(contribution: list[float], most: int, leading: list[int]) -> None:
    assert leading_channels(np.array(contribution, np.float32), most) == leading


def sentence(seen: float, meant: float, unit: str = "", surprise: float = 3.0) -> str:
    return reason(["pressure"], [seen], [meant], [unit], surprise)


def test_the_reason_is_one_plain_sentence() -> None:
    told = reason(["pressure", "flow"], [0.21, 3.1], [0.93, 31.0], ["bar", ""], 4.0)
    assert told == (
        "pressure is 0.21 bar where 0.93 was expected; flow is 3.1 where 31 was expected "
        "(about one normal window in 10,000 looks this odd)"
    )


def test_beyond_a_billion_no_odds_are_claimed() -> None:
    assert sentence(1, 2, surprise=300.0).endswith("(no normal window looks like this)")


@pytest.mark.parametrize(
    ("seen", "meant", "told"),
    [
        (101_325.0, 101_425.0, "101325 where 101425"),
        (101_325.0, 151_326.0, "101300 where 151300"),
        (101_325.25, 101_326.5, "101325.2 where 101326.5"),
        (0.000123, 0.5, "0.000123 where 0.5"),
        (5.0, 5.0, "5 where 5"),
        (-1e30, 2.0, "-1e+30 where 2"),
        (1.0, float("nan"), "1 where nan"),
        (float("inf"), 1.0, "inf where 1"),
        (1e300, -1e-300, "1e+300 where -1e-300"),
    ],
)
def test_numbers_have_four_digits_or_as_many_as_show_the_difference(seen: float, meant: float, told: str) -> None:
    assert f"pressure is {told} was expected" in sentence(seen, meant)


def test_a_missing_channel_is_said_to_be_missing() -> None:
    assert sentence(float("nan"), 0.93, "bar").startswith("pressure is missing where 0.93 bar was expected")
