"""Clipping, dropout, other units, swapped channels and time lags; how a fault comes and goes; what there is only now
and then; and what all of it is measured by.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pytest

from anomgan.config import DialectName
from anomgan.records import Floats, Reading, TimeSeries
from anomgan.simulate import KINDS, SENSOR_FAULTS, Scenario, parse_scenario, simulate, ticks
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.fault_plan import longest_lag_s
from anomgan.simulate.faults import Fault, strength
from anomgan.simulate.kind import Channel, Inputs, Kind
from anomgan.simulate.normal import ROWS as DAY_ROWS
from anomgan.simulate.normal import Clock, device_traits, working_day
from anomgan.simulate.other_units import OTHER_UNITS
from anomgan.simulate.sensor_faults import possible
from anomgan.wire.dialects import Decoder, encode
from anomgan.wire.payload_format import PayloadFormat
from anomgan.wire.topics import parse_template

PERIOD_S = 4.0
START, END, ROWS = 101, 301, 320
"""rows; two blocks' edges lie between, and none at the fault's"""
INSIDE = slice(START, END)
PUMP = KINDS["pump"].channels
CHANNEL = "discharge_pressure"
RESOLUTION = 0.005


def scenario(*faults: Mapping[str, Any], kind: str = "pump", count: int = 1, **clock: Any) -> Scenario:
    span = {"device": "it-1", "start_s": START * PERIOD_S, "end_s": END * PERIOD_S}
    return parse_scenario(
        {
            "clock": {"period_s": PERIOD_S, "duration_s": ROWS * PERIOD_S, "day_s": 900.0, "seed": 4} | clock,
            "devices": [{"kind": kind, "name": "it-", "count": count}],
            "output": {"topic": "plant/{device}"},
            "faults": [span | dict(fault) for fault in faults],
        },
        "plant.toml",
    )


def run(*faults: Mapping[str, Any], **keys: Any) -> TimeSeries:
    return simulate(scenario(*faults, **keys))[0]


@cache
def healthy() -> TimeSeries:
    return run()


def lies(kind: str, *channels: str, **keys: Any) -> dict[str, Any]:
    return {"kind": kind, "channels": list(channels or [CHANNEL]), **keys}


def column(series: TimeSeries, name: str = CHANNEL) -> Floats:
    return series.values[:, series.channels.index(name)]


# ---------------------------------------------------------------- each by itself


@pytest.mark.parametrize(("severity", "side"), [(0.6, 1), (-0.6, -1)])
def test_a_clipped_sensor_saturates_inside_its_normal_range(severity: float, side: int) -> None:
    before, after = column(healthy())[INSIDE], column(run(lies("clipping", severity=severity)))[INSIDE]
    level = side * (side * after).max()
    room = np.ptp(np.percentile(column(healthy()), [1, 99]))
    assert side * (side * before.max() if side > 0 else side * before.min()) == pytest.approx(
        level + severity * room, abs=0.25 * room
    )
    clipped = side * before > side * level
    assert 0.2 < clipped.mean() < 1.0
    assert np.all(after[clipped] == level)
    np.testing.assert_array_equal(after[~clipped], before[~clipped])


def test_the_deeper_it_is_clipped_the_less_is_left() -> None:
    widths = [np.ptp(column(run(lies("clipping", severity=s)))[INSIDE]) for s in (0.2, 0.5, 0.8)]
    assert np.ptp(column(healthy())[INSIDE]) > widths[0] > widths[1] > widths[2]


@pytest.mark.parametrize("severity", [0.3, 0.7, 1.0])
def test_of_a_channel_that_drops_out_the_share_that_the_severity_says_is_missing(severity: float) -> None:
    before, after = column(healthy()), column(run(lies("dropout", severity=severity)))
    missing = np.isnan(after)
    assert missing[START]
    assert not missing[:START].any()
    assert not missing[END:].any()
    assert missing[INSIDE].mean() == pytest.approx(severity, abs=0.1)
    np.testing.assert_array_equal(after[~missing], before[~missing])


def test_two_channels_drop_out_each_on_its_own() -> None:
    series = run(lies("dropout", "flow", "speed", severity=0.5))
    missing = [np.isnan(column(series, name))[INSIDE] for name in ("flow", "speed")]
    assert 0.3 < np.mean(missing[0] ^ missing[1]) < 0.7


@pytest.mark.parametrize(
    ("channel", "unit", "resolution"),
    [
        ("discharge_pressure", "psi", 0.01),
        ("motor_temperature", "°F", 0.1),
        ("flow", "l/s", 0.01),
        ("speed", "Hz", 0.01),
    ],
)
def test_a_unit_jump_tells_the_same_quantity_in_another_unit_and_its_own_resolution(
    channel: str, unit: str, resolution: float
) -> None:
    sensor = next(one for one in PUMP if one.name == channel)
    other = OTHER_UNITS[sensor.unit]
    assert (other.unit, other.resolution(sensor.resolution)) == (unit, pytest.approx(resolution))
    before, after = column(healthy(), channel), column(run(lies("unit_jump", channel)), channel)
    np.testing.assert_allclose(after[INSIDE], before[INSIDE] * other.scale + other.offset, atol=0.51 * resolution)
    steps = after[INSIDE] / resolution
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert np.array_equal(np.delete(after, INSIDE), np.delete(before, INSIDE))


@pytest.mark.parametrize(
    ("unit", "given", "told"),
    [("°C", 100.0, 212.0), ("°C", -40.0, -40.0), ("bar", 1.0, 14.503774), ("m³/h", 36.0, 10.0), ("Pa", 250.0, 2.5),
     ("m", 1.0, 3.2808399), ("mm/s", 25.4, 1.0), ("rpm", 3000.0, 50.0), ("kWh", 10.0, 36.0), ("kW", 1.5, 1500.0)],
)  # fmt: skip
def test_other_units_are_those_of_the_tables(unit: str, given: float, told: float) -> None:
    other = OTHER_UNITS[unit]
    assert given * other.scale + other.offset == pytest.approx(told)


def test_every_unit_of_every_kind_has_another_or_is_known_to_have_none() -> None:
    units = {channel.unit for kind in KINDS.values() for channel in kind.channels}
    assert units - OTHER_UNITS.keys() == {"", "%", "dBm", "Hz", "ppm"}


def test_swapped_channels_tell_each_other_s_value_in_each_other_s_resolution() -> None:
    before, after = healthy(), run(lies("swapped_channels", "speed", "suction_pressure"))
    for one, other in (("speed", "suction_pressure"), ("suction_pressure", "speed")):
        assert np.array_equal(column(after, one)[INSIDE], column(before, other)[INSIDE])
        assert np.array_equal(np.delete(column(after, one), INSIDE), np.delete(column(before, one), INSIDE))


@pytest.mark.parametrize("lag_rows", [1, 10, 150, 225])
def test_a_time_lag_tells_the_value_of_so_many_seconds_ago(lag_rows: int) -> None:
    before, after = column(healthy()), column(run(lies("time_lag", severity=lag_rows * PERIOD_S)))
    rows = np.arange(max(START, lag_rows), END)
    assert np.array_equal(after[rows], before[rows - lag_rows])
    assert np.array_equal(np.delete(after, INSIDE), np.delete(before, INSIDE))


def test_a_lag_that_begins_with_the_run_tells_what_was_before_it() -> None:
    # the same plant, begun ten rows later; a pump's course does not depend on where its run begins, its noise does
    late = column(run(lies("time_lag", "motor_temperature", severity=40.0, start_s=0.0)), "motor_temperature")
    before = column(healthy(), "motor_temperature")
    assert np.array_equal(late[10:END], before[: END - 10])
    assert np.abs(late[:10] - before[0]).max() < 1.0
    assert not np.array_equal(late[:10], np.full(10, late[10]))


def test_a_lag_that_grows_and_shrinks_never_looks_ahead() -> None:
    lag = lies("time_lag", severity=40 * PERIOD_S, ramp_s=80 * PERIOD_S, recovery_s=40 * PERIOD_S)
    before, after = column(healthy()), column(run(lag))
    age = np.arange(END - START)
    ago = np.floor(40.0 * np.minimum(np.minimum(age / 80.0, (END - START - age) / 40.0), 1.0) + 1e-6).astype(int)
    assert ago.min() == 0
    assert ago.max() == 40
    assert np.array_equal(after[INSIDE], before[START + age - ago])


# ---------------------------------------------------------------- coming and going


def test_strength_rises_over_the_ramp_and_falls_over_the_recovery() -> None:
    fault = Fault("", "d", "bias", ("c",), 10.0, 30.0, -2.0, ramp_s=4.0, recovery_s=5.0)
    ages = np.arange(20.0)
    expected = [-2.0 * min(age / 4.0, (20.0 - age) / 5.0, 1.0) for age in ages]
    np.testing.assert_allclose(strength(fault, ages, 1.0), expected)
    assert np.all(strength(fault, ages[1:], 1.0) < 0)  # to its last row


GRADED = [kind for kind, fault in SENSOR_FAULTS.items() if fault.recovery and kind not in ("time_lag", "dropout")]


@pytest.mark.parametrize("kind", GRADED)
def test_a_fault_that_recovers_is_weaker_at_its_end_than_in_its_middle_and_labelled_until_then(kind: str) -> None:
    assert {"spike", "bias", "drift", "noise", "clipping"} == set(GRADED)
    going = run(lies(kind, recovery_s=100 * PERIOD_S))
    effect = np.abs(column(going) - column(healthy()))
    assert effect[END - 20 : END].mean() < 0.4 * effect[END - 120 : END - 80].mean()
    assert np.all(effect[END:] == 0)
    assert effect[END - 100 : END].any()
    assert going.labels is not None
    assert np.array_equal(np.flatnonzero(going.labels), np.arange(START, END))


def test_a_bias_that_recovers_goes_in_a_straight_line() -> None:
    offset = (column(run(lies("bias", recovery_s=100 * PERIOD_S))) - column(healthy()))[INSIDE]
    np.testing.assert_allclose(offset[100:], offset[50] * (100 - np.arange(100)) / 100, atol=2 * RESOLUTION)


def test_a_drift_that_recovers_has_grown_to_its_severity_when_it_begins_to() -> None:
    offset = (column(run(lies("drift", recovery_s=50 * PERIOD_S))) - column(healthy()))[INSIDE]
    whole = (column(run(lies("drift", end_s=(END - 50) * PERIOD_S))) - column(healthy()))[INSIDE]
    np.testing.assert_allclose(offset[:150], whole[:150], atol=2 * RESOLUTION)
    np.testing.assert_allclose(offset[150:], offset[150] * (50 - np.arange(50)) / 50, atol=2 * RESOLUTION)


def test_a_dropout_that_comes_and_goes_loses_most_in_its_middle() -> None:
    keys = {"severity": 1.0, "ramp_s": 80 * PERIOD_S, "recovery_s": 80 * PERIOD_S}
    missing = np.isnan(column(run(lies("dropout", **keys))))[INSIDE]
    assert missing[80:120].all()
    assert 0.3 < missing[:80].mean() < 0.7
    assert 0.3 < missing[120:].mean() < 0.7
    assert missing[40:80].sum() > missing[:40].sum()


def test_a_process_fault_that_recovers_leaves_its_physics_behind_when_it_has_gone() -> None:
    quiet, going = healthy(), run({"kind": "bearing_wear", "recovery_s": 100 * PERIOD_S})
    vibration = (column(going, "vibration") - column(quiet, "vibration"))[INSIDE]
    assert vibration[190:].mean() < 0.3 * vibration[60:100].mean()
    assert np.all(column(going, "vibration")[END:] == column(quiet, "vibration")[END:])
    assert np.any(column(going, "motor_temperature")[END:] != column(quiet, "motor_temperature")[END:])
    assert going.labels is not None
    assert np.array_equal(np.flatnonzero(going.labels), np.arange(START, END))


# ---------------------------------------------------------------- several at once


def test_a_channel_with_several_faults_does_not_depend_on_their_order_in_the_file() -> None:
    several = [lies("bias", severity=2.0), lies("noise"), lies("clipping", severity=0.4), lies("time_lag")]
    several.append(lies("unit_jump"))
    one, other = run(*several), run(*reversed(several))
    assert one.values.tobytes() == other.values.tobytes()


def test_a_clipped_sensor_does_not_tell_its_bias_above_its_ceiling_and_tells_both_in_the_other_unit() -> None:
    ceiling = column(run(lies("clipping", severity=0.5)))[INSIDE].max()
    both = column(run(lies("bias", severity=3.0), lies("clipping", severity=0.5)))[INSIDE]
    assert both.max() == ceiling
    assert (both == ceiling).mean() > (column(run(lies("clipping", severity=0.5)))[INSIDE] == ceiling).mean()
    psi = column(run(lies("bias", severity=3.0), lies("clipping", severity=0.5), lies("unit_jump")))[INSIDE]
    np.testing.assert_allclose(psi, both * OTHER_UNITS["bar"].scale, atol=0.0051)


# ---------------------------------------------------------------- in pieces


EVERY = (
    lies("time_lag", "flow", severity=600.0, start_s=20.0, ramp_s=300.0, recovery_s=200.0),
    lies("dropout", "vibration", severity=0.4),
    lies("clipping", "speed"),
    lies("swapped_channels", "motor_power", "motor_current"),
    lies("unit_jump", "suction_pressure"),
    lies("bias", CHANNEL, ramp_s=100.0, recovery_s=200.0),
    {"kind": "cavitation", "ramp_s": 100.0, "recovery_s": 300.0},
)


@pytest.mark.parametrize("day_s", [900.0, TRUE_DAY_S])
@pytest.mark.parametrize(("first", "rows"), [(0, 1), (100, 2), (127, 130), (300, 20), (250, 1)])
def test_a_run_with_every_fault_is_the_same_in_pieces_to_the_last_bit(first: int, rows: int, day_s: float) -> None:
    whole = simulate(scenario(*EVERY, day_s=day_s))[0]
    piece = simulate(scenario(*EVERY, day_s=day_s), first, rows)[0]
    assert piece.values.tobytes() == whole.values[first : first + rows].tobytes()
    for tick in ticks(scenario(*EVERY, day_s=day_s), first, min(rows, 3)):
        told = np.array(list(tick.readings[0].values.values()))
        assert told.tobytes() == whole.values[tick.row].tobytes()


def test_faults_of_one_device_leave_the_others_alone_and_do_not_depend_on_them() -> None:
    two, calm = simulate(scenario(*EVERY, count=2, day_s=TRUE_DAY_S)), simulate(scenario(count=2, day_s=TRUE_DAY_S))
    assert two[1].values.tobytes() == calm[1].values.tobytes()
    assert two[0].values.tobytes() == simulate(scenario(*EVERY, day_s=TRUE_DAY_S))[0].values.tobytes()


def test_each_of_two_devices_that_lag_tells_its_own_past() -> None:
    both = [lies("time_lag", device=f"it-{number}", severity=600.0, start_s=0.0) for number in (1, 2)]
    calm = simulate(scenario(count=2))
    for late, before in zip(simulate(scenario(*both, count=2)), calm, strict=True):
        assert np.array_equal(column(late)[150:END], column(before)[: END - 150])
        told_before_the_run = column(late)[:150]
        assert np.abs(told_before_the_run.mean() - column(before).mean()) < 0.5 * column(before).std() + 0.1


# ---------------------------------------------------------------- what it is measured by


def lived(kind: Kind[Any, Any, Any], names: tuple[str, ...], start_s: float) -> Floats:
    """Naive twin of `working_day`, (D, ROWS, C): a day from a start on, of which all the time passes."""
    traits = device_traits(kind, "", names, 3)
    parameters = kind.parameters(kind.settings(), traits[:, : kind.traits])
    since_s = (np.arange(DAY_ROWS + 24) - 24.0) * 300.0
    course = kind.course(parameters, moments(start_s, "UTC", TRUE_DAY_S, since_s))
    dice, healthy = np.random.default_rng(0), np.zeros((len(kind.process_faults), len(names)))
    state, seen = None, []
    for row in course:
        shocks, chances = dice.standard_normal((kind.shocks, len(names))), dice.random((kind.chances, len(names)))
        inputs = Inputs(row, shocks, chances, healthy)
        state, shown = kind.step(parameters, kind.rest(parameters, inputs) if state is None else state, inputs, 300.0)
        seen.append(np.stack(shown, axis=-1))
    return np.stack(seen[24:], axis=1)


@pytest.mark.parametrize("name", KINDS)
def test_the_working_day_is_about_that_of_devices_which_live_all_of_it(name: str) -> None:
    kind, names = KINDS[name], tuple(f"it-{number}" for number in range(6))
    start_s = datetime(2024, 6, 13, tzinfo=UTC).timestamp()  # a Thursday
    day = working_day(kind, kind.settings(), "", names, Clock(3, start_s, "UTC", TRUE_DAY_S))
    assert day.shape == (6, DAY_ROWS, len(kind.channels))
    least = np.array([max(3.0 * channel.noise, channel.resolution) for channel in kind.channels])
    ours, true = (
        np.median(np.maximum(one.std(axis=1), least), axis=0) for one in (day, lived(kind, names, start_s - TRUE_DAY_S))
    )
    ratio = dict(zip(kind.names, (ours / true).round(2).tolist(), strict=True))
    assert all(0.4 < one < 2.5 for one in ratio.values()), ratio
    assert 0.7 < np.median(list(ratio.values())) < 1.4, ratio


@pytest.mark.parametrize(("start", "day"), [(15, "friday"), (16, "friday"), (17, "friday"), (18, "monday")])
def test_what_is_measured_is_a_working_day_whatever_day_the_run_begins(start: int, day: str) -> None:
    kind = KINDS["rotating_machine"]  # it stands still on Saturdays and Sundays
    begins = datetime(2024, 6, start, 3, 0, tzinfo=UTC).timestamp()  # Saturday 15, in the night
    seen = working_day(kind, kind.settings(), "", ("it-1",), Clock(0, begins, "UTC", TRUE_DAY_S))[0]
    assert 0.3 < np.mean(seen[:, kind.names.index("speed")] > 100.0) < 0.9


def test_what_is_measured_does_not_depend_on_the_hour_at_which_the_run_begins() -> None:
    kind = KINDS["smart_meter"]
    early, late = (
        working_day(kind, kind.settings(), "", ("it-1",), Clock(0, at.timestamp(), "Europe/Berlin", TRUE_DAY_S))
        for at in (datetime(2024, 6, 12, 1, tzinfo=UTC), datetime(2024, 6, 12, 20, tzinfo=UTC))
    )
    np.testing.assert_allclose(early, late, rtol=1e-6)


def test_by_night_a_solar_inverter_s_bias_is_as_large_as_by_day() -> None:
    offsets = []
    for hour in (0, 12):
        start = datetime(2024, 6, 12, hour, tzinfo=UTC)
        keys = {"kind": "solar_inverter", "day_s": TRUE_DAY_S, "start": start}
        biased = run(lies("bias", "module_temperature", severity=1.0), **keys)
        before = run(**keys)
        offsets.append((column(biased, "module_temperature") - column(before, "module_temperature"))[START + 5])
    assert min(offsets) > 2.0
    assert offsets[0] == pytest.approx(offsets[1], rel=0.05)


# ---------------------------------------------------------------- on the wire


@pytest.mark.parametrize(
    "dialect",
    ["flat", "nested", "array", "columnar", "zigbee2mqtt", "tasmota", "chirpstack", "things_stack", "senml", "influx"],
)
def test_what_dropped_out_is_null_or_left_out_and_the_rest_of_the_message_stays(dialect: DialectName) -> None:
    series = run(lies("dropout", "flow"))
    values = dict(zip(series.channels, series.values[START].tolist(), strict=True))
    template = parse_template("plant/{site}/{device}/telemetry")
    ((topic, payload),) = encode(dialect, [Reading("it-1", 1_700_000_000.0, values, "s")], template)
    assert b"NaN" not in payload
    ((read,), *_) = Decoder(PayloadFormat(template, dialect)).decode(topic, payload, 1_700_000_000.0)
    told = {name: value for name, value in read.values.items() if not np.isnan(value)}
    assert {name.removesuffix(".value") for name in told} == set(values) - {"flow"}
    assert told == {name: values[name] for name in told}


def test_in_the_metric_dialect_what_dropped_out_is_null_on_its_topic() -> None:
    reading = Reading("it-1", 1_700_000_000.0, {"flow": float("nan"), "speed": 2.0}, "s")
    told = dict(encode("metric", [reading], parse_template("plant/{site}/{device}/{channel}")))
    assert told["plant/s/it-1/flow"].startswith(b'{"value":null,')
    assert told["plant/s/it-1/speed"].startswith(b'{"value":2.0,')


def test_in_sparkplug_what_dropped_out_is_null() -> None:
    template = parse_template("spBv1.0/{site}/+/{device#}")
    reading = Reading("edge.it-1", 1_700_000_000.0, {"flow": float("nan"), "speed": 2.0}, "s")
    decoder = Decoder(PayloadFormat(template, "sparkplug_b"))
    read = [
        one
        for message in encode("sparkplug_b", [reading], template)
        for one in decoder.decode(*message, 1.7e9).readings
    ]
    assert read[-1].values["speed"] == 2.0
    assert np.isnan(read[-1].values["flow"])


# ---------------------------------------------------------------- what a sensor can have


def test_contacts_and_counters_have_the_faults_that_make_sense_for_them() -> None:
    contact = Channel("door", "", 1.0, 0.0, 0.0, 1.0, digital=True)
    counter = Channel("energy", "kWh", 0.001, 0.0, 0.0, 1e6, counter=True)
    plain = Channel("flow", "m³/h", 0.05, 0.15, 0.0, 80.0)
    assert set(possible(contact)) == {"stuck", "correlation_break", "swapped_channels", "dropout", "time_lag"}
    assert set(possible(counter)) == set(SENSOR_FAULTS) - {"noise", "clipping", "correlation_break"}
    assert set(possible(plain)) == set(SENSOR_FAULTS)


def test_the_longest_lag_is_known_of_the_time_before_the_run() -> None:
    for period_s in (0.5, 4.0, 60.0):
        longest = longest_lag_s(period_s)
        lag = lies("time_lag", "speed", severity=longest, start_s=0.0, end_s=50 * period_s)
        series = run(lag, period_s=period_s, duration_s=60 * period_s, kind="rotating_machine")
        assert np.all(np.isfinite(series.values))
