"""Devices that behave like recorded ones take part in a simulated run as all others do."""

import re
import tomllib
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded_bench import CHANNELS, MODEL, PERIOD_S, UNITS, devices, learned, recording

from anomgan.errors import ConfigError, ModelFileError
from anomgan.records import TimeSeries
from anomgan.simulate import SENSOR_FAULTS, LivePlan, Scenario, Wish, parse_scenario, schedule, simulate, ticks
from anomgan.simulate.device_table import DevicesConfig
from anomgan.simulate.fault_plan import table_of
from anomgan.simulate.fleet import blocks, parts
from anomgan.simulate.learned_kind import LearnedKind, device_seed
from anomgan.simulate.normal import prelude_blocks
from anomgan.simulate.randomness import BLOCK
from anomgan.synthesis.simulated import SimulatedModel
from anomgan.synthesis.synthesizer import Synthesizer

REFERENCE = Path(__file__).parents[1] / "configs" / "simulate.toml"
ROWS = 400
CLOCK = {"period_s": PERIOD_S, "duration_s": ROWS * PERIOD_S, "seed": 3}
PUMPS = {"kind": "pump", "name": "pump-", "site": "north"}
EARLY = prelude_blocks(PERIOD_S)[1] * BLOCK
"""rows before row 0"""


@pytest.fixture(scope="module")
def maker() -> Synthesizer:
    return learned()


class Plant:
    """Scenarios whose models are all this one."""

    def __init__(self, maker: Synthesizer) -> None:
        self.maker = maker

    def __call__(self, *tables: Mapping[str, Any], **others: Any) -> Scenario:
        """What these `[[devices]]` and other tables come to."""
        document = {"clock": CLOCK | others.pop("clock", {}), "devices": list(tables or (devices(),)), **others}
        return parse_scenario(document, "plant.toml", lambda name: SimulatedModel(self.maker.parts, name))


@pytest.fixture(scope="module")
def plant(maker: Synthesizer) -> Plant:
    return Plant(maker)


@pytest.fixture(scope="module")
def whole(plant: Plant) -> list[TimeSeries]:
    return simulate(plant())


def same(one: TimeSeries, other: TimeSeries) -> bool:
    return one.values.tobytes() == other.values.tobytes() and np.array_equal(one.times, other.times)


# ---------------------------------------------------------------- what they are


def test_channels_units_decimals_and_contacts_are_the_model_s(plant: Plant) -> None:
    kind = plant().groups[0].kind
    assert isinstance(kind, LearnedKind)
    assert (kind.name, kind.digest, kind.names) == (f"gan:{MODEL}", MODEL, CHANNELS)
    assert tuple(channel.unit for channel in kind.channels) == UNITS
    assert [channel.resolution for channel in kind.channels] == [0.001, 0.1, 1.0, 0.01]
    assert [channel.digital for channel in kind.channels] == [False, False, True, False]
    assert [channel.lively for channel in kind.channels] == [True, True, True, False]
    assert kind.process_faults == ()


def test_values_are_such_as_were_recorded(whole: list[TimeSeries]) -> None:
    known = recording().values
    for one in whole:
        assert (one.channels, one.units) == (CHANNELS, UNITS)
        assert one.values.min(axis=0).tolist() >= known.min(axis=0).tolist()[:4]
        assert one.values.max(axis=0).tolist() <= known.max(axis=0).tolist()[:4]
        for column, decimals in zip(one.values.T, (3, 1, 0, 2), strict=True):
            np.testing.assert_array_equal(column, column.round(decimals))
        assert not one.labels.any()


def test_what_is_usual_follows_the_condition(plant: Plant) -> None:
    low, high = (plant(devices(given={"mode": mode})).groups[0].kind.usual for mode in (1, 2))
    assert low.mean[0] + 2.0 < high.mean[0]
    for usual in (low, high):
        assert (usual.spread > 0).all()
        assert (usual.bottom[:2] < usual.mean[:2]).all()
        assert (usual.mean[:2] < usual.top[:2]).all()
    made = [np.mean([one.values[:, 0] for one in simulate(plant(devices(given={"mode": mode})))]) for mode in (1, 2)]
    assert made[0] + 2.0 < made[1]


