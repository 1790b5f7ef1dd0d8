"""Starting and ending the demo's child processes."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from anomgan.errors import AnomganError

PATIENCE_S = 15.0


class Child:
    """One `anomgan` command in a process and session of its own, so that Ctrl-C reaches only the parent."""

    def __init__(self, arguments: Sequence[str], log: IO[bytes] | None = None) -> None:
        self.name = arguments[0]
        command = [sys.executable, "-m", "anomgan_demo.child", *arguments]
        self._process = subprocess.Popen(  # noqa: S603 our own program
            command, stdin=subprocess.PIPE, stdout=None if log is None else log, stderr=log, start_new_session=True
        )

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def end(self) -> int:
        """Ask it to end (SIGTERM), wait, kill if it does not; its exit status."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        return self.wait(PATIENCE_S)

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit status, once it has ended; killed when that takes longer than `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()


@contextmanager
def child(arguments: Sequence[str], log_path: Path | None = None) -> Iterator[Child]:
    """A running child that is ended with the block. With `log_path` it writes there instead of on the terminal."""
    log = None if log_path is None else log_path.open("ab")
    try:
        started = Child(arguments, log)
        try:
            yield started
        finally:
            started.end()
    finally:
        if log is not None:
            log.close()


def require_running(*children: Child) -> None:
    """AnomganError naming the first that has ended when it should not have."""
    for one in children:
        if not one.running:
            raise AnomganError(f"`anomgan {one.name}` ended unexpectedly with status {one.wait()}")
