"""Ask a running detector service to do something, over its broker, and wait for the answer."""

import getpass
import secrets
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.secrets import read_secret
from anomgan.config import BrokerConfig, ControlConfig
from anomgan.errors import ConfigError, Refused, Unreachable
from anomgan.wire.control import decode_answer, encode_request

MIN_SECRET = 16


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
    transaction = secrets.token_hex(8)
    payload = encode_request(
        command,
        fields,
        secret=secret,
        transaction=transaction,
        client=client or getpass.getuser(),
        time_s=time.time(),
        nonce=secrets.token_hex(16),
    )
    answers = MqttSource(anonymous, [(f"{control.responses}/{command}", 1)])
    with closing(answers), closing(MqttPublisher(anonymous)) as publisher:
        publisher.publish(f"{control.requests}/{command}", payload)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for message in answers.receive(10, min(1.0, timeout_s)):
                answers.acknowledge([message])
                answer = decode_answer(message.payload, transaction)
                if answer is not None:
                    return data_of(answer, "the detector service")
    where = f"{broker.host}:{broker.port}"
    raise Unreachable(
        f"no answer within {timeout_s:g} s over {where}; is the detector service running, with [control]?"
    )


def data_of(answer: Mapping[str, Any], whom: str) -> dict[str, Any]:
    """The data of an answer; Refused with the reason where it is none."""
    if answer.get("status") != "ok":
        raise Refused(f"{whom} refuses: {answer.get('error', 'without a reason')}")
    data = answer.get("data")
    return data if isinstance(data, dict) else {}