def test_the_table_that_the_reference_shows_can_be_put_in_force(plant: Plant) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    shown = re.findall(r"(?m)^# ([a-z_]+ = .*)$", text[text.index('# engine = "gan"') : text.index("# Faults with")])
    (table,) = tomllib.loads("[[devices]]\n" + "\n".join(shown))["devices"]
    assert set(table) == set(DevicesConfig.model_fields) - {"kind", "settings", "network"}
    assert plant(table).groups[0].names == ("bench-1", "bench-2")


# ---------------------------------------------------------------- the same rows, however they are taken


def test_the_rows_are_those_of_generate_with_the_device_s_seed(
    plant: Plant, maker: Synthesizer, whole: list[TimeSeries]
) -> None:
    start_s = plant().start_s
    for one in whole:
        seed = device_seed(3, "north", one.device)
        (made,) = maker.generate(EARLY + ROWS, start_s - EARLY * PERIOD_S, given={"mode": 2.0}, seed=seed)
        np.testing.assert_array_equal(one.values, made.values[EARLY:])
        np.testing.assert_array_equal(one.times, made.times[EARLY:])


def test_of_a_slower_run_each_so_many_th_row_of_the_model_is_taken(plant: Plant, maker: Synthesizer) -> None:
    period_s = 3.0 * PERIOD_S
    run = plant(clock={"period_s": period_s})
    early = prelude_blocks(period_s)[1] * BLOCK
    seed = device_seed(3, "north", "bench-1")
    (made,) = maker.generate(3 * (early + 90), run.start_s - early * period_s, given={"mode": 2.0}, seed=seed)
    np.testing.assert_array_equal(simulate(run, 0, 90)[0].values, made.values[3 * early :: 3])


def test_the_same_seed_gives_the_same_readings_and_devices_differ(plant: Plant, whole: list[TimeSeries]) -> None:
    assert all(map(same, whole, simulate(plant())))
    other = simulate(plant(clock={"seed": 4}))
    courses = [one.values[:, 0] for one in (*whole, *other)]
    for index, one in enumerate(courses):
        assert all(np.abs(one - two).mean() > 0.3 for two in courses[index + 1 :])


@pytest.mark.parametrize(("start", "rows"), [(0, 1), (127, 2), (128, 128), (250, 150)])
def test_a_stretch_is_the_same_as_cut_from_the_whole_run(
    plant: Plant, whole: list[TimeSeries], start: int, rows: int
) -> None:
    assert all(map(same, simulate(plant(), start, rows), (one[start : start + rows] for one in whole)))


def test_no_device_notices_which_others_there_are(plant: Plant, whole: list[TimeSeries]) -> None:
    among = simulate(plant(PUMPS, devices(name="other-", given={"mode": 1}), devices(count=3)))
    assert [one.device for one in among[4:6]] != [one.device for one in whole]
    assert all(map(same, among[3:5], whole))
    apart = [one for part in parts(plant(), 1) for one in simulate(part)]
    assert all(map(same, apart, whole))


def test_an_endless_run_goes_on_in_constant_memory(plant: Plant, whole: list[TimeSeries]) -> None:
    run = blocks(plant(clock={"duration_s": None}))
    first = next(run)
    np.testing.assert_array_equal(first.values[0][1], whole[1].values[:BLOCK])
    tracemalloc.start()
    for _ in range(4):
        next(run)
    early = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        block = next(run)
    grown = tracemalloc.get_traced_memory()[0] - early
    tracemalloc.stop()
    assert block.first_row == 24 * BLOCK
    assert grown < 4 * block.values[0].nbytes


# ---------------------------------------------------------------- faults


def fault(kind: str, *channels: str, start: int = 150, end: int = 300, **keys: Any) -> dict[str, Any]:
    own = {"device": "bench-2", "kind": kind, "start_s": start * PERIOD_S, "end_s": end * PERIOD_S}
    return own | ({"channels": list(channels)} if channels else {}) | keys


CHANNELS_OF = {"swapped_channels": ("flow", "temperature"), "unit_jump": ("temperature",)}


@pytest.mark.parametrize("name", SENSOR_FAULTS)
def test_every_sensor_fault_shows_in_its_rows_and_nowhere_else(
    plant: Plant, whole: list[TimeSeries], name: str
) -> None:
    channels = CHANNELS_OF.get(name, ("flow",))
    first, second = simulate(plant(faults=[fault(name, *channels)]))
    assert same(first, whole[0])
    assert second.labels.nonzero()[0].tolist() == list(range(150, 300))
    differs = (second.values != whole[1].values) & ~(np.isnan(second.values) & np.isnan(whole[1].values))
    assert {CHANNELS[index] for index in differs.any(axis=0).nonzero()[0]} == set(channels)
    assert not differs[~second.labels].any()
    assert differs[second.labels].any(axis=1).mean() > 0.04


