"""What Home Assistant is told, turn by turn: devices when they are first heard, and their states as they change.

A pure function of its state, the turn's time and what came of the turn, so that a turn can be made again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf

import orjson

from anomgan.adapters.mqtt_carrier import addressee
from anomgan.adapters.ports import Letter, Message
from anomgan.config import HomeAssistantConfig
from anomgan.errors import DataError
from anomgan.records import Event, Source, Verdict
from anomgan.snapshots import typed
from anomgan.wire.homeassistant import (
    BIRTH,
    Messages,
    Topics,
    announce,
    muted_state,
    problem_state,
    retract,
    score_state,
)

AT_ONCE = 50
"""devices that are announced again in one turn, so that Home Assistant's start is no flood"""
LOOK_EVERY_S = 3600.0
"""for devices that have long been silent"""
OUT_OF_USE_S = 60.0
"""a model of which no verdict has come for so long has been replaced; two that judge one device are both in use"""


@dataclass(slots=True)
class Known:
    """A device as Home Assistant knows it."""

    model: str
    heard_s: float
    score_due_s: float
    score: bytes = b""
    problem: bytes = b""
    muted: bool = False


class Entities:
    """The devices that Home Assistant has been told of over one broker, "" for `[broker]`.

    `requests` is where its button and switch publish to, "" = without them.
    """

    def __init__(self, config: HomeAssistantConfig, status_topic: str, requests: str, broker: str = "") -> None:
        self._addressee = addressee(broker)
        self._topics = Topics(config.prefix, config.topic, status_topic, requests, config.mute_hours * 3600.0)
        self._every_s = config.score_every_s
        self._forget_s = config.forget_days * 86_400.0
        self._known: dict[Source, Known] = {}
        self._again: list[Source] = []
        self._models: dict[str, float] = {}
        """when each model judged last"""
        self._look_due_s = 0.0

    def update(
        self,
        now_s: float,
        births: Iterable[Message],
        verdicts: Sequence[Verdict],
        events: Sequence[Event],
        muted: Callable[[Source], bool],
        cut_off: Callable[[Source], bool] = lambda source: False,
    ) -> list[Letter]:
        """What a turn's verdicts and events change there; a device that is cut off from us is not silent."""
        letters: Messages = []
        if any(message.payload == BIRTH and not message.retained for message in births):
            self._again = list(self._known)
        newest = {(verdict.site, verdict.device): verdict for verdict in verdicts}  # the last one of each stays
        for source, verdict in newest.items():
            known = self._meet(source, verdict.model, now_s, letters)
            self._models[verdict.model] = now_s
            if known.model != verdict.model and now_s - self._models.get(known.model, -inf) > OUT_OF_USE_S:
                known.model = verdict.model
                self._again.append(source)
            self._tell_score(source, known, verdict.surprise, now_s, letters)
            if muted(source) != known.muted:
                known.muted = not known.muted
                letters.append((self._topics.muted(source), muted_state(known.muted)))
        for event in events:
            source = (event.site, event.device)
            if event.state == "closed" and source not in self._known:
                continue  # that of a device that was silent for so long that it was taken out
            known = self._known[source] if event.state == "closed" else self._meet(source, event.model, now_s, letters)
            known.problem = problem_state(event)
            letters.append((self._topics.problem(source), known.problem))
        for source in self._next_again():
            letters += self._whole(source, self._known[source])
        letters += self._forget(now_s, cut_off)
        return [Letter(self._addressee, payload, topic, retain=True) for topic, payload in letters]

    def _meet(self, source: Source, model: str, now_s: float, letters: Messages) -> Known:
        known = self._known.get(source)
        if known is None:
            known = self._known[source] = Known(model, now_s, now_s, problem=problem_state(None))
            letters += self._whole(source, known)
        known.heard_s = now_s
        return known

    def _tell_score(self, source: Source, known: Known, surprise: float, now_s: float, letters: Messages) -> None:
        state = score_state(surprise)
        if state != known.score and (now_s >= known.score_due_s or now_s < known.score_due_s - self._every_s):
            known.score, known.score_due_s = state, now_s + self._every_s
            letters.append((self._topics.score(source), state))

    def _whole(self, source: Source, known: Known) -> Messages:
        """A device with the states it has now."""
        states = [(self._topics.problem(source), known.problem), (self._topics.muted(source), muted_state(known.muted))]
        score = [(self._topics.score(source), known.score)] if known.score else []
        return [*announce(self._topics, source, known.model), *states, *score]

    def _next_again(self) -> list[Source]:
        now, self._again = self._again[:AT_ONCE], self._again[AT_ONCE:]
        return [source for source in now if source in self._known]

    def _forget(self, now_s: float, cut_off: Callable[[Source], bool]) -> Messages:
        if now_s < self._look_due_s:
            return []
        self._look_due_s = now_s + LOOK_EVERY_S
        self._models = {name: at_s for name, at_s in self._models.items() if now_s - at_s <= LOOK_EVERY_S}
        for source in filter(cut_off, self._known):
            self._known[source].heard_s = now_s
        gone = [source for source, known in self._known.items() if now_s - known.heard_s > self._forget_s]
        for source in gone:
            del self._known[source]
        return [message for source in gone for message in retract(self._topics, source)]

    # ---------------------------------------------------------------- state

    def snapshot(self) -> bytes:
        """Everything that later letters depend on."""
        known = [
            [*source, one.model, one.heard_s, one.score_due_s, one.score.decode(), one.problem.decode(), one.muted]
            for source, one in self._known.items()
        ]
        rest = {"again": self._again, "models": self._models, "look_due_s": self._look_due_s}
        return orjson.dumps({"version": 1, "known": known} | rest)

    def restore(self, snapshot: bytes) -> None:
        """Put back what `snapshot` gave; DataError for anything else, which changes nothing."""
        try:
            document = orjson.loads(snapshot)
            if document["version"] != 1:
                raise DataError(f"a snapshot of entities of version {document['version']}, not 1")
            known = {
                (site, device): Known(model, heard_s, due_s, score.encode(), problem.encode(), muted)
                for site, device, model, heard_s, due_s, score, problem, muted in document["known"]
            }
            again = [(site, device) for site, device in document["again"]]
            models = typed(document, "models", dict[str, float]) if "models" in document else {}  # older ones lack it
            look_due_s = float(document["look_due_s"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"these bytes are not a snapshot of entities: {error}") from None
        self._known, self._again, self._models, self._look_due_s = known, again, models, look_due_s
