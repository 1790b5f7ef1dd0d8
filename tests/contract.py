"""The laws of every detector, learned or plain. `test_contract.py` runs them over all of them.

A law takes a `Subject`: how to fit one, one that is fitted, and series it has not seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pytest

from anomgan.errors import DataError
from anomgan.records import Floats, TimeSeries
from anomgan.windows import WindowRule

CHANNELS = ("pressure", "flow", "temperature")
TOLERANCE = 1e-5


class Scorer(Protocol):
    """What every detector can do."""

    rule: WindowRule

    def score(self, series: TimeSeries | Floats) -> Floats:
        """Scores (T,), higher is more anomalous."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A detector under the laws: `fit` makes one like `fitted` from normal data, `test` is normal and unseen."""

    fit: Callable[[TimeSeries | Floats | Sequence[TimeSeries]], Scorer]
    fitted: Scorer
    train: TimeSeries
    test: TimeSeries


def normal_series(rows: int, seed: int, start_s: float = 1.7e9) -> TimeSeries:
    """A pump under a slow load: flow follows pressure, temperature follows both; sensor noise."""
    random = np.random.default_rng(seed)
    time = np.arange(rows)
    load = np.sin(2 * np.pi * time / 60 + random.uniform(0, 6)) + 0.3 * np.sin(2 * np.pi * time / 17)
    values = np.stack([3 + 0.5 * load, 12 + 3 * load, 40 + 2 * np.roll(load, 3)], axis=1)
    values += random.normal(size=values.shape) * [0.02, 0.1, 0.1]
    return TimeSeries(start_s + time.astype(np.float64), values, CHANNELS, device="pump")


def with_fault(series: TimeSeries, first: int, last: int) -> TimeSeries:
    """The same with the flow stuck low while the pressure goes on."""
    values = series.values.copy()
    values[first:last, 1] = 2.0
    return replace(series, values=values)


def input_is_not_changed(subject: Subject) -> None:
    train, test = subject.train.values.copy(), subject.test.values.copy()
    subject.fit(subject.train)
    subject.fitted.score(subject.test)
    np.testing.assert_array_equal(subject.train.values, train)
    np.testing.assert_array_equal(subject.test.values, test)


def the_same_data_and_seed_give_the_same_scores(subject: Subject) -> None:
    one, other = subject.fit(subject.train), subject.fit(subject.train)
    np.testing.assert_array_equal(one.score(subject.test), other.score(subject.test))


def scores_are_finite_after_warm_up_and_nan_before(subject: Subject) -> None:
    scores = subject.fitted.score(subject.test)
    warm_up = subject.fitted.rule.window - 1
    assert scores.shape == (len(subject.test),)
    assert np.isnan(scores[:warm_up]).all()
    assert np.isfinite(scores[warm_up:]).all()


def fewer_rows_than_a_window_have_no_score(subject: Subject) -> None:
    short = subject.test[: subject.fitted.rule.window - 1]
    assert np.isnan(subject.fitted.score(short)).all()
    assert len(subject.fitted.score(subject.test[:0])) == 0


def a_window_alone_scores_as_among_others(subject: Subject) -> None:
    scores, rule = subject.fitted.score(subject.test), subject.fitted.rule
    for end in range(rule.window - 1, len(subject.test), 37 * rule.stride):
        alone = subject.fitted.score(subject.test[end - rule.window + 1 : end + 1])
        assert alone[-1] == pytest.approx(scores[end], abs=TOLERANCE, rel=TOLERANCE)


def nothing_later_touches_a_score(subject: Subject) -> None:
    cut = 150
    changed = with_fault(subject.test, cut, len(subject.test))
    before, after = subject.fitted.score(subject.test), subject.fitted.score(changed)
    np.testing.assert_allclose(after[:cut], before[:cut], rtol=TOLERANCE, atol=TOLERANCE)
    assert not np.allclose(after[cut:], before[cut:])


