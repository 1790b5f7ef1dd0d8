"""Configuration: every mistake is one line that names the file, the table, the key and what to write instead."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.config import DetectorConfig, LearnConfig, ServiceConfig, parse_config
from anomgan.errors import ConfigError

GOOD: dict[str, Any] = {
    "fleets": [{"model": "pump.safetensors", "topic": "plant/{device}/telemetry"}],
    "store": {"sqlite": {"path": "anomgan.db"}},
}


def complaint(**tables: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(ServiceConfig, {**GOOD, **tables}, "service.toml")
    return str(caught.value)


def test_a_small_document_is_enough() -> None:
    config = parse_config(ServiceConfig, GOOD, "service.toml")
    assert config.broker.port == 1883
    assert config.fleets[0].devices == ("*",)


def test_arrays_become_tuples_and_whole_numbers_floats() -> None:
    fleet = {**GOOD["fleets"][0], "devices": ["pump-*", "fan-*"], "alarms_per_week": 2}
    config = parse_config(ServiceConfig, {**GOOD, "fleets": [fleet], "input": {"flush_s": 1}}, "service.toml")
    assert config.fleets[0].devices == ("pump-*", "fan-*")
    assert config.input.flush_s == 1.0


@pytest.mark.parametrize(
    ("tables", "line"),
    [
        ({"broker": {"prot": 1883}}, "service.toml: broker.prot: unknown key; did you mean 'port'?"),
        ({"brokr": {}}, "service.toml: brokr: unknown key; did you mean 'broker'?"),
        ({"store": {"influx": {"urll": "http://x"}}}, "store.influx.urll: unknown key; did you mean 'url'?"),
        ({"dashboard": {"zzz": 1}}, "dashboard.zzz: unknown key; known keys: host, port"),
        ({"fleets": [{"model": "m"}]}, "fleets.0.topic: this key is required"),
        ({"fleets": []}, "fleets: at least one entry is needed"),
        ({"fleets": {"model": "m"}}, "fleets: expected an array"),
        ({"fleets": [{**GOOD["fleets"][0], "devices": "pump"}]}, "fleets.0.devices: expected an array (got 'pump')"),
        ({"fleets": [{**GOOD["fleets"][0], "dialect": "xml"}]}, "(got 'xml')"),
        ({"store": {}}, "store: give at least one of [store.sqlite] and [store.influx]"),
        ({"store": 5}, "store: expected a table (got 5)"),
        ({"broker": {"port": "1883"}}, "broker.port: Input should be a valid integer (got '1883')"),
        ({"broker": {"port": True}}, "(got True)"),
        ({"broker": {"port": 70000}}, "broker.port"),
        ({"broker": {"tls": "yes"}}, "broker.tls: Input should be a valid boolean (got 'yes')"),
        ({"broker": {"host": ""}}, "broker.host"),
        ({"broker": {"ca_file": "a\0b"}}, "broker.ca_file: a null character has no place here"),
        ({"fleets": [{**GOOD["fleets"][0], "model": "a\0"}]}, "fleets.0.model: a null character has no place here"),
        ({"publish": {"events": "a/{devise}"}}, "publish.events: '{devise}' cannot stand in a topic to publish to"),
        ({"homeassistant": {"prefix": "a/{device}"}}, "homeassistant.prefix: '{device}' cannot stand in a topic"),
        ({"homeassistant": {"topic": "a/#/{device}"}}, "homeassistant.topic: '#' cannot stand in a topic"),
        ({"monitor": {"heartbeat": "a/+"}}, "monitor.heartbeat: '+' cannot stand in a topic to publish to"),
        ({"publish": {"events": "a/+/{device}"}}, "publish.events: '+' cannot stand in a topic to publish to"),
        ({"publish": {"events": "a/x-{device}"}}, "publish.events: 'x-{device}' cannot stand"),
        ({"publish": {"status": "{device}/#"}}, "publish.status: '{device}' cannot stand"),
        ({"input": {"flush_s": float("nan")}}, "finite"),
        ({"input": {"flush_s": 0}}, "greater than 0"),
        ({"input": {"batch": 5.0}}, "valid integer"),
        ({"store": {"influx": {"url": "localhost"}}}, "store.influx.url"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_table_and_key(tables: dict[str, Any], line: str) -> None:
    message = complaint(**tables)
    assert line in message
    assert message.startswith("service.toml: ")
    assert len(message.splitlines()) == 1


def test_several_mistakes_are_told_at_once() -> None:
    assert len(complaint(broker={"port": 0, "tls": 1}, dashboard={"port": -1}).splitlines()) == 3


@pytest.mark.parametrize(("key", "table"), [("password", "broker"), ("token", "influx"), ("password", "influx")])
def test_a_secret_in_clear_text_is_refused_and_not_shown(key: str, table: str) -> None:
    secret = {key: "hunter2"}
    message = complaint(broker=secret) if table == "broker" else complaint(store={"influx": secret})
    assert f"{key}_env" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("window", [8, 15, 20, 0, -16, 16.0, "16"])
def test_a_window_is_a_multiple_of_8_from_16_up(window: object) -> None:
    with pytest.raises(ConfigError, match=r"window"):
        parse_config(DetectorConfig, {"window": window}, "train.toml")


@given(
    st.dictionaries(
        st.sampled_from(["broker", "fleets", "store", "input", "publish", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_whatever_stands_in_a_document_it_is_accepted_or_a_config_error(document: dict[str, Any]) -> None:
    try:
        parse_config(ServiceConfig, {**GOOD, **document}, "any.toml")
        message = "any.toml: accepted"
    except ConfigError as error:
        message = str(error)
    assert message.startswith("any.toml: ")


def test_a_challenger_is_not_replaced_before_it_can_be_judged() -> None:
    parse_config(LearnConfig, {"retrain_h": 24.0, "shadow_h": 24.0}, "detector.toml")
    with pytest.raises(ConfigError, match="retrain_h = 20 replaces a challenger before shadow_h = 24"):
        parse_config(LearnConfig, {"retrain_h": 20.0}, "detector.toml")


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        DetectorConfig().window = 32  # type: ignore[misc]  # wrong on purpose
