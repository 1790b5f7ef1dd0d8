"""FleetQuality: what reaches the model of a whole fleet, what is told, and that a restart changes neither."""

import math
import struct
import zlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quality_cases import START_S, Delivery, clock, held_up, in_order, lost, outage, prompt, twice

from anomgan.config import parse_config
from anomgan.detector import Detector
from anomgan.errors import ConfigError, DataError
from anomgan.quality import FleetQuality, HealthIssue, Limits, QualityConfig, QualityWatch, learn_limits
from anomgan.quality.packed import MAGIC, pack
from anomgan.records import Reading, TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.stream import StreamDetector

ROWS = 400
PERIOD_S = 5.0
CHANNELS = ("pressure", "energy", "door")


def series(seed: int, rows: int = ROWS) -> TimeSeries:
    rng = np.random.default_rng(seed)
    pressure = np.round(50.0 + 4.0 * np.sin(np.arange(rows) / 60 + seed) + 0.3 * rng.normal(size=rows), 1)
    energy = np.cumsum(np.round(rng.exponential(size=rows), 1)) + 100.0
    door = (rng.random(rows) < 0.1).astype(float)
    values = np.stack([pressure, energy, door], axis=1)
    return TimeSeries(START_S + PERIOD_S * np.arange(rows), values, CHANNELS, units=("bar", "kWh", ""))


@pytest.fixture(scope="module")
def limits() -> Limits:
    return learn_limits(series(99, 4000))


def screen_all(quality: FleetQuality, sent: Delivery, size: int = 50) -> tuple[list[Reading], list[HealthIssue]]:
    fed, issues = [], []
    for start in range(0, len(sent), size):
        part = sent[start : start + size]
        screened = quality.screen([one.reading for one in part], [one.at_s for one in part])
        fed += screened.readings
        issues += screened.issues
        issues += quality.silent(part[-1].at_s)
    return fed, issues


EXTREMES = (0.0, 1.0, -1.0, 50.0, 50.1, -127.0, 65535.0, 122.0, 1e38, -1e38, 3e37, 1e-300, float("nan"), float("inf"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_was_sent_what_is_remembered_of_it_is_taken_back(limits: Limits, data: st.DataObject) -> None:
    """A snapshot that is refused keeps the service from starting: no device may bring that about."""
    watch = QualityWatch(limits, QualityConfig())
    now_s = time_s = START_S
    for _ in range(data.draw(st.integers(1, 12))):
        now_s += data.draw(st.sampled_from([0.0, 0.25, 1.0, 30.0, 4000.0, -10.0]))
        readings = []
        for _ in range(data.draw(st.integers(0, 12))):
            time_s += data.draw(st.sampled_from([0.0, 1.0, 1.0, 1.0, -5.0, 1e5, -1e5, 1e9, -1e9]))
            time_s = min(max(time_s, 946_684_800.0), START_S + 86_400.0)
            values = {name: data.draw(st.sampled_from(EXTREMES)) for name in limits.channels}
            readings.append(Reading(data.draw(st.sampled_from(["a", "b"])), time_s, values))
        watch.turn(readings, now_s)
        again = QualityWatch(limits, QualityConfig())
        again.restore(watch.snapshot())
        assert again.snapshot() == watch.snapshot()


def troubled_fleet(seed: int) -> Delivery:
    """Six devices, each with a trouble of its own in delivery or in a sensor."""
    rng = np.random.default_rng(seed)
    middle_s = START_S + ROWS * PERIOD_S / 2
    sent: Delivery = []
    for device in range(6):
        one = series(seed + device)
        values = one.values.copy()
        start = int(rng.integers(50, 250))
        part = slice(start, start + int(rng.integers(20, 140)))
        sensor = rng.integers(6)
        if sensor == 0:
            values[part, 0] = values[start - 1, 0]
        elif sensor == 1:
            values[part, 0] *= 100.0
        elif sensor == 2:
            values[part, 0] = -127.0
        elif sensor == 3:
            values[start:, 1] -= values[start - 1, 1]
        elif sensor == 4:
            values[part, int(rng.integers(3))] = np.nan
        delivery = prompt(replace(one, values=values), rng, f"d{device}", "site" * (device % 2))
        sent += [
            lambda d: d,
            lambda d: twice(d, 0.7, rng),
            lambda d: held_up(d, 0.4, 12.0, rng),
            lambda d: clock(d, lambda t: 500.0 * (t > middle_s)),
            lambda d: outage(d, middle_s, middle_s + 500.0),
            lambda d: lost(d, middle_s, middle_s + 300.0),
        ][int(rng.integers(6))](delivery)
    return in_order(sent)


# ---------------------------------------------------------------- what is fed and told


def test_a_healthy_reading_is_the_same_object_and_a_sick_one_only_lacks_what_is_sick(limits: Limits) -> None:
    quality = FleetQuality(limits)
    first, second = (Reading("d", START_S + i, {"pressure": 50.0 + i, "energy": 7.0, "extra": 1.0}) for i in (0, 1))
    sick = Reading("d", START_S + 2, {"pressure": -127.0, "energy": 8.0, "extra": 2.0})
    fed = quality.screen([first, second, sick], [START_S + 3] * 3).readings
    assert fed[0] is first
    assert fed[1] is second
    assert fed[2].values["energy"] == 8.0
    assert fed[2].values["extra"] == 2.0
    assert math.isnan(fed[2].values["pressure"])
    assert sick.values["pressure"] == -127.0
    assert "door" not in fed[2].values


def test_readings_without_a_channel_of_the_model_pass_for_the_stream_to_count(limits: Limits) -> None:
    quality = FleetQuality(limits)
    foreign = Reading("d", START_S, {"flow": 1.0})
    assert quality.screen([foreign, foreign], [START_S] * 2).readings == [foreign, foreign]
    assert len(quality) == 0
    assert quality.counters == {}


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e39, math.nan])
def test_what_is_no_number_is_missing_and_not_out_of_range(limits: Limits, value: float) -> None:
    quality = FleetQuality(limits)
    reading = Reading("d", START_S, {"pressure": value, "energy": 1.0, "door": 0.0})
    screened = quality.screen([reading], [START_S])
    assert screened.readings[0] is reading
    assert screened.issues == []


