"""The synthesizer: what it makes, completes and refuses."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anomgan.config import SynthesizerConfig
from anomgan.errors import DataError, ModelFileError
from anomgan.records import TimeSeries
from anomgan.sealed_file import seal, sealed_header
from anomgan.synthesis.fit import filled
from anomgan.synthesis.marginals import fit_marginal
from anomgan.synthesis.model_file import pack, unpack
from anomgan.synthesis.synthesizer import Synthesizer
from anomgan.synthesis.transfer import settled

PERIOD_S = 60.0
START_S = 1_700_000_040.0
ROWS = 1200


def plant(rows: int = ROWS, seed: int = 0, device: str = "a") -> TimeSeries:
    """Two coupled waves whose speed is the mode's, and a noisy one; 60 s apart."""
    rng = np.random.default_rng(seed)
    mode = (np.arange(rows) // 100 % 2).astype(float)
    phase = np.cumsum(np.where(mode > 0, 0.8, 0.3))
    values = np.stack([np.sin(phase), 5.0 + 2.0 * np.cos(phase), rng.normal(0, 1, rows).round(1), mode], axis=1)
    times = START_S + PERIOD_S * np.arange(rows)
    return TimeSeries(times, values, ("flow", "pressure", "noise", "mode"), None, ("m3/h", "bar", "", ""), device)


@pytest.fixture(scope="module")
def maker() -> Synthesizer:
    config = SynthesizerConfig(window=16, width=12, latent=8, steps=600, batch=32, conditions=("mode",), device="cpu")
    return Synthesizer.fit(plant(), config)


# ---------------------------------------------------------------- generate


def test_generated_rows_have_the_model_s_channels_units_period_and_dates(maker: Synthesizer) -> None:
    (one,) = maker.generate(101, START_S, given={"mode": 1.0})
    assert one.channels == ("flow", "pressure", "noise")
    assert one.units == ("m3/h", "bar", "")
    np.testing.assert_allclose(one.times, START_S + PERIOD_S * np.arange(101))
    assert np.isfinite(one.values).all()
    np.testing.assert_array_equal(one.values[:, 2], one.values[:, 2].round(1))


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 16, 17, 24, 25])
def test_any_number_of_rows_can_be_made_and_more_rows_begin_alike(maker: Synthesizer, rows: int) -> None:
    (short,) = maker.generate(rows, given={"mode": 0.0}, seed=4)
    (long,) = maker.generate(40, given={"mode": 0.0}, seed=4)
    assert len(short) == rows
    np.testing.assert_array_equal(short.values, long.values[:rows])


