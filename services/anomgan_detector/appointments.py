"""Who judges the devices of each `[[fleets]]` table, and how one post goes on where another was."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from anomgan.adapters.files import read_model_bytes
from anomgan.adapters.model_folder import ModelFolder
from anomgan.adapters.sqlite_training import TrainingHistory
from anomgan.assemble import RowAssembler
from anomgan.config import FleetConfig, ServiceConfig
from anomgan.records import Reading
from anomgan.wire.conventions import CONVENTIONS
from anomgan_detector.fleet import Fleet
from anomgan_detector.gathering import Gathering
from anomgan_detector.loaded import Model, SynthesizerFile, model_of, synthesizer_of
from anomgan_detector.post import NOT_READING, Post
from anomgan_detector.shadow import Shadow, Shadowed

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class Appointment:
    """Table, champion, challenger, and the synthesizer that imputes; no champion = the fleet gathers."""

    table: FleetConfig
    champion: Model | None
    challenger: Model | None = None
    synthesizer: SynthesizerFile | None = None

    def alike(self, other: "Appointment") -> bool:
        """Whether both mean the same."""
        return self.document() == other.document()

    def document(self) -> dict[str, Any]:
        """As JSON types: the models by name and digest."""
        document = {
            "table": self.table.model_dump_json(),
            "champion": None if self.champion is None else [self.champion.name, self.champion.digest],
            "challenger": None if self.challenger is None else [self.challenger.name, self.challenger.digest],
        }
        if self.synthesizer is not None:
            document["synthesizer"] = [self.synthesizer.name, self.synthesizer.digest]
        return document

    def becomes(self, after: "Appointment") -> str:
        """A change in words."""
        said = []
        if self.table != after.table:
            said.append("settings changed")
        if after.champion is not None and after.champion is not self.champion:
            before = "nobody" if self.champion is None else _name(self.champion)
            said.append(f"model {_name(after.champion)} judges from now on, {before} did until now")
        if after.challenger is not None and after.challenger is not self.challenger:
            said.append(f"model {_name(after.challenger)} looks on from its shadow")
        if after.challenger is None and self.challenger is not None:
            said.append(f"{_name(self.challenger)} leaves the shadow")
        if after.synthesizer is not None and after.synthesizer is not self.synthesizer:
            said.append(f"synthesizer {_name(after.synthesizer)} imputes from now on")
        return "; ".join(said)


def _name(model: Model | SynthesizerFile) -> str:
    return f"{model.name} ({model.digest[:8]})"


def model_at(path: Path, now: Model | None = None) -> Model:
    """The model in a file; `now`, where it is still that. Raises ModelFileError."""
    content = read_model_bytes(path)
    if now is not None and sha256(content).hexdigest() == now.digest:
        return now
    return model_of(content, str(path), path.stem)


def synthesizer_at(path: Path, now: SynthesizerFile | None = None) -> SynthesizerFile:
    """The synthesizer in a file; `now`, where it is still that. Raises ModelFileError."""
    content = read_model_bytes(path)
    if now is not None and sha256(content).hexdigest() == now.digest:
        return now
    return synthesizer_of(content, str(path), path.stem)


def model_in(folder: ModelFolder, number: int | None, *known: Model | None) -> Model | None:
    """A folder's model; one that is known already is not read again."""
    if number is None:
        return None
    name = folder.name_of(number)
    content = folder.content(number)
    same = (model for model in known if model is not None and (model.name, model.content) == (name, content))
    return next(same, None) or model_of(content, str(folder.model_path(number)), name)


def stamp(path: Path) -> Stamp:
    """What changes when a file is replaced or written to; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def post_for(one: Appointment, config: ServiceConfig) -> Post:
    """A post without a past."""
    if one.champion is None:
        return Gathering(one.table, config.input)
    fleet = Fleet(one.table, config.input, config.decide, config.quality, config.adapt, one.champion, one.synthesizer)
    if one.challenger is None:
        return fleet
    return Shadowed(fleet, Shadow(one.table, config.decide, one.challenger, fleet))


def succeed(before: Post, after: Post, history: TrainingHistory | None) -> None:
    """Let `after` go on where `before` is: devices, windows, open events, counters, and of a shadow what it counted."""
    old = before.fleet if isinstance(before, Shadowed) else before
    new = after.fleet if isinstance(after, Shadowed) else after
    if isinstance(new, Fleet) and isinstance(old, Fleet):
        new.take_over(old)
    elif isinstance(new, Fleet):
        rows = [] if history is None else newest_rows(history, new)
        new.warm_up(old.snapshot(), old.counters(), rows)
    elif isinstance(new, Gathering):
        new.go_on(old.snapshot(), old.counters())
    if isinstance(after, Shadowed):
        if isinstance(before, Shadowed) and before.shadow.model.digest == after.shadow.model.digest:
            after.shadow.restore(before.shadow.snapshot())
        elif history is not None:
            after.shadow.warm_up(newest_rows(history, after.fleet))


def newest_rows(history: TrainingHistory, fleet: Fleet) -> list[Reading]:
    """The newest rows of every device in a history, enough to fill a window."""
    detector = fleet.detector
    partial = CONVENTIONS[fleet.config.dialect].partial
    count = detector.rule.window * (len(detector.channels) if partial else 1)
    rows: list[Reading] = []
    for source in history.rows():
        newest = history.newest(source, count)
        rows += RowAssembler(detector.channels, detector.period_s).push(newest) if partial else newest
    return rows


def successors(before: Sequence[Post], after: Sequence[Post]) -> list[Post | None]:
    """Of each post the one whose past it takes up: one that reads messages the same way, best of the same devices."""
    left = list(before)
    found: list[Post | None] = []
    for post in after:
        alike = [one for one in left if _reads(one.config) == _reads(post.config)]
        same = [one for one in alike if one.config.devices == post.config.devices]
        chosen = next(iter([*same, *alike]), None)
        if chosen is not None:
            left.remove(chosen)
        found.append(chosen)
    return found


def _reads(table: FleetConfig) -> dict[str, Any]:
    return table.model_dump(exclude=NOT_READING | {"devices"})
