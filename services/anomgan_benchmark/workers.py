"""Worker processes that each do one task after another. One that dies takes one task with it, and is replaced.

A worker has one thread for numerics, does not hear Ctrl-C (its parent does, and ends it), and ends with its parent.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from tqdm import tqdm

Task = TypeVar("Task")
Piece = TypeVar("Piece")
Work = Callable[[Task], Iterable[Piece]]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Died:
    """A worker ended before its task did."""

    exit_status: int

    def __str__(self) -> str:
        """For people."""
        if self.exit_status < 0:
            return f"the worker process was ended by {signal.Signals(-self.exit_status).name}"
        return f"the worker process ended with status {self.exit_status}"


class _Worker(Generic[Task, Piece]):
    """One process, the pipe to it and the task that it has."""

    def __init__(self, work: Work[Task, Piece], task: Task) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child would inherit locks that torch's threads hold
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        with _single_threaded():
            self.process.start()
        theirs.close()  # so that the pipe ends with the process
        self.task = task
        self.pipe.send(task)

    def take(self) -> tuple[Piece] | Died | None:
        """What there is on the pipe: a piece in a tuple, None for the end of the task, or that the process died."""
        try:
            message: tuple[Piece] | None = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Died(self.process.exitcode or 0)
        return message

    def dismiss(self) -> None:
        """End the process, which has nothing to do."""
        self.pipe.send(None)
        self.process.join(PATIENCE_S)
        self.end()

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.terminate()
        self.process.join(PATIENCE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def run_tasks(work: Work[Task, Piece], tasks: Iterable[Task], jobs: int) -> Iterator[tuple[Task, Piece | Died]]:
    """Every piece that `work` gives for every task, as they come; Died where a process ended before its task did.

    `work` and the tasks are sent to other processes, so it is a function of a module and they can be pickled.
    """
    waiting = iter(tasks)
    workers: list[_Worker[Task, Piece]] = []

    def start(task: Task) -> None:
        with _deaf():
            workers.append(_Worker(work, task))

    try:
        for task in islice(waiting, jobs):
            start(task)
        while workers:
            for worker in [one for one in workers if one.pipe in wait([each.pipe for each in workers])]:
                message = worker.take()
                if isinstance(message, tuple):
                    yield worker.task, message[0]
                    continue
                following = next(waiting, None)
                if isinstance(message, Died):
                    workers.remove(worker)
                    if following is not None:
                        start(following)
                    yield worker.task, message
                elif following is None:
                    workers.remove(worker)
                    worker.dismiss()
                else:
                    worker.task = following
                    worker.pipe.send(following)
    finally:
        for worker in workers:
            worker.end()


def _serve(pipe: Connection, work: Work[Task, Piece]) -> None:
    """The life of a worker process."""
    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which a process that is ended leaves to the system
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    while (task := pipe.recv()) is not None:
        for piece in work(task):
            pipe.send((piece,))
        pipe.send(None)


def _follow_parent() -> None:
    """End with the parent, however it ended: a long fit for nobody would go on for minutes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C waits until a worker has started whole, and the worker never hears it.

    The worker inherits what this thread blocks. Here that is not enough: another thread may be given the signal, and
    Python raises KeyboardInterrupt in the main one all the same.
    """
    resource_tracker.ensure_running()  # it lets Ctrl-C through again where the first worker would start it
    heard: list[int] = []
    ours = threading.current_thread() is threading.main_thread()  # only there are handlers set, and called
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number)) if ours else None
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if ours:
            signal.signal(signal.SIGINT, before)
        if heard:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """An environment in which libraries for numerics start one thread; they read it once, when they are loaded."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
