"""Everybody who is told of what a turn brought: topics for events, Home Assistant, people."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from anomgan.adapters.ports import Letter, Message
from anomgan.config import ServiceConfig
from anomgan.records import Event, Source, Verdict
from anomgan_detector.entities import Entities
from anomgan_detector.notices import Notices


def never(source: Source) -> bool:
    """Nobody is muted."""
    return False


class Telling:
    """Makes the letters; state and turns alone decide which. `addressees` are those of the people to notify."""

    def __init__(self, config: ServiceConfig, addressees: Sequence[str]) -> None:
        enabled = config.homeassistant.enabled
        self._entities = Entities(config.homeassistant, config.publish.status) if enabled else None
        self._notices = Notices(config.notify, addressees)
        self.counters: Counter[str] = Counter()

    @property
    def due_s(self) -> float:
        """When a turn is due even without a message."""
        return self._notices.due_s

    def sort(self, messages: Sequence[Message]) -> tuple[list[Message], Sequence[Message]]:
        """(those that are for us, those that are telemetry)."""
        if self._entities is None:
            return [], messages
        topic = self._entities.topic
        return [m for m in messages if m.topic == topic], [m for m in messages if m.topic != topic]

    def letters(
        self,
        now_s: float,
        ours: Sequence[Message],
        verdicts: Sequence[Verdict],
        events: Sequence[Event],
        muted: Callable[[Source], bool] = never,
    ) -> list[Letter]:
        """What a turn's verdicts and events make to tell."""
        entities = [] if self._entities is None else self._entities.update(now_s, ours, verdicts, events, muted)
        return [*entities, *self._notices.update(now_s, events, self.counters)]

    def snapshot(self) -> dict[str, bytes]:
        """Everything that later letters depend on, in parts."""
        parts = {"notices": self._notices.snapshot()}
        return parts if self._entities is None else parts | {"entities": self._entities.snapshot()}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what there is of `snapshot`; DataError for what is none."""
        if "notices" in parts:
            self._notices.restore(parts["notices"])
        if self._entities is not None and "entities" in parts:
            self._entities.restore(parts["entities"])


def listened_to(config: ServiceConfig) -> list[tuple[str, int]]:
    """(filter, QoS) of what is listened to besides telemetry."""
    return [(f"{config.homeassistant.prefix}/status", 1)] if config.homeassistant.enabled else []
