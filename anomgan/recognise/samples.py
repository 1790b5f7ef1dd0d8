"""What is kept of a broker's messages while it is watched: a bounded sample of every topic.

Every topic has a share of its own, so that a chatty one cannot crowd out the rest: when half of the room is taken, a
topic that has its first few samples gets no more. What is not kept is still counted.
"""

from typing import NamedTuple

MOST_TOPICS = 20_000
MOST_SAMPLES = 60_000
MOST_BYTES = 64_000_000
MOST_OF_A_TOPIC = 400
FIRST_FEW = 8


class Sample(NamedTuple):
    """One message and when it came, in seconds UTC."""

    topic: str
    payload: bytes
    retained: bool
    arrival_s: float


class Heard:
    """What was heard on one topic: counts of all messages, the first of them whole."""

    __slots__ = ("messages", "retained", "samples")

    def __init__(self) -> None:
        self.messages = 0
        self.retained = 0
        self.samples: list[Sample] = []

    @property
    def telling(self) -> list[Sample]:
        """The samples to learn from: live ones, or retained ones where there is nothing else; those may be old."""
        return [sample for sample in self.samples if not sample.retained] or self.samples


class Watch:
    """Messages of a broker, as many as there is room for."""

    def __init__(
        self, most_topics: int = MOST_TOPICS, most_samples: int = MOST_SAMPLES, most_bytes: int = MOST_BYTES
    ) -> None:
        self.messages = 0
        self.beyond = 0
        self.topics: dict[str, Heard] = {}
        self._most_topics, self._most_samples, self._most_bytes = most_topics, most_samples, most_bytes
        self._samples = self._bytes = 0

    def add(self, sample: Sample) -> None:
        """Take one message in."""
        self.messages += 1
        heard = self.topics.get(sample.topic)
        if heard is None:
            if len(self.topics) >= self._most_topics:
                self.beyond += 1
                return
            heard = self.topics[sample.topic] = Heard()
        heard.messages += 1
        heard.retained += sample.retained
        if self._has_room(len(sample.payload), len(heard.samples)):
            heard.samples.append(sample)
            self._samples += 1
            self._bytes += len(sample.payload)

    def _has_room(self, size: int, already: int) -> bool:
        if already >= MOST_OF_A_TOPIC:
            return False
        share = 1.0 if already < FIRST_FEW else 0.5
        return self._samples < share * self._most_samples and self._bytes + size <= share * self._most_bytes