@pytest.mark.parametrize("rows", [1, 20, 39])
def test_rows_whose_conditions_change_begin_alike_however_many_are_asked_for(rows: int) -> None:
    config = SynthesizerConfig(window=16, width=12, latent=8, steps=2, conditions=("mode", "hour"), device="cpu")
    maker = Synthesizer.fit(plant(), config)
    modes = (np.arange(40) // 3 % 2).astype(float)
    modes[rows:] = modes[rows - 1]
    (short,) = maker.generate(rows, START_S, given={"mode": modes[:rows]})
    (long,) = maker.generate(40, START_S, given={"mode": modes})
    np.testing.assert_array_equal(short.values, long.values[:rows])
    (later,) = maker.generate(40, START_S + 43_200.0, given={"mode": modes})
    assert not np.array_equal(later.values, long.values)


def test_the_same_seed_makes_the_same_rows_and_devices_differ(maker: Synthesizer) -> None:
    torch.manual_seed(99)
    first = maker.generate(50, given={"mode": 0.0}, devices=("x", "y"), seed=1)
    again = maker.generate(50, given={"mode": 0.0}, devices=("x", "y"), seed=1)
    other = maker.generate(50, given={"mode": 0.0}, devices=("x", "y"), seed=2)
    assert [one.device for one in first] == ["x", "y"]
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        assert not np.array_equal(a.values, c.values)
    assert not np.array_equal(first[0].values, first[1].values)


def test_what_is_made_follows_its_condition() -> None:
    config = SynthesizerConfig(window=32, width=12, latent=8, steps=600, batch=32, conditions=("mode",), device="cpu")
    maker = Synthesizer.fit(plant(), config)

    def speed(mode: float) -> float:
        several = maker.generate(200, given={"mode": mode}, devices=[str(i) for i in range(8)])
        return float(np.mean([np.abs(np.diff(one.values[:, 0])).mean() for one in several]))

    assert speed(1.0) > 1.5 * speed(0.0)


def test_made_values_stay_within_what_the_channel_had(maker: Synthesizer) -> None:
    (one,) = maker.generate(3000, given={"mode": 1.0})
    known = plant().values[:, :3]
    assert (one.values >= known.min(0)).all()
    assert (one.values <= known.max(0)).all()


@pytest.mark.parametrize("rows", [0, -5])
def test_no_rows_cannot_be_made(maker: Synthesizer, rows: int) -> None:
    with pytest.raises(DataError, match="at least 1"):
        maker.generate(rows, given={"mode": 0.0})


# ---------------------------------------------------------------- augment


def uneven() -> TimeSeries:
    """Of 1,200 rows 80 are of mode 1."""
    one = plant(ROWS, 5)
    rows = np.r_[0:100, 200:300, 400:500, 600:700, 800:900, 1000:1100, 100:180]
    return replace(one, times=one.times[: len(rows)], values=one.values[rows])


def test_variations_come_in_pieces_that_no_window_spans(maker: Synthesizer) -> None:
    made = maker.augment(uneven(), 100)
    assert len(made) == 128
    assert made.channels == ("flow", "pressure", "noise", "mode")
    steps = np.diff(made.times)
    gaps = np.flatnonzero(steps > (maker.config.max_gap_s or 0.0))
    np.testing.assert_array_equal(gaps, [31, 63, 95])
    np.testing.assert_allclose(np.delete(steps, gaps), PERIOD_S)
    again = maker.augment(uneven(), 100)
    np.testing.assert_array_equal(made.values, again.values)
    assert len(Synthesizer.fit(made, maker.config.model_copy(update={"steps": 2})).channels) == 3


def test_variations_are_none_of_the_windows_they_vary(maker: Synthesizer) -> None:
    series = uneven()
    made = maker.augment(series, 200).values.reshape(-1, 32, 4)[:, :16, :2]
    real = np.lib.stride_tricks.sliding_window_view(series.values[:, :2], 16, axis=0).transpose(0, 2, 1)
    nearest = np.array([np.abs(real - one).mean((1, 2)).min() for one in made])
    assert (nearest > 0.0).all()


def test_rare_modes_are_varied_above_all(maker: Synthesizer) -> None:
    def share(power: float) -> float:
        return float(np.mean(maker.augment(uneven(), 6000, power=power).values[:, 3]))

    assert share(0.0) < 0.2
    assert share(6.0) > 1.5 * share(0.0)


def test_nothing_to_vary_is_refused(maker: Synthesizer) -> None:
    with pytest.raises(DataError, match="no 16 consecutive rows"):
        maker.augment(plant(10), 50)
    with pytest.raises(DataError, match="at least 1"):
        maker.augment(uneven(), 0)


# ---------------------------------------------------------------- impute


def holed(seed: int = 7, rows: int = 200) -> tuple[TimeSeries, TimeSeries]:
    whole = plant(rows, seed)
    values = whole.values.copy()
    rng = np.random.default_rng(seed)
    values[:, :3][rng.random((rows, 3)) < 0.2] = np.nan
    values[50:60, 0] = np.nan
    return whole, replace(whole, values=values)


def test_known_values_stay_and_everything_else_is_filled_within_its_band(maker: Synthesizer) -> None:
    _, series = holed()
    found = maker.impute(series)
    known = ~np.isnan(series.values[:, :3])
    np.testing.assert_array_equal(found.series.values[known], series.values[:, :3][known])
    np.testing.assert_array_equal(found.hidden, ~known)
    assert np.isfinite(found.series.values).all()
    assert (found.low <= found.series.values).all()
    assert (found.series.values <= found.high).all()
    np.testing.assert_array_equal(found.low[known], found.high[known])
    assert (found.high - found.low)[~known].mean() > 0.01


def test_the_series_given_is_left_as_it_was(maker: Synthesizer) -> None:
    _, series = holed()
    kept = series.values.copy()
    maker.impute(series)
    np.testing.assert_array_equal(series.values, kept)


def test_a_dead_channel_is_told_from_the_others_better_than_by_its_mean(maker: Synthesizer) -> None:
    whole = plant(400, 3)
    values = whole.values.copy()
    values[:, 1] = np.nan
    found = maker.impute(replace(whole, values=values))
    lacking = replace(whole, values=whole.values[:, [0, 2, 3]], channels=("flow", "noise", "mode"), units=())
    np.testing.assert_allclose(maker.impute(lacking).series.values, found.series.values)
    off = np.abs(found.series.values[:, 1] - whole.values[:, 1]).mean()
    assert off < 0.7 * np.abs(whole.values[:, 1] - plant().values[:, 1].mean()).mean()


def test_missing_rows_are_put_in_where_a_gap_is_short_and_a_long_one_stays(maker: Synthesizer) -> None:
    whole = plant(120)
    rows = np.r_[0:40, 45:80, 110:120]
    labels = np.zeros(len(rows), bool)
    labels[3] = True
    cut = TimeSeries(whole.times[rows], whole.values[rows], whole.channels, labels, (), "a")
    found = maker.impute(cut, given=None)
    assert len(found.series) == len(rows) + 5
    np.testing.assert_allclose(found.series.times[:80], whole.times[:80])
    np.testing.assert_allclose(found.series.times[80:], whole.times[110:])
    assert found.hidden[40:45].all()
    assert found.series.labels is not None
    assert found.series.labels.sum() == 1


def test_what_lies_behind_a_long_gap_changes_nothing(maker: Synthesizer) -> None:
    whole = plant(120)
    whole.values[35:40, 0] = np.nan
    rows = np.r_[0:40, 80:120]
    cut = TimeSeries(whole.times[rows], whole.values[rows], whole.channels, None, (), "a")
    other = cut.values.copy()
    other[40:, :3] += 5.0
    found, again = (maker.impute(replace(cut, values=values)).series.values for values in (cut.values, other))
    np.testing.assert_array_equal(found[:40], again[:40])


def test_readings_at_another_rate_are_refused_where_faster_and_refined_where_slower(maker: Synthesizer) -> None:
    fast = replace(plant(50), times=START_S + 30.0 * np.arange(50))
    with pytest.raises(DataError, match="every 30 s; this model was trained on readings every 60 s"):
        maker.impute(fast)
    assert len(maker.impute(plant(99)[::2]).series) == 99


def test_memory_does_not_grow_with_the_draws_of_rows_that_are_known(maker: Synthesizer) -> None:
    series, draws = plant(20_000), 512
    series.values[9_000, 0] = np.nan
    tracemalloc.start()
    found = maker.impute(series, draws=draws)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.hidden.sum() == 1
    assert peak < draws * len(series) * 3 * 4 / 4  # a quarter of what all draws would take as float32


def test_a_value_beyond_all_that_was_seen_stays_as_it_is(maker: Synthesizer) -> None:
    series = plant(60)
    series.values[10, 0], series.values[11, 0] = 99.125, np.nan
    found = maker.impute(series)
    assert found.series.values[10, 0] == found.one[10, 0] == found.low[10, 0] == 99.125


def test_a_series_shorter_than_a_window_is_filled_too(maker: Synthesizer) -> None:
    short = plant(5)
    short.values[2, 0] = np.nan
    assert np.isfinite(maker.impute(short).series.values).all()


def test_a_mask_that_leaves_nothing_is_refused(maker: Synthesizer) -> None:
    series = plant(50)
    series.values[:, :3] = np.nan
    with pytest.raises(DataError, match="not a single value"):
        maker.impute(series)


def test_foreign_channels_are_refused_by_name(maker: Synthesizer) -> None:
    series = replace(plant(50), channels=("a", "b", "c", "d"))
    with pytest.raises(DataError, match="flow, pressure, noise is among a, b, c, d"):
        maker.impute(series)
    with pytest.raises(DataError, match="2 channels for a model of 3"):
        maker.impute(np.zeros((20, 2)), given={"mode": 0.0})


def test_a_series_without_the_condition_s_column_needs_it_given(maker: Synthesizer) -> None:
    series = plant(60)
    bare = replace(series, values=series.values[:, :3], channels=series.channels[:3], units=())
    bare.values[5, 0] = np.nan
    with pytest.raises(DataError, match="condition 'mode' is needed"):
        maker.impute(bare)
    assert np.isfinite(maker.impute(bare, given={"mode": 0.0}).series.values).all()


# ---------------------------------------------------------------- upsample


@pytest.mark.parametrize("factor", [2, 4])
def test_refined_readings_stay_and_lie_between_at_the_model_s_period(maker: Synthesizer, factor: int) -> None:
    whole = plant(161)
    slow = whole[::factor]
    found = maker.upsample(slow, factor)
    np.testing.assert_allclose(found.series.times, whole.times)
    np.testing.assert_array_equal(found.series.values[::factor], slow.values[:, :3])
    assert found.series.period_s == pytest.approx(PERIOD_S)


def test_a_rate_that_is_not_the_model_s_is_refused(maker: Synthesizer) -> None:
    with pytest.raises(DataError, match="come every 30 s; this model was trained on readings every 60 s"):
        maker.upsample(plant(50), 2)
    with pytest.raises(DataError, match="at least 2"):
        maker.upsample(plant(50), 1)
    with pytest.raises(DataError, match="a single row has no rate"):
        maker.upsample(plant(1), 2)


# ---------------------------------------------------------------- transfer


def machine(device: str, level: float, amplitude: float, seed: int) -> TimeSeries:
    """A wave of its own level and amplitude, with noise."""
    rng = np.random.default_rng(seed)
    phase = 0.4 * np.arange(ROWS) + rng.uniform(0, 6)
    values = level + amplitude * np.stack([np.sin(phase), np.cos(phase)], axis=1) + 0.1 * rng.normal(size=(ROWS, 2))
    return TimeSeries(START_S + PERIOD_S * np.arange(ROWS), values, ("flow", "pressure"), None, (), device)


NORTH, SOUTH = machine("north", 10.0, 1.0, 1), machine("south", 14.0, 2.0, 2)


@pytest.fixture(scope="module")
def mover() -> Synthesizer:
    config = SynthesizerConfig(window=16, width=12, latent=8, steps=500, batch=32, conditions=("device",), device="cpu")
    return Synthesizer.fit([NORTH, SOUTH], config)


def test_a_recording_becomes_the_other_device_s_and_comes_back(mover: Synthesizer) -> None:
    fresh = machine("north", 10.0, 1.0, 7)
    moved = mover.transfer(fresh, "south")
    assert moved.device == "south"
    assert abs(moved.values.mean() - 14.0) < 1.0
    assert abs(moved.values.std() - SOUTH.values.std()) < 0.5
    assert np.corrcoef(moved.values[:, 0], fresh.values[:, 0])[0, 1] > 0.8
    back = mover.transfer(moved, "north")
    assert np.abs(back.values - fresh.values).mean() < 0.5 * np.abs(moved.values - fresh.values).mean()


def test_a_fault_that_the_generator_does_not_know_is_kept(mover: Synthesizer) -> None:
    fresh = machine("north", 10.0, 1.0, 7)
    sick = fresh.values.copy()
    sick[600:604, 0] += 3.0
    calm, odd = (mover.transfer(replace(fresh, values=values), "south").values for values in (fresh.values, sick))
    assert (
        np.abs(odd[600:604, 0] - calm[600:604, 0]).mean()
        > 4.0 * np.abs(np.delete(odd - calm, slice(580, 624), 0)).mean()
    )


@pytest.mark.parametrize("fault", [30.0, -30.0])
def test_a_fault_beyond_all_that_was_learned_from_is_as_large_for_the_other_device(
    mover: Synthesizer, fault: float
) -> None:
    fresh = machine("north", 10.0, 1.0, 7)
    sick = fresh.values.copy()
    sick[600:604, 0] += fault
    calm, odd = (mover.transfer(replace(fresh, values=values), "south").values for values in (fresh.values, sick))
    far = (odd - calm)[600:604, 0] / fault
    assert (far > 1.3).all()  # south's waves are twice as high
    assert (far < 3.0).all()


def test_a_channel_of_few_values_keeps_to_them_unless_it_did_not() -> None:
    marginals = fit_marginal(np.array([0.0, 1.0, 0.0]).repeat(50)), fit_marginal(np.linspace(0.0, 10.0, 801).round(2))
    values = np.array([[0.0, 3.0], [1.0, 4.0], [7.0, 5.0], [np.nan, np.nan]])
    told = np.array([[0.8, 3.1234], [-3.0, 40.0], [6.6, 5.0], [np.nan, np.nan]])
    expected = np.array([[1.0, 3.12], [0.0, 40.0], [7.0, 5.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(settled(marginals, values, told), expected)


def test_missing_values_stay_missing_and_others_are_moved(mover: Synthesizer) -> None:
    fresh = machine("north", 10.0, 1.0, 7)
    fresh.values[100:110, 1] = np.nan
    moved = mover.transfer(fresh, "south")
    np.testing.assert_array_equal(np.isnan(moved.values), np.isnan(fresh.values))
    np.testing.assert_array_equal(moved.times, fresh.times)


def test_devices_that_are_not_known_are_named_and_so_is_a_model_without_devices(
    mover: Synthesizer, maker: Synthesizer
) -> None:
    with pytest.raises(DataError, match="not trained on device 'west', but on north, south"):
        mover.transfer(NORTH, "west")
    with pytest.raises(DataError, match="not trained on device 'east'"):
        mover.transfer(NORTH, "south", origin="east")
    with pytest.raises(DataError, match="not trained to get from device to device"):
        maker.transfer(plant(), "b")


# ---------------------------------------------------------------- its file


def test_a_saved_model_makes_the_same_rows(maker: Synthesizer, tmp_path: Path) -> None:
    maker.save(tmp_path / "gan.safetensors")
    again = Synthesizer.load(tmp_path / "gan.safetensors")
    first, second = (one.generate(60, given={"mode": 0.0})[0] for one in (maker, again))
    np.testing.assert_array_equal(first.values, second.values)
    assert again.config == maker.config
    assert again.summary["steps"] == maker.summary["steps"]


def test_a_model_of_a_single_channel_is_saved_and_read_back() -> None:
    wave = np.sin(np.arange(200) / 5)
    one = Synthesizer.fit(wave, SynthesizerConfig(window=16, width=4, latent=2, steps=2, batch=8, device="cpu"))
    first, second = (some.generate(30)[0].values for some in (one, Synthesizer(unpack(pack(one.parts), "x"))))
    np.testing.assert_array_equal(first, second)


def test_a_detector_s_file_is_no_synthesizer_s(maker: Synthesizer) -> None:
    from anomgan.model_file import unpack as detector_of

    with pytest.raises(ModelFileError, match=r"x: a synthesizer's file, where a detector's is wanted"):
        detector_of(pack(maker.parts), "x")
    header = sealed_header(pack(maker.parts), "x")
    with pytest.raises(ModelFileError, match=r"x: a detector's file, where a synthesizer's is wanted"):
        unpack(seal({**header, "kind": "detector"}, {"a": torch.zeros(1)}), "x")


def test_a_newer_or_damaged_file_is_refused(maker: Synthesizer) -> None:
    packed = pack(maker.parts)
    header = sealed_header(packed, "x")
    with pytest.raises(ModelFileError, match="newer anomgan"):
        unpack(seal({**header, "format": 99}, {"a": torch.zeros(1)}), "x")
    with pytest.raises(ModelFileError, match="truncated"):
        unpack(packed[:-100], "x")
    with pytest.raises(ModelFileError, match="do not fit together"):
        unpack(seal(header, {"a": torch.zeros(1)}), "x")


# ---------------------------------------------------------------- what is missing where it is learned from


def test_lines_between_neighbours_end_at_gaps_however_many_there_are() -> None:
    nan = np.nan
    scores = np.array([[1, nan], [nan, nan], [3, nan], [nan, 5], [7, nan], [nan, 9], [nan, nan]], np.float32)
    starts = np.array([0, 0, 0, 3, 3, 3, 6])
    expected = [[1, 0], [2, 0], [3, 0], [7, 5], [7, 7], [7, 9], [0, 0]]
    np.testing.assert_array_equal(filled(scores, starts), np.array(expected, np.float32))
    rows = 200_000  # a pass over all rows for each segment would take hours
    alone = np.arange(rows, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(filled(alone, np.arange(rows)), alone)


# ---------------------------------------------------------------- what cannot be learned from


def test_too_little_data_and_unlike_series_are_refused() -> None:
    with pytest.raises(DataError, match="at least 8 of each are needed"):
        Synthesizer.fit(plant(30), SynthesizerConfig(window=16))
    with pytest.raises(DataError, match="disagree on their channels"):
        Synthesizer.fit([plant(), replace(plant(), channels=("a", "b", "c", "d"))])


def test_conditions_that_leave_no_channel_or_come_twice_are_refused() -> None:
    one = plant()
    alone = replace(one, values=one.values[:, 3:], channels=("mode",), units=())
    with pytest.raises(DataError, match=r"every channel is a condition \(mode\)"):
        Synthesizer.fit(alone, SynthesizerConfig(conditions=("mode",)))
    with pytest.raises(ValueError, match="'mode' is named twice"):
        SynthesizerConfig(conditions=("mode", "hour", "mode"))
