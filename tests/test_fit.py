"""Fitting: sizes chosen by stated rules, clear refusals, and nothing of the data that it should not use."""

import numpy as np
import pytest
import torch
from examples import CHANNELS, normal_series, normal_values

from anomgan.calibrate import PRIOR_SHAPE, Tail, fit_tail
from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.errors import DataError
from anomgan.fit import choose, window_rule
from anomgan.gan.train import TrainingStep
from anomgan.records import Floats, TimeSeries, series_from_array
from anomgan.score import WITNESSES

QUICK = DetectorConfig(window=16, steps=1, latent=2, width=4, batch=4, device="cpu")


@pytest.mark.parametrize(
    ("longest", "window"), [(1, 16), (95, 16), (143, 16), (144, 24), (200, 32), (383, 56), (384, 64), (10**7, 64)]
)
def test_the_window_is_a_sixth_of_the_longest_series_in_steps_of_8_from_16_to_64(longest: int, window: int) -> None:
    assert choose(DetectorConfig(), longest, longest, 1.0).window == window


@pytest.mark.parametrize(("window", "stride"), [(16, 1), (56, 1), (64, 2), (256, 8)])
def test_the_stride_is_a_thirty_second_of_the_window(window: int, stride: int) -> None:
    assert choose(DetectorConfig(window=window), 1000, 1000, 1.0).stride == stride


def test_gap_and_hold_follow_from_period_and_window() -> None:
    chosen = choose(DetectorConfig(window=32), 1000, 1000, period_s=60.0)
    assert (chosen.max_gap_s, chosen.max_hold) == (600.0, 8)


def test_what_is_configured_is_kept() -> None:
    given = DetectorConfig(window=24, stride=5, steps=7, max_gap_s=3.0, max_hold=0)
    assert choose(given, 10**6, 10**6, 1.0) == given


