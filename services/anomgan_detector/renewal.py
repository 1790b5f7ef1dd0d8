"""What may change while the service runs: models, challengers and settings. Looked at between turns, every few seconds.

A change is tried whole before anything of it counts: a model file that cannot be read, a manifest or a configuration
that is wrong is told in one line, and what judged goes on. A change that is good is taken up with a checkpoint of the
journal, so that turns made again after a crash are made by whom they were made (`anomgan_detector.past`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from anomgan.adapters.files import write_bytes
from anomgan.adapters.model_folder import Manifest, ModelFolder
from anomgan.adapters.sqlite_training import TrainingHistory
from anomgan.config import FleetConfig, ServiceConfig
from anomgan.errors import AnomganError, ConfigError, DataError, ModelFileError, ServerError
from anomgan.wire.conventions import CONVENTIONS
from anomgan_detector.appointments import (
    Appointment,
    Stamp,
    model_at,
    model_in,
    post_for,
    stamp,
    succeed,
    successors,
    synthesizer_at,
)
from anomgan_detector.comparison import judged
from anomgan_detector.loaded import SynthesizerFile
from anomgan_detector.past import Past, record_of
from anomgan_detector.post import Post
from anomgan_detector.reload import require_changeable
from anomgan_detector.shadow import Shadowed
from anomgan_detector.training import Trainer

log = logging.getLogger("anomgan.detector")
LOOK_S = 2.0


class Renewal:
    """The posts of a configuration as they are now, and what has changed since. Raises what is wrong at the start.

    `reread` reads the configuration again, `config_path` is its file; without them it never changes. `record` is what
    the journal says of who judged last: where a model has become unreadable since, it goes on from its copy.
    """

    def __init__(
        self,
        config: ServiceConfig,
        now: Callable[[], float],
        config_path: Path | None = None,
        reread: Callable[[], ServiceConfig] | None = None,
        record: bytes | None = None,
    ) -> None:
        self.config = config
        self._past = Past(config.journal.path)
        self._now = now
        self._config_path, self._reread = config_path, reread
        self._look_at_s = now() + LOOK_S
        self._forced = False
        self._refused: dict[Path, tuple[Stamp, str]] = {}
        """files that were found wrong, as they were then, and what was wrong: told once"""
        self._compare_at_s: dict[str, float] = {}
        self.histories = {
            table.model: TrainingHistory(table.model, table.learn.keep_rows, CONVENTIONS[table.dialect].partial)
            for table in config.fleets
            if table.learns
        }
        self._folders = {name: ModelFolder(name) for name in self.histories}
        self._trainers = {
            table.model: Trainer(table, self._folders[table.model], self.histories[table.model])
            for table in config.fleets
            if table.learns
        }
        self._seen = {path: stamp(path) for path in self._watched()}
        self.appointments = [
            replace(self._appointed(table, record), synthesizer=self._synthesizer(table)) for table in config.fleets
        ]
        self._proposed = (config, self.appointments)

    def posts(self) -> list[Post]:
        """A post for each fleet, without a past."""
        return [post_for(one, self.config) for one in self.appointments]

    def ask(self) -> None:
        """Look at everything again, now: what SIGHUP means."""
        self._refused = {}
        self._forced = True

    def close(self) -> None:
        """End trainings under way; histories are closed as the stores they are."""
        for trainer in self._trainers.values():
            trainer.close()

    def history(self, table: FleetConfig) -> tuple[dict[tuple[str, str], int], float, bool] | None:
        """Of a fleet that learns: its rows by device, the hours that they span, whether a training is under way."""
        if table.model not in self.histories:
            return None
        history = self.histories[table.model]
        return history.rows(), history.span_s() / 3600.0, self._trainers[table.model].training

    # ---------------------------------------------------------------- looking

    def look(self, posts: Sequence[Post]) -> list[Post] | None:
        """The posts from now on where something has changed, with the past of those before; None where nothing has.

        Until `taken` is called the old ones still count.
        """
        now_s = self._now()
        if now_s < self._look_at_s and not self._forced:
            return None
        self._look_at_s = now_s + LOOK_S
        self._train(now_s)
        self._compare(posts, now_s)
        seen = {path: stamp(path) for path in self._watched()}
        if seen == self._seen and not self._forced:
            return None
        self._seen, self._forced = seen, False
        config = self._configured()
        appointments = [
            replace(self._renewed(table, now), synthesizer=self._synthesizer(table, now.synthesizer))
            for table, now in zip(config.fleets, self.appointments, strict=True)
        ]
        same_rules = (config.decide, config.input) == (self.config.decide, self.config.input)
        if config == self.config and all(map(Appointment.alike, appointments, self.appointments)):
            return None
        renewed: list[Post] = []
        for table, before, after, post in zip(config.fleets, self.appointments, appointments, posts, strict=True):
            if before.alike(after) and same_rules:
                renewed.append(post)
                continue
            fresh = post_for(after, config)
            succeed(post, fresh, self.histories.get(table.model))
            renewed.append(fresh)
        self._proposed = (config, appointments)
        return renewed

    def taken(self) -> None:
        """What `look` gave has been taken up, and the journal says so."""
        before, config = self.appointments, self.config
        self.config, self.appointments = self._proposed
        for was, now in zip(before, self.appointments, strict=True):
            if not was.alike(now):
                log.info("%s: %s", now.table.model, was.becomes(now))
        if config != self.config:
            log.info("%s: its settings are in force", self._config_path)
        for table in self.config.fleets:
            if table.learns:
                self._trainers[table.model].table = table
                self.histories[table.model].keep_rows = table.learn.keep_rows
        self.forget_models()

    def not_taken(self) -> None:
        """It could not be taken up: it is tried again at the next look."""
        self._seen = {}

    def _watched(self) -> list[Path]:
        paths = [self._folders[t.model].manifest_path if t.learns else Path(t.model) for t in self.config.fleets]
        paths += [Path(table.synthesizer) for table in self.config.fleets if table.synthesizer]
        return paths if self._config_path is None else [*paths, self._config_path]

    def _manifest(self, folder: ModelFolder) -> Manifest | None:
        """What a folder's manifest says; None where it cannot be read, which is told."""
        try:
            return folder.read()
        except ModelFileError as error:
            self._refuse(folder.manifest_path, error)
            return None

    def _train(self, now_s: float) -> None:
        for name, trainer in self._trainers.items():
            manifest = self._manifest(self._folders[name])
            try:
                if manifest is not None:
                    trainer.step(manifest, now_s)
            except (ServerError, DataError) as error:
                self._refuse(self.histories[name].path, error)

    def _appointed(self, table: FleetConfig, record: bytes | None) -> Appointment:
        """Who judges at the start."""
        try:
            if not table.learns:
                return Appointment(table, model_at(Path(table.model)))
            folder = self._folders[table.model]
            manifest = folder.read()
            return Appointment(table, model_in(folder, manifest.champion), model_in(folder, manifest.challenger))
        except ModelFileError as error:
            last = self._past.last(record, table)
            if last is None:
                raise
            self._refuse(self._folders[table.model].manifest_path if table.learns else Path(table.model), error)
            return last

    def _renewed(self, table: FleetConfig, now: Appointment) -> Appointment:
        """Who judges from now on; what cannot be taken up is told, and whoever judged goes on."""
        if not table.learns:
            path = Path(table.model)
            try:
                return Appointment(table, model_at(path, now.champion))
            except ModelFileError as error:
                self._refuse(path, error)
                return Appointment(table, now.champion)
        folder = self._folders[table.model]
        manifest = self._manifest(folder)
        champion, challenger = now.champion, now.challenger
        try:
            if manifest is not None:
                champion = model_in(folder, manifest.champion, now.champion, now.challenger) or now.champion
                challenger = None  # where its file is bad
                challenger = model_in(folder, manifest.challenger, now.challenger, now.champion)
        except ModelFileError as error:
            self._refuse(folder.manifest_path, error)
        return Appointment(table, champion, challenger if champion is not None else None)

    def _synthesizer(self, table: FleetConfig, now: SynthesizerFile | None = None) -> SynthesizerFile | None:
        """What imputes for a table from now on; what cannot be read is told, and whatever did goes on."""
        if not table.synthesizer:
            return None
        path = Path(table.synthesizer)
        try:
            return synthesizer_at(path, now)
        except ModelFileError as error:
            self._refuse(path, error)
            return now

    def _configured(self) -> ServiceConfig:
        """The configuration as it is in its file, or as it was where that is wrong or changes what may not change."""
        if self._reread is None or self._config_path is None:
            return self.config
        try:
            config = self._reread()
            require_changeable(self.config, config, str(self._config_path))
        except ConfigError as error:
            self._refuse(self._config_path, error)
            return self.config
        return config

    def _refuse(self, path: Path, error: AnomganError) -> None:
        now = (stamp(path), str(error))
        if self._refused.get(path) != now:
            self._refused[path] = now
            log.error("%s; nothing is changed, what judged goes on", str(error).replace("\n", "; "))

    def _compare(self, posts: Sequence[Post], now_s: float) -> None:
        """Write what each shadow has counted, and promote by the rule where the configuration says so."""
        for table, post in zip(self.config.fleets, posts, strict=True):
            if not isinstance(post, Shadowed) or now_s < self._compare_at_s.get(table.model, 0.0):
                continue
            self._compare_at_s[table.model] = now_s + table.learn.say_every_s
            folder = self._folders[table.model]
            counted = post.shadow.comparison
            try:
                write_bytes(folder.path / "shadow.json", orjson.dumps(counted.document()))
                promotes, why = judged(counted, table.learn.shadow_h)
                manifest = self._manifest(folder)
                challenger = None if manifest is None else manifest.challenger
                ours = challenger is not None and folder.name_of(challenger) == counted.challenger_name
                if challenger is not None and ours and promotes and table.learn.promote == "auto":
                    folder.promote(challenger, folder.content(challenger), now_s, f"by the rule: {why}")
            except (DataError, ModelFileError) as error:
                self._refuse(folder.path, error)

    # ---------------------------------------------------------------- the journal's past

    def keep_models(self, *, proposed: bool = False) -> None:
        """Copies of the models that judge from now on, or of those that `look` gave; DataError where that cannot be."""
        self._past.keep(self._proposed[1] if proposed else self.appointments)

    def forget_models(self) -> None:
        """Remove the copies of all others, which no turn of the journal needs any more."""
        self._past.forget_others(self.appointments)

    def record(self, *, proposed: bool = False) -> bytes:
        """By whom turns are made, as the journal keeps it."""
        return record_of(*(self._proposed if proposed else (self.config, self.appointments)))

    def past(self, record: bytes) -> list[Post] | None:
        """The posts that made a journal's turns; None where they are those of now, or cannot be had any more."""
        return None if record == self.record() else self._past.posts(record, self.config, self.appointments)

    def go_on(self, past: Sequence[Post], posts: Sequence[Post]) -> None:
        """Let the posts of now go on where those of the past are."""
        for post, before in zip(posts, successors(past, posts), strict=True):
            if before is not None:
                succeed(before, post, self.histories.get(post.config.model))
