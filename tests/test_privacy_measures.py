"""Parts of a privacy report: each against a naive twin or a known answer."""

import numpy as np
import pytest
from privacy_cases import LENGTH, process, samples

from anomgan.errors import DataError
from anomgan.privacy import Sample, loose_windows, score_attack, sliding_windows
from anomgan.privacy.chance import LEVEL, PERMUTATIONS, exchanged, judged, p_value, redrawn
from anomgan.privacy.distances import by_distance, measure_distances, nearest_by_block
from anomgan.privacy.duplicates import TAIL, chance_of
from anomgan.privacy.membership import FALSE_ALARMS, attack
from anomgan.privacy.sample import blocks_of, joined, offsets, spread_out
from anomgan.records import TimeSeries, series_from_array
from anomgan.scaling import fit_scaler

RNG = np.random.default_rng


# ---------------------------------------------------------------- samples


def test_windows_do_not_span_a_gap_or_a_long_hole() -> None:
    values = process(100, RNG(0))
    values[40:60, 1] = np.nan
    times = np.arange(100.0)
    times[80:] += 1000.0
    found = sliding_windows(TimeSeries(times, values, ("a", "b", "c")), fit_scaler(values), LENGTH)
    spans = [set(range(row, row + LENGTH)) for row in found.rows.tolist()]
    assert all(not span & set(range(44, 60)) for span in spans)  # four rows are held, a quarter of a window
    assert all(not {79, 80} <= span for span in spans)
    assert {row for row in found.rows.tolist() if row < 28} == set(range(28))


