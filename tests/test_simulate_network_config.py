"""A wrong network is refused before anything is published, with the place and what would be right."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from anomgan.config import parse_config
from anomgan.errors import ConfigError
from anomgan.simulate import Scenario, parse_scenario
from anomgan.simulate.network import IncidentConfig, LinkConfig, NetworkConfig

REFERENCE = Path(__file__).parents[1] / "configs" / "simulate.toml"
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
OWN = '[network]\nconnection = "device"\n'


def parse(toml: str) -> Scenario:
    return parse_scenario(tomllib.loads(toml), "plant.toml")


def incident(kind: str = "outage", **keys: Any) -> str:
    given = {"kind": kind, "device": "pump-1", "start_s": 100, "end_s": 200} | keys
    lines = [f"{key} = {str(value).lower() if type(value) is bool else repr(value)}" for key, value in given.items()]
    return "\n".join(["[[incidents]]", *(line for line in lines if not line.endswith("None"))]) + "\n"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (incident(device="pump-3"), r"incidents.0.device: unknown device 'pump-3'; did you mean 'pump-[12]'\?"),
        (incident(site="south"), r"incidents.0.device: unknown device 'pump-1'; .*'?cold-1"),
        (incident(device=None, site="nort"), r"incidents.0.site: unknown site 'nort'; did you mean 'north'\?"),
        (incident("outrage"), r"incidents.0.kind: .*'outage'"),
        (incident(start_s=1000, end_s=None), r"incidents.0.start_s: 1000 is not before the end of the run \(1000 s\)"),
        (incident(end_s=1001), r"incidents.0.end_s: 1001 is after the end of the run \(1000 s\)"),
        (incident(end_s=100), r"incidents.0.end_s: 100 is not after start_s 100"),
        (incident(start_s=-1), r"incidents.0.start_s"),
        (incident(unset_s=5), r"incidents.0.unset_s: 'outage' does not have this key; its own: goodbye"),
        (incident("reboot", goodbye=True), r"incidents.0.goodbye: 'reboot' does not have this key; its own: unset_s"),
        (incident("clock_skew"), r"incidents.0: a clock_skew needs offset_s or drift_ppm other than 0"),
        (incident("clock_skew", offset_s=0), r"incidents.0: a clock_skew needs offset_s or drift_ppm other than 0"),
        (incident("clock_skew", offset_s=1e12), r"incidents.0.offset_s"),
        (incident("bad_link"), r"incidents.0: a bad_link needs at least one of delay_s, jitter_s, loss"),
        (incident("bad_link", loss=1.5), r"incidents.0.loss: .*less than or equal to 1"),
        (incident(goodbye=True), r'incidents.0.goodbye: without connection = "device" in \[network\] there is nobody'),
        (incident() + incident("reboot", start_s=150, end_s=300), r"incidents.1: reboot .* contradicts incidents.0"),
        (incident() + incident("absent", start_s=200, end_s=300), r"incidents.1: absent .* overlaps or touches it"),
        (incident(device=None) + incident(start_s=0), r"incidents.1: outage of 'pump-1' contradicts incidents.0"),
        (incident("clock_skew", offset_s=1) * 2, r"incidents.1: clock_skew of 'pump-1' contradicts incidents.0"),
        (incident("bad_link", loss=1) * 2, r"incidents.1: bad_link of 'pump-1' contradicts incidents.0"),
        ("[network]\nlos = 0.1", r"network.los: unknown key; did you mean 'loss'\?"),
        ("[network]\nloss = 2", r"network.loss: "),
        ("[network]\nloss = nan", r"network.loss: "),
        ("[network]\njitter_s = -1", r"network.jitter_s: "),
        ("[network]\nbuffer = 1.5", r"network.buffer: "),
        ("[network]\nqos = 3", r"network.qos: "),
        ("[network]\nconnection = 'devices'", r"network.connection: .*'shared' or 'device'"),
        ("[network]\nstatus = 'a/{device}'", r"network: status is given, yet without connection = \"device\""),
        ("[network]\npersistent = true", r"network: persistent is given, yet without connection = \"device\""),
        (OWN + "status = 'a'", r"network.status: 'a' is that of 'pump-1' at site 'north' and of 'pump-2' at site"),
        (OWN + "status = 'a/{devise}'", r"network.status: '\{' cannot stand there; placeholders: \{site\} and"),
        (OWN + "status = '#/{device}'", r"network.status: '#' cannot stand there"),
        (OWN + "client_id = 'x'", r"network.client_id: 'x' is that of 'pump-1'"),
        (OWN + "client_id = ''", r"network.client_id: "),
        ("network = { los = 0.1 }", r"devices.1.network.los: unknown key; did you mean 'loss'\?"),
        ("network = { connection = 'device' }", r"devices.1.network.connection: unknown key"),
    ],
)  # fmt: skip
def test_a_wrong_network_is_refused_by_name(toml: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(PLANT + toml)
    assert str(caught.value).startswith("plant.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "others",
    [
        incident(start_s=201, end_s=300),
        incident(device="pump-2"),
        incident("clock_skew", offset_s=5),
        incident("bad_link", loss=0.5),
    ],
)
def test_incidents_that_can_be_true_together_are_accepted(others: str) -> None:
    network = parse(PLANT + incident() + others).network
    assert network is not None
    assert len(network.incidents) == 2


def test_an_incident_without_a_device_is_one_of_each_of_the_site() -> None:
    network = parse(PLANT + incident(device=None, site="north") + incident(device=None, start_s=300, end_s=400)).network
    assert network is not None
    assert [one.device for one in network.incidents] == ["pump-1", "pump-2", "pump-1", "pump-2", "cold-1"]


def test_two_devices_of_one_name_are_told_apart_by_their_site() -> None:
    twins = PLANT.replace('name = "cold-"', 'name = "pump-"')
    with pytest.raises(ConfigError, match=r"incidents.0.site: this key is required, for 'pump-1' stands at"):
        parse(twins + incident())
    assert parse(twins + incident(site="south")).network is not None
    with pytest.raises(ConfigError, match=r"network.status: 'anomgan/status/pump-1' is that of 'pump-1' at site"):
        parse(twins + OWN)
    assert parse(twins + OWN + "status = 's/{site}/{device}'").network is not None


def test_no_device_connects_under_the_name_of_another_or_of_the_run() -> None:
    bare = 'output = { topic = "{device}" }\n' + PLANT.replace('site = "south"\n', "") + OWN
    message = r"network.client_id: 'north-pump-1' is that of 'pump-1' at site 'north' and of 'north-pump-1' at site ''"
    with pytest.raises(ConfigError, match=message):
        parse(bare.replace('"cold-"', '"north-pump-"'))
    with pytest.raises(ConfigError, match=r"network.client_id: 'north-pump-1' is that of 'pump-1' and, as broker.cl"):
        parse('broker = { client_id = "north-pump-1" }\n' + PLANT + OWN)
    with pytest.raises(ConfigError, match=r"network.client_id: 'cold-1' is that of 'cold-1' and, as broker.client_id"):
        parse('broker = { client_id = "cold-1" }\n' + bare)


def test_a_time_that_is_no_round_number_of_periods_means_the_row_that_is_as_good_as_there() -> None:
    network = parse(PLANT.replace("[clock]", "[clock]\nperiod_s = 0.1") + incident(start_s=0.3, end_s=0.7)).network
    assert network is not None
    assert (network.incidents[0].start_s, network.incidents[0].end_s) == (3 * 0.1, 7 * 0.1)


def test_devices_override_only_what_they_name() -> None:
    network = parse(PLANT + "network = { loss = 0.0 }\n[network]\nloss = 0.5\njitter_s = 2\n").network
    assert network is not None
    links = {name: (link.loss, link.jitter_s) for (_, name), link in network.links.items()}
    assert links == {"pump-1": (0.5, 2.0), "pump-2": (0.5, 2.0), "cold-1": (0.0, 2.0)}


def test_the_reference_shows_the_defaults_and_its_incidents_can_be_put_in_force() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    part = text[text.index("# [network]") :]
    document = tomllib.loads(re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", part))
    shown = parse_config(NetworkConfig, document["network"] | {"connection": "device"}, "simulate.toml")
    assert set(document["network"]) == set(NetworkConfig.model_fields)
    differ = {key for key in NetworkConfig.model_fields if getattr(shown, key) != getattr(NetworkConfig(), key)}
    assert differ == {"connection", "reorder_s", "qos"}  # their defaults depend on others
    assert {key for one in document["incidents"] for key in one} == set(IncidentConfig.model_fields)
    everything = tomllib.loads(text) | {"incidents": document["incidents"], "network": {"connection": "device"}}
    scenario = parse_scenario(everything, "simulate.toml")
    assert scenario.network is not None
    assert all(link == LinkConfig() for link in scenario.network.links.values())
