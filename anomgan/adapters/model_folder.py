"""A folder of models: numbered files that never change, and a manifest that says which of them judges.

    0001.safetensors 0002.safetensors ...   one model each, written once
    manifest.json                           champion, challenger, and every change with its time and reason

The manifest is replaced whole or not at all, under a lock, so that a command may change it while a service runs; the
service looks at it now and then. A model's SHA-256 stands in it, so that a file that was changed since is told from the
one that was promoted.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from io import BufferedWriter
from pathlib import Path
from typing import Any, Literal

from anomgan.adapters.files import read_model_bytes, write_bytes
from anomgan.errors import DataError, ModelFileError

VERSION = 1
What = Literal["trained", "promoted", "reverted"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of who judges: when, what was done, to which model, which one judged before, and why."""

    time_s: float
    what: What
    number: int
    before: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder's manifest says; `digests` are SHA-256 by number, `made_s` the time of the newest model."""

    champion: int | None = None
    challenger: int | None = None
    digests: tuple[tuple[int, str], ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def numbers(self) -> list[int]:
        """Every model that was trained or promoted here."""
        return [number for number, _ in self.digests]

    @property
    def made_s(self) -> float:
        """When the newest model was trained; 0 where none was."""
        return max((change.time_s for change in self.changes if change.what == "trained"), default=0.0)

    @property
    def champion_before(self) -> int | None:
        """The one that `revert` brings back: what judged before the champion was promoted."""
        for change in reversed(self.changes):
            if change.what != "trained" and change.number == self.champion:
                return change.before
        return None


class ModelFolder:
    """A folder of models; made with its first model."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.manifest_path = self.path / "manifest.json"

    def model_path(self, number: int) -> Path:
        """The file of a model."""
        return self.path / f"{number:04d}.safetensors"

    def name_of(self, number: int) -> str:
        """What verdicts call a model."""
        return f"{self.path.name}-{number:04d}"

    def read(self) -> Manifest:
        """The manifest; an empty one where there is none yet. ModelFileError for one that cannot be read."""
        try:
            text = self.manifest_path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return Manifest()
        except OSError as error:
            raise ModelFileError(f"{self.manifest_path}: {error.strerror}") from None
        try:
            return _manifest(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{self.manifest_path}: not a manifest of models: {error}") from None

    def content(self, number: int) -> bytes:
        """A model's bytes; ModelFileError where it is missing or not what it was."""
        content = read_model_bytes(self.model_path(number))
        digest = dict(self.read().digests).get(number)
        if digest is not None and sha256(content).hexdigest() != digest:
            raise ModelFileError(f"{self.model_path(number)}: damaged: it is not the file that was put there")
        return content

    def add(self, content: bytes, now_s: float, reason: str) -> tuple[int, bool]:
        """Keep a new model: the champion where there is none, else the challenger. Its number, whether it judges."""
        with self._changing() as manifest:
            there = [int(file.stem) for file in self.path.glob("*.safetensors") if file.stem.isdecimal()]
            number = max([0, *there, *manifest.numbers]) + 1
            write_bytes(self.model_path(number), content)
            first = manifest.champion is None
            done = [Change(now_s, "trained", number, manifest.champion, reason)]
            if first:
                done.append(Change(now_s, "promoted", number, None, "the first model"))
            self._write(
                replace(
                    manifest,
                    champion=number if first else manifest.champion,
                    challenger=None if first else number,
                    digests=(*manifest.digests, (number, sha256(content).hexdigest())),
                    changes=(*manifest.changes, *done),
                )
            )
            return number, first

    def promote(self, number: int, content: bytes, now_s: float, reason: str, what: What = "promoted") -> None:
        """Let a model judge from now on; `content` is its file, which the caller has found to be valid."""
        with self._changing() as manifest:
            if number == manifest.champion:
                raise DataError(f"{self.path}: model {number} is the champion already")
            digests = dict(manifest.digests) | {number: sha256(content).hexdigest()}
            self._write(
                replace(
                    manifest,
                    champion=number,
                    challenger=None if number == manifest.challenger else manifest.challenger,
                    digests=tuple(digests.items()),
                    changes=(*manifest.changes, Change(now_s, what, number, manifest.champion, reason)),
                )
            )

    @contextmanager
    def training(self) -> Iterator[bool]:
        """Whether this process may train here now; another one that does says no to all others until it has ended."""
        with self._lock("training.lock") as lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _lock(self, name: str) -> BufferedWriter:
        """A file of the folder, which is made where it is missing, to lock; the lock ends when it is closed."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / name).open("ab")
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written to: {error.strerror}") from None

    @contextmanager
    def _changing(self) -> Iterator[Manifest]:
        with self._lock("manifest.lock") as lock:
            flock(lock, LOCK_EX)
            yield self.read()

    def _write(self, manifest: Manifest) -> None:
        document = {
            "version": VERSION,
            "champion": manifest.champion,
            "challenger": manifest.challenger,
            "models": {str(number): digest for number, digest in manifest.digests},
            "changes": [[one.time_s, one.what, one.number, one.before, one.reason] for one in manifest.changes],
        }
        write_bytes(self.manifest_path, json.dumps(document, indent=1).encode())


def _manifest(document: dict[str, Any]) -> Manifest:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']!r}; this one reads {VERSION}")
    digests = tuple((int(number), str(digest)) for number, digest in document["models"].items())
    changes = tuple(
        Change(float(time_s), what, int(number), None if before is None else int(before), str(reason))
        for time_s, what, number, before, reason in document["changes"]
    )
    known = {number for number, _ in digests}
    for role in ("champion", "challenger"):
        if document[role] is not None and document[role] not in known:
            raise ValueError(f"the {role} is model {document[role]!r}, which it does not list")
    return Manifest(document["champion"], document["challenger"], digests, changes)
