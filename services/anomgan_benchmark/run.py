"""The whole benchmark: what is asked for, what of it is there already, and the rest in worker processes.

Series that share one training part (those of TEP do) are scored by one fit.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from anomgan.adapters.files import write_bytes
from anomgan.config import DetectorConfig
from anomgan.errors import AnomganError, DataError
from anomgan.records import Floats, TimeSeries
from anomgan_benchmark.contaminate import contaminate
from anomgan_benchmark.detectors import DETECTORS, settings_for
from anomgan_benchmark.protocol import measure, timed_fit
from anomgan_benchmark.results import Key, Result, ResultsFile
from anomgan_benchmark.sources import digest
from anomgan_benchmark.suites import open_suite
from anomgan_benchmark.workers import Died, run_tasks

FAILURES = (AnomganError, ArithmeticError, ValueError, RuntimeError, MemoryError, OSError)
"""What a detector may fail with on a series; any other error is a mistake in the program and ends its worker."""
Scores = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Found:
    """A series of a suite: digests of its whole content and of its training part."""

    suite: str
    series: str
    data: str
    training: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A result that is asked for, and what it is made with."""

    key: Key
    training: str
    config: DetectorConfig


@dataclass(frozen=True, slots=True)
class Task:
    """Results that come from one fit."""

    folder: Path
    contamination: float
    wanted: tuple[Wanted, ...]


def survey(suites: Sequence[str], folder: Path, contamination: float = 0.0) -> tuple[list[Found], list[str]]:
    """The series of the suites below a folder, and those left out because their labels are all of one kind.

    `contamination` is the share of training rows that are taken from faults (`contaminate`).

    DataError for a suite that is not there, a file that cannot be read, or a suite of which nothing is left.
    """
    found: list[Found] = []
    left_out: list[str] = []
    for suite in suites:
        count = len(found)
        for name, read in open_suite(suite, folder).items():
            series = read()
            if series.has_both_kinds:
                series = contaminate(series, contamination)
                training = _digest(series.train)
                found.append(Found(suite, name, _digest(series.train, series.test), training))
            else:
                left_out.append(f"{suite} {name}")
        if len(found) == count:
            raise DataError(f"suite {suite}: no series in {folder} has both normal and anomalous rows")
    return found, left_out


def wanted_results(
    found: Sequence[Found], detectors: Sequence[str], seeds: Sequence[int], config: DetectorConfig
) -> list[Wanted]:
    """Every result that is asked for; where a seed changes nothing, there is one."""
    wanted = []
    for one in found:
        for name in detectors:
            entry = DETECTORS[name]
            made_by = f"{version('anomgan')}+{digest(entry.fit.__module__, 'anomgan_benchmark.protocol')}"
            for seed in seeds if "seed" in entry.takes else [0]:
                chosen = settings_for(name, config.model_copy(update={"seed": seed}))
                settings = json.dumps(chosen.model_dump(exclude_defaults=True, exclude={"seed"}), sort_keys=True)
                key = Key(one.suite, one.series, name, seed, made_by, settings, one.data)
                wanted.append(Wanted(key, one.training, chosen))
    return wanted


def missing_results(wanted: Sequence[Wanted], results: ResultsFile, scores_folder: Path | None) -> list[Wanted]:
    """Those that are not in the file, or failed; with a folder for scores also those whose scores are not there."""

    def is_there(one: Wanted) -> bool:
        result = results.done.get(one.key)
        return (
            result is not None
            and not result.error
            and (scores_folder is None or all(_has_scores(scores_folder, one.key, name) for name in result.figures))
        )

    return [one for one in wanted if not is_there(one)]


def run(
    missing: Sequence[Wanted],
    folder: Path,
    results: ResultsFile,
    jobs: int,
    scores_folder: Path | None,
    contamination: float = 0.0,
) -> Iterator[Result]:
    """Make results in so many processes; each is in the file before it is told."""
    fits: dict[tuple[str, str, str, int], list[Wanted]] = {}
    for one in missing:
        fits.setdefault((one.key.suite, one.training, one.key.detector, one.key.seed), []).append(one)
    tasks = [Task(folder, contamination, tuple(of_one_fit)) for of_one_fit in fits.values()]
    told: set[Key] = set()
    for task, piece in run_tasks(work, tasks, jobs):
        if isinstance(piece, Died):
            fresh = [Result(one.key, one.training, {}, str(piece)) for one in task.wanted if one.key not in told]
        else:
            fresh = [piece[0]]
            if scores_folder is not None:
                _keep_scores(scores_folder, *piece)
        for result in fresh:
            results.add(result)
            told.add(result.key)
            yield result


def work(task: Task) -> Iterator[tuple[Result, Scores]]:
    """What a worker process does: one fit, then every series that it is for."""
    first = task.wanted[0]
    DETECTORS[first.key.detector].require()  # what is imported only now is no part of the time that fitting takes
    listing = open_suite(first.key.suite, task.folder)
    try:
        train = contaminate(listing[first.key.series](), task.contamination).train
        examine, fit_s = timed_fit(DETECTORS[first.key.detector].fit, train, first.config)
    except FAILURES as error:
        yield from ((_failed(one, error), {}) for one in task.wanted)
        return
    for one in task.wanted:
        try:
            measured = measure(examine, fit_s, listing[one.key.series]())
        except FAILURES as error:
            yield _failed(one, error), {}
            continue
        figures = {name: figures for name, (figures, _) in measured.items()}
        yield Result(one.key, one.training, figures), {name: scores for name, (_, scores) in measured.items()}


def _failed(wanted: Wanted, error: Exception) -> Result:
    return Result(wanted.key, wanted.training, {}, f"{type(error).__name__}: {error}")


# ---------------------------------------------------------------- kept scores


def _keep_scores(folder: Path, result: Result, scores: Scores) -> None:
    """An npz per name: `scores` (T,) of the test part, and the `key` that says what they are of."""
    for name, values in scores.items():
        target = _scores_path(folder, result.key, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.savez_compressed(content, scores=values, key=json.dumps(asdict(result.key)))
        write_bytes(target, content.getvalue())


def _has_scores(folder: Path, key: Key, name: str) -> bool:
    try:
        with _scores_path(folder, key, name).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return bool(json.loads(str(kept["key"])) == asdict(key))
    except (OSError, ValueError, TypeError, KeyError, BadZipFile):
        return False  # not there, or not ours: they are made again


def _scores_path(folder: Path, key: Key, name: str) -> Path:
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)
    return folder / key.suite / key.series / f"{plain}.{key.seed}.npz"


def _digest(*parts: TimeSeries) -> str:
    """Twelve hexadecimal digits of values and labels."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(str(part.values.shape).encode() + part.values.tobytes())
        whole.update(b"" if part.labels is None else part.labels.tobytes())
    return whole.hexdigest()[:12]
