"""Where the tasks of a study run: processes of this machine, or a Dask cluster.

Both give results as they come, in any order. A worker that dies costs its own task only, which is
tried again elsewhere.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from hil.errors import HilError, LinkError, UsageError
from hil.store import StudyResult
from procedures.guards import one_line
from procedures.studies.tasks import StudyTask, run_task

MAX_TRIES = 3
"""How often a task is begun whose worker dies."""

Outcome = StudyResult | BaseException
RunsTask = Callable[[StudyTask], StudyResult]


class Workers(Protocol):
    """Something that runs tasks at the same time."""

    def run(self, tasks: Sequence[StudyTask]) -> Iterator[tuple[StudyTask, Outcome]]:
        """Yield each task with its result, or with what kept it from having one.

        Leaving the iterator early stops what still runs.
        """
        ...


class LocalProcesses:
    """Processes of this machine.

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
        from pebble import ProcessExpired, ProcessPool

        waiting = [(task, 1) for task in reversed(tasks)]
        running: dict[Future[StudyResult], tuple[StudyTask, int]] = {}
        with (
            _one_thread_each(),
            _stopped_at_the_end(
                ProcessPool(
                    max_workers=self._n_workers,
                    initializer=_leave_ctrl_c_to_the_parent,
                    context=multiprocessing.get_context("spawn"),
                )
            ) as pool,
        ):
            while waiting or running:
                # No more than can begin at once: who dies takes nobody's place in a queue along.
                while waiting and len(running) < self._n_workers:
                    task, tries = waiting.pop()
                    running[pool.schedule(self._function, args=[task])] = (task, tries)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task, tries = running.pop(future)
                    error = future.exception()
                    if isinstance(error, ProcessExpired) and tries < MAX_TRIES:
                        waiting.append((task, tries + 1))
                    elif error is not None:
                        yield task, error
                    else:
                        yield task, future.result()


class DaskCluster:
    """Workers of a Dask scheduler. They need this package, in the same version.

    Args:
        address: of the scheduler, for example ``tcp://10.0.0.1:8786``.
        function: runs a task; has to be importable on the workers.
    """

    def __init__(self, address: str, function: RunsTask = run_task) -> None:
        self._address = address
        self._function = function

    def __str__(self) -> str:
        return f"the workers of {self._address}"

    def run(self, tasks: Sequence[StudyTask]) -> Iterator[tuple[StudyTask, Outcome]]:
        """Yield results as they come; see ``Workers``.

        Raises:
            LinkError: the scheduler does not answer.
        """
        with self._client() as client:
            from distributed import as_completed

            futures = {
                client.submit(self._function, task, key=f"hil-{task.key}", pure=False): task
                for task in tasks
            }
            try:
                for future in as_completed(futures):
                    error = future.exception()
                    yield futures[future], error if error is not None else future.result()
                    future.release()
            finally:
                with suppress(Exception):  # the scheduler may be what has gone
                    client.cancel(list(futures), force=True)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from distributed import Client
        except ImportError as error:
            raise HilError("a cluster needs Dask: pip install 'memristor-hil[cluster]'") from error
        try:
            client = Client(self._address, timeout="10s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise LinkError(
                f"no Dask scheduler at {self._address}: {one_line(error)}; check the address, or "
                f"leave out --scheduler to use this machine"
            ) from error
        try:
            if not client.scheduler_info()["workers"]:
                raise UsageError(f"the scheduler at {self._address} has no workers; start some")
            yield client
        finally:
            client.close()


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


@contextmanager
def _stopped_at_the_end(pool: Any) -> Iterator[Any]:
    """End the processes of a pool in any case; after an error or Ctrl-C without waiting for them."""
    try:
        yield pool
        pool.close()
    finally:
        pool.stop()
        pool.join()


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
