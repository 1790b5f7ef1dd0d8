"""A block of lines that is drawn anew in place on a terminal."""

import threading
from collections.abc import Callable, Sequence
from typing import TextIO

from anomgan.shown import cut, printable


class Screen:
    """Writes to a terminal, which has `size` (columns, lines) at that time.

    Also takes what a logging handler writes, so that a log line never lands in the block.
    """

    def __init__(self, stream: TextIO, size: Callable[[], tuple[int, int]]) -> None:
        self._stream = stream
        self._size = size
        self._drawn = 0
        self._lock = threading.Lock()

    @property
    def room(self) -> tuple[int, int]:
        """(columns, lines) that a block can have."""
        width, height = self._size()
        return width - 1, height - 1

    def draw(self, lines: Sequence[str]) -> None:
        """Show this block in place of the last."""
        width, height = self.room
        fitting = [cut(printable(line), width) for line in lines[:height]]
        with self._lock:
            self._stream.write(self._erased() + "".join(f"{line}\n" for line in fitting))
            self._stream.flush()
            self._drawn = len(fitting)

    def clear(self) -> None:
        """Take the block away."""
        with self._lock:
            self._stream.write(self._erased())
            self._stream.flush()

    def write(self, text: str) -> int:
        """Lines above the block."""
        with self._lock:
            self._stream.write(self._erased() + text)
        return len(text)

    def flush(self) -> None:
        """Send it on."""
        self._stream.flush()

    def _erased(self) -> str:
        lines, self._drawn = self._drawn, 0
        return f"\x1b[{lines}F\x1b[J" if lines else ""