def test_issues_are_told_once_each_opened_before_it_closes_with_the_same_id(limits: Limits) -> None:
    for seed in range(12):
        _, issues = screen_all(FleetQuality(limits), troubled_fleet(seed), 7)
        state: dict[str, str] = {}
        for issue in issues:
            if issue.kind == "counter_reset":
                assert issue.id not in state
            else:
                assert state.get(issue.id, "new") == ("new" if issue.state == "open" else "open"), issue
            state[issue.id] = issue.state
            assert issue.start_s <= issue.end_s
            assert issue.reason
            assert issue.id.startswith(f"{issue.site}/{issue.device}" if issue.site else issue.device)


def test_every_reading_is_fed_or_counted_and_every_masked_value_too(limits: Limits) -> None:
    for seed in range(12):
        quality, sent = FleetQuality(limits), troubled_fleet(seed)
        fed, issues = screen_all(quality, sent)
        count = quality.counters
        assert len(fed) + sum(n for key, n in count.items() if key.startswith("dropped.")) == len(sent)
        was = {(one.reading.source, one.reading.time_s): one.reading for one in sent}
        gone = sum(
            math.isnan(value) and not math.isnan(was[reading.source, reading.time_s].values[name])
            for reading in fed
            for name, value in reading.values.items()
        )
        assert gone == sum(n for key, n in count.items() if key.startswith("masked_values."))
        opened = Counter(one.kind for one in issues if one.state == "open" or one.kind == "counter_reset")
        assert opened == {key.removeprefix("issues."): n for key, n in count.items() if key.startswith("issues.")}


def test_open_issues_are_those_that_were_told_and_not_closed(limits: Limits) -> None:
    for seed in range(12):
        quality = FleetQuality(limits)
        standing: dict[str, HealthIssue] = {}
        for issue in screen_all(quality, troubled_fleet(seed), 13)[1]:
            if issue.state == "open":
                standing[issue.id] = issue
            else:
                standing.pop(issue.id, None)
        listed = quality.open_issues()
        assert {issue.id for issue in listed} == standing.keys()
        assert all(issue.state == "open" for issue in listed)
        kinds = Counter((issue.site, issue.device, issue.kind) for issue in listed if issue.channel)
        for device in quality.health(START_S):
            key = (device.site, device.device)
            assert device.stuck == kinds[*key, "stuck"]
            assert device.unit_jump == kinds[*key, "unit_jump"]
            assert device.out_of_range == kinds[*key, "out_of_range"]
            assert device.missing == kinds[*key, "silent"]


