"""Letters that are MQTT messages: events on their way to the broker."""

from collections.abc import Sequence

from anomgan.adapters.ports import Letter, Publisher, Rejection
from anomgan.errors import DataError, Unreachable

MQTT = "mqtt"
"""the addressee"""


class MqttCarrier:
    """Brings letters to their topics through a Publisher."""

    def __init__(self, publisher: Publisher, qos: int, patience_s: float = 30.0) -> None:
        self._publisher = publisher
        self._qos = qos
        self._patience_s = patience_s

    def deliver(self, letters: Sequence[Letter]) -> list[Rejection]:
        """Publish them all and wait until the broker has them; a topic that MQTT does not allow is returned."""
        rejections = []
        for letter in letters:
            try:
                self._publisher.publish(letter.topic, letter.body, qos=self._qos, retain=letter.retain)
            except DataError as error:
                rejections.append(Rejection(letter, letter.body, str(error)))
        if not self._publisher.flush(self._patience_s):
            raise Unreachable(f"broker: {len(letters)} messages not acknowledged within {self._patience_s:g} s")
        return rejections

    def close(self) -> None:
        """Leave cleanly; safe to call twice."""
        self._publisher.close()
