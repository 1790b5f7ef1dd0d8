"""Ask a running detector service to do something, over its broker, and wait for the answer."""

import getpass
import secrets
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.secrets import read_secret
from anomgan.config import BrokerConfig, ControlConfig
from anomgan.errors import ConfigError, Refused, Unreachable
from anomgan.wire.control import decode_answer, encode_request

MIN_SECRET = 16
BATCH = 100


def control_secret(config: ControlConfig) -> str:
    """The secret of `[control]`, "" where the broker authenticates; ConfigError where control is off or it is short."""
    if not config.enabled:
        raise ConfigError('control is off: set secret_env or secret_file in [control], or authentication = "broker"')
    if config.authentication == "broker":
        return ""
    secret = read_secret("control.secret", config.secret_env, config.secret_file)
    if len(secret) < MIN_SECRET:
        raise ConfigError(f"control.secret: at least {MIN_SECRET} characters, this one has {len(secret)}")
    return secret


def ask(
    broker: BrokerConfig,
    control: ControlConfig,
    command: str,
    fields: Mapping[str, Any],
    client: str = "",
    timeout_s: float = 15.0,
) -> dict[str, Any]:
    """The data of the answer; Refused with the service's reason, Unreachable where nobody answers in time."""
    secret = control_secret(control)
    anonymous = broker.model_copy(update={"client_id": ""})  # the service's own id would throw out the service
    answers = MqttSource(anonymous, [(f"{control.responses}/{command}", 1)])
    with closing(answers), closing(MqttPublisher(anonymous)) as publisher:
        question = Question(command, fields, client or getpass.getuser(), secret)
        answer = answer_to(question, answers, publisher, control, timeout_s)
    if answer is None:
        where = f"{broker.host}:{broker.port}"
        raise Unreachable(
            f"no answer within {timeout_s:g} s over {where}; is the detector service running, with [control]?"
        )
    return data_of(answer, "the detector service")


class Question(NamedTuple):
    """What is asked for, with the secret that signs it, "" for none."""

    command: str
    fields: Mapping[str, Any]
    client: str
    secret: str


def answer_to(
    question: Question, answers: MqttSource, publisher: MqttPublisher, control: ControlConfig, timeout_s: float
) -> Mapping[str, Any] | None:
    """Ask, and wait for the answer among `answers`; None where none comes in time."""
    transaction = secrets.token_hex(8)
    payload = encode_request(
        question.command,
        question.fields,
        secret=question.secret,
        transaction=transaction,
        client=question.client,
        time_s=time.time(),
        nonce=secrets.token_hex(16),
    )
    publisher.publish(f"{control.requests}/{question.command}", payload)
    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        for message in answers.receive(BATCH, left_s):
            answers.acknowledge([message])
            answer = decode_answer(message.payload, transaction)
            if answer is not None:
                return answer
    return None


def data_of(answer: Mapping[str, Any], whom: str) -> dict[str, Any]:
    """The data of an answer; Refused with the reason where it is none."""
    if answer.get("status") != "ok":
        raise Refused(f"{whom} refuses: {answer.get('error', 'without a reason')}")
    data = answer.get("data")
    return data if isinstance(data, dict) else {}
