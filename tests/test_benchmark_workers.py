"""Worker processes: every task is done once, one that kills its process takes no other with it, none outlives us."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from anomgan_benchmark.workers import THREADS, Died, run_tasks

PATIENCE_S = 60.0


def thrice(number: int) -> Iterator[tuple[int, int]]:
    """Three pieces."""
    for piece in range(3):
        yield number, piece


def kill_on_two(number: int) -> Iterator[int]:
    """A piece; then, of task 2, an end as the system makes it where memory is short."""
    yield number
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    yield -number


def leave_on_two(number: int) -> Iterator[int]:
    """A mistake in the program would end a worker with a status."""
    if number == 2:
        os._exit(3)
    yield number


def tell_threads(_: int) -> Iterator[list[str | None]]:
    """The environment that libraries for numerics read."""
    yield [os.environ.get(name) for name in THREADS]


def write_pid_and_wait(path: str) -> Iterator[None]:
    """A fit that never ends."""
    Path(path).with_suffix(".part").write_text(str(os.getpid()))
    Path(path).with_suffix(".part").rename(path)
    threading.Event().wait()
    yield None


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_piece_of_every_task_comes_once_those_of_a_task_in_order(jobs: int) -> None:
    pieces = list(run_tasks(thrice, range(5), jobs))
    assert sorted(pieces) == [(task, (task, piece)) for task in range(5) for piece in range(3)]
    for task in range(5):
        assert [piece for of, piece in pieces if of == task] == [(task, 0), (task, 1), (task, 2)]


def test_no_tasks_need_no_process() -> None:
    assert list(run_tasks(thrice, [], 2)) == []


def test_a_worker_that_is_killed_costs_one_task() -> None:
    told = list(run_tasks(kill_on_two, range(1, 5), 1))
    assert told == [(1, 1), (1, -1), (2, 2), (2, Died(-signal.SIGKILL)), (3, 3), (3, -3), (4, 4), (4, -4)]
    assert str(told[3][1]) == "the worker process was ended by SIGKILL"


def test_a_worker_that_leaves_says_its_status() -> None:
    told = list(run_tasks(leave_on_two, [2], 1))
    assert [str(piece) for _, piece in told] == ["the worker process ended with status 3"]


def test_a_worker_has_one_thread_for_numerics_and_our_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS[0], "7")
    monkeypatch.delenv(THREADS[1], raising=False)
    ((_, told),) = run_tasks(tell_threads, [0], 1)
    assert told == ["1", "1", "1"]
    assert (os.environ[THREADS[0]], os.environ.get(THREADS[1])) == ("7", None)


def test_who_stops_listening_leaves_no_process_behind() -> None:
    pieces = run_tasks(thrice, range(100), 2)
    next(pieces)
    workers = [psutil.Process(each.pid) for each in multiprocessing.active_children() if each.pid is not None]
    assert len(workers) == 2
    pieces.close()
    assert not [worker for worker in workers if worker.is_running()]


def test_a_worker_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from anomgan_benchmark.workers import run_tasks\n"
        "from test_benchmark_workers import write_pid_and_wait\n"
        f"if __name__ == '__main__': list(run_tasks(write_pid_and_wait, [{str(tmp_path / 'pid')!r}], 1))\n"
    )
    (tmp_path / "parent.py").write_text(script)
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"])
    eventually_there(tmp_path / "pid", parent)
    worker = psutil.Process(int((tmp_path / "pid").read_text()))
    parent.kill()
    parent.wait(PATIENCE_S)
    psutil.wait_procs([worker], PATIENCE_S)
    assert not worker.is_running()


def eventually_there(path: Path, parent: "subprocess.Popen[bytes]") -> None:
    """Poll for a file until a deadline, which the wait for the parent's end keeps."""
    for _ in range(600):
        if path.exists():
            return
        try:
            parent.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    pytest.fail("the worker never began")
