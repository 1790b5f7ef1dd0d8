"""Requests to a running simulator: what they answer and change, and that nothing else does."""

import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.control import Gate, Pass
from anomgan.errors import ConfigError, PayloadError
from anomgan.simulate import LivePlan, parse_scenario, ticks
from anomgan.wire.control import encode_request
from anomgan.wire.simulator_control import COMMANDS
from anomgan_simulator.control import Answers, taken
from anomgan_simulator.truth import truth_record

SECRET, ANOTHER = "sixteen letters!", "another secret!!"
DOCUMENT = {
    "clock": {"period_s": 4.0, "duration_s": 1200.0, "day_s": 900.0},
    "devices": [{"kind": "pump", "name": "pump-", "count": 2, "site": "north"}],
    "faults": [{"device": "pump-2", "kind": "stuck", "channels": ["flow"], "start_s": 0, "end_s": 20}],
}
PLAN = LivePlan(parse_scenario(DOCUMENT, "plant.toml"))


def asked(name: str, fields: Mapping[str, Any], secret: str = "") -> Any:
    payload = encode_request(name, fields, secret=secret, transaction="t", client="ada", time_s=5.0, nonce="n" * 16)
    return Gate(Pass(secret, 60.0), COMMANDS).admit(name, payload, 6.0).command


@pytest.fixture
def answers() -> Answers:
    return Answers(LivePlan(parse_scenario(DOCUMENT, "plant.toml")), "run-1")


def test_the_plant_says_which_faults_each_device_can_have(answers: Answers) -> None:
    plant = answers.do(asked("plant", {}))
    assert plant["devices"] == [{"site": "north", "kind": "pump", "name": "pump-", "count": 2}]
    pump = plant["kinds"]["pump"]
    assert {"name": "blockage", "graded": True, "signed": False} in pump["faults"]
    flow = next(channel for channel in pump["channels"] if channel["name"] == "flow")
    assert flow["unit"] == "m³/h"
    assert {"bias", "swapped_channels"} <= set(flow["faults"])
    assert plant["sensor_faults"]["swapped_channels"]["channels"] == 2
    assert plant["sensor_faults"]["time_lag"]["usual"] == 40.0  # ten periods
    orjson.dumps(plant)


def test_a_fault_goes_in_shows_and_comes_out_again(answers: Answers) -> None:
    plan = answers.plan
    going = ticks(plan.scenario, live=plan)
    next(going)
    wanted = {"device": "pump-1", "kind": "bias", "channels": ["flow"], "lasts_s": 400, "severity": 3}
    told = answers.do(asked("inject", wanted))["fault"]
    start_s = plan.scenario.start_s
    assert (told["start_s"], told["end_s"], told["injected"]) == (start_s + 4.0, start_s + 404.0, True)
    assert [fault.kind for fault in next(going).begun] == ["bias"]
    status = answers.do(asked("status", {}))
    assert [(one["kind"], one["injected"]) for one in status["faults"]] == [("stuck", False), ("bias", True)]
    assert (status["time_s"], status["end_s"], status["present"]) == (start_s + 8.0, start_s + 1200.0, 2)
    stopped = answers.do(asked("stop", {"fault": told["number"]}))["fault"]
    assert (stopped["end_s"], stopped["stopped"]) == (start_s + 12.0, True)
    (ended,) = next(going).ended
    record = truth_record(ended, "end", start_s)
    assert (record["end_s"], record["injected"]) == (start_s + 12.0, True)
    assert record["plan"] == stopped["plan"] == {
        "device": "pump-1", "site": "north", "kind": "bias", "channels": ["flow"], "severity": 3.0,
        "start_s": 4.0, "end_s": 404.0, "injected": True, "stopped_s": 12.0,
    }  # fmt: skip
    parse_scenario(DOCUMENT | {"faults": [record["plan"]]}, "again.toml")


def test_a_planned_fault_is_told_as_ever() -> None:
    (fault,) = PLAN.scenario.faults
    assert "injected" not in truth_record(fault, "begin", 0.0)
    assert "plan" not in truth_record(fault, "begin", 0.0)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("inject", {}, "device: Field required"),
        ("inject", {"device": "p", "kind": "bias"}, "lasts_s: Field required"),
        ("inject", {"device": "p", "kind": "bias", "lasts_s": "5"}, "lasts_s"),
        ("inject", {"device": "p", "kind": "bias", "lasts_s": -5}, "lasts_s"),
        ("inject", {"device": "p", "kind": "bias", "lasts_s": 1e300}, "lasts_s"),
        ("inject", {"device": "p", "kind": "bias", "lasts_s": 5, "severity": True}, "severity"),
        ("inject", {"device": "p", "kind": "bias", "lasts_s": 5, "severty": 1}, "severty"),
        ("inject", {"device": "p" * 301, "kind": "bias", "lasts_s": 5}, "device"),
        ("inject", {"device": "p\0", "kind": "bias", "lasts_s": 5}, "device"),
        ("stop", {"fault": 0}, "fault"),
        ("stop", {"fault": 1.5}, "fault"),
        ("feedback", {}, "unknown command; there are plant, status, inject, stop"),
    ],
)
def test_a_request_of_the_wrong_form_is_refused(name: str, fields: Mapping[str, Any], message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        asked(name, fields)


def test_with_a_secret_nobody_is_let_in_without_it() -> None:
    gate = Gate(Pass(SECRET, 60.0), COMMANDS)
    body = encode_request("status", {}, secret="", transaction="t", client="", time_s=5.0, nonce="n" * 16)
    with pytest.raises(PayloadError, match="signed"):
        gate.admit("status", body, 6.0)
    wrong = encode_request("status", {}, secret=ANOTHER, transaction="t", client="", time_s=5.0, nonce="n" * 16)
    with pytest.raises(PayloadError, match="signature"):
        gate.admit("status", wrong, 6.0)
    asked("status", {}, SECRET)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "device": st.sampled_from(["pump-1", "pump-2", "pump-3"]) | JSON,
        "site": st.sampled_from(["north", "south"]) | JSON,
        "kind": st.sampled_from(["bias", "stuck", "blockage", "time_lag", "swapped_channels", "dropout"]) | JSON,
        "channels": st.lists(st.sampled_from(["flow", "vibration", "motor_current", "x"]), max_size=3) | JSON,
        "lasts_s": st.floats() | JSON,
        "severity": st.floats() | JSON,
        "ramp_s": st.floats() | JSON,
        "recovery_s": st.floats() | JSON,
        "fault": st.integers(-2, 8) | JSON,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*COMMANDS, "x"]), FIELDS, st.binary(max_size=40))
def test_whatever_comes_is_done_or_refused_by_name(name: str, fields: Mapping[str, Any], noise: bytes) -> None:
    answers = Answers(LivePlan(PLAN.scenario), "run-1")
    try:
        payload = orjson.dumps(fields)
    except (TypeError, orjson.JSONEncodeError):  # half a surrogate pair, an integer beyond 64 bits
        payload = noise
    for body in (payload, noise, payload[: len(payload) // 2]):
        try:
            request = Gate(Pass("", 60.0), COMMANDS).admit(name, body, time.time())
            orjson.dumps(answers.do(request.command))
        except (PayloadError, ConfigError) as error:
            assert str(error)  # noqa: PT017 one of the allowed outcomes


def test_control_without_a_secret_is_whoever_the_broker_lets_in() -> None:
    config = PLAN.scenario.config.control
    assert not config.enabled
    assert config.topic == "anomgan/simulator"
    assert taken(config).authentication == "broker"
    signed = config.model_copy(update={"secret_env": "SECRET"})
    assert taken(signed) is signed
