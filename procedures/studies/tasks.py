"""One task of a study: a procedure on a twin with everything that decides what comes out."""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from hil.store import RunDatabase, StudyResult, pack_run, software_versions, to_json
from hil.types import Source
from procedures.guards import one_line
from procedures.registry import find_procedure
from procedures.runner import run

Values = Mapping[str, bool | int | float | str]


class Variant(Protocol):
    """The station of a task."""

    @property
    def as_json(self) -> dict[str, Any]:
        """All that it is, ready for JSON."""
        ...

    def files(self) -> dict[str, str]:
        """Return ``station.toml`` and what belongs to it: text by path in a folder."""
        ...


@dataclass(frozen=True)
class StudyTask:
    """One run of a study.

    Attributes:
        procedure: its name.
        parameters: those that are not left at their default.
        variant: of the station.
        seed: of everything random.
        label: what it is, for a person; does not count for the key.
        keeps_rows: whether all rows of the run go into the database of the study.
        places: further parameters that say where files are; they do not count for the key.
    """

    procedure: str
    parameters: Values
    variant: Variant
    seed: int
    label: str = field(default="", compare=False)
    keeps_rows: bool = field(default=False, compare=False)
    places: Values = field(default_factory=dict, compare=False)

    @property
    def as_json(self) -> dict[str, Any]:
        """All that was asked, defaults included, ready for JSON."""
        return {
            "procedure": self.procedure,
            "parameters": _defaults(self.procedure) | dict(self.parameters),
            "variant": self.variant.as_json,
            "seed": self.seed,
        }

    @cached_property
    def key(self) -> str:
        """Identifies what is asked: station, records and version of this software included."""
        version = software_versions()["memristor-hil"]
        asked = to_json([self.as_json, self.variant.files(), version])
        return hashlib.sha256(asked.encode()).hexdigest()[:24]


_NOT_ASKED = {
    "station",
    "database",
    "fallback",
    "seed",
    "mnist_folder",
    "patterns_file",
    "checkpoint",
}


@cache
def _defaults(procedure: str) -> dict[str, Any]:
    """Return the default of each parameter that decides what comes out of a procedure."""
    of_class = find_procedure(procedure)
    return {
        name: getattr(of_class, name).default
        for name in of_class.parameter_names()
        if name not in _NOT_ASKED
    }


def run_task(task: StudyTask) -> StudyResult:
    """Run a task, here and now, in a folder of its own; nothing of it stays behind.

    Where it fails, the result says so; nothing is raised but what ends the process.

    Raises:
        KeyboardInterrupt: it was asked to stop.
    """
    started_at = now()
    try:
        with _sigterm_clears_up(), tempfile.TemporaryDirectory(prefix="hil-study-") as folder:
            return _run_in(task, Path(folder), started_at)
    except Exception as error:  # whatever it is, it costs this task and no other
        return failed_result(task, error, started_at)


@contextmanager
def _sigterm_clears_up() -> Iterator[None]:
    """SIGTERM interrupts what is inside, also before and after the run, so that nothing is left."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def failed_result(task: StudyTask, error: BaseException, started_at: str) -> StudyResult:
    """Return the result of a task that ended without one."""
    return StudyResult(
        key=task.key,
        label=task.label,
        task=task.as_json,
        seed=task.seed,
        source=Source.TWIN,
        status="failed",
        error=one_line(error),
        results={},
        run_id="",
        versions=software_versions(),
        host=platform.node(),
        pid=os.getpid(),
        started_at=started_at,
        ended_at=now(),
    )


def now() -> str:
    """Return the time as results have it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _run_in(task: StudyTask, folder: Path, started_at: str) -> StudyResult:
    for name, text in task.variant.files().items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    database = folder / "run.sqlite"
    procedure = find_procedure(task.procedure)(
        station=str(folder / "station.toml"),
        database=str(database),
        seed=task.seed,
        **task.parameters,
        **task.places,
    )
    outcome = run(procedure)
    if outcome.status == "aborted":
        raise KeyboardInterrupt(outcome.error)
    is_done = outcome.status == "finished"
    results: dict[str, Any] = {}
    rows = b""
    if outcome.run_id:
        with RunDatabase(database) as opened:
            results = figures(opened, outcome.run_id)
        rows = pack_run(database) if task.keeps_rows and is_done else b""
    return StudyResult(
        key=task.key,
        label=task.label,
        task=task.as_json,
        seed=task.seed,
        source=Source.TWIN,
        status="done" if is_done else "failed",
        error=outcome.error,
        results=results,
        run_id=outcome.run_id,
        versions=software_versions(),
        host=platform.node(),
        pid=os.getpid(),
        started_at=started_at,
        ended_at=now(),
        rows=rows,
    )


def figures(database: RunDatabase, run_id: str) -> dict[str, Any]:
    """Return the figures of a run that a study keeps, ready for JSON.

    Keys: ``metrics`` (each with a list of [step, value]), ``energy`` (joule by part),
    ``bench_time_s``, ``n_pulses``, ``cycles`` (pulses on each memristor that was tuned, by name)
    and ``epochs`` (rows of a procedure that learns in epochs, without their bench time).
    """
    metrics: dict[str, list[list[float]]] = {}
    arrays = database.arrays(run_id, "metrics")
    for name, step, value in zip(arrays["name"], arrays["step"], arrays["value"], strict=True):
        metrics.setdefault(str(name), []).append([float(step), float(value)])
    records = database.records(run_id)
    cycles, epochs = {}, []
    if {"Device", "SET pulses"} <= set(records):
        pulses = records["SET pulses"] + records["RESET pulses"]
        cycles = {
            str(k): int(v) for k, v in pulses.groupby(records["Device"], sort=False).sum().items()
        }
    if "Epoch" in records:
        epochs = records.drop(columns=["seq", "t_s", "Time (s)"]).to_dict("records")
    return {
        "metrics": metrics,
        "energy": database.energy(run_id),
        "bench_time_s": database.bench_time_s(run_id),
        "n_pulses": database.find(run_id).n_pulses,
        "cycles": cycles,
        "epochs": epochs,
    }
