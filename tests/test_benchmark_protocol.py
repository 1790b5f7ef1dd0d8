"""One detector on one series: the figures follow from its scores and events by their definitions."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from benchmark_sets import labelled
from examples import normal_values

from anomgan.baselines import BASELINES
from anomgan.calibrate import budget_threshold, fit_tail, surprise
from anomgan.config import DetectorConfig
from anomgan.detector import Detector
from anomgan.errors import ConfigError
from anomgan.evaluation import evaluate, intervals
from anomgan.matching import Interval, match_events
from anomgan.records import Floats, TimeSeries
from anomgan.score import WITNESSES
from anomgan_benchmark.detectors import DETECTORS, PLAIN, check_detectors, settings_for, without_repeats
from anomgan_benchmark.layouts import LabelledSeries, Segment, labelled_series
from anomgan_benchmark.plain import budget_events
from anomgan_benchmark.protocol import Figures, measure, timed_fit
from anomgan_benchmark.said import Examine, Said

QUICK = DetectorConfig(window=16, steps=40, latent=4, width=8, batch=16, device="cpu")


@pytest.fixture(scope="module")
def series() -> LabelledSeries:
    """400 normal rows, then 200 a minute apart of which 100 to 119 are at fault in the second channel."""
    values, labels = labelled(200, 100, 119, seed=3)
    return labelled_series(Path("made"), normal_values(400, 1), values, labels, 60.0, [Segment(100, 119, (1,))])


def measured(name: str, series: LabelledSeries, config: DetectorConfig = QUICK) -> tuple[Figures, Floats]:
    """Figures and scores of one entry."""
    examine, fit_s = timed_fit(DETECTORS[name].fit, series.train, settings_for(name, config))
    return measure(examine, fit_s, series)[name]


def flat(scores: Floats) -> Examine:
    """A detector that says these scores and two events: one on the fault, one an hour earlier."""
    events = [Interval(110 * 60.0, 115 * 60.0), Interval(40 * 60.0, 50 * 60.0)]

    def examine(test: TimeSeries) -> Mapping[str, Said]:
        assert len(test) == len(scores)
        return {name: Said(scores, 7, lambda: events) for name in ("whole", "whole: a part")}

    return examine


def test_figures_are_those_of_the_scores_and_events(series: LabelledSeries) -> None:
    scores = np.random.default_rng(0).random(200)
    scores[:9] = np.nan
    told = measure(flat(scores), 1.5, series)
    assert list(told) == ["whole", "whole: a part"]  # one fit may answer under several names
    figures, kept = told["whole"]
    expected = evaluate(scores, series.labels, window=24)
    assert (figures.vus_pr, figures.vus_roc, figures.auc_pr, figures.best_f1) == (
        expected.vus_pr, expected.vus_roc, expected.auc_pr, expected.best_f1,
    )  # fmt: skip
    assert (figures.vus_window, figures.unscored, figures.windows, figures.fit_s) == (24, 9, 7, 1.5)
    assert (figures.true_events, figures.events_found, figures.false_alarms) == (1, 1, 1)
    assert figures.normal_windows == 200 - 9 - 20
    assert figures.median_delay_s == 600.0
    np.testing.assert_array_equal(kept, scores)


@pytest.mark.parametrize("name", ["gan", *PLAIN])
def test_every_detector_finds_a_plain_fault_and_sees_no_label(name: str, series: LabelledSeries) -> None:
    figures, scores = measured(name, series)
    assert figures.vus_pr > 0.8
    assert figures.events_found == 1
    assert (figures.rows, figures.channels, figures.train_rows, figures.period_s) == (200, 3, 400, 60.0)
    assert math.isfinite(figures.fit_s)
    assert 0 < figures.windows <= np.isfinite(scores).sum()


@pytest.mark.parametrize("name", ["gan", *PLAIN])
def test_no_score_knows_what_comes_later(name: str, series: LabelledSeries) -> None:
    examine, _ = timed_fit(DETECTORS[name].fit, series.train, settings_for(name, QUICK))
    whole, cut = examine(series.test)[name].scores, examine(series.test[:150])[name].scores
    np.testing.assert_allclose(whole[:150], cut, rtol=1e-5, atol=1e-6)


def test_the_gan_says_what_its_detector_says(series: LabelledSeries) -> None:
    figures, scores = measured("gan", series)
    detector = Detector.fit(series.train, QUICK)
    np.testing.assert_array_equal(scores, detector.score(series.test))
    matching = match_events(intervals(series.labels, series.test.times), detector.events(series.test))
    assert (figures.events_found, figures.false_alarms) == (len(matching.pairs), len(matching.false_alarms))
    (hits,) = figures.hits
    assert hits.rates == (1.0, 1.0)
    assert hits.found


def test_one_fit_tells_the_whole_detector_each_witness_alone_and_all_but_each(series: LabelledSeries) -> None:
    examine, fit_s = timed_fit(DETECTORS["ablation"].fit, series.train, settings_for("ablation", QUICK))
    told = measure(examine, fit_s, series)
    parts = [f"{name} alone" for name in WITNESSES] + [f"without {name}" for name in WITNESSES]
    assert set(told) == {"gan", "discriminator's output alone", *parts}
    detector = Detector.fit(series.train, QUICK)
    np.testing.assert_array_equal(told["gan"][1], detector.score(series.test))
    np.testing.assert_array_equal(told["level alone"][1], detector.listening_to("level").score(series.test))
    ends, seen = detector.examine(series.test)
    np.testing.assert_array_equal(told["discriminator's output alone"][1][ends], -seen.logit)
    assert told["pattern alone"][0].vus_pr > 0.8
    assert told["gan"][0].events_found == 1
    assert {told[name][0].false_alarms for name in told if name != "gan"} == {0}  # no budget, no events


def test_an_ablation_spares_the_fit_of_the_whole() -> None:
    assert without_repeats(["gan", "knn", "gan", "ablation"]) == ["knn", "ablation"]
    assert without_repeats(["gan", "not-adversarial"]) == ["gan", "not-adversarial"]


def test_what_is_not_adversarial_has_no_discriminator_to_listen_to(series: LabelledSeries) -> None:
    examine, _ = timed_fit(DETECTORS["not-adversarial"].fit, series.train, settings_for("not-adversarial", QUICK))
    config = QUICK.model_copy(update={"adversarial_weight": 0.0})
    plain = Detector.fit(series.train, config).listening_to("reconstruction", "pattern", "level")
    np.testing.assert_array_equal(examine(series.test)["not adversarial"].scores, plain.score(series.test))


def test_the_zscore_points_at_the_channel_too_and_others_do_not_point(series: LabelledSeries) -> None:
    assert measured("zscore", series)[0].hits[0].rates == (1.0, 1.0)
    assert measured("pca", series)[0].hits == ()


def naive_events(scores: Floats, threshold: float, window: int) -> list[tuple[int, int]]:
    """First and last anomalous row of every event: two in a row open it, a window of calm rows closes it."""
    events: list[tuple[int, int]] = []
    row = 0
    while row < len(scores) - 1:
        if not (scores[row] >= threshold and scores[row + 1] >= threshold):
            row += 1
            continue
        first = last = row
        calm = 0
        while row < len(scores) and calm < window:
            calm = 0 if scores[row] >= 0.7 * threshold else calm + 1
            last = row if scores[row] >= threshold else last
            row += 1
        events.append((first, last))
    return events


@pytest.mark.parametrize("name", ["zscore", "pca", "knn"])
def test_a_baseline_raises_events_by_the_detector_s_rule_at_a_threshold_from_held_out_rows(
    name: str, series: LabelledSeries
) -> None:
    fitted, early = (BASELINES[name].fit(rows) for rows in (series.train, series.train[:300]))
    held_out = early.score(series.train[300:])
    tail = fit_tail(held_out[np.isfinite(held_out)], overlap=10)
    scores = fitted.score(series.test)
    expected = naive_events(surprise(tail, scores), budget_threshold(1.0, 60.0), 10)
    events = budget_events(series.test, scores, tail, fitted.rule, 1.0)
    assert [(event.start_s / 60, event.end_s / 60) for event in events] == expected
    assert expected


def test_rows_without_a_score_raise_no_event(series: LabelledSeries) -> None:
    tail = fit_tail(np.arange(100.0))
    rule = BASELINES["zscore"].fit(series.train).rule
    assert budget_events(series.test, np.full(200, np.nan), tail, rule, 1.0) == []


def test_what_a_detector_does_not_take_cannot_tell_its_results_apart() -> None:
    config = DetectorConfig(steps=7, seed=3, window=32)
    assert settings_for("gan", config) == config
    assert settings_for("iforest", config) == DetectorConfig(seed=3)
    assert settings_for("knn", config) == DetectorConfig()


def refused(names: Sequence[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_detectors(names)


def test_a_detector_that_does_not_exist_is_told_those_that_do() -> None:
    check_detectors(list(DETECTORS))
    refused(
        ["gan", "lstm"],
        "there is no detector 'lstm'; there are gan, ablation, not-adversarial, zscore, pca, knn, iforest",
    )
