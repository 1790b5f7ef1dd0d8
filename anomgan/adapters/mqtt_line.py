"""A line to a program that takes requests: kept open, so that asking every second costs two messages and no more."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any

from anomgan.adapters.mqtt import MqttPublisher, MqttSource
from anomgan.adapters.mqtt_request import Question, answer_to, control_secret, data_of
from anomgan.config import BrokerConfig, ControlConfig
from anomgan.errors import Unreachable


class MqttLine:
    """Asks over the broker, one question after another; connects with the first one. For any thread.

    whom: the program that answers, for messages.
    """

    def __init__(self, broker: BrokerConfig, control: ControlConfig, whom: str, client: str) -> None:
        self._secret = control_secret(control)
        self._broker = broker.model_copy(update={"client_id": ""})  # the program's own id would throw it out
        self._control = control
        self._whom, self._client = whom, client
        self._one_at_a_time = threading.Lock()
        self._open = ExitStack()
        self._ends: tuple[MqttSource, MqttPublisher] | None = None

    def ask(self, command: str, fields: Mapping[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
        """The data of the answer; Refused with the program's reason, Unreachable where nobody answers in time."""
        question = Question(command, fields, self._client, self._secret)
        with self._one_at_a_time:
            answer = answer_to(question, *(self._ends or self._connect()), self._control, timeout_s)
        if answer is None:
            raise Unreachable(f"{self._whom} does not answer over {self._broker.host}:{self._broker.port}")
        return data_of(answer, self._whom)

    def close(self) -> None:
        """Hang up; safe to call twice."""
        with self._one_at_a_time:
            self._ends = None
            self._open.close()

    def _connect(self) -> tuple[MqttSource, MqttPublisher]:
        with ExitStack() as opening:
            source = opening.enter_context(closing(MqttSource(self._broker, [(f"{self._control.responses}/+", 1)])))
            publisher = opening.enter_context(closing(MqttPublisher(self._broker)))
            self._ends, self._open = (source, publisher), opening.pop_all()
        return self._ends
