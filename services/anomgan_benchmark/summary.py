"""Means over series, with a bootstrap interval; who beats whom; hit rates.

A series' figure is the mean over its seeds. The interval holds 95 % of the means over series drawn again with
replacement (Efron 1979); the mean over suites is drawn within each suite, so a suite of one series adds nothing to it.
All detectors share one draw, so the interval of a difference is that of paired series.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anomgan_benchmark.hit_rate import Hits
from anomgan_benchmark.protocol import Figures
from anomgan_benchmark.results import Result

DRAWS = 2000
DRAW_SEED = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """A column: its key, its heading, how it follows from figures, whether more is better, digits after the point."""

    key: str
    heading: str
    of: Callable[[Figures], float]
    more_is_better: bool = True
    digits: int = 3


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


METRICS = (
    Metric("vus_pr", "VUS-PR", lambda f: f.vus_pr),
    Metric("vus_roc", "VUS-ROC", lambda f: f.vus_roc),
    Metric("auc_pr", "AUC-PR", lambda f: f.auc_pr),
    Metric("best_f1", "best F1", lambda f: f.best_f1),
    Metric("event_recall", "events", lambda f: _ratio(f.events_found, f.true_events)),
    Metric("false_per_1000", "false/1k", lambda f: 1000.0 * _ratio(f.false_alarms, f.normal_windows), False, 2),
    Metric("fit_s", "fit s", lambda f: f.fit_s, False, 2),
    Metric("score_s", "score s", lambda f: f.score_s, False, 3),
    Metric("windows_per_s", "windows/s", lambda f: _ratio(f.windows, f.score_s), True, 0),
)
MAIN = "vus_pr"


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over series and the ends of its 95 % interval, NaN where no suite has two series to draw from."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HitRate:
    """Mean over labelled segments of the hit rate at each level of `hit_rate.LEVELS`, and that of chance.

    segments: how many there are, with several seeds in the mean.
    """

    segments: float
    rates: tuple[float, ...]
    chance: tuple[float, ...]


Values = Mapping[str, Mapping[str, float]]
"""A figure by suite and series."""


@dataclass(frozen=True, slots=True)
class Line:
    """A detector on a suite, or over all suites.

    values: metric -> suite -> series -> mean over seeds. by_seed: the mean VUS-PR of each seed. found_hits: over the
    segments that an event overlaps; no hit rates where no channel is labelled or the detector tells no contribution.
    """

    name: str
    series: int
    failed: int
    means: Mapping[str, Mean]
    by_seed: Mapping[int, float]
    values: Mapping[str, Values]
    hits: HitRate | None = None
    found_hits: HitRate | None = None

    @property
    def seed_spread(self) -> float:
        """The standard deviation over seeds of the mean VUS-PR, NaN with one seed."""
        return float(np.std(list(self.by_seed.values()), ddof=1)) if len(self.by_seed) > 1 else math.nan


@dataclass(frozen=True, slots=True)
class Summary:
    """Each suite's lines, those over all suites (of detectors that have every suite), and what failed."""

    suites: Mapping[str, Mapping[str, Line]]
    overall: Mapping[str, Line]
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lead:
    """VUS-PR of one over another, on the series that both have: means over series, then over suites."""

    name: str
    over: str
    of_name: float
    of_over: float
    difference: Mean
    series: int


def summarise(results: Sequence[Result]) -> Summary:
    """The summary of results; those that failed are counted, under the name that was asked for."""
    of: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        for name in list(result.figures) or [result.key.detector]:
            of.setdefault(result.key.suite, {}).setdefault(name, []).append(result)
    suites = {
        suite: {name: _line(suite, name, several) for name, several in by_name.items()} for suite, by_name in of.items()
    }
    names = dict.fromkeys(name for lines in suites.values() for name in lines)
    overall = {
        name: _overall(name, [lines[name] for lines in suites.values()])
        for name in names
        if all(name in lines and lines[name].series for lines in suites.values())
    }
    keys = {f"{r.key.suite} {r.key.series}, {r.key.detector}, seed {r.key.seed}": r.error for r in results if r.error}
    return Summary(suites, overall, keys)


def mean_over(groups: Sequence[Sequence[float]]) -> Mean:
    """The mean over groups of the mean in each; members are drawn again within each group. NaN is left out."""
    known = [values[~np.isnan(values)] for values in map(np.asarray, groups)]
    known = [values for values in known if len(values)]
    mean = float(np.mean([values.mean() for values in known])) if known else math.nan
    if max(map(len, known), default=0) < 2:
        return Mean(mean, math.nan, math.nan)
    dice = np.random.default_rng(DRAW_SEED)
    drawn = [values[dice.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1) for values in known]  # (K,) each
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    return Mean(mean, float(low), float(high))


def lead(name: str, of_name: Values, over: str, of_over: Values) -> Lead | None:
    """One against another on the series and suites that both have; None where there are none."""
    shared = {
        suite: [series for series in of_name[suite] if series in of_over[suite]]
        for suite in of_name
        if suite in of_over
    }
    groups = [(suite, series) for suite, series in shared.items() if series]
    if not groups:
        return None
    theirs = [[of_name[suite][one] for one in series] for suite, series in groups]
    others = [[of_over[suite][one] for one in series] for suite, series in groups]
    between = [[a - b for a, b in zip(*pair, strict=True)] for pair in zip(theirs, others, strict=True)]
    count = sum(map(len, between))
    return Lead(name, over, mean_over(theirs).mean, mean_over(others).mean, mean_over(between), count)


def _line(suite: str, name: str, results: Sequence[Result]) -> Line:
    done = [(result.key, result.figures[name]) for result in results if name in result.figures]
    values: dict[str, dict[str, dict[str, float]]] = {}
    for metric in METRICS:
        several: dict[str, list[float]] = {}
        for key, figures in done:
            several.setdefault(key.series, []).append(metric.of(figures))
        values[metric.key] = {suite: {series: float(np.mean(each)) for series, each in several.items()}}
    by_seed: dict[int, list[float]] = {}
    for key, figures in done:
        by_seed.setdefault(key.seed, []).append(figures.vus_pr)
    hits = [hit for _, figures in done for hit in figures.hits]
    return Line(
        name=name,
        series=len(values[MAIN][suite]),
        failed=len(results) - len(done),
        means={key: mean_over([list(of[suite].values())]) for key, of in values.items()},
        by_seed={seed: float(np.mean(each)) for seed, each in by_seed.items()},
        values=values,
        hits=_hit_rate(hits, len(by_seed)),
        found_hits=_hit_rate([hit for hit in hits if hit.found], len(by_seed)),
    )


def _overall(name: str, lines: Sequence[Line]) -> Line:
    """The mean over suites; a seed counts where every suite has it."""
    seeds = [seed for seed in lines[0].by_seed if all(seed in line.by_seed for line in lines)]
    values = {
        metric.key: {suite: series for line in lines for suite, series in line.values[metric.key].items()}
        for metric in METRICS
    }
    return Line(
        name=name,
        series=sum(line.series for line in lines),
        failed=sum(line.failed for line in lines),
        means={key: mean_over([list(series.values()) for series in of.values()]) for key, of in values.items()},
        by_seed={seed: float(np.mean([line.by_seed[seed] for line in lines])) for seed in seeds},
        values=values,
    )


def _hit_rate(hits: Sequence[Hits], seeds: int) -> HitRate | None:
    if not hits:
        return None
    rates, chance = (np.mean([getattr(hit, name) for hit in hits], axis=0) for name in ("rates", "chance"))
    return HitRate(len(hits) / seeds, tuple(rates.tolist()), tuple(chance.tolist()))
