"""When a fleet that learns by itself trains, and the child process that does it: ingestion goes on meanwhile.

Rows are counted as they come. Once they are enough, a child at the lowest priority, with one thread, looks at the
history itself (cycles, levels) and either says what is still missing or trains, and adds its model to the folder. It is
asked again when the history has grown by a tenth. Killed, with the service or without it, it leaves the folder as it
was.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomgan.adapters.model_folder import Manifest, ModelFolder
from anomgan.adapters.sqlite_training import TrainingHistory
from anomgan.config import DetectorConfig, FleetConfig
from anomgan.enough import Need, count_needs
from anomgan.errors import DataError
from anomgan_detector.exit_status import NOT_YET

log = logging.getLogger("anomgan.detector")
GROWTH = 1.1
RETRY_S = 600.0
LOWEST_PRIORITY = 19
PATIENCE_S = 10.0


def training_settings(table: FleetConfig) -> dict[str, Any]:
    """What a fleet's table says of a DetectorConfig."""
    given = {"window": table.learn.window, "steps": table.learn.steps, "alarms_per_week": table.alarms_per_week}
    return {name: value for name, value in given.items() if value is not None}


def training_command(table: FleetConfig) -> list[str]:
    """The arguments of `anomgan` by which a fleet trains."""
    learn = table.learn
    options = training_settings(table) | {"at_least_h": learn.at_least_h, "patience_h": learn.patience_h}
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items() if value is not None]
    given = [part for pair in pairs for part in pair]
    return ["models", "train", table.model, "--if-enough", *given]


class Trainer:
    """Decides when one fleet trains; `step` is called between turns and takes no time to speak of."""

    def __init__(self, table: FleetConfig, folder: ModelFolder, history: TrainingHistory) -> None:
        self.table = table
        self._folder = folder
        self._history = history
        self._child: subprocess.Popen[bytes] | None = None
        self._rows_then = 0
        self._say_at_s = self._not_before_s = 0.0

    @property
    def training(self) -> bool:
        """Whether one is under way."""
        return self._child is not None

    def step(self, manifest: Manifest, now_s: float) -> None:
        """See how the child does, begin one where it is time, and say now and then what is missing."""
        if self._child is not None:
            self._see(self._child, manifest, now_s)
        elif manifest.champion is None:
            self._gather(now_s)
        elif self._old(manifest, now_s) and now_s >= self._not_before_s:
            self._begin("the newest model is older than learn.retrain_h; a challenger is trained", now_s)

    def _old(self, manifest: Manifest, now_s: float) -> bool:
        after_h = self.table.learn.retrain_h
        return after_h is not None and now_s - manifest.made_s >= after_h * 3600.0

    def _gather(self, now_s: float) -> None:
        rows = self._history.rows()
        total = sum(rows.values())
        needs = count_needs(rows, DetectorConfig(**training_settings(self.table)))
        if total >= GROWTH * self._rows_then and now_s >= self._not_before_s:
            impatient = bool(rows) and self._history.span_s() >= self.table.learn.patience_h * 3600.0
            if impatient or all(need.met for need in needs):
                self._rows_then = total
                self._begin(f"{total:,} rows of {len(rows)} devices are there to look at", now_s)
                return
        if now_s >= self._say_at_s:
            self._say_at_s = now_s + self.table.learn.say_every_s
            for line in lacking(rows, needs):
                log.info("%s: %s", self.table.model, line)

    def _begin(self, why: str, now_s: float) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        try:
            with self._log_path.open("wb") as out:
                self._child = subprocess.Popen(  # noqa: S603 our own program
                    [sys.executable, "-m", "anomgan_cli", *training_command(self.table)],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=environment,
                    start_new_session=True,  # Ctrl-C reaches the service alone, which then ends its child
                )
            os.setpriority(os.PRIO_PROCESS, self._child.pid, LOWEST_PRIORITY)
        except OSError as error:
            self._not_before_s = now_s + RETRY_S
            raise DataError(f"{self._log_path}: training cannot begin: {error.strerror}") from None
        log.info("%s: %s; training begins in the background", self.table.model, why)

    def _see(self, child: subprocess.Popen[bytes], manifest: Manifest, now_s: float) -> None:
        status = child.poll()
        if status is None:
            return
        self._child = None
        self._say_at_s = now_s + self.table.learn.say_every_s
        said = self._log_path.read_text(errors="replace").splitlines()
        if status == NOT_YET and manifest.champion is not None:
            self._not_before_s = now_s + RETRY_S  # a fleet that still gathers waits for a tenth more of history
        if status in (0, NOT_YET):
            for line in said:
                log.info("%s: %s", self.table.model, line)
        else:
            self._not_before_s, self._rows_then = now_s + RETRY_S, 0
            last = said[-1] if said else "it said nothing"
            log.error(
                "%s: training failed (exit status %d): %s; again in %g min",
                self.table.model,
                status,
                last,
                RETRY_S / 60,
            )

    @property
    def _log_path(self) -> Path:
        return self._folder.path / "training.log"

    def close(self) -> None:
        """End a training that is under way: it leaves nothing behind, and the next start begins it again."""
        if self._child is not None:
            child, self._child = self._child, None
            child.terminate()
            try:
                child.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def lacking(rows: dict[tuple[str, str], int], needs: Sequence[Need]) -> list[str]:
    """What there is, and what of it is not enough."""
    there = f"history of {len(rows)} device{'' if len(rows) == 1 else 's'}, {sum(rows.values()):,} rows"
    return [f"{there}; {need}" for need in needs if not need.met] or [f"{there}; its rows are enough"]
