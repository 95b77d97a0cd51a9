"""A Dask scheduler and workers on loopback, each a process that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.studies import ROOT, wait_until


@dataclass(frozen=True)
class Cluster:
    """What runs.

    Attributes:
        address: of the scheduler.
        scheduler: its process.
        workers: processes, one task at a time each; nobody begins them again.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def dask_cluster(folder: Path, n_workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler and workers on free ports; all are killed at the end."""
    place = folder / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []
    try:
        options = ("--host", "127.0.0.1", "--port", "0", "--no-show", "--no-dashboard")
        started.append(_start(folder, "scheduler", *options, "--scheduler-file", str(place)))
        wait_until(lambda: _address(place) != "", "the scheduler to begin")
        for k in range(n_workers):
            options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--memory-limit", "0")
            place_of_files = ("--local-directory", str(folder / f"worker-{k}"))
            started.append(
                _start(folder, "worker", _address(place), *options, *place_of_files, name=str(k))
            )
        for k in range(n_workers):
            log = folder / f"worker{k}.log"
            wait_until(lambda log=log: "Registered to" in log.read_text("utf-8"), "a worker")  # type: ignore[misc]
        yield Cluster(_address(place), started[0], started[1:])
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGKILL)
            process.wait()


def _start(folder: Path, kind: str, *options: str, name: str = "") -> subprocess.Popen[bytes]:
    with (folder / f"{kind}{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options],
            cwd=ROOT,
            env=os.environ
            | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _address(place: Path) -> str:
    with suppress(OSError, ValueError):
        return str(json.loads(place.read_text(encoding="utf-8"))["address"])
    return ""
