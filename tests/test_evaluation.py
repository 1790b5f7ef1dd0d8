"""The figures against their definitions: every fast routine beside a naive twin."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from anomgan.errors import DataError
from anomgan.evaluation import auc_roc, average_precision, best_f1, evaluate, intervals
from anomgan.matching import Interval, match_events
from anomgan.records import Floats
from anomgan.vus import DEFAULT_WINDOW, dominant_period, labelled_runs, vus

Case = tuple[NDArray[np.bool_], Floats]


@st.composite
def labelled_scores(draw: st.DrawFn) -> Case:
    """Labels with both kinds of row, and scores with and without ties."""
    rows = draw(st.integers(2, 60))
    labels = draw(arrays.arrays(np.bool_, rows))
    labels[draw(st.permutations(range(rows)))[:2]] = True, False
    levels = draw(st.sampled_from([2, 5, 1000]))
    return labels, draw(arrays.arrays(np.int64, rows, elements=st.integers(0, levels))).astype(np.float64) / levels


def naive_vus(labels: NDArray[np.bool_], scores: Floats, window: int, thresholds: int = 250) -> tuple[float, float]:
    """The definition, row by row, buffer by buffer, threshold by threshold."""
    rows = len(labels)
    runs, row = [], 0
    while row < rows:
        if labels[row]:
            start = row
            while row + 1 < rows and labels[row + 1]:
                row += 1
            runs.append((start, row))
        row += 1
    descending = sorted(scores, reverse=True)
    levels = [descending[int(k)] for k in np.linspace(0, rows - 1, thresholds)]
    pr, roc = [], []
    for w in range(window + 1):
        soft = []
        for t in range(rows):
            weight = float(labels[t])
            for a, b in runs:
                distance = max(a - t, t - b, 0)
                if 0 < distance <= w // 2:
                    weight += math.sqrt(1 - distance / w)
            soft.append(min(weight, 1.0))
        blocks: list[tuple[int, int]] = []
        for a, b in runs:
            low, high = max(a - w // 2, 0), min(b + w // 2, rows - 1)
            if blocks and low <= blocks[-1][1]:
                blocks[-1] = (blocks[-1][0], high)
            else:
                blocks.append((low, high))
        curve = [(0.0, 0.0, 1.0)]
        for level in levels:
            flagged = [t for t in range(rows) if scores[t] >= level]
            hits = sum(soft[t] for t in flagged)
            buffered = sum(soft[t] for t in flagged if not labels[t])
            positives = labels.sum() + buffered / 2
            existence = sum(any(a <= t <= b for t in flagged) for a, b in blocks) / len(blocks)
            recall = min(1.0, hits / positives) * existence
            curve.append((recall, (len(flagged) - hits) / (rows - positives), hits / len(flagged)))
        pr.append(sum((b[0] - a[0]) * b[2] for a, b in itertools.pairwise(curve)))
        curve.append((1.0, 1.0, 0.0))
        roc.append(sum((b[1] - a[1]) * (a[0] + b[0]) / 2 for a, b in itertools.pairwise(curve)))
    return float(np.mean(pr)), float(np.mean(roc))


@given(labelled_scores(), st.integers(0, 12))
def test_vus_equals_its_definition(case: Case, window: int) -> None:
    labels, scores = case
    assert vus(labels, scores, window, thresholds=9) == pytest.approx(naive_vus(labels, scores, window, 9), abs=1e-12)


def test_vus_equals_its_definition_with_all_thresholds() -> None:
    random = np.random.default_rng(0)
    labels = np.zeros(120, dtype=bool)
    labels[[5, 6, 7, 60, 61, 70, 117, 118, 119]] = True
    scores = random.random(120) + labels * random.random(120)
    assert vus(labels, scores, 7) == pytest.approx(naive_vus(labels, scores, 7), abs=1e-12)


@pytest.mark.parametrize(
    ("window", "pr", "roc"),
    [
        (10, 0.6733257365953284, 0.7875982826201657),
        (60, 0.7186497394118563, 0.8431934689100612),
        (125, 0.7644089058604803, 0.8845452150191186),
    ],
)
def test_vus_is_what_tsb_ad_computes(window: int, pr: float, roc: float) -> None:
    """The expected values are those of TSB-AD 1.5, `generate_curve(labels, scores, window, "opt", 250)`."""
    row = np.arange(1000)
    labels = np.isin(row // 25, [0, 7, 8, 20, 21, 22, 39])
    scores = np.round(np.abs(np.sin(row * row / 500.0)) + 0.4 * labels, 3)
    assert vus(labels, scores, window) == pytest.approx((pr, roc), abs=1e-9)


def test_vus_forgives_a_flag_just_before_the_label_and_not_one_far_away() -> None:
    labels = np.zeros(400, dtype=bool)
    labels[200:220] = True
    near, far = np.zeros(400), np.zeros(400)
    near[195:215], far[20:40] = 1.0, 1.0
    assert vus(labels, near, 40)[0] > 3 * vus(labels, far, 40)[0]


@given(labelled_scores())
def test_average_precision_is_the_area_over_all_thresholds(case: Case) -> None:
    labels, scores = case
    area, recall = 0.0, 0.0
    for level in sorted(set(scores), reverse=True):
        flagged = scores >= level
        step = (labels & flagged).sum() / labels.sum() - recall
        area += step * (labels & flagged).sum() / flagged.sum()
        recall += step
    assert average_precision(labels, scores) == pytest.approx(area, abs=1e-12)


@given(labelled_scores())
def test_auc_roc_is_the_share_of_pairs_ranked_rightly(case: Case) -> None:
    labels, scores = case
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels] for b in scores[~labels]]
    assert auc_roc(labels, scores) == pytest.approx(np.mean(pairs), abs=1e-12)


@given(labelled_scores())
def test_best_f1_is_reached_at_its_threshold_and_beaten_nowhere(case: Case) -> None:
    labels, scores = case

    def f1(level: float) -> float:
        return float(2 * (labels & (scores >= level)).sum() / ((scores >= level).sum() + labels.sum()))

    best, level = best_f1(labels, scores)
    assert best == pytest.approx(f1(level), abs=1e-12)
    assert best == pytest.approx(max(f1(candidate) for candidate in scores), abs=1e-12)


@given(labelled_scores(), st.integers(0, 10))
def test_ranking_figures_depend_on_the_order_of_scores_only(case: Case, window: int) -> None:
    labels, scores = case
    plain, stretched = evaluate(scores, labels, window=window), evaluate(np.exp(3 * scores), labels, window=window)
    for name in ("vus_pr", "vus_roc", "auc_pr", "auc_roc", "best_f1"):
        assert getattr(plain, name) == pytest.approx(getattr(stretched, name), abs=1e-12)


def test_a_perfect_ranking_scores_one_and_a_reversed_one_the_least() -> None:
    labels = np.arange(100) >= 80
    perfect = evaluate(labels.astype(float), labels, window=0)
    assert perfect.auc_pr == perfect.auc_roc == perfect.best_f1 == perfect.vus_pr == 1.0
    assert evaluate(-labels.astype(float), labels, window=0).auc_roc == 0.0


def test_rows_without_a_score_count_as_the_lowest() -> None:
    labels = np.array([0, 1, 0, 1, 0])
    scores = np.array([0.2, np.nan, 0.5, 0.9, np.nan])
    lowest = np.array([0.2, 0.2, 0.5, 0.9, 0.2])
    with_gaps, filled = evaluate(scores, labels, window=3), evaluate(lowest, labels, window=3)
    assert with_gaps.unscored == 2
    assert with_gaps.vus_pr == filled.vus_pr
    assert with_gaps.auc_pr == filled.auc_pr


def test_input_is_not_changed() -> None:
    labels, scores = np.array([0, 1, 0, 1]), np.array([0.1, np.nan, 0.3, 0.2])
    evaluate(scores, labels, threshold=0.2)
    np.testing.assert_array_equal(scores, [0.1, np.nan, 0.3, 0.2])


def test_labels_of_one_kind_leave_the_ranking_undefined_and_still_count_false_alarms() -> None:
    scores = np.zeros(100)
    scores[10:13] = scores[50] = 5.0
    result = evaluate(scores, np.zeros(100), threshold=3.0)
    assert math.isnan(result.vus_pr)
    assert math.isnan(result.auc_pr)
    assert result.alarms is not None
    assert result.alarms.false_alarms == 2
    assert result.as_dict()["vus_pr"] is None
    assert "-" in str(result)


def test_alarms_are_counted_by_event_and_per_day_of_normal_rows() -> None:
    labels = np.zeros(2 * 1440, dtype=bool)  # two days of minutes
    labels[600:660] = labels[2000:2060] = True
    scores = np.zeros(len(labels))
    scores[610:640] = 5.0  # found ten minutes late
    scores[100:103] = 5.0  # a false alarm
    scores[1000] = 5.0  # another
    result = evaluate(scores, labels, threshold=3.0, times=np.arange(len(labels)) * 60.0)
    alarms = result.alarms
    assert alarms is not None
    assert (alarms.true_events, alarms.events_found, alarms.false_alarms) == (2, 1, 2)
    assert alarms.median_delay_s == 600.0
    assert alarms.false_alarms_per_day == pytest.approx(2 / ((len(labels) - 120) / 1440))
    assert alarms.precision == pytest.approx(30 / 34)
    assert alarms.recall == pytest.approx(30 / 120)


def test_no_point_is_adjusted() -> None:
    labels = np.zeros(1000, dtype=bool)
    labels[200:400] = True
    scores = np.zeros(1000)
    scores[300] = 1.0  # one hit in a run of 200: point adjustment would call it perfect
    result = evaluate(scores, labels, window=0, threshold=0.5)
    assert result.alarms is not None
    assert result.alarms.recall == pytest.approx(1 / 200)
    assert result.alarms.f1 < 0.02


def test_given_events_replace_the_runs_of_flagged_rows() -> None:
    labels = np.zeros(100, dtype=bool)
    labels[50:60] = True
    scores = np.where(np.arange(100) % 7 == 0, 5.0, 0.0)  # flickers
    result = evaluate(scores, labels, threshold=3.0, events=[Interval(52.0, 58.0, "pump", "plant")])
    assert result.alarms is not None
    assert (result.alarms.events_found, result.alarms.false_alarms, result.alarms.median_delay_s) == (1, 0, 2.0)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.0, 2.0], None, "no labels"),
        ([1.0, 2.0], [0, 1, 0], r"shape \(2,\) for labels of shape \(3,\)"),
        ([[1.0], [2.0]], [[0], [1]], "both must be"),
        ([], [], "both must be"),
        ([1.0, 2.0], [0, 2], "row 1: a label is 0 or 1"),
        ([1.0, 2.0], [0, math.nan], "row 1: a label is 0 or 1"),
        ([1.0, math.inf], [0, 1], "row 1: the score is infinite"),
    ],
)
def test_what_cannot_be_evaluated_is_named(scores: list[float], labels: list[float] | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate(scores, labels)


def test_the_table_shows_the_figures() -> None:
    table = str(evaluate([0.1, 0.9, 0.2, 0.1], [0, 1, 0, 0], window=2, threshold=0.5))
    assert "VUS-PR" in table
    assert "1 of 1" in table
    assert all(line[15] == " " != line[16] for line in table.splitlines())


# ---------------------------------------------------------------- runs and events


@given(arrays.arrays(np.bool_, st.integers(0, 40)))
def test_runs_cover_exactly_the_labelled_rows_and_never_touch(labels: NDArray[np.bool_]) -> None:
    starts, ends = labelled_runs(labels)
    rebuilt = np.zeros_like(labels)
    for a, b in zip(starts, ends, strict=True):
        rebuilt[a : b + 1] = True
    np.testing.assert_array_equal(rebuilt, labels)
    assert np.all(starts[1:] > ends[:-1] + 1)


def test_intervals_stand_in_event_time() -> None:
    found = intervals(np.array([True, True, False, True]), np.array([10.0, 12.0, 14.0, 99.0]), "pump")
    assert found == [Interval(10.0, 12.0, "pump"), Interval(99.0, 99.0, "pump")]


def test_a_found_event_within_the_tolerance_counts_and_one_past_it_is_a_false_alarm() -> None:
    truth = [Interval(100.0, 110.0, "a")]
    assert match_events(truth, [Interval(115.0, 120.0, "a")], tolerance_s=5.0).delays_s == (15.0,)
    late = match_events(truth, [Interval(115.1, 120.0, "a")], tolerance_s=5.0)
    assert (late.pairs, late.missed, late.false_alarms) == ((), (0,), (0,))


def test_an_event_that_was_already_open_has_no_delay() -> None:
    assert match_events([Interval(100.0, 110.0)], [Interval(90.0, 101.0)]).delays_s == (0.0,)


def test_events_of_another_device_or_site_never_match() -> None:
    truth = [Interval(0.0, 10.0, "a", "north")]
    matching = match_events(truth, [Interval(0.0, 10.0, "b", "north"), Interval(0.0, 10.0, "a", "south")])
    assert (matching.missed, matching.false_alarms) == ((0,), (0, 1))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10), st.sampled_from("ab")), max_size=8),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10), st.sampled_from("ab")), max_size=8),
    st.integers(0, 5),
)
def test_every_event_is_accounted_for_once(
    true: list[tuple[int, int, str]], found: list[tuple[int, int, str]], tolerance: int
) -> None:
    truths = [Interval(a, a + n, device) for a, n, device in true]
    finds = [Interval(a, a + n, device) for a, n, device in found]

    def touch(t: Interval, f: Interval) -> bool:
        return t.device == f.device and f.start_s <= t.end_s + tolerance and f.end_s >= t.start_s

    matching = match_events(truths, finds, tolerance)
    assert {t for t, _ in matching.pairs} == {i for i, t in enumerate(truths) if any(touch(t, f) for f in finds)}
    assert sorted([t for t, _ in matching.pairs] + list(matching.missed)) == list(range(len(truths)))
    assert set(matching.false_alarms) == {j for j, f in enumerate(finds) if not any(touch(t, f) for t in truths)}
    for (t, f), delay in zip(matching.pairs, matching.delays_s, strict=True):
        earliest = min(g.start_s for g in finds if touch(truths[t], g))
        assert finds[f].start_s == earliest
        assert delay == max(0, earliest - truths[t].start_s)


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(DataError, match=r"ends at 1\.0 before its start 2\.0"):
        match_events([], [Interval(2.0, 1.0)])


def test_recall_and_delay_are_undefined_without_events() -> None:
    nothing = match_events([], [])
    assert math.isnan(nothing.recall)
    assert math.isnan(nothing.median_delay_s)


# ---------------------------------------------------------------- the VUS window


def naive_period(channel: Floats) -> int:
    """The highest local maximum of the autocorrelation at lags 4 to 399, lag by lag."""
    x = channel[:20_000] - np.mean(channel[:20_000])
    r = [float(np.dot(x[: len(x) - lag], x[lag:])) for lag in range(min(401, len(x)))]
    peaks = [lag for lag in range(4, len(r) - 1) if r[lag - 1] < r[lag] > r[lag + 1]]
    if not peaks:
        return DEFAULT_WINDOW
    best = max(peaks, key=lambda lag: r[lag])
    return best if 6 <= best <= 303 else DEFAULT_WINDOW


@pytest.mark.parametrize("seed", range(6))
def test_the_dominant_period_equals_its_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.integers(60, 2000))
    wave = np.sin(np.arange(rows) * 2 * np.pi / random.integers(3, 350)) + 0.3 * random.normal(size=rows)
    assert dominant_period(wave) == naive_period(wave)


def test_the_dominant_period_of_a_sine_is_its_period() -> None:
    assert dominant_period(np.sin(np.arange(3000) * 2 * np.pi / 60)) == 60


@pytest.mark.parametrize(
    "channel", [np.array([]), np.ones(500), np.arange(500.0), np.r_[np.nan, np.sin(np.arange(500.0))]]
)
def test_a_channel_without_a_period_gets_the_default_window(channel: Floats) -> None:
    assert dominant_period(channel) == DEFAULT_WINDOW