def test_the_configuration_names_channels_of_the_model(limits: Limits) -> None:
    with pytest.raises(DataError, match="'flow', which is none of"):
        FleetQuality(limits, QualityConfig(ranges={"flow": (0.0, 1.0)}))
    with pytest.raises(DataError, match="no channel is called 'flow'"):
        FleetQuality(limits, QualityConfig(may_stand_still=("flow",)))
    document = {"ranges": {"pressure": [0, 80]}, "may_stand_still": ["door"]}
    assert FleetQuality(limits, parse_config(QualityConfig, document, "x")).limits.of[0].most == 80.0
    with pytest.raises(ConfigError, match="did you mean 'skew_s'"):
        parse_config(QualityConfig, {"skew": 1.0}, "x")


def test_arrivals_go_with_readings(limits: Limits) -> None:
    with pytest.raises(ValueError, match="1 readings with 2 arrivals"):
        FleetQuality(limits).screen([Reading("d", START_S, {"door": 0.0})], [START_S] * 2)
    with pytest.raises(ValueError, match="not a finite number"):
        FleetQuality(limits).screen([Reading("d", START_S, {"door": 0.0})], [math.nan])


# ---------------------------------------------------------------- restart


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_after_a_restart_the_same_is_fed_and_told_as_without(limits: Limits, seed: int, share: float) -> None:
    sent = troubled_fleet(seed)
    cut = round(share * len(sent))
    whole, before, after = (FleetQuality(limits) for _ in range(3))
    first = screen_all(whole, sent[:cut])
    assert repr(first) == repr(screen_all(before, sent[:cut]))
    after.restore(before.snapshot())
    assert repr(whole.open_issues()) == repr(after.open_issues())
    assert repr(screen_all(whole, sent[cut:])) == repr(screen_all(after, sent[cut:]))
    assert whole.snapshot() == after.snapshot()


def test_a_snapshot_of_nobody_and_of_many_comes_back(limits: Limits) -> None:
    empty = FleetQuality(limits)
    empty.restore(FleetQuality(limits).snapshot())
    assert len(empty) == 0
    many = FleetQuality(limits)
    readings = [Reading(f"gerät {i}", START_S, {"door": 0.0}, "s/1") for i in range(1000)]
    many.screen(readings, [START_S] * 1000)
    empty.restore(many.snapshot())
    assert len(empty) == 1000
    assert empty.snapshot() == many.snapshot()


def test_a_snapshot_made_for_other_channels_is_refused(limits: Limits) -> None:
    quality = FleetQuality(limits)
    other = learn_limits(replace(series(1), channels=("pressure", "energy", "gate")))
    with pytest.raises(DataError, match="for other channels"):
        quality.restore(FleetQuality(other).snapshot())


def test_a_damaged_snapshot_is_refused_and_changes_nothing(limits: Limits) -> None:
    source, target = FleetQuality(limits), FleetQuality(limits)
    screen_all(source, troubled_fleet(3))
    snapshot, rng = source.snapshot(), np.random.default_rng(0)
    bad = [snapshot[:at] for at in (*range(30), *rng.integers(0, len(snapshot), 100).tolist())]
    for at in (*range(30), *rng.integers(0, len(snapshot), 200).tolist()):
        damaged = bytearray(snapshot)
        damaged[at] ^= 1 << int(rng.integers(8))
        bad.append(bytes(damaged))
    for damaged in (*bad, snapshot + b"x", b"", b"agQS\x02"):
        try:
            target.restore(damaged)
        except DataError:
            assert len(target) == 0
            continue
        raise AssertionError(f"{damaged!r} was taken")


def test_a_device_costs_little() -> None:
    eight = TimeSeries(np.arange(600.0), np.random.default_rng(0).normal(size=(600, 8)), tuple("abcdefgh"))
    assert FleetQuality(learn_limits(eight)).bytes_per_device() < 1500


# ---------------------------------------------------------------- devices that are simulated


@pytest.fixture(scope="module")
def plant() -> list[TimeSeries]:
    """Two pumps and two cold stores at ten seconds, half a day; from the ninth hour on each has its faults."""
    hour = 3600.0
    faults = [
        ("pump-1", "stuck", ["flow"]),
        ("pump-1", "bearing_wear", None),
        ("pump-2", "blockage", None),
        ("pump-2", "drift", ["motor_power"]),
        ("pump-1", "bias", ["vibration"]),
        ("pump-2", "noise", ["speed"]),
        ("cold-1", "refrigerant_leak", None),
        ("cold-1", "correlation_break", ["humidity"]),
        ("cold-2", "door_left_open", None),
        ("cold-2", "stuck", ["discharge_pressure"]),
    ]
    begins = Counter[str]()
    tables = []
    for device, kind, channels in faults:
        start_s = (9.0 + begins[device]) * hour
        begins[device] += 1
        table = {"device": device, "kind": kind, "start_s": start_s, "end_s": start_s + 0.5 * hour}
        tables.append(table | ({"channels": channels} if channels else {}))
    document = {
        "clock": {"period_s": 10.0, "duration_s": 12 * hour},
        "output": {"topic": "{device}"},
        "devices": [{"kind": "pump", "name": "pump-", "count": 2}, {"kind": "cold_store", "name": "cold-", "count": 2}],
        "faults": tables,
    }
    return simulate(parse_scenario(document, "plant"))


