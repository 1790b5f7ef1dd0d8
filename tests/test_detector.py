"""The detector: what a score is, when there is none, and that no input makes it lie or break."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from examples import CHANNELS, normal_series, normal_values, readings_of, spoiled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from anomgan.config import DecideConfig, DetectorConfig
from anomgan.detector import Detector
from anomgan.errors import ConfigError, DataError
from anomgan.examination import Examination
from anomgan.records import Floats, Reading, TimeSeries, series_from_array
from anomgan.score import WITNESSES, look
from anomgan.stream import StreamDetector

WINDOW, STRIDE = 16, 2
ANY = float("nan"), float("inf"), -float("inf"), 1e308, -1e39, 1e37, 0.0, -3.0


def finite_from(scores: Floats, row: int) -> None:
    assert np.isnan(scores[:row]).all()
    assert np.isfinite(scores[row:]).all()


# ---------------------------------------------------------------- what a score is


def test_there_is_one_score_per_row_unknown_in_warm_up_and_held_between_windows(
    detector: Detector, series: TimeSeries
) -> None:
    scores = detector.score(series)
    assert scores.shape == (len(series),)
    finite_from(scores, WINDOW - 1)
    assert (scores[WINDOW - 1 :] >= 0).all()
    late = scores[WINDOW - 1 :]
    np.testing.assert_array_equal(late[: len(late) // 2 * 2 : 2], late[1::2])  # stride 2


def test_normal_rows_rarely_surprise_and_stay_under_the_threshold(detector: Detector) -> None:
    scores = np.concatenate([detector.score(normal_series(400, seed))[WINDOW:] for seed in (1, 2, 3)])
    assert np.mean(scores > 1) < 0.3
    assert scores.max() < detector.threshold


@pytest.mark.parametrize("channel", range(3))
def test_a_fault_stands_out_in_its_channel_and_what_was_expected_is_near_normal(
    detector: Detector, channel: int
) -> None:
    series = normal_series(200, seed=1)
    values = series.values.copy()
    values[120:150, channel] += 3.0 * (channel + 1)
    scores = detector.score(values)
    assert scores[124:150].min() > detector.threshold
    assert scores[WINDOW:120].max() < detector.threshold
    ends, seen = detector.examine(values)
    at = np.searchsorted(ends, 126)
    assert np.argmax(seen.contribution[at]) == channel
    assert abs(seen.odd[at, channel] - values[120:150, channel]).min() < 1e-3
    assert abs(seen.odd_expected[at, channel] - series.values[:, channel].mean()) < 2.5 * (channel + 1)


def test_a_larger_fault_surprises_at_least_as_much(detector: Detector, series: TimeSeries) -> None:
    peaks = []
    for size in (0.0, 1.0, 3.0, 10.0, 100.0, 1e4):
        values = series.values.copy()
        values[120:130, 0] += size
        peaks.append(np.nanmax(detector.score(values)[120:130]))
    assert peaks == sorted(peaks)


def test_the_future_changes_nothing_before_it(detector: Detector, series: TimeSeries) -> None:
    scores = detector.score(series)
    for cut in (20, 57, 130):
        values = series.values.copy()
        values[cut:] = 1e6
        np.testing.assert_allclose(detector.score(values)[:cut], scores[:cut], rtol=1e-5)
        np.testing.assert_allclose(detector.score(series[:cut]), scores[:cut], rtol=1e-5)


def test_scoring_is_the_same_call_for_windows_and_for_series(detector: Detector, series: TimeSeries) -> None:
    ends = np.arange(WINDOW - 1, len(series), STRIDE)
    windows = np.stack([series.values[end - WINDOW + 1 : end + 1].T for end in ends])
    np.testing.assert_allclose(detector.score_windows(windows), detector.score(series)[ends], rtol=1e-5)


def test_a_window_scores_the_same_alone_and_in_any_batch(detector: Detector, series: TimeSeries) -> None:
    windows = np.stack([series.values[i : i + WINDOW].T for i in range(100)])
    windows[3, 1, 5:9] = np.nan
    together = detector.score_windows(windows)
    alone = np.concatenate([detector.score_windows(window[None]) for window in windows])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_allclose(detector.score_windows(windows[order]), together[order], rtol=1e-5, atol=1e-5)


def test_neither_input_nor_global_dice_are_touched(detector: Detector, series: TimeSeries) -> None:
    values, state = series.values.copy(), torch.get_rng_state()
    values[50:60] = np.nan
    kept = values.copy()
    detector.score(values)
    detector.score_windows(values[:WINDOW].T[None])
    np.testing.assert_array_equal(values, kept)
    assert torch.equal(torch.get_rng_state(), state)


def test_read_only_arrays_are_taken(detector: Detector, series: TimeSeries) -> None:
    values = series.values.copy()
    values.flags.writeable = False
    detector.score(values)
    detector.score_windows(np.broadcast_to(values[:WINDOW].T, (2, 3, WINDOW)))


def test_windows_calmer_than_any_that_calibrated_still_rank(detector: Detector, series: TimeSeries) -> None:
    """No two windows have one score because both are very normal."""
    parts = detector.parts
    window = detector.scale(series.values[:WINDOW]).T[None].astype(np.float32)
    centre = parts.normal["pattern"].mean.reshape(3, -1)[:, -2:].mean(1).numpy()[None, :, None]
    calmer = centre + np.linspace(0.0, 0.4, 9, dtype=np.float32)[:, None, None] * (window - centre)
    seen = look(parts.networks, parts.normal, torch.from_numpy(calmer.astype(np.float32)))
    statistic, scores = seen.pattern.double().numpy(), detector.listening_to("pattern").examine_windows(calmer).surprise
    assert statistic.max() < parts.tails["pattern"].body[0]
    assert (np.diff(statistic[1:]) > 0).all()
    assert (np.diff(scores[1:]) > 0).all()
    assert (scores > 0).all()


def test_contributions_are_shares_and_every_witness_has_its_surprise(detector: Detector, series: TimeSeries) -> None:
    _, seen = detector.examine(series)
    np.testing.assert_allclose(seen.contribution.sum(axis=1), 1.0, rtol=1e-5)
    for witness in (seen.discriminator, seen.reconstruction, seen.pattern):
        assert np.isfinite(witness).all()
        assert (witness >= 0).all()


# ---------------------------------------------------------------- one witness at a time


def broken_windows(detector: Detector, count: int = 300) -> NDArray[np.float32]:
    """Scaled windows (count, 3, L) from normal to far from it."""
    scaled = detector.scale(normal_values(count + WINDOW, seed=1))
    windows = np.stack([scaled[at : at + WINDOW].T for at in range(count)])
    windows[:, 0, 8:] += np.geomspace(1e-3, 3.0, count, dtype=np.float32)[:, None]
    return windows


@pytest.mark.parametrize("name", WITNESSES)
def test_a_detector_listening_to_one_witness_ranks_windows_as_that_witness_does(detector: Detector, name: str) -> None:
    windows = broken_windows(detector)
    statistic = getattr(look(detector.parts.networks, detector.parts.normal, torch.from_numpy(windows)), name).numpy()
    order = np.argsort(statistic)
    scores = detector.listening_to(name).examine_windows(windows).surprise[order]
    assert (np.diff(scores) >= -1e-9).all()
    apart = np.diff(statistic[order]) > 1e-3 * statistic[order][1:]
    assert apart.sum() > 50
    assert (np.diff(scores)[apart] > 0).all()


def test_who_is_not_listened_to_has_no_say(detector: Detector) -> None:
    windows = broken_windows(detector, 50)
    for name in WITNESSES:
        others = [other for other in WITNESSES if other != name]
        without = detector.listening_to(*others)
        assert without.parts.weights == {**detector.parts.weights, name: 0.0}
        assert not np.array_equal(without.score_windows(windows), detector.score_windows(windows))
    everyone = detector.listening_to(*WITNESSES).examine_windows(windows)
    np.testing.assert_array_equal(everyone.surprise, detector.examine_windows(windows).surprise)


def test_a_witness_without_weight_still_speaks_when_it_is_asked_alone(detector: Detector) -> None:
    silent = Detector(replace(detector.parts, weights={**detector.parts.weights, "level": 0.0}))
    windows = broken_windows(detector, 50)
    scores = silent.listening_to("level").examine_windows(windows).surprise
    assert np.ptp(scores) > 1
    assert silent.listening_to("level", "pattern").parts.weights["level"] == 0.0


def test_listening_to_leaves_the_detector_as_it_was(detector: Detector, series: TimeSeries) -> None:
    before, weights = detector.score(series), dict(detector.parts.weights)
    part = detector.listening_to("level")
    assert isinstance(part, Detector)
    assert (part.threshold, part.config, part.channels) == (detector.threshold, detector.config, detector.channels)
    np.testing.assert_array_equal(detector.score(series), before)
    assert detector.parts.weights == weights


@pytest.mark.parametrize("names", [(), ("fused",), ("neighbour",), ("level", "nobody"), ("",)])
def test_a_witness_that_is_none_is_refused_by_name_with_those_there_are(
    detector: Detector, names: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match="discriminator, reconstruction, pattern, level"):
        detector.listening_to(*names)


# ---------------------------------------------------------------- states among the channels

STATEFUL = ("flow", "open", "pressure", "mode", "current")
STATES, MEASURED = [1, 3], [0, 2, 4]


def stateful_series(rows: int, seed: int) -> TimeSeries:
    """`normal_series` with a flag and a mode between its channels."""
    plain, rng = normal_values(rows, seed), np.random.default_rng(seed)
    flag, mode = rng.integers(0, 2, rows), np.arange(rows) // 20 % 3
    values = np.column_stack([plain[:, 0], flag, plain[:, 1], mode, plain[:, 2]])
    return series_from_array(values, channels=STATEFUL)


@pytest.fixture(scope="module")
def stateful(config: DetectorConfig) -> Detector:
    return Detector.fit(stateful_series(600, 0), config)


def test_a_state_is_found_and_told(stateful: Detector) -> None:
    assert stateful.summary["state_channels"] == ["open", "mode"]
    assert stateful.parts.measured.tolist() == [True, False, True, False, True]
    assert stateful.channels == STATEFUL


@pytest.mark.parametrize("value", [0.0, 1.0, 7.0, -1e6, np.nan, np.inf])
def test_what_a_state_says_changes_no_score(stateful: Detector, value: float) -> None:
    series = stateful_series(200, 1)
    values = series.values.copy()
    values[50:, STATES] = value
    np.testing.assert_array_equal(stateful.score(values), stateful.score(series))
    windows = np.stack([series.values[at : at + WINDOW].T for at in range(30)])
    other = windows.copy()
    other[:, STATES] = value
    np.testing.assert_array_equal(stateful.score_windows(other), stateful.score_windows(windows))


def test_a_state_that_is_not_there_at_all_changes_no_score(stateful: Detector) -> None:
    series = stateful_series(200, 1)
    without = TimeSeries(series.times, series.values[:, MEASURED], CHANNELS)
    np.testing.assert_array_equal(stateful.score(without), stateful.score(series))


def test_a_device_with_states_is_scored_as_the_same_device_without(detector: Detector, stateful: Detector) -> None:
    """The networks never see a state, so nothing of what is learned depends on there being one."""
    series = stateful_series(200, 1)
    np.testing.assert_array_equal(stateful.score(series), detector.score(series.values[:, MEASURED]))


def test_nothing_is_expected_of_a_state_and_it_has_no_share(stateful: Detector) -> None:
    series = stateful_series(200, 1)
    values = series.values.copy()
    values[100:120, 2] += 8.0
    _, seen = stateful.examine(values)
    for part in (seen.expected, seen.odd, seen.odd_expected):
        assert np.isnan(part[:, STATES]).all()
        assert np.isfinite(part[:, MEASURED]).all()
    assert (seen.contribution[:, STATES] == 0).all()
    np.testing.assert_allclose(seen.contribution.sum(axis=1), 1.0, rtol=1e-5)
    assert STATEFUL[int(seen.contribution[np.nanargmax(seen.surprise)].argmax())] == "pressure"


def test_more_missing_states_than_channels_leave_a_window_known(stateful: Detector) -> None:
    values = stateful_series(60, 1).values
    values[:, STATES] = np.nan
    values[:, 0] = np.nan
    assert np.isfinite(stateful.score(values)[WINDOW - 1 :]).all()
    values[:, 2] = np.nan
    assert np.isnan(stateful.score(values)).all()


def test_a_saved_detector_keeps_its_states(stateful: Detector, tmp_path: Path) -> None:
    series = stateful_series(200, 1)
    stateful.save(tmp_path / "device.safetensors")
    loaded = Detector.load(tmp_path / "device.safetensors")
    assert loaded.parts.measured.tolist() == stateful.parts.measured.tolist()
    (_, a), (_, b) = loaded.examine(series), stateful.examine(series)
    for name in Examination.__slots__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_with_states_a_stream_says_what_offline_scoring_says_and_a_window_scores_alone_as_in_a_batch(
    stateful: Detector,
) -> None:
    series = spoiled(stateful_series(200, 1), np.random.default_rng(0), gaps=(90,))
    online, offline = StreamDetector(stateful).push(readings_of(series, device="")), stateful.verdicts(series)
    assert [v.time_s for v in online] == [v.time_s for v in offline]
    np.testing.assert_allclose([v.surprise for v in online], [v.surprise for v in offline], rtol=1e-5, atol=1e-5)
    for a, b in zip(online, offline, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_allclose(a.expected, b.expected, rtol=1e-4, atol=1e-4)
    windows = np.stack([series.values[at : at + WINDOW].T for at in range(60)])
    alone = np.concatenate([stateful.score_windows(window[None]) for window in windows])
    np.testing.assert_allclose(stateful.score_windows(windows), alone, rtol=1e-5, atol=1e-5)


def test_an_event_of_a_device_with_states_names_a_measured_channel(stateful: Detector) -> None:
    series = stateful_series(300, 1)
    values = series.values.copy()
    values[150:180, 4] += 30.0
    values[150:180, STATES] = 9.0
    events = stateful.events(replace(series, values=values))
    assert len(events) == 1
    assert events[0].channels[0] == "current"
    assert not {"open", "mode"} & set(events[0].channels)
    assert np.isfinite(events[0].expected).all()


def test_readings_that_are_nothing_but_states_are_readings(stateful: Detector) -> None:
    stream = StreamDetector(stateful)
    verdicts = stream.push([Reading("d", float(i), {"open": 1.0}) for i in range(20)])
    assert np.isnan([v.surprise for v in verdicts]).all()
    assert stream.counters["windows_unknown"] == 3


# ---------------------------------------------------------------- gaps and missing values


def test_after_a_gap_there_is_no_score_until_a_window_is_full_again(detector: Detector, series: TimeSeries) -> None:
    times = series.times.copy()
    times[100:] += 1000.0
    scores = detector.score(replace(series, times=times))
    finite_from(scores[:100], WINDOW - 1)
    finite_from(scores[100:], WINDOW - 1)
    np.testing.assert_allclose(scores[100:], detector.score(series[100:]), rtol=1e-5)


def test_irregular_steps_below_the_gap_count_as_rows(detector: Detector, series: TimeSeries) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.1, 9.9, len(series)))
    np.testing.assert_array_equal(detector.score(replace(series, times=times)), detector.score(series))


def test_a_window_of_which_more_than_half_is_missing_has_no_score(detector: Detector, series: TimeSeries) -> None:
    windows = np.repeat(series.values[:WINDOW].T[None], 3, axis=0)
    windows[1, :, : WINDOW // 2] = np.nan
    windows[2, :, : WINDOW // 2 + 1] = np.nan
    assert np.isfinite(detector.score_windows(windows)).tolist() == [True, True, False]


def test_one_of_three_channels_missing_leaves_scores_that_still_see_faults_in_the_others(detector: Detector) -> None:
    for channel in range(3):
        values = normal_values(200, seed=1)
        values[:, channel] = np.nan
        calm = detector.score(values)
        finite_from(calm, WINDOW - 1)
        values[120:130, (channel + 1) % 3] += 30.0
        assert detector.score(values)[120:130].max() > np.nanmax(calm) + 2


def test_all_missing_is_unknown(detector: Detector) -> None:
    assert np.isnan(detector.score(np.full((50, 3), np.nan))).all()


def test_infinities_and_immense_values_are_missing_values(detector: Detector, series: TimeSeries) -> None:
    missing = series.values.copy()
    missing[60:70, 1] = np.nan
    for value in (np.inf, -np.inf, 1e300, -2e38):
        values = series.values.copy()
        values[60:70, 1] = value
        np.testing.assert_array_equal(detector.score(values), detector.score(missing))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=arrays(np.float64, (WINDOW + 4, 3), elements=st.sampled_from(ANY) | st.floats(width=64)))
def test_no_numbers_make_a_score_other_than_finite_or_unknown(detector: Detector, values: Floats) -> None:
    scores = detector.score(values)
    assert not np.isinf(scores).any()
    _, seen = detector.examine(values)
    known = np.isfinite(seen.surprise)
    for part in (seen.expected, seen.contribution, seen.odd_expected):
        assert np.isfinite(part[known]).all()
    assert not np.isinf(seen.odd).any()
    series = series_from_array(values, channels=CHANNELS)
    for verdict in detector.verdicts(series):
        assert not np.isinf(verdict.values).any()
    detector.events(series)


# ---------------------------------------------------------------- shapes and channels


def test_channels_are_found_by_name_in_any_order_and_strangers_left_out(detector: Detector, series: TimeSeries) -> None:
    order = [2, 0, 1]
    values = np.column_stack([series.values[:, order], np.full(len(series), 1e9)])
    names = (*(CHANNELS[i] for i in order), "stranger")
    np.testing.assert_array_equal(detector.score(TimeSeries(series.times, values, names)), detector.score(series))


def test_a_channel_that_is_not_there_reads_as_missing(detector: Detector, series: TimeSeries) -> None:
    values = series.values.copy()
    values[:, 1] = np.nan
    without = TimeSeries(series.times, series.values[:, [0, 2]], (CHANNELS[0], CHANNELS[2]))
    np.testing.assert_array_equal(detector.score(without), detector.score(values))


@pytest.mark.parametrize("shape", [(50,), (50, 2), (50, 4), (50, 3, 1), (50, 0), ()])
def test_an_array_of_another_width_is_refused(detector: Detector, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError):
        detector.score(np.zeros(shape))


@pytest.mark.parametrize("shape", [(3, WINDOW), (1, 3, WINDOW - 1), (1, WINDOW, 3), (1, 4, WINDOW)])
def test_windows_of_another_shape_are_refused(detector: Detector, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="shape"):
        detector.score_windows(np.zeros(shape))


def test_a_series_without_any_known_channel_is_refused_by_name(detector: Detector) -> None:
    with pytest.raises(DataError, match="stranger"):
        detector.score(TimeSeries(np.arange(50.0), np.zeros((50, 1)), ("stranger",)))


@pytest.mark.parametrize("rows", [0, 1, WINDOW - 1])
def test_fewer_rows_than_a_window_are_all_unknown(detector: Detector, rows: int) -> None:
    series = normal_series(200, 1)[:rows]
    scores = detector.score(series)
    assert scores.shape == (rows,)
    assert np.isnan(scores).all()
    assert detector.events(series) == []


def test_no_windows_give_no_scores(detector: Detector) -> None:
    assert detector.score_windows(np.empty((0, 3, WINDOW))).shape == (0,)


def test_integers_and_32_bit_floats_are_numbers_too(detector: Detector) -> None:
    whole = np.round(normal_values(60, 1)).astype(np.int64)
    np.testing.assert_array_equal(detector.score(whole), detector.score(whole.astype(float)))
    detector.score_windows(np.zeros((1, 3, WINDOW), np.float32))


def quick(values: Floats, **changes: object) -> Detector:
    config = {
        "window": 16,
        "stride": 1,
        "steps": 60,
        "latent": 3,
        "width": 4,
        "batch": 16,
        "device": "cpu",
    }
    return Detector.fit(values, DetectorConfig.model_validate({**config, **changes}))


def test_a_single_channel_as_a_flat_array() -> None:
    values = normal_values(300, 0, channels=1)[:, 0]
    detector = quick(values)
    scores = detector.score(values[:60])
    assert scores.shape == (60,)
    finite_from(scores, 15)
    broken = values[:60].copy()
    broken[40:] += 10
    assert detector.score(broken)[40:].max() > np.nanmax(scores) + 2


def test_a_hundred_channels() -> None:
    values = normal_values(120, 0, channels=100)
    detector = quick(values, steps=5)
    finite_from(detector.score(values[:40]), 15)


def test_a_channel_that_never_moved_is_flagged_when_it_moves() -> None:
    values = normal_values(400, 0)
    values[:, 1] = 50.0
    detector = quick(values)
    test = normal_values(100, 1)
    test[:, 1] = 50.0
    calm = detector.score(test)[WINDOW:]
    test[60:, 1] = 65.0
    moved = detector.score(test)[60:]
    assert moved.max() > max(detector.threshold, calm.max() + 2)
    _, seen = detector.examine(test)
    assert np.argmax(seen.contribution[-1]) == 1


def test_data_that_never_move_at_all_can_be_learned() -> None:
    detector = quick(np.full((200, 2), 7.0), steps=20)
    still, moving = np.full((40, 2), 7.0), np.full((40, 2), 7.0)
    moving[30:, 0] = 9.0
    calm = detector.score(still)[15:]
    assert calm.max() < detector.threshold
    assert detector.score(moving)[30:].max() > calm.max() + 2


def test_a_channel_never_seen_in_training_reads_as_missing_for_ever() -> None:
    values = normal_values(300, 0)
    values[:, 2] = np.nan
    detector = quick(values, steps=20)
    test = normal_values(60, 1)
    without = test.copy()
    without[:, 2] = np.nan
    scores = detector.score(test)
    finite_from(scores, 15)
    np.testing.assert_array_equal(scores, detector.score(without))
    assert np.isnan(detector.examine(test)[1].expected[:, 2]).all()


@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_a_large_offset_does_not_hide_a_small_signal(offset: float) -> None:
    values = normal_values(300, 0)
    detector = quick(values + offset, steps=40)
    test = normal_values(60, 1)
    calm = detector.score(test + offset)[15:]
    np.testing.assert_allclose(calm, quick(values, steps=40).score(test)[15:], atol=0.2)


# ---------------------------------------------------------------- threshold, verdicts, events


def test_a_smaller_budget_asks_for_a_higher_threshold(detector: Detector) -> None:
    assert detector.threshold == detector.threshold_for(detector.config.alarms_per_week)
    assert detector.threshold_for(10.0) == pytest.approx(detector.threshold - 1.0)
    with pytest.raises(ConfigError):
        detector.threshold_for(0.0)


def test_offline_verdicts_and_events_are_those_of_the_stream(detector: Detector) -> None:
    """Also across gaps: an event that a gap interrupts ends the same way in both."""
    series = spoiled(normal_series(300, 1), np.random.default_rng(0), gaps=(90, 95, 200))
    values = series.values.copy()
    values[60:90, 0] += 5.0
    values[150:170, 1] -= 8.0
    series = replace(series, values=values)
    stream = StreamDetector(detector)
    online = stream.push(readings_of(series, device=series.device))
    offline = detector.verdicts(series)
    assert [v.time_s for v in offline] == [v.time_s for v in online]
    for a, b in zip(offline, online, strict=True):
        assert a.surprise == pytest.approx(b.surprise, rel=1e-5, nan_ok=True)
        np.testing.assert_allclose(a.expected, b.expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(a.values, b.values)
    events = detector.events(series, DecideConfig(open_after=1, close_after=3))
    assert len(events) >= 2


def test_an_event_names_the_channel_and_when(detector: Detector) -> None:
    series = normal_series(200, seed=1)
    values = series.values.copy()
    values[120:140, 1] += 6.0
    (event,) = detector.events(replace(series, values=values, device="pump7"))
    assert event.device == "pump7"
    assert event.channels[0] == "pressure"
    assert 119 <= event.start_s <= 126
    assert 138 <= event.end_s <= 140 + WINDOW
    assert event.severity in ("major", "critical")
    assert event.reason.startswith("pressure is ")


def test_a_gross_fault_is_graver_than_a_slight_one(detector: Detector) -> None:
    series = normal_series(200, seed=1)
    severities = []
    for size in (0.5, 30.0):  # of a channel that swings by 2
        values = series.values.copy()
        values[120:140, 1] += size
        (event,) = detector.events(replace(series, values=values))
        severities.append(event.severity)
    assert severities[0] == "minor"
    assert severities[1] in ("major", "critical")
