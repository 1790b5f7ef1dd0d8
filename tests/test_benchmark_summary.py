"""Means, intervals and who beats whom, on figures made for it; and what tables and files say of them."""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmark_sets import FIGURES, KEY

from anomgan.errors import DataError
from anomgan_benchmark.export import OVERALL, results_csv, summary_csv, summary_json
from anomgan_benchmark.peers import read_peers, standing
from anomgan_benchmark.results import Result
from anomgan_benchmark.summary import lead, mean_over, summarise
from anomgan_benchmark.table import beaten, describe

Scores = Mapping[str, Mapping[str, list[float]]]


def results_of(scores: Scores, seed: int = 0) -> list[Result]:
    """suite -> detector -> VUS-PR of series 0, 1, ...; NaN is a series that failed."""
    return [
        Result(
            key=replace(KEY, suite=suite, series=str(number), detector=detector, seed=seed),
            training=f"{suite} {number}",
            figures={} if math.isnan(value) else {detector: replace(FIGURES, vus_pr=value, hits=())},
            error="DataError: too few rows" if math.isnan(value) else "",
        )
        for suite, of_suite in scores.items()
        for detector, values in of_suite.items()
        for number, value in enumerate(values)
    ]


SCORES = {
    "skab": {"gan": [0.9, 0.8, 0.7], "knn": [0.8, 0.8, 0.5], "zscore": [0.9, 0.9, 0.9]},
    "nab": {"gan": [0.5, 0.4], "knn": [0.6, 0.6], "zscore": [0.1, 0.3]},
}
NO_PEERS: dict[str, dict[str, dict[str, float]]] = {}


def test_the_mean_over_suites_weighs_suites_alike_whatever_their_size() -> None:
    summary = summarise(results_of(SCORES))
    assert summary.suites["skab"]["gan"].means["vus_pr"].mean == pytest.approx(0.8)
    assert summary.overall["gan"].means["vus_pr"].mean == pytest.approx((0.8 + 0.45) / 2)
    assert summary.overall["gan"].series == 5


def test_the_interval_is_that_of_means_of_series_drawn_again() -> None:
    values = np.random.default_rng(5).beta(2, 2, size=200)
    found = mean_over([values.tolist()])
    half = 1.96 * values.std() / math.sqrt(len(values))  # the central limit theorem's
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_the_interval_over_suites_draws_within_each_suite() -> None:
    apart = mean_over([[0.0] * 50, [1.0] * 50])  # no suite varies, so the mean over suites does not
    assert (apart.low, apart.mean, apart.high) == (0.5, 0.5, 0.5)
    wide, narrow = mean_over([[0.0, 1.0] * 20]), mean_over([[0.0, 1.0] * 20, [0.0, 1.0] * 20])
    assert narrow.high - narrow.low < wide.high - wide.low


def test_one_series_has_no_interval() -> None:
    alone = mean_over([[0.7]])
    assert alone.mean == 0.7
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_the_same_results_give_the_same_summary() -> None:
    one, other = (summary_json(summarise(results_of(SCORES)), NO_PEERS, {}) for _ in range(2))
    assert one == other


def test_a_difference_is_drawn_in_pairs() -> None:
    hard, easy = [0.1, 0.9] * 20, [0.2, 1.0] * 20
    found = lead(
        "a", {"s": dict(enumerate_names(easy))}, "b", {"s": dict(enumerate_names(hard))}
    )  # always 0.1 ahead, on series that are far apart
    assert found is not None
    assert (found.difference.low, found.difference.high) == pytest.approx((0.1, 0.1))


def enumerate_names(values: list[float]) -> list[tuple[str, float]]:
    return [(str(number), value) for number, value in enumerate(values)]


