"""Faults by chance are such as one could plan, and those of a machine come when they can be seen."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from anomgan.simulate import KINDS, SENSOR_FAULTS, Fault, parse_scenario, schedule
from anomgan.simulate.schedule import MOST, longest_lag

MIDNIGHT = datetime(2024, 6, 5, tzinfo=UTC)  # a Wednesday


def plan(kind: str, days: float = 1.0, **keys: Any) -> dict[str, Any]:
    """The tables of a run with many faults by chance."""
    clock = {"start": MIDNIGHT, "period_s": 30.0, "duration_s": days * 86_400.0, "seed": 5} | keys.pop("clock", {})
    table = {"spacing_s": [400.0, 600.0], "duration_s": [300.0, 900.0], "quiet_s": 60.0} | keys
    return {
        "clock": clock,
        "devices": [{"kind": kind, "name": "it-", "count": 3}],
        "output": {"topic": "plant/{device}"},
        "random_faults": table,
    }


def drawn(kind: str, days: float = 1.0, **keys: Any) -> list[Fault]:
    return list(schedule(parse_scenario(plan(kind, days, **keys), "plant.toml")))


def hour(fault: Fault) -> float:
    return 0.5 * (fault.start_s + fault.end_s) / 3600.0 % 24.0


@pytest.mark.parametrize("severity", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("name", KINDS)
def test_a_fault_by_chance_is_one_that_could_be_planned(name: str, severity: float) -> None:
    """Each, written into a scenario, is accepted and comes out the same."""
    keys = {"spacing_s": [100.0, 200.0]} | {"severity": severity}
    faults = drawn(name, **keys)
    assert len(faults) > 50
    tables = plan(name)
    del tables["random_faults"]
    for fault in faults:
        sensor = SENSOR_FAULTS.get(fault.kind)
        process = {one.name: one for one in KINDS[name].process_faults}.get(fault.kind)
        table = {key: getattr(fault, key) for key in ("device", "kind", "start_s", "end_s", "ramp_s", "recovery_s")}
        if sensor is not None:
            table["channels"] = list(fault.channels)
        if sensor.usual is not None if sensor is not None else process is not None and process.graded:
            table["severity"] = fault.severity
        assert parse_scenario(tables | {"faults": [table]}, "plant.toml").faults == (fault,)


def test_every_fault_comes_by_chance_sooner_or_later() -> None:
    for name in ("pump", "cold_store", "water_tank", "smart_meter"):
        kind = KINDS[name]
        known = {*SENSOR_FAULTS, *(fault.name for fault in kind.process_faults)}
        assert {fault.kind for fault in drawn(name, 3.0, spacing_s=[100.0, 200.0])} == known


@pytest.mark.parametrize(
    ("name", "begins", "ends"),
    [("solar_inverter", 4.0, 20.0), ("rotating_machine", 6.0, 22.0), ("air_handler", 5.0, 20.0)],
)  # fmt: skip
def test_what_does_not_show_at_rest_comes_when_the_machine_works(name: str, begins: float, ends: float) -> None:
    faults = drawn(name, 2.0)
    process = {fault.name for fault in KINDS[name].process_faults}
    of_machine = [hour(fault) for fault in faults if fault.kind in process]
    of_sensors = [hour(fault) for fault in faults if fault.kind in SENSOR_FAULTS]
    assert len(of_machine) > 15
    assert all(begins < at < ends for at in of_machine)
    assert any(at < begins for at in of_sensors)
    assert any(at > ends for at in of_sensors)


def test_where_only_such_faults_are_wanted_none_comes_while_the_machine_rests() -> None:
    kinds = [fault.name for fault in KINDS["rotating_machine"].process_faults]
    saturday = MIDNIGHT.replace(day=8)
    assert drawn("rotating_machine", kinds=kinds, clock={"start": saturday}) == []
    assert len(drawn("rotating_machine", kinds=kinds)) > 20


def test_the_blocked_ventilation_of_a_room_comes_when_the_ventilation_runs() -> None:
    faults = drawn("air_quality", 2.0, kinds=["ventilation_blocked", "sensor_heated"])
    assert all(5.5 < hour(fault) < 20.0 for fault in faults if fault.kind == "ventilation_blocked")
    assert {fault.kind for fault in faults if hour(fault) < 5.0} == {"sensor_heated"}


def test_swapped_channels_are_two_and_faults_with_two_directions_go_in_both() -> None:
    faults = drawn("pump", 4.0, spacing_s=[100.0, 200.0])
    assert all(len(set(fault.channels)) == 2 for fault in faults if fault.kind == "swapped_channels")
    assert all(
        len(fault.channels) == 1 for fault in faults if SENSOR_FAULTS.keys() & {fault.kind} - {"swapped_channels"}
    )
    for kind in ("bias", "drift", "clipping", "off_curve"):
        assert {np.sign(fault.severity) for fault in faults if fault.kind == kind} == {-1.0, 1.0}
    for fault in faults:
        assert fault.severity > 0 or fault.kind in ("bias", "drift", "clipping", "off_curve")
        assert (fault.recovery_s > 0) == (fault.kind not in SENSOR_FAULTS)


def test_the_run_remembers_as_far_back_as_a_lag_by_chance_can_go() -> None:
    tables = plan("pump", 3.0, kinds=["time_lag"], spacing_s=[100.0, 200.0], severity=2.0)
    lags = [fault.severity for fault in schedule(parse_scenario(tables, "plant.toml"))]
    assert 2.0 * 300.0 * MOST >= max(lags) > 0.95 * 2.0 * 300.0 * MOST
    assert longest_lag(parse_scenario(tables, "plant.toml")) * 30.0 >= max(lags)
    without = tables | {"random_faults": {"kinds": ["stuck"]}}
    assert longest_lag(parse_scenario(without, "plant.toml")) == 0


def test_first_s_quiet_s_and_last_s_are_kept_to_though_faults_begin_on_rows() -> None:
    clock = {"period_s": 60.0, "duration_s": 86_400.0}
    keys = {"first_s": 3_601.0, "last_s": 80_000.0, "quiet_s": 90.0, "spacing_s": [20.0, 50.0], "kinds": ["bias"]}
    faults = drawn("pump", clock=clock, **keys)
    assert min(fault.start_s for fault in faults) >= 3_601.0
    assert max(fault.end_s for fault in faults) <= 80_000.0
    assert all(fault.start_s % 60.0 == 0.0 for fault in faults)
    for device in {fault.device for fault in faults}:
        own = [fault for fault in faults if fault.device == device]
        assert len(own) > 50
        pauses = [after.start_s - before.end_s for before, after in pairwise(own)]
        assert 90.0 <= min(pauses) <= 120.0
