"""Explaining: shares that sum to one, the channels that carry them, and a sentence whose numbers differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anomgan.explain import NO_ONSET, Finding, contributions, finding, leading_channels, onsets_of, reason
from anomgan.motion import MOVES, STUCK, SWINGS
from anomgan.records import Verdict

NAN = float("nan")


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
    return reason([Finding("pressure", seen, meant, unit)], surprise)


def test_the_reason_is_one_plain_sentence() -> None:
    told = reason([Finding("pressure", 0.21, 0.93, "bar"), Finding("flow", 3.1, 31.0)], 4.0)
    assert told == (
        "pressure is 0.21 bar where 0.93 was expected; flow is 3.1 where 31 was expected "
        "(about one normal window in 10,000 looks this odd)"
    )


def test_the_channel_that_went_first_is_named_first_with_its_lead() -> None:
    flow = Finding("flow", 3.1, 31.0, "l/min", before=30.0, onset_s=114.0)
    pressure = Finding("pressure", 0.2, 0.9, "bar", before=0.9, onset_s=100.0)
    valve = Finding("valve", 1.0, 0.0)
    told = reason([flow, valve, pressure], 12.0, step_s=1.0)
    assert told == (
        "pressure fell to 0.2 bar where 0.9 was expected, 14 s before flow; "
        "flow fell to 3.1 l/min where 31 was expected; valve is 1 where 0 was expected "
        "(no normal window looks like this)"
    )


@pytest.mark.parametrize(
    ("first_s", "second_s", "step_s", "told"),
    [
        (0.0, 2.0, 1.0, ""),  # two rows apart: not sure
        (0.0, 3.0, 1.0, ", 3 s before flow"),
        (0.0, 0.5, 0.1, ", 0.5 s before flow"),
        (0.0, 119.0, 1.0, ", 119 s before flow"),
        (0.0, 840.0, 60.0, ", 14 min before flow"),
        (0.0, 18_000.0, 60.0, ", 5 h before flow"),
        (0.0, 400_000.0, 60.0, ", 5 days before flow"),
        (0.0, 0.0, 0.0, ""),
        (0.0, NAN, 1.0, ""),
        (NAN, NAN, 1.0, ""),
    ],
)
def test_a_lead_is_told_where_it_is_sure(first_s: float, second_s: float, step_s: float, told: str) -> None:
    pair = [
        Finding("pressure", 0.2, 0.9, before=0.9, onset_s=first_s),
        Finding("flow", 3.1, 31.0, before=30.0, onset_s=second_s),
    ]
    assert f"where 0.9 was expected{told};" in reason(pair, 3.0, step_s)


def test_no_lead_is_claimed_over_a_channel_that_did_not_move_itself() -> None:
    pair = [
        Finding("pressure", 0.2, 0.9, before=0.9, onset_s=0.0),
        Finding("flow", 30.0, 3.1, before=30.0, onset_s=60.0),
    ]
    assert "before" not in reason(pair, 3.0, 1.0)


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (Finding("p", 0.2, 0.9, "bar", before=0.9), "p fell to 0.2 bar where 0.9 was expected"),
        (Finding("p", 1.6, 0.9, "bar", before=0.9), "p rose to 1.6 bar where 0.9 was expected"),
        (Finding("p", 0.2, 0.9, before=0.2), "p is 0.2 where 0.9 was expected"),  # the others moved
        (Finding("p", 0.2, 0.9, before=0.1), "p is 0.2 where 0.9 was expected"),  # it rose, too little
        (Finding("p", 0.2, 0.9, before=NAN), "p is 0.2 where 0.9 was expected"),  # it is not known where it was
        (Finding("p", 0.2, 0.9, "bar", before=0.9, motion=STUCK), "p fell to 0.2 bar where 0.9 was expected"),
        (Finding("p", 0.2, 0.9, "bar", before=0.2, motion=STUCK), "p is stuck at 0.2 bar where 0.9 was expected"),
        (
            Finding("p", 9.1, 4.0, "bar", low=0.2, high=9.1, motion=SWINGS),
            "p swings between 0.2 and 9.1 bar where 4 was expected",
        ),
        (Finding("p", -1e-7, 28.0, before=28.0), "p fell to 0 where 28 was expected"),  # what 32 bits left of zero
    ],
)
def test_the_verb_says_what_the_values_show_and_no_more(one: Finding, told: str) -> None:
    assert reason([one], 3.0).startswith(f"{told} (")


# ---------------------------------------------------------------- since when


def seen_at(time_s: float, *courses: tuple[float, float, float, float, float]) -> Verdict:
    """A verdict with the courses of its channels; with none where no channel is off."""
    blank = np.zeros(2, np.float32)
    course = np.array(courses, np.float32) if courses else None
    return Verdict(
        "p", "", time_s, 1.0, 4.0, False, 1.0, 1.0, 1.0, ("a", "b"), blank, blank, blank, course=course, step_s=1.0
    )


OFF = (2.0, 5.0, 1.0, 4.0, MOVES)
CALM = (NAN, NAN, NAN, NAN, NAN)


def test_the_first_word_on_a_stretch_is_its_onset() -> None:
    onsets = onsets_of((), seen_at(100.0, OFF, CALM))
    assert onsets[0][:2] == (98.0, 5.0)
    assert np.isnan(onsets[1]).all()
    onsets = onsets_of(onsets, seen_at(110.0, (4.0, 3.0, 1.0, 4.0, MOVES), OFF))
    assert (onsets[0][:2], onsets[1][:2]) == ((98.0, 5.0), (108.0, 5.0))


def test_back_within_its_error_a_channel_is_forgotten_unless_an_event_is_under_way() -> None:
    onsets = onsets_of((), seen_at(100.0, OFF, OFF))
    later = seen_at(110.0, CALM, OFF)
    assert np.isnan(onsets_of(onsets, later)[0]).all()
    assert onsets_of(onsets, later, keep=True)[0][0] == 98.0
    assert onsets_of(onsets, seen_at(110.0)) == ()
    assert onsets_of(onsets, seen_at(110.0), keep=True) == onsets


def test_stuck_for_longer_than_a_window_is_still_stuck() -> None:
    onsets = onsets_of((), seen_at(100.0, (9.0, 5.0, 3.0, 3.0, STUCK), CALM))
    whole = seen_at(160.0, (50.0, NAN, 3.0, 3.0, MOVES), CALM)
    assert finding("a", 3.0, 5.0, "", whole.course, onsets_of(onsets, whole, keep=True), 0).motion == STUCK
    moved = seen_at(160.0, (50.0, NAN, 2.0, 3.0, MOVES), CALM)
    assert finding("a", 3.0, 5.0, "", moved.course, onsets_of(onsets, moved, keep=True), 0).motion == MOVES


def test_nothing_is_known_of_a_channel_without_a_course() -> None:
    assert repr(finding("a", 1.0, 2.0, "", None, (), 0)) == repr(Finding("a", 1.0, 2.0))
    assert repr(finding("a", 1.0, 2.0, "", None, (NO_ONSET,), 0)) == repr(Finding("a", 1.0, 2.0))


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
