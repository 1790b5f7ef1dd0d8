"""The report: the same figures of real data beside them, and words instead of a crash for what cannot be compared."""

import json
from functools import cache

import numpy as np
import pytest
from test_fidelity import REAL, SAME, machine

from anomgan.errors import DataError
from anomgan.fidelity import FidelityReport, make_report
from anomgan.fidelity.report import STAGES, default_window
from anomgan.records import series_from_array
from anomgan.synthesis_baselines import BlockBootstrap, VectorAutoregression

HELD, MADE = machine(600, 3), machine(600, 4)


@cache
def report() -> FidelityReport:
    return make_report(REAL[:600], HELD, MADE, window=8)


def test_what_is_as_real_as_real_data_gets_the_floor() -> None:
    found = report()
    made, real = found.synthetic, found.floor
    assert made.wasserstein == pytest.approx(real.wasserstein, abs=0.25)
    assert made.autocorrelation == pytest.approx(real.autocorrelation, abs=0.1)
    assert made.spectrum == pytest.approx(real.spectrum, abs=1.0)
    assert made.discriminative.score == pytest.approx(real.discriminative.score, abs=0.15)
    assert made.prediction == pytest.approx(real.prediction, rel=0.1)
    assert made.manifold.coverage == pytest.approx(real.manifold.coverage, abs=0.15)
    assert made.nearness.ratio == pytest.approx(1.0, abs=0.1)
    assert real.nearness.ratio == 1.0
    assert real.nearness.copies < 0.1
    assert found.last_value > made.prediction


def test_each_baseline_is_seen_through_by_the_measure_made_for_it() -> None:
    rng = np.random.default_rng(0)
    train = SAME[:600]
    wave = np.sign(np.sin(2 * np.pi * np.arange(600) / 20))[:, None]  # no linear model makes this of noise
    squares = [np.hstack([2.0 * wave, -wave]) + 0.1 * rng.normal(size=(600, 2)) for _ in range(2)]
    copied = make_report(train, HELD, BlockBootstrap.fit(train).generate(rng, 600), window=8)
    linear = make_report(*squares, VectorAutoregression.fit(squares[0]).generate(rng, 600), window=8)
    assert copied.synthetic.nearness.copies > 0.4
    assert linear.synthetic.kolmogorov_smirnov.max() > linear.floor.kolmogorov_smirnov.max() + 0.05
    assert linear.synthetic.discriminative.score > linear.floor.discriminative.score + 0.1


def test_the_same_seed_gives_the_same_report_which_json_can_hold() -> None:
    again = make_report(REAL[:600], HELD, MADE, window=8, floor=report().floor)
    document = json.loads(json.dumps(report().as_dict(), allow_nan=False))
    assert document == again.as_dict()
    assert document["channels"] == ["c0", "c1"]
    assert len(document["synthetic"]["cross_correlation"]) == 2
    assert document["floor"]["manifold"].keys() == {"precision", "recall", "density", "coverage"}


def test_the_table_has_a_line_a_measure_and_columns_that_stand_below_each_other() -> None:
    lines = str(report()).splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == [
        "marginals, Wasserstein",
        "marginals, Kolmogorov-Smirnov",
        "autocorrelation",
    ]
    assert len(lines) == 13
    assert {line[lines[0].index("generated") + len("generated") - 1] for line in lines[1:]} <= set("0123456789")
    assert "worst: c" in lines[1]


def test_progress_is_told_in_order_up_to_the_end() -> None:
    told: list[tuple[int, int, str]] = []
    make_report(REAL[:300], HELD[:300], MADE[:300], window=8, progress=lambda *step: told.append(step))
    assert [done for done, _, _ in told] == list(range(2 * len(STAGES) + 1))
    assert told[4] == (4, 12, "discriminative score, generated")
    assert told[-1] == (12, 12, "done")


def test_several_series_with_gaps_and_missing_values_are_compared_too() -> None:
    holed = HELD.copy()
    holed[np.random.default_rng(0).random(holed.shape) < 0.05] = np.nan
    holed[100:130, 0] = np.nan
    parts = [series_from_array(part) for part in np.split(holed, 3)]
    found = make_report(REAL[:600], parts, MADE, window=8)
    assert np.isfinite(found.synthetic.spectrum).all()
    assert found.held_out_rows == 600


def test_a_channel_that_stands_still_in_real_data_is_no_obstacle() -> None:
    still = np.full((600, 1), 7.0)
    given = [np.hstack([one, still]) for one in (REAL[:600], HELD, MADE)]
    found = make_report(given[0], given[1], given[2], window=8)
    assert found.synthetic.wasserstein[2] == found.synthetic.spectrum[2] == found.synthetic.autocorrelation[2] == 0.0
    moved = make_report(given[0], given[1], np.hstack([MADE, still + HELD[:, :1]]), window=8)
    assert moved.synthetic.wasserstein[2] > 1.0
    assert moved.synthetic.discriminative.score == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("rows", "window"), [(100, 8), (320, 8), (640, 16), (1279, 24), (1280, 32), (10**6, 32)])
def test_the_window_follows_the_rows(rows: int, window: int) -> None:
    assert default_window(rows) == window


def test_what_cannot_be_compared_is_refused_in_words() -> None:
    named = series_from_array(MADE, channels=("flow", "c1"))
    with pytest.raises(
        DataError, match="the synthetic data: lacks c0 and has flow besides, compared with the held-out"
    ):
        make_report(REAL, HELD, named)
    turned = series_from_array(MADE, channels=("c1", "c0"))
    with pytest.raises(DataError, match="the synthetic data: has the channels in another order"):
        make_report(REAL, HELD, turned)
    with pytest.raises(DataError, match=r"a window of 8 rows: .* the shortest has 30"):
        make_report(REAL, HELD, MADE[:30])
    with pytest.raises(DataError, match=r"a window of 100 rows: .* the shortest has 600"):
        make_report(REAL, HELD, MADE, window=100)
    dead = HELD.copy()
    dead[:, 0] = np.nan
    with pytest.raises(DataError, match="the held-out data: channel 'c0' has not a single value"):
        make_report(REAL, dead, MADE)
    holed = MADE.copy()
    holed[::4] = np.nan
    holed[1::4] = np.nan
    holed[2::4] = np.nan
    with pytest.raises(DataError, match="the synthetic data: no 8 consecutive rows without a missing value"):
        make_report(REAL, HELD, holed, window=8)
