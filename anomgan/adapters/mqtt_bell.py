"""A bell that wakes a thread out of `select`."""

import select
import socket
import time
from collections.abc import Callable


class Bell:
    """`heard` is what to select on. Rung from any thread; waited for and closed by the one that it wakes.

    Ringing costs a system call, so that the waiter says in `wanted` whether it would make a difference.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.heard, self._rope = socket.socketpair()
        self.heard.setblocking(False)
        self._rope.setblocking(False)

    def ring(self) -> bool:
        """Wake the thread; False where it has closed the bell."""
        try:
            self._rope.send(b"w")
        except BlockingIOError:
            return True  # it is full of reasons to wake already
        except OSError:
            return False
        return True

    def still(self) -> None:
        """Take note of all ringing so far."""
        self.heard.recv(4096)

    def sleep(self, time_s: float, awake: Callable[[], bool]) -> None:
        """Wait, though ringing ends it where it finds us `awake`."""
        until_s = time.monotonic() + time_s
        while not awake() and (left_s := until_s - time.monotonic()) > 0:
            if select.select([self.heard], [], [], left_s)[0]:
                self.still()

    def close(self) -> None:
        """No more ringing."""
        self.heard.close()
        self._rope.close()
