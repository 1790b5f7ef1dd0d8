"""SIGINT and SIGTERM as an event that loops look at, SIGHUP as a call."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; what is under way is finished. The handlers are put back at the end.

    A second signal raises KeyboardInterrupt, for those who cannot wait. Only the main thread may use this.
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def asked_again(call: Callable[[], None]) -> Iterator[None]:
    """SIGHUP makes a call, in the main thread and between any two of its steps. Only the main thread may use this."""
    before = signal.signal(signal.SIGHUP, lambda number, frame: call())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
