"""Blocks of time, and what is released of them: no block reaches into another, none counts for more than it may."""

from dataclasses import replace

import numpy as np
import pytest

from anomgan.errors import ConfigError
from anomgan.records import Floats, TimeSeries
from anomgan.synthesis.blocks import Blocks, Records, cut_blocks, noised
from anomgan.synthesis.fit import filled, known_ends
from anomgan.synthesis.marginals import to_scores, to_values
from anomgan.synthesis.private_marginals import Range, check_ranges, histograms, private_marginals
from anomgan.synthesis.rhythm import StandIns, private_correlations
from anomgan.windows import WindowRule

UNIT, WINDOW, PERIOD_S = 32, 16, 10.0
RULE = WindowRule(WINDOW, 1, 10.0 * PERIOD_S, 0)
COUNT = 200
ONE = slice(50 * UNIT, 51 * UNIT)
"""the rows of the block that differs"""


def recording(rows: int = COUNT * UNIT, seed: int = 0, start_s: float = UNIT * PERIOD_S * 1000) -> TimeSeries:
    """Two waves, one a quarter of a turn behind and half as loud as its noise is not, and a valve."""
    rng = np.random.default_rng(seed)
    phase = np.cumsum(0.4 + 0.05 * rng.normal(size=rows))
    values = np.stack(
        [20.0 + 5.0 * np.sin(phase), 3.0 + np.cos(phase) + 0.2 * rng.normal(size=rows), (np.sin(phase) > 0.5)], axis=1
    )
    return TimeSeries(start_s + PERIOD_S * np.arange(rows), values.astype(float), ("flow", "level", "valve"))


RANGES: tuple[Range, ...] = ((0.0, 100.0), (-10.0, 10.0), (0.0, 1.0, 1.0))


def cut(*several: TimeSeries) -> Blocks:
    return cut_blocks(several, UNIT * PERIOD_S, RULE)


def other(series: TimeSeries) -> TimeSeries:
    """The same, but for one block of the wildest values."""
    values = series.values.copy()
    values[ONE] = [100.0, -10.0, 1.0]
    values[ONE.start + 5 : ONE.start + 9, 0] = np.nan
    return replace(series, values=values)


def lacking(series: TimeSeries) -> TimeSeries:
    """The same without a row of that block."""
    kept = np.ones(len(series), bool)
    kept[ONE] = False
    return replace(series, times=series.times[kept], values=series.values[kept])


# ---------------------------------------------------------------- blocks


def test_blocks_lie_at_multiples_of_their_length_whatever_the_first_row_is() -> None:
    whole = recording()
    cut_off = whole[7:]
    np.testing.assert_array_equal(cut(cut_off).block, cut(whole).block[7:])
    assert (np.bincount(cut(whole).block) == UNIT).all()
    assert cut(whole).count == COUNT


def test_blocks_without_a_row_count_too_and_so_do_those_of_each_device() -> None:
    blocks = cut(recording(), lacking(recording()))
    assert blocks.count == 2 * COUNT
    rows = np.bincount(blocks.block, minlength=blocks.count)
    assert rows[COUNT + 50] == 0
    assert (np.delete(rows, COUNT + 50) == UNIT).all()


def test_no_window_and_no_filled_cell_reaches_into_another_block() -> None:
    series = recording()
    series.values[ONE.stop - 2 : ONE.stop + 2, 0] = np.nan
    blocks = cut(series)
    scores = series.values.astype(np.float32)
    ends = known_ends(scores, blocks.starts, RULE)
    np.testing.assert_array_equal(blocks.block[ends], blocks.block[ends - WINDOW + 1])
    rows = filled(scores, blocks.starts)
    np.testing.assert_array_equal(rows[ONE.stop - 2 : ONE.stop, 0], rows[ONE.stop - 3, 0])
    np.testing.assert_array_equal(rows[ONE.stop : ONE.stop + 2, 0], rows[ONE.stop + 2, 0])
    changed = filled(other(series).values.astype(np.float32), blocks.starts)
    differs = (changed != rows).any(1)
    assert differs[ONE].all()
    assert not np.delete(differs, np.r_[ONE]).any()


