"""HitRate@P% against its definition, and chance against every ranking there is."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.matching import Interval
from anomgan.records import Floats
from anomgan_benchmark.hit_rate import expected_hit_rate, hit_rate, mean_contribution, segment_hits
from anomgan_benchmark.layouts import Segment

TIMES = np.arange(20.0)


def naive_hit_rate(weight: list[float], channels: set[int], percent: int) -> float:
    ranked = sorted(range(len(weight)), key=lambda c: (-weight[c], c))
    first = ranked[: int(percent / 100 * len(channels))]
    return sum(c in channels for c in first) / len(channels)


@given(st.data())
def test_the_hit_rate_is_its_definition(data: st.DataObject) -> None:
    weight = data.draw(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5]), min_size=1, max_size=8))
    channels = data.draw(st.sets(st.integers(0, len(weight) - 1), min_size=1))
    for percent in (100, 150):
        assert hit_rate(np.array(weight), sorted(channels), percent) == naive_hit_rate(weight, channels, percent)


def test_a_perfect_ranking_hits_everything_and_the_worst_nothing() -> None:
    weight = np.array([0.0, 0.4, 0.3, 0.0, 0.2, 0.1])
    assert hit_rate(weight, (1, 2), 100) == hit_rate(weight, (1, 2), 150) == 1.0
    assert hit_rate(weight, (0, 3), 150) == 0.0
    assert (hit_rate(weight, (1, 4), 100), hit_rate(weight, (1, 4), 150)) == (0.5, 1.0)


@pytest.mark.parametrize(("labelled", "channels"), [(1, 4), (2, 4), (3, 4), (4, 4), (1, 1), (2, 5)])
@pytest.mark.parametrize("percent", [100, 150])
def test_chance_is_the_mean_over_all_rankings(labelled: int, channels: int, percent: int) -> None:
    rates = [
        hit_rate(np.array(ranks, dtype=float), range(labelled), percent) for ranks in permutations(range(channels))
    ]
    assert expected_hit_rate(labelled, channels, percent) == pytest.approx(np.mean(rates))


def contribution_at(rows: slice, channel: int) -> tuple[Floats, Floats]:
    """Contribution (20, 3), all on one channel in some rows that score 5, and on the first elsewhere, scoring 1."""
    contribution, scores = np.zeros((20, 3)), np.ones(20)
    contribution[:, 0] = 1.0
    contribution[rows] = np.eye(3)[channel]
    scores[rows] = 5.0
    return contribution, scores


def test_rows_count_by_their_score() -> None:
    contribution, scores = contribution_at(slice(4, 6), channel=2)
    assert mean_contribution(contribution[4:10], scores[4:10]) == pytest.approx(np.array([4, 0, 10]) / 14)
    scores[5] = np.nan
    assert mean_contribution(contribution[4:10], scores[4:10]) == pytest.approx(np.array([4, 0, 5]) / 9)


def test_rows_that_all_score_nothing_count_alike() -> None:
    contribution, _ = contribution_at(slice(4, 6), channel=2)
    assert mean_contribution(contribution[4:8], np.zeros(4)) == pytest.approx(np.array([0.5, 0, 0.5]))


def test_a_segment_is_found_where_an_event_touches_it() -> None:
    contribution, scores = contribution_at(slice(4, 8), channel=1)
    segments = [Segment(4, 7, (1,)), Segment(12, 15, (1,)), Segment(17, 19, (0,))]
    hits = segment_hits(contribution, scores, [Interval(7.0, 9.0), Interval(19.0, 19.5)], TIMES, segments)
    assert [hit.found for hit in hits] == [True, False, True]
    assert [hit.rates for hit in hits] == [(1.0, 1.0), (0.0, 0.0), (1.0, 1.0)]
    assert {hit.chance for hit in hits} == {(1 / 3, 1 / 3)}


def test_a_segment_in_which_nothing_was_scored_is_ranked_by_chance() -> None:
    contribution, scores = contribution_at(slice(4, 8), channel=1)
    scores[:8] = np.nan
    (hit,) = segment_hits(contribution, scores, [], TIMES, [Segment(4, 7, (1, 2))])
    assert hit.rates == hit.chance == (2 / 3, 1.0)


def test_a_detector_that_tells_no_contribution_has_no_hits() -> None:
    assert segment_hits(None, np.ones(20), [], TIMES, [Segment(4, 7, (1,))]) == []
