"""The detector service under a supervisor that starts it again whenever it has ended, as a system service is."""

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from programs import Program

LISTENING = "listening to"
PATIENCE_S = 120.0
EVERY_S = 0.1


class Supervisor:
    """`anomgan detect` in a folder, from `start` to `end`. `wrong` is what it did that it never should.

    peak_bytes, first_bytes   the most memory it ever had, and what it had when it first listened
    starts                    how often it was started
    """

    def __init__(self, folder: Path, config: Path, environment: Mapping[str, str]) -> None:
        self.wrong: list[str] = []
        self.starts = 0
        self.peak_bytes = self.first_bytes = 0
        self._folder = folder
        self._config = config
        self._environment = environment
        self._program: Program | None = None
        self._changing = threading.RLock()
        self._ended_by_us: Program | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor")

    def start(self) -> None:
        """Begin, and wait until it listens."""
        self._thread.start()
        self.await_listening()

    def await_listening(self) -> None:
        """Wait until the service listens, however often it has to be started for that."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.listening:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the detector does not listen within {PATIENCE_S:g} s:\n{self.said()[-2000:]}")
            self._ending.wait(EVERY_S)

    @property
    def listening(self) -> bool:
        """Whether it runs and has begun to take messages."""
        program = self._program
        return program is not None and program.process.poll() is None and LISTENING in program.said()

    @property
    def pid(self) -> int | None:
        """Of the service, None while there is none."""
        program = self._program
        return program.process.pid if program is not None and program.process.poll() is None else None

    def said(self) -> str:
        """All that it has said in its present life."""
        return "" if self._program is None else self._program.said()

    def said_in_all(self) -> str:
        """All that it has said in all of its lives."""
        return "".join(log.read_text(errors="replace") for log in self._folder.glob("detector-*.log"))

    # ---------------------------------------------------------------- what is done to it

    def kill(self) -> None:
        """End it as a power cut does, whatever it is doing."""
        self._end_by(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end, and wait until it has; it must do so with status 0."""
        self._end_by(signal.SIGTERM)

    def pause(self) -> None:
        """Let it stand still, so that messages wait for it."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> str:
        """Ask it to end for good; its last words."""
        self._ending.set()
        self._thread.join()
        if self._program is not None and self._program.process.poll() is None:
            self._end_by(signal.SIGTERM)
        return self.said()

    def close(self) -> None:
        """Leave nothing running."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._program is not None and self._program.process.poll() is None:
            self._program.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, number)

    def _end_by(self, number: signal.Signals) -> None:
        with self._changing:
            program = self._program
            if program is None or program.process.poll() is not None:
                return
            program.process.send_signal(number)
            status = program.process.wait(PATIENCE_S)
            wanted = 0 if number == signal.SIGTERM else -number
            if status != wanted:
                self._note(program, f"told to end by {number.name} it ended with status {status}")
            self._require_calm(program)
            self._ended_by_us = program

    # ---------------------------------------------------------------- keeping it running

    def _watch(self) -> None:
        while not self._ending.is_set():
            with self._changing:
                program = self._program
                if program is None or program.process.poll() is not None:
                    if program is not None and program is not self._ended_by_us:
                        self._judge_end(program)
                    self.starts += 1
                    log = self._folder / f"detector-{self.starts}.log"
                    self._program = Program(self._folder, ["detect", self._config], log, self._environment)
            self._measure()
            self._ending.wait(EVERY_S)

    def _judge_end(self, program: Program) -> None:
        """By itself it may end only before it listens, in one line: a supervisor will try again."""
        status = program.process.poll()
        if status != 2 or LISTENING in program.said() or "anomgan: error: " not in program.said():
            self._note(program, f"it ended by itself with status {status}")
        self._require_calm(program)

    def _require_calm(self, program: Program) -> None:
        if "Traceback" in program.said():
            self._note(program, "it said Traceback")

    def _note(self, program: Program, what: str) -> None:
        self.wrong.append(f"{program.log.name}: {what}:\n{program.said()[-3000:]}")

    def _measure(self) -> None:
        pid = self.pid
        if pid is None:
            return
        try:
            used = psutil.Process(pid).memory_info().rss
        except psutil.NoSuchProcess:
            return
        if not self.first_bytes and self.listening:
            self.first_bytes = used
        self.peak_bytes = max(self.peak_bytes, used)