def test_seeds_are_one_series_and_their_spread_is_told() -> None:
    results = results_of({"skab": {"gan": [0.8, 0.6]}}) + results_of({"skab": {"gan": [0.9, 0.9]}}, seed=1)
    line = summarise(results).suites["skab"]["gan"]
    assert (line.series, line.by_seed) == (2, pytest.approx({0: 0.7, 1: 0.9}))
    assert line.means["vus_pr"].mean == pytest.approx(0.8)
    assert line.seed_spread == pytest.approx(np.std([0.7, 0.9], ddof=1))
    assert "± seeds" in describe(summarise(results), NO_PEERS)


def test_a_series_that_failed_is_counted_and_named_and_compared_with_nobody() -> None:
    summary = summarise(results_of({"skab": {"gan": [0.9, math.nan], "knn": [0.8, 1.0]}}))
    gan = summary.suites["skab"]["gan"]
    assert (gan.series, gan.failed) == (1, 1)
    assert beaten(summary.suites["skab"]) == []  # on the series that both have, 0.9 is above 0.8
    text = describe(summary, NO_PEERS)
    assert "failed" in text.splitlines()[1]
    assert "skab 1, gan, seed 0: DataError: too few rows" in text


def test_a_detector_that_failed_on_a_whole_suite_has_no_mean_over_suites() -> None:
    summary = summarise(results_of({"skab": {"gan": [0.9], "knn": [math.nan]}, "nab": {"gan": [0.5], "knn": [0.6]}}))
    assert list(summary.overall) == ["gan"]
    assert summary.suites["skab"]["knn"].failed == 1
    assert "-" in describe(summary, NO_PEERS)


def test_a_baseline_that_wins_stays_visible() -> None:
    summary = summarise(results_of(SCORES))
    assert [one.name for one in beaten(summary.suites["skab"])] == ["zscore"]
    assert [one.name for one in beaten(summary.suites["nab"])] == ["knn"]
    lines = describe(summary, NO_PEERS).splitlines()
    told = [line for line in lines if line.startswith("  !")]
    assert [line.split(", difference")[0] for line in told] == [
        "  ! zscore beats gan here: VUS-PR 0.900 against 0.800",
        "  ! knn beats gan here: VUS-PR 0.600 against 0.450",
        "  ! knn beats gan here: VUS-PR 0.650 against 0.625",
    ]


def test_the_best_of_every_column_is_marked() -> None:
    text = describe(summarise(results_of(SCORES)), NO_PEERS)
    rows = {line.split()[0]: line for line in text.split("\n\n")[0].splitlines()[2:5]}
    assert "0.900*" in rows["zscore"]
    assert "0.800*" not in rows["gan"]
    assert "*" not in describe(summarise(results_of({"skab": {"gan": [0.9]}})), NO_PEERS).split("\n\n")[0]


def test_columns_stand_under_their_headings() -> None:
    for block in describe(summarise(results_of(SCORES)), NO_PEERS).split("\n\n")[:3]:
        heading, *rows = block.splitlines()[1:5]
        end = heading.index("VUS-PR") + len("VUS-PR")
        assert all(row[end - 1].isdigit() for row in rows)


# ---------------------------------------------------------------- peers

PEERS = """method,set,series,n_train,VUS-PR
one,SKAB,0,400,0.85
one,SKAB,SKAB_1,400,0.85
one,SKAB,2,400,0.85
part,SKAB,1,400,0.95
one,NAB,0,9,0.1
one,NAB,1,9,0.2
gone,SKAB,1,400,
"""


@pytest.fixture
def peers_file(tmp_path: Path) -> Path:
    (tmp_path / "peers.csv").write_text(PEERS)
    return tmp_path / "peers.csv"


def test_a_peer_is_compared_on_the_same_series_only(peers_file: Path) -> None:
    peers, summary = read_peers(peers_file), summarise(results_of(SCORES))
    assert set(peers) == {"one", "part"}
    skab = standing(peers, summary.suites["skab"]["gan"])
    assert skab.best is not None
    assert (skab.best.name, skab.best.of_name, skab.best.of_over) == ("one", pytest.approx(0.85), pytest.approx(0.8))
    assert [(one.name, one.series, one.of_over) for one in skab.ahead] == [("part", 1, 0.8)]
    overall = standing(peers, summary.overall["gan"])
    assert [one.name for one in (*overall.whole, *overall.part)] == ["one"]  # `part` has no series of nab


