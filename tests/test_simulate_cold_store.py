"""The cold store keeps its temperature, and its heat, refrigerant and moisture balance."""

import numpy as np
import pytest

from anomgan.config import parse_config
from anomgan.errors import ConfigError
from anomgan.records import Floats
from anomgan.simulate.almanac import TRUE_DAY_S, Moments, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.cold_store import (
    AIR_HEAT,
    COLD_STORE,
    FROST_HEAT,
    ColdStore,
    ColdStoreSettings,
    ColdStoreState,
    course,
    cycle,
    parameters,
    saturation_bar,
    step,
)
from anomgan.simulate.moist_air import saturated_air

DEVICES = 3


def at(since_s: Floats) -> Moments:
    """Seconds after a midnight."""
    return moments(0.0, "UTC", TRUE_DAY_S, since_s)


STILL = np.zeros((2, DEVICES))
HEALTHY = np.zeros((3, DEVICES))
NOBODY_COMES = np.full((2, DEVICES), 0.999)
AIR, COIL, GOODS, SUCTION, DISCHARGE, CURRENT, HUMIDITY, DOOR = range(8)


def stores(**settings: float) -> ColdStore:
    traits = np.random.default_rng(5).standard_normal((DEVICES, COLD_STORE.traits))
    return parameters(ColdStoreSettings(**{"doors_per_hour": 0.0, "defrost_every_s": 0.0, **settings}), traits)


def run(
    store: ColdStore,
    seconds: float,
    leak: float = 0.0,
    left_open: float = 0.0,
    fouling: float = 0.0,
    chances: Floats = NOBODY_COMES,
) -> tuple[ColdStoreState, Floats]:
    """From rest at a fair temperature and without weather: the last state, and what shows every 4 s (R, C, D)."""
    faults = np.array([[leak] * DEVICES, [left_open] * DEVICES, [fouling] * DEVICES])
    given = course(store, at(np.arange(0.0, seconds, 4.0)))  # (R, I, D)
    given[:, 0] = 0.0
    fair = store._replace(stop_at=np.clip(store.stop_at, -5.0, 15.0))
    state = COLD_STORE.rest(fair, Inputs(given[0], STILL, chances, faults))
    seen = []
    for row in given:
        state, shown = step(store, state, Inputs(row, STILL, chances, faults), 4.0)
        seen.append(shown)
    return state, np.array(seen)


def test_the_refrigerant_boils_at_the_pressures_of_its_table() -> None:
    table = {-30.0: 0.8438, -10.0: 2.0060, 0.0: 2.9280, 20.0: 5.7171, 40.0: 10.166, 60.0: 16.818}  # °C: bar
    np.testing.assert_allclose(saturation_bar(np.array(list(table))), list(table.values()), rtol=2e-3)


def test_the_thermostat_keeps_the_air_in_its_band() -> None:
    store = stores(band_k=2.0)
    _, seen = run(store, 2 * 3600.0)
    assert np.all(seen[:, AIR] > store.stop_at - 0.6)
    assert np.all(seen[:, AIR] < store.stop_at + 2.0 + 0.6)
    starts = np.diff((seen[:, CURRENT] > 0).astype(int), axis=0) == 1
    assert np.all(starts.sum(axis=0) >= 6)  # a cycle takes minutes
    assert np.all(starts.sum(axis=0) <= 24)


def test_while_the_compressor_runs_suction_falls_discharge_rises_and_the_coil_is_colder_than_the_air() -> None:
    _, seen = run(stores(), 2 * 3600.0)
    for device in range(DEVICES):
        on = seen[:, CURRENT, device] > 0
        assert seen[on, SUCTION, device].mean() < seen[~on, SUCTION, device].mean() - 0.5
        assert seen[on, DISCHARGE, device].mean() > seen[~on, DISCHARGE, device].mean() + 0.3
        assert np.all(seen[on, COIL, device] < seen[on, AIR, device])
        assert np.corrcoef(seen[:, COIL, device], seen[:, SUCTION, device])[0, 1] > 0.95


def test_without_cooling_the_room_ends_where_walls_shed_what_the_lights_give() -> None:
    store = stores()._replace(stop_at=np.full(DEVICES, 1e3), walls=np.full(DEVICES, 250.0))
    state, _ = run(store, 8_000.0)
    sheds = (store.walls + 5e-4 * AIR_HEAT) * (state.air - store.ambient)
    np.testing.assert_allclose(sheds, store.lights, rtol=2e-2)


def test_running_without_end_the_circuit_carries_off_exactly_the_heat_that_comes_in() -> None:
    none = np.zeros(DEVICES)
    store = stores()._replace(stop_at=np.full(DEVICES, -1e3), moisture=none, goods=none)
    state, _ = run(store, 12_000.0)
    circuit = cycle(store, state.coil, state.condensing, none)
    settles = 0.08 * (state.humidity - saturated_air(state.coil))
    comes_in = (store.walls + 5e-4 * AIR_HEAT) * (store.ambient - state.air) + store.lights + FROST_HEAT * settles
    np.testing.assert_allclose(circuit.cooling, comes_in, rtol=1e-2)
    np.testing.assert_allclose(
        store.condenser * (state.condensing - store.ambient), circuit.cooling + circuit.power, rtol=1e-3
    )


