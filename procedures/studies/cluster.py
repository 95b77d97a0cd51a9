"""A Dask cluster as workers of a study."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from hil.errors import HilError, LinkError, LinkTimeout, UsageError
from procedures.guards import one_line
from procedures.studies.tasks import StudyTask, run_task
from procedures.studies.workers import Outcome, RunsTask, death

_CONNECT_S, _ANSWER_S, _CLOSE_S = 5.0, 10.0, 5.0
_SCHEMES = ("tcp", "tls", "ws", "wss")
_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)


class DaskCluster:
    """Workers of a Dask scheduler. They need this package, in the same version.

    Args:
        address: of the scheduler, for example ``tcp://10.0.0.1:8786``.
        function: runs a task; has to be importable on the workers.

    Raises:
        UsageError: this is no address.
    """

    def __init__(self, address: str, function: RunsTask = run_task) -> None:
        self._place = _place_of(address)
        self._address = address
        self._function = function

    def __str__(self) -> str:
        return f"the workers of {self._address}"

    def run(self, tasks: Sequence[StudyTask]) -> Iterator[tuple[StudyTask, Outcome]]:
        """Yield results as they come; see ``workers.Workers``.

        Raises:
            LinkError: the scheduler does not answer, or goes away.
            UsageError: it has no workers.
        """
        if not tasks:
            return
        distributed = _distributed()
        with _quiet(), self._client(distributed) as client:
            client_key = uuid4().hex  # another study may ask the same scheduler for the same
            futures = {
                client.submit(
                    self._function, task, key=f"hil-{task.key}-{client_key}", pure=False
                ): task
                for task in tasks
            }
            try:
                for future in distributed.as_completed(futures, loop=client.loop):
                    yield futures[future], self._outcome(future)
                    future.release()
            finally:
                with suppress(Exception):  # the scheduler may be what has gone
                    client.cancel(list(futures), force=True)

    def _outcome(self, future: Any) -> Outcome:
        try:
            error: BaseException | None = future.exception()
            outcome: Outcome = future.result() if error is None else error
        except (*_CANCELLED, OSError) as error:  # errors of the task are not raised here
            raise self._lost() from error
        if isinstance(outcome, _CANCELLED):
            raise self._lost() from outcome
        if type(outcome).__name__ == "KilledWorker":
            return death("on the cluster")
        return outcome

    def _lost(self) -> LinkError:
        return LinkError(
            f"the Dask scheduler at {self._address} has gone, or dropped what it was given; "
            "results so far are stored, the same command goes on from there"
        )

    @contextmanager
    def _client(self, distributed: Any) -> Iterator[Any]:
        try:
            # Dask itself tries again and again for as long as it waits.
            socket.create_connection(self._place, timeout=_CONNECT_S).close()
            client = _in_time(
                lambda: distributed.Client(self._address, timeout=_ANSWER_S, set_as_default=False)
            )
        except (OSError, ValueError) as error:
            raise LinkError(
                f"no Dask scheduler at {self._address}: {one_line(error)}; check the address, or "
                "leave out --scheduler to use this machine"
            ) from error
        try:
            if not client.scheduler_info()["workers"]:
                raise UsageError(f"the scheduler at {self._address} has no workers; start some")
            yield client
        finally:
            with suppress(Exception):  # the scheduler may be what has gone
                client.close(timeout=_CLOSE_S)


def _place_of(address: str) -> tuple[str, int]:
    """Return host and port of an address of Dask."""
    try:
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        if parts.scheme in _SCHEMES and parts.hostname and parts.port:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise UsageError(f"{address!r} is no address of a Dask scheduler; give tcp://HOST:PORT")


def _in_time(connect: Callable[[], Any]) -> Any:
    """Return what ``connect`` makes; Dask waits for ever for a server that never says a word."""
    made: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def make() -> None:
        try:
            made.set_result(connect())
        except Exception as error:  # raised again by whoever waits
            made.set_exception(error)

    threading.Thread(target=make, daemon=True).start()
    with suppress(concurrent.futures.TimeoutError):
        return made.result(_ANSWER_S)
    raise LinkTimeout(f"no answer of a scheduler within {_ANSWER_S:g} s")


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise HilError("a cluster needs Dask: pip install 'memristor-hil[cluster]'") from error
    return distributed


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging what is raised here as well."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
