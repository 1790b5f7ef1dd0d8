"""A wrong scenario is refused before anything is published, with the place and the nearest right word."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from anomgan.errors import ConfigError
from anomgan.simulate import INCIDENTS, KINDS, SENSOR_FAULTS, Scenario, parse_scenario, schedule
from anomgan.simulate.network import IncidentConfig, NetworkConfig

REFERENCE = Path(__file__).parents[1] / "configs" / "simulate.toml"
SCENARIOS = set(REFERENCE.parent.glob("*.toml")) - {REFERENCE.with_name("detector.toml")}


def parse(toml: str) -> Scenario:
    return parse_scenario(tomllib.loads(toml), "plant.toml")


PLANT = """
[clock]
duration_s = 1000
[[devices]]
kind = "pump"
name = "pump-"
count = 2
site = "north"
[[devices]]
kind = "cold_store"
name = "cold-"
site = "south"
"""


ENDLESS = PLANT.replace("duration_s = 1000", "")


def fault(**keys: Any) -> str:
    given = {"device": "pump-1", "kind": "stuck", "channels": ["flow"], "start_s": 100, "end_s": 200} | keys
    lines = [f"{key} = {value!r}" for key, value in given.items() if value is not None]
    return "[[faults]]\n" + "\n".join(lines) + "\n"


def test_a_right_scenario_names_its_devices_and_faults() -> None:
    scenario = parse(PLANT + fault() + fault(device="cold-1", kind="door_left_open", channels=None, start_s=50))
    assert list(scenario.kinds) == [("north", "pump-1"), ("north", "pump-2"), ("south", "cold-1")]
    assert scenario.rows == 1000
    assert [one.kind for one in scenario.faults] == ["door_left_open", "stuck"]  # in order of their start
    assert scenario.faults[0].channels[0] == "door"
    assert scenario.faults[0].source == ("south", "cold-1")


def test_the_reference_file_is_right_and_names_every_key_kind_channel_and_fault() -> None:
    text = REFERENCE.read_text()
    scenario = parse_scenario(tomllib.loads(text), "simulate.toml")
    tables = type(scenario.config).model_fields
    words = set(text.replace("[", " ").replace("]", " ").replace(",", " ").replace('"', " ").replace(":", " ").split())
    for name in ("clock", "output"):
        assert set(type(getattr(scenario.config, name)).model_fields) <= words
    for name in ("devices", "faults"):
        assert set(type(getattr(scenario.config, name)[0]).model_fields) <= words | {"settings"}
    assert set(type(scenario.config.random_faults).model_fields) <= words
    assert set(NetworkConfig.model_fields) | set(IncidentConfig.model_fields) | set(INCIDENTS) <= words
    assert set(tables) - {"broker"} <= words | {"clock", "output"}
    assert set(SENSOR_FAULTS) <= words
    for kind in KINDS.values():
        assert {kind.name, *kind.names, *kind.settings.model_fields} <= words
        assert {process.name for process in kind.process_faults} <= words


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", r"plant.toml: devices: this key is required"),
        (PLANT.replace("cold_store", "cold_stor"), r"devices.1.kind: .* 'cold_stor'; did you mean 'cold_store'\?"),
        (PLANT.replace('"pump"', '"turbine"'), r"devices.0.kind: .* 'turbine'; known: pump, cold_store"),
        (PLANT.replace("count = 2", "count = 0"), r"devices.0.count"),
        (PLANT.replace("count = 2", "cuont = 2"), r"devices.0.cuont: unknown key; did you mean 'count'\?"),
        (PLANT.replace('"pump-"', '"pump/"'), r"devices.0.name: 'pump/' cannot stand in a topic"),
        (PLANT.replace('"north"', '"no+th"'), r"devices.0.site: 'no\+th' cannot stand in a topic"),
        (PLANT.replace('site = "north"', ""), r"devices.0.site: this key is required, because a topic .* has \{site\}"),
        (PLANT.replace('"cold-"', '"pump-"').replace("south", "north"), r"two devices are called 'pump-1' at"),
        (PLANT + "[devices.settings]\nband = 2", r"devices.1.settings: band: unknown key; did you mean 'band_k'\?"),
        (PLANT + "[devices.settings]\nband_k = -2", r"devices.1.settings: band_k"),
        (PLANT + "[output]\ndialect = 'flatt'", r"output.dialect"),
        (PLANT.replace("1000", "1000\nspeed = -1"), r"clock.speed"),
        (PLANT.replace("1000", "1000\nstart = 2024-01-01T00:00:00"), r"clock.start"),
        (PLANT.replace("1000", "1000\nperiod_s = 0"), r"clock.period_s"),
        (PLANT + fault(device="pump-3"), r"faults.0.device: unknown device 'pump-3'; did you mean 'pump-[12]'\?"),
        (PLANT + fault(site="south"), r"faults.0.site: 'pump-1' does not stand at 'south', but at 'north'"),
        (PLANT + fault(kind="stck"), r"faults.0.kind: unknown fault of a pump 'stck'; did you mean 'stuck'\?"),
        (PLANT + fault(kind="refrigerant_leak", channels=None), r"faults.0.kind: .* 'refrigerant_leak'; known: "),
        (PLANT + fault(channels=["flwo"]), r"faults.0.channels: .* 'flwo'; did you mean 'flow'\?"),
        (PLANT + fault(channels=[]), r"faults.0.channels: this key is required for a sensor fault"),
        (PLANT + fault(channels=["flow", "flow"]), r"faults.0.channels: one stands there twice"),
        (PLANT + fault(kind="blockage"), r"faults.0.channels: 'blockage' acts on the machine; it takes no channels"),
        (PLANT + fault(device="cold-1", kind="drift", channels=["door"]), r"faults.0.channels: 'door' is a contact"),
        (PLANT + fault(end_s=1001), r"faults.0.end_s: 1001 is after the end of the run \(1000 s\)"),
        (PLANT + fault(end_s=100), r"faults.0.end_s: 100 is not at least a period after start_s 100"),
        (PLANT + fault(kind="bias", severity=0), r"faults.0.severity: 0 is no fault"),
        (PLANT + fault(kind="noise", severity=-1), r"faults.0.severity: -1 is no fault; 'noise' takes one above 0"),
        (PLANT + fault(kind="spike", severity=-1), r"faults.0.severity: -1 is no fault; 'spike' takes one above 0"),
        (PLANT + fault(severity=2), r"faults.0.severity: 'stuck' is there or not; it takes no severity"),
        (PLANT + fault(kind="unit_jump", severity=1), r"faults.0.severity: 'unit_jump' is there or not"),
        (PLANT + fault(ramp_s=5), r"faults.0.ramp_s: 'stuck' comes and goes at once; it takes no ramp_s"),
        (PLANT + fault(kind="correlation_break", recovery_s=5), r"faults.0.recovery_s: .* it takes no recovery_s"),
        (PLANT + fault(kind="drift", ramp_s=5), r"faults.0.ramp_s: 'drift' grows until its end by itself"),
        (PLANT + fault(kind="bias", ramp_s=-5), r"faults.0.ramp_s"),
        (PLANT + fault(kind="bias", recovery_s=-5), r"faults.0.recovery_s"),
        (PLANT + fault(kind="bias", recovry_s=5), r"faults.0.recovry_s: unknown key; did you mean 'recovery_s'\?"),
        (PLANT + fault(kind="bias", ramp_s=60, recovery_s=41), r"faults.0.recovery_s: to come and go takes 101 s, but"),
        (PLANT + fault(kind="bias", ramp_s=101), r"faults.0.ramp_s: to come and go takes 101 s, but .* lasts 100 s"),
        (PLANT + fault(kind="clipping", severity=1.1), r"faults.0.severity: 1.1 is a share; it cannot exceed 1"),
        (PLANT + fault(kind="clipping", severity=-1.1), r"faults.0.severity: -1.1 is a share; it cannot exceed 1"),
        (PLANT + fault(kind="dropout", severity=2), r"faults.0.severity: 2 is a share; it cannot exceed 1"),
        (PLANT + fault(kind="dropout", severity=-0.5), r"faults.0.severity: -0.5 is no fault"),
        (PLANT + fault(kind="bias", severity=-1e300), r"faults.0.severity: -1e\+300 counts in normal spreads"),
        (PLANT + fault(kind="leak", channels=None, severity=101), r"faults.0.severity: 101 is out of all proportion"),
        (PLANT + "[random_faults]\nseverity = 1e300", r"random_faults.severity"),
        (PLANT.replace('"pump-"', '"{device}"'), r"devices.0.name: '\{device\}' cannot stand in a topic"),
        (PLANT.replace("count = 2", "settings = 3"), r"devices.0.settings: expected a table"),
        (PLANT + fault(kind="time_lag", severity=0.5), r"faults.0.severity: a lag of 0.5 s is not between one period"),
        (PLANT + fault(kind="time_lag", severity=901), r"faults.0.severity: a lag of 901 s .* \(1 s\) and 900 s"),
        (PLANT + fault(kind="swapped_channels"), r"faults.0.channels: .* takes exactly two channels, not 1"),
        (PLANT + fault(kind="swapped_channels", channels=["flow", "speed", "vibration"]), r"exactly two .* not 3"),
        (PLANT + fault(kind="swapped_channels", channels=["flow", "flow"]), r"faults.0.channels: one stands"),
        (PLANT + fault(kind="unit_jump", device="cold-1", channels=["humidity"]), r"'humidity' has the unit '%'"),
        (PLANT + fault(kind="unit_jump", device="cold-1", channels=["door"]), r"'door' is a contact; it knows"),
        (PLANT + fault(kind="clipping", device="cold-1", channels=["door"]), r"'door' is a contact; it knows"),
        (PLANT + fault(kind="cavitation", channels=None, severity=-1), r"faults.0.severity: -1 is no fault"),
        (PLANT + fault(kind="blockage", channels=None, severity=-1), r"faults.0.severity: -1 is no fault"),
        (PLANT + fault() + fault(start_s=150, end_s=300), r"faults.1: stuck .* contradicts faults.0 \(stuck\)"),
        (PLANT + fault() + fault(kind="drift", end_s=101), r"faults.1: drift .* contradicts faults.0 \(stuck\)"),
        (PLANT + fault(kind="time_lag") + fault(kind="time_lag", start_s=199), r"time_lag .* contradicts faults.0"),
        (PLANT + fault(kind="swapped_channels", channels=["speed", "flow"]) + fault(), r"stuck .* channel \(flow\)"),
        (PLANT + fault(kind="dropout") + fault(kind="bias"), r"faults.1: bias .* contradicts faults.0 \(dropout\)"),
        (PLANT + fault(kind="unit_jump") + fault(kind="dropout"), r"faults.1: dropout .* contradicts faults.0"),
        (PLANT + 2 * fault(kind="cavitation", channels=None), r"faults.1: cavitation .* contradicts faults.0"),
        (PLANT + "[random_faults]\nkinds = ['rust']", r"random_faults.kinds: unknown fault 'rust'"),
        (PLANT + "[random_faults]\nspacing_s = [400, 240]", r"random_faults: spacing_s takes \[low, high\]"),
        (PLANT + "[random_faults]\nfirst_s = 2000", r"random_faults.first_s: 2000 is after the end of the run"),
        (PLANT + "[random_faults]\nfirst_s = 980", r"random_faults.first_s: .* lasts 60 s, .* the end of the run"),
        (PLANT + "[random_faults]\nfirst_s = 5\nlast_s = 50", r"random_faults.first_s: .* before last_s \(50 s\)"),
        (PLANT + "[random_faults]\nfirst_s = 500\nlast_s = 400", r"random_faults: last_s = 400 is not after first_s"),
        (PLANT + "[random_faults]\nspacing_s = [1e-9, 1]", r"random_faults: spacing_s takes between 0.001 s and ten"),
        (PLANT + "[random_faults]\nduration_s = [1, 1e12]", r"random_faults: duration_s takes between 0.001 s and ten"),
        (PLANT.replace("1000", "1e12"), r"clock.duration_s: 1e\+12 s after 2024-.* is later than the year 9999"),
        (PLANT.replace("1000", "1000\nperiod_s = 1e-9"), r"clock.period_s: .* greater than or equal to 0.001"),
        (PLANT.replace("1000", "1000\nseed = 9223372036854775808"), r"clock.seed"),
        (PLANT.replace("1000", "1000\nstart = 0001-01-01T00:00:00Z"), r"clock.start: a run begins between 1970 and"),
        (PLANT.replace("1000", "1000\nstart = 9999-12-31T00:00:00Z"), r"clock.start: a run begins between 1970 and"),
        (ENDLESS + fault(end_s=1e12), r"faults.0.end_s: 1e\+12 s after .* is later than the year 9999"),
        (ENDLESS + fault(start_s=1e12, end_s=2e12), r"faults.0.start_s: 1e\+12 s after"),
        (ENDLESS + "[[incidents]]\nkind = 'outage'\nend_s = 1e12", r"incidents.0.end_s: 1e\+12 s after"),
        (ENDLESS + "[random_faults]\nfirst_s = 1e12", r"random_faults.first_s: 1e\+12 s after"),
        (PLANT + "[broker]\npassword = 'x'", r"broker.password: secrets do not belong in a configuration file"),
    ],
)  # fmt: skip
def test_a_wrong_scenario_is_refused_by_name(toml: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(toml)
    assert str(caught.value).startswith("plant.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "others",
    [
        fault(start_s=200, end_s=300),  # one after the other
        fault(device="pump-2"),
        fault(channels=["speed"]),
        fault(kind="bearing_wear", channels=None),  # the machine fails behind a stuck sensor
        fault(kind="swapped_channels", channels=["speed", "vibration"]),
        fault(kind="off_curve", channels=None, severity=-1),
    ],
)
def test_faults_that_can_be_true_together_are_accepted(others: str) -> None:
    assert len(parse(PLANT + fault() + others).faults) == 2


@pytest.mark.parametrize("name", KINDS)
def test_a_process_fault_that_is_there_or_not_takes_no_severity_and_the_others_do(name: str) -> None:
    for process in KINDS[name].process_faults:
        plant = PLANT.replace('"cold_store"', f'"{name}"')
        for key in ("severity", "ramp_s", "recovery_s"):
            given = plant + fault(device="cold-1", kind=process.name, channels=None, **{key: 0.5})
            if process.graded:
                assert parse(given).faults[0].kind == process.name
            else:
                with pytest.raises(ConfigError, match=rf"faults.0.{key}: '{process.name}' .* takes no {key}"):
                    parse(given)


def test_a_lag_is_at_least_ten_periods_long_where_none_is_named() -> None:
    assert parse(PLANT + fault(kind="time_lag")).faults[0].severity == 30.0
    slow = PLANT.replace("duration_s = 1000", "duration_s = 1000\nperiod_s = 10")
    assert parse(slow + fault(kind="time_lag")).faults[0].severity == 100.0


def test_two_devices_of_one_name_are_told_apart_by_their_site() -> None:
    twins = PLANT.replace('name = "cold-"', 'name = "pump-"')
    with pytest.raises(ConfigError, match=r"faults.0.site: this key is required, for 'pump-1' stands at"):
        parse(twins + fault())
    assert parse(twins + fault(site="north")).faults[0].source == ("north", "pump-1")


@pytest.mark.parametrize("path", sorted(SCENARIOS), ids=lambda path: path.stem)
def test_every_scenario_in_the_folder_is_valid_and_its_first_lines_say_how_to_run_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    scenario = parse_scenario(tomllib.loads(text), path.name)
    assert scenario.groups
    comment = text[: text.index("\n[")]
    assert f"configs/{path.name}" in comment


def test_nothing_fails_in_a_quiet_week_and_much_on_a_bad_day() -> None:
    quiet, bad = (
        parse_scenario(tomllib.loads((REFERENCE.parent / f"{name}.toml").read_text(encoding="utf-8")), name)
        for name in ("quiet-week", "bad-day")
    )
    assert list(schedule(quiet)) == []
    assert quiet.network is None
    faults = list(schedule(bad))
    assert len(faults) > 30
    assert {"door_left_open", "swapped_channels", "unit_jump", "leak"} <= {fault.kind for fault in faults}
    assert len({fault.source for fault in faults}) == sum(len(group.names) for group in bad.groups)
