"""A scenario as a data set: a stretch without faults to learn from, then one with them to be judged by."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from anomgan.errors import ConfigError
from anomgan.simulate.faults import Fault, row_at
from anomgan.simulate.fleet import parts, schedule
from anomgan.simulate.learned_kind import OpenModel
from anomgan.simulate.scenario import Scenario, ScenarioConfig, check_scenario

DAY_S = 86_400.0
TRAIN_SHARE = 1 / 3
"""of the whole, where nobody says how many days"""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run whose rows before `train_rows` are the training set and whose others are the test set.

    config: what was asked for; its faults count from the first test row. scenario: the whole run, with the faults moved
    there. faults: all of them, those by chance too.
    """

    config: ScenarioConfig
    scenario: Scenario
    train_rows: int
    test_rows: int
    faults: tuple[Fault, ...]

    @property
    def rows(self) -> int:
        """Of both sets."""
        return self.train_rows + self.test_rows


def plan_dataset(
    config: ScenarioConfig,
    where: str,
    days: float | None,
    train_days: float | None,
    open_model: OpenModel | None = None,
) -> Plan:
    """The run of `days`, or as long as the scenario says, its first `train_days` (default: a third) without a fault.

    ConfigError where it has no length or either set no row, and for all that is wrong with the scenario.
    """
    clock = config.clock
    whole_s = clock.duration_s if days is None else days * DAY_S
    if whole_s is None:
        raise ConfigError(f"{where}: clock.duration_s: the run has no end; say with --days how long the data set is")
    train_s = whole_s * TRAIN_SHARE if train_days is None else train_days * DAY_S
    if not (math.isfinite(whole_s) and math.isfinite(train_s)):
        raise ConfigError(f"{where}: {whole_s / DAY_S:g} days, {train_s / DAY_S:g} of them to learn from: no such time")
    rows, train_rows = row_at(whole_s, clock.period_s), row_at(train_s, clock.period_s)
    if not 0 < train_rows < rows:
        raise ConfigError(
            f"{where}: {train_s / DAY_S:g} of {whole_s / DAY_S:g} days to learn from, a row each {clock.period_s:g} s: "
            "no row is left for the training set or for the test set"
        )
    moved_s = train_rows * clock.period_s
    judged = config.model_copy(update={"clock": clock.model_copy(update={"duration_s": whole_s - moved_s})})
    try:
        test = check_scenario(judged, where, published=False, open_model=open_model)
    except ConfigError as error:
        if "the end of the run" not in str(error):
            raise
        raise ConfigError(
            f"{error}; {train_s / DAY_S:g} of {whole_s / DAY_S:g} days are for the training set (--days, --train-days)"
        ) from None
    by_chance = config.random_faults
    if by_chance is not None:
        last_s = None if by_chance.last_s is None else by_chance.last_s + moved_s
        by_chance = by_chance.model_copy(update={"first_s": by_chance.first_s + moved_s, "last_s": last_s})
    asked = config.model_copy(update={"clock": clock.model_copy(update={"duration_s": whole_s})})
    whole = asked.model_copy(update={"random_faults": by_chance})
    faults = tuple(
        replace(
            fault,
            start_s=fault.start_s + moved_s,
            end_s=fault.end_s + moved_s,
            stopped_s=fault.stopped_s + moved_s,
        )
        for fault in test.faults
    )
    scenario = Scenario(whole, test.groups, faults, rows)
    return Plan(asked, scenario, train_rows, rows - train_rows, tuple(schedule(scenario)))


def pieces(plan: Plan, most: int) -> Iterator[tuple[Scenario, list[Fault]]]:
    """The plan's run with at most so many devices at a time, and the faults of these."""
    for part in parts(plan.scenario, most):
        sources = part.kinds.keys()
        yield part, [fault for fault in plan.faults if fault.source in sources]