def test_the_table_says_who_of_the_peers_is_ahead(peers_file: Path) -> None:
    text = describe(summarise(results_of(SCORES)), read_peers(peers_file))
    assert "! the best peer on the same 3 series, one, beats gan: VUS-PR 0.850 against 0.800" in text
    assert "! peer part beats gan on the 1 series that it has: VUS-PR 0.950 against 0.800" in text
    assert "  the best peer on the same 2 series, one, is below gan: VUS-PR 0.150 against 0.450" in text
    assert "no peer has all" in describe(summarise(results_of({"tep": {"gan": [0.9]}})), read_peers(peers_file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method,set,VUS-PR\na,b,0.5\n", "there is no column 'series'"),
        ("method,set,series,VUS-PR\na,b,c,high\n", "peers.csv:2: 'high' in column 'VUS-PR' is not a number"),
        ("", "no row under a header"),
    ],
)
def test_a_peers_file_that_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "peers.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_peers(tmp_path / "peers.csv")


# ---------------------------------------------------------------- files


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_seconds_of_a_fit_that_series_share_are_stated_once() -> None:
    results = [replace(result, training="the same") for result in results_of({"tep": {"gan": [0.9, 0.8, 0.7]}})]
    assert [row["fit_s"] for row in rows_of(results_csv(results))] == ["0.1", "", ""]
    assert [row["vus_pr"] for row in rows_of(results_csv(results))] == ["0.9", "0.8", "0.7"]


def test_a_failed_series_is_a_row_with_its_error() -> None:
    (row,) = rows_of(results_csv(results_of({"skab": {"gan": [math.nan]}})))
    assert (row["detector"], row["error"], row["vus_pr"]) == ("gan", "DataError: too few rows", "")


def test_summary_csv_and_json_say_the_same(peers_file: Path) -> None:
    summary, peers = summarise(results_of(SCORES)), read_peers(peers_file)
    rows = {(row["suite"], row["detector"]): row for row in rows_of(summary_csv(summary, peers))}
    document = json.loads(summary_json(summary, peers, {"seeds": (0,)}))
    assert document["seeds"] == [0]
    told = {**document["suites"], OVERALL: document["mean_over_suites"]}
    for suite, of_suite in told.items():
        for name, of_detector in of_suite["detectors"].items():
            mean = of_detector["means"]["vus_pr"]
            row = rows[suite, name]
            assert [float(row[f"vus_pr{end}"]) for end in ("", "_low", "_high")] == list(mean.values())
        for peer in of_suite["peers"]["whole"] + of_suite["peers"]["part"]:
            assert float(rows[suite, peer["name"]]["vus_pr"]) == peer["of_name"]
    assert [one["name"] for one in document["suites"]["nab"]["baselines_ahead"]] == ["knn"]
    assert len(rows) == 3 * 3 + 4


def test_hit_rates_are_means_over_segments_those_found_apart() -> None:
    results = [Result(KEY, "1", {"gan": FIGURES}), Result(replace(KEY, series="b"), "2", {"gan": FIGURES})]
    line = summarise(results).suites["skab"]["gan"]
    assert line.hits is not None
    assert (line.hits.segments, line.hits.rates, line.hits.chance) == (2, (0.5, 1.0), (0.25, 0.25))
    assert line.found_hits == line.hits
    (row,) = rows_of(summary_csv(summarise(results), NO_PEERS))
    assert (row["hit_rate_100"], row["found_hit_rate_150"], row["hit_rate_100_by_chance"]) == ("0.5", "1.0", "0.25")
    assert "HitRate@100%" in describe(summarise(results), NO_PEERS)
