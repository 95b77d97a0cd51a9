"""Where the tasks of a study run: processes of this machine, or a Dask cluster (``cluster``).

Both give results as they come, in any order. A worker that dies costs its own task only, which is
tried again elsewhere.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Protocol, Self

from hil.errors import HilError
from hil.store import StudyResult
from procedures.studies.tasks import StudyTask, run_task

MAX_TRIES = 3
"""How often a task is begun whose worker dies."""

Outcome = StudyResult | BaseException
RunsTask = Callable[[StudyTask], StudyResult]

_GRACE_S = 20.0


class Workers(Protocol):
    """Something that runs tasks at the same time."""

    def run(self, tasks: Sequence[StudyTask]) -> Iterator[tuple[StudyTask, Outcome]]:
        """Yield each task with its result, or with what kept it from having one.

        Leaving the iterator early stops what still runs.
        """
        ...


class LocalProcesses:
    """Processes of this machine. They end with this one, however it ends.

    Args:
        n_workers: how many; one for each core if not given.
        function: runs a task; has to be importable.
    """

    def __init__(self, n_workers: int | None = None, function: RunsTask = run_task) -> None:
        self._n_workers = n_workers or _n_cores()
        self._function = function

    def __str__(self) -> str:
        return f"{self._n_workers} processes of this machine"

    def run(self, tasks: Sequence[StudyTask]) -> Iterator[tuple[StudyTask, Outcome]]:
        """Yield results as they come; see ``Workers``."""
        waiting = [(task, 1) for task in reversed(tasks)]
        running: dict[Future[StudyResult], tuple[StudyTask, int]] = {}
        with _one_thread_each(), _Processes(self._function) as processes:
            while waiting or running:
                while waiting and len(running) < self._n_workers:
                    task, tries = waiting.pop()
                    running[processes.begin(task)] = (task, tries)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task, tries = running.pop(future)
                    outcome = processes.outcome(future)
                    if not isinstance(outcome, _Died):
                        yield task, outcome
                    elif tries < MAX_TRIES:
                        waiting.append((task, tries + 1))
                    else:
                        yield task, death(outcome.how)


def death(how: str) -> HilError:
    """Return the error of a task whose workers died, time after time."""
    return HilError(
        f"every worker that ran it died ({how}); look whether there is enough memory, "
        "and run the same command again"
    )


@dataclass(frozen=True)
class _Died:
    """What became of a process, in words."""

    how: str


class _Processes:
    """Processes, each in a pool of its own.

    In a shared pool one that dies while it holds the lock of the pool's pipe stops all others.
    """

    def __init__(self, function: RunsTask) -> None:
        self._function = function
        self._idle: list[Any] = []
        self._busy: dict[Future[StudyResult], Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pools = [*self._idle, *self._busy.values()]
        for pool in pools:
            pool.stop()
        for pool in pools:
            pool.join()

    def begin(self, task: StudyTask) -> Future[StudyResult]:
        """Begin a task on a process that has nothing to do, or on a new one."""
        while self._idle:
            pool = self._idle.pop()
            with suppress(RuntimeError):  # it has died since its last task
                return self._begin_on(pool, task)
            _stop(pool)
        return self._begin_on(_new_pool(), task)

    def outcome(self, future: Future[StudyResult]) -> Outcome | _Died:
        """Return what became of a task that has ended; ``_Died`` if its process was ended."""
        from pebble import ProcessExpired

        pool = self._busy.pop(future)
        error = future.exception()
        if error is None:
            self._idle.append(pool)
            return future.result()
        if isinstance(error, ProcessExpired | BrokenExecutor | KeyboardInterrupt):
            _stop(pool)
            return _died(getattr(error, "exitcode", 0))
        self._idle.append(pool)
        return error

    def _begin_on(self, pool: Any, task: StudyTask) -> Future[StudyResult]:
        with _keeping_terminal_signals():
            future: Future[StudyResult] = pool.schedule(self._function, args=[task])
        self._busy[future] = pool
        return future


def _new_pool() -> Any:
    from pebble import ProcessPool

    return ProcessPool(
        max_workers=1,
        initializer=_end_with_the_parent,
        context=multiprocessing.get_context("spawn"),
    )


def _stop(pool: Any) -> None:
    pool.stop()
    pool.join()


def _died(code: int) -> _Died:
    how = f"exit code {code}" if code > 0 else "it was ended from outside"
    if code < 0:
        with suppress(ValueError):
            how = signal.Signals(-code).name
    return _Died(how)


@contextmanager
def _keeping_terminal_signals() -> Iterator[None]:
    """Processes that are begun inside never get Ctrl-C and SIGHUP, which a terminal sends to all.

    This one answers them and ends the others.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held_back = {signal.SIGINT, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held_back)
    # multiprocessing's own process begins with the first other one, and lets SIGINT in again.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, held_back)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_the_parent() -> None:
    """Let this process end when the one that began it is gone, even if that was killed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pebble's handler exits and clears up nothing
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=[parent], daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)  # a run is aborted and its folder removed
    threading.Event().wait(_GRACE_S)
    os._exit(1)


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers that are started inside use one thread for linear algebra: processes are enough."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