@pytest.mark.parametrize(
    ("windows", "rows", "said"),
    [
        (np.zeros((3, 2)), np.arange(3), "not \\(N, C, L\\)"),
        (np.zeros((3, 2, 4)), np.arange(2), "with rows"),
        (np.zeros((3, 2, 4)), np.array([0, 2, 2]), "do not increase"),
        (np.full((3, 2, 4), np.nan), np.arange(3), "missing or infinite"),
    ],
)
def test_a_sample_that_makes_no_sense_is_refused(windows: np.ndarray, rows: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Sample(windows, rows)


def test_joined_data_sets_never_overlap_and_their_rows_can_be_found_again() -> None:
    parts = [loose_windows(RNG(i).normal(size=(5, 2, 8))) for i in range(3)]
    whole, begins = joined(parts), offsets(parts)
    assert len(whole) == 15
    assert np.diff(whole.rows).min() >= 8
    assert [whole.rows[5 * i] for i in range(3)] == begins


def test_windows_asked_about_are_apart_few_and_spread_over_all() -> None:
    sample = Sample(np.zeros((1000, 1, 16)), np.arange(1000))
    chosen = spread_out(sample, 10_000)
    assert np.diff(sample.rows[chosen]).min() == 4
    few = spread_out(sample, 100)
    assert len(few) == 100
    assert sample.rows[few].max() > 980


# ---------------------------------------------------------------- distances


def test_the_nearest_of_every_block_is_found_as_one_by_one() -> None:
    rng = RNG(1)
    asked, points = rng.normal(size=(150, 12)) + 1e3, rng.normal(size=(90, 12)) + 1e3
    asked[7] = points[33]
    blocks = blocks_of(np.sort(rng.choice(400, 90, replace=False)), 40)
    distance, which = nearest_by_block(asked, points, blocks)
    for i in range(len(asked)):
        every = np.array([np.sqrt(((asked[i] - point) ** 2).sum()) for point in points])
        for k in range(len(blocks)):
            own = np.flatnonzero(blocks.of == k)
            assert which[i, k] == own[every[own].argmin()]
            assert distance[i, k] == pytest.approx(every[own].min(), abs=1e-9)
    assert distance[7, blocks.of[33]] == 0.0


def test_a_distance_is_the_root_mean_square_difference_of_cells() -> None:
    one = Sample(np.zeros((1, 2, 8)), np.zeros(1, np.int64))
    other = Sample(np.full((1, 2, 8), 3.0), np.zeros(1, np.int64))
    assert np.linalg.norm(one.flat - other.flat) == pytest.approx(3.0)


def test_a_block_beside_a_nearer_one_does_not_count() -> None:
    blocks = blocks_of(np.array([0, 10, 20, 30, 60]), 10)  # places 0 1 2 3 6
    distance, order = by_distance(np.array([[1.0, 0.5, 2.0, 3.0, 4.0]]), blocks)
    assert order[0].tolist() == [1, -1, -1, 3, 4]
    assert distance[0].tolist() == [0.5, np.inf, np.inf, 3.0, 4.0]


def test_real_windows_never_answer_for_their_own_time() -> None:
    train, held, made = samples(*(process(800, RNG(i)) for i in range(3)))
    tables = measure_distances(train, held, made, 50)
    assert tables.elsewhere.min() > 0.0
    assert np.isinf(tables.real_real[np.arange(len(tables.asked_real)), tables.block_of_real]).all()
    assert int(tables.is_member.sum()) == len(spread_out(train, 2000))


# ---------------------------------------------------------------- chance


def test_chance_is_never_impossible_and_exchanged_labels_are_the_same_labels() -> None:
    assert p_value(1e9, np.zeros(PERMUTATIONS)) == 1 / (PERMUTATIONS + 1)
    assert p_value(0.0, np.zeros(9)) == 1.0
    member = np.arange(12) < 5
    assert (exchanged(member, RNG(0)).sum(axis=1) == 5).all()
    assert (redrawn(12, RNG(0)).sum(axis=1) == 12).all()


def test_what_real_data_do_by_themselves_is_no_leak() -> None:
    null = RNG(0).normal(0.5, 0.01, PERMUTATIONS)
    assert judged(0.9, (0.85, 0.95), null, apart=True).verdict == "cannot tell"
    assert judged(0.9, (0.85, 0.95), null, apart=False).verdict == "leak"
    assert judged(0.5, (0.4, 0.6), null, apart=True).verdict == "not found"


@pytest.mark.parametrize("dimension", [2.0, 10.0])
def test_chance_close_by_follows_the_dimension_and_errs_to_the_side_of_chance(dimension: float) -> None:
    real = RNG(0).uniform(size=4000) ** (1 / dimension)  # P(ratio < r) = r^dimension
    q = TAIL ** (1 / dimension)
    for r in (0.5 * q, 0.1 * q):
        assert chance_of(np.array([r]), real)[0] == pytest.approx(TAIL * (r / q) ** (dimension / 2), rel=0.2)
        assert chance_of(np.array([r]), real)[0] > r**dimension
    assert chance_of(np.array([0.0]), np.zeros(100))[0] == 1.0  # data that repeat themselves


# ---------------------------------------------------------------- attacks


def naive_area(members: np.ndarray, others: np.ndarray) -> float:
    return float(np.mean([(a > b) + 0.5 * (a == b) for a in members for b in others]))


def naive_found(members: np.ndarray, others: np.ndarray, rate: float) -> float:
    best = 0.0
    for threshold in np.concatenate([members, others]):
        if np.mean(others >= threshold) <= rate:
            best = max(best, float(np.mean(members >= threshold)))
    return best


@pytest.mark.parametrize("digits", [0, 6])
def test_area_and_share_found_are_those_of_all_pairs_and_all_thresholds(digits: int) -> None:
    rng = RNG(2)
    members, others = np.round(rng.normal(0.7, 1.0, 220), digits), np.round(rng.normal(0.0, 1.0, 150), digits)
    found = score_attack(members, others, 10, rng)
    assert found.auc.value == pytest.approx(naive_area(members, others))
    assert found.false_alarms == FALSE_ALARMS[0]
    assert found.found.value == pytest.approx(naive_found(members, others, FALSE_ALARMS[0]))
    assert found.auc.low < found.auc.value < found.auc.high


def test_a_perfect_attack_finds_all_and_a_blind_one_none() -> None:
    rng = RNG(3)
    perfect = score_attack(rng.uniform(1, 2, 200), rng.uniform(0, 1, 200), 10, rng)
    assert (perfect.auc.value, perfect.found.value, perfect.auc.verdict) == (1.0, 1.0, "leak")
    blind = score_attack(np.ones(200), np.ones(200), 10, rng)
    assert (blind.auc.value, blind.found.value, blind.auc.verdict) == (0.5, 0.0, "not found")


def test_a_leak_of_few_windows_shows_at_few_false_alarms() -> None:
    rng = RNG(4)
    members = rng.normal(size=1000)
    members[rng.choice(1000, 100, replace=False)] = 9.0
    found = score_attack(members, rng.normal(size=1000), 10, rng)
    assert found.found.verdict == "leak"
    assert found.found.value == pytest.approx(0.1, abs=0.02)


def test_blocks_of_dependent_scores_are_not_taken_for_evidence() -> None:
    """As many scores as one likes from ten devices' worth of luck: apart by windows, together by blocks."""
    rng, false = RNG(5), np.zeros(2)
    for _ in range(30):
        members, others = (np.repeat(rng.normal(size=12), 40) + 0.01 * rng.normal(size=480) for _ in range(2))
        found = score_attack(members, others, 40, rng)
        false += [found.auc.p < 0.05, found.found.p < 0.05]
    assert false.max() <= 5
    one_by_one = [np.repeat(rng.normal(size=12), 40) for _ in range(2)]
    assert score_attack(one_by_one[0] + 0.5, one_by_one[1], 1, rng).auc.p < LEVEL


def test_scores_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(DataError, match="2 and 20 blocks of scores; chance takes 10"):
        score_attack(np.ones(20), np.ones(200), 10, RNG(0))
    with pytest.raises(DataError, match="1 of 400 scores are not a number"):
        score_attack(np.append(np.ones(199), np.nan), np.ones(200), 10, RNG(0))


def test_an_attack_is_the_same_in_whatever_unit_its_scores_are() -> None:
    rng = RNG(6)
    blocks, member = np.arange(300) // 10, np.arange(30) < 15
    scores = rng.normal(size=300)
    one, other = (attack("a", s, blocks, member, False, RNG(0)) for s in (scores, 100 * np.exp(scores)))
    assert (one.auc, one.found) == (other.auc, other.found)


def test_series_of_one_array_are_windows_of_all_rows() -> None:
    values = process(60, RNG(7))
    sample = sliding_windows(series_from_array(values), fit_scaler(values), LENGTH)
    assert sample.windows.shape == (45, 3, LENGTH)