def no_window_spans_a_gap(subject: Subject) -> None:
    cut, rule = 120, subject.fitted.rule
    times = subject.test.times.copy()
    times[cut:] += 1000.0
    torn = replace(subject.test, times=times)
    scores = subject.fitted.score(torn)
    assert np.isnan(scores[cut : cut + rule.window - 1]).all()
    np.testing.assert_allclose(scores[cut:], subject.fitted.score(torn[cut:]), rtol=TOLERANCE, atol=TOLERANCE)


def a_missing_value_is_bridged_and_a_dead_device_has_no_score(subject: Subject) -> None:
    values = subject.test.values.copy()
    values[100, 0] = np.nan
    scores = subject.fitted.score(replace(subject.test, values=values))
    assert np.isfinite(scores[subject.fitted.rule.window - 1 :]).all()
    values[100:] = np.nan
    assert np.isnan(subject.fitted.score(replace(subject.test, values=values))[-1])


def a_fault_ranks_above_the_99th_percentile_of_normal(subject: Subject) -> None:
    normal = subject.fitted.score(subject.test)
    first = 120
    last = first + 2 * subject.fitted.rule.window
    faulty = subject.fitted.score(with_fault(subject.test, first, last))
    assert np.median(faulty[first + subject.fitted.rule.window // 2 : last]) > np.nanquantile(normal, 0.99)


def a_farther_fault_never_ranks_lower(subject: Subject) -> None:
    def peak(size: float) -> float:
        values = subject.test.values.copy()
        values[150:160, 0] += size
        return float(np.nanmax(subject.fitted.score(replace(subject.test, values=values))[150:160]))

    peaks = [peak(size) for size in (0.5, 5.0, 50.0, 5000.0)]
    assert peaks == sorted(peaks)


def a_constant_channel_that_moves_at_last_counts(subject: Subject) -> None:
    still = subject.train.values.copy()
    still[:, 2] = 7.0
    scorer = subject.fit(replace(subject.train, values=still))
    quiet = subject.test.values.copy()
    quiet[:, 2] = 7.0
    moved = quiet.copy()
    moved[150:, 2] = 9.0
    before = scorer.score(replace(subject.test, values=quiet))
    after = scorer.score(replace(subject.test, values=moved))
    assert np.isfinite(after[-1])
    assert np.median(after[160:]) > np.nanquantile(before, 0.99)


def arrays_score_like_series(subject: Subject) -> None:
    by_array = subject.fit(subject.train.values).score(subject.test.values)
    by_series = subject.fit(subject.train).score(subject.test)
    np.testing.assert_allclose(by_array, by_series, rtol=TOLERANCE, atol=TOLERANCE)


def several_series_are_learned_together(subject: Subject) -> None:
    scorer = subject.fit([subject.train, normal_series(300, seed=9, start_s=0.0)])
    assert np.isfinite(scorer.score(subject.test)[-1])


def one_channel_is_enough(subject: Subject) -> None:
    scores = subject.fit(subject.train.values[:, 0]).score(subject.test.values[:, 0])
    assert np.isfinite(scores[-1])


def too_little_data_is_refused(subject: Subject) -> None:
    for rows in (0, 1, subject.fitted.rule.window - 1):
        with pytest.raises(DataError):
            subject.fit(subject.train[:rows])
    with pytest.raises(DataError):
        subject.fit(np.full((400, 3), np.nan))
    with pytest.raises(DataError):
        subject.fit([])


def another_number_of_channels_is_refused(subject: Subject) -> None:
    with pytest.raises(DataError, match="2 channels"):
        subject.fitted.score(subject.test.values[:, :2])


LAWS = (
    input_is_not_changed,
    the_same_data_and_seed_give_the_same_scores,
    scores_are_finite_after_warm_up_and_nan_before,
    fewer_rows_than_a_window_have_no_score,
    a_window_alone_scores_as_among_others,
    nothing_later_touches_a_score,
    no_window_spans_a_gap,
    a_missing_value_is_bridged_and_a_dead_device_has_no_score,
    a_fault_ranks_above_the_99th_percentile_of_normal,
    a_farther_fault_never_ranks_lower,
    a_constant_channel_that_moves_at_last_counts,
    arrays_score_like_series,
    several_series_are_learned_together,
    one_channel_is_enough,
    too_little_data_is_refused,
    another_number_of_channels_is_refused,
)
