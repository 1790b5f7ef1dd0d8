"""By whom a journal's turns were made: their models and settings, so that they can be made again by the same.

A snapshot names them (`record_of`), and copies of the models lie beside the journal: a file may be replaced, damaged or
lost before the turns that were made with it have been made again.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence

import orjson
from pydantic import ValidationError

from anomgan.adapters.kept_models import KeptModels
from anomgan.config import AdaptConfig, DecideConfig, FleetConfig, InputConfig, QualityConfig, ServiceConfig
from anomgan.errors import AnomganError, DataError
from anomgan_detector.appointments import Appointment, post_for
from anomgan_detector.loaded import Model, SynthesizerFile, model_of, synthesizer_of
from anomgan_detector.post import Post

log = logging.getLogger("anomgan.detector")


def record_of(config: ServiceConfig, appointments: Sequence[Appointment]) -> bytes:
    """By whom turns are made, as a snapshot has it."""
    return orjson.dumps(
        {
            "input": config.input.model_dump(),
            "decide": config.decide.model_dump(),
            "quality": config.quality.model_dump(),
            "adapt": config.adapt.model_dump(),
            "posts": [one.document() for one in appointments],
        }
    )


class Past:
    """The copies of models beside a journal, and who judged by its records."""

    def __init__(self, journal: str) -> None:
        self._kept = KeptModels(journal)

    def keep(self, appointments: Iterable[Appointment]) -> None:
        """Copies of the models of these, durable on return; DataError where that cannot be."""
        for file in _files(appointments):
            self._kept.put(file.digest, file.content)

    def forget_others(self, appointments: Iterable[Appointment]) -> None:
        """Remove the copies of all other models; one that cannot be removed is told, and stays."""
        try:
            self._kept.keep_only({file.digest for file in _files(appointments)})
        except DataError as error:
            log.error("%s", error)

    def posts(self, record: bytes, config: ServiceConfig, now: Sequence[Appointment]) -> list[Post] | None:
        """The posts of a record; None where their models or settings cannot be had any more, which is told."""
        try:
            document = orjson.loads(record)
            tables = [FleetConfig.model_validate_json(one["table"]) for one in document["posts"]]
            rules = {
                "input": InputConfig.model_validate(document["input"]),
                "decide": DecideConfig.model_validate(document["decide"]),
                "quality": QualityConfig.model_validate_json(orjson.dumps(document["quality"])),
                "adapt": AdaptConfig.model_validate(document["adapt"]),
                "fleets": tuple(tables),
            }
            found = [
                Appointment(
                    table,
                    self._model(one["champion"], now),
                    self._model(one["challenger"], now),
                    self._synthesizer(one.get("synthesizer"), now),
                )
                for table, one in zip(tables, document["posts"], strict=True)
            ]
            return [post_for(one, config.model_copy(update=rules)) for one in found]
        except (ValueError, KeyError, TypeError, ValidationError, AnomganError) as error:
            log.warning("the models or settings of the journal's turns cannot be had: %s; fleets may begin anew", error)
            return None

    def last(self, record: bytes | None, table: FleetConfig) -> Appointment | None:
        """Who judged a table's devices last; None where no record or no copy tells."""
        try:
            posts = [] if record is None else orjson.loads(record)["posts"]
            of = next((one for one in posts if orjson.loads(one["table"])["model"] == table.model), None)
            return None if of is None else Appointment(table, self._model(of["champion"], ()))
        except (ValueError, KeyError, TypeError, AnomganError) as error:
            log.warning("the model that judged %s last cannot be had: %s", table.model, error)
            return None

    def _model(self, of: Sequence[str] | None, now: Iterable[Appointment]) -> Model | None:
        if of is None:
            return None
        name, digest = of
        here = (model for model in _models(now) if (model.name, model.digest) == (name, digest))
        return next(here, None) or model_of(self._kept.get(digest), f"model {name}", name)

    def _synthesizer(self, of: Sequence[str] | None, now: Iterable[Appointment]) -> SynthesizerFile | None:
        if of is None:
            return None
        name, digest = of
        here = (one.synthesizer for one in now if one.synthesizer is not None and one.synthesizer.digest == digest)
        return next(here, None) or synthesizer_of(self._kept.get(digest), f"synthesizer {name}", name)


def _models(appointments: Iterable[Appointment]) -> Iterator[Model]:
    return (model for one in appointments for model in (one.champion, one.challenger) if model is not None)


def _files(appointments: Iterable[Appointment]) -> Iterator[Model | SynthesizerFile]:
    several = [(one.champion, one.challenger, one.synthesizer) for one in appointments]
    return (file for files in several for file in files if file is not None)