def test_each_block_is_drawn_alone_with_the_same_probability_and_gives_one_window() -> None:
    series = lacking(recording())
    blocks = cut(series)
    rows = np.repeat(blocks.block[:, None], 2, 1).astype(np.float32)
    records = Records(rows, known_ends(rows, blocks.starts, RULE), blocks, WINDOW)
    assert len(records) == COUNT
    rng, rate, turns = np.random.default_rng(3), 0.3, 400
    drawn = [records.draw(rate, rng)[:, 0] for _ in range(turns)]
    assert all((windows == windows[:, :1]).all() for windows in drawn)  # of one block
    assert all(len(set(windows[:, 0])) == len(windows) for windows in drawn)  # one of each
    times = np.bincount(np.concatenate([w[:, 0] for w in drawn]).astype(int), minlength=COUNT)
    assert times[50] == 0  # nothing was recorded then
    assert np.abs(np.delete(times, 50) / turns - rate).max() < 5 * np.sqrt(rate * (1 - rate) / turns)
    sizes = np.array([len(windows) for windows in drawn])
    assert sizes.var() == pytest.approx((COUNT - 1) * rate * (1 - rate), rel=0.3)  # binomial, not a fixed number
    everywhere = Records(
        np.arange(len(series), dtype=np.float32)[:, None], known_ends(rows, blocks.starts, RULE), blocks, WINDOW
    )
    begins = np.concatenate([everywhere.draw(1.0, rng)[:, 0, 0] for _ in range(200)]) % UNIT
    assert set(begins) == set(range(UNIT - WINDOW + 1))


# ---------------------------------------------------------------- what a block can add to a release


def test_a_block_adds_no_more_than_a_vote_in_each_channel_to_the_histograms() -> None:
    edges = [np.linspace(low, high, 9) for low, high, *_ in RANGES]
    series = recording()
    blocks = cut(series)
    told = histograms(series.values, edges, blocks, UNIT)
    for changed in (other(series).values, np.where(cut(series).block[:, None] == 50, np.nan, series.values)):
        assert all(
            np.abs(one - two).sum() <= 2.0
            for one, two in zip(told, histograms(changed, edges, blocks, UNIT), strict=True)
        )
    without = np.where(blocks.block[:, None] == 50, np.nan, other(series).values)
    moved = [
        a - b
        for a, b in zip(
            histograms(other(series).values, edges, blocks, UNIT), histograms(without, edges, blocks, UNIT), strict=True
        )
    ]
    assert 0.8 * np.sqrt(3) < np.linalg.norm(np.concatenate(moved)) <= np.sqrt(3) + 1e-9


def test_a_block_of_more_rows_than_it_should_have_has_no_more_votes() -> None:
    fast = recording(4 * UNIT)
    fast = replace(fast, times=fast.times[0] + 0.25 * (fast.times - fast.times[0]))
    blocks = cut(fast)
    assert blocks.count == 1
    assert sum(histograms(fast.values, [np.array([-1e3, 1e3])] * 3, blocks, UNIT)[0]) == pytest.approx(1.0)


@pytest.mark.parametrize("loudness", [0.01, 1.0, 100.0])
def test_a_block_adds_no_more_than_a_length_of_one_to_the_correlations(loudness: float) -> None:
    series = recording()
    blocks = cut(series)
    scores = (series.values - series.values.mean(0)).astype(np.float32)
    scores[ONE] *= loudness
    without = scores.copy()
    without[ONE] = 0.0
    rng = np.random.default_rng(0)
    moved = private_correlations(scores, blocks, WINDOW, 0.0, rng) - private_correlations(
        without, blocks, WINDOW, 0.0, rng
    )
    assert 0.0 < np.linalg.norm(moved) <= 1.0 + 1e-9


def test_noise_is_as_loud_as_the_mechanism_asks() -> None:
    rng = np.random.default_rng(0)
    added = noised(np.full(20_000, 7.0), 3.0, 2.0, rng) - 7.0
    assert added.std() == pytest.approx(6.0, rel=0.03)


# ---------------------------------------------------------------- what they are good for


def test_with_little_noise_scores_are_normal_and_values_come_back() -> None:
    series = recording()
    told = private_marginals(series.values, RANGES, cut(series), UNIT, 0.01, np.random.default_rng(1))
    scores = to_scores(told, series.values)
    assert np.abs(scores[:, :2].mean(0)).max() < 0.05
    assert np.abs(scores[:, :2].std(0) - 1.0).max() < 0.05
    back = to_values(told, scores)
    assert np.abs(back - series.values)[:, :2].max() < 0.02
    np.testing.assert_array_equal(back[:, 2], series.values[:, 2])
    drawn = to_values(told, np.random.default_rng(2).standard_normal((4000, 3)))
    assert abs(drawn[:, 2].mean() - series.values[:, 2].mean()) < 0.05
    assert set(drawn[:, 2]) == {0.0, 1.0}