def test_a_rule_needs_a_configuration_without_open_places() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        window_rule(DetectorConfig())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no series"),
        (np.empty((0, 3)), "not a single value"),
        (np.full((500, 3), np.nan), "not a single value"),
        (np.full((500, 3), np.inf), "not a single value"),
        (normal_values(15, 0), "15 rows give 0 training"),
        (normal_values(30, 0), "30 rows give"),
        (np.zeros((100, 0)), "shape"),
        (np.zeros((2, 100, 3)), "shape"),
        (normal_values(500, 0, channels=101), "101 channels"),
        (
            [normal_series(100, 0), series_from_array(np.zeros((50, 2)))],
            "disagree",
        ),
    ],
    ids=str,
)
def test_too_little_or_unfitting_data_is_refused_with_the_reason(given: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Detector.fit(given, QUICK)  # type: ignore[arg-type]  # wrong on purpose


def test_a_series_that_is_all_gaps_gives_no_window_and_says_so() -> None:
    broken = TimeSeries(np.cumsum(np.where(np.arange(500) % 8, 1.0, 100.0)), normal_values(500, 0), CHANNELS)
    with pytest.raises(DataError, match="without gaps"):
        Detector.fit(broken, QUICK)


def test_mostly_missing_data_is_refused_with_a_reason_that_says_missing() -> None:
    values = normal_values(500, 0)
    values[:, :2] = np.nan
    values[1, :2] = 0.5
    with pytest.raises(DataError, match="half missing"):
        Detector.fit(values, QUICK.model_copy(update={"max_hold": 0}))


def test_the_smallest_data_that_fits_is_enough() -> None:
    detector = Detector.fit(normal_values(60, 0), QUICK)
    assert np.isfinite(detector.score(normal_values(60, 1))[15:]).all()


def test_several_series_are_learned_together_and_no_window_spans_two() -> None:
    parts = [normal_series(80, seed) for seed in range(3)]
    detector = Detector.fit(parts, QUICK)
    assert detector.summary["series"] == 3
    assert detector.summary["rows"] == 240
    # each 80 rows: 60 to train, of which 45 complete a window; 20 to calibrate, each of which does
    assert detector.summary["training_windows"] == 135
    assert detector.summary["calibration_windows"] == 60


def test_a_state_that_is_never_told_makes_no_window_unknown() -> None:
    values = np.column_stack([normal_values(120, 0, channels=1), np.full((120, 3), np.nan)])
    values[3, 1:] = 1.0
    detector = Detector.fit(values, QUICK)
    assert detector.summary["state_channels"] == ["c1", "c2", "c3"]
    assert np.isfinite(detector.score(values)[15:]).all()


def test_the_generator_reaches_what_the_training_rows_reach_but_for_a_few_in_a_thousand() -> None:
    values = normal_values(4000, 0)
    values[100, 0] = 1e9
    detector = Detector.fit(values, QUICK)
    generator, scaled = detector.parts.networks.generator, detector.scale(values)
    low, high = (generator.centre - generator.reach)[:, 0].numpy(), (generator.centre + generator.reach)[:, 0].numpy()
    inside = (scaled >= low) & (scaled <= high)
    assert (inside.mean(axis=0) > 0.997).all()
    assert not inside[100, 0]


def test_labels_are_not_looked_at() -> None:
    plain = normal_series(120, 0)
    labelled = TimeSeries(plain.times, plain.values, plain.channels, np.arange(120) % 2 == 0)
    test = normal_values(60, 1)
    np.testing.assert_array_equal(Detector.fit(plain, QUICK).score(test), Detector.fit(labelled, QUICK).score(test))


def test_neither_the_data_nor_the_global_dice_are_touched() -> None:
    series = normal_series(120, 0)
    values, times, state = series.values.copy(), series.times.copy(), torch.get_rng_state()
    Detector.fit(series, QUICK)
    np.testing.assert_array_equal(series.values, values)
    np.testing.assert_array_equal(series.times, times)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_seed_gives_the_same_scores_and_another_seed_others() -> None:
    data, test = normal_values(120, 0), normal_values(60, 1)
    first = Detector.fit(data, QUICK).score(test)
    np.testing.assert_array_equal(first, Detector.fit(data, QUICK).score(test))
    assert not np.array_equal(
        first, Detector.fit(data, QUICK.model_copy(update={"seed": 1})).score(test), equal_nan=True
    )


def test_the_progress_bar_counts_steps_and_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[TrainingStep] = []
    config = QUICK.model_copy(update={"steps": 3})
    Detector.fit(normal_values(120, 0), config, progress=True, on_step=heard.append)
    shown = capsys.readouterr()
    assert [step.step for step in heard] == [1, 2, 3]
    assert "training" in shown.err
    assert "3/3" in shown.err
    assert shown.out == ""
    Detector.fit(normal_values(120, 0), config)
    assert capsys.readouterr().err == ""


def test_the_summary_says_what_was_learned_from() -> None:
    values = normal_values(120, 0)
    values[:, 2] = 5.0
    summary = Detector.fit(series_from_array(values, period_s=2.0, channels=CHANNELS), QUICK).summary
    assert (summary["rows"], summary["first_time_s"], summary["last_time_s"]) == (120, 0.0, 238.0)
    assert summary["constant_channels"] == ["current"]
    assert summary["state_channels"] == []  # a channel that rests at 5 is measured
    assert (summary["steps"], summary["stopped"], summary["device"]) == (1, "finished", "cpu")


def test_one_configuration_is_enough_for_an_array_alone() -> None:
    """`Detector.fit(array)`: everything is chosen; only the number of steps is cut short here."""
    detector = Detector.fit(normal_values(200, 0), DetectorConfig(steps=1, device="cpu"))
    assert (detector.config.window, detector.config.stride, detector.period_s) == (32, 1, 1.0)
    assert detector.channels == ("c0", "c1", "c2")


# ---------------------------------------------------------------- where windows are many


@pytest.mark.parametrize(("drift", "overlap"), [(0.0, 2), (4.0, 8)])
def test_all_windows_of_a_steady_fleet_calibrate_and_of_a_drifting_one_those_held_out(
    monkeypatch: pytest.MonkeyPatch, drift: float, overlap: int
) -> None:
    """6,000 of 47,880 windows in all overlap less than 6,000 of the 11,940 held out."""
    fleet = []
    for seed in range(4):
        series = normal_series(12_000, seed)
        series.values[9000:] += np.linspace(0.0, drift, 3000)[:, None]
        fleet.append(series)
    told = []

    def listening(values: Floats, overlap: int = 1, prior_shape: float = PRIOR_SHAPE) -> Tail:
        told.append((len(values), overlap))
        return fit_tail(values, overlap, prior_shape)

    monkeypatch.setattr("anomgan.fit.MAX_CALIBRATION", 6000)
    monkeypatch.setattr("anomgan.fit.fit_tail", listening)
    Detector.fit(fleet, QUICK)
    assert told == [(6000, 8)] * len(WITNESSES) + [(6000, overlap)]