def test_of_simulated_faults_only_stuck_sensors_are_masked_and_processes_pass_to_the_bit(
    plant: list[TimeSeries],
) -> None:
    for number, stuck in ((0, ["flow"]), (1, []), (2, []), (3, ["discharge_pressure"])):
        kin = plant[:2] if number < 2 else plant[2:]
        quality = FleetQuality(learn_limits([one[:2880] for one in kin]))
        one = plant[number][2880:]
        fed, issues = screen_all(quality, prompt(one, np.random.default_rng(0), one.device), 500)
        told = [(issue.kind, issue.channel) for issue in issues if issue.state == "open"]
        assert told == [("stuck", channel) for channel in stuck]
        after = np.array([[reading.values[channel] for channel in one.channels] for reading in fed])
        sick = np.isnan(after).any(axis=0)
        assert [channel for channel, bad in zip(one.channels, sick, strict=True) if bad] == stuck
        np.testing.assert_array_equal(after[:, ~sick], one.values[:, ~sick])


def test_a_stream_takes_what_is_left(detector: Detector) -> None:
    """The stream drops nothing of what quality has let through."""

    rng = np.random.default_rng(0)
    rows = 300
    values = rng.normal(size=(rows, len(detector.channels)))
    one = TimeSeries(START_S + np.arange(rows), values, detector.channels)
    sent = held_up(twice(prompt(one, rng), 0.3, rng), 0.3, 2.5, rng)
    quality, stream = FleetQuality(learn_limits(one)), StreamDetector(detector)
    fed, _ = screen_all(quality, sent)
    stream.push(fed)
    assert stream.counters["readings_admitted"] == len(fed)
    assert not any(key.startswith("dropped.") for key in stream.counters)


def test_what_no_reading_leaves_is_refused_though_its_checksum_is_right_and_changes_nothing(limits: Limits) -> None:
    def spoil(name: str, value: object) -> bytes:
        source = FleetQuality(limits)
        screen_all(source, troubled_fleet(3))
        for array in source._arrays():
            if name in (array.dtype.names or ()):
                array[name][1] = value
        return source.snapshot()

    FleetQuality(limits).restore(spoil("none", 0))
    damage = [("kind", 9), ("unit", 100), ("lenient", -1), ("rate", 2.0), ("rate", math.nan), ("offset_s", math.nan)]
    damage += [("left", 99), ("offset", math.inf), ("newest_s", math.nan), ("count", -1), ("end_s", 1e300), ("run", -1)]
    for name, value in damage:
        target = FleetQuality(limits)
        with pytest.raises(DataError, match="data quality"):
            target.restore(spoil(name, value))
        assert len(target) == 0


def test_a_snapshot_that_says_another_length_or_names_a_device_twice_is_refused(limits: Limits) -> None:
    source = FleetQuality(limits)
    source.screen([Reading("a", START_S, {"door": 0.0}), Reading("b", START_S, {"door": 0.0})], [START_S] * 2)
    arrays, made_for = source._arrays(), source.made_for
    for bad in (
        pack(made_for, [("", "a"), ("", "a")], arrays),
        pack(made_for, [("", "a")], arrays[:2]),
        pack(made_for, [("", "a")], [*arrays, arrays[0]]),
        with_checksum(struct.pack("<II", made_for, 2**32 - 1)),
        with_checksum(struct.pack("<IIII", made_for, 1, 2**32 - 1, 2**32 - 1)),
        with_checksum(pack(made_for, [("", "a")], arrays)[len(MAGIC) + 4 :].replace(b"a", b"\xff", 1)),
    ):
        target = FleetQuality(limits)
        with pytest.raises(DataError, match="data quality"):
            target.restore(bad)
        assert len(target) == 0


def with_checksum(told: bytes) -> bytes:
    return MAGIC + struct.pack("<I", zlib.crc32(told)) + told
