"""Requests to a running simulator, fuzzed: each is done or refused for a reason, and the plan stays one."""

import orjson
from broker_samples import NOW
from fuzzing import Target

from anomgan.control import Gate, Pass
from anomgan.errors import ConfigError, PayloadError
from anomgan.simulate import LivePlan, Wish, parse_scenario
from anomgan.wire.control import encode_answer, named_transaction
from anomgan.wire.simulator_control import COMMANDS
from anomgan_simulator.control import Answers

PLANT = {
    "devices": [{"kind": "pump", "name": "pump-", "count": 2}],
    "output": {"topic": "plant/{device}/telemetry", "truth": ""},
}
FIRST = Wish("pump-2", None, "stuck", ("flow",), 500.0)


def injecting() -> Target:
    """Law: a request is refused for a reason, or done and answered as JSON; what was injected ends after it begins.

    A payload is the command, a line end, and the body.
    """
    gate, scenario = Gate(Pass("", 60.0), COMMANDS), parse_scenario(PLANT, "plant.toml")

    def ask(payload: bytes) -> str:
        head, _, body = payload.partition(b"\n")
        plan = LivePlan(scenario)
        answers = Answers(plan, "run")
        plan.inject(FIRST)
        try:
            done = answers.do(gate.admit(head.decode("utf-8", "replace"), body, NOW).command)
        except PayloadError as error:
            orjson.loads(encode_answer(named_transaction(body), {}, str(error)))
            return error.reason
        except ConfigError as error:
            orjson.loads(encode_answer(named_transaction(body), {}, str(error)))
            return "cannot"
        orjson.loads(encode_answer(named_transaction(body), done))
        assert all(fault.start_s < fault.over_s for _, fault in plan.begun())
        return "done"

    return ask


def wishes() -> list[bytes]:
    """One of every command."""
    return [
        b"plant\n",
        b"status\n{}",
        b'inject\n{"device": "pump-1", "kind": "bias", "channels": ["flow"], "lasts_s": 60, "severity": -2}',
        b'inject\n{"device": "pump-2", "kind": "blockage", "lasts_s": 60, "ramp_s": 10, "recovery_s": 5}',
        b'inject\n{"device": "pump-1", "kind": "swapped_channels", "channels": ["flow", "speed"], "lasts_s": 9}',
        b'stop\n{"fault": 1, "client": "ada", "transaction": "t"}',
    ]
