"""Several brokers in one configuration: names that lead somewhere, and one line for each that does not."""

from typing import Any

import pytest

from anomgan.config import ServiceConfig, broker_name, broker_table, parse_config
from anomgan.errors import ConfigError

FLEET = {"model": "pump.safetensors", "topic": "plant/{device}/telemetry"}
NORTH, SOUTH = {"name": "north", "host": "n"}, {"name": "south", "host": "s"}


def parsed(**tables: Any) -> ServiceConfig:
    document = {"fleets": [FLEET], "store": {"sqlite": {"path": "anomgan.db"}}, **tables}
    return parse_config(ServiceConfig, document, "service.toml")


def fleets(*brokers: str) -> list[dict[str, str]]:
    return [FLEET | ({"broker": broker} if broker else {}) for broker in brokers]


def test_one_broker_is_enough_and_needs_no_name() -> None:
    config = parsed(broker={"host": "h"})
    assert list(config.sources()) == [""]
    assert config.sources()[""].host == "h"
    assert parsed().sources()[""].host == "localhost"
    assert (broker_name(config.broker), broker_table(config.broker)) == ("", "broker")


def test_fleets_find_their_brokers_and_those_without_a_name_the_default() -> None:
    config = parsed(broker={"host": "h"}, brokers=[NORTH, SOUTH], fleets=fleets("south", "", "south"))
    assert {name: broker.host for name, broker in config.sources().items()} == {"south": "s", "": "h"}
    assert broker_table(config.broker_called("north")) == "brokers.north"


def test_brokers_without_a_default_are_enough_where_every_fleet_names_one() -> None:
    config = parsed(brokers=[NORTH, SOUTH], fleets=fleets("north", "south"), publish={"broker": "north"})
    assert list(config.sources()) == ["north", "south"]


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        ({"brokers": [NORTH, NORTH | {"host": "x"}]}, "brokers.1.name: 'north' is the name of brokers.0 already"),
        ({"brokers": [{"host": "n"}]}, "brokers.0.name: this key is required"),
        ({"brokers": [NORTH | {"name": "a/b"}]}, "brokers.0.name"),
        ({"brokers": [NORTH | {"name": ""}]}, "brokers.0.name"),
        ({"brokers": [NORTH | {"prot": 1}]}, "brokers.0.prot: unknown key; did you mean 'port'?"),
        ({"brokers": NORTH}, "brokers: expected an array"),
        ({"broker": {"name": "x"}}, "broker.name: unknown key"),
        (
            {"brokers": [NORTH, SOUTH], "fleets": fleets("nroth")},
            "fleets.0.broker: there is no [[brokers]] called 'nroth'; did you mean 'north'?",
        ),
        (
            {"brokers": [NORTH, SOUTH], "fleets": fleets("north", "xyz")},
            "fleets.1.broker: there is no [[brokers]] called 'xyz'; known names: north, south",
        ),
        ({"fleets": fleets("north")}, "fleets.0.broker: there is no [[brokers]] called 'north'; without this key"),
        (
            {"brokers": [NORTH, SOUTH], "fleets": fleets("north", "")},
            "fleets.1.broker: which of north, south? Without this key it is [broker], which is not given",
        ),
        (
            {"brokers": [NORTH], "fleets": fleets("north"), "publish": {"broker": "sud"}},
            "publish.broker: there is no [[brokers]] called 'sud'",
        ),
        (
            {"brokers": [NORTH | {"client_id": "a"}, {"name": "again", "host": "n", "client_id": "a"}]},
            "brokers.1.client_id: brokers.0 is the same broker with the same id",
        ),
        (
            {"broker": {"host": "n", "client_id": "a"}, "brokers": [NORTH | {"client_id": "a"}]},
            "brokers.0.client_id: broker is the same broker with the same id",
        ),
        ({"broker": {"version": 4}}, "broker.version"),
        ({"broker": {"version": "5"}}, "broker.version"),
        ({"broker": {"session_expiry_s": 0}}, "broker.session_expiry_s"),
        ({"broker": {"session_expiry_s": 2**32}}, "broker.session_expiry_s"),
        ({"broker": {"password_env": "X"}}, "broker: password_env is given without a username"),
        ({"broker": {"password_file": "X"}}, "broker: password_file is given without a username"),
        (
            {"broker": {"tls": True, "key_file": "k"}},
            "broker: key_file is given without the cert_file that it belongs to",
        ),
        ({"broker": {"password": "hunter2"}}, "use password_env or password_file"),
        ({"brokers": [NORTH | {"password": "hunter2"}]}, "brokers.0.password: secrets do not belong"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tables: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(**tables)
    message = str(caught.value)
    assert message.startswith("service.toml: ")
    assert line in message
    assert len(message.splitlines()) == 1
    assert "hunter2" not in message
