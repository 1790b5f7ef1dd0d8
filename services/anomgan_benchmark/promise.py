"""Does a detector keep its promise on normal data? What it claims, held against what it does.

Two claims are measured. An alarm budget promises so many alarms a week and device: the events that the service would
open at its threshold are counted, by the rule of `anomgan.decide`. A surprise of s claims that a share of 10**-s of all
normal windows look at least so odd: the windows that do are counted.

A window is normal where none of its rows is labelled; an event counts where each of its verdicts is of a normal window,
and time is the time of normal windows. The intervals are those of Poisson counts. Windows share rows with their
neighbours, so for a surprise it is clusters that are counted, by runs (Smith & Weissman 1994).
Devices that differ make every interval too narrow, which is why the device with the most alarms is named.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomgan.config import DecideConfig
from anomgan.detector import Detector
from anomgan.errors import ConfigError, DataError
from anomgan.records import Floats, TimeSeries
from anomgan.simulate.fleet import blocks
from anomgan.simulate.scenario import Scenario
from anomgan.windows import segment_starts, waiting_ends

BUDGETS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""alarms a week and device"""
FIRST_SURPRISE, SURPRISE_STEP = 1.0, 0.5
FACTOR = 2.0
"""a promise is kept where no more and no less than this times what was promised is given"""
DAY_S, WEEK_S = 86_400.0, 7 * 86_400.0
Z95 = 1.959964
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]
Fleet = tuple[list[TimeSeries], list[TimeSeries]]
"""the training parts of some devices and what follows on them"""


# ---------------------------------------------------------------- what is counted


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """One device under watch: its verdicts in order, and what was promised of them.

    surprise (N,), NaN = unknown; normal (N,) False where a row of the window is labelled; a threshold for each of
    BUDGETS; the complete rule for events; the seconds between two verdicts.
    """

    device: str
    surprise: Floats
    normal: Flags
    thresholds: tuple[float, ...]
    rule: DecideConfig
    stride_s: float

    @property
    def judged(self) -> Floats:
        """(M,) the known surprises of normal windows."""
        return self.surprise[self.normal & np.isfinite(self.surprise)]

    @property
    def weeks(self) -> float:
        """The time of the normal windows that are known."""
        return len(self.judged) * self.stride_s / WEEK_S


def watch(detector: Detector, series: TimeSeries) -> Watch:
    """Every verdict on a series, without its explanation, for all budgets at once; labelled rows are not normal."""
    ends, seen = detector.examine(series)
    waiting = waiting_ends(segment_starts(series.times, detector.rule), detector.rule)
    rows = np.concatenate([ends, waiting])  # the rows of which a stream gives a verdict, in warm-up an unknown one
    order = np.argsort(rows)
    surprise = np.concatenate([seen.surprise, np.full(len(waiting), np.nan)])
    labels = np.zeros(len(series), np.bool_) if series.labels is None else series.labels
    labelled = np.concatenate([[0], np.cumsum(labels)])
    begins = np.maximum(rows - detector.rule.window + 1, 0)
    return Watch(
        device=series.device,
        surprise=surprise[order],
        normal=(labelled[rows + 1] == labelled[begins])[order],
        thresholds=tuple(detector.threshold_for(budget) for budget in BUDGETS),
        rule=detector.decide_rule(DecideConfig()),
        stride_s=series.period_s * detector.rule.stride,  # a week of its own time, whatever the model learned from
    )


def event_spans(surprise: Floats, threshold: float, rule: DecideConfig) -> tuple[Indices, Indices]:
    """The events (E,) that `decide.decide_all` makes of a device's verdicts (N,), by first and last anomalous verdict.

    An event is closed by the `close_after`-th calm verdict in a row, open or not, and opened by the `open_after`-th
    anomalous one; so between two closings there is one, where anything opens at all. The rule is complete.
    """
    anomalous, calm = surprise >= threshold, ~(surprise >= rule.close_level * threshold)
    opens = np.flatnonzero(_in_a_row(anomalous) == rule.open_after)
    closes = np.flatnonzero(_in_a_row(calm) == rule.close_after)
    following, first = np.unique(np.searchsorted(closes, opens), return_index=True)
    ends = np.append(closes, len(surprise))[following]
    hot = np.flatnonzero(anomalous)
    return opens[first] - rule.open_after + 1, hot[np.searchsorted(hot, ends) - 1]


def _in_a_row(flags: Flags) -> Indices:
    """(N,) how many flags are up in a row, to each one from the last that was down."""
    index = np.arange(len(flags))
    return index - np.maximum.accumulate(np.where(flags, -1, index))


def normal_events(one: Watch, threshold: float) -> int:
    """The events of a device that none but normal windows made."""
    first, last = event_spans(one.surprise, threshold, one.rule)
    abnormal = np.concatenate([[0], np.cumsum(~one.normal)])
    return int((abnormal[last + 1] == abnormal[first]).sum())


# ---------------------------------------------------------------- promised and given


@dataclass(frozen=True, slots=True)
class Alarms:
    """What became of an alarm budget: alarms a week and device promised and given, the latter with its 95 % interval;
    `most` were given by `device`."""

    promised: float
    events: int
    given: float
    low: float
    high: float
    most: float
    device: str

    @property
    def ratio(self) -> float:
        """Given to promised."""
        return self.given / self.promised

    @property
    def kept(self) -> bool:
        """Whether given and promised agree to within FACTOR."""
        return 1.0 / FACTOR <= self.ratio <= FACTOR

    @property
    def broken(self) -> bool:
        """Whether they surely do not: nothing in the interval is within FACTOR of what was promised."""
        return self.low > FACTOR * self.promised or self.high < self.promised / FACTOR