def test_faults_are_of_the_size_that_is_asked_for(plant: Plant, whole: list[TimeSeries]) -> None:
    spread = plant().groups[0].kind.usual.spread
    (_, off), (_, hot), (_, late) = (
        simulate(plant(faults=[one]))
        for one in (
            fault("bias", "flow", severity=4.0),
            fault("unit_jump", "temperature"),
            fault("time_lag", "flow", severity=30 * PERIOD_S, start=2, end=300),
        )
    )
    healthy, rows = whole[1].values, slice(150, 300)
    np.testing.assert_allclose(off.values[rows, 0] - healthy[rows, 0], 4.0 * spread[0], atol=0.001)
    np.testing.assert_allclose(hot.values[rows, 1], 1.8 * healthy[rows, 1] + 32.0, atol=0.051)
    np.testing.assert_array_equal(late.values[32:300, 0], healthy[2:270, 0])
    assert np.unique(late.values[2:32, 0]).size > 20  # what it was before the run


def test_contacts_and_constants_have_the_faults_that_they_can_have(plant: Plant) -> None:
    with pytest.raises(ConfigError, match=r"faults.0.channels: 'valve' is a contact; it knows"):
        plant(faults=[fault("noise", "valve")])
    moved = simulate(plant(faults=[fault("bias", "level", severity=50.0)]))[1].values[:, 3]
    assert moved[140] == 7.25
    assert abs(moved[200] - 7.25) > 0.1


def test_faults_by_chance_are_of_the_sensors_and_known_beforehand(plant: Plant) -> None:
    table = {"spacing_s": [60.0, 90.0], "duration_s": [40.0, 80.0], "quiet_s": 10.0}
    run = plant(PUMPS, devices(), random_faults=table, clock={"duration_s": 8000.0})
    faults = list(schedule(run))
    own = [one for one in faults if one.device.startswith("bench-")]
    assert len(own) > 20
    assert {one.kind for one in own} <= set(SENSOR_FAULTS)
    assert {one.kind for one in faults} > {one.kind for one in own}
    assert "valve" not in {name for one in own for name in one.channels}
    assert "level" not in {name for one in own for name in one.channels if not SENSOR_FAULTS[one.kind].always}
    assert [one for tick in ticks(run) for one in tick.begun] == faults
    labels = {one.device: one.labels for one in simulate(run)}
    assert all(labels[one.device][round(one.start_s / PERIOD_S)] for one in own)


@pytest.mark.parametrize("wanted", ["drift", "correlation_break", "time_lag"])
def test_what_is_injected_live_is_what_the_plan_would_have_given(plant: Plant, wanted: str) -> None:
    run = plant()
    live = LivePlan(run)
    rows = []
    for tick in ticks(run, live=live):
        rows.append(tick)
        if tick.row == 200:
            live.inject(Wish("bench-2", None, wanted, ("flow",), 40 * PERIOD_S))
        if tick.row == 215:
            live.stop(1)
    (ended,) = [one for tick in rows for one in tick.ended]
    assert (rows[201].begun[0].kind, ended.over_s) == (wanted, 217 * PERIOD_S)
    planned = ticks(plant(faults=[table_of(ended)]))
    assert [repr(tick.readings) for tick in planned] == [repr(tick.readings) for tick in rows]


# ---------------------------------------------------------------- what is refused


def refused(plant: Plant, *tables: Mapping[str, Any], **others: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        plant(*tables, **others)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["bearing_wear", "refrigerant_leak"])
def test_faults_that_need_physics_are_refused_by_their_name_and_the_device_s(plant: Plant, kind: str) -> None:
    said = f"{kind!r} acts on the physics of a machine, and 'bench-2' (engine = \"gan\") has none: only its sensors can"
    assert f"plant.toml: faults.0.kind: {said}" in refused(plant, faults=[fault(kind)])
    assert f"plant.toml: faults.1.kind: {said}" in refused(plant, faults=[fault("bias", "flow"), fault(kind)])
    by_chance = refused(plant, random_faults={"kinds": [kind]})
    assert f"plant.toml: random_faults.kinds: {kind!r} acts on the physics of a machine, and 'bench-1'" in by_chance
    live = LivePlan(plant())
    with pytest.raises(ConfigError) as caught:
        live.inject(Wish("bench-2", None, kind, (), 100.0))
    assert str(caught.value).startswith(f"inject.kind: {said}")


