"""What holds for every device kind: no two devices are alike, a run is the same however it is cut, and what there is
to see lies within the range of its sensors.
"""

from datetime import UTC, datetime
from functools import cache

import numpy as np
import pytest

from anomgan.simulate import KINDS, Scenario, parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.kind import Inputs

ROWS = 600
Cuts = tuple[tuple[int, int], ...]
STRETCHES: dict[str, tuple[datetime, float, Cuts]] = {
    "morning": (  # until nearly nine o'clock: machines start, the sun rises and people come
        datetime(2024, 6, 21, 5, 30, tzinfo=UTC),
        20.0,
        ((0, 100), (100, 57), (157, 143), (130, 300), (200, 300), (599, 1)),
    ),
    "noon": (datetime(2024, 6, 21, 11, tzinfo=UTC), 10.0, ((0, 100), (130, 300), (599, 1))),
    "winter night": (datetime(2024, 1, 1, tzinfo=UTC), 60.0, ((200, 300),)),
}


@cache
def plant(name: str, start: datetime, period_s: float) -> Scenario:
    """Two devices; each fault of the machine stands in the second's plan, and others come by chance."""
    share_s = ROWS * period_s / len(KINDS[name].process_faults)
    faults = [
        {"device": "it-2", "kind": fault.name, "start_s": (i + 0.2) * share_s, "end_s": (i + 0.7) * share_s}
        for i, fault in enumerate(KINDS[name].process_faults)
    ]
    clock = {"start": start, "period_s": period_s, "duration_s": ROWS * period_s, "seed": 9}
    devices = [{"kind": name, "name": "it-", "count": 2, "site": "s"}]
    tables = {"clock": clock, "devices": devices, "faults": faults, "random_faults": {"quiet_s": 0.0}}
    return parse_scenario(tables, "plant.toml")


@pytest.mark.parametrize("stretch", STRETCHES)
@pytest.mark.parametrize("name", KINDS)
def test_a_run_is_the_same_in_pieces_to_the_last_bit(name: str, stretch: str) -> None:
    start, period_s, cuts = STRETCHES[stretch]
    whole = simulate(plant(name, start, period_s))
    for first, rows in cuts:
        for piece, series in zip(simulate(plant(name, start, period_s), first, rows), whole, strict=True):
            assert piece.values.tobytes() == series.values[first : first + rows].tobytes()
            assert np.array_equal(piece.labels, series.labels[first : first + rows])
    if stretch == "morning":
        assert all(0 < series.labels.sum() < ROWS for series in whole)
        assert np.all((whole[0].values != whole[1].values).any(axis=0))


@pytest.mark.parametrize("period_s", [1.0, 30.0])
@pytest.mark.parametrize("name", KINDS)
def test_what_there_is_to_see_lies_within_the_sensors_range_by_itself(name: str, period_s: float) -> None:
    """Before the sensors cut it off, without their noise; a fault of the machine may reach a tenth beyond."""
    kind, dice = KINDS[name], np.random.default_rng(2)
    parameters = kind.parameters(kind.settings(), dice.standard_normal((4, kind.traits)))
    start_s = datetime(2024, 2, 7, 11, tzinfo=UTC).timestamp()
    course = kind.course(parameters, moments(start_s, "UTC", TRUE_DAY_S, np.arange(240) * period_s))
    low, high = (np.array([getattr(channel, end) for channel in kind.channels])[:, None] for end in ("low", "high"))
    for trouble in range(-1, len(kind.process_faults)):
        faults = np.zeros((len(kind.process_faults), 4))
        faults[trouble] = float(trouble >= 0)
        room = 0.1 * (high - low) if trouble >= 0 else 1e-9
        state = None
        for row in course:
            shocks, chances = dice.standard_normal((kind.shocks, 4)), dice.random((kind.chances, 4))
            inputs = Inputs(row, shocks, chances, faults)
            state = kind.rest(parameters, inputs) if state is None else state
            state, shown = kind.step(parameters, state, inputs, period_s)
            beyond = np.any((np.stack(shown) < low - room) | (np.stack(shown) > high + room), axis=1)
            assert not beyond.any(), (trouble, np.array(kind.names)[beyond])
