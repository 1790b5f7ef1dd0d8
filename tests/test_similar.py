"""Which events are alike: a cosine over channels and directions, and the order in which they are shown."""

import math
from dataclasses import replace

import pytest
from alarm_desk import event
from hypothesis import given
from hypothesis import strategies as st

from anomgan.records import Event
from anomgan.similar import direction, likeness, most_alike

UP, DOWN, MISSING = (2.0, 1.0), (1.0, 2.0), (math.nan, 1.0)


def told(*channels: tuple[str, tuple[float, float], float], device: str = "pump-1", start_s: float = 0.0) -> Event:
    """An event of (channel, (observed, expected), contribution)."""
    return replace(
        event(device=device, start_s=start_s),
        channels=tuple(name for name, _, _ in channels),
        observed=tuple(pair[0] for _, pair, _ in channels),
        expected=tuple(pair[1] for _, pair, _ in channels),
        contributions=tuple(share for _, _, share in channels),
        units=(),
    )


def test_the_likeness_is_the_cosine_of_signed_contributions() -> None:
    one = told(("flow", DOWN, 0.6), ("pressure", UP, 0.3))
    other = told(("flow", DOWN, 0.4), ("speed", UP, 0.5))
    by_hand = 0.6 * 0.4 / (math.hypot(0.6, 0.3) * math.hypot(0.4, 0.5))
    assert likeness(one, other) == pytest.approx(by_hand)
    assert likeness(other, one) == pytest.approx(by_hand)


def test_the_same_channels_the_other_way_have_nothing_in_common() -> None:
    one = told(("flow", DOWN, 0.6), ("pressure", UP, 0.3))
    assert likeness(one, told(("flow", UP, 0.6), ("pressure", DOWN, 0.3))) == 0.0
    assert likeness(one, told(("flow", MISSING, 0.9))) == 0.0
    assert likeness(told(("flow", MISSING, 0.9)), told(("flow", MISSING, 0.2))) == 1.0


def test_an_event_that_says_nothing_of_any_channel_is_like_none() -> None:
    assert likeness(told(), told()) == 0.0
    assert likeness(told(("flow", UP, math.nan)), told(("flow", UP, 1.0))) == 0.0


@pytest.mark.parametrize(
    ("pair", "way"), [(UP, "above"), (DOWN, "below"), (MISSING, "missing"), ((1.0, 1.0), "as expected")]
)
def test_a_direction_is_where_the_observed_lies(pair: tuple[float, float], way: str) -> None:
    assert direction(*pair) == way


SHARES = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5)


@given(SHARES, SHARES, st.floats(0.1, 10.0))
def test_likeness_is_symmetric_within_0_and_1_and_knows_no_size(
    ours: list[float], theirs: list[float], size: float
) -> None:
    one = told(*((f"c{i}", UP, share) for i, share in enumerate(ours)))
    other = told(*((f"c{i}", UP, share) for i, share in enumerate(theirs)))
    larger = replace(one, contributions=tuple(size * share for share in one.contributions))
    assert 0.0 <= likeness(one, other) <= 1.0
    assert likeness(one, other) == pytest.approx(likeness(other, one))
    assert likeness(larger, other) == pytest.approx(likeness(one, other))
    assert likeness(one, larger) == pytest.approx(1.0)


def test_the_most_alike_come_first_then_the_same_device_then_the_latest() -> None:
    one = told(("flow", DOWN, 0.9), ("speed", UP, 0.1), start_s=100.0)
    twin_elsewhere = replace(one, id="elsewhere", device="pump-2", start_s=90.0)
    twin_before = replace(one, id="before", start_s=10.0)
    twin_later = replace(one, id="later", start_s=20.0)
    less = replace(told(("flow", DOWN, 0.5), ("torque", UP, 0.4)), id="less", start_s=99.0)
    other = replace(told(("speed", UP, 0.9)), id="other", start_s=99.0)
    fleet_wide = replace(one, id="many", members=4)
    found = most_alike(one, [other, less, twin_before, fleet_wide, twin_elsewhere, one, twin_later], 10)
    assert [event.id for _, event in found] == ["later", "before", "elsewhere", "less"]
    assert [event.id for _, event in most_alike(one, [less, twin_before], 1)] == ["before"]
