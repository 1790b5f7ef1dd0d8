"""A device's windows, handed from one detector to another: what the new one would have seen, had it been there."""

import numpy as np
import pytest
from examples import CHANNELS, normal_series, readings_of, spoiled

from anomgan.detector import Detector
from anomgan.handover import Maker, hand_over
from anomgan.records import TimeSeries
from anomgan.scaling import Scaler, scale
from anomgan.stream import StreamDetector
from anomgan.windows import WindowRule, WindowState, empty_state, step

RULE = WindowRule(16, 2, 10.0, 4)


def maker(channels: tuple[str, ...] = CHANNELS, rule: WindowRule = RULE, by: float = 1.0) -> Maker:
    count = len(channels)
    centre = np.arange(count) * 10.0 + by
    return Maker(channels, Scaler(centre, np.full(count, 0.5 * by), np.zeros(count, bool)), rule)


def state_of(series: TimeSeries, of: Maker) -> WindowState:
    """The state after all rows of a series, whose channels may be others than the maker's."""
    at = {name: c for c, name in enumerate(series.channels)}
    blank = np.full(len(series), np.nan)
    values = np.stack([series.values[:, at[name]] if name in at else blank for name in of.channels], axis=1)
    state = empty_state(len(of.channels), of.rule)
    for time_s, row in zip(series.times.tolist(), scale(of.scaler, values), strict=True):
        state, _ = step(of.rule, state, time_s, row)
    return state


def agree(one: WindowState, other: WindowState) -> None:
    np.testing.assert_allclose(one.rows, other.rows, atol=2e-5)
    np.testing.assert_allclose(one.held, other.held, atol=2e-5)
    assert one.run == other.run
    np.testing.assert_equal(one.last_s, other.last_s)  # NaN before the first row


@pytest.mark.parametrize("rows", [0, 1, 7, 16, 40])
@pytest.mark.parametrize("seed", range(3))
def test_another_scale_sees_what_it_would_have_seen(rows: int, seed: int) -> None:
    series = spoiled(normal_series(60, seed), np.random.default_rng(seed))[:rows]
    before, after = maker(), maker(by=3.0)
    given, expected = hand_over(before, after, state_of(series, before)), state_of(series, after)
    agree(given, expected)
    if rows:
        np.testing.assert_array_equal(given.age, expected.age)


def test_a_shorter_window_keeps_its_newest_rows() -> None:
    series = normal_series(40, 1)
    longer, shorter = maker(rule=WindowRule(24, 1, 10.0, 4)), maker(by=2.0)
    agree(hand_over(longer, shorter, state_of(series, longer)), state_of(series, shorter))


def test_a_longer_window_goes_on_warming_up_from_the_rows_there_are() -> None:
    series = normal_series(40, 1)
    shorter, longer = maker(), maker(rule=WindowRule(24, 1, 10.0, 4), by=2.0)
    agree(hand_over(shorter, longer, state_of(series, shorter)), state_of(series[-16:], longer))
    agree(hand_over(shorter, longer, state_of(series[:9], shorter)), state_of(series[:9], longer))


def test_channels_are_matched_by_name_and_a_new_one_reads_as_missing() -> None:
    series = normal_series(40, 1)
    before, after = maker(), maker(("current", "humidity", "flow"))
    given, expected = hand_over(before, after, state_of(series, before)), state_of(series, after)
    agree(given, expected)
    assert np.isnan(given.rows[1]).all()
    time_s, row = 40.0, np.array([0.1, np.nan, 0.2], np.float32)
    agree(step(RULE, given, time_s, row)[0], step(RULE, expected, time_s, row)[0])


def test_without_a_channel_in_common_nothing_is_known() -> None:
    series = normal_series(40, 1)
    after = maker(("a", "b"))
    given = hand_over(maker(), after, state_of(series, maker()))
    assert given.run == 0
    assert np.isnan(given.rows).all()


def test_a_stream_that_takes_over_pays_no_warm_up_again_and_scores_as_if_it_had_always_been_there(
    detector: Detector,
) -> None:
    other = Detector.fit(normal_series(600, 7), detector.config.model_copy(update={"seed": 3}))
    readings = [one for name, seed in (("a", 1), ("b", 2)) for one in readings_of(normal_series(60, seed), name)]
    early, late = [r for r in readings if r.time_s < 31], [r for r in readings if r.time_s >= 31]
    first, second, always = StreamDetector(detector), StreamDetector(other), StreamDetector(other)
    first.push(early)
    always.push(early)
    second.take_over(first)
    given, expected = second.push(late), always.push(late)
    assert len(given) == len(expected) > 20
    for one, same in zip(given, expected, strict=True):
        assert (one.device, one.time_s) == (same.device, same.time_s)
        assert one.surprise == pytest.approx(same.surprise, abs=1e-3)
    assert second.counters["readings_warming_up"] == 2 * 15
    assert second.push(readings[:3]) == []  # what the first one has seen is late
    assert second.counters["dropped.late"] == 3