def test_the_air_never_holds_more_water_than_it_can() -> None:
    _, seen = run(stores(), 3600.0, left_open=1.0)
    assert np.all(seen[:, HUMIDITY] <= 100.0 + 1e-9)
    assert seen[-1, HUMIDITY].min() > 97.0


def test_a_leak_lowers_both_pressures_and_the_current_and_makes_the_compressor_run_longer() -> None:
    (_, healthy), (_, leaking) = run(stores(), 4000.0), run(stores(), 4000.0, leak=1.0)
    runs, runs_longer = healthy[:, CURRENT] > 0, leaking[:, CURRENT] > 0
    assert np.all(runs_longer.mean(axis=0) > 1.3 * runs.mean(axis=0))
    for channel in (SUCTION, DISCHARGE, CURRENT):
        for device in range(DEVICES):
            before = healthy[runs[:, device], channel, device]
            after = leaking[runs_longer[:, device], channel, device]
            assert after.mean() < before.mean()
            assert np.median(after) < np.median(before)


def test_a_fouled_condenser_sheds_the_same_heat_at_a_higher_pressure_and_for_more_current() -> None:
    (_, healthy), (_, fouled) = run(stores(), 4000.0), run(stores(), 4000.0, fouling=1.0)
    runs, runs_longer = healthy[:, CURRENT] > 0, fouled[:, CURRENT] > 0
    for device in range(DEVICES):
        for channel in (DISCHARGE, CURRENT):
            before = healthy[runs[:, device], channel, device]
            after = fouled[runs_longer[:, device], channel, device]
            assert after.mean() > 1.05 * before.mean()
    store = stores()._replace(stop_at=np.full(DEVICES, -1e3))
    for sheds, fouling in ((1.0, 0.0), (0.6, 1.0)):
        state, _ = run(store, 12_000.0, fouling=fouling)
        circuit = cycle(store, state.coil, state.condensing, np.zeros(DEVICES))
        given_off = sheds * store.condenser * (state.condensing - store.ambient)
        np.testing.assert_allclose(given_off, circuit.cooling + circuit.power, rtol=1e-2)


def test_a_door_left_open_shows_on_its_contact_and_warms_and_wets_the_air() -> None:
    (_, healthy), (_, opened) = run(stores(), 1800.0), run(stores(), 1800.0, left_open=1.0)
    assert np.all(healthy[:, DOOR] == 0)
    assert np.all(opened[:, DOOR] == 1)
    assert np.all(opened[-100:, AIR].mean(axis=0) > healthy[-100:, AIR].mean(axis=0) + 0.3)
    assert np.all(opened[-100:, HUMIDITY].mean(axis=0) > healthy[-100:, HUMIDITY].mean(axis=0) + 5.0)


@pytest.mark.parametrize(("chance", "rows"), [(0.0, 2), (0.5, 5), (1.0, 8)])
def test_who_opens_the_door_leaves_it_open_as_long_as_chance_says(chance: float, rows: int) -> None:
    store = stores(doors_per_hour=60.0, door_open_s=20.0)  # 8 to 32 s
    given = course(store, at(np.arange(20) * 4.0))
    somebody_comes = np.array([[0.0] * DEVICES, [chance] * DEVICES])
    state = COLD_STORE.rest(store, Inputs(given[0], STILL, somebody_comes, HEALTHY))
    shown = []
    for row, course_of_row in enumerate(given):
        chances = somebody_comes if row == 0 else NOBODY_COMES
        state, seen = step(store, state, Inputs(course_of_row, STILL, chances, HEALTHY), 4.0)
        shown.append(seen[DOOR])
    opened = np.array(shown)
    assert np.all(opened[:rows] == 1)
    assert np.all(opened[rows:] == 0)


def test_people_come_as_often_as_the_settings_say_more_by_day_than_by_night() -> None:
    store = stores(doors_per_hour=6.0)
    rates = course(store, at(np.arange(0.0, 86_400.0, 60.0)))[:, 1]  # openings per second
    np.testing.assert_allclose(rates.mean(axis=0) * 3600.0, store.doors_per_hour, rtol=1e-3)
    assert np.all(rates[700:740].mean(axis=0) > 5.0 * rates[:20].mean(axis=0))


def test_defrost_stops_the_compressor_warms_the_coil_and_clears_the_frost() -> None:
    store = stores(defrost_every_s=3600.0, defrost_s=900.0)
    _, seen = run(store, 3600.0)
    defrosting = course(store, at(np.arange(0.0, 3600.0, 4.0)))[:, 2] == 1
    assert defrosting.mean() == pytest.approx(0.25, abs=0.01)
    assert np.all(seen[:, CURRENT][defrosting] == 0)
    assert np.all(seen[:, COIL].max(axis=0) > 7.5)
    frosted = COLD_STORE.rest(store, Inputs(course(store, at(np.zeros(1)))[0], STILL, NOBODY_COMES, STILL))
    frosted = frosted._replace(frost=np.full(DEVICES, 0.5))
    thawing = Inputs(np.array([[0.0] * DEVICES, [0.0] * DEVICES, [1.0] * DEVICES]), STILL, NOBODY_COMES, HEALTHY)
    for _ in range(225):
        frosted, _ = step(store, frosted, thawing, 4.0)
    assert np.all(frosted.frost == 0)


def test_a_defrost_that_takes_most_of_its_interval_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes more than half of defrost_every_s"):
        parse_config(ColdStoreSettings, {"defrost_every_s": 900.0, "defrost_s": 600.0}, "plant.toml")
