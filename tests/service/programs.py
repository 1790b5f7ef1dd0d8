"""`anomgan` commands as processes of their own: run to their end, or started, waited for and ended."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
from servers import eventually

PATIENCE_S = 120.0
"""long enough for a machine that has other things to do"""


def anomgan(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a command line such as `anomgan train ...` in a folder; the test fails where the command does."""
    program, *arguments = shlex.split(line)
    assert program == "anomgan"
    done = subprocess.run(
        command(arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def command(arguments: Sequence[str | Path]) -> list[str]:
    """How to start `anomgan` with this interpreter."""
    return [sys.executable, "-m", "anomgan_cli", *map(str, arguments)]


class Program:
    """A running command, all that it says in `log`."""

    def __init__(
        self, folder: Path, arguments: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command(arguments), cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
            )

    def said(self) -> str:
        """All so far."""
        return self.log.read_text(errors="replace")

    def await_words(self, words: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it has said something; the test fails where it ends before."""

        def says() -> bool:
            ended = self.process.poll() is not None  # asked first: it may say its last words and end in between
            if words in self.said():
                return True
            assert not ended, f"it ended without saying {words!r}:\n{self.said()[-3000:]}"
            return False

        eventually(says, f"it says {words!r}", timeout_s)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; its exit status. The test fails where it leaves a child behind or says Traceback."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(how)
        status = self.process.wait(PATIENCE_S)
        left = psutil.wait_procs(below, PATIENCE_S)[1]
        assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]
        assert "Traceback" not in self.said(), self.said()[-3000:]
        return status

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)


@contextmanager
def detecting(folder: Path, config: str = "detector.toml") -> Iterator[Program]:
    """`anomgan detect CONFIG`, listening; killed with the block if it still runs then."""
    program = Program(folder, ["detect", config], folder / f"{Path(config).stem}.log")
    try:
        program.await_words("listening to")
        yield program
    finally:
        if program.process.poll() is None:
            program.kill()