def test_what_is_no_fault_at_all_and_no_channel_has_its_nearest_name(plant: Plant) -> None:
    wrong = refused(plant, faults=[fault("stck", "flow")])
    assert f"faults.0.kind: unknown fault of a gan:{MODEL} 'stck'; did you mean 'stuck'?" in wrong
    wrong = refused(plant, faults=[fault("stuck", "flwo")])
    assert f"faults.0.channels: unknown channel of a gan:{MODEL} 'flwo'; did you mean 'flow'?" in wrong


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"given": {}}, "given: condition 'mode' is needed: one of 1, 2"),
        ({"given": {"mode": 3}}, "given: condition 'mode': 3 is none of 1, 2"),
        ({"given": {"mode": "fast"}}, "given: condition 'mode': fast is none of 1, 2"),
        ({"given": {"mode": 2, "shift": 1}}, "given: unknown condition 'shift'; this model's are mode, hour"),
        ({"given": {"mode": 2, "hour": 1}}, "given: condition 'hour' follows from the times; it cannot be given"),
        ({"given": {"mode": True}}, "given: 'mode' is neither a number nor a text"),
        ({"given": {"mode": float("inf")}}, "given: 'mode' is neither a number nor a text"),
        ({"kind": "pump"}, 'kind: goes with engine = "physics"; these devices have engine = "gan" (got \'pump\')'),
        ({"settings": {"flow_m3h": 4}}, 'settings: goes with engine = "physics"; these devices have engine = "gan"'),
        ({"engine": "gam"}, "engine: Input should be 'physics' or 'gan' (got 'gam')"),
        ({"site": ""}, "site: this key is required"),
    ],
)
def test_a_table_that_the_model_or_the_engine_contradicts_is_refused(
    plant: Plant, keys: dict[str, Any], message: str
) -> None:
    assert f"plant.toml: devices.0.{message}" in refused(plant, devices(**keys))


def test_each_engine_has_keys_of_its_own(plant: Plant) -> None:
    without = {key: value for key, value in devices().items() if key != "model"}
    assert refused(plant, without) == "plant.toml: devices.0.model: this key is required"
    assert refused(plant, {"name": "pump-", "site": "north"}) == "plant.toml: devices.0.kind: this key is required"
    for key, value in (("model", "x.safetensors"), ("given", {"mode": 2})):
        said = f'plant.toml: devices.0.{key}: goes with engine = "gan"; these devices have engine = "physics"'
        assert refused(plant, PUMPS | {key: value}).startswith(said)


@pytest.mark.parametrize("period_s", [1.0, 3.0, 6.0, 10.0, 404.0])
def test_a_period_that_is_no_multiple_of_the_model_s_is_refused(plant: Plant, period_s: float) -> None:
    said = f"devices.0.model: {MODEL} knows readings every 4 s, of which clock.period_s = {period_s:g} is no whole"
    assert said in refused(plant, clock={"period_s": period_s})
    assert plant(clock={"period_s": 400.0}).groups[0].names == ("bench-1", "bench-2")


def test_a_model_that_cannot_be_opened_is_named_with_the_reason() -> None:
    document = {"clock": CLOCK, "devices": [devices()]}

    def broken(name: str) -> SimulatedModel:
        raise ModelFileError(f"{name}: truncated")

    with pytest.raises(ConfigError, match=f"^plant.toml: devices.0.model: {MODEL}: truncated$"):
        parse_scenario(document, "plant.toml", broken)
    with pytest.raises(ConfigError, match=r'^plant.toml: devices.0.engine: "gan" needs an open_model'):
        parse_scenario(document, "plant.toml")


def test_a_number_is_needed_where_the_model_was_trained_on_numbers() -> None:
    maker = learned(steps=2, conditions=("temperature",))
    plant = Plant(maker)
    assert plant(devices(given={"temperature": 50})).groups[0].kind.names == ("flow", "valve", "level", "mode")
    wrong = refused(plant, devices(given={"temperature": "hot"}))
    assert "devices.0.given: condition 'temperature': hot is no number" in wrong
