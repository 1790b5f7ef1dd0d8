"""results.jsonl: a line per detector and series, added whole as soon as it is there, so that a run can go on later.

A line that was cut off when a run was killed is taken away by the next run. A later line of the same key counts instead
of an earlier one.
"""

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anomgan.errors import DataError
from anomgan_benchmark.hit_rate import Hits
from anomgan_benchmark.protocol import Figures


@dataclass(frozen=True, slots=True)
class Key:
    """What a result is of: version names the code, settings what differs from the defaults, data the arrays."""

    suite: str
    series: str
    detector: str
    seed: int
    version: str
    settings: str
    data: str


@dataclass(frozen=True, slots=True)
class Result:
    """One detector on one series: figures by the names under which it answers, or an error.

    training: a digest of the training part; results that share it, detector and seed come from one fit.
    """

    key: Key
    training: str
    figures: Mapping[str, Figures]
    error: str = ""


class ResultsFile:
    """An open results.jsonl: `done` has what is in it, `add` one more."""

    def __init__(self, path: Path, handle: int, done: dict[Key, Result]) -> None:
        self.path = path
        self.done = done
        self._handle = handle

    def add(self, result: Result) -> None:
        """One whole line, on the disk before this returns."""
        line = json.dumps(_to_json(asdict(result)), allow_nan=False).encode() + b"\n"
        written = os.write(self._handle, line)
        if written != len(line):
            raise DataError(f"{self.path}: only {written} of {len(line)} bytes could be written; is the disk full?")
        os.fsync(self._handle)
        self.done[result.key] = result


@contextmanager
def open_results(path: Path) -> Iterator[ResultsFile]:
    """The results so far, repaired where the last line is half, and a way to add to them.

    DataError naming the line where one cannot be read, or where another run has the file.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{path}: another run is writing it") from None
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.ftruncate(handle, len(whole))
        results = [_parse(path, number, line) for number, line in enumerate(whole.splitlines(), 1) if line]
        yield ResultsFile(path, handle, {result.key: result for result in results})
    finally:
        os.close(handle)


def _parse(path: Path, number: int, line: bytes) -> Result:
    try:
        entry = json.loads(line)
        return Result(
            key=Key(**entry["key"]),
            training=entry["training"],
            figures={name: _figures(figures) for name, figures in entry["figures"].items()},
            error=entry["error"],
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}:{number}: not a result: {error}; move the file away to begin anew") from None


def _figures(entry: dict[str, Any]) -> Figures:
    values: dict[str, Any] = {key: math.nan if value is None else value for key, value in entry.items()}
    values["hits"] = tuple(Hits(tuple(one["rates"]), tuple(one["chance"]), one["found"]) for one in entry["hits"])
    return Figures(**values)


def _to_json(value: Any) -> Any:
    """The same with None for what is not finite, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _to_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
