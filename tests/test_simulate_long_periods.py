"""Of a long period only its first minutes are stepped through one by one; what sensors show is the same."""

import numpy as np
import pytest

from anomgan.records import Floats
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds import cold_store, pump
from anomgan.simulate.kinds.cold_store import COLD_STORE
from anomgan.simulate.kinds.pump import PUMP

PUMPS = 60
STEPS = 150


def inputs(demand: Floats, draws: Floats) -> Inputs:
    """A demand without noise, of healthy pumps."""
    course = np.stack([demand, draws, np.zeros(PUMPS)])
    healthy = np.zeros((len(PUMP.process_faults), PUMPS))
    return Inputs(course, np.zeros((PUMP.shocks, PUMPS)), np.empty((0, PUMPS)), healthy)


def test_a_pump_after_five_minutes_at_once_is_where_it_is_after_150_steps_of_2_s() -> None:
    rng = np.random.default_rng(0)
    pumps = PUMP.parameters(PUMP.settings(), rng.standard_normal((PUMPS, PUMP.traits)))
    before = rng.uniform(0.45, 0.8, PUMPS)
    state = PUMP.rest(pumps, inputs(before, np.zeros(PUMPS)))
    state, _ = PUMP.step(pumps, state, inputs(before, np.zeros(PUMPS)), 60.0)
    after = inputs(before + rng.uniform(-0.1, 0.1, PUMPS), (rng.random(PUMPS) < 0.5).astype(np.float64))
    _, at_once = PUMP.step(pumps, state, after, STEPS * pump.MAX_STEP_S)
    for _ in range(STEPS):
        state, stepped = PUMP.step(pumps, state, after, pump.MAX_STEP_S)
    for channel, one, other in zip(PUMP.channels, at_once, stepped, strict=True):
        assert np.abs(one - other).max() < max(channel.noise, channel.resolution), channel.name


def test_longer_steps_change_little_of_what_a_cold_store_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def course() -> Floats:
        rng = np.random.default_rng(1)
        stores = COLD_STORE.parameters(COLD_STORE.settings(), rng.standard_normal((4, COLD_STORE.traits)))
        healthy = np.zeros((len(COLD_STORE.process_faults), 4))
        shut = Inputs(np.zeros((3, 4)), np.zeros((COLD_STORE.shocks, 4)), np.ones((COLD_STORE.chances, 4)), healthy)
        state, shown = COLD_STORE.rest(stores, shut), []
        for _ in range(150):
            state, seen = COLD_STORE.step(stores, state, shut, 300.0)
            shown.append(np.stack(seen))
        return np.stack(shown[10:])  # (T, C, D)

    long = course()
    monkeypatch.setattr(cold_store, "LONG_STEP_S", cold_store.MAX_STEP_S)
    short = course()
    assert not np.array_equal(long, short)
    for index, channel in enumerate(COLD_STORE.channels):
        one, other = long[:, index], short[:, index]
        # what two sensors of the same thing differ by, or what chance leaves of the mean of so few cycles
        unseen = max(channel.noise, channel.resolution, channel.bias, 0.1 * float(other.std()))
        assert abs(one.mean() - other.mean()) < unseen, channel.name
        assert abs(one.std(axis=0).mean() - other.std(axis=0).mean()) < unseen, channel.name
