"""The machine keeps its shifts, its channels follow from its speed and load, and its vibration tells what is worn."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from anomgan.records import Floats, TimeSeries
from anomgan.simulate import parse_scenario, simulate
from anomgan.simulate.almanac import TRUE_DAY_S, moments
from anomgan.simulate.kind import Inputs
from anomgan.simulate.kinds.rotating_machine import (
    PEAKS,
    ROTATING_MACHINE,
    Machine,
    MachineSettings,
    Vibration,
    course,
    parameters,
    step,
    vibration,
)

DEVICES = 4
NAMES = ROTATING_MACHINE.names
SPEED, TORQUE, CURRENT, DRIVE, FREE, RMS, ONCE, TWICE, DEFECT, HIGH, CREST, KURTOSIS = range(len(NAMES))
BANDS = [ONCE, TWICE, DEFECT, HIGH]
MONDAY = datetime(2024, 6, 3, tzinfo=UTC)


def machines(**settings: float) -> Machine:
    traits = np.random.default_rng(5).standard_normal((DEVICES, ROTATING_MACHINE.traits))
    return parameters(MachineSettings(**settings), traits)  # type: ignore[arg-type]  # one of them is an int


def shakes(speed: float = 1.0, torque: float = 0.85, wear: float = 0.0, **faults: float) -> Vibration:
    """Of four machines at one speed and load."""
    names = ("unbalance", "misalignment", "lubrication_loss")
    given = np.array([[faults.get(name, 0.0)] * DEVICES for name in names])
    ones = np.ones(DEVICES)
    return vibration(machines(), speed * ones, torque * ones, wear * ones, given, np.ones((4, DEVICES)))


def run(seconds: float, works: float = 1.0, period_s: float = 10.0, **faults: float) -> Floats:
    """(R, C, D): at full load, or standing still, without chance and from rest."""
    machine = machines()
    severity = np.array([[faults.get(fault.name, 0.0)] * DEVICES for fault in ROTATING_MACHINE.process_faults])
    still, nobody = np.zeros((ROTATING_MACHINE.shocks, DEVICES)), np.full((2, DEVICES), 0.999)
    inputs = Inputs(np.array([[works] * DEVICES, [0.0] * DEVICES]), still, nobody, severity)
    state, seen = ROTATING_MACHINE.rest(machine, inputs), []
    for _ in range(int(seconds / period_s)):
        state, shown = step(machine, state, inputs, period_s)
        seen.append(shown)
    return np.array(seen)


def fleet(period_s: float = 60.0, days: float = 7.0, settings: Any = None, **tables: Any) -> list[TimeSeries]:
    clock = {"start": MONDAY, "period_s": period_s, "duration_s": days * TRUE_DAY_S, "seed": 2}
    fans = {"kind": "rotating_machine", "name": "fan-", "count": 2, "site": "hall", "settings": settings or {}}
    return simulate(parse_scenario({"clock": clock, "devices": [fans], **tables}, "plant.toml"))


@pytest.fixture(scope="module")
def week() -> list[TimeSeries]:
    return fleet()


# Shifts, load and heat


def test_it_works_in_its_shifts_on_weekdays_and_rests_by_night_and_on_weekends(week: list[TimeSeries]) -> None:
    for series in week:
        runs = series.values[:, SPEED] > 100
        hour, day = np.arange(len(runs)) / 60 % 24, np.arange(len(runs)) // 1440
        assert runs[(day < 5) & (hour > 7) & (hour < 21)].mean() > 0.7
        assert not runs[(day < 5) & ((hour < 5.4) | (hour > 22.6))].any()
        assert not runs[day >= 5].any()


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"work_days": 7, "shift_start_h": 0, "shift_end_h": 24}, 1.0),
        ({"work_days": 7, "shift_start_h": 6, "shift_end_h": 6}, 1.0),
        ({"work_days": 5, "shift_start_h": 22, "shift_end_h": 6}, 5 / 7 / 3),
        ({"work_days": 0}, 0.0),
    ],
)
def test_shifts_are_as_long_as_the_settings_say_over_midnight_too(settings: Any, share: float) -> None:
    when = moments(MONDAY.timestamp(), "UTC", TRUE_DAY_S, np.arange(0.0, 7 * TRUE_DAY_S, 300.0))
    works = course(machines(**settings), when)[:, 0]
    np.testing.assert_allclose(works.mean(axis=0), share, atol=0.02)
    if 0 < share < 1:
        assert np.all(
            works[(when.weekday == 5) & (when.days % 1.0 < 0.2)] == 1
        )  # Friday's night shift ends on Saturday
        assert np.all(works[(when.weekday == 0) & (when.days % 1.0 < 0.2)] == 0)


def test_it_knows_standstill_part_load_and_full_load_and_stays_in_each_for_a_while(week: list[TimeSeries]) -> None:
    speed = np.concatenate([series.values[:, SPEED] for series in week])
    part, full = (speed > 980) & (speed < 1150), speed > 1400
    assert part.mean() > 0.08
    assert full.mean() > 0.15
    assert (part | full | (speed < 10)).mean() > 0.97
    changes = np.count_nonzero(np.diff(full.astype(int))) + np.count_nonzero(np.diff(part.astype(int)))
    assert changes < 0.03 * len(speed)


def test_the_load_s_torque_goes_with_the_square_of_the_speed_and_the_current_with_the_torque() -> None:
    series = fleet(period_s=5.0, days=0.5, settings={"shift_start_h": 0, "shift_end_h": 24, "job_s": 900.0})[0]
    speed, torque, current = (series.values[:, index] for index in (SPEED, TORQUE, CURRENT))
    steady = np.abs(np.gradient(speed)) < 5
    full, part = steady & (speed > 1400), steady & (speed > 980) & (speed < 1150)
    ratio = (np.median(torque[part]) - 3.0) / (np.median(torque[full]) - 3.0)  # without friction
    assert ratio == pytest.approx(0.72**2, rel=0.12)
    assert np.corrcoef(torque[full | part], current[full | part])[0, 1] > 0.98
    rising = np.gradient(speed) > 50
    assert torque[rising & (speed > 1300)].max() > np.median(torque[full]) + 10  # accelerating takes more


def test_bearings_end_where_friction_meets_cooling_and_cool_slowly_when_it_stops() -> None:
    machine, warm = machines(), run(20_000.0)
    heats = 0.6 + 0.4 * warm[-1, TORQUE] / 100.0
    np.testing.assert_allclose(warm[-1, DRIVE] - machine.hall, machine.drive_rise * heats, rtol=1e-3)
    assert np.all(warm[-1, DRIVE] > warm[-1, FREE] + 3.0)  # the motor warms its end of the shaft
    cold = run(100.0, works=0.0)
    np.testing.assert_allclose(cold[-1, [DRIVE, FREE]], np.broadcast_to(machine.hall, (2, DEVICES)), atol=0.1)


def test_the_steady_state_does_not_depend_on_the_sampling_period() -> None:
    np.testing.assert_allclose(run(15_000.0, period_s=1.0)[-1], run(15_000.0, period_s=300.0)[-1], rtol=1e-4)


def test_temperatures_move_over_many_minutes_and_vibration_follows_speed_at_once(week: list[TimeSeries]) -> None:
    values = week[0].values
    drive, vibrating, speed = (values[:, index] for index in (DRIVE, RMS, SPEED))
    assert np.abs(np.diff(drive)).max() < 3.0  # in a minute
    assert np.corrcoef(drive[:-5], drive[5:])[0, 1] > 0.98
    assert np.corrcoef(speed, vibrating)[0, 1] > 0.95
    later = [np.corrcoef(speed[: len(speed) - lag], drive[lag:])[0, 1] for lag in (0, 20)]
    assert later[1] > later[0]  # heat comes after motion


# Vibration


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.72, 1.0])
@pytest.mark.parametrize("faults", [{}, {"wear": 0.5}, {"wear": 2.0}, {"unbalance": 1.0}, {"misalignment": 1.0}])
def test_the_rms_is_the_root_of_the_sum_of_the_squares_of_its_bands(speed: float, faults: dict[str, float]) -> None:
    seen = shakes(speed, **faults)
    np.testing.assert_allclose(seen.rms**2, seen.once**2 + seen.twice**2 + seen.defect**2 + seen.high**2)
    assert np.all(seen.kurtosis >= 1.5)
    assert np.all(seen.crest >= 1.4)


def test_what_the_sensor_tells_keeps_the_identity_up_to_its_resolution(week: list[TimeSeries]) -> None:
    values = week[0].values
    together = np.sqrt((values[:, BANDS] ** 2).sum(axis=1))
    assert np.abs(values[:, RMS] - together).max() < 0.05
    assert np.abs(values[:, RMS] - together).std() < 0.01


def test_a_healthy_machine_runs_quietly_and_its_noise_is_gaussian(week: list[TimeSeries]) -> None:
    for series in week:
        full = series.values[:, SPEED] > 1400
        assert 0.5 < series.values[full, RMS].mean() < 2.8  # zones A and B
        assert series.values[:, KURTOSIS].mean() == pytest.approx(3.0, abs=0.05)
        assert series.values[:, CREST].mean() == pytest.approx(PEAKS, abs=0.1)
        assert 0.03 < series.values[:, KURTOSIS].std() < 0.1


def test_unbalance_raises_once_per_turn_with_the_square_of_the_speed_and_nothing_else() -> None:
    healthy, full, part = shakes(), shakes(unbalance=1.0), shakes(0.72, unbalance=1.0)
    assert np.all(full.once > 2.0 * healthy.once)
    np.testing.assert_allclose(part.once / full.once, 0.72**2, rtol=1e-3)
    np.testing.assert_allclose([full.twice, full.defect, full.high], [healthy.twice, healthy.defect, healthy.high])
    np.testing.assert_allclose(full.kurtosis, 3.0, atol=0.1)


def test_misalignment_raises_twice_per_turn_most() -> None:
    healthy, crooked = shakes(), shakes(misalignment=1.0)
    assert np.all(crooked.twice > 4.0 * healthy.twice)
    assert np.all(crooked.twice - healthy.twice > 2.0 * (crooked.once - healthy.once))
    np.testing.assert_allclose(crooked.high, healthy.high)


def test_as_a_bearing_wears_kurtosis_and_crest_rise_first_and_fall_again_while_its_bands_go_on_rising() -> None:
    stages = [shakes(wear=wear) for wear in (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0)]
    kurtosis = np.array([stage.kurtosis for stage in stages])
    crest = np.array([stage.crest for stage in stages])
    np.testing.assert_allclose(kurtosis[0], 3.0, atol=0.05)
    top = kurtosis.argmax(axis=0)
    assert np.all((top >= 2) & (top <= 4))
    assert np.all(kurtosis.max(axis=0) > 7.0)
    assert np.all((kurtosis[5] > 4.0) & (kurtosis[5] < 0.75 * kurtosis.max(axis=0)))
    np.testing.assert_allclose(kurtosis[-1], 3.0, atol=0.3)
    assert np.all(crest.max(axis=0) > 1.7 * crest[0])
    assert np.all(crest[-1] < 1.15 * crest[0])
    for band in ("high", "defect", "rms"):
        assert np.all(np.diff([getattr(stage, band) for stage in stages], axis=0) > 0)
    early = stages[2]
    assert np.all(early.high / stages[0].high > early.defect / stages[0].defect * 0.8)
    assert np.all(early.rms < 1.2 * stages[0].rms)  # the RMS tells it late


def test_kurtosis_and_crest_are_those_of_a_signal_with_these_amplitudes() -> None:
    """Against a signal: noise, two sines and rare bursts, with the amplitudes of a bearing that begins to fail."""
    rng, count, lasts = np.random.default_rng(4), 400_000, 0.06 + 0.5 * 0.3**2
    machine, seen = machines(), shakes(wear=0.3)
    turns, rings, knocks = machine.rpm[0] / 60.0, 0.9 * 0.3, 1.9 * 0.3**1.5
    tone = np.sqrt(2.0) * turns * np.sin(0.0137 * np.arange(count)) * seen.once[0]
    tone += np.sqrt(2.0) * 2 * turns * np.sin(0.0311 * np.arange(count) + 1) * seen.twice[0]
    burst = (2500.0 * rings) ** 2 + (6.5 * turns * knocks) ** 2
    steady = (2500.0 * seen.high[0]) ** 2 + (6.5 * turns * seen.defect[0]) ** 2 - burst
    signal = tone + np.sqrt(steady) * rng.standard_normal(count)
    signal += np.where(rng.random(count) < lasts, np.sqrt(burst / lasts), 0.0) * rng.standard_normal(count)
    assert np.mean(signal**4) / np.mean(signal**2) ** 2 == pytest.approx(seen.kurtosis[0], rel=0.04)


def test_without_grease_it_hisses_and_the_bearing_warms() -> None:
    healthy, dry = run(8000.0), run(8000.0, lubrication_loss=1.0)
    assert np.all(dry[-1, HIGH] > 2.0 * healthy[-1, HIGH])
    assert np.all(dry[-1, DRIVE] > healthy[-1, DRIVE] + 15.0)
    assert np.all(dry[-1, CURRENT] > healthy[-1, CURRENT])
    np.testing.assert_allclose(dry[-1, ONCE], healthy[-1, ONCE])
    assert np.all(dry[20, HIGH] > 2.0 * healthy[20, HIGH])  # heard at once,
    assert np.all(dry[20, DRIVE] < healthy[20, DRIVE] + 6.0)  # felt later


# The course of things

ALWAYS = {"shift_start_h": 0, "shift_end_h": 24, "work_days": 7}


@pytest.mark.parametrize("fault", ROTATING_MACHINE.process_faults, ids=lambda fault: fault.name)
def test_a_fault_shows_in_the_channels_that_it_names_first_of_all_and_is_over_when_it_ends(fault: Any) -> None:
    planned = {"device": "fan-1", "kind": fault.name, "start_s": 7200.0, "end_s": 14_400.0, "ramp_s": 600.0}
    before = fleet(10.0, 0.5, ALWAYS)
    after = fleet(10.0, 0.5, ALWAYS, faults=[planned])
    assert np.array_equal(before[1].values, after[1].values)
    changed = np.abs(after[0].values - before[0].values)
    during = changed[800:1440][before[0].values[800:1440, SPEED] > 900]
    # counted in what changes from hour to hour anyway, at the same speed
    steps = np.array([4.0 * channel.noise + channel.resolution for channel in ROTATING_MACHINE.channels])
    told = np.median(during, axis=0) / steps
    order = [NAMES[index] for index in np.argsort(-told)]
    assert fault.channels[0] in order[:4]
    assert all(told[NAMES.index(name)] > 1.0 for name in fault.channels)
    assert np.all(changed[:720] == 0)
    assert np.all(changed[2800:] <= 2.01 * np.array([channel.resolution for channel in ROTATING_MACHINE.channels]))


@pytest.mark.parametrize("period_s", [1.0, 10.0, 60.0, 300.0, 3600.0])
def test_at_every_sampling_period_all_values_are_finite_and_within_range(period_s: float) -> None:
    fault = {"device": "fan-1", "kind": "bearing_wear", "start_s": 0.0, "end_s": 300 * period_s, "severity": 2.0}
    for series in fleet(period_s, 600.0 * period_s / TRUE_DAY_S, ALWAYS, faults=[fault]):
        assert np.isfinite(series.values).all()
        for channel, column in zip(ROTATING_MACHINE.channels, series.values.T, strict=True):
            assert column.max() < channel.high, channel.name
