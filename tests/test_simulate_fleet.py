"""A run is a function of its scenario: the same for the same seed, however it is cut and whoever else takes part."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from anomgan.errors import ConfigError
from anomgan.records import TimeSeries
from anomgan.simulate import KINDS, SENSOR_FAULTS, Scenario, Tick, parse_scenario, schedule, simulate, ticks
from anomgan.simulate.faults import rows_of

PUMPS = {"kind": "pump", "name": "pump-", "count": 2, "site": "north"}
STORES = {"kind": "cold_store", "name": "cold-", "count": 1, "site": "north"}
CLOCK = {"period_s": 4.0, "duration_s": 2400.0, "day_s": 900.0, "seed": 1}
ROWS = 600


def scenario(devices: tuple[Mapping[str, Any], ...] = (PUMPS, STORES), **tables: Any) -> Scenario:
    clock = CLOCK | tables.pop("clock", {})
    return parse_scenario({"clock": clock, "devices": list(devices), **tables}, "plant.toml")


FAILING = scenario(random_faults={"first_s": 400.0})


@pytest.fixture(scope="module")
def whole() -> list[TimeSeries]:
    return simulate(FAILING)


def same(one: TimeSeries, other: TimeSeries) -> bool:
    return one.values.tobytes() == other.values.tobytes() and np.array_equal(one.times, other.times)


def test_the_same_seed_gives_the_same_readings_to_the_last_bit(whole: list[TimeSeries]) -> None:
    assert all(map(same, whole, simulate(FAILING)))


def test_another_seed_gives_other_devices_and_another_course(whole: list[TimeSeries]) -> None:
    other = simulate(scenario(clock={"seed": 2}), 0, 300)
    for one, two in zip(whole, other, strict=True):
        assert np.nanmax(abs(np.nanmean(one.values[:300], axis=0) - np.nanmean(two.values, axis=0))) > 0.01
        assert not np.array_equal(one.values[:300], two.values)


@pytest.mark.parametrize(("start", "rows"), [(0, 1), (127, 2), (128, 128), (300, 300), (599, 1)])
def test_a_stretch_is_the_same_as_cut_from_the_whole_run(whole: list[TimeSeries], start: int, rows: int) -> None:
    for stretch, full in zip(simulate(FAILING, start, rows), whole, strict=True):
        assert same(stretch, full[start : start + rows])
        assert np.array_equal(stretch.labels, full.labels[start : start + rows])


def test_row_by_row_it_is_the_same_as_in_arrays_labels_too(whole: list[TimeSeries]) -> None:
    present: set[str] = set()
    for tick in ticks(FAILING):
        present |= {fault.device for fault in tick.begun}
        for reading, series in zip(tick.readings, whole, strict=True):
            assert reading.source == ("north", series.device)
            assert tuple(reading.values) == series.channels
            assert np.array(list(reading.values.values())).tobytes() == series.values[tick.row].tobytes()
            assert reading.time_s == series.times[tick.row]
            assert (reading.device in present) == series.labels[tick.row]
        present -= {fault.device for fault in tick.ended}
    assert tick.row == ROWS - 1


def test_two_runs_one_after_the_other_tell_what_one_run_tells() -> None:
    def told(moments: list[Tick]) -> list[str]:  # in words, for what is missing is not equal to itself
        return [repr((tick.row, tick.readings, tick.begun, tick.ended)) for tick in moments]

    at_once = told(list(ticks(FAILING)))
    first, end = rows_of(next(schedule(FAILING)), 4.0)
    cut = (first + end) // 2
    assert 0 < first < cut < end < ROWS
    assert told([*ticks(FAILING, 0, cut), *ticks(FAILING, cut)]) == at_once


def test_a_device_does_not_notice_the_others(whole: list[TimeSeries]) -> None:
    healthy = {series.device: series for series in simulate(scenario(), 0, 300)}
    alone = simulate(scenario((PUMPS | {"count": 1},)), 0, 300)
    crowd = simulate(scenario((STORES | {"count": 3}, PUMPS | {"count": 9})), 0, 300)
    assert len(crowd) == 12
    for series in (*alone, *crowd):
        if series.device in healthy:
            assert same(series, healthy[series.device])
    names = [series.device for series in crowd if series.device.startswith("pump")]
    values = [series.values for series in crowd if series.device in names]
    assert all(not np.array_equal(values[i], values[j]) for i in range(9) for j in range(i))


def test_runs_that_begin_a_whole_number_of_days_apart_differ_in_their_times_only(whole: list[TimeSeries]) -> None:
    later = scenario(clock={"start": datetime(2031, 5, 5, 12, 15, tzinfo=UTC)}, random_faults={"first_s": 400.0})
    assert (later.start_s - FAILING.start_s) % 900.0 == 0
    for one, two in zip(simulate(later), whole, strict=True):
        assert one.values.tobytes() == two.values.tobytes()
        np.testing.assert_allclose(one.times - two.times, later.start_s - FAILING.start_s)


def test_speed_changes_nothing(whole: list[TimeSeries]) -> None:
    fast = scenario(clock={"speed": "max"}, random_faults={"first_s": 400.0})
    assert fast.config.clock.speed == 0
    assert all(map(same, simulate(fast, 0, 300), (series[:300] for series in whole)))


def test_values_come_in_whole_steps_of_the_resolution_and_print_short() -> None:
    kinds = [*(SENSOR_FAULTS.keys() - {"unit_jump", "swapped_channels", "dropout"}), "blockage", "door_left_open"]
    for series in simulate(scenario(random_faults={"first_s": 400.0, "kinds": sorted(kinds)})):
        kind = KINDS["pump" if series.device.startswith("pump") else "cold_store"]
        for channel, column in zip(kind.channels, series.values.T, strict=True):
            steps = column / channel.resolution
            np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
            assert max(len(json.dumps(value)) for value in column.tolist()) <= 8


def test_a_healthy_device_is_labelled_normal_and_stays_where_it_was() -> None:
    no_defrost = STORES | {"settings": {"defrost_every_s": 0.0, "doors_per_hour": 0.0}}
    for series in simulate(scenario((PUMPS, no_defrost), clock={"duration_s": 8000.0})):
        assert not series.labels.any()
        early, late = series.values[:1000], series.values[1000:]
        room = 0.2 * np.maximum(np.ptp(early, axis=0), 0.5)
        low, high = np.quantile(late, [0.01, 0.99], axis=0)
        assert np.all(low > early.min(axis=0) - room)
        assert np.all(high < early.max(axis=0) + room)


def test_pump_channels_move_together_as_physics_says() -> None:
    series = simulate(scenario((PUMPS | {"count": 1},)))[0]
    names = series.channels
    together = np.corrcoef(series.values.T)

    def of(one: str, other: str) -> float:
        return float(together[names.index(one), names.index(other)])

    assert of("flow", "speed") > 0.9
    assert of("flow", "suction_pressure") < -0.5
    assert of("flow", "discharge_pressure") > 0.8
    assert of("motor_current", "motor_power") > 0.98
    assert of("vibration", "speed") > 0.5


def test_noise_is_white_and_as_large_as_the_sensor_says() -> None:
    series = simulate(scenario((PUMPS | {"count": 1},), clock={"period_s": 1.0, "duration_s": 1000.0}))[0]
    channel = KINDS["pump"].channels[series.channels.index("speed")]
    jitter = np.diff(series.values[:, series.channels.index("speed")], n=2) / np.sqrt(6.0)
    assert 0.8 * channel.noise < jitter.std() < 1.6 * channel.noise


def test_the_noise_of_one_device_and_sensor_has_nothing_to_do_with_another_s() -> None:
    pumps = simulate(scenario((PUMPS,), clock={"period_s": 1.0, "duration_s": 1000.0}))
    sensors = ("flow", "suction_pressure", "discharge_pressure", "motor_temperature")
    jitter = [np.diff(one.values[:, one.channels.index(name)], n=3) for one in pumps for name in sensors]
    together = np.abs(np.corrcoef(jitter)) - np.eye(len(jitter))
    assert together.max() < 0.3


def test_an_endless_run_goes_on_and_asks_how_much_of_it_is_wanted() -> None:
    endless = scenario(clock={"duration_s": None}, random_faults={})
    assert endless.rows is None
    assert [tick.row for tick in islice(ticks(endless, 250), 3)] == [250, 251, 252]
    with pytest.raises(ConfigError, match="the run has no end"):
        simulate(endless)


@pytest.mark.parametrize(("start", "rows"), [(0, 601), (600, None), (-1, 3), (5, 0), (500, 200)])
def test_rows_that_a_run_does_not_have_are_refused(start: int, rows: int | None) -> None:
    with pytest.raises(ConfigError, match=r"rows .* of a run of 600 rows"):
        simulate(FAILING, start, rows)
    with pytest.raises(ConfigError, match=r"rows .* of a run of 600 rows"):
        next(ticks(FAILING, start, rows))


@pytest.mark.parametrize("seed", range(3))
def test_random_faults_keep_to_their_table(seed: int) -> None:
    table = {
        "first_s": 500.0,
        "last_s": 20_000.0,
        "spacing_s": [200.0, 300.0],
        "duration_s": [50.0, 90.0],
        "quiet_s": 100.0,
    }
    devices = (PUMPS, STORES | {"count": 3})
    run = scenario(devices, clock={"seed": seed, "duration_s": 30_000.0}, random_faults=table)
    faults = list(schedule(run))
    assert len(faults) > 30
    assert len({fault.kind for fault in faults}) >= 8
    starts = np.array([fault.start_s for fault in faults])
    assert starts[0] >= 500.0
    assert np.all(np.diff(starts) >= 200.0 - 4.0)  # whole periods of 4 s
    for fault in faults:
        assert fault.end_s <= 20_000.0
        assert fault.end_s - fault.start_s >= 50.0 - 4.0
        assert fault.start_s % 4.0 == 0
        assert fault.end_s % 4.0 == 0
        assert set(fault.channels) <= set(run.kinds[fault.source].names)
        assert "door" not in fault.channels or fault.kind == "door_left_open"
    for source in run.kinds:
        own = [fault for fault in faults if fault.source == source]
        assert all(later.start_s >= one.end_s + 100.0 - 4.0 for one, later in pairwise(own))


def test_random_faults_are_of_the_wanted_kinds_and_leave_devices_with_planned_ones_alone() -> None:
    planned = {"device": "pump-1", "kind": "blockage", "start_s": 1000.0, "end_s": 7000.0}
    run = scenario(
        (PUMPS,),
        clock={"duration_s": 8000.0},
        faults=[planned],
        random_faults={"kinds": ["stuck", "bearing_wear"], "spacing_s": [100.0, 100.0]},
    )
    faults = [fault for fault in schedule(run) if fault.kind != "blockage"]
    assert {fault.kind for fault in faults} == {"stuck", "bearing_wear"}
    for fault in faults:
        assert fault.device == "pump-2" or fault.end_s <= 1000.0 - 120.0 or fault.start_s >= 7000.0 + 120.0


def test_the_schedule_names_the_faults_that_the_run_tells() -> None:
    told = [fault for tick in ticks(FAILING) for fault in tick.begun]
    assert told == list(schedule(FAILING))
    assert len(told) >= 3
