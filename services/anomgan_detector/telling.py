"""Everybody who is told of what a turn brought: topics for events, Home Assistant, people."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from anomgan.adapters.ports import Letter, Message
from anomgan.config import ServiceConfig
from anomgan.records import Event, Source, Verdict
from anomgan_detector.entities import Entities
from anomgan_detector.notices import Notices


def never(source: Source) -> bool:
    """Nobody is."""
    return False


class Telling:
    """Makes the letters; state and turns alone decide which. `addressees` are those of the people to notify.

    Home Assistant is told of a device at the broker that its events go to.
    """

    def __init__(self, config: ServiceConfig, addressees: Sequence[str]) -> None:
        brokers = config.told_brokers() if config.homeassistant.enabled else ()
        status, control = config.publish.status, config.control
        # Home Assistant cannot sign
        requests = control.requests if control.authentication == "broker" else ""
        self._entities = {broker: Entities(config.homeassistant, status, requests, broker) for broker in brokers}
        self._birth = birth_topic(config)
        self._notices = Notices(config.notify, addressees)
        self.counters: Counter[str] = Counter()

    @property
    def due_s(self) -> float:
        """When a turn is due even without a message."""
        return self._notices.due_s

    def sort(self, messages: Sequence[Message]) -> tuple[list[Message], Sequence[Message]]:
        """(those that are for us, those that are telemetry)."""
        if not self._entities:
            return [], messages
        topic = self._birth
        return [m for m in messages if m.topic == topic], [m for m in messages if m.topic != topic]

    def letters(
        self,
        now_s: float,
        ours: Sequence[Message],
        by_broker: Mapping[str, tuple[Sequence[Verdict], Sequence[Event]]],
        muted: Callable[[Source], bool] = never,
        cut_off: Callable[[Source], bool] = never,
    ) -> list[Letter]:
        """What a turn's verdicts and events, each at the broker that is told of them, make to tell.

        Asked of a device: whether it is muted, and whether it is cut off because its broker is away.
        """
        letters: list[Letter] = []
        for broker, entities in self._entities.items():
            verdicts, events = by_broker.get(broker, ((), ()))
            births = [message for message in ours if message.broker == broker]
            letters += entities.update(now_s, births, verdicts, events, muted, cut_off)
        every = [event for _, events in by_broker.values() for event in events]
        return [*letters, *self._notices.update(now_s, every, self.counters)]

    def snapshot(self) -> dict[str, bytes]:
        """Everything that later letters depend on, in parts."""
        parts = {"notices": self._notices.snapshot()}
        return parts | {_part(broker): entities.snapshot() for broker, entities in self._entities.items()}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Put back what there is of `snapshot`; DataError for what is none."""
        if "notices" in parts:
            self._notices.restore(parts["notices"])
        for broker, entities in self._entities.items():
            if _part(broker) in parts:
                entities.restore(parts[_part(broker)])


def _part(broker: str) -> str:
    """What the entities of a broker are called in a snapshot."""
    return f"entities.{broker}" if broker else "entities"


def listened_to(config: ServiceConfig, broker: str) -> list[tuple[str, int]]:
    """(filter, QoS) of what is listened to at a broker besides telemetry."""
    told = config.homeassistant.enabled and broker in config.told_brokers()
    return [(birth_topic(config), 1)] if told else []


def birth_topic(config: ServiceConfig) -> str:
    """Where Home Assistant says that it has started and wants to hear of everything again."""
    return f"{config.homeassistant.prefix}/status"
