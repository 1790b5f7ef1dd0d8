"""Each fault does what its name says, to its own channels, in its own rows, and nothing else."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from anomgan.records import Floats, TimeSeries
from anomgan.simulate import SENSOR_FAULTS, parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S
from anomgan.simulate.kinds.cold_store import COLD_STORE
from anomgan.simulate.kinds.pump import PUMP
from anomgan.simulate.normal import Clock, working_day
from anomgan.simulate.randomness import BLOCK

START, END, PERIOD_S = 401, 601, 4.0
"""rows; not at the edge of a block"""
ROWS = slice(START, END)
CHANNEL = "discharge_pressure"
RESOLUTION = 0.005
SENSOR = {kind: f"pump-{number}" for number, kind in enumerate(SENSOR_FAULTS, start=1)}
PROCESS = {
    **{fault.name: f"pump-{number}" for number, fault in enumerate(PUMP.process_faults, start=len(SENSOR) + 1)},
    **{fault.name: f"cold-{number}" for number, fault in enumerate(COLD_STORE.process_faults, start=1)},
}
PUMPS, STORES = len(SENSOR) + len(PUMP.process_faults) + 1, len(COLD_STORE.process_faults) + 1
SWAPPED = "flow"
"""the other channel where a fault takes two"""


def usual(kind: str) -> float:
    severity = SENSOR_FAULTS[kind].usual
    assert severity is not None
    return severity


def channels_of(kind: str) -> tuple[str, ...]:
    return (CHANNEL, SWAPPED) if kind == "swapped_channels" else (CHANNEL,)


@cache
def run(*faults: tuple[tuple[str, Any], ...], pumps: int = PUMPS, stores: int = STORES) -> Mapping[str, TimeSeries]:
    """The plant with these faults (each the items of its table), by device."""
    kinds = (("pump", "pump-", pumps, {}), ("cold_store", "cold-", stores, {"band_k": 1.0}))
    document = {
        "clock": {"period_s": PERIOD_S, "duration_s": 620 * PERIOD_S, "day_s": 900.0, "seed": 4},
        "devices": [
            {"kind": kind, "name": name, "count": count, "settings": settings}
            for kind, name, count, settings in kinds
            if count
        ],
        "output": {"topic": "plant/{device}"},
        "faults": [
            {key: list(value) if isinstance(value, tuple) else value for key, value in fault} for fault in faults
        ],
    }
    return {series.device: series for series in simulate(parse_scenario(document, "plant.toml"))}


def table(device: str, kind: str, **keys: Any) -> tuple[tuple[str, Any], ...]:
    span = {"start_s": START * PERIOD_S, "end_s": END * PERIOD_S}
    return tuple(({"device": device, "kind": kind} | span | keys).items())


@pytest.fixture(scope="module")
def healthy() -> Mapping[str, TimeSeries]:
    return run()


@pytest.fixture(scope="module")
def broken() -> Mapping[str, TimeSeries]:
    """One device with each fault at once."""
    sensors = [table(device, kind, channels=channels_of(kind)) for kind, device in SENSOR.items()]
    return run(*sensors, *(table(device, kind) for kind, device in PROCESS.items()))


def column(series: TimeSeries, name: str = CHANNEL) -> Floats:
    return series.values[:, series.channels.index(name)]


def before_and_after(
    kind: str, healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> tuple[Floats, Floats]:
    return column(healthy[SENSOR[kind]])[ROWS], column(broken[SENSOR[kind]])[ROWS]


@pytest.mark.parametrize("kind", SENSOR_FAULTS)
def test_a_sensor_fault_touches_its_channel_and_rows_only(
    kind: str, healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    changed = healthy[SENSOR[kind]].values != broken[SENSOR[kind]].values  # (T, C)
    rows, channels = np.nonzero(changed)
    assert set(channels) == {healthy["pump-1"].channels.index(name) for name in channels_of(kind)}
    assert START <= rows.min() <= START + 5
    assert END - 30 <= rows.max() < END


def test_labels_are_true_in_the_rows_of_the_fault_and_nowhere_else(broken: Mapping[str, TimeSeries]) -> None:
    for device, series in broken.items():
        expected = np.zeros(len(series), dtype=bool)
        expected[ROWS] = device in {*SENSOR.values(), *PROCESS.values()}
        assert np.array_equal(series.labels, expected)


def test_who_has_no_fault_measures_what_he_would_have(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    for device in (f"pump-{PUMPS}", f"cold-{STORES}"):
        assert np.array_equal(healthy[device].values, broken[device].values)


def test_a_bias_is_one_and_the_same_offset_of_as_many_spreads_as_its_severity(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    before, after = before_and_after("bias", healthy, broken)
    offset = after - before
    assert np.ptp(offset) <= 2 * RESOLUTION
    spread = column(healthy[SENSOR["bias"]]).std()
    assert offset.mean() == pytest.approx(usual("bias") * spread, rel=0.3)


def test_severity_scales_a_fault_and_its_sign_turns_it_over(healthy: Mapping[str, TimeSeries]) -> None:
    up = run(table("pump-1", "bias", channels=(CHANNEL,), severity=2.0), pumps=1, stores=0)
    down = run(table("pump-1", "bias", channels=(CHANNEL,), severity=-1.0), pumps=1, stores=0)
    before = column(healthy["pump-1"])[ROWS]
    raised, lowered = column(up["pump-1"])[ROWS] - before, column(down["pump-1"])[ROWS] - before
    np.testing.assert_allclose(raised, -2.0 * lowered, atol=4 * RESOLUTION)
    assert raised.min() > 0


def test_a_ramp_brings_the_fault_on_gradually(healthy: Mapping[str, TimeSeries]) -> None:
    ramped = run(table("pump-1", "bias", channels=(CHANNEL,), ramp_s=100 * PERIOD_S), pumps=1, stores=0)
    offset = (column(ramped["pump-1"]) - column(healthy["pump-1"]))[ROWS]
    np.testing.assert_allclose(offset[:100], offset[100] * np.arange(100) / 100, atol=2 * RESOLUTION)
    assert np.ptp(offset[100:]) <= 2 * RESOLUTION


def test_drift_grows_steadily_from_nothing_to_its_severity(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    before, after = before_and_after("drift", healthy, broken)
    offset = after - before
    np.testing.assert_allclose(offset, offset[-1] * np.arange(200) / 199, atol=3 * RESOLUTION)
    assert offset[-1] == pytest.approx(usual("drift") * column(healthy[SENSOR["drift"]]).std(), rel=0.3)


def test_a_stuck_sensor_repeats_its_first_value(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    before, after = before_and_after("stuck", healthy, broken)
    assert np.all(after == before[0])
    assert np.ptp(before) > 10 * RESOLUTION


def test_spikes_are_few_single_large_and_leave_the_rows_between_alone(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    before, after = before_and_after("spike", healthy, broken)
    jumps = before != after
    assert jumps[0]
    assert 0.05 < jumps.mean() < 0.25
    sizes = np.abs(after - before)[jumps]
    assert sizes.min() > 4.0 * column(healthy[SENSOR["spike"]]).std()
    assert np.ptp(sizes) <= 2 * RESOLUTION


def test_spikes_go_where_the_sensor_has_room() -> None:
    spiked = run(table("cold-1", "spike", channels=("compressor_current",)), pumps=0, stores=1)
    normal = run(pumps=0, stores=1)
    changed = column(spiked["cold-1"], "compressor_current") - column(normal["cold-1"], "compressor_current")
    idle = column(normal["cold-1"], "compressor_current") < 0.5
    assert np.all(changed[idle] >= 0)
    assert np.any(changed[idle] > 0)


def test_a_noise_burst_widens_the_channel_around_the_same_mean(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    before, after = before_and_after("noise", healthy, broken)
    added = after - before
    expected = usual("noise") * column(healthy[SENSOR["noise"]]).std()
    assert added.std() == pytest.approx(expected, rel=0.3)
    assert abs(added.mean()) < 0.3 * expected
    assert abs(np.corrcoef(added[1:], added[:-1])[0, 1]) < 0.2
    assert abs(np.corrcoef(added[BLOCK:], added[:-BLOCK])[0, 1]) < 0.4


def test_a_broken_correlation_looks_normal_alone_and_wrong_together(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    device = SENSOR["correlation_break"]
    before, after = before_and_after("correlation_break", healthy, broken)
    normal = column(healthy[device])
    assert after.min() >= normal.min() - 0.1 * np.ptp(normal)
    assert after.max() <= normal.max() + 0.1 * np.ptp(normal)
    jitter = np.diff(after).std()
    assert 0.5 * np.diff(normal).std() < jitter < 2.0 * np.diff(normal).std()
    flow = column(broken[device], "flow")[ROWS]
    assert np.corrcoef(before, flow)[0, 1] > 0.9
    assert np.corrcoef(after, flow)[0, 1] < 0.75
    assert np.sqrt(np.mean((after - before) ** 2)) > 0.5 * normal.std()


def test_several_channels_may_lie_at_once(healthy: Mapping[str, TimeSeries]) -> None:
    both = run(table("pump-1", "stuck", channels=("flow", "speed")), pumps=1, stores=0)["pump-1"]
    changed = np.any(both.values != healthy["pump-1"].values, axis=0)
    assert {name for name, moved in zip(both.channels, changed, strict=True) if moved} == {"flow", "speed"}


def test_faults_that_do_not_contradict_add_up(healthy: Mapping[str, TimeSeries]) -> None:
    shift = table("pump-1", "bias", channels=(CHANNEL,), severity=3.0)
    noise = table("pump-1", "noise", channels=(CHANNEL,))
    one, other, both = (
        column(run(*faults, pumps=1, stores=0)["pump-1"]) for faults in ((shift,), (noise,), (shift, noise))
    )
    normal = column(healthy["pump-1"])
    np.testing.assert_allclose(both - normal, (one - normal) + (other - normal), atol=4 * RESOLUTION)


@pytest.mark.parametrize(
    ("kind", "channel", "sign"),
    [
        ("blockage", "suction_pressure", -1),
        ("blockage", "speed", 1),
        ("blockage", "motor_power", 1),
        ("bearing_wear", "vibration", 1),
        ("bearing_wear", "motor_current", 1),
        ("bearing_wear", "motor_temperature", 1),
        ("refrigerant_leak", "suction_pressure", -1),
        ("refrigerant_leak", "product_temperature", 1),
        ("leak", "speed", 1),
        ("leak", "motor_power", 1),
        ("leak", "suction_pressure", -1),
        ("cavitation", "suction_pressure", -1),
        ("cavitation", "vibration", 1),
        ("off_curve", "flow", 1),
        ("off_curve", "motor_power", 1),
        ("impeller_wear", "speed", 1),
        ("impeller_wear", "vibration", 1),
        ("condenser_fouling", "discharge_pressure", 1),
        ("door_left_open", "door", 1),
        ("door_left_open", "air_temperature", 1),
        ("door_left_open", "humidity", 1),
    ],
)
def test_a_process_fault_spreads_through_the_physics(
    kind: str, channel: str, sign: int, healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    normal = column(healthy[PROCESS[kind]], channel)
    change = sign * (column(broken[PROCESS[kind]], channel)[ROWS] - normal[ROWS])
    assert change.mean() > 0.1 * normal.std()
    assert np.array_equal(column(broken[PROCESS[kind]], channel)[:START], normal[:START])


def test_the_channels_named_by_a_process_fault_are_those_that_show_it(
    healthy: Mapping[str, TimeSeries], broken: Mapping[str, TimeSeries]
) -> None:
    for kind in (PUMP, COLD_STORE):
        day = working_day(kind, kind.settings(), "", ("any-1",), Clock(0, 0.0, "UTC", TRUE_DAY_S))[0]
        for fault in kind.process_faults:
            before, after = healthy[PROCESS[fault.name]], broken[PROCESS[fault.name]]
            effect = np.abs(after.values[ROWS] - before.values[ROWS]).mean(axis=0) / day.std(axis=0)
            assert before.channels[int(np.argmax(effect))] in fault.channels, fault.name
