"""A disk that can be full: a small tmpfs of its own, where mounting is allowed, and a limit on the size of files.

The service sees a full tmpfs coming and stops before it writes; the limit strikes in the middle of a write. Where both
can be had, they take turns.
"""

import os
import resource
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SIZE_MB = 160
FILLER = "filler"


class SmallDisk:
    """A folder for the service's files. `how` says what fills it; `pid` whose files a limit is set on."""

    def __init__(self, folder: Path, pid: Callable[[], int | None], *, mount: bool = True) -> None:
        self.folder = folder
        self.full = False
        self._pid = pid
        folder.mkdir()
        self._mounted = mount and os.geteuid() == 0 and mount_tmpfs(folder)
        self.how = f"a tmpfs of {SIZE_MB} MB and RLIMIT_FSIZE in turns" if self._mounted else "RLIMIT_FSIZE"
        self._limited = self._mounted
        self._limit = 0

    def fill(self) -> None:
        """From now on no file can grow."""
        self.full = True
        self._limited = not (self._mounted and self._limited)
        if not self._limited:
            with (self.folder / FILLER).open("wb", buffering=0) as filler:
                block = bytes(1 << 20)
                while block:
                    try:
                        while filler.write(block) == len(block):
                            pass
                    except OSError:  # no space: try what is left with smaller ones
                        pass
                    block = block[: len(block) // 2]
        else:
            self._limit = max(100_000, *(file.stat().st_size for file in self.folder.iterdir()))
            self.keep_full()

    def keep_full(self) -> None:
        """Hold a process that was started meanwhile to the limit, too."""
        if self.full and self._limited:
            self._set(self._limit)

    def free(self) -> None:
        """There is room again."""
        self.full = False
        if not self._limited:
            (self.folder / FILLER).unlink(missing_ok=True)
        else:
            self._set(resource.RLIM_INFINITY)

    def close(self) -> None:
        """Put everything back; what the folder held is gone where it was a tmpfs."""
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)
            self._mounted = False

    def _set(self, limit: int) -> None:
        pid = self._pid()
        if pid is not None:
            with suppress(ProcessLookupError):  # it has just ended; the next one is told when it is there
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def mount_tmpfs(folder: Path, size_mb: int = SIZE_MB) -> bool:
    """Put a small file system there; whether that was possible."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