@dataclass(frozen=True, slots=True)
class Odds:
    """How many normal windows reach a surprise: the share claimed and the share observed with its 95 % interval."""

    surprise: float
    claimed: float
    windows: int
    clusters: int
    observed: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        """Observed to claimed."""
        return self.observed / self.claimed


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was promised and what was given, by budget and by surprise, over so many windows and device-weeks."""

    name: str
    devices: int
    weeks: float
    windows: int
    alarms: tuple[Alarms, ...]
    odds: tuple[Odds, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        whole = asdict(self)
        for key, rows in (("alarms", self.alarms), ("odds", self.odds)):
            whole[key] = [asdict(row) | {"ratio": row.ratio} for row in rows]
        return whole


def reliability(name: str, watches: Sequence[Watch]) -> Reliability:
    """All devices together; DataError where not one normal window is known."""
    weeks = [one.weeks for one in watches]
    windows = sum(len(one.judged) for one in watches)
    if not windows:
        raise DataError(f"{name}: there is no normal window to hold against the promise")
    return Reliability(
        name=name,
        devices=len(watches),
        weeks=sum(weeks),
        windows=windows,
        alarms=tuple(_alarms(i, budget, watches, weeks) for i, budget in enumerate(BUDGETS)),
        odds=_odds(watches, windows),
    )


def _alarms(i: int, budget: float, watches: Sequence[Watch], weeks: Sequence[float]) -> Alarms:
    counts = [normal_events(one, one.thresholds[i]) for one in watches]
    rates = [count / time if time else 0.0 for count, time in zip(counts, weeks, strict=True)]
    worst = int(np.argmax(rates))
    low, high = poisson_interval(sum(counts))
    whole = sum(weeks)
    return Alarms(
        promised=budget,
        events=sum(counts),
        given=sum(counts) / whole,
        low=low / whole,
        high=high / whole,
        most=rates[worst],
        device=watches[worst].device if counts[worst] else "",
    )


def _odds(watches: Sequence[Watch], windows: int) -> tuple[Odds, ...]:
    """Every surprise that at least one window is claimed to reach.

    A cluster is an event that every exceedance opens or prolongs: that is a run of exceedances.
    """
    normal = [np.where(one.normal, one.surprise, np.nan) for one in watches]
    rules = [one.rule.model_copy(update={"open_after": 1, "close_level": 1.0}) for one in watches]
    rows = []
    size = 1.0  # windows in a cluster; where there is none, as many as in the last that there was
    for step in range(int((math.log10(windows) - FIRST_SURPRISE) // SURPRISE_STEP) + 1):
        level = FIRST_SURPRISE + step * SURPRISE_STEP
        count = sum(int((surprise >= level).sum()) for surprise in normal)
        clusters = sum(len(event_spans(one, level, rule)[0]) for one, rule in zip(normal, rules, strict=True))
        size = count / clusters if clusters else size
        low, high = (min(end * size / windows, 1.0) for end in poisson_interval(clusters))
        rows.append(Odds(level, 10.0**-level, count, clusters, count / windows, low, high))
    return tuple(rows)


def poisson_interval(count: int) -> tuple[float, float]:
    """The 95 % interval of the mean of a Poisson count, by Byar's approximation (Breslow & Day 1987, p. 69)."""

    def end(n: int, z: float) -> float:
        return n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * math.sqrt(n))) ** 3

    return (end(count, -Z95) if count else 0.0), end(count + 1, Z95)


# ---------------------------------------------------------------- a fleet without faults


def simulated_fleets(
    scenario: Scenario, where: str, train_days: float, on_rows: Callable[[int], object] = lambda rows: None
) -> Mapping[str, Fleet]:
    """By kind of device, the first days of every device of a scenario and the rest of its run.

    `on_rows` hears of the rows as they are simulated. ConfigError names `where` for a scenario with faults or without
    end, and for days that the run does not have.
    """
    if scenario.faults or scenario.config.random_faults is not None:
        raise ConfigError(
            f"{where}: it plans faults; a promise is about normal data: leave faults and random_faults out"
        )
    rows, period_s = scenario.rows, scenario.period_s
    if rows is None:
        raise ConfigError(f"{where}: clock.duration_s: this key is required, for a run has to end to be measured")
    cut = round(train_days * DAY_S / period_s)
    if not 0 < cut < rows:
        whole = rows * period_s / DAY_S
        raise ConfigError(
            f"{where}: {train_days:g} days to train on leave nothing to measure of a run of {whole:g} days"
        )
    values: list[list[Floats]] = [[] for _ in scenario.groups]
    for block in blocks(scenario):
        left = rows - block.first_row
        if left <= 0:
            break
        for kept, fresh in zip(values, block.values, strict=True):
            kept.append(fresh[:, :left])
        on_rows(min(left, block.values[0].shape[1]))
    times = scenario.start_s + np.arange(rows, dtype=np.float64) * period_s
    fleets: dict[str, Fleet] = {}
    for group, pieces in zip(scenario.groups, values, strict=True):
        train, rest = fleets.setdefault(group.kind.name, ([], []))
        units = tuple(channel.unit for channel in group.kind.channels)
        for device, courses in zip(group.names, np.concatenate(pieces, axis=1), strict=True):
            series = TimeSeries(times, courses, group.kind.names, units=units, device=device)
            train.append(series[:cut])
            rest.append(series[cut:])
    return fleets