def test_with_noise_they_are_about_right_and_stay_within_the_range() -> None:
    series = recording()
    told = private_marginals(series.values, RANGES, cut(series), UNIT, 2.0, np.random.default_rng(1))
    scores = to_scores(told, series.values)
    assert np.abs(scores[:, :2].mean(0)).max() < 0.3
    assert np.abs(scores[:, :2].std(0) - 1.0).max() < 0.3
    drawn = to_values(told, 3.0 * np.random.default_rng(2).standard_normal((4000, 3)))
    assert (drawn >= [one[0] for one in RANGES]).all()
    assert (drawn <= [one[1] for one in RANGES]).all()


def test_where_there_is_nothing_but_noise_a_distribution_is_still_one() -> None:
    series = recording()
    for one in private_marginals(series.values, RANGES, cut(series), UNIT, 1e4, np.random.default_rng(1)):
        assert (np.diff(one.scores) >= 0).all()
        assert (np.diff(one.values) >= 0).all()
        assert np.isfinite(one.scores).all()
        assert one.spread > 0


@pytest.mark.parametrize(
    ("given", "decimals"),
    [((0.0, 40.0), 2), ((0.0, 40.0, 0.25), 2), ((0.0, 2e5), 0), ((0.0, 1e5, 5.0), 0), ((0.0, 1e-7), -1)],
)
def test_values_have_the_decimals_of_their_step_or_their_range(given: Range, decimals: int) -> None:
    series = recording()
    values = np.full((len(series), 1), given[0])
    told = private_marginals(values, [given], cut(series), UNIT, 0.1, np.random.default_rng(1))
    assert told[0].decimals == decimals


def test_a_range_is_needed_of_each_channel_and_of_no_other() -> None:
    with pytest.raises(ConfigError, match="ranges: level, valve without one"):
        check_ranges({"flow": (0.0, 1.0)}, ("flow", "level", "valve"))
    with pytest.raises(ConfigError, match="there is no channel heat; there are flow"):
        check_ranges({"flow": (0.0, 1.0), "heat": (0.0, 1.0)}, ("flow",))


def correlation(windows: Floats, lag: int) -> Floats:
    """(C, C) of a channel with another so many rows later."""
    early, late = windows[:, :, : WINDOW - lag], windows[:, :, lag:]
    found: Floats = np.einsum("nil,njl->ij", early, late) / (len(windows) * (WINDOW - lag))
    return found


@pytest.mark.parametrize(("noise", "off"), [(0.0, 0.06), (0.5, 0.15)])
def test_stand_ins_go_together_and_after_each_other_as_the_real_rows_do(noise: float, off: float) -> None:
    series = recording()
    blocks = cut(series)
    told = private_marginals(series.values, RANGES, blocks, UNIT, 0.01, np.random.default_rng(1))
    scores = to_scores(told, series.values)
    rng = np.random.default_rng(4)
    stand_ins = StandIns(private_correlations(scores, blocks, WINDOW, noise, rng), UNIT, noise, rng)
    made = stand_ins.draw(rng, 4000).astype(np.float64)
    real = np.lib.stride_tricks.sliding_window_view(scores, WINDOW, axis=0).astype(np.float64)
    assert made.shape == (4000, 3, WINDOW)
    np.testing.assert_allclose(made.var((0, 2)), 1.0, atol=0.1)
    power = np.sqrt(np.diagonal(correlation(real, 0)))
    for lag in (0, 1, 4, 8, 15):
        assert np.abs(correlation(made, lag) - correlation(real, lag) / np.outer(power, power)).max() < off


def test_stand_ins_of_nothing_but_noise_are_white() -> None:
    rng = np.random.default_rng(4)
    stand_ins = StandIns(noised(np.zeros((WINDOW, 2, 2)), 5.0, 1.0, rng), UNIT, 5.0, rng)
    made = stand_ins.draw(rng, 4000).astype(np.float64)
    assert all(np.abs(correlation(made, lag)).max() < 0.25 for lag in (1, 4, 8))
