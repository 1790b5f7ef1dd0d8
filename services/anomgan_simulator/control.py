"""Requests to a running simulator: what they say of the plan, and what they change in it."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anomgan.adapters.mqtt import MqttSource
from anomgan.adapters.mqtt_fleet import MqttFleet
from anomgan.adapters.mqtt_request import control_secret
from anomgan.adapters.ports import Message
from anomgan.config import BrokerConfig, ControlConfig, Table
from anomgan.control import Gate, Pass
from anomgan.errors import ConfigError, PayloadError
from anomgan.simulate import SENSOR_FAULTS, Fault, LivePlan, Wish
from anomgan.simulate.fault_plan import table_of
from anomgan.simulate.learned_kind import AnyKind
from anomgan.simulate.sensor_faults import possible, usual_severity
from anomgan.wire.control import encode_answer, named_transaction
from anomgan.wire.simulator_control import COMMANDS, Inject, Plant, Status, Stop
from anomgan_simulator.announce import devices_of

log = logging.getLogger("anomgan.simulator")
LOOK_S = 0.05
"""requests are looked for so often while a row waits for its turn"""
SHOWN_PRESENT, SHOWN_OVER = 200, 30
"""faults that an answer tells of"""
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Control:
    """Who may change which plan, as `[control]` of the scenario says."""

    config: ControlConfig
    plan: LivePlan


def taken(config: ControlConfig) -> ControlConfig:
    """The table with control on: without a secret, whoever the broker lets publish is let in."""
    return config if config.enabled else config.model_copy(update={"authentication": "broker"})


class Answers:
    """What each request does to a plan; ConfigError where it cannot be done, and then nothing has changed."""

    def __init__(self, plan: LivePlan, run: str) -> None:
        self.plan = plan
        self.run = run
        self.start_s = plan.scenario.start_s

    def do(self, command: Table) -> Data:
        """The answer's data."""
        return ACTIONS[type(command)](self, command)

    def plant(self, _: Table) -> Data:
        """What there is."""
        scenario = self.plan.scenario
        kinds = {group.kind.name: group.kind for group in scenario.groups}
        return {
            "run": self.run,
            "period_s": scenario.period_s,
            "speed": scenario.config.clock.speed,
            "devices": list(devices_of(scenario)),
            "kinds": {name: kind_data(kind) for name, kind in kinds.items()},
            "sensor_faults": {
                name: {
                    "graded": fault.usual is not None,
                    "usual": usual_severity(name, scenario.period_s),
                    "signed": fault.signed,
                    "most": fault.most if fault.most < float("inf") else None,
                    "channels": 2 if name == "swapped_channels" else 1,
                }
                for name, fault in SENSOR_FAULTS.items()
            },
        }

    def status(self, _: Table) -> Data:
        """How far it is, and what is wrong now."""
        plan, now_s = self.plan, self.plan.now_s
        begun = plan.begun()
        present = [one for one in begun if one[1].over_s > now_s]
        over = [one for one in begun if one[1].over_s <= now_s]
        shown = sorted(over, key=lambda one: one[1].over_s)[-SHOWN_OVER:] + present[-SHOWN_PRESENT:]
        end_s = None if plan.until_row is None else self.start_s + plan.until_row * plan.scenario.period_s
        return {
            "run": self.run,
            "time_s": self.start_s + now_s,
            "end_s": end_s,
            "speed": plan.scenario.config.clock.speed,
            "present": len(present),
            "faults": [self.fault_data(*one) for one in shown],
        }

    def inject(self, command: Table) -> Data:
        """A fault from the next row on."""
        assert isinstance(command, Inject)  # noqa: S101 ACTIONS says so
        number, fault = self.plan.inject(Wish(**dict(command)))
        return {"run": self.run, "fault": self.fault_data(number, fault)}

    def stop(self, command: Table) -> Data:
        """The end of one."""
        assert isinstance(command, Stop)  # noqa: S101 ACTIONS says so
        fault = self.plan.stop(command.fault)
        return {"run": self.run, "fault": self.fault_data(command.fault, fault)}

    def fault_data(self, number: int, fault: Fault) -> Data:
        """A fault in an answer; times are event time."""
        return {
            "number": number,
            "site": fault.site,
            "device": fault.device,
            "kind": fault.kind,
            "channels": list(fault.channels),
            "severity": fault.severity,
            "injected": fault.injected,
            "plan": table_of(fault) if fault.injected else None,
            "stopped": fault.over_s < fault.end_s,
            "start_s": self.start_s + fault.start_s,
            "end_s": self.start_s + fault.over_s,
        }


ACTIONS: Mapping[type[Table], Callable[[Answers, Table], Data]] = {
    Plant: Answers.plant,
    Status: Answers.status,
    Inject: Answers.inject,
    Stop: Answers.stop,
}


def kind_data(kind: AnyKind) -> Data:
    """A device kind: its sensors with the faults that each can have, and the faults of its machine."""
    return {
        "channels": [
            {"name": channel.name, "unit": channel.unit, "faults": possible(channel)} for channel in kind.channels
        ],
        "faults": [
            {"name": fault.name, "graded": fault.graded, "signed": fault.signed} for fault in kind.process_faults
        ],
    }


class Desk:
    """Takes requests while rows wait for their turn, and answers them over the simulator's own connection."""

    def __init__(self, control: Control, broker: BrokerConfig, publisher: MqttFleet) -> None:
        self._answers = Answers(control.plan, secrets.token_hex(4))
        self._gate = Gate(Pass(control_secret(control.config), control.config.max_age_s), COMMANDS)
        self._topics = (f"{control.config.topic}/request/", f"{control.config.topic}/response/")
        self._publisher = publisher
        own = broker.model_copy(update={"client_id": ""})  # the simulator's own id would throw it out
        self._source = MqttSource(own, [(f"{self._topics[0]}+", 1)])

    def wait(self, time_s: float, stopped: Callable[[], bool]) -> bool:
        """Deal with requests for a while; True when stopped meanwhile."""
        until_s = time.monotonic() + time_s
        while True:
            messages = self._source.receive(100, 0.0)
            for message in messages:
                self.answer(message)
            self._source.acknowledge(messages)
            left_s = until_s - time.monotonic()
            if self._publisher.wait(min(max(left_s, 0.0), LOOK_S), stopped):
                return True
            if left_s <= LOOK_S:
                return False

    def answer(self, message: Message) -> None:
        """Do what one request asks, or refuse it."""
        name = message.topic.removeprefix(self._topics[0])
        try:
            if message.retained:
                raise PayloadError("retained", "a request must not be retained")
            request = self._gate.admit(name, message.payload, time.time())
            data = self._answers.do(request.command)
        except (PayloadError, ConfigError) as error:
            log.warning("request %r refused: %r", name[:32], str(error))
            body = encode_answer(named_transaction(message.payload), {}, str(error))
        else:
            body = encode_answer(request.transaction, data)
            if isinstance(request.command, Inject | Stop):
                log.info("%s by %r: %s", name, request.client, data["fault"]["plan"])
        self._publisher.publish(self._topics[1] + (name if name in COMMANDS else "unknown"), body)

    def close(self) -> None:
        """Take no more."""
        self._source.close()
